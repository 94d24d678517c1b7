//! Looking a model up: everything that a deployment asks, by version, by alias, or by name.

use definitions::{DatasetRef, Fingerprint, ModelRef, Name, Versioned, ViewRef, WallTime};
use serde::Serialize;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use crate::error::sql;
use crate::pin::pinned_groups;
use crate::row::Columns;
use crate::suggestion::near;
use crate::unreproducible::unreproducible;
use crate::{Artefact, PinnedGroup, Registry, RegistryError, RunId, Unreproducible};

/// An attempt to make a model version again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reproduction {
    /// Whether everything was the same.
    pub passed: bool,
    /// What was compared, line by line.
    pub report: serde_json::Value,
    /// When.
    pub at: WallTime,
}

/// Everything about a model version that a deployment, a reproduction or a reader needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelVersionRecord {
    /// The model and its version.
    pub reference: Versioned,
    /// The aliases that point to it, by name.
    pub aliases: Vec<Name>,
    /// When it was registered.
    pub created_at: WallTime,
    /// Its folder, relative to the storage root.
    pub path: String,
    /// The files in the folder, by name.
    pub artefacts: Vec<Artefact>,
    /// Inputs with types and order, outputs.
    pub signature: serde_json::Value,
    /// The run that made it.
    pub run: RunId,
    /// The pipeline.
    pub pipeline: Name,
    /// Which of its texts.
    pub pipeline_fingerprint: Fingerprint,
    /// The learner.
    pub learner: String,
    /// The seed of the run.
    pub seed: u64,
    /// The learner's parameters.
    pub parameters: serde_json::Value,
    /// The metrics in short.
    pub metrics: Option<serde_json::Value>,
    /// The programs that made it, with their versions.
    pub software: serde_json::Value,
    /// The view.
    pub view: ViewRef,
    /// What it was trained on.
    #[serde(serialize_with = "crate::row::as_text")]
    pub dataset: DatasetRef,
    /// The fingerprint of the dataset's content.
    pub dataset_fingerprint: Fingerprint,
    /// The dataset's folder, relative to the storage root.
    pub dataset_path: String,
    /// The groups that the dataset read, at their Delta versions, by group.
    pub groups: Vec<PinnedGroup>,
    /// The newest attempt to make it again.
    pub reproduction: Option<Reproduction>,
    /// Why it can no longer be made again; `None`: it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreproducible: Option<Unreproducible>,
}

impl Registry {
    /// The model version that a reference means.
    ///
    /// # Errors
    /// `UnknownModel` with names that are near, `UnknownModelVersion` with the newest, `UnknownAlias` with those there are.
    pub async fn resolve(&self, reference: &ModelRef) -> Result<ModelVersionRecord, RegistryError> {
        let mut tx = self.read().await?;
        let id = version_id(&mut tx, reference).await?;
        record(&mut tx, id).await
    }

    /// The card of a model version, in Markdown.
    ///
    /// # Errors
    /// As `resolve`.
    pub async fn card(&self, reference: &ModelRef) -> Result<String, RegistryError> {
        let mut tx = self.read().await?;
        let id = version_id(&mut tx, reference).await?;
        let card = sqlx::query_scalar("select card from model_versions where id = ?")
            .bind(id)
            .fetch_one(&mut *tx)
            .await;
        card.map_err(sql("read a model card"))
    }

    /// The attempts to make a model version again, the newest first.
    ///
    /// # Errors
    /// `UnknownModel`, `UnknownModelVersion`.
    pub async fn reproductions(&self, model: &Versioned) -> Result<Vec<Reproduction>, RegistryError> {
        let mut tx = self.read().await?;
        let id = version_id(&mut tx, &ModelRef::Version(model.clone())).await?;
        let rows = sqlx::query("select * from reproductions where model_version = ? order by id desc")
            .bind(id)
            .fetch_all(&mut *tx)
            .await;
        rows.map_err(sql("list the reproductions"))?
            .iter()
            .map(reproduction)
            .collect()
    }
}

/// The row of a model.
pub(crate) async fn model_id(connection: &mut SqliteConnection, model: &Name) -> Result<i64, RegistryError> {
    let id = sqlx::query_scalar("select id from models where name = ?")
        .bind(model.as_str())
        .fetch_optional(&mut *connection)
        .await;
    if let Some(id) = id.map_err(sql("look up a model"))? {
        return Ok(id);
    }
    let names: Vec<String> = sqlx::query_scalar("select name from models order by name")
        .fetch_all(connection)
        .await
        .map_err(sql("list the models"))?;
    Err(RegistryError::UnknownModel {
        model: model.clone(),
        near: near(model.as_str(), &names),
    })
}

/// The row of a model version.
pub(crate) async fn version_id(connection: &mut SqliteConnection, reference: &ModelRef) -> Result<i64, RegistryError> {
    let name = reference.model().as_str();
    let query = match reference {
        ModelRef::Newest(_) => sqlx::query_scalar(NEWEST_VERSION).bind(name),
        ModelRef::Version(versioned) => sqlx::query_scalar(EXACT_VERSION)
            .bind(name)
            .bind(versioned.version.number()),
        ModelRef::Alias { alias, .. } => sqlx::query_scalar(ALIASED_VERSION).bind(name).bind(alias.as_str()),
    };
    match query
        .fetch_optional(&mut *connection)
        .await
        .map_err(sql("look up a model"))?
    {
        Some(id) => Ok(id),
        None => Err(unknown(connection, reference).await?),
    }
}

/// By the index on (model, version), read from its end.
pub(crate) const NEWEST_VERSION: &str =
    "select mv.id from models as m join model_versions as mv on mv.model = m.id where m.name = ?
     order by mv.version desc limit 1";
/// By the index on (model, version).
pub(crate) const EXACT_VERSION: &str =
    "select mv.id from models as m join model_versions as mv on mv.model = m.id where m.name = ? and mv.version = ?";
/// By the primary key of the aliases.
pub(crate) const ALIASED_VERSION: &str =
    "select a.model_version from models as m join aliases as a on a.model = m.id where m.name = ? and a.alias = ?";

/// Why there is no such model version.
async fn unknown(connection: &mut SqliteConnection, reference: &ModelRef) -> Result<RegistryError, RegistryError> {
    let model = reference.model();
    let id = model_id(connection, model).await?;
    if let ModelRef::Alias { alias, .. } = reference {
        return unknown_alias(connection, (id, model), alias).await;
    }
    let newest = sqlx::query("select max(version) as newest from model_versions where model = ?")
        .bind(id)
        .fetch_one(connection)
        .await;
    let newest = newest.map_err(sql("look up the newest version"))?;
    match (reference, Columns(&newest).version_if_any("newest")?) {
        (ModelRef::Version(reference), Some(newest)) => Ok(RegistryError::UnknownModelVersion {
            reference: reference.clone(),
            newest,
        }),
        _ => Ok(RegistryError::UnknownModel {
            model: model.clone(),
            near: Vec::new(),
        }),
    }
}

/// The error for an alias that is not there, with those that are.
pub(crate) async fn unknown_alias(
    connection: &mut SqliteConnection,
    (id, model): (i64, &Name),
    alias: &Name,
) -> Result<RegistryError, RegistryError> {
    let rows = sqlx::query("select alias from aliases where model = ? order by alias")
        .bind(id)
        .fetch_all(connection)
        .await;
    let rows = rows.map_err(sql("list the aliases of a model"))?;
    let existing = rows
        .iter()
        .map(|row| Columns(row).parsed("alias"))
        .collect::<Result<_, _>>()?;
    Ok(RegistryError::UnknownAlias {
        model: model.clone(),
        alias: alias.clone(),
        existing,
    })
}

const RECORD: &str = "select m.name as model_name, mv.version as model_version, mv.created_at, mv.path, mv.signature, mv.software, mv.run,
     p.name as pipeline, p.fingerprint as pipeline_fingerprint, r.learner, r.seed, r.parameters, r.metrics,
     v.name as view_name, v.version as view_version, d.number, d.id as dataset, d.fingerprint as dataset_fingerprint,
     d.path as dataset_path, u.reason as unreproducible_reason, u.since as unreproducible_since,
     (select group_concat(alias) from aliases where model_version = mv.id) as aliases
     from model_versions as mv join models as m on m.id = mv.model join runs as r on r.id = mv.run
     join definitions as p on p.id = r.pipeline_definition join datasets as d on d.id = mv.dataset
     join definitions as v on v.id = d.view_definition
     left join unreproducible_datasets as u on u.dataset = d.id where mv.id = ?";

async fn record(connection: &mut SqliteConnection, id: i64) -> Result<ModelVersionRecord, RegistryError> {
    let row = sqlx::query(RECORD)
        .bind(id)
        .fetch_one(&mut *connection)
        .await
        .map_err(sql("look up a model version"))?;
    let row = Columns(&row);
    let dataset: i64 = row.get("dataset")?;
    Ok(ModelVersionRecord {
        reference: row.versioned("model")?,
        aliases: row.names("aliases")?,
        created_at: row.time("created_at")?,
        path: row.get("path")?,
        artefacts: artefacts(connection, id).await?,
        signature: row.json("signature")?,
        run: RunId(row.get("run")?),
        pipeline: row.parsed("pipeline")?,
        pipeline_fingerprint: row.parsed("pipeline_fingerprint")?,
        learner: row.get("learner")?,
        seed: row.seed("seed")?,
        parameters: row.json("parameters")?,
        metrics: row.json_if_any("metrics")?,
        software: row.json("software")?,
        view: row.versioned("view")?,
        dataset: row.dataset()?,
        dataset_fingerprint: row.parsed("dataset_fingerprint")?,
        dataset_path: row.get("dataset_path")?,
        groups: pinned_groups(connection, dataset, dataset)
            .await?
            .remove(&dataset)
            .unwrap_or_default(),
        reproduction: newest_reproduction(connection, id).await?,
        unreproducible: unreproducible(&row)?,
    })
}

const ARTEFACTS: &str = "select name, sha256, bytes from artefacts where model_version = ? order by name";

async fn artefacts(connection: &mut SqliteConnection, version: i64) -> Result<Vec<Artefact>, RegistryError> {
    let rows = sqlx::query(ARTEFACTS)
        .bind(version)
        .fetch_all(connection)
        .await
        .map_err(sql("list the artefacts"))?;
    rows.iter().map(|row| artefact(&Columns(row))).collect()
}

pub(crate) fn artefact(row: &Columns<'_>) -> Result<Artefact, RegistryError> {
    Ok(Artefact {
        name: row.get("name")?,
        sha256: row.parsed("sha256")?,
        bytes: row.count("bytes")?,
    })
}

async fn newest_reproduction(
    connection: &mut SqliteConnection,
    version: i64,
) -> Result<Option<Reproduction>, RegistryError> {
    let query = "select * from reproductions where model_version = ? order by id desc limit 1";
    let row = sqlx::query(query).bind(version).fetch_optional(connection).await;
    row.map_err(sql("look up a reproduction"))?
        .map(|row| reproduction(&row))
        .transpose()
}

fn reproduction(row: &SqliteRow) -> Result<Reproduction, RegistryError> {
    let row = Columns(row);
    Ok(Reproduction {
        passed: row.get("passed")?,
        report: row.json("report")?,
        at: row.time("at")?,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may")]

    use sqlx::AssertSqlSafe;

    use super::*;
    use crate::pin::PINNED_GROUPS;

    #[tokio::test]
    async fn look_up_of_a_model_never_reads_a_whole_table() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(&folder.path().join("registry.db")).await.unwrap();
        let mut tx = registry.read().await.unwrap();
        for query in [
            NEWEST_VERSION,
            EXACT_VERSION,
            ALIASED_VERSION,
            RECORD,
            ARTEFACTS,
            PINNED_GROUPS,
        ] {
            let explained = AssertSqlSafe(format!("explain query plan {query}"));
            let rows = sqlx::query(explained)
                .bind(1)
                .bind(1)
                .fetch_all(&mut *tx)
                .await
                .unwrap();
            let plan: Vec<String> = rows.iter().map(|row| Columns(row).get("detail").unwrap()).collect();
            assert!(plan.iter().any(|step| step.starts_with("SEARCH")), "{plan:?}");
            // Sorting the few rows of one thing is fine; the versions come sorted from the index.
            let is_sorted = query == PINNED_GROUPS || !plan.iter().any(|step| step.contains("TEMP"));
            assert!(
                is_sorted && !plan.iter().any(|step| step.starts_with("SCAN")),
                "{query}: {plan:?}"
            );
        }
    }
}
