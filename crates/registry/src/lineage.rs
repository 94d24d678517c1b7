//! Lineage: from a model down to the ingestions, and from a group or an ingestion up to the models.

use definitions::{DatasetRef, Fingerprint, GroupRef, ModelRef, Name, Versioned, ViewRef, WallTime};
use serde::Serialize;
use sqlx::{AssertSqlSafe, SqliteConnection};

use crate::applied::definition_id;
use crate::dataset::dataset_id;
use crate::error::sql;
use crate::ingestion::ingestions_of_dataset;
use crate::lookup::version_id;
use crate::row::Columns;
use crate::{DefinitionKind, Ingestion, Registry, RegistryError, RunId};

/// A group that a dataset read, and what had come into it by then.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupLineage {
    /// The group.
    pub group: GroupRef,
    /// The fingerprint of its definition.
    pub fingerprint: Fingerprint,
    /// The Delta version that was read.
    pub delta_version: u64,
    /// When that version was committed.
    pub committed_at: WallTime,
    /// The ingestions that it holds, in their order.
    pub ingestions: Vec<Ingestion>,
}

/// Where a model version comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lineage {
    /// The model and its version.
    pub model: Versioned,
    /// The run that made it.
    pub run: RunId,
    /// The pipeline.
    pub pipeline: Name,
    /// Which of its texts.
    pub pipeline_fingerprint: Fingerprint,
    /// What it was trained on.
    #[serde(serialize_with = "crate::row::as_text")]
    pub dataset: DatasetRef,
    /// The fingerprint of the dataset's content.
    pub dataset_fingerprint: Fingerprint,
    /// The view that made the dataset.
    pub view: ViewRef,
    /// The fingerprint of the view's definition.
    pub view_fingerprint: Fingerprint,
    /// The groups that the dataset read, by group.
    pub groups: Vec<GroupLineage>,
}

impl Registry {
    /// Where a model version comes from, down to the ingestions.
    ///
    /// # Errors
    /// `UnknownModel`, `UnknownModelVersion`.
    pub async fn lineage(&self, model: &Versioned) -> Result<Lineage, RegistryError> {
        let mut tx = self.read().await?;
        let id = version_id(&mut tx, &ModelRef::Version(model.clone())).await?;
        let row = sqlx::query(
            "select mv.run, mv.dataset, p.name as pipeline, p.fingerprint as pipeline_fingerprint, d.number,
                 d.fingerprint as dataset_fingerprint, v.name as view_name, v.version as view_version, v.fingerprint as view_fingerprint
             from model_versions as mv join runs as r on r.id = mv.run join definitions as p on p.id = r.pipeline_definition
             join datasets as d on d.id = mv.dataset join definitions as v on v.id = d.view_definition where mv.id = ?",
        )
        .bind(id)
        .fetch_one(&mut *tx)
        .await
        .map_err(sql("read where a model comes from"))?;
        let row = Columns(&row);
        Ok(Lineage {
            model: model.clone(),
            run: RunId(row.get("run")?),
            pipeline: row.parsed("pipeline")?,
            pipeline_fingerprint: row.parsed("pipeline_fingerprint")?,
            dataset: row.dataset()?,
            dataset_fingerprint: row.parsed("dataset_fingerprint")?,
            view: row.versioned("view")?,
            view_fingerprint: row.parsed("view_fingerprint")?,
            groups: groups(&mut tx, row.get("dataset")?).await?,
        })
    }

    /// The model versions that were trained on a dataset, by model and version.
    ///
    /// # Errors
    /// `UnknownDataset`.
    pub async fn models_from_dataset(&self, dataset: &DatasetRef) -> Result<Vec<Versioned>, RegistryError> {
        let mut tx = self.read().await?;
        let (id, _) = dataset_id(&mut tx, dataset).await?;
        models(&mut tx, "select id from datasets where id = ?", id).await
    }

    /// The model versions whose datasets read a group, by model and version.
    ///
    /// # Errors
    /// `UnknownDefinition` for a group that has not been applied.
    pub async fn models_from_group(&self, group: &GroupRef) -> Result<Vec<Versioned>, RegistryError> {
        let mut tx = self.read().await?;
        let group = definition_id(&mut tx, DefinitionKind::FeatureGroup, group).await?;
        models(
            &mut tx,
            "select dataset from dataset_groups where group_definition = ?",
            group,
        )
        .await
    }

    /// The model versions whose datasets read rows of one ingestion, by model and version.
    ///
    /// # Errors
    /// `UnknownDefinition`, `UnknownIngestion`.
    pub async fn models_from_ingestion(
        &self,
        group: &GroupRef,
        ingest_id: i64,
    ) -> Result<Vec<Versioned>, RegistryError> {
        let mut tx = self.read().await?;
        let definition = definition_id(&mut tx, DefinitionKind::FeatureGroup, group).await?;
        let query = "select id from ingestions where group_definition = ? and ingest_id = ?";
        let id = sqlx::query_scalar(query)
            .bind(definition)
            .bind(ingest_id)
            .fetch_optional(&mut *tx)
            .await;
        let Some(id) = id.map_err(sql("look up an ingestion"))? else {
            return Err(RegistryError::UnknownIngestion {
                group: group.clone(),
                ingest_id,
            });
        };
        models(
            &mut tx,
            "select dataset from dataset_ingestions where ingestion = ?",
            id,
        )
        .await
    }
}

async fn groups(connection: &mut SqliteConnection, dataset: i64) -> Result<Vec<GroupLineage>, RegistryError> {
    let rows = sqlx::query(
        "select g.id, g.name as group_name, g.version as group_version, g.fingerprint, p.delta_version, p.committed_at
         from dataset_groups as p join definitions as g on g.id = p.group_definition where p.dataset = ? order by g.name, g.version",
    )
    .bind(dataset)
    .fetch_all(&mut *connection)
    .await
    .map_err(sql("list what a dataset read"))?;
    let mut groups = Vec::with_capacity(rows.len());
    for row in &rows {
        let row = Columns(row);
        groups.push(GroupLineage {
            group: row.versioned("group")?,
            fingerprint: row.parsed("fingerprint")?,
            delta_version: row.count("delta_version")?,
            committed_at: row.time("committed_at")?,
            ingestions: ingestions_of_dataset(connection, dataset, row.get("id")?).await?,
        });
    }
    Ok(groups)
}

/// The model versions that were trained on the datasets of a query.
async fn models(connection: &mut SqliteConnection, datasets: &str, of: i64) -> Result<Vec<Versioned>, RegistryError> {
    let query = format!(
        "select m.name as model_name, mv.version as model_version from model_versions as mv join models as m on m.id = mv.model
         where mv.dataset in ({datasets}) order by m.name, mv.version"
    );
    let rows = sqlx::query(AssertSqlSafe(query)).bind(of).fetch_all(connection).await;
    rows.map_err(sql("list the models that came of it"))?
        .iter()
        .map(|row| Columns(row).versioned("model"))
        .collect()
}
