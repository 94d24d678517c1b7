//! Training on each fold of a split that walks forward: **the same pipeline, learned anew on each fold's train, measured on its parts.**
//!
//! The last fold is the dataset's own parts: its model is the one that is kept, gated and registered. The folds before say how much the scores move
//! as time goes on. They are measured without slices and rivals, and nothing else of them is kept.

use evaluation::{PartInput, Score, evaluate_part, score_of};
use feature_store::split::{Fold, Part};
use learning::{IterationReport, Model};
use serde::Serialize;

use super::{Asked, Fitted, Lesson, fit, parts};
use crate::failure::Outcome;

/// What was measured on one part of one fold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FoldScores {
    /// The fold, from 1.
    pub fold: u32,
    /// The part.
    pub part: String,
    /// Rows learned from.
    pub train_rows: usize,
    /// The iteration that was kept.
    pub best_iteration: usize,
    /// Rows measured on.
    pub rows: u64,
    /// The scores.
    pub scores: Vec<Score>,
}

/// A metric over all folds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FoldMean {
    /// The part.
    pub part: String,
    /// The metric.
    pub metric: String,
    /// Folds in which it is defined.
    pub folds: usize,
    /// Its mean over them.
    pub mean: f64,
    /// Its standard deviation (n - 1) over them; `None`: of one fold.
    pub std: Option<f64>,
}

/// Every fold, and their means.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FoldsReport {
    /// The folds in time order, part by part.
    pub folds: Vec<FoldScores>,
    /// The means, part by part.
    pub means: Vec<FoldMean>,
}

/// Trains on every fold before the last. Empty where the split has no folds.
pub fn train_earlier(
    lesson: &Lesson<'_>,
    asked: &Asked<'_>,
    watch: &mut dyn FnMut(&IterationReport),
) -> Outcome<Vec<FoldScores>> {
    let folds = lesson.manifest.certificate.folds();
    let mut measured = Vec::new();
    for fold in folds.iter().take(folds.len().saturating_sub(1)) {
        let rows = parts::load(lesson, &asked.label, &asked.inputs, Some(fold))?;
        let fitted = fit(lesson, asked, &rows, watch)?;
        measured.extend(measure(lesson, asked, fold, &rows, &fitted)?);
    }
    Ok(measured)
}

fn measure(
    lesson: &Lesson<'_>,
    asked: &Asked<'_>,
    fold: &Fold,
    rows: &[parts::PartRows],
    fitted: &Fitted,
) -> Outcome<Vec<FoldScores>> {
    let (evaluate, gate) = (&lesson.pipeline.evaluate, &lesson.pipeline.gate);
    let metrics = evaluation::metrics_to_measure(fitted.task, fitted.quantile(), evaluate, gate)?;
    let model: &dyn Model = fitted.model.as_ref();
    let mut measured = Vec::new();
    for part in rows.iter().filter(|rows| rows.part != Part::Train) {
        let ready = part.ready(&fitted.preprocessing, &fitted.target, &asked.schema)?;
        let truth = super::evaluate::truth_of(&fitted.target, &ready.labels);
        let predictions = super::evaluate::predictions_of(model, &ready, truth.outputs())?;
        let input = PartInput {
            part: part.part.name(),
            truth,
            predictions: &predictions,
            slices: &[],
            rivals: &[],
        };
        let evaluated = evaluate_part(&metrics, &input)?;
        measured.push(FoldScores {
            fold: fold.number,
            part: evaluated.part,
            train_rows: fitted.train_rows,
            best_iteration: model.best_iteration(),
            rows: evaluated.rows,
            scores: evaluated.model,
        });
    }
    Ok(measured)
}

/// The folds before the last, the last, and the means of all; `None` where the split has no folds.
pub fn report(
    lesson: &Lesson<'_>,
    earlier: Vec<FoldScores>,
    fitted: &Fitted,
    last: &evaluation::Evaluation,
) -> Option<FoldsReport> {
    let number = lesson.manifest.certificate.folds().last()?.number;
    let of_last = last.parts.iter().map(|part| FoldScores {
        fold: number,
        part: part.part.clone(),
        train_rows: fitted.train_rows,
        best_iteration: fitted.model.best_iteration(),
        rows: part.rows,
        scores: part.model.clone(),
    });
    let folds: Vec<FoldScores> = earlier.into_iter().chain(of_last).collect();
    let mut means = Vec::new();
    for part in [Part::Validation, Part::Test] {
        for metric in &last.metrics {
            let of_part = folds.iter().filter(|fold| fold.part == part.name());
            let values = of_part.filter_map(|fold| score_of(&fold.scores, *metric)?.value);
            means.extend(mean(part, metric.to_string(), &values.collect::<Vec<f64>>()));
        }
    }
    Some(FoldsReport { folds, means })
}

fn mean(part: Part, metric: String, values: &[f64]) -> Option<FoldMean> {
    let count = values.len() as f64;
    let sum = |values: &mut dyn Iterator<Item = f64>| values.collect::<evaluation::Sum>().value();
    let mean = sum(&mut values.iter().copied()) / count;
    let squares = sum(&mut values.iter().map(|value| (value - mean).powi(2)));
    (!values.is_empty()).then(|| FoldMean {
        part: part.name().to_owned(),
        metric,
        folds: values.len(),
        mean,
        std: (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may")]

    use super::*;

    #[test]
    fn mean_and_deviation_are_over_the_folds_that_have_the_metric() {
        let of = mean(Part::Test, "mae".to_owned(), &[1.0, 2.0, 6.0]).unwrap();
        assert_eq!((of.folds, of.mean, of.std), (3, 3.0, Some(7.0_f64.sqrt())));
        assert_eq!(mean(Part::Test, "mae".to_owned(), &[1.5]).unwrap().std, None);
        assert_eq!(mean(Part::Test, "mae".to_owned(), &[]), None);
    }
}
