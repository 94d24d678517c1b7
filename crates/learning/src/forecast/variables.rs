//! Columns as variables: numbers, or codes of categories.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType as Arrow, Float64Type, Int32Type, TimestampMicrosecondType};

use crate::LearningError;

/// Categories of rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Codes {
    /// The category of each row: its place among `names` plus one; 0: missing.
    pub of_rows: Vec<u32>,
    /// The categories, in the order in which they came.
    pub names: Vec<String>,
}

/// What a variable holds, row by row.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Numbers; NaN: missing.
    Numbers(Vec<f32>),
    /// Categories.
    Codes(Codes),
}

/// A variable.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub values: Values,
}

/// Variables by what is known of them when; within each, numbers come first, then categories.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Variables {
    /// A row an entity.
    pub fixed: Vec<Variable>,
    /// Known in advance, a row a step.
    pub known: Vec<Variable>,
    /// Known up to now, the targets first, a row a step.
    pub observed: Vec<Variable>,
}

impl Variable {
    /// Whether it holds categories.
    #[must_use]
    pub fn is_categorical(&self) -> bool {
        matches!(self.values, Values::Codes(_))
    }

    /// From a column over several arrays. `is_categorical`: its values are categories, whatever their type.
    ///
    /// # Errors
    /// `Column` for a type that is no number, truth value, text or time.
    pub(super) fn new(name: &str, arrays: &[ArrayRef], is_categorical: bool) -> Result<Self, LearningError> {
        let is_text = |array: &ArrayRef| matches!(array.data_type(), Arrow::Utf8 | Arrow::LargeUtf8 | Arrow::Utf8View);
        let values = if is_categorical
            || arrays
                .iter()
                .any(|array| is_text(array) || *array.data_type() == Arrow::Boolean)
        {
            Values::Codes(codes(arrays)?)
        } else {
            let mut all = Vec::new();
            for array in arrays {
                all.extend(numbers(name, array)?);
            }
            Values::Numbers(all)
        };
        let name = name.to_owned();
        Ok(Self { name, values })
    }

    /// The rows at these places; `None`: missing.
    #[must_use]
    pub(super) fn at(&self, places: &[Option<usize>]) -> Self {
        let number = |values: &[f32], place: Option<usize>| place.and_then(|at| values.get(at)).copied();
        let code = |values: &[u32], place: Option<usize>| place.and_then(|at| values.get(at)).copied();
        let values = match &self.values {
            Values::Numbers(values) => Values::Numbers(
                places
                    .iter()
                    .map(|at| number(values, *at).unwrap_or(f32::NAN))
                    .collect(),
            ),
            Values::Codes(codes) => Values::Codes(Codes {
                of_rows: places
                    .iter()
                    .map(|at| code(&codes.of_rows, *at).unwrap_or_default())
                    .collect(),
                names: codes.names.clone(),
            }),
        };
        Self {
            name: self.name.clone(),
            values,
        }
    }

    /// Whether a row has a value.
    #[must_use]
    pub fn is_known(&self, row: usize) -> bool {
        match &self.values {
            Values::Numbers(values) => values.get(row).is_some_and(|value| value.is_finite()),
            Values::Codes(codes) => codes.of_rows.get(row).is_some_and(|code| *code > 0),
        }
    }

    /// The number of a row; NaN where it is missing or a category.
    #[must_use]
    pub fn number(&self, row: usize) -> f32 {
        match &self.values {
            Values::Numbers(values) => values.get(row).copied().unwrap_or(f32::NAN),
            Values::Codes(_) => f32::NAN,
        }
    }

    /// Whether two rows hold the same.
    pub(super) fn is_same(&self, one: usize, other: usize) -> bool {
        match &self.values {
            Values::Numbers(values) => values.get(one) == values.get(other),
            Values::Codes(codes) => codes.of_rows.get(one) == codes.of_rows.get(other),
        }
    }
}

/// Numbers as they are; dates and times as days since 1970.
fn numbers(name: &str, array: &ArrayRef) -> Result<Vec<f32>, LearningError> {
    const MICROS_PER_DAY: f64 = 86_400e6;
    let floats = |array: &ArrayRef| -> Result<Vec<f32>, LearningError> {
        let floats = cast(array, &Arrow::Float64)?;
        let values = floats.as_primitive::<Float64Type>().iter();
        Ok(values
            .map(|value| value.map_or(f32::NAN, |value| value as f32))
            .collect())
    };
    match array.data_type() {
        number if number.is_numeric() => floats(array),
        Arrow::Null => Ok(vec![f32::NAN; array.len()]),
        Arrow::Date32 => {
            let days = cast(array, &Arrow::Int32)?;
            let values = days.as_primitive::<Int32Type>().iter();
            Ok(values
                .map(|value| value.map_or(f32::NAN, |value| value as f32))
                .collect())
        }
        Arrow::Timestamp(_, zone) => {
            let to = Arrow::Timestamp(arrow::datatypes::TimeUnit::Microsecond, zone.clone());
            let times = cast(array, &to)?;
            let values = times.as_primitive::<TimestampMicrosecondType>().iter();
            let days = |micros: i64| (micros as f64 / MICROS_PER_DAY) as f32;
            Ok(values.map(|value| value.map_or(f32::NAN, days)).collect())
        }
        other => Err(LearningError::Column {
            column: name.to_owned(),
            wanted: "bool, numbers, text, date or timestamp",
            found: other.to_string(),
        }),
    }
}

fn codes(arrays: &[ArrayRef]) -> Result<Codes, LearningError> {
    let mut codes = Codes::default();
    let mut known: HashMap<String, u32> = HashMap::new();
    for array in arrays {
        let texts = cast(array, &Arrow::Utf8)?;
        for text in texts.as_string::<i32>() {
            let Some(text) = text else {
                codes.of_rows.push(0);
                continue;
            };
            let code = match known.get(text) {
                Some(code) => *code,
                None => {
                    codes.names.push(text.to_owned());
                    let code = codes.names.len() as u32;
                    known.insert(text.to_owned(), code);
                    code
                }
            };
            codes.of_rows.push(code);
        }
    }
    Ok(codes)
}
