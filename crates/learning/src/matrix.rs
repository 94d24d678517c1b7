//! A table of numbers: record batches of model inputs, after preprocessing.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};

use crate::LearningError;

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
    /// `Column` for a column that is not of numbers, or when a batch has another schema.
    pub fn new(schema: SchemaRef, batches: Vec<RecordBatch>, categorical: Vec<bool>) -> Result<Self, LearningError> {
        for field in schema.fields() {
            let is_number = field.data_type().is_numeric() || *field.data_type() == DataType::Boolean;
            if !is_number {
                let found = field.data_type().to_string();
                return Err(LearningError::Column { column: field.name().clone(), wanted: "numbers", found });
            }
        }
        let types = |schema: &SchemaRef| -> Vec<DataType> {
            schema.fields().iter().map(|field| field.data_type().clone()).collect()
        };
        let odd = batches.iter().find(|batch| types(&batch.schema()) != types(&schema));
        match odd {
            Some(batch) => Err(LearningError::Column {
                column: schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>().join(", "),
                wanted: "the same types in every batch",
                found: batch.schema().to_string(),
            }),
            None => Ok(Self { schema, batches, categorical }),
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
        self.categorical.iter().enumerate().filter(|(_, is)| **is).map(|(at, _)| at).collect()
    }
}
