//! The Arrow schema of a group's table, and the total order of its rows.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use definitions::FeatureGroup;

use super::{INGEST_ID, KNOWN_AT, ROW_NUMBER};
use crate::StoreError;

/// The Arrow type in which a declared type is stored.
#[must_use]
pub fn arrow_type(declared: definitions::DataType) -> DataType {
    match declared {
        definitions::DataType::Bool => DataType::Boolean,
        definitions::DataType::Int32 => DataType::Int32,
        definitions::DataType::Int64 => DataType::Int64,
        definitions::DataType::Float32 => DataType::Float32,
        definitions::DataType::Float64 => DataType::Float64,
        definitions::DataType::Utf8 => DataType::Utf8,
        definitions::DataType::Date => DataType::Date32,
        definitions::DataType::Timestamp => utc_micros(),
    }
}

pub(crate) fn utc_micros() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The declared columns of a group, as they are stored: the key and the event time are never NULL.
///
/// # Errors
/// `NoType` for a feature without a type.
pub fn group_schema(group: &FeatureGroup) -> Result<SchemaRef, StoreError> {
    Ok(Arc::new(Schema::new(declared_fields(group)?)))
}

/// All columns of a group's table: the declared ones, then the hidden ones.
pub(crate) fn stored_schema(group: &FeatureGroup) -> Result<SchemaRef, StoreError> {
    let mut fields = declared_fields(group)?;
    fields.extend(hidden_fields());
    Ok(Arc::new(Schema::new(fields)))
}

/// The three hidden columns, in their order.
pub(crate) fn hidden_fields() -> [Field; 3] {
    [
        Field::new(KNOWN_AT, utc_micros(), false),
        Field::new(INGEST_ID, DataType::Int64, false),
        Field::new(ROW_NUMBER, DataType::Int64, false),
    ]
}

fn declared_fields(group: &FeatureGroup) -> Result<Vec<Field>, StoreError> {
    if let Some(feature) = group.features.iter().find(|feature| feature.data_type.is_none()) {
        return Err(StoreError::NoType {
            group: group.reference(),
            column: feature.name.to_string(),
        });
    }
    let required = |name: &str| {
        group.entity.iter().any(|column| column.name.as_str() == name)
            || group.event_time.as_ref().is_some_and(|time| time.as_str() == name)
    };
    let field = |(name, declared): (definitions::ColumnName, definitions::DataType)| {
        Field::new(name.as_str(), arrow_type(declared), !required(name.as_str()))
    };
    Ok(group.stored_columns().into_iter().map(field).collect())
}

/// The columns of the total order: the key, the event time, the declared `known_at`, and the hidden columns; ascending, NULLs first.
pub(crate) fn order_columns(group: &FeatureGroup) -> Vec<String> {
    let mut columns: Vec<String> = group.entity.iter().map(|column| column.name.to_string()).collect();
    columns.extend(
        [&group.event_time, &group.known_at]
            .into_iter()
            .flatten()
            .map(ToString::to_string),
    );
    columns.extend([KNOWN_AT, INGEST_ID, ROW_NUMBER].map(str::to_owned));
    columns
}
