//! Whether the SQL of a derived group gives the group's columns.

use arrow::datatypes::DataType;
use definitions::FeatureGroup;

use super::names_of;
use super::sql::sql_schema;
use crate::{StoreError, group_schema};

/// Checks that a derived group's SQL depends on the rows of its sources alone, and gives the group's columns.
///
/// # Errors
/// `Query` for SQL that is wrong, [`StoreError::Indeterminate`] for SQL whose answer may be another one next time, [`StoreError::Queried`]
/// where its columns are not the group's.
pub async fn check_query(group: &FeatureGroup, sources: &[FeatureGroup]) -> Result<(), StoreError> {
    let Some(sql) = group.derive.as_ref().and_then(|derive| derive.sql.as_ref()) else {
        return Ok(());
    };
    let mut tables = Vec::new();
    for source in sources {
        let schema = group_schema(source)?;
        tables.extend(names_of(source).map(|name| (name, schema.clone())));
    }
    let found = sql_schema(sql, &tables).await?;
    let wanted = group_schema(group)?;
    let wrong = |problem: String, hint: String| {
        Err(StoreError::Queried {
            group: group.reference(),
            problem,
            hint,
        })
    };
    for field in wanted.fields() {
        let name = field.name();
        match found.field_with_name(name) {
            Err(_) => {
                let columns: Vec<String> = found
                    .fields()
                    .iter()
                    .map(|field| format!("`{}`", field.name()))
                    .collect();
                let problem = format!("no column `{name}`: found {}", columns.join(", "));
                return wrong(problem, format!("select …, … as {name}"));
            }
            Ok(given) if !fits(given.data_type(), field.data_type()) => {
                let problem = format!(
                    "another type of `{name}`: wanted {}, found {}",
                    field.data_type(),
                    given.data_type()
                );
                return wrong(
                    problem,
                    format!("select …, arrow_cast({name}, '{}') as {name}", field.data_type()),
                );
            }
            Ok(_) => {}
        }
    }
    let extra = found
        .fields()
        .iter()
        .find(|field| wanted.field_with_name(field.name()).is_err());
    match extra {
        Some(field) => {
            let name = field.name();
            wrong(
                format!("a column `{name}` that the group does not declare"),
                format!("[[features]] name = \"{name}\", or leave it out of the query"),
            )
        }
        None => Ok(()),
    }
}

/// Whether values of a type are values of another, none of them changed.
fn fits(given: &DataType, wanted: &DataType) -> bool {
    given == wanted
        || matches!(
            (given, wanted),
            (DataType::Timestamp(..), DataType::Timestamp(..))
                | (DataType::Float32, DataType::Float64)
                | (
                    DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16,
                    DataType::Int32 | DataType::Int64
                )
                | (DataType::Int32 | DataType::UInt32 | DataType::UInt64, DataType::Int64)
        )
}
