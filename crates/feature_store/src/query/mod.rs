//! SQL over every group, read only.
//!
//! | name | rows |
//! |---|---|
//! | `server_metrics` | of the newest version: those that count, declared columns |
//! | `"server_metrics:v1"` | of that version |
//! | `"server_metrics:v1$all"` | every row, superseded ones too, with the hidden columns |
//! | `"server_metrics:v1$history"` | every revision, declared columns, with `valid_from` and `valid_to`; in groups with `history = "scd2"` |
//! | `at('server_metrics:v1', 417)`, `at('server_metrics:v1', '2026-01-31T12:00:00Z')` | as of a Delta version or a time |
//! | `quarantine.server_metrics`, `quarantine."server_metrics:v1"` | rows that were kept out, with the reason |
//!
//! Versions that a clean-up has removed are read from the newest one, see `removed`. In an upsert group, of the rows with one key and event time only the one known last counts. Queries run in one partition, so that
//! float sums are the same bits every time.

mod at;
mod quarantine;
mod removed;
pub(crate) mod superseded;
mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider, TableProvider};
use datafusion::error::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::{SessionConfig, SessionContext};
use definitions::{FeatureGroup, GroupRef, History, nearest};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};

use crate::error::plan_error;
use crate::{PinAt, Store, StoreError};
use table::{GroupTable, Visible};

/// The answer to a query.
pub struct Answer {
    /// Its columns.
    pub schema: SchemaRef,
    /// Its rows.
    pub batches: BoxStream<'static, Result<RecordBatch, StoreError>>,
}

/// Asks the groups.
///
/// # Errors
/// `Query` for SQL that is wrong, that writes, or that names what is not there; whatever the reading gives.
pub async fn query(store: &Store, groups: &BTreeMap<GroupRef, FeatureGroup>, sql: &str) -> Result<Answer, StoreError> {
    let context = session();
    // These tables have to be opened before they can be planned with, so only where the query is about them.
    let asks_quarantine = sql.to_lowercase().contains("quarantine");
    let names = register(&context, store, groups, asks_quarantine).await?;
    let refused = |error| explain(error, &names);
    let plan = context.state().create_logical_plan(sql).await.map_err(refused)?;
    let read_only = SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false);
    read_only.verify_plan(&plan).map_err(|error| StoreError::Query {
        message: format!("only queries are allowed: {}", error.strip_backtrace()),
        hint: Some("platform query \"select …\"".to_owned()),
    })?;
    let rows = context.execute_logical_plan(plan).await.map_err(refused)?;
    let rows = rows.execute_stream().await.map_err(refused)?;
    let schema = plain_schema(&rows.schema());
    let typed = schema.clone();
    let batches = rows
        .map_err(failed)
        .and_then(move |batch| std::future::ready(plain_batch(&batch, &typed)));
    Ok(Answer {
        schema,
        batches: batches.boxed(),
    })
}

/// A session that answers the same each time: in one partition.
pub(crate) fn session() -> SessionContext {
    session_in(Arc::default())
}

/// As [`session`], with this memory and these folders to work in.
pub(crate) fn session_in(runtime: Arc<RuntimeEnv>) -> SessionContext {
    let config = SessionConfig::new()
        .with_target_partitions(1)
        .with_information_schema(false);
    let config = config.set_bool("datafusion.execution.parquet.schema_force_view_types", false);
    let config = config.set_bool("datafusion.sql_parser.map_string_types_to_utf8view", false);
    SessionContext::new_with_config_rt(config, runtime)
}

/// Registers every name; gives them for messages.
async fn register(
    context: &SessionContext,
    store: &Store,
    groups: &BTreeMap<GroupRef, FeatureGroup>,
    asks_quarantine: bool,
) -> Result<Vec<String>, StoreError> {
    let kept_out = Arc::new(MemorySchemaProvider::new());
    let mut names = Vec::new();
    // Versions ascend, so the newest has the bare name in the end.
    for (reference, group) in groups {
        let provider = |visible| -> Result<Arc<dyn TableProvider>, StoreError> {
            Ok(Arc::new(GroupTable::new(store, group, PinAt::Newest, visible)?))
        };
        let counting = provider(Visible::Counting)?;
        let all = [
            (reference.to_string(), counting.clone()),
            (format!("{reference}$all"), provider(Visible::All)?),
            (reference.name.to_string(), counting),
        ];
        let periods = match group.history {
            Some(History::Scd2) => Some((format!("{reference}$history"), provider(Visible::Periods)?)),
            None => None,
        };
        for (name, table) in all.into_iter().chain(periods) {
            let table_reference = datafusion::common::TableReference::bare(name.clone());
            context
                .deregister_table(table_reference.clone())
                .map_err(plan_error("a table could not be named"))?;
            context
                .register_table(table_reference, table)
                .map_err(plan_error("a table could not be named"))?;
            names.push(name);
        }
        if asks_quarantine {
            let table = quarantine::kept_out(context, store, group).await?;
            for name in [reference.to_string(), reference.name.to_string()] {
                let failed = "a table could not be named";
                kept_out.deregister_table(&name).map_err(plan_error(failed))?;
                kept_out
                    .register_table(name, table.clone())
                    .map_err(plan_error(failed))?;
            }
        }
    }
    context.register_udtf(
        "at",
        Arc::new(at::At {
            store: store.clone(),
            groups: groups.clone(),
        }),
    );
    if let Some(catalog) = context.catalog("datafusion") {
        catalog
            .register_schema("quarantine", kept_out)
            .map_err(plan_error("a schema could not be named"))?;
    }
    names.dedup();
    Ok(names)
}

/// What is wrong with a query, with the table or column that was meant.
pub(crate) fn explain(error: DataFusionError, names: &[String]) -> StoreError {
    if let DataFusionError::External(_) = &error {
        return failed(error);
    }
    let message = plain_message(&error);
    let missing = message.split("table '").nth(1).and_then(|rest| rest.split('\'').next());
    let hint = missing.map(|missing| {
        let bare = missing.rsplit('.').next().unwrap_or(missing);
        let near = nearest(bare, names.iter().map(String::as_str));
        match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => "there are no tables yet: platform apply".to_owned(),
            None => format!("tables: {}", names.join(", ")),
        }
    });
    StoreError::Query {
        message: format!("the query is wrong: {message}"),
        hint,
    }
}

/// What went wrong while a query was answered: the values that it was asked about, or else the platform.
pub(crate) fn failed(error: DataFusionError) -> StoreError {
    match error.find_root() {
        DataFusionError::ArrowError(_, _) | DataFusionError::Execution(_) => StoreError::Query {
            message: format!("the query failed: {}", plain_message(&error)),
            hint: None,
        },
        _ => plan_error("the query failed")(error),
    }
}

/// An error's text without what only a reader of the query engine's source would understand.
pub(crate) fn plain_message(error: &DataFusionError) -> String {
    let text = error.strip_backtrace().replace("datafusion.public.", "");
    let text = text.split("This issue was likely caused by").next().unwrap_or(&text);
    let text = text.split("No function matches the given name").next().unwrap_or(text);
    let mut text = text.trim().trim_end_matches('.');
    for prefix in [
        "Error during planning: ",
        "Execution error: ",
        "Arrow error: ",
        "Internal error: ",
        "Schema error: ",
        "SQL error: ",
    ] {
        text = text.strip_prefix(prefix).unwrap_or(text);
    }
    text.to_owned()
}

/// View and dictionary types become the types that other programs know.
pub(crate) fn plain_schema(schema: &SchemaRef) -> SchemaRef {
    let plain = |field: &Arc<Field>| field.as_ref().clone().with_data_type(plain_type(field.data_type()));
    Arc::new(Schema::new(schema.fields().iter().map(plain).collect::<Vec<_>>()))
}

fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::Dictionary(_, values) => plain_type(values),
        other => other.clone(),
    }
}

fn plain_batch(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, StoreError> {
    let typed = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(array, field)| -> Result<ArrayRef, StoreError> {
            if array.data_type() == field.data_type() {
                Ok(array.clone())
            } else {
                Ok(cast(array, field.data_type())?)
            }
        });
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        schema.clone(),
        typed.collect::<Result<_, _>>()?,
        &options,
    )?)
}
