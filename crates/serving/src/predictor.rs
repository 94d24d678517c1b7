//! From rows to predictions: check the columns, prepare them as training did, ask the model, name what it says.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema, SchemaRef};
use learning::{LearningError, Model, Preprocessing, Signature, arrow_type};

use crate::{ServingError, class_outputs};

/// The text files of a model that say how to ask it.
#[derive(Debug, Clone, Copy)]
pub struct ModelFiles<'a> {
    /// The content of `signature.json`.
    pub signature: &'a [u8],
    /// The content of `preprocessing.json`.
    pub preprocessing: &'a [u8],
}

/// A model with everything it takes to ask it.
pub struct Predictor {
    signature: Signature,
    preprocessing: Preprocessing,
    model: Box<dyn Model>,
}

impl std::fmt::Debug for Predictor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Predictor")
            .field("signature", &self.signature)
            .finish_non_exhaustive()
    }
}

impl Predictor {
    /// Reads the files, and loads the model by the loader that its learner brings.
    ///
    /// # Errors
    /// Files that cannot be read or do not belong together; whatever the loader says.
    pub fn load(
        files: ModelFiles<'_>,
        load_model: impl FnOnce(&Signature) -> Result<Box<dyn Model>, LearningError>,
    ) -> Result<Self, ServingError> {
        let signature: Signature = serde_json::from_slice(files.signature).map_err(|source| ServingError::File {
            file: "signature.json",
            source,
        })?;
        let preprocessing: Preprocessing =
            serde_json::from_slice(files.preprocessing).map_err(|source| ServingError::File {
                file: "preprocessing.json",
                source,
            })?;
        let model = load_model(&signature)?;
        Self::new(signature, preprocessing, model)
    }

    /// A model with what it takes to ask it.
    ///
    /// # Errors
    /// A preparation of other columns than the signature's inputs; outputs that do not fit the signature's classes.
    pub fn new(
        signature: Signature,
        preprocessing: Preprocessing,
        model: Box<dyn Model>,
    ) -> Result<Self, ServingError> {
        let inputs: Vec<&str> = signature.inputs.iter().map(|input| input.name.as_str()).collect();
        let prepared: Vec<&str> = preprocessing
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        same("inputs", &inputs, &prepared)?;
        let outputs: Vec<&str> = signature.outputs.iter().map(|output| output.name.as_str()).collect();
        match &signature.classes {
            Some(classes) => {
                let wanted = class_outputs(&signature.target, classes);
                same(
                    "outputs",
                    &wanted.iter().map(|output| output.name.as_str()).collect::<Vec<_>>(),
                    &outputs,
                )?;
            }
            None if outputs.len() == 1 => {}
            None => return Err(mismatch("outputs", "one number".to_owned(), list(&outputs))),
        }
        Ok(Self {
            signature,
            preprocessing,
            model,
        })
    }

    /// What the model takes and gives.
    #[must_use]
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The model itself.
    #[must_use]
    pub fn model(&self) -> &dyn Model {
        self.model.as_ref()
    }

    /// The columns that rows may hold, and their types: keys, event time, inputs. For readers of files without types.
    #[must_use]
    pub fn input_schema(&self) -> SchemaRef {
        let typed = |input: &learning::Input| Field::new(&input.name, arrow_type(input.data_type), true);
        let mut fields: Vec<Field> = self.signature.keys.iter().map(typed).collect();
        let time = arrow_type(definitions::DataType::Timestamp);
        fields.extend(
            self.signature
                .event_time
                .iter()
                .map(|name| Field::new(name, time.clone(), true)),
        );
        for input in &self.signature.inputs {
            if !fields.iter().any(|field| field.name() == &input.name) {
                fields.push(typed(input));
            }
        }
        Arc::new(Schema::new(fields))
    }

    /// The columns of the predictions for rows of these columns: those of the keys and of the event time that are there, then the
    /// model's outputs.
    ///
    /// # Errors
    /// A key column that has the name of an output.
    pub fn output_schema(&self, rows: &Schema) -> Result<SchemaRef, ServingError> {
        let mut fields: Vec<Field> = self
            .carried()
            .filter_map(|name| rows.field_with_name(name).ok().cloned())
            .collect();
        for output in &self.signature.outputs {
            if fields.iter().any(|field| field.name() == &output.name) {
                return Err(ServingError::Clash {
                    column: output.name.clone(),
                });
            }
            fields.push(Field::new(&output.name, arrow_type(output.data_type), true));
        }
        Ok(Arc::new(Schema::new(fields)))
    }

    /// The columns that say what a row is about.
    fn carried(&self) -> impl Iterator<Item = &String> {
        self.signature
            .keys
            .iter()
            .map(|key| &key.name)
            .chain(&self.signature.event_time)
    }

    /// Predicts: a batch for each batch, a row for each row, in their order. Columns that the model does not know are left out.
    ///
    /// # Errors
    /// Inputs that are missing or of a type that does not fit, each by name; a model that fails.
    pub fn predict(&self, batches: &[RecordBatch]) -> Result<Vec<RecordBatch>, ServingError> {
        batches.iter().map(|batch| self.predict_batch(batch)).collect()
    }

    fn predict_batch(&self, batch: &RecordBatch) -> Result<RecordBatch, ServingError> {
        let inputs = self.signature.conform(batch)?;
        let schema = self.output_schema(&batch.schema())?;
        let predictions = if batch.num_rows() == 0 {
            vec![Vec::new(); self.model_outputs()]
        } else {
            let matrix = self
                .preprocessing
                .apply(std::slice::from_ref(&inputs), &inputs.schema())?;
            self.model.predict(&matrix)?
        };
        self.check(&predictions, batch.num_rows())?;
        let mut columns: Vec<ArrayRef> = self
            .carried()
            .filter_map(|name| batch.column_by_name(name).cloned())
            .collect();
        columns.extend(self.named(predictions));
        Ok(RecordBatch::try_new(schema, columns)?)
    }

    /// Vectors that the model gives: one, or a probability for each of more than two classes.
    fn model_outputs(&self) -> usize {
        self.signature
            .classes
            .as_ref()
            .map_or(1, |classes| if classes.len() > 2 { classes.len() } else { 1 })
    }

    fn check(&self, predictions: &[Vec<f64>], rows: usize) -> Result<(), ServingError> {
        let wanted = vec![rows; self.model_outputs()];
        let found: Vec<usize> = predictions.iter().map(Vec::len).collect();
        if wanted == found {
            return Ok(());
        }
        Err(mismatch(
            "predictions",
            format!("rows by output {wanted:?}"),
            format!("{found:?}"),
        ))
    }

    fn named(&self, predictions: Vec<Vec<f64>>) -> Vec<ArrayRef> {
        let Some(classes) = &self.signature.classes else {
            return predictions.into_iter().map(floats).collect();
        };
        let probabilities = match <[Vec<f64>; 1]>::try_from(predictions) {
            Ok([second]) => vec![second.iter().map(|probability| 1.0 - probability).collect(), second],
            Err(of_each) => of_each,
        };
        let mut columns = vec![most_probable(classes, &probabilities)];
        columns.extend(probabilities.into_iter().map(floats));
        columns
    }
}

fn floats(values: Vec<f64>) -> ArrayRef {
    Arc::new(Float64Array::from(values))
}

/// The class with the highest probability, the first of equally probable ones; NULL where nothing is a probability. As in evaluation.
fn most_probable(classes: &[String], probabilities: &[Vec<f64>]) -> ArrayRef {
    let rows = probabilities.first().map_or(0, Vec::len);
    let best = |row: usize| {
        let mut best: Option<(&String, f64)> = None;
        for (class, of_rows) in classes.iter().zip(probabilities) {
            let probability = of_rows.get(row).copied().filter(|probability| !probability.is_nan());
            if probability.is_some_and(|probability| best.is_none_or(|(_, highest)| probability > highest)) {
                best = probability.map(|probability| (class, probability));
            }
        }
        best.map(|(class, _)| class.as_str())
    };
    Arc::new((0..rows).map(best).collect::<StringArray>())
}

fn mismatch(of: &'static str, wanted: String, found: String) -> ServingError {
    ServingError::Mismatch { of, wanted, found }
}

fn same(of: &'static str, wanted: &[&str], found: &[&str]) -> Result<(), ServingError> {
    if wanted == found {
        Ok(())
    } else {
        Err(mismatch(of, list(wanted), list(found)))
    }
}

fn list(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
