//! Datasets: what a view made of pinned groups.

use std::io;

use definitions::{DatasetRef, Fingerprint, KnownAt, Name, ViewRef, WallTime};
use serde::Serialize;
use sqlx::SqliteConnection;

use crate::applied::definition_id;
use crate::error::sql;
use crate::open::commit;
use crate::pin::{insert_group, pinned_groups};
use crate::row::{Columns, stored};
use crate::unreproducible::unreproducible;
use crate::{DefinitionKind, PinnedGroup, Registry, RegistryError, Unreproducible};

/// Datasets with their view's name and version, and what a query adds.
macro_rules! select_datasets {
    ($tail:literal) => {
        concat!(
            "select d.*, v.name as view_name, v.version as view_version,
                 u.reason as unreproducible_reason, u.since as unreproducible_since
             from datasets as d join definitions as v on v.id = d.view_definition
             left join unreproducible_datasets as u on u.dataset = d.id ",
            $tail
        )
    };
}

/// Whether a dataset with the same pins is made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfUnchanged {
    /// No: the newest one with the same pins is the answer.
    Reuse,
    /// Yes, under a new number.
    CreateAgain,
}

/// A dataset that has been written to a staging folder.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDataset {
    /// The view that made it.
    pub view: ViewRef,
    /// The fingerprint of its content.
    pub fingerprint: Fingerprint,
    /// The fingerprint of everything that determines it: definitions, pins, range, seed. Equal keys, equal content.
    pub pins_key: Fingerprint,
    /// Rows in all parts.
    pub rows: u64,
    /// Rows of each part, and of none: `{"train": 700, …}`.
    pub part_rows: serde_json::Value,
    /// The seed of what was drawn at random.
    pub seed: u64,
    /// The programs that made it, with their versions.
    pub software: serde_json::Value,
    /// When it was made.
    pub created_at: WallTime,
    /// What it read: every group once.
    pub groups: Vec<PinnedGroup>,
    /// Rows that became known later were left out (`--as-known-at`).
    pub as_known_at: Option<KnownAt>,
    /// Whether to make it again when one with the same pins exists.
    pub if_unchanged: IfUnchanged,
}

/// What is known of a dataset only once its number is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedDataset {
    /// Its folder, relative to the storage root.
    pub path: String,
    /// The SHA-256 of its `manifest.json`.
    pub manifest_sha256: Fingerprint,
}

/// A recorded dataset.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dataset {
    /// Its view and number.
    #[serde(serialize_with = "crate::row::as_text")]
    pub reference: DatasetRef,
    /// The fingerprint of its content.
    pub fingerprint: Fingerprint,
    /// The fingerprint of everything that determines it.
    pub pins_key: Fingerprint,
    /// Its folder, relative to the storage root.
    pub path: String,
    /// The SHA-256 of its `manifest.json`.
    pub manifest_sha256: Fingerprint,
    /// Rows in all parts.
    pub rows: u64,
    /// Rows of each part, and of none.
    pub part_rows: serde_json::Value,
    /// The seed of what was drawn at random.
    pub seed: u64,
    /// The programs that made it, with their versions.
    pub software: serde_json::Value,
    /// When it was made.
    pub created_at: WallTime,
    /// What it read, by group.
    pub groups: Vec<PinnedGroup>,
    /// Why it can no longer be made again; `None`: it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreproducible: Option<Unreproducible>,
}

/// What asking for a dataset gave.
#[derive(Debug, Clone, PartialEq)]
pub enum CreatedDataset {
    /// A new one.
    Created(Dataset),
    /// The newest one with the same pins; nothing was published.
    Unchanged(Dataset),
}

impl CreatedDataset {
    /// The dataset, new or not.
    #[must_use]
    pub fn dataset(&self) -> &Dataset {
        match self {
            Self::Created(dataset) | Self::Unchanged(dataset) => dataset,
        }
    }
}

impl Registry {
    /// Records a dataset under the view's next number. `publish` is told the number and moves the staging folder to its place; it runs
    /// inside the write transaction, so that two processes never publish at once and a crash leaves a folder that nobody refers to,
    /// never a record without one.
    ///
    /// # Errors
    /// `Publish` when `publish` fails (then nothing is recorded); `UnknownDefinition` for a view or group that has not been applied.
    pub async fn create_dataset(
        &self,
        new: &NewDataset,
        publish: impl FnOnce(u32) -> io::Result<PublishedDataset> + Send,
    ) -> Result<CreatedDataset, RegistryError> {
        let mut tx = self.write().await?;
        let view = definition_id(&mut tx, DefinitionKind::FeatureView, &new.view).await?;
        if new.if_unchanged == IfUnchanged::Reuse
            && let Some(dataset) = with_pins(&mut tx, view, &new.pins_key).await?
        {
            return Ok(CreatedDataset::Unchanged(dataset));
        }
        let mut groups = Vec::with_capacity(new.groups.len());
        for pinned in &new.groups {
            groups.push((
                definition_id(&mut tx, DefinitionKind::FeatureGroup, &pinned.group).await?,
                pinned,
            ));
        }
        let number = next_number(&mut tx, view).await?;
        let published = publish(number).map_err(|source| RegistryError::Publish {
            reference: DatasetRef {
                view: new.view.clone(),
                number,
            }
            .to_string(),
            source,
        })?;
        let id = insert(&mut tx, view, number, new, &published).await?;
        for (group, pinned) in groups {
            insert_group(&mut tx, id, group, pinned, new.as_known_at).await?;
        }
        let query = select_datasets!("where d.id = ?");
        let rows = sqlx::query(query)
            .bind(id)
            .fetch_all(&mut *tx)
            .await
            .map_err(sql("read back a dataset"))?;
        let mut datasets = with_groups(&mut tx, &rows).await?;
        commit(tx).await?;
        datasets
            .pop()
            .map(CreatedDataset::Created)
            .ok_or_else(|| lost(&new.view, number))
    }

    /// One dataset.
    ///
    /// # Errors
    /// `UnknownDataset`, naming the newest one of the view.
    pub async fn dataset(&self, reference: &DatasetRef) -> Result<Dataset, RegistryError> {
        let mut tx = self.read().await?;
        let query = select_datasets!("where v.kind = 'feature_view' and v.name = ? and v.version = ? and d.number = ?");
        let rows = sqlx::query(query)
            .bind(reference.view.name.as_str())
            .bind(reference.view.version.number())
            .bind(reference.number)
            .fetch_all(&mut *tx)
            .await
            .map_err(sql("look up a dataset"))?;
        match with_groups(&mut tx, &rows).await?.pop() {
            Some(dataset) => Ok(dataset),
            None => {
                let newest = newest(&mut tx, &reference.view).await?.map(|dataset| dataset.reference);
                Err(RegistryError::UnknownDataset {
                    reference: reference.clone(),
                    newest,
                })
            }
        }
    }

    /// The newest dataset of a view.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn newest_dataset(&self, view: &ViewRef) -> Result<Option<Dataset>, RegistryError> {
        let mut tx = self.read().await?;
        newest(&mut tx, view).await
    }

    /// The newest dataset of a view with these pins.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn dataset_with_pins(
        &self,
        view: &ViewRef,
        pins_key: &Fingerprint,
    ) -> Result<Option<Dataset>, RegistryError> {
        let mut tx = self.read().await?;
        match definition_id(&mut tx, DefinitionKind::FeatureView, view).await {
            Ok(view) => with_pins(&mut tx, view, pins_key).await,
            Err(RegistryError::UnknownDefinition { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The datasets of all views, of all versions of the view of that name, in order of view and number.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn datasets(&self, view: Option<&Name>) -> Result<Vec<Dataset>, RegistryError> {
        let mut tx = self.read().await?;
        let query = select_datasets!("where ?1 is null or v.name = ?1 order by v.name, v.version, d.number");
        let rows = sqlx::query(query)
            .bind(view.map(Name::as_str))
            .fetch_all(&mut *tx)
            .await;
        with_groups(&mut tx, &rows.map_err(sql("list the datasets"))?).await
    }
}

async fn next_number(connection: &mut SqliteConnection, view: i64) -> Result<u32, RegistryError> {
    let query = "select ifnull(max(number), 0) + 1 from datasets where view_definition = ?";
    sqlx::query_scalar(query)
        .bind(view)
        .fetch_one(connection)
        .await
        .map_err(sql("number a dataset"))
}

async fn insert(
    connection: &mut SqliteConnection,
    view: i64,
    number: u32,
    new: &NewDataset,
    published: &PublishedDataset,
) -> Result<i64, RegistryError> {
    let inserted = sqlx::query(
        "insert into datasets (view_definition, number, fingerprint, pins_key, manifest_sha256, path, rows, part_rows, seed, software, created_at)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(view)
    .bind(number)
    .bind(new.fingerprint.to_string())
    .bind(new.pins_key.to_string())
    .bind(published.manifest_sha256.to_string())
    .bind(&published.path)
    .bind(stored(new.rows))
    .bind(new.part_rows.to_string())
    .bind(new.seed.cast_signed())
    .bind(new.software.to_string())
    .bind(new.created_at.0)
    .execute(connection)
    .await
    .map_err(sql("record a dataset"))?;
    Ok(inserted.last_insert_rowid())
}

async fn with_pins(
    connection: &mut SqliteConnection,
    view: i64,
    pins_key: &Fingerprint,
) -> Result<Option<Dataset>, RegistryError> {
    let query = select_datasets!("where d.view_definition = ? and d.pins_key = ? order by d.number desc limit 1");
    let rows = sqlx::query(query)
        .bind(view)
        .bind(pins_key.to_string())
        .fetch_all(&mut *connection)
        .await;
    Ok(with_groups(connection, &rows.map_err(sql("look up a dataset"))?)
        .await?
        .pop())
}

async fn newest(connection: &mut SqliteConnection, view: &ViewRef) -> Result<Option<Dataset>, RegistryError> {
    let query = select_datasets!(
        "where v.kind = 'feature_view' and v.name = ? and v.version = ? order by d.number desc limit 1"
    );
    let rows = sqlx::query(query)
        .bind(view.name.as_str())
        .bind(view.version.number())
        .fetch_all(&mut *connection)
        .await
        .map_err(sql("look up the newest dataset"))?;
    Ok(with_groups(connection, &rows).await?.pop())
}

/// The row of a dataset that others refer to, and the row of its view.
pub(crate) async fn dataset_id(
    connection: &mut SqliteConnection,
    reference: &DatasetRef,
) -> Result<(i64, i64), RegistryError> {
    let ids = sqlx::query_as(
        "select d.id, v.id from datasets as d join definitions as v on v.id = d.view_definition
         where v.kind = 'feature_view' and v.name = ? and v.version = ? and d.number = ?",
    )
    .bind(reference.view.name.as_str())
    .bind(reference.view.version.number())
    .bind(reference.number)
    .fetch_optional(&mut *connection)
    .await
    .map_err(sql("look up a dataset"))?;
    match ids {
        Some(ids) => Ok(ids),
        None => {
            let newest = newest(connection, &reference.view)
                .await?
                .map(|dataset| dataset.reference);
            Err(RegistryError::UnknownDataset {
                reference: reference.clone(),
                newest,
            })
        }
    }
}

/// The datasets of these rows, with what they read: one query, however many there are.
async fn with_groups(
    connection: &mut SqliteConnection,
    rows: &[sqlx::sqlite::SqliteRow],
) -> Result<Vec<Dataset>, RegistryError> {
    let ids: Vec<i64> = rows
        .iter()
        .map(|row| Columns(row).get("id"))
        .collect::<Result<_, _>>()?;
    let (Some(first), Some(last)) = (ids.iter().min(), ids.iter().max()) else {
        return Ok(Vec::new());
    };
    let mut groups = pinned_groups(connection, *first, *last).await?;
    let datasets = rows.iter().zip(ids);
    datasets
        .map(|(row, id)| dataset(&Columns(row), groups.remove(&id).unwrap_or_default()))
        .collect()
}

fn dataset(row: &Columns<'_>, groups: Vec<PinnedGroup>) -> Result<Dataset, RegistryError> {
    Ok(Dataset {
        reference: row.dataset()?,
        fingerprint: row.parsed("fingerprint")?,
        pins_key: row.parsed("pins_key")?,
        path: row.get("path")?,
        manifest_sha256: row.parsed("manifest_sha256")?,
        rows: row.count("rows")?,
        part_rows: row.json("part_rows")?,
        seed: row.seed("seed")?,
        software: row.json("software")?,
        created_at: row.time("created_at")?,
        groups,
        unreproducible: unreproducible(row)?,
    })
}

fn lost(view: &ViewRef, number: u32) -> RegistryError {
    RegistryError::UnknownDataset {
        reference: DatasetRef {
            view: view.clone(),
            number,
        },
        newest: None,
    }
}
