//! Ingestions: what came into a feature group, when, from where.

use definitions::{EventTime, Fingerprint, GroupRef, IngestMode, KnownAt, WallTime};
use serde::Serialize;
use sqlx::SqliteConnection;

use crate::applied::definition_id;
use crate::error::sql;
use crate::open::commit;
use crate::row::{Columns, stored};
use crate::{DefinitionKind, Registry, RegistryError};

/// Ingestions with their group's name and version, and what a query adds.
macro_rules! select_ingestions {
    ($tail:literal) => {
        concat!(
            "select i.*, g.name as group_name, g.version as group_version
             from ingestions as i join definitions as g on g.id = i.group_definition ",
            $tail
        )
    };
}

/// The receipt of an ingestion that has been committed to the group's table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NewIngestion {
    /// The group.
    pub group: GroupRef,
    /// Its number within the group, from 1: `__ingest_id`.
    pub ingest_id: i64,
    /// The Delta version that it made.
    pub delta_version: u64,
    /// The fingerprint of everything that was read.
    pub content_hash: Fingerprint,
    /// Where it came from: files, sizes, hashes, as the step reports them.
    pub sources: serde_json::Value,
    /// Upsert or append.
    pub mode: IngestMode,
    /// Rows written to the table.
    pub rows: u64,
    /// Identical rows that were left out.
    pub duplicates: u64,
    /// NaN values that became NULL.
    pub nan_nulls: u64,
    /// Rows that went to the quarantine table.
    pub quarantined: u64,
    /// Rows that were there and that readers no longer see; `None`: not counted.
    pub superseded: Option<u64>,
    /// The one value of `__known_at` of its rows.
    pub known_at: KnownAt,
    /// The smallest event time among its rows; `None`: no rows, or a static group.
    pub min_event_time: Option<EventTime>,
    /// The largest event time among its rows.
    pub max_event_time: Option<EventTime>,
    /// When it started.
    pub started_at: WallTime,
    /// When the table's commit was made.
    pub committed_at: WallTime,
}

/// A recorded ingestion.
pub type Ingestion = NewIngestion;

/// What recording did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Recorded {
    /// It is recorded now.
    Now,
    /// It had been recorded.
    Before,
}

impl Registry {
    /// Records an ingestion. Recording the same one twice is harmless, so that a command that died between the table's commit and this
    /// call can be made up for.
    ///
    /// # Errors
    /// `IngestionConflict` when another ingestion is recorded under its number; `UnknownDefinition` for a group that has not been applied.
    pub async fn record_ingestion(&self, new: &NewIngestion) -> Result<Recorded, RegistryError> {
        let mut tx = self.write().await?;
        let group = definition_id(&mut tx, DefinitionKind::FeatureGroup, &new.group).await?;
        let query = select_ingestions!("where i.group_definition = ? and i.ingest_id = ?");
        let row = sqlx::query(query)
            .bind(group)
            .bind(new.ingest_id)
            .fetch_optional(&mut *tx)
            .await;
        if let Some(row) = row.map_err(sql("look up an ingestion"))? {
            return same(&ingestion(&Columns(&row))?, new).map(|()| Recorded::Before);
        }
        insert(&mut tx, group, new).await?;
        commit(tx).await?;
        Ok(Recorded::Now)
    }

    /// The ingestions of a group, in their order.
    ///
    /// # Errors
    /// `UnknownDefinition` for a group that has not been applied.
    pub async fn ingestions(&self, group: &GroupRef) -> Result<Vec<Ingestion>, RegistryError> {
        let mut tx = self.read().await?;
        let group = definition_id(&mut tx, DefinitionKind::FeatureGroup, group).await?;
        let query = select_ingestions!("where i.group_definition = ? order by i.ingest_id");
        let rows = sqlx::query(query)
            .bind(group)
            .fetch_all(&mut *tx)
            .await
            .map_err(sql("list the ingestions"))?;
        rows.iter().map(|row| ingestion(&Columns(row))).collect()
    }

    /// The newest ingestion of a group.
    ///
    /// # Errors
    /// `UnknownDefinition` for a group that has not been applied.
    pub async fn newest_ingestion(&self, group: &GroupRef) -> Result<Option<Ingestion>, RegistryError> {
        let mut tx = self.read().await?;
        let group = definition_id(&mut tx, DefinitionKind::FeatureGroup, group).await?;
        let query = select_ingestions!("where i.group_definition = ? order by i.ingest_id desc limit 1");
        let row = sqlx::query(query)
            .bind(group)
            .fetch_optional(&mut *tx)
            .await
            .map_err(sql("look up an ingestion"))?;
        row.map(|row| ingestion(&Columns(&row))).transpose()
    }

    /// The newest ingestion of this content into a group.
    ///
    /// # Errors
    /// `UnknownDefinition` for a group that has not been applied.
    pub async fn ingestion_of_content(
        &self,
        group: &GroupRef,
        content_hash: &Fingerprint,
    ) -> Result<Option<Ingestion>, RegistryError> {
        let mut tx = self.read().await?;
        let group = definition_id(&mut tx, DefinitionKind::FeatureGroup, group).await?;
        let query =
            select_ingestions!("where i.group_definition = ? and i.content_hash = ? order by i.ingest_id desc limit 1");
        let row = sqlx::query(query)
            .bind(group)
            .bind(content_hash.to_string())
            .fetch_optional(&mut *tx)
            .await;
        row.map_err(sql("look up an ingestion"))?
            .map(|row| ingestion(&Columns(&row)))
            .transpose()
    }
}

fn same(recorded: &Ingestion, new: &NewIngestion) -> Result<(), RegistryError> {
    let compared = [
        (
            "content",
            recorded.content_hash.to_string(),
            new.content_hash.to_string(),
        ),
        (
            "Delta version",
            recorded.delta_version.to_string(),
            new.delta_version.to_string(),
        ),
        ("rows", recorded.rows.to_string(), new.rows.to_string()),
    ];
    let (group, ingest_id) = (&new.group, new.ingest_id);
    match compared.into_iter().find(|(_, recorded, found)| recorded != found) {
        None => Ok(()),
        Some((what, recorded, found)) => Err(RegistryError::IngestionConflict {
            group: group.clone(),
            ingest_id,
            what,
            recorded,
            found,
        }),
    }
}

async fn insert(connection: &mut SqliteConnection, group: i64, new: &NewIngestion) -> Result<(), RegistryError> {
    sqlx::query(
        "insert into ingestions (group_definition, ingest_id, delta_version, content_hash, sources, mode, rows, duplicates, nan_nulls,
             quarantined, superseded, known_at, min_event_time, max_event_time, started_at, committed_at)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(group)
    .bind(new.ingest_id)
    .bind(stored(new.delta_version))
    .bind(new.content_hash.to_string())
    .bind(new.sources.to_string())
    .bind(mode_word(new.mode))
    .bind(stored(new.rows))
    .bind(stored(new.duplicates))
    .bind(stored(new.nan_nulls))
    .bind(stored(new.quarantined))
    .bind(new.superseded.map(stored))
    .bind(new.known_at.0)
    .bind(new.min_event_time.map(|time| time.0))
    .bind(new.max_event_time.map(|time| time.0))
    .bind(new.started_at.0)
    .bind(new.committed_at.0)
    .execute(connection)
    .await
    .map_err(sql("record an ingestion"))?;
    Ok(())
}

fn mode_word(mode: IngestMode) -> &'static str {
    match mode {
        IngestMode::Upsert => "upsert",
        IngestMode::Append => "append",
    }
}

/// The ingestions of a group that a dataset could see, in their order.
pub(crate) async fn ingestions_of_dataset(
    connection: &mut SqliteConnection,
    dataset: i64,
    group: i64,
) -> Result<Vec<Ingestion>, RegistryError> {
    let query = select_ingestions!(
        "join dataset_ingestions as s on s.ingestion = i.id where s.dataset = ? and i.group_definition = ? order by i.ingest_id"
    );
    let rows = sqlx::query(query).bind(dataset).bind(group).fetch_all(connection).await;
    rows.map_err(sql("list the ingestions of a dataset"))?
        .iter()
        .map(|row| ingestion(&Columns(row)))
        .collect()
}

fn ingestion(row: &Columns<'_>) -> Result<Ingestion, RegistryError> {
    let mode: &str = row.get("mode")?;
    Ok(Ingestion {
        group: row.versioned("group")?,
        ingest_id: row.get("ingest_id")?,
        delta_version: row.count("delta_version")?,
        content_hash: row.parsed("content_hash")?,
        sources: row.json("sources")?,
        mode: if mode == mode_word(IngestMode::Append) {
            IngestMode::Append
        } else {
            IngestMode::Upsert
        },
        rows: row.count("rows")?,
        duplicates: row.count("duplicates")?,
        nan_nulls: row.count("nan_nulls")?,
        quarantined: row.count("quarantined")?,
        superseded: row.count_if_any("superseded")?,
        known_at: KnownAt(row.get("known_at")?),
        min_event_time: row.get::<Option<i64>>("min_event_time")?.map(EventTime),
        max_event_time: row.get::<Option<i64>>("max_event_time")?.map(EventTime),
        started_at: row.time("started_at")?,
        committed_at: row.time("committed_at")?,
    })
}
