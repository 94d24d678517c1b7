//! Datasets that can no longer be made again, because something was taken out of what they pin; and with them the models trained on them.

use definitions::{DatasetRef, WallTime};
use serde::Serialize;

use crate::dataset::dataset_id;
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
            let (dataset, _) = dataset_id(&mut tx, reference).await?;
            sqlx::query(
                "insert into unreproducible_datasets (dataset, reason, since) values (?, ?, ?) on conflict (dataset) do nothing",
            )
            .bind(dataset)
            .bind(reason)
            .bind(since.0)
            .execute(&mut *tx)
            .await
            .map_err(sql("mark a dataset as no longer reproducible"))?;
        }
        commit(tx).await
    }
}
