//! What a model takes and gives: kept as `signature.json`, checked before every prediction.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType as Arrow, Field, Schema, TimeUnit};
use definitions::{DataType, Duration};
use serde::{Deserialize, Serialize};

use crate::LearningError;

/// A column that a model takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub data_type: DataType,
    /// Whether its values are categories.
    pub categorical: bool,
}

/// A column that a model gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub data_type: DataType,
    /// What it says.
    pub description: String,
}

/// How a model forecasts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForecastSignature {
    /// What it forecasts.
    pub targets: Vec<String>,
    /// What never changes for an entity.
    #[serde(rename = "static")]
    pub static_columns: Vec<String>,
    /// What is known in advance: wanted for every step ahead.
    pub known_future: Vec<String>,
    /// What is known up to now, beside the targets.
    pub observed: Vec<String>,
    /// Steps looked back.
    pub context: u32,
    /// Steps looked ahead.
    pub horizon: u32,
    /// The length of a step.
    pub frequency: Duration,
    /// The quantiles that it gives, ascending; empty: one number.
    pub quantiles: Vec<f64>,
}

impl ForecastSignature {
    /// The columns of a target's forecasts, in the order of the quantiles.
    #[must_use]
    pub fn outputs(&self, target: &str) -> Vec<String> {
        if self.quantiles.is_empty() {
            return vec![target.to_owned()];
        }
        self.quantiles
            .iter()
            .map(|quantile| format!("{target}_q{quantile}"))
            .collect()
    }
}

/// What a model takes and gives. Inputs are in the order in which the model takes them; all may be NULL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signature {
    /// What it takes.
    pub inputs: Vec<Input>,
    /// What it gives.
    pub outputs: Vec<Output>,
    /// The label that it learned.
    pub target: String,
    /// The objective that it learned by, as the learner calls it.
    pub objective: String,
    /// The classes, in the order of their probabilities; `None`: it gives numbers.
    pub classes: Option<Vec<String>>,
    /// The columns that say what a row is about; carried along where they are present.
    pub keys: Vec<Input>,
    /// The column that says when.
    pub event_time: Option<String>,
    /// How it forecasts; `None`: it predicts rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<ForecastSignature>,
}

impl Signature {
    /// The inputs alone, in order and of the right types.
    ///
    /// # Errors
    /// `Input`, naming every input that is missing or of a type that does not fit.
    pub fn conform(&self, batch: &RecordBatch) -> Result<RecordBatch, LearningError> {
        let mut problems = Vec::new();
        let mut columns = Vec::new();
        for input in &self.inputs {
            match fitted(batch, input) {
                Ok(array) => columns.push(array),
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(LearningError::Input { problems });
        }
        let fields = self
            .inputs
            .iter()
            .map(|input| Field::new(&input.name, arrow_type(input.data_type), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
    }
}

fn fitted(batch: &RecordBatch, input: &Input) -> Result<ArrayRef, String> {
    let name = &input.name;
    let Some(array) = batch.column_by_name(name) else {
        return Err(format!("`{name}` is missing: wanted {}", input.data_type.word()));
    };
    let wanted = arrow_type(input.data_type);
    if *array.data_type() == wanted {
        return Ok(array.clone());
    }
    if array.null_count() == array.len() || is_lossless(array.data_type(), &wanted) {
        return cast(array, &wanted).map_err(|error| format!("`{name}`: {error}"));
    }
    Err(format!(
        "`{name}`: wanted {}, found {}",
        input.data_type.word(),
        found(array.data_type())
    ))
}

fn found(data_type: &Arrow) -> String {
    data_type_of(data_type).map_or_else(|| data_type.to_string(), |known| known.word().to_owned())
}

/// Whether every value of one type is a value of the other.
fn is_lossless(from: &Arrow, to: &Arrow) -> bool {
    use Arrow::{
        Date32, Date64, Dictionary, Float32, Float64, Int8, Int16, Int32, Int64, LargeUtf8, UInt8, UInt16, UInt32,
        Utf8, Utf8View,
    };
    match (from, to) {
        (Dictionary(_, values), to) => **values == *to || is_lossless(values, to),
        (Int8 | Int16 | UInt8 | UInt16, Int32 | Int64 | Float32 | Float64)
        | (Int32 | UInt32, Int64 | Float64)
        | (Float32, Float64)
        | (LargeUtf8 | Utf8View, Utf8)
        | (Date64, Date32) => true,
        (Arrow::Timestamp(unit, Some(_)), Arrow::Timestamp(_, _)) => *unit != TimeUnit::Nanosecond,
        _ => false,
    }
}

/// The Arrow type in which a declared type is stored.
#[must_use]
pub fn arrow_type(data_type: DataType) -> Arrow {
    match data_type {
        DataType::Bool => Arrow::Boolean,
        DataType::Int32 => Arrow::Int32,
        DataType::Int64 => Arrow::Int64,
        DataType::Float32 => Arrow::Float32,
        DataType::Float64 => Arrow::Float64,
        DataType::Utf8 => Arrow::Utf8,
        DataType::Date => Arrow::Date32,
        DataType::Timestamp => Arrow::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    }
}

/// The declared type that is stored so; `None`: no declared type is.
#[must_use]
pub fn data_type_of(stored: &Arrow) -> Option<DataType> {
    let is_stored_so = |data_type: &DataType| match (arrow_type(*data_type), stored) {
        (Arrow::Timestamp(_, _), Arrow::Timestamp(_, _)) => true,
        (wanted, found) => wanted == *found,
    };
    DataType::ALL.into_iter().find(is_stored_so)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may")]
    use arrow::array::{Float64Array, Int32Array, StringArray};

    use super::*;

    fn signature() -> Signature {
        let input = |name: &str, data_type| Input {
            name: name.to_owned(),
            data_type,
            categorical: false,
        };
        Signature {
            inputs: vec![input("cpu", DataType::Float64), input("kind", DataType::Utf8)],
            outputs: Vec::new(),
            target: "y".to_owned(),
            objective: "regression".to_owned(),
            classes: None,
            keys: Vec::new(),
            event_time: None,
            forecast: None,
        }
    }

    #[test]
    fn inputs_are_put_in_order_and_widened_without_loss() {
        let columns: [(&str, ArrayRef); 3] = [
            ("extra", Arc::new(Int32Array::from(vec![0]))),
            ("kind", Arc::new(StringArray::from(vec!["a"]))),
            ("cpu", Arc::new(Int32Array::from(vec![3]))),
        ];
        let conformed = signature()
            .conform(&RecordBatch::try_from_iter(columns).unwrap())
            .unwrap();
        assert_eq!(conformed.schema().fields().len(), 2);
        assert_eq!(conformed.column(0).as_ref(), &Float64Array::from(vec![3.0]));
    }

    #[test]
    fn every_input_that_does_not_fit_is_named() {
        let columns: [(&str, ArrayRef); 1] = [("cpu", Arc::new(StringArray::from(vec!["3"])))];
        let error = signature()
            .conform(&RecordBatch::try_from_iter(columns).unwrap())
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the input does not fit the model: `cpu`: wanted float64, found utf8; `kind` is missing: wanted utf8"
        );
    }
}
