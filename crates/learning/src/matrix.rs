//! A table of numbers: record batches of model inputs, after preprocessing.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};

use crate::LearningError;

/// What columns a matrix takes, in words.
pub(crate) const NUMBERS: &str = "whole numbers or floats of 32 or 64 bits";

/// Whether learners can read it where it lies: whole numbers of any width, and floats of 32 and 64 bits; neither half floats nor decimals.
pub(crate) fn is_number(data_type: &DataType) -> bool {
    data_type.is_integer() || matches!(data_type, DataType::Float32 | DataType::Float64)
}

/// Whether it holds text, in any of Arrow's ways.
pub(crate) fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// Model inputs: rows × features, as record batches of bool, integer and float columns. Nothing is copied to make one.
#[derive(Debug, Clone)]
pub struct Matrix {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    categorical: Vec<bool>,
}

impl Matrix {
    /// A matrix of these batches; `categorical` says of each column whether its numbers are codes of categories.
    ///
    /// # Errors
    /// `Column` for a column that is not of numbers of at most 64 bits, when a batch has another schema, or when it is not said of
    /// every column whether it is categorical.
    pub fn new(schema: SchemaRef, batches: Vec<RecordBatch>, categorical: Vec<bool>) -> Result<Self, LearningError> {
        for field in schema.fields() {
            if !is_number(field.data_type()) && *field.data_type() != DataType::Boolean {
                let found = field.data_type().to_string();
                return Err(LearningError::Column {
                    column: field.name().clone(),
                    wanted: NUMBERS,
                    found,
                });
            }
        }
        if categorical.len() != schema.fields().len() {
            return Err(LearningError::Column {
                column: schema
                    .fields()
                    .iter()
                    .map(|field| field.name().as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
                wanted: "a word on each whether it is categorical",
                found: categorical.len().to_string(),
            });
        }
        let same = |batch: &RecordBatch| {
            let fields = batch.schema_ref().fields();
            let pairs = || fields.iter().zip(schema.fields());
            fields.len() == schema.fields().len()
                && pairs().all(|(one, other)| one.data_type() == other.data_type() && one.name() == other.name())
        };
        let odd = batches.iter().find(|batch| !same(batch));
        match odd {
            Some(batch) => Err(LearningError::Column {
                column: schema
                    .fields()
                    .iter()
                    .map(|field| field.name().as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
                wanted: "the same columns in every batch",
                found: batch.schema().to_string(),
            }),
            None => Ok(Self {
                schema,
                batches,
                categorical,
            }),
        }
    }
    /// The columns' names and types.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }
    /// The batches, in row order.
    #[must_use]
    pub fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }
    /// Rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
    /// The names of the features, in order.
    #[must_use]
    pub fn feature_names(&self) -> Vec<String> {
        self.schema.fields().iter().map(|field| field.name().clone()).collect()
    }
    /// The positions of the columns whose numbers are codes of categories.
    #[must_use]
    pub fn categorical(&self) -> Vec<usize> {
        self.categorical
            .iter()
            .enumerate()
            .filter(|(_, is)| **is)
            .map(|(at, _)| at)
            .collect()
    }
}
