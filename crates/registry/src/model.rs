//! Registering a model version: everything at once, or nothing.

use std::io;

use definitions::{Fingerprint, ModelRef, Name, Version, Versioned, WallTime};
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use crate::error::sql;
use crate::lookup::version_id;
use crate::open::commit;
use crate::row::stored;
use crate::run::{Ending, end, must_be_running};
use crate::{Evidence, Registry, RegistryError, Reproduction, RunId, RunStatus};

/// A file of a model version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artefact {
    /// Its name within the model's folder.
    pub name: String,
    /// The SHA-256 of its bytes.
    pub sha256: Fingerprint,
    /// How many bytes.
    pub bytes: u64,
}

/// A model version that has been trained, has passed its gates, and lies in a staging folder.
#[derive(Debug, Clone, PartialEq)]
pub struct NewModelVersion {
    /// The model's name; the model is made with its first version.
    pub model: Name,
    /// The run that made it.
    pub run: RunId,
    /// What the run found out; every check of every gate has passed.
    pub evidence: Evidence,
    /// Inputs with types and order, outputs.
    pub signature: serde_json::Value,
    /// The programs that made it, with their versions.
    pub software: serde_json::Value,
    /// When it is registered.
    pub created_at: WallTime,
}

/// What is known of a model version only once its number is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedModel {
    /// Its folder, relative to the storage root.
    pub path: String,
    /// The model card, in Markdown.
    pub card: String,
    /// The files in the folder.
    pub artefacts: Vec<Artefact>,
}

/// What was registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegisteredModel {
    /// The model and its new version.
    pub reference: Versioned,
    /// Its folder, relative to the storage root.
    pub path: String,
}

impl Registry {
    /// Registers a model version under the model's next number, with lineage, evidence, card and artefacts, and marks its run as
    /// registered: one transaction. `publish` is told the version and moves the staging folder to its place, as in `create_dataset`.
    ///
    /// # Errors
    /// `GateNotPassed`; `UnknownRun`; `RunEnded`; `Publish` when `publish` fails (then nothing is recorded).
    pub async fn register_model(
        &self,
        new: &NewModelVersion,
        publish: impl FnOnce(Version) -> io::Result<PublishedModel> + Send,
    ) -> Result<RegisteredModel, RegistryError> {
        if let Some(check) = new.evidence.gate_checks.iter().find(|check| !check.passed) {
            return Err(RegistryError::GateNotPassed {
                run: new.run,
                gate: check.gate.clone(),
            });
        }
        let mut tx = self.write().await?;
        let dataset = must_be_running(&mut tx, new.run).await?;
        let (model, version) = next_version(&mut tx, new).await?;
        let reference = Versioned {
            name: new.model.clone(),
            version,
        };
        let published = publish(version).map_err(|source| RegistryError::Publish {
            reference: reference.to_string(),
            source,
        })?;
        let status = RunStatus::Registered;
        let ending = Ending {
            status,
            at: new.created_at,
            evidence: Some(&new.evidence),
            path: None,
            error: None,
        };
        end(&mut tx, new.run, &ending).await?;
        insert(
            &mut tx,
            &VersionRow {
                model,
                version,
                dataset,
                new,
                published: &published,
            },
        )
        .await?;
        commit(tx).await?;
        Ok(RegisteredModel {
            reference,
            path: published.path,
        })
    }

    /// Records an attempt to make a model version again.
    ///
    /// # Errors
    /// `UnknownModel`, `UnknownModelVersion`.
    pub async fn record_reproduction(
        &self,
        model: &Versioned,
        reproduction: &Reproduction,
    ) -> Result<(), RegistryError> {
        let mut tx = self.write().await?;
        let version = version_id(&mut tx, &ModelRef::Version(model.clone())).await?;
        sqlx::query("insert into reproductions (model_version, passed, report, at) values (?, ?, ?, ?)")
            .bind(version)
            .bind(reproduction.passed)
            .bind(reproduction.report.to_string())
            .bind(reproduction.at.0)
            .execute(&mut *tx)
            .await
            .map_err(sql("record a reproduction"))?;
        commit(tx).await
    }
}

/// The model's row, made if this is its first version, and the version's number: one more than the largest.
async fn next_version(
    connection: &mut SqliteConnection,
    new: &NewModelVersion,
) -> Result<(i64, Version), RegistryError> {
    let failed = sql("number a model version");
    sqlx::query("insert into models (name, created_at) values (?, ?) on conflict (name) do nothing")
        .bind(new.model.as_str())
        .bind(new.created_at.0)
        .execute(&mut *connection)
        .await
        .map_err(&failed)?;
    let (model, newest): (i64, u32) = sqlx::query_as(
        "select m.id, ifnull((select max(version) from model_versions where model = m.id), 0) from models as m where m.name = ?",
    )
    .bind(new.model.as_str())
    .fetch_one(&mut *connection)
    .await
    .map_err(&failed)?;
    let version = newest.checked_add(1).and_then(Version::new);
    let version = version.ok_or_else(|| RegistryError::Corrupt {
        column: "version".to_owned(),
        found: newest.to_string(),
        wanted: "a version that another can follow".to_owned(),
    })?;
    Ok((model, version))
}

struct VersionRow<'a> {
    model: i64,
    version: Version,
    dataset: i64,
    new: &'a NewModelVersion,
    published: &'a PublishedModel,
}

async fn insert(connection: &mut SqliteConnection, row: &VersionRow<'_>) -> Result<(), RegistryError> {
    let inserted = sqlx::query(
        "insert into model_versions (model, version, run, dataset, path, signature, card, software, created_at)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(row.model)
    .bind(row.version.number())
    .bind(row.new.run.0)
    .bind(row.dataset)
    .bind(&row.published.path)
    .bind(row.new.signature.to_string())
    .bind(&row.published.card)
    .bind(row.new.software.to_string())
    .bind(row.new.created_at.0)
    .execute(&mut *connection)
    .await
    .map_err(sql("record a model version"))?;
    for artefact in &row.published.artefacts {
        sqlx::query("insert into artefacts (model_version, name, sha256, bytes) values (?, ?, ?, ?)")
            .bind(inserted.last_insert_rowid())
            .bind(&artefact.name)
            .bind(artefact.sha256.to_string())
            .bind(stored(artefact.bytes))
            .execute(&mut *connection)
            .await
            .map_err(sql("record an artefact"))?;
    }
    Ok(())
}
