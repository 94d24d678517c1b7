//! Measuring one part of a dataset: the model on all rows, on each slice, and beside its rivals.

use definitions::Rival;
use serde::{Deserialize, Serialize};

use crate::{
    ConfusionMatrix, EvaluationError, MIN_GATED_ROWS, Metric, Score, Slice, SliceKey, Task, Truth, confusion, scores,
};

/// Everything that was measured of a model: kept as `metrics.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// What kind of answer the model gives.
    pub task: Task,
    /// What was measured, as the pipeline names it; the first decides who beats whom.
    pub metrics: Vec<Metric>,
    /// The parts of the dataset, in the order train, validation, test.
    pub parts: Vec<PartEvaluation>,
}

/// What was measured on one part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartEvaluation {
    /// `train`, `validation` or `test`.
    pub part: String,
    /// Rows with a label.
    pub rows: u64,
    /// The model, on all rows.
    pub model: Vec<Score>,
    /// The model's classes, right and wrong; `None` for numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confusion: Option<ConfusionMatrix>,
    /// The model, slice by slice.
    pub slices: Vec<SliceEvaluation>,
    /// What it is compared with.
    pub rivals: Vec<RivalEvaluation>,
    /// Forecasts in full: everybody's, by target and step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<crate::ForecastEvaluation>,
}

/// What was measured on one slice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SliceEvaluation {
    /// What the rows have in common.
    #[serde(flatten)]
    pub key: SliceKey,
    /// Rows.
    pub rows: u64,
    /// Whether gates look at it: it has enough rows.
    pub gated: bool,
    /// The model, on these rows.
    pub model: Vec<Score>,
}

/// What was measured of a rival, and of the model on the same rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RivalEvaluation {
    /// The baseline, or the alias of a registered model.
    pub rival: Rival,
    /// The model version the alias points to; `None` for a baseline, and where the alias does not exist yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_version: Option<String>,
    /// Whether there was a rival at all: an alias may not exist yet.
    pub present: bool,
    /// Rows that the rival has a prediction for; the others are left out of both scores.
    pub rows: u64,
    /// The rival, on these rows.
    pub scores: Vec<Score>,
    /// The model, on the same rows.
    pub model: Vec<Score>,
}

/// A part that is to be measured.
#[derive(Debug, Clone, Copy)]
pub struct PartInput<'a> {
    /// Its name.
    pub part: &'a str,
    /// What was true.
    pub truth: Truth<'a>,
    /// What the model says: one vector of rows for each output.
    pub predictions: &'a [Vec<f64>],
    /// How its rows are divided.
    pub slices: &'a [Slice],
    /// What the model is compared with.
    pub rivals: &'a [RivalInput],
}

/// A rival and what it says.
#[derive(Debug, Clone, PartialEq)]
pub struct RivalInput {
    /// The baseline or alias.
    pub rival: Rival,
    /// The model version the alias points to.
    pub model_version: Option<String>,
    /// What it says, as the model does, a NaN where it says nothing; `None`: the alias does not exist yet.
    pub predictions: Option<Vec<Vec<f64>>>,
}

impl Evaluation {
    /// The part that gates look at: test, else validation, else train.
    #[must_use]
    pub fn gated_part(&self) -> Option<&PartEvaluation> {
        ["test", "validation", "train"].iter().find_map(|name| self.part(name))
    }
    /// The part of that name.
    #[must_use]
    pub fn part(&self, name: &str) -> Option<&PartEvaluation> {
        self.parts.iter().find(|part| part.part == name)
    }
}

/// The score of a metric among scores.
#[must_use]
pub fn score_of(scores: &[Score], metric: Metric) -> Option<&Score> {
    scores.iter().find(|score| score.metric == metric)
}

/// Measures a part.
///
/// # Errors
/// Predictions that are not as many as the rows and outputs, a label that is no class, a slice with rows that are not there, a metric
/// that does not fit.
pub fn evaluate_part(metrics: &[Metric], input: &PartInput<'_>) -> Result<PartEvaluation, EvaluationError> {
    let PartInput {
        part,
        truth,
        predictions,
        slices,
        rivals,
    } = *input;
    Ok(PartEvaluation {
        part: part.to_owned(),
        rows: truth.labels.len() as u64,
        model: scores(metrics, truth, predictions)?,
        confusion: confusion(truth, predictions)?,
        slices: slices
            .iter()
            .map(|slice| evaluate_slice(metrics, input, slice))
            .collect::<Result<_, _>>()?,
        rivals: rivals
            .iter()
            .map(|rival| evaluate_rival(metrics, input, rival))
            .collect::<Result<_, _>>()?,
        forecast: None,
    })
}

fn evaluate_slice(
    metrics: &[Metric],
    input: &PartInput<'_>,
    slice: &Slice,
) -> Result<SliceEvaluation, EvaluationError> {
    let rows = input.truth.labels.len();
    if let Some(found) = slice.rows.iter().copied().find(|row| *row >= rows) {
        return Err(EvaluationError::UnknownRow {
            slice: slice.key.to_string(),
            found,
            rows,
        });
    }
    let labels = take(input.truth.labels, &slice.rows);
    let predictions: Vec<Vec<f64>> = input
        .predictions
        .iter()
        .map(|output| take(output, &slice.rows))
        .collect();
    Ok(SliceEvaluation {
        key: slice.key.clone(),
        rows: slice.rows.len() as u64,
        gated: slice.rows.len() >= MIN_GATED_ROWS,
        model: scores(
            metrics,
            Truth {
                labels: &labels,
                ..input.truth
            },
            &predictions,
        )?,
    })
}

fn evaluate_rival(
    metrics: &[Metric],
    input: &PartInput<'_>,
    rival: &RivalInput,
) -> Result<RivalEvaluation, EvaluationError> {
    let RivalInput {
        rival,
        model_version,
        predictions,
    } = rival.clone();
    let Some(theirs) = predictions else {
        let nothing = Vec::new();
        return Ok(RivalEvaluation {
            rival,
            model_version,
            present: false,
            rows: 0,
            scores: nothing.clone(),
            model: nothing,
        });
    };
    input.truth.check(&name_of(&rival), &theirs)?;
    let says = |row: &usize| {
        theirs
            .iter()
            .all(|output| output.get(*row).is_some_and(|value| !value.is_nan()))
    };
    let rows: Vec<usize> = (0..input.truth.labels.len()).filter(says).collect();
    let labels = take(input.truth.labels, &rows);
    let truth = Truth {
        labels: &labels,
        ..input.truth
    };
    let over_rows = |outputs: &[Vec<f64>]| -> Result<Vec<Score>, EvaluationError> {
        let taken: Vec<Vec<f64>> = outputs.iter().map(|output| take(output, &rows)).collect();
        scores(metrics, truth, &taken)
    };
    let (scores, model) = (over_rows(&theirs)?, over_rows(input.predictions)?);
    Ok(RivalEvaluation {
        rival,
        model_version,
        present: true,
        rows: rows.len() as u64,
        scores,
        model,
    })
}

fn take(values: &[f64], rows: &[usize]) -> Vec<f64> {
    rows.iter().filter_map(|row| values.get(*row).copied()).collect()
}

/// How a rival is written in a pipeline.
#[must_use]
pub fn name_of(rival: &Rival) -> String {
    match rival {
        Rival::Baseline(baseline) => baseline.to_string(),
        Rival::Alias(alias) => alias.to_string(),
    }
}

/// A baseline's labels as predictions of a task: a number as it is; of several classes, all on the class it names, or `shares` where it
/// names none (not a whole number of a class).
#[must_use]
pub fn baseline_outputs(task: Task, values: Vec<f64>, shares: &[f64]) -> Vec<Vec<f64>> {
    if task != Task::Multiclass {
        return vec![values];
    }
    let names_a_class = |value: f64| (0..shares.len()).any(|class| class as f64 == value);
    let output = |(class, share): (usize, &f64)| {
        let probability = |value: &f64| {
            if names_a_class(*value) {
                f64::from(*value == class as f64)
            } else {
                *share
            }
        };
        values.iter().map(probability).collect()
    };
    shares.iter().enumerate().map(output).collect()
}
