//! Listings of models and of their versions.

use definitions::{DatasetRef, Name, Version, Versioned, WallTime};
use serde::Serialize;
use sqlx::AssertSqlSafe;

use crate::error::sql;
use crate::lookup::model_id;
use crate::row::Columns;
use crate::{Registry, RegistryError, RunId};

/// What a listing says of model versions.
pub(crate) const SELECT_SUMMARIES: &str = "select r.pipeline_definition, r.view_definition, m.name as model_name, mv.version as model_version, mv.created_at, mv.run, p.name as pipeline,
         r.learner, r.metrics, v.name as view_name, v.version as view_version, d.number,
         (select group_concat(alias) from aliases where model_version = mv.id) as aliases
     from model_versions as mv join models as m on m.id = mv.model join runs as r on r.id = mv.run
     join definitions as p on p.id = r.pipeline_definition join datasets as d on d.id = mv.dataset
     join definitions as v on v.id = d.view_definition ";

/// A model in a listing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelSummary {
    /// Its name.
    pub model: Name,
    /// Its newest version.
    pub newest: Version,
    /// How many versions it has.
    pub versions: u64,
    /// Its aliases and where they point, by name.
    pub aliases: Vec<(Name, Version)>,
    /// When the model was made.
    pub created_at: WallTime,
    /// When its newest version was registered.
    pub newest_at: WallTime,
}

/// A model version in a listing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelVersionSummary {
    /// The model and its version.
    pub reference: Versioned,
    /// The aliases that point to it, by name.
    pub aliases: Vec<Name>,
    /// When it was registered.
    pub created_at: WallTime,
    /// The run that made it.
    pub run: RunId,
    /// The pipeline.
    pub pipeline: Name,
    /// The learner.
    pub learner: String,
    /// What it was trained on.
    #[serde(serialize_with = "crate::row::as_text")]
    pub dataset: DatasetRef,
    /// The metrics in short.
    pub metrics: Option<serde_json::Value>,
}

impl Registry {
    /// All models, by name.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn models(&self) -> Result<Vec<ModelSummary>, RegistryError> {
        let mut tx = self.read().await?;
        let rows = sqlx::query(
            "select m.name, m.created_at, mv.version as newest, mv.created_at as newest_at,
                 (select count(*) from model_versions where model = m.id) as versions,
                 (select group_concat(a.alias || ':v' || av.version) from aliases as a
                      join model_versions as av on av.id = a.model_version where a.model = m.id) as aliases
             from models as m join model_versions as mv on mv.model = m.id
             where mv.version = (select max(version) from model_versions where model = m.id) order by m.name",
        )
        .fetch_all(&mut *tx)
        .await
        .map_err(sql("list the models"))?;
        rows.iter().map(|row| model_summary(&Columns(row))).collect()
    }

    /// The versions of a model, the newest first.
    ///
    /// # Errors
    /// `UnknownModel`.
    pub async fn model_versions(&self, model: &Name) -> Result<Vec<ModelVersionSummary>, RegistryError> {
        let mut tx = self.read().await?;
        let id = model_id(&mut tx, model).await?;
        let query = format!("{SELECT_SUMMARIES} where mv.model = ? order by mv.version desc");
        let rows = sqlx::query(AssertSqlSafe(query)).bind(id).fetch_all(&mut *tx).await;
        rows.map_err(sql("list the versions of a model"))?
            .iter()
            .map(|row| version_summary(&Columns(row)))
            .collect()
    }
}

fn model_summary(row: &Columns<'_>) -> Result<ModelSummary, RegistryError> {
    let aliases: Vec<Versioned> = row.names("aliases")?;
    Ok(ModelSummary {
        model: row.parsed("name")?,
        newest: row.version("newest")?,
        versions: row.count("versions")?,
        aliases: aliases.into_iter().map(|alias| (alias.name, alias.version)).collect(),
        created_at: row.time("created_at")?,
        newest_at: row.time("newest_at")?,
    })
}

pub(crate) fn version_summary(row: &Columns<'_>) -> Result<ModelVersionSummary, RegistryError> {
    Ok(ModelVersionSummary {
        reference: row.versioned("model")?,
        aliases: row.names("aliases")?,
        created_at: row.time("created_at")?,
        run: RunId(row.get("run")?),
        pipeline: row.parsed("pipeline")?,
        learner: row.get("learner")?,
        dataset: row.dataset()?,
        metrics: row.json_if_any("metrics")?,
    })
}
