//! From a dataset of a view for forecasting to a model with its evidence, as for rows.
//!
//! Reading order: this file (the way), `learners` (who learns: all that the binary knows of them), `panel` (rows in), `measure` (how good
//! the model is, beside baselines and registered rivals).

mod learners;
mod measure;
mod panel;

use std::time::Instant;

use definitions::{LearnerKind, Role};
use feature_store::dataset::PanelReport;
use learning::{ForecastData, ForecastSignature, Input, Output, PanelNotes, Shape, Signature, TrainingMoment, Window};

use super::{Lesson, Trained};
use crate::failure::{Failure, Outcome};
use crate::interrupt;

pub use learners::{load_forecaster, parameters};
pub use measure::LoadedForecaster;

/// Windows of validation that are looked at after every iteration at most, evenly spread.
const VALIDATION_WINDOWS: usize = 4_096;

/// Trains a model that forecasts and measures it. `watch` is told how far it has come.
pub fn train(
    lesson: &Lesson<'_>,
    report: &PanelReport,
    watch: &mut (dyn FnMut(TrainingMoment<'_>) -> learning::Control + Send),
) -> Outcome<Trained> {
    // What does not fit is refused before the long work, not after it.
    let metrics = measure::metrics(lesson)?;
    if let Some(slice) = lesson.pipeline.evaluate.slices.first() {
        let what = format!("`slices` in `[evaluate]`: forecasts are measured by target and step, not by `{slice}`");
        return Err(Failure::input(what).hint("remove `slices`, then: platform apply"));
    }
    let columns = panel::columns(lesson.manifest, report);
    let panel = panel::load(lesson, &columns)?;
    let learner = learners::of(lesson, measure::told_season(lesson, panel.grid)?)?;
    let shape = Shape {
        context: report.context as usize,
        horizon: report.horizon as usize,
    };
    let train = panel.windows(panel::TRAIN, shape.horizon, learner.stride);
    if train.is_empty() {
        return Err(Failure::input(format!(
            "the training part has no window: no series has {} steps ahead in it",
            shape.horizon
        ))
        .hint("a smaller `horizon` in `[forecast]`, or more rows"));
    }
    let validation = spread(panel.windows(panel::VALIDATION, shape.horizon, 1), VALIDATION_WINDOWS);
    let identity = lesson.manifest.fingerprint.to_string();
    let data = ForecastData {
        panel: &panel,
        shape,
        train_part: panel::TRAIN,
        train: &train,
        validation: &validation,
        seed: lesson.pipeline.seed,
        threads: lesson.threads,
        data_identity: &identity,
        checkpoint: lesson.checkpoint.clone(),
        resume: lesson.resume.clone(),
    };
    let started = Instant::now();
    let model = learner.forecaster.fit(&data, watch)?;
    let fit_time = started.elapsed();
    if interrupt::is_asked() {
        return Err(
            Failure::input("interrupted: what was learned so far is kept").hint("the same command with --resume")
        );
    }
    let (evaluation, explanation) = measure::evaluate(lesson, model.as_ref(), &data, &metrics)?;
    Ok(Trained {
        preprocessing: None,
        signature: signature(lesson, report, model.levels(), learner.objective),
        evaluation,
        importance: Vec::new(),
        explanation: Some(explanation),
        history: model.history().to_vec(),
        best_iteration: model.best_iteration(),
        model_files: model.files()?,
        train_rows: train.len(),
        left_out: Vec::new(),
        is_blind: learner.grows_blindly && validation.is_empty(),
        fit_time,
        folds: None,
        leaks: Vec::new(),
        warnings: warnings(panel.notes),
    })
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
