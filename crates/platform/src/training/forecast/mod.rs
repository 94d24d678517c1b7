//! From a dataset of a view for forecasting to a model with its evidence, as for rows.
//!
//! Where the split walks forward, the model and every baseline learn anew on each fold, and are measured on what follows it; the rows lie in memory
//! once. The last fold is the dataset's own parts: its model is kept.
//!
//! Reading order: this file (the way), `learners` (who learns: all that the binary knows of them), `panel` (rows in), `walk` (rows as folds),
//! `measure` (how good the model is, beside baselines and registered rivals).

mod learners;
mod measure;
mod panel;
mod walk;

use std::time::{Duration, Instant};

use definitions::{LearnerKind, Role};
use evaluation::{Evaluation, Metric};
use feature_store::dataset::PanelReport;
use feature_store::split::{Fold, Part};
use learning::{
    Explanation, ForecastData, ForecastModel, ForecastSignature, Input, Output, Panel, PanelNotes, Shape, Signature,
    TrainingWatch, Window,
};

use super::folds::{self, FoldScores, with_means};
use super::{Lesson, Trained};
use crate::failure::{Failure, Outcome};
use crate::interrupt;

pub use learners::{load_forecaster, parameters, wrong_parameter};
pub use measure::LoadedForecaster;

use walk::Walk;

/// Windows of validation that are looked at after every iteration at most, evenly spread.
const VALIDATION_WINDOWS: usize = 4_096;

/// Trains a model that forecasts and measures it. `watch` is told how far it has come.
pub fn train(lesson: &Lesson<'_>, report: &PanelReport, watch: TrainingWatch<'_>) -> Outcome<Trained> {
    // What does not fit is refused before the long work, not after it.
    let metrics = measure::metrics(lesson)?;
    if let Some(slice) = lesson.pipeline.evaluate.slices.first() {
        let what = format!("`slices` in `[evaluate]`: forecasts are measured by target and step, not by `{slice}`");
        return Err(Failure::input(what).hint("remove `slices`, then: platform apply"));
    }
    let columns = panel::columns(lesson.manifest, report);
    let mut panel = panel::load(lesson, &columns)?;
    let learner = learners::of(lesson, measure::told_season(lesson, panel.grid)?)?;
    let shape = Shape {
        context: report.context as usize,
        horizon: report.horizon as usize,
    };
    let (folds, notes) = (lesson.manifest.certificate.folds(), panel.notes);
    let of_dataset: Vec<Part> = lesson.manifest.parts.iter().map(|report| report.part).collect();
    let walk = Walk::of(&panel, folds);
    let course = Course {
        learner: &learner,
        metrics: &metrics,
        shape,
    };
    let mut measured = Vec::new();
    for fold in folds.iter().take(folds.len().saturating_sub(1)) {
        walk.renumber(&mut panel, fold);
        // A checkpoint is of the model that is kept: the last fold's.
        let lesson = Lesson {
            rivals: &[],
            checkpoint: None,
            resume: None,
            telemetry: None,
            ..lesson.clone()
        };
        let parts: Vec<Part> = fold.parts.iter().map(|part| part.part).collect();
        let learned = course.learn(&lesson, &panel, &parts, Some(fold.number), watch)?;
        measured.extend(learned.of_fold(fold));
    }
    if let Some(last) = folds.last() {
        walk.renumber(&mut panel, last);
    }
    let learned = course.learn(lesson, &panel, &of_dataset, None, watch)?;
    measured.extend(folds.last().iter().flat_map(|fold| learned.of_fold(fold)));
    let model = learned.model.as_ref();
    Ok(Trained {
        preprocessing: None,
        signature: signature(lesson, report, model.levels(), learner.objective),
        folds: (!folds.is_empty()).then(|| with_means(measured, &metrics)),
        importance: Vec::new(),
        history: model.history().to_vec(),
        best_iteration: model.best_iteration(),
        model_files: model.files()?,
        train_rows: learned.windows,
        left_out: Vec::new(),
        is_blind: learner.grows_blindly && !learned.had_validation,
        fit_time: learned.fit_time,
        leaks: Vec::new(),
        warnings: warnings(notes),
        evaluation: learned.evaluation,
        explanation: Some(learned.explanation),
        notes: model.notes().to_vec(),
    })
}

/// What is the same for every fold.
struct Course<'a> {
    learner: &'a learners::Chosen,
    metrics: &'a [Metric],
    shape: Shape,
}

/// A model that has learned from the train of one division of the rows, and how good it is on the other parts.
struct Learned {
    model: Box<dyn ForecastModel>,
    evaluation: Evaluation,
    explanation: Explanation,
    windows: usize,
    had_validation: bool,
    fit_time: Duration,
}

impl Learned {
    fn of_fold(&self, fold: &Fold) -> Vec<FoldScores> {
        folds::of_forecasts(fold, &self.evaluation, self.windows, self.model.best_iteration())
    }
}

impl Course<'_> {
    /// Learns from a panel's train, and measures on these of its parts. `fold`: one before the last.
    fn learn(
        &self,
        lesson: &Lesson<'_>,
        panel: &Panel,
        parts: &[Part],
        fold: Option<u32>,
        watch: TrainingWatch<'_>,
    ) -> Outcome<Learned> {
        let horizon = self.shape.horizon;
        let train = panel.windows(panel::TRAIN, horizon, self.learner.stride);
        let of_fold = fold.map(|number| format!(" of fold {number}")).unwrap_or_default();
        if train.is_empty() {
            return Err(Failure::input(format!(
                "the training part{of_fold} has no window: no series has {horizon} steps ahead in it"
            ))
            .hint("a smaller `horizon` in `[forecast]`, or more rows"));
        }
        let validation = spread(panel.windows(panel::VALIDATION, horizon, 1), VALIDATION_WINDOWS);
        let data = ForecastData {
            panel,
            shape: self.shape,
            train_part: panel::TRAIN,
            train: &train,
            validation: &validation,
            seed: lesson.pipeline.seed,
            threads: lesson.threads,
            data_identity: &format!("{}{of_fold}", lesson.manifest.fingerprint),
            checkpoint: lesson.checkpoint.clone(),
            resume: lesson.resume.clone(),
            telemetry: lesson.telemetry.clone(),
        };
        let started = Instant::now();
        let model = self.learner.forecaster.fit(&data, watch)?;
        let fit_time = started.elapsed();
        if interrupt::is_asked() {
            return Err(match fold {
                None => Failure::input("interrupted: what was learned so far is kept")
                    .hint("the same command with --resume"),
                Some(number) => Failure::input(format!(
                    "interrupted in fold {number}: of folds before the last nothing is kept"
                ))
                .hint("the same command again"),
            });
        }
        let (evaluation, explanation) = measure::evaluate(lesson, model.as_ref(), &data, parts, self.metrics)?;
        Ok(Learned {
            model,
            evaluation,
            explanation,
            windows: train.len(),
            had_validation: !validation.is_empty(),
            fit_time,
        })
    }
}

/// The learner that a pipeline's choice means for a view that forecasts.
pub fn kind_of(chosen: LearnerKind) -> LearnerKind {
    match chosen {
        LearnerKind::Auto => LearnerKind::Tft,
        other => other,
    }
}

fn spread(windows: Vec<Window>, most: usize) -> Vec<Window> {
    let step = windows.len().div_ceil(most.max(1)).max(1);
    windows.into_iter().step_by(step).collect()
}

fn warnings(notes: PanelNotes) -> Vec<String> {
    let mut warnings = Vec::new();
    if notes.in_one_step > 0 {
        warnings.push(format!(
            "{} rows lie in one step with a later row of the same entity, and are left out: is `frequency` too long?",
            notes.in_one_step
        ));
    }
    if notes.changing > 0 {
        warnings.push(format!(
            "{} values in `static` change later: the first of each entity counts; out of `static`, a column is followed as it changes",
            notes.changing
        ));
    }
    if notes.without_key > 0 {
        warnings.push(format!(
            "{} rows are left out because their key has a NULL",
            notes.without_key
        ));
    }
    // More holes than rows: the steps are shorter than the rows are apart.
    if notes.holes > notes.rows {
        warnings.push(format!(
            "{} rows leave {} steps without one: is `frequency` too short?",
            notes.rows, notes.holes
        ));
    }
    warnings
}

fn signature(lesson: &Lesson<'_>, report: &PanelReport, levels: &[f64], objective: &str) -> Signature {
    let manifest = lesson.manifest;
    let input = |column: &feature_store::dataset::Column| Input {
        name: column.name.clone(),
        data_type: column.data_type,
        categorical: column.categorical,
    };
    let is_input = |column: &&feature_store::dataset::Column| matches!(column.role, Role::Feature | Role::Label);
    let forecast = ForecastSignature {
        targets: report.targets.clone(),
        static_columns: report.static_columns.clone(),
        known_future: report.known_future.clone(),
        observed: report.observed.clone(),
        context: report.context,
        horizon: report.horizon,
        frequency: report.frequency,
        quantiles: levels.to_vec(),
    };
    let mut outputs = Vec::new();
    for target in &report.targets {
        let whats: Vec<String> = if levels.is_empty() {
            vec![format!("`{target}` as it is expected to be")]
        } else {
            levels
                .iter()
                .map(|level| format!("`{target}` is below it with probability {level}"))
                .collect()
        };
        for (name, description) in forecast.outputs(target).into_iter().zip(whats) {
            outputs.push(Output {
                name,
                data_type: definitions::DataType::Float64,
                description,
            });
        }
    }
    Signature {
        inputs: manifest.columns.iter().filter(is_input).map(input).collect(),
        outputs,
        target: report.targets.join(", "),
        objective: objective.to_owned(),
        classes: None,
        keys: manifest.columns_with(Role::Key).map(input).collect(),
        event_time: manifest
            .columns_with(Role::EventTime)
            .map(|column| column.name.clone())
            .next(),
        forecast: Some(forecast),
    }
}
