//! Whether computations fit the columns they read, and which types their results have.

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, TimeUnit};
use definitions::Duration;

use super::{Aggregate, CalendarPart, Computation, Filling, Operand};
use crate::StoreError;

/// The results' types, for columns of these types.
///
/// # Errors
/// [`StoreError::Computation`] for the first that does not fit: a column that is not there, a type it cannot read, a number out of range.
pub fn types_of(computations: &[Computation], columns: &[DataType]) -> Result<Vec<DataType>, StoreError> {
    let mut computed = Vec::with_capacity(computations.len());
    for (at, computation) in computations.iter().enumerate() {
        let known = Known {
            at,
            name: computation.name(),
            columns,
            computed: &computed,
        };
        let found = known.type_of(computation)?;
        computed.push(found);
    }
    Ok(computed)
}

/// The types there are when a computation is looked at.
struct Known<'a> {
    at: usize,
    name: &'static str,
    columns: &'a [DataType],
    computed: &'a [DataType],
}

impl Known<'_> {
    fn type_of(&self, computation: &Computation) -> Result<DataType, StoreError> {
        match computation {
            Computation::Window { of, window, aggregate } => {
                self.positive(*window)?;
                self.aggregate(*of, *aggregate)
            }
            Computation::Lead { of, lead, aggregate } => {
                self.positive(*lead)?;
                self.aggregate(*of, *aggregate)
            }
            Computation::Lag { of, max_age, .. } => {
                self.positive(*max_age)?;
                self.column(*of).cloned()
            }
            Computation::Zscore { of, window } => {
                window.map(|window| self.positive(window)).transpose()?;
                self.number(self.column(*of)?)
            }
            Computation::Fill { of, with } => self.fill(*of, with),
            Computation::Difference { left, right }
            | Computation::Ratio { left, right }
            | Computation::Interaction { left, right } => {
                self.number(self.operand(*left)?)?;
                self.number(self.operand(*right)?)
            }
            Computation::Calendar { part } => Ok(calendar(*part)),
            Computation::Bucket { of, edges } => {
                self.number(self.operand(*of)?)?;
                let ascending = edges.windows(2).all(|pair| matches!(pair, [one, next] if one < next));
                match ascending && !edges.is_empty() && edges.iter().all(|edge| edge.is_finite()) {
                    true => Ok(DataType::Int64),
                    false => Err(self.unfit(format!("{edges:?}"), "ascending, finite edges, at least one")),
                }
            }
            Computation::Hash { of, bits } => {
                self.within(f64::from(*bits), 1.0, 31.0, "1 to 31 bits")?;
                for operand in of {
                    self.operand(*operand)?;
                }
                match of.is_empty() {
                    true => Err(self.unfit("no columns".to_owned(), "at least one column")),
                    false => Ok(DataType::Int64),
                }
            }
        }
    }

    fn aggregate(&self, of: usize, aggregate: Aggregate) -> Result<DataType, StoreError> {
        let column = self.column(of)?;
        match aggregate {
            Aggregate::Count | Aggregate::Nunique => Ok(DataType::Int64),
            Aggregate::First | Aggregate::Last => Ok(column.clone()),
            Aggregate::Min | Aggregate::Max if is_time(column) => Ok(column.clone()),
            Aggregate::Min | Aggregate::Max => self.number(column).map(|_| column.clone()),
            Aggregate::Quantile(q) => {
                self.within(q, 0.0, 1.0, "a quantile from 0 to 1")?;
                self.number(column)
            }
            Aggregate::Ewm(half_life) => {
                self.positive(half_life)?;
                self.number(column)
            }
            Aggregate::Mean
            | Aggregate::Sum
            | Aggregate::Std
            | Aggregate::Var
            | Aggregate::Median
            | Aggregate::Slope => self.number(column),
        }
    }

    fn fill(&self, of: usize, with: &Filling) -> Result<DataType, StoreError> {
        let column = self.column(of)?;
        match with {
            Filling::LastKnown { max_age } => self.positive(*max_age)?,
            Filling::Number(number) => {
                self.number(column)?;
                self.has_value(column, *number)?;
            }
            Filling::Text(_) if column == &DataType::Utf8 => {}
            Filling::Text(text) => return Err(self.unfit(format!("`{text}` for {column}"), "a value of its type")),
        }
        Ok(column.clone())
    }

    /// Refuses a number that a column of this type cannot hold.
    fn has_value(&self, column: &DataType, number: f64) -> Result<(), StoreError> {
        let there_and_back = |column: &DataType| -> Result<bool, StoreError> {
            let there = cast(&super::elementwise::number(number), column)?;
            let back = cast(&there, &DataType::Float64)?;
            Ok(back
                .as_primitive_opt::<Float64Type>()
                .is_some_and(|back| back.iter().eq([Some(number)])))
        };
        match column.is_floating() || there_and_back(column)? {
            true => Ok(()),
            false => Err(self.unfit(format!("{number} for {column}"), "a value of its type")),
        }
    }

    fn column(&self, at: usize) -> Result<&DataType, StoreError> {
        let missing = || {
            self.unfit(
                format!("column {at} of {}", self.columns.len()),
                "a column that is there",
            )
        };
        self.columns.get(at).ok_or_else(missing)
    }

    fn operand(&self, operand: Operand) -> Result<&DataType, StoreError> {
        match operand {
            Operand::Column(at) => self.column(at),
            Operand::Computed(at) => {
                let missing = || {
                    self.unfit(
                        format!("the result of computation {at}"),
                        "the result of an earlier one",
                    )
                };
                self.computed.get(at).ok_or_else(missing)
            }
        }
    }

    /// What is computed from numbers.
    fn number(&self, found: &DataType) -> Result<DataType, StoreError> {
        match found.is_integer() || matches!(found, DataType::Float32 | DataType::Float64 | DataType::Boolean) {
            true => Ok(DataType::Float64),
            false => Err(self.unfit(found.to_string(), "a number or a bool")),
        }
    }

    fn positive(&self, span: Duration) -> Result<(), StoreError> {
        match span > Duration::ZERO {
            true => Ok(()),
            false => Err(self.unfit(span.to_string(), "a span of more than no time")),
        }
    }

    fn within(&self, found: f64, least: f64, greatest: f64, wanted: &'static str) -> Result<(), StoreError> {
        match (least..=greatest).contains(&found) {
            true => Ok(()),
            false => Err(self.unfit(found.to_string(), wanted)),
        }
    }

    fn unfit(&self, found: String, wanted: &'static str) -> StoreError {
        StoreError::Computation {
            at: self.at,
            computation: self.name,
            found,
            wanted,
        }
    }
}

fn calendar(part: CalendarPart) -> DataType {
    match part {
        CalendarPart::Hour | CalendarPart::Weekday | CalendarPart::Month => DataType::Int64,
        CalendarPart::IsWeekend => DataType::Boolean,
        CalendarPart::HourSin
        | CalendarPart::HourCos
        | CalendarPart::WeekdaySin
        | CalendarPart::WeekdayCos
        | CalendarPart::MonthSin
        | CalendarPart::MonthCos => DataType::Float64,
    }
}

fn is_time(found: &DataType) -> bool {
    matches!(found, DataType::Date32 | DataType::Timestamp(TimeUnit::Microsecond, _))
}
