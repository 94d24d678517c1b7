//! Training on each fold of a split that walks forward: **the same pipeline, learned anew on each fold's train, measured on its parts.**
//!
//! The last fold is the dataset's own parts: its model is the one that is kept, gated and registered. The folds before say how much the scores move
//! as time goes on. They are measured without slices and registered rivals, rows without baselines too, and nothing else of them is kept.

use definitions::Rival;
use evaluation::{Evaluation, Metric, PartInput, Score, evaluate_part, name_of, score_of};
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
    /// The scores of each baseline, where they are measured on folds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub baselines: Vec<BaselineScores>,
}

/// What was measured of a baseline on one part of one fold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BaselineScores {
    /// The baseline, as the pipeline writes it.
    pub baseline: String,
    /// The scores.
    pub scores: Vec<Score>,
}

/// A metric over all folds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FoldMean {
    /// The part.
    pub part: String,
    /// The baseline; `None`: the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
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
            baselines: Vec::new(),
        });
    }
    Ok(measured)
}

/// The folds before the last, the last, and the means of all; `None` where the split has no folds.
pub fn report(
    lesson: &Lesson<'_>,
    earlier: Vec<FoldScores>,
    fitted: &Fitted,
    last: &Evaluation,
) -> Option<FoldsReport> {
    let number = lesson.manifest.certificate.folds().last()?.number;
    let mut folds = earlier;
    folds.extend(last.parts.iter().map(|part| FoldScores {
        fold: number,
        part: part.part.clone(),
        train_rows: fitted.train_rows,
        best_iteration: fitted.model.best_iteration(),
        rows: part.rows,
        scores: part.model.clone(),
        baselines: Vec::new(),
    }));
    Some(with_means(folds, &last.metrics))
}

/// What was measured of forecasts on a fold, the baselines included.
pub fn of_forecasts(fold: &Fold, evaluated: &Evaluation, windows: usize, best_iteration: usize) -> Vec<FoldScores> {
    let part = |part: &evaluation::PartEvaluation| FoldScores {
        fold: fold.number,
        part: part.part.clone(),
        train_rows: windows,
        best_iteration,
        rows: part.rows,
        scores: part.model.clone(),
        baselines: part
            .rivals
            .iter()
            .filter(|rival| matches!(rival.rival, Rival::Baseline(_)))
            .map(|rival| BaselineScores {
                baseline: name_of(&rival.rival),
                scores: rival.scores.clone(),
            })
            .collect(),
    };
    evaluated.parts.iter().map(part).collect()
}

/// Folds, and the means over them: of the model, then of each baseline.
pub fn with_means(folds: Vec<FoldScores>, metrics: &[Metric]) -> FoldsReport {
    let mut subjects = vec![None];
    for scores in folds.iter().flat_map(|fold| &fold.baselines) {
        let name = Some(scores.baseline.clone());
        if !subjects.contains(&name) {
            subjects.push(name);
        }
    }
    let mut means = Vec::new();
    for part in [Part::Validation, Part::Test] {
        let of_part = || folds.iter().filter(|fold| fold.part == part.name());
        for subject in &subjects {
            for metric in metrics {
                let scores = of_part().filter_map(|fold| fold.of(subject.as_deref()));
                let values: Vec<f64> = scores.filter_map(|scores| score_of(scores, *metric)?.value).collect();
                means.extend(mean(&values).map(|(mean, std)| FoldMean {
                    part: part.name().to_owned(),
                    baseline: subject.clone(),
                    metric: metric.to_string(),
                    folds: values.len(),
                    mean,
                    std,
                }));
            }
        }
    }
    FoldsReport { folds, means }
}

impl FoldScores {
    /// The scores of a baseline; `None`: of the model.
    fn of(&self, baseline: Option<&str>) -> Option<&[Score]> {
        let Some(baseline) = baseline else {
            return Some(&self.scores);
        };
        let own = self.baselines.iter().find(|of| of.baseline == baseline);
        own.map(|own| own.scores.as_slice())
    }
}

/// The mean of some numbers, and their standard deviation (n - 1), where there are several.
fn mean(values: &[f64]) -> Option<(f64, Option<f64>)> {
    let count = values.len() as f64;
    let sum = |values: &mut dyn Iterator<Item = f64>| values.collect::<evaluation::Sum>().value();
    let mean = sum(&mut values.iter().copied()) / count;
    let squares = sum(&mut values.iter().map(|value| (value - mean).powi(2)));
    let std = (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt());
    (!values.is_empty()).then_some((mean, std))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may")]

    use super::*;

    #[test]
    fn mean_and_deviation_are_over_the_folds_that_have_the_metric() {
        assert_eq!(mean(&[1.0, 2.0, 6.0]), Some((3.0, Some(7.0_f64.sqrt()))));
        assert_eq!(mean(&[1.5]), Some((1.5, None)));
        assert_eq!(mean(&[]), None);
    }

    #[test]
    fn means_are_of_the_model_and_of_each_baseline() {
        let score = |value: f64| Score {
            metric: Metric::Mae,
            value: Some(value),
            note: None,
        };
        let fold = |fold: u32, model: f64, baseline: f64| FoldScores {
            fold,
            part: "test".to_owned(),
            train_rows: 1,
            best_iteration: 1,
            rows: 1,
            scores: vec![score(model)],
            baselines: vec![BaselineScores {
                baseline: "last_value".to_owned(),
                scores: vec![score(baseline)],
            }],
        };
        let report = with_means(vec![fold(1, 1.0, 5.0), fold(2, 3.0, 5.0)], &[Metric::Mae]);
        let means = report
            .means
            .iter()
            .map(|of| (of.baseline.as_deref(), of.folds, of.mean, of.std));
        assert_eq!(
            means.collect::<Vec<_>>(),
            [
                (None, 2, 2.0, Some(2.0_f64.sqrt())),
                (Some("last_value"), 2, 5.0, Some(0.0))
            ]
        );
    }
}
