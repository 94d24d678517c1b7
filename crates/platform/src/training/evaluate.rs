//! How good a model is, part by part: on all rows, on slices, beside baselines and registered rivals.

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use evaluation::{
    Evaluation, Metric, PartInput, Quantile, Slice, Task, Truth, evaluate_part, metrics_to_measure, slice_by_numbers,
    slice_by_texts,
};
use feature_store::split::Part;
use learning::{Model, Target};

use super::parts::Ready;
use super::{Lesson, baselines};
use crate::failure::Outcome;

/// What is measured, and how.
pub struct Measured<'a> {
    /// What was trained.
    pub lesson: &'a Lesson<'a>,
    /// What kind of answer the model gives.
    pub task: Task,
    /// The quantile it predicts.
    pub quantile: Option<Quantile>,
    /// Its label.
    pub target: &'a Target,
}

/// Measures a model on validation and test; on train where there is neither.
pub fn evaluate(measured: &Measured<'_>, model: &dyn Model, parts: &[Ready]) -> Outcome<Evaluation> {
    let (lesson, task) = (measured.lesson, measured.task);
    let metrics = metrics_to_measure(
        task,
        measured.quantile,
        &lesson.pipeline.evaluate,
        &lesson.pipeline.gate,
    )?;
    let forecasts = baselines::forecasts(lesson, task, measured.target, parts)?;
    let only_train = parts.iter().all(|part| part.part == Part::Train);
    let mut evaluations = Vec::new();
    for (part, mut rivals) in parts.iter().zip(forecasts) {
        if part.part == Part::Train && !only_train {
            continue;
        }
        for rival in lesson.rivals {
            rivals.push(rival.forecast(part, measured.target)?);
        }
        let truth = truth_of(measured.target, &part.labels);
        let slices = slices(lesson, part)?;
        let predictions = predictions_of(model, part, truth.outputs())?;
        let input = PartInput {
            part: part.part.name(),
            truth,
            predictions: &predictions,
            slices: &slices,
            rivals: &rivals,
        };
        evaluations.push(evaluate_part(&metrics, &input)?);
    }
    Ok(Evaluation {
        task,
        metrics: metrics.into_iter().collect::<Vec<Metric>>(),
        parts: evaluations,
    })
}

/// The labels, as what they are.
pub fn truth_of<'a>(target: &'a Target, labels: &'a [f64]) -> Truth<'a> {
    match target.classes().unwrap_or_default() {
        [] => Truth::numbers(labels),
        classes => Truth::of_classes(classes, labels),
    }
}

/// What a model says of a part, output by output.
pub fn predictions_of(model: &dyn Model, part: &Ready, outputs: usize) -> Outcome<Vec<Vec<f64>>> {
    if part.labels.is_empty() {
        return Ok(vec![Vec::new(); outputs]);
    }
    Ok(model.predict(&part.matrix)?)
}

fn slices(lesson: &Lesson<'_>, part: &Ready) -> Outcome<Vec<Slice>> {
    let mut slices = Vec::new();
    for name in &lesson.pipeline.evaluate.slices {
        let Some(column) = part.other(name.as_str())? else {
            continue;
        };
        let error = learning::LearningError::from;
        if column.data_type().is_numeric() {
            let numbers = cast(&column, &DataType::Float64).map_err(error)?;
            let values: Vec<Option<f64>> = numbers.as_primitive::<Float64Type>().iter().collect();
            slices.extend(slice_by_numbers(name.as_str(), &values));
        } else {
            let texts = cast(&column, &DataType::Utf8).map_err(error)?;
            let values: Vec<Option<String>> = texts
                .as_string::<i32>()
                .iter()
                .map(|text| text.map(str::to_owned))
                .collect();
            slices.extend(slice_by_texts(name.as_str(), &values));
        }
    }
    Ok(slices)
}
