//! Making a group's table, once, with the properties that keep every version readable.

use std::collections::HashMap;
use std::path::Path;

use arrow::datatypes::Schema;
use definitions::{FeatureGroup, GroupRef};
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::{StructField, StructType};
use deltalake::protocol::SaveMode;
use deltalake::{DeltaTable, DeltaTableError};

use super::{Store, open_table, stored_schema, table_in};
use crate::StoreError;
use crate::error::{delta_error, file_error};

/// What keeps old versions: no commit of any engine cleans the log, and no vacuum takes files, unless it is ours.
const RETENTION: [(&str, &str); 3] = [
    ("delta.enableExpiredLogCleanup", "false"),
    ("delta.logRetentionDuration", "interval 36500 days"),
    ("delta.deletedFileRetentionDuration", "interval 36500 days"),
];

/// Makes the table of a group that has been applied. Harmless where it exists, also when two processes make it at once; a table
/// that lost its retention properties gets them back.
///
/// # Errors
/// `TableShape` when there is a table that does not fit the definition; `NoType` for a feature without a type.
pub async fn create_table(store: &Store, group: &FeatureGroup) -> Result<(), StoreError> {
    let reference = group.reference();
    let folder = store.group_folder(&reference);
    let schema = stored_schema(group)?;
    let table = create_with(store, &folder, &reference, &schema).await?;
    let stored: Schema = table_schema(&table, &reference)?;
    check_shape(&reference, &stored, &schema)?;
    if wanted_retention(&table, &reference).is_err() {
        let properties: HashMap<String, String> =
            RETENTION.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        table
            .set_tbl_properties()
            .with_properties(properties)
            .await
            .map_err(delta_error(&reference, "given its properties"))?;
    }
    Ok(())
}

/// The table in a folder; made there if there is none. It is made aside and moved into place, so it is seen whole or not at all.
pub(crate) async fn create_with(
    store: &Store,
    folder: &Path,
    group: &GroupRef,
    schema: &Schema,
) -> Result<DeltaTable, StoreError> {
    if let Some(table) = open_table(folder, group, None).await? {
        return Ok(table);
    }
    let aside = store.root.join("staging").join(uuid::Uuid::new_v4().to_string());
    std::fs::create_dir_all(&aside).map_err(file_error(&aside))?;
    if let Some(parent) = folder.parent() {
        std::fs::create_dir_all(parent).map_err(file_error(parent))?;
    }
    create_aside(&aside, group, schema).await?;
    let moved = std::fs::rename(&aside, folder);
    if let Some(table) = open_table(folder, group, None).await? {
        if moved.is_err() {
            std::fs::remove_dir_all(&aside).map_err(file_error(&aside))?;
        }
        return Ok(table);
    }
    moved.map_err(file_error(folder))?;
    Err(StoreError::NoTable { group: group.clone() })
}

async fn create_aside(folder: &Path, group: &GroupRef, schema: &Schema) -> Result<(), StoreError> {
    let failed = |error: DeltaTableError| delta_error(group, "created")(error);
    let fields: StructType = schema.try_into_kernel()?;
    let columns: Vec<StructField> = fields.fields().cloned().collect();
    let table = table_in(folder, group)?.build().map_err(failed)?;
    table
        .create()
        .with_table_name(group.to_string())
        .with_columns(columns)
        .with_configuration(RETENTION.map(|(key, value)| (key.to_owned(), Some(value.to_owned()))))
        .with_save_mode(SaveMode::ErrorIfExists)
        .await
        .map_err(failed)?;
    Ok(())
}

/// The table's columns as Arrow sees them.
pub(crate) fn table_schema(table: &DeltaTable, group: &GroupRef) -> Result<Schema, StoreError> {
    let state = table.snapshot().map_err(delta_error(group, "read"))?;
    Ok(state.snapshot().arrow_schema().as_ref().clone())
}

/// The declared columns must be there with their types. Further columns, which another program may have added, must be nullable.
fn check_shape(group: &GroupRef, stored: &Schema, wanted: &Schema) -> Result<(), StoreError> {
    let shape = |found: String, wanted: String| {
        Err(StoreError::TableShape {
            group: group.clone(),
            found,
            wanted,
        })
    };
    for field in wanted.fields() {
        let wanted = format!("`{}` {}", field.name(), field.data_type());
        match stored.field_with_name(field.name()) {
            Err(_) => return shape(format!("no column `{}`", field.name()), wanted),
            Ok(there) if plain_type(there.data_type()) != *field.data_type() => {
                return shape(format!("`{}` {}", there.name(), there.data_type()), wanted);
            }
            Ok(_) => {}
        }
    }
    let added = stored
        .fields()
        .iter()
        .find(|field| !field.is_nullable() && wanted.field_with_name(field.name()).is_err());
    match added {
        Some(field) => shape(
            format!("a column `{}` that is never NULL", field.name()),
            "only declared columns".to_owned(),
        ),
        None => Ok(()),
    }
}

fn plain_type(data_type: &arrow::datatypes::DataType) -> arrow::datatypes::DataType {
    match data_type {
        arrow::datatypes::DataType::Utf8View | arrow::datatypes::DataType::LargeUtf8 => {
            arrow::datatypes::DataType::Utf8
        }
        other => other.clone(),
    }
}

/// That the table still has the properties that keep pinned versions readable.
pub(crate) fn wanted_retention(table: &DeltaTable, group: &GroupRef) -> Result<(), StoreError> {
    let state = table.snapshot().map_err(delta_error(group, "read"))?;
    let configuration = state.metadata().configuration();
    for (property, wanted) in RETENTION {
        let found = configuration.get(property).map_or("not set", String::as_str);
        if found != wanted {
            return Err(StoreError::Retention {
                group: group.clone(),
                property,
                found: found.to_owned(),
                wanted,
            });
        }
    }
    Ok(())
}
