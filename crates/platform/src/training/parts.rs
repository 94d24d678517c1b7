//! The rows of a dataset's parts, with a label: what is learned from, and what the model is measured on.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{filter_record_batch, take_record_batch};
use arrow::datatypes::{Field, Float32Type, Float64Type, Schema, SchemaRef};
use definitions::Role;
use feature_store::StoreError;
use feature_store::dataset::{Column, open_fold, open_part};
use feature_store::split::{Fold, Part};
use learning::{Labelled, Matrix, Preprocessing, Target, arrow_type};

use super::Lesson;
use crate::failure::{Failure, Outcome};

/// One part of the dataset, as read.
pub struct PartRows {
    /// Which.
    pub part: Part,
    /// The model's inputs.
    pub inputs: Vec<RecordBatch>,
    /// The label.
    pub labels: Vec<ArrayRef>,
    /// Keys, event time and the columns that slice: all that is neither.
    pub others: Vec<RecordBatch>,
}

/// The inputs' names and types.
pub fn input_schema(inputs: &[Column]) -> SchemaRef {
    let fields = inputs
        .iter()
        .map(|column| Field::new(&column.name, arrow_type(column.data_type), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Reads every part of the dataset, or of a fold of it; only the columns that are needed.
pub fn load(lesson: &Lesson<'_>, label: &Column, inputs: &[Column], fold: Option<&Fold>) -> Outcome<Vec<PartRows>> {
    let evaluate = &lesson.pipeline.evaluate;
    let needs_keys = !evaluate.baselines.is_empty() || beats_a_baseline(lesson);
    let is_other = |column: &&Column| {
        let is_key = matches!(column.role, Role::Key | Role::EventTime) && needs_keys;
        is_key || evaluate.slices.iter().any(|slice| slice.as_str() == column.name)
    };
    let others: Vec<&Column> = lesson.manifest.columns.iter().filter(is_other).collect();
    let mut wanted: Vec<String> = inputs
        .iter()
        .chain(others.iter().copied())
        .map(|column| column.name.clone())
        .collect();
    wanted.push(label.name.clone());
    wanted.sort();
    wanted.dedup();
    let rivals_need: Vec<String> = lesson
        .rivals
        .iter()
        .flat_map(|rival| rival.inputs_in(lesson.manifest))
        .collect();
    wanted.extend(
        rivals_need
            .iter()
            .filter(|name| !wanted.contains(name))
            .cloned()
            .collect::<Vec<_>>(),
    );
    let other_names: Vec<String> = others
        .iter()
        .map(|column| column.name.clone())
        .chain(rivals_need)
        .collect();
    let of_dataset = || lesson.manifest.parts.iter().map(|report| report.part).collect();
    let own: Vec<Part> = fold.map_or_else(of_dataset, |fold| fold.parts.iter().map(|part| part.part).collect());
    let mut parts = Vec::new();
    for part in own {
        let mut rows = PartRows {
            part,
            inputs: Vec::new(),
            labels: Vec::new(),
            others: Vec::new(),
        };
        let batches: Box<dyn Iterator<Item = Result<RecordBatch, StoreError>>> = match fold {
            Some(fold) => Box::new(open_fold(lesson.folder, lesson.manifest, fold, part, Some(&wanted))?),
            None => Box::new(open_part(lesson.folder, part, Some(&wanted))?),
        };
        for batch in batches {
            let batch = batch?;
            let column = batch.column_by_name(&label.name).cloned();
            rows.labels
                .push(column.ok_or_else(|| Failure::platform("the dataset has lost its label column"))?);
            rows.inputs
                .push(project(&batch, inputs.iter().map(|column| column.name.as_str()))?);
            rows.others
                .push(project(&batch, other_names.iter().map(String::as_str))?);
        }
        parts.push(rows);
    }
    Ok(parts)
}

fn beats_a_baseline(lesson: &Lesson<'_>) -> bool {
    lesson
        .pipeline
        .gate
        .beats
        .iter()
        .any(|rival| matches!(rival, definitions::Rival::Baseline(_)))
}

fn project<'a>(batch: &RecordBatch, names: impl Iterator<Item = &'a str>) -> Outcome<RecordBatch> {
    let schema = batch.schema();
    let mut places: Vec<usize> = Vec::new();
    for name in names {
        let place = schema.index_of(name).map_err(learning::LearningError::from)?;
        if !places.contains(&place) {
            places.push(place);
        }
    }
    Ok(batch.project(&places).map_err(learning::LearningError::from)?)
}

/// A part whose rows all have a label.
pub struct Ready {
    /// Which.
    pub part: Part,
    /// The inputs as numbers.
    pub matrix: Matrix,
    /// The labels.
    pub labels: Vec<f64>,
    /// The inputs as they stand in the dataset.
    pub inputs: Vec<RecordBatch>,
    /// Keys, event time and the columns that slice.
    pub others: Vec<RecordBatch>,
    /// Rows left out.
    pub left_out: LeftOut,
}

/// Rows of a part that nothing is learned from or measured on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeftOut {
    /// Their label is NULL.
    pub without_label: usize,
    /// Their label is a class that is not among the training labels: no model can name it.
    pub of_unknown_class: usize,
}

impl PartRows {
    /// Inputs and labels of the rows that have one.
    pub fn labelled(&self, preprocessing: &Preprocessing, target: &Target, schema: &Schema) -> Outcome<Labelled> {
        let (known, labels) = self.known(target)?;
        let inputs = keep(&self.inputs, &known)?;
        Ok(Labelled {
            matrix: preprocessing.apply(&inputs, schema)?,
            labels,
        })
    }

    /// The part as it is measured.
    pub fn ready(&self, preprocessing: &Preprocessing, target: &Target, schema: &Schema) -> Outcome<Ready> {
        let (known, labels) = self.known(target)?;
        let inputs = keep(&self.inputs, &known)?;
        let rows: usize = self.inputs.iter().map(RecordBatch::num_rows).sum();
        let without_label: usize = self.labels.iter().map(missing).sum();
        Ok(Ready {
            part: self.part,
            matrix: preprocessing.apply(&inputs, schema)?,
            left_out: LeftOut {
                without_label,
                of_unknown_class: rows.saturating_sub(labels.len() + without_label),
            },
            labels,
            inputs,
            others: keep(&self.others, &known)?,
        })
    }

    /// Which rows have a label, batch by batch, and the labels of those that do.
    fn known(&self, target: &Target) -> Outcome<(Vec<BooleanArray>, Vec<f64>)> {
        let (mut known, mut labels) = (Vec::new(), Vec::new());
        for array in &self.labels {
            let of_batch = target.apply(std::slice::from_ref(array))?;
            known.push(of_batch.iter().map(|label| Some(label.is_some())).collect());
            labels.extend(of_batch.into_iter().flatten());
        }
        Ok((known, labels))
    }
}

/// Labels that are no value; NaN is none.
fn missing(labels: &ArrayRef) -> usize {
    let floats = labels.as_primitive_opt::<Float64Type>().into_iter().flatten();
    let odd = floats.flatten().filter(|label| label.is_nan()).count();
    let single = labels.as_primitive_opt::<Float32Type>().into_iter().flatten();
    labels.null_count() + odd + single.flatten().filter(|label| label.is_nan()).count()
}

/// The rows that are known; a batch in which all are is not copied.
fn keep(batches: &[RecordBatch], known: &[BooleanArray]) -> Outcome<Vec<RecordBatch>> {
    let kept = batches.iter().zip(known).map(|(batch, known)| {
        if known.true_count() == known.len() {
            Ok(batch.clone())
        } else {
            filter_record_batch(batch, known)
        }
    });
    Ok(kept.collect::<Result<_, _>>().map_err(learning::LearningError::from)?)
}

impl Ready {
    /// At most so many rows, evenly spread over the part.
    pub fn spread(&self, most: usize) -> Outcome<Matrix> {
        let rows = self.matrix.rows();
        let step = rows.div_ceil(most.max(1)).max(1);
        let (mut batches, mut first) = (Vec::new(), 0);
        for batch in self.matrix.batches() {
            let length = batch.num_rows();
            let places = (first..first + length)
                .filter(|row| row.is_multiple_of(step))
                .map(|row| (row - first) as u64);
            let places = arrow::array::UInt64Array::from_iter_values(places);
            batches.push(take_record_batch(batch, &places).map_err(learning::LearningError::from)?);
            first += length;
        }
        let categorical = self.matrix.categorical();
        let is_categorical = (0..self.matrix.schema().fields().len())
            .map(|at| categorical.contains(&at))
            .collect();
        Ok(Matrix::new(self.matrix.schema().clone(), batches, is_categorical)?)
    }

    /// A column of the keys, event time or slices, over the whole part.
    pub fn other(&self, name: &str) -> Outcome<Option<ArrayRef>> {
        column_of(&self.others, name)
    }
}

/// A column over several batches; `None` where there are no rows or no such column.
pub fn column_of(batches: &[RecordBatch], name: &str) -> Outcome<Option<ArrayRef>> {
    let arrays: Vec<&dyn Array> = batches
        .iter()
        .filter_map(|batch| batch.column_by_name(name))
        .map(AsRef::as_ref)
        .collect();
    if arrays.is_empty() {
        return Ok(None);
    }
    Ok(Some(
        arrow::compute::concat(&arrays).map_err(learning::LearningError::from)?,
    ))
}
