//! Datasets that can no longer be made again, because something was taken out of what they pin; and with them the models trained on them.

use definitions::{DatasetRef, Versioned, WallTime};
use serde::Serialize;

use crate::error::sql;
use crate::open::commit;
use crate::row::Columns;
use crate::{Registry, RegistryError};

/// Why something can no longer be made again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unreproducible {
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: WallTime,
}

/// From the columns `unreproducible_reason` and `unreproducible_since`; `None` where they are NULL.
pub(crate) fn unreproducible(row: &Columns<'_>) -> Result<Option<Unreproducible>, RegistryError> {
    let reason: Option<String> = row.get("unreproducible_reason")?;
    let since: Option<i64> = row.get("unreproducible_since")?;
    Ok(reason.zip(since).map(|(reason, since)| Unreproducible {
        reason,
        since: WallTime(since),
    }))
}

impl Registry {
    /// Marks datasets as no longer reproducible. One that is marked keeps its first reason.
    ///
    /// # Errors
    /// `UnknownDataset`; then none is marked.
    pub async fn mark_unreproducible(
        &self,
        datasets: &[DatasetRef],
        reason: &str,
        since: WallTime,
    ) -> Result<(), RegistryError> {
        let mut tx = self.write().await?;
        for reference in datasets {
            let done = sqlx::query(
                "insert into unreproducible_datasets (dataset, reason, since)
                 select d.id, ?4, ?5 from datasets as d join definitions as v on v.id = d.view_definition
                 where v.kind = 'feature_view' and v.name = ?1 and v.version = ?2 and d.number = ?3
                 on conflict (dataset) do update set dataset = dataset",
            )
            .bind(reference.view.name.as_str())
            .bind(reference.view.version.number())
            .bind(reference.number)
            .bind(reason)
            .bind(since.0)
            .execute(&mut *tx)
            .await
            .map_err(sql("mark a dataset as no longer reproducible"))?;
            if done.rows_affected() == 0 {
                return Err(RegistryError::UnknownDataset {
                    reference: reference.clone(),
                    newest: None,
                });
            }
        }
        commit(tx).await
    }

    /// The model versions that were trained on a dataset, by name and version.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn models_trained_on(&self, dataset: &DatasetRef) -> Result<Vec<Versioned>, RegistryError> {
        let mut tx = self.read().await?;
        let rows = sqlx::query(
            "select m.name as model_name, mv.version as model_version
             from model_versions as mv join models as m on m.id = mv.model join datasets as d on d.id = mv.dataset
             join definitions as v on v.id = d.view_definition
             where v.name = ? and v.version = ? and d.number = ? order by m.name, mv.version",
        )
        .bind(dataset.view.name.as_str())
        .bind(dataset.view.version.number())
        .bind(dataset.number)
        .fetch_all(&mut *tx)
        .await
        .map_err(sql("list the models of a dataset"))?;
        rows.iter().map(|row| Columns(row).versioned("model")).collect()
    }
}
