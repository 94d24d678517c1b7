//! Pins: the Delta versions that datasets read, which vacuum must keep, and the ingestions that they hold.

use std::collections::BTreeMap;

use definitions::{GroupRef, KnownAt, WallTime};
use serde::Serialize;
use sqlx::SqliteConnection;

use crate::error::sql;
use crate::row::{Columns, stored};
use crate::{Registry, RegistryError};

/// A feature group at the Delta version that a dataset read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PinnedGroup {
    /// The group.
    pub group: GroupRef,
    /// The Delta version that was read.
    pub delta_version: u64,
    /// When that version was committed.
    pub committed_at: WallTime,
}

impl Registry {
    /// The Delta versions of a group that datasets pin, ascending: what vacuum must keep.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn pinned_delta_versions(&self, group: &GroupRef) -> Result<Vec<u64>, RegistryError> {
        let mut tx = self.read().await?;
        let versions: Vec<i64> = sqlx::query_scalar(
            "select distinct p.delta_version from dataset_groups as p join definitions as g on g.id = p.group_definition
             where g.kind = 'feature_group' and g.name = ? and g.version = ? order by p.delta_version",
        )
        .bind(group.name.as_str())
        .bind(group.version.number())
        .fetch_all(&mut *tx)
        .await
        .map_err(sql("list the pinned versions"))?;
        Ok(versions.into_iter().map(i64::cast_unsigned).collect())
    }
}

/// Records a pin, and which ingestions it holds: those that the table had at that version, unless they became known too late.
pub(crate) async fn insert_group(
    connection: &mut SqliteConnection,
    dataset: i64,
    group: i64,
    pinned: &PinnedGroup,
    as_known_at: Option<KnownAt>,
) -> Result<(), RegistryError> {
    let failed = sql("record what a dataset read");
    sqlx::query(
        "insert into dataset_groups (dataset, group_definition, delta_version, committed_at) values (?, ?, ?, ?)",
    )
    .bind(dataset)
    .bind(group)
    .bind(stored(pinned.delta_version))
    .bind(pinned.committed_at.0)
    .execute(&mut *connection)
    .await
    .map_err(&failed)?;
    sqlx::query(
        "insert into dataset_ingestions (dataset, ingestion)
         select ?1, id from ingestions where group_definition = ?2 and delta_version <= ?3 and (?4 is null or known_at <= ?4)",
    )
    .bind(dataset)
    .bind(group)
    .bind(stored(pinned.delta_version))
    .bind(as_known_at.map(|time| time.0))
    .execute(&mut *connection)
    .await
    .map_err(&failed)?;
    Ok(())
}

pub(crate) const PINNED_GROUPS: &str =
    "select p.dataset, p.delta_version, p.committed_at, g.name as group_name, g.version as group_version
     from dataset_groups as p join definitions as g on g.id = p.group_definition
     where p.dataset between ? and ? order by p.dataset, g.name, g.version";

/// What the datasets from row `first` to row `last` read, by dataset and group.
pub(crate) async fn pinned_groups(
    connection: &mut SqliteConnection,
    first: i64,
    last: i64,
) -> Result<BTreeMap<i64, Vec<PinnedGroup>>, RegistryError> {
    let rows = sqlx::query(PINNED_GROUPS)
        .bind(first)
        .bind(last)
        .fetch_all(connection)
        .await
        .map_err(sql("list what datasets read"))?;
    let mut groups: BTreeMap<i64, Vec<PinnedGroup>> = BTreeMap::new();
    for row in &rows {
        let row = Columns(row);
        groups.entry(row.get("dataset")?).or_default().push(PinnedGroup {
            group: row.versioned("group")?,
            delta_version: row.count("delta_version")?,
            committed_at: row.time("committed_at")?,
        });
    }
    Ok(groups)
}
