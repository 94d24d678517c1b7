//! Rows that were kept out of a group, with the ingestion that kept them out.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use datafusion::catalog::TableProvider;
use datafusion::common::{Column, JoinType};
use datafusion::datasource::MemTable;
use datafusion::logical_expr::Expr;
use datafusion::prelude::SessionContext;
use definitions::FeatureGroup;

use crate::StoreError;
use crate::error::{delta_error, plan_error};
use crate::ingest::{INGESTION, IngestReceipt, ingestions, quarantine_schema};
use crate::storage::{Store, open_table};

/// The quarantine of a group: rows of ingestions that stand in the group's log, and of no others. Empty where no row was ever kept out.
pub(super) async fn kept_out(
    context: &SessionContext,
    store: &Store,
    group: &FeatureGroup,
) -> Result<Arc<dyn TableProvider>, StoreError> {
    let reference = group.reference();
    let doing = format!("the quarantine of `{reference}` could not be read");
    let rows: Arc<dyn TableProvider> = match open_table(&store.quarantine_folder(&reference), &reference, None).await? {
        Some(table) => {
            table
                .update_datafusion_session(&context.state())
                .map_err(delta_error(&reference, "read"))?;
            table.table_provider().await.map_err(plan_error(&doing))?
        }
        None => Arc::new(MemTable::try_new(quarantine_schema(), vec![vec![]]).map_err(plan_error(&doing))?),
    };
    let committed = committed(&ingestions(store, group).await?)?;
    let build = || {
        let committed = context.read_batch(committed)?;
        let rows = context.read_table(rows)?;
        let joined = rows.join(committed, JoinType::Inner, &[INGESTION], &["committed"], None)?;
        let shown = [
            "ingest_id",
            "known_at",
            "file",
            "line",
            "column",
            "value",
            "reason",
            "detail",
            "row",
        ];
        Ok(joined
            .select(shown.map(|name| Expr::Column(Column::from_name(name))))?
            .into_view())
    };
    build().map_err(plan_error(doing))
}

fn committed(ingestions: &[IngestReceipt]) -> Result<RecordBatch, StoreError> {
    let ids: StringArray = ingestions
        .iter()
        .map(|receipt| Some(receipt.ingestion.as_str()))
        .collect();
    let numbers: Int64Array = ingestions.iter().map(|receipt| Some(receipt.ingest_id)).collect();
    let times: TimestampMicrosecondArray = ingestions.iter().map(|receipt| Some(receipt.known_at.0)).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("committed", Arc::new(ids)),
        ("ingest_id", Arc::new(numbers)),
        ("known_at", Arc::new(times.with_timezone("UTC"))),
    ];
    Ok(RecordBatch::try_from_iter(columns)?)
}
