//! What `doctor` and `gc` ask: is the database whole, and what should lie where.

use std::collections::{BTreeMap, BTreeSet};

use definitions::Fingerprint;
use serde::Serialize;
use sqlx::SqliteConnection;

use crate::error::sql;
use crate::lookup::artefact;
use crate::row::Columns;
use crate::{Registry, RegistryError};

/// A row that refers to one that is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrokenForeignKey {
    /// The table of the row.
    pub table: String,
    /// The row.
    pub row: Option<i64>,
    /// The table that it refers to.
    pub parent: String,
}

/// Whether the database is whole.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct CheckReport {
    /// What is broken in the file; empty: nothing.
    pub integrity: Vec<String>,
    /// Rows that refer to nothing.
    pub foreign_keys: Vec<BrokenForeignKey>,
}

/// What a folder holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StoredKind {
    /// A dataset.
    Dataset,
    /// A model version.
    Model,
    /// What a run left without a model.
    Run,
}

/// A file that should be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredFile {
    /// Its name within the folder.
    pub name: String,
    /// The SHA-256 of its bytes.
    pub sha256: Fingerprint,
    /// How many bytes, where known.
    pub bytes: Option<u64>,
}

/// A folder that should be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredFolder {
    /// What it holds.
    pub kind: StoredKind,
    /// Which one: `cpu_fv:v2/5`, `cpu_forecaster:v3`, `17`.
    pub reference: String,
    /// Where it lies, relative to the storage root.
    pub path: String,
    /// The files whose hashes are known: of a dataset its `manifest.json`, of a model all.
    pub files: Vec<StoredFile>,
}

impl CheckReport {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.integrity.is_empty() && self.foreign_keys.is_empty()
    }
}

impl Registry {
    /// Reads the whole database and says what is broken.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn check(&self) -> Result<CheckReport, RegistryError> {
        let mut tx = self.read().await?;
        let failed = sql("check itself");
        let mut integrity: Vec<String> = sqlx::query_scalar("pragma integrity_check")
            .fetch_all(&mut *tx)
            .await
            .map_err(&failed)?;
        integrity.retain(|line| line != "ok");
        let rows = sqlx::query("pragma foreign_key_check")
            .fetch_all(&mut *tx)
            .await
            .map_err(&failed)?;
        let broken = |row| {
            let row = Columns(row);
            Ok(BrokenForeignKey {
                table: row.get("table")?,
                row: row.get("rowid")?,
                parent: row.get("parent")?,
            })
        };
        Ok(CheckReport {
            integrity,
            foreign_keys: rows.iter().map(broken).collect::<Result<_, _>>()?,
        })
    }

    /// Every folder that should be there, with the hashes that are known.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn stored_folders(&self) -> Result<Vec<StoredFolder>, RegistryError> {
        let mut tx = self.read().await?;
        let mut folders = datasets(&mut tx).await?;
        folders.extend(models(&mut tx).await?);
        folders.extend(runs(&mut tx).await?);
        Ok(folders)
    }

    /// The paths of every dataset, model version and run, relative to the storage root: what `gc` must not touch.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn known_paths(&self) -> Result<BTreeSet<String>, RegistryError> {
        let mut tx = self.read().await?;
        let paths: Vec<String> = sqlx::query_scalar(
            "select path from datasets union select path from model_versions union select path from runs where path is not null",
        )
        .fetch_all(&mut *tx)
        .await
        .map_err(sql("list the known paths"))?;
        Ok(paths.into_iter().collect())
    }
}

async fn datasets(connection: &mut SqliteConnection) -> Result<Vec<StoredFolder>, RegistryError> {
    let rows = sqlx::query(
        "select v.name as view_name, v.version as view_version, d.number, d.path, d.manifest_sha256
         from datasets as d join definitions as v on v.id = d.view_definition order by v.name, v.version, d.number",
    )
    .fetch_all(connection)
    .await
    .map_err(sql("list the datasets"))?;
    let folder = |row| {
        let row = Columns(row);
        let manifest = StoredFile {
            name: "manifest.json".to_owned(),
            sha256: row.parsed("manifest_sha256")?,
            bytes: None,
        };
        let (reference, path) = (row.dataset()?.to_string(), row.get("path")?);
        Ok(StoredFolder {
            kind: StoredKind::Dataset,
            reference,
            path,
            files: vec![manifest],
        })
    };
    rows.iter().map(folder).collect()
}

async fn models(connection: &mut SqliteConnection) -> Result<Vec<StoredFolder>, RegistryError> {
    let mut files: BTreeMap<i64, Vec<StoredFile>> = BTreeMap::new();
    let query = "select * from artefacts order by model_version, name";
    for row in &sqlx::query(query)
        .fetch_all(&mut *connection)
        .await
        .map_err(sql("list the artefacts"))?
    {
        let file = artefact(&Columns(row))?;
        let of = files.entry(Columns(row).get("model_version")?).or_default();
        of.push(StoredFile {
            name: file.name,
            sha256: file.sha256,
            bytes: Some(file.bytes),
        });
    }
    let rows = sqlx::query(
        "select mv.id, m.name as model_name, mv.version as model_version, mv.path
         from model_versions as mv join models as m on m.id = mv.model order by m.name, mv.version",
    )
    .fetch_all(connection)
    .await
    .map_err(sql("list the model versions"))?;
    let folder = |row| {
        let row = Columns(row);
        let files = files.remove(&row.get("id")?).unwrap_or_default();
        let (reference, path) = (row.versioned("model")?.to_string(), row.get("path")?);
        Ok(StoredFolder {
            kind: StoredKind::Model,
            reference,
            path,
            files,
        })
    };
    rows.iter().map(folder).collect()
}

async fn runs(connection: &mut SqliteConnection) -> Result<Vec<StoredFolder>, RegistryError> {
    let query = "select id, path from runs where path is not null order by id";
    let rows = sqlx::query(query)
        .fetch_all(connection)
        .await
        .map_err(sql("list the runs"))?;
    let folder = |row| {
        let row = Columns(row);
        let reference = row.get::<i64>("id")?.to_string();
        Ok(StoredFolder {
            kind: StoredKind::Run,
            reference,
            path: row.get("path")?,
            files: Vec::new(),
        })
    };
    rows.iter().map(folder).collect()
}
