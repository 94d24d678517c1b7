//! From a dataset's columns to numbers: fitted on the training part alone, kept as `preprocessing.json`.
//!
//! | column | becomes |
//! |---|---|
//! | number | itself, untouched and not copied |
//! | bool | int32, 0 or 1 |
//! | text, or a number declared categorical | int32, its place among the sorted values of the training part |
//! | date | float64, days since 1970-01-01 |
//! | timestamp | float64, seconds since 1970-01-01T00:00:00Z |
//!
//! NULL stays NULL; a category that training never saw becomes NULL.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int32Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType as Arrow, Field, Int64Type, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType};
use serde::{Deserialize, Serialize};

use crate::matrix::{NUMBERS, is_number, is_text};
use crate::{LearningError, Matrix};

/// How one column becomes numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Encoding {
    /// As it is.
    Number,
    /// 0 or 1.
    Flag,
    /// Days since 1970-01-01.
    Days,
    /// Seconds since 1970-01-01T00:00:00Z.
    Seconds,
    /// The place among these texts.
    Texts {
        /// The training part's values, sorted by their bytes.
        values: Vec<String>,
    },
    /// The place among these whole numbers.
    Codes {
        /// The training part's values, ascending.
        values: Vec<i64>,
    },
}

/// One column and how it becomes numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnPreparation {
    /// The column.
    pub name: String,
    /// How.
    pub encoding: Encoding,
}

impl ColumnPreparation {
    /// Whether the numbers are codes of categories.
    #[must_use]
    pub fn is_categorical(&self) -> bool {
        matches!(self.encoding, Encoding::Texts { .. } | Encoding::Codes { .. })
    }
}

/// How every input column becomes numbers, in the order of the model's inputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preprocessing {
    /// The columns.
    pub columns: Vec<ColumnPreparation>,
}

impl Preprocessing {
    /// Learns the categories from the training part. `columns`: name, and whether its numbers are categories.
    ///
    /// # Errors
    /// A column that is missing or of a type that cannot be learned from; a float declared categorical.
    pub fn fit(train: &[RecordBatch], schema: &Schema, columns: &[(String, bool)]) -> Result<Self, LearningError> {
        let prepared = columns.iter().map(|(name, categorical)| {
            let data_type = schema.field_with_name(name)?.data_type();
            let encoding = match (data_type, categorical) {
                (Arrow::Boolean, _) => Encoding::Flag,
                (text, _) if is_text(text) => Encoding::Texts {
                    values: distinct_texts(train, name)?,
                },
                (number, true) if number.is_integer() => Encoding::Codes {
                    values: distinct_numbers(train, name)?,
                },
                (number, true) => return Err(unusable(name, "whole numbers or text for categories", number)),
                (Arrow::Date32, _) => Encoding::Days,
                (Arrow::Timestamp(_, _), _) => Encoding::Seconds,
                (number, false) if is_number(number) => Encoding::Number,
                (other, false) => return Err(unusable(name, "bool, numbers, text, date or timestamp", other)),
            };
            Ok(ColumnPreparation {
                name: name.clone(),
                encoding,
            })
        });
        Ok(Self {
            columns: prepared.collect::<Result<_, _>>()?,
        })
    }

    /// Turns batches into numbers, column by column, in the order of the inputs. Other columns are left out.
    ///
    /// # Errors
    /// A column that is missing or of another type than the one that was fitted.
    pub fn apply(&self, batches: &[RecordBatch], schema: &Schema) -> Result<Matrix, LearningError> {
        let encoders: Vec<Encoder<'_>> = self.columns.iter().map(Encoder::new).collect();
        let fields = self.columns.iter().map(|column| {
            let found = schema.field_with_name(&column.name)?.data_type();
            Ok(Field::new(&column.name, encoded_type(&column.encoding, found), true))
        });
        let encoded: SchemaRef = Arc::new(Schema::new(fields.collect::<Result<Vec<_>, LearningError>>()?));
        let mut matrix = Vec::with_capacity(batches.len());
        for batch in batches {
            let arrays = encoders
                .iter()
                .map(|encoder| encoder.encode(column(batch, &encoder.column.name)?));
            matrix.push(RecordBatch::try_new(
                encoded.clone(),
                arrays.collect::<Result<_, _>>()?,
            )?);
        }
        Matrix::new(
            encoded,
            matrix,
            self.columns.iter().map(ColumnPreparation::is_categorical).collect(),
        )
    }
}

/// The texts of a column; those that are plain already are not copied.
fn plain_texts(name: &str, array: &ArrayRef) -> Result<ArrayRef, LearningError> {
    if is_text(array.data_type()) {
        Ok(cast(array, &Arrow::Utf8)?)
    } else {
        Err(unusable(name, "text", array.data_type()))
    }
}

fn unusable(name: &str, wanted: &'static str, found: &Arrow) -> LearningError {
    LearningError::Column {
        column: name.to_owned(),
        wanted,
        found: found.to_string(),
    }
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, LearningError> {
    let missing = || LearningError::Input {
        problems: vec![format!("`{name}` is missing")],
    };
    batch.column_by_name(name).ok_or_else(missing)
}

fn distinct_texts(train: &[RecordBatch], name: &str) -> Result<Vec<String>, LearningError> {
    let mut values = BTreeSet::new();
    for batch in train {
        let array = plain_texts(name, column(batch, name)?)?;
        for text in array.as_string::<i32>().iter().flatten() {
            if !values.contains(text) {
                values.insert(text.to_owned());
            }
        }
    }
    Ok(values.into_iter().collect())
}

fn distinct_numbers(train: &[RecordBatch], name: &str) -> Result<Vec<i64>, LearningError> {
    let mut values = BTreeSet::new();
    for batch in train {
        let array = cast(column(batch, name)?, &Arrow::Int64)?;
        values.extend(array.as_primitive::<Int64Type>().iter().flatten());
    }
    Ok(values.into_iter().collect())
}

fn encoded_type(encoding: &Encoding, found: &Arrow) -> Arrow {
    match encoding {
        Encoding::Number => found.clone(),
        Encoding::Flag | Encoding::Texts { .. } | Encoding::Codes { .. } => Arrow::Int32,
        Encoding::Days | Encoding::Seconds => Arrow::Float64,
    }
}

/// A column's encoding with its values indexed.
struct Encoder<'a> {
    column: &'a ColumnPreparation,
    texts: HashMap<&'a str, i32>,
    codes: HashMap<i64, i32>,
}

impl<'a> Encoder<'a> {
    fn new(column: &'a ColumnPreparation) -> Self {
        let (mut texts, mut codes) = (HashMap::new(), HashMap::new());
        match &column.encoding {
            Encoding::Texts { values } => texts.extend(values.iter().map(String::as_str).zip(0..)),
            Encoding::Codes { values } => codes.extend(values.iter().copied().zip(0..)),
            Encoding::Number | Encoding::Flag | Encoding::Days | Encoding::Seconds => {}
        }
        Self { column, texts, codes }
    }

    fn encode(&self, array: &ArrayRef) -> Result<ArrayRef, LearningError> {
        let name = &self.column.name;
        Ok(match &self.column.encoding {
            Encoding::Number if is_number(array.data_type()) => array.clone(),
            Encoding::Number => return Err(unusable(name, NUMBERS, array.data_type())),
            Encoding::Flag => cast(array, &Arrow::Int32)?,
            Encoding::Days => cast(&cast(array, &Arrow::Int32)?, &Arrow::Float64)?,
            Encoding::Seconds => {
                let micros = cast(array, &Arrow::Timestamp(TimeUnit::Microsecond, Some("UTC".into())))?;
                let micros = micros.as_primitive::<TimestampMicrosecondType>();
                let seconds: Float64Array = micros.unary(|micros| micros as f64 / 1e6);
                Arc::new(seconds)
            }
            Encoding::Texts { .. } => {
                let array = plain_texts(name, array)?;
                let codes: Int32Array = array
                    .as_string::<i32>()
                    .iter()
                    .map(|text| self.texts.get(text?).copied())
                    .collect();
                Arc::new(codes)
            }
            Encoding::Codes { .. } => {
                let array = cast(array, &Arrow::Int64)?;
                let array = array.as_primitive::<Int64Type>();
                let codes: Int32Array = array.iter().map(|number| self.codes.get(&number?).copied()).collect();
                Arc::new(codes)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may")]
    use arrow::array::{BooleanArray, Float32Array, Int64Array, StringArray};

    use super::*;

    fn batch(region: Vec<Option<&str>>, code: Vec<i64>) -> RecordBatch {
        let rows = code.len();
        let columns: [(&str, ArrayRef); 4] = [
            ("region", Arc::new(StringArray::from(region))),
            ("code", Arc::new(Int64Array::from(code))),
            ("load", Arc::new(Float32Array::from(vec![0.5; rows]))),
            ("spot", Arc::new(BooleanArray::from(vec![true; rows]))),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn wanted() -> Vec<(String, bool)> {
        [("region", true), ("code", true), ("load", false), ("spot", false)]
            .map(|(n, c)| (n.to_owned(), c))
            .to_vec()
    }

    #[test]
    fn categories_are_places_among_sorted_training_values_and_unseen_ones_are_null() {
        let train = batch(vec![Some("west"), Some("east"), None], vec![-7, 900, -7]);
        let fitted = Preprocessing::fit(std::slice::from_ref(&train), &train.schema(), &wanted()).unwrap();
        let test = batch(vec![Some("north"), Some("west"), None], vec![900, 1, -7]);
        let matrix = fitted.apply(std::slice::from_ref(&test), &test.schema()).unwrap();
        let encoded = &matrix.batches()[0];
        let regions: &Int32Array = encoded.column(0).as_primitive();
        let codes: &Int32Array = encoded.column(1).as_primitive();
        assert_eq!(regions.iter().collect::<Vec<_>>(), [None, Some(1), None]);
        assert_eq!(codes.iter().collect::<Vec<_>>(), [Some(1), None, Some(0)]);
        assert_eq!(matrix.categorical(), [0, 1]);
    }

    #[test]
    fn number_column_is_shared_not_copied() {
        let train = batch(vec![None], vec![1]);
        let fitted = Preprocessing::fit(std::slice::from_ref(&train), &train.schema(), &wanted()).unwrap();
        let matrix = fitted.apply(std::slice::from_ref(&train), &train.schema()).unwrap();
        assert!(Arc::ptr_eq(train.column(2), matrix.batches()[0].column(2)));
    }

    #[test]
    fn fitted_preparation_survives_json() {
        let train = batch(vec![Some("a")], vec![1]);
        let fitted = Preprocessing::fit(std::slice::from_ref(&train), &train.schema(), &wanted()).unwrap();
        let text = serde_json::to_string(&fitted).unwrap();
        assert_eq!(serde_json::from_str::<Preprocessing>(&text).unwrap(), fitted);
    }
}
