//! The type of what a function gives, from the types of what it reads.

use super::{Aggregate, CalendarPart, Derivation, Filling};
use crate::{ColumnName, DataType};

/// A column of a type that a function cannot read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The column.
    pub column: ColumnName,
    /// What the function reads.
    pub wanted: &'static str,
    /// The column's type.
    pub found: DataType,
}

const NUMBERS_OR_BOOL: &str = "a column of numbers or bools";
const NUMBERS_OR_TIMES: &str = "a column of numbers, bools, dates or times";
const TEXT: &str = "a column of text";

/// The type of a feature; `None` where the type of a column that it reads is not known.
///
/// # Errors
/// A column that the function cannot read.
pub fn output_type(
    how: &Derivation,
    type_of: impl Fn(&ColumnName) -> Option<DataType>,
) -> Result<Option<DataType>, Misfit> {
    let mut first = None;
    for column in how.inputs() {
        let Some(found) = type_of(column) else {
            return Ok(None);
        };
        let wanted = wanted(how, column);
        let is_counted = found.is_number() || found == DataType::Bool;
        let fits = match wanted {
            Some(NUMBERS_OR_BOOL) => is_counted,
            Some(NUMBERS_OR_TIMES) => is_counted || matches!(found, DataType::Date | DataType::Timestamp),
            Some(_) => found == DataType::Utf8,
            None => true,
        };
        if let (false, Some(wanted)) = (fits, wanted) {
            return Err(Misfit {
                column: column.clone(),
                wanted,
                found,
            });
        }
        first = first.or(Some(found));
    }
    Ok(Some(given(how, first.unwrap_or(DataType::Float64))))
}

/// What a function can read in a column; `None`: anything.
fn wanted(how: &Derivation, column: &ColumnName) -> Option<&'static str> {
    match how {
        Derivation::Window { aggregate, .. } | Derivation::Lead { aggregate, .. } => match aggregate {
            Aggregate::First | Aggregate::Last | Aggregate::Count | Aggregate::Nunique => None,
            Aggregate::Min | Aggregate::Max => Some(NUMBERS_OR_TIMES),
            _ => Some(NUMBERS_OR_BOOL),
        },
        Derivation::Difference { .. }
        | Derivation::Ratio { .. }
        | Derivation::Interaction { .. }
        | Derivation::Zscore { .. }
        | Derivation::Bucket { .. }
        | Derivation::Fill {
            fill: Filling::Number(_),
            ..
        } => Some(NUMBERS_OR_BOOL),
        Derivation::Fill {
            fill: Filling::Text(_), ..
        } => Some(TEXT),
        Derivation::TargetEncoding { label, .. } if column == label => Some(NUMBERS_OR_BOOL),
        _ => None,
    }
}

fn given(how: &Derivation, of: DataType) -> DataType {
    match how {
        Derivation::Window { aggregate, .. } | Derivation::Lead { aggregate, .. } => match aggregate {
            Aggregate::Min | Aggregate::Max | Aggregate::First | Aggregate::Last => of,
            Aggregate::Count | Aggregate::Nunique => DataType::Int64,
            _ => DataType::Float64,
        },
        Derivation::Value { .. } | Derivation::Lag { .. } | Derivation::Fill { .. } => of,
        Derivation::Calendar { part } => match part {
            CalendarPart::Hour | CalendarPart::Weekday | CalendarPart::Month => DataType::Int64,
            CalendarPart::IsWeekend => DataType::Bool,
            _ => DataType::Float64,
        },
        Derivation::Bucket { .. } | Derivation::Hash { .. } => DataType::Int64,
        Derivation::Difference { .. }
        | Derivation::Ratio { .. }
        | Derivation::Interaction { .. }
        | Derivation::Zscore { .. }
        | Derivation::TargetEncoding { .. } => DataType::Float64,
    }
}
