//! From a dataset and a pipeline to a model with its evidence: the same for `train` and for `reproduce`.
//!
//! Nothing here writes the registry or decides what happens to a model. The same dataset, pipeline and seed give the same bytes,
//! whatever the number of threads.
//!
//! Reading order: this file (the way), `parts` (rows in), `baselines` and `rivals` (what the model is compared with), `evaluate`
//! (how good it is), `folds` (how good it is as time goes on), `leaks` (whether it was
//! told the answer), `files` (what is kept); `forecast` (the same for steps ahead).

mod baselines;
mod evaluate;
mod files;
mod folds;
mod forecast;
mod leaks;
mod parts;
mod rivals;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use arrow::datatypes::SchemaRef;
use definitions::{LearnerKind, Pipeline, Role};
use evaluation::{Evaluation, LeakCheck, Quantile, Task};
use feature_store::dataset::{Column, Manifest};
use feature_store::split::Part;
use learning::{
    Control, Explanation, Importance, Input, IterationReport, Learner, Model, Output, Preprocessing, Signature, Target,
    TrainingData, TrainingMoment,
};
use trees::{LightGbm, Parameters};

use crate::failure::{Failure, Outcome};
use parts::PartRows;

pub use files::{Artefacts, model_parameters};
pub use folds::FoldsReport;
pub use forecast::{LoadedForecaster, wrong_parameter};
pub use parts::LeftOut;
pub use rivals::{Loaded, RivalModel, artefact, load, load_rivals, side_by_side};

/// Rows whose SHAP values are averaged: enough to rank features, few enough to be quick.
const CONTRIBUTION_ROWS: usize = 2_000;

/// What is trained.
#[derive(Clone)]
pub struct Lesson<'a> {
    /// The dataset's folder.
    pub folder: &'a Path,
    /// Its manifest.
    pub manifest: &'a Manifest,
    /// The pipeline.
    pub pipeline: &'a Pipeline,
    /// Registered models to compare with.
    pub rivals: &'a [RivalModel],
    /// Threads to use.
    pub threads: usize,
    /// Who learns.
    pub learner: LearnerKind,
    /// Where a learner that takes long may keep how far it is.
    pub checkpoint: Option<PathBuf>,
    /// Where it goes on from.
    pub resume: Option<PathBuf>,
    /// A folder for what a learner that takes long tells meanwhile.
    pub telemetry: Option<PathBuf>,
}

impl Lesson<'_> {
    /// Who learns, once `auto` has been decided.
    pub fn kind(&self) -> LearnerKind {
        kind_of(self.learner, self.manifest)
    }
}

/// Who learns from a dataset, once `auto` has been decided.
pub fn kind_of(learner: LearnerKind, manifest: &Manifest) -> LearnerKind {
    match (learner, &manifest.panel) {
        (LearnerKind::Auto, None) => LearnerKind::Lightgbm,
        (learner, None) => learner,
        (learner, Some(_)) => forecast::kind_of(learner),
    }
}

/// A feature and how much it matters.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct FeatureImportance {
    /// Gain and splits.
    #[serde(flatten)]
    pub importance: Importance,
    /// Mean |SHAP| over rows of the part that gates look at; `None`: the model has none (linear trees).
    pub mean_absolute_contribution: Option<f64>,
}

/// A model and everything that was found out about it.
pub struct Trained {
    /// How columns become numbers; `None`: the model's own files say it.
    pub preprocessing: Option<Preprocessing>,
    /// What it takes and gives.
    pub signature: Signature,
    /// How good it is, beside baselines and registered rivals.
    pub evaluation: Evaluation,
    /// What matters to it, most first.
    pub importance: Vec<FeatureImportance>,
    /// What its forecasts rest on, where it forecasts.
    pub explanation: Option<Explanation>,
    /// What was measured while it learned.
    pub history: Vec<IterationReport>,
    /// The iteration it keeps.
    pub best_iteration: usize,
    /// The model's own files.
    pub model_files: Vec<learning::ModelFile>,
    /// Rows, or windows, learned from.
    pub train_rows: usize,
    /// Rows left out, by part.
    pub left_out: Vec<(Part, LeftOut)>,
    /// Whether it was to stop early, and there was nothing to tell when.
    pub is_blind: bool,
    /// Time spent growing trees.
    pub fit_time: Duration,
    /// How good the pipeline is on each fold, where the split has folds.
    pub folds: Option<FoldsReport>,
    /// What the leak tests found.
    pub leaks: Vec<LeakCheck>,
    /// What its card says of how it learned.
    pub notes: Vec<learning::TrainingNote>,
    /// What is odd about the rows.
    pub warnings: Vec<String>,
}

/// What is learned, from what, and how.
struct Asked<'a> {
    label: Column,
    inputs: Vec<Column>,
    schema: SchemaRef,
    parameters: &'a Parameters,
}

/// A model that has learned from the train of one division of the rows.
struct Fitted {
    preprocessing: Preprocessing,
    target: Target,
    learner: LightGbm,
    model: Box<dyn Model>,
    task: Task,
    train_rows: usize,
    is_blind: bool,
    fit_time: Duration,
    share: Option<f64>,
}

impl Fitted {
    /// The quantile that it predicts.
    fn quantile(&self) -> Option<Quantile> {
        self.share.and_then(Quantile::new)
    }
}

/// Trains a model and measures it; where the split has folds, on each of them. `watch` is told how far it has come.
pub fn train(lesson: &Lesson<'_>, watch: &mut (dyn FnMut(TrainingMoment<'_>) -> Control + Send)) -> Outcome<Trained> {
    match (&lesson.manifest.panel, lesson.kind()) {
        (Some(report), _) => forecast::train(lesson, report, watch),
        (None, LearnerKind::Lightgbm) => train_rows(lesson, &mut |report| {
            watch(TrainingMoment::Iteration(report));
        }),
        (None, other) => {
            let (word, view) = (other.word(), &lesson.manifest.view);
            Err(Failure::input(format!(
                "learner `{word}` cannot learn `{view}`: it has no `[forecast]`"
            ))
            .hint("--learner lightgbm"))
        }
    }
}

fn train_rows(lesson: &Lesson<'_>, watch: &mut dyn FnMut(&IterationReport)) -> Outcome<Trained> {
    let label = target_column(lesson)?;
    let inputs: Vec<Column> = lesson.manifest.columns_with(Role::Feature).cloned().collect();
    if inputs.is_empty() {
        return Err(Failure::input(format!(
            "view `{}` has no features to learn from",
            lesson.manifest.view
        )));
    }
    let parameters = Parameters::from_declared(&lesson.pipeline.train.lightgbm).map_err(trees::TreesError::from)?;
    let asked = Asked {
        schema: parts::input_schema(&inputs),
        label,
        inputs,
        parameters: &parameters,
    };
    let earlier = folds::train_earlier(lesson, &asked, watch)?;
    let parts = parts::load(lesson, &asked.label, &asked.inputs, None)?;
    let fitted = fit(lesson, &asked, &parts, watch)?;
    let measured = evaluate::Measured {
        lesson,
        task: fitted.task,
        quantile: fitted.quantile(),
        target: &fitted.target,
    };
    let mut ready = Vec::new();
    for part in &parts {
        ready.push(part.ready(&fitted.preprocessing, &fitted.target, &asked.schema)?);
    }
    let model = fitted.model.as_ref();
    let evaluation = evaluate::evaluate(&measured, model, &ready)?;
    let judged = evaluation.gated_part().map_or("train", |part| part.part.as_str());
    // LightGBM has no SHAP values for linear trees.
    let has_linear_trees = lesson
        .pipeline
        .train
        .lightgbm
        .iter()
        .any(|(name, value)| name.starts_with("linear_tree") && *value == definitions::Parameter::Bool(true));
    let mut explained = ready.iter().filter(|_| !has_linear_trees);
    let leaks = leaks::examine(lesson, &asked, &fitted, &ready, judged)?;
    let importance = importance(model, explained.find(|part| part.part.name() == judged))?;
    Ok(Trained {
        signature: signature(lesson, &asked.inputs, &fitted.target, &fitted.learner, fitted.share),
        folds: folds::report(lesson, earlier, &fitted, &evaluation),
        evaluation,
        importance,
        leaks,
        history: model.history().to_vec(),
        best_iteration: model.best_iteration(),
        model_files: model.files()?,
        train_rows: fitted.train_rows,
        left_out: ready.iter().map(|part| (part.part, part.left_out)).collect(),
        is_blind: fitted.is_blind,
        fit_time: fitted.fit_time,
        preprocessing: Some(fitted.preprocessing),
        explanation: None,
        notes: Vec::new(),
        warnings: Vec::new(),
    })
}

/// Learns from the train of these rows, and stops early by their validation.
fn fit(
    lesson: &Lesson<'_>,
    asked: &Asked<'_>,
    parts: &[PartRows],
    watch: &mut dyn FnMut(&IterationReport),
) -> Outcome<Fitted> {
    let Asked {
        label, inputs, schema, ..
    } = asked;
    let parameters = asked.parameters.clone();
    let wants_classes = parameters.objective.is_some_and(trees::Objective::is_classification);
    let train_part = parts.iter().find(|part| part.part == Part::Train);
    let train_part = train_part.ok_or_else(|| Failure::input("the dataset has no part `train`"))?;
    let target = Target::fit(&label.name, &train_part.labels, wants_classes)?;
    let columns: Vec<(String, bool)> = inputs
        .iter()
        .map(|column| (column.name.clone(), column.categorical))
        .collect();
    let preprocessing = Preprocessing::fit(&train_part.inputs, schema, &columns)?;
    let share = parameters.quantile();
    let stops_early = parameters.early_stopping > 0;
    let learner = LightGbm::new(parameters, target.classes().map_or(0, <[String]>::len))?;
    let task = Task::of_objective(learner.objective().word()).unwrap_or(Task::Regression);
    let (evaluate, gate) = (&lesson.pipeline.evaluate, &lesson.pipeline.gate);
    // Metrics that do not fit are refused before the long work, not after it.
    evaluation::metrics_to_measure(task, share.and_then(Quantile::new), evaluate, gate)?;
    let labelled = |part: &PartRows| part.labelled(&preprocessing, &target, schema);
    let mut sets = Vec::new();
    for part in parts.iter().filter(|part| part.part == Part::Validation) {
        sets.push((part.part.name().to_owned(), labelled(part)?));
    }
    let is_blind = stops_early && sets.iter().all(|(_, labelled)| labelled.labels.is_empty());
    let data = TrainingData {
        train: labelled(train_part)?,
        evaluations: sets,
        seed: lesson.pipeline.seed,
        threads: lesson.threads,
    };
    let started = Instant::now();
    let model = learner.fit(&data, &mut |report| {
        watch(report);
        Control::Continue
    })?;
    Ok(Fitted {
        fit_time: started.elapsed(),
        train_rows: data.train.labels.len(),
        preprocessing,
        target,
        learner,
        model,
        task,
        is_blind,
        share,
    })
}

/// What there is to say of a dataset that was made before gaps were kept.
pub fn lost_gap(manifest: &Manifest) -> Option<String> {
    manifest.has_lost_its_gap().then(|| {
        format!(
            "the dataset does not hold the labels of the rows in its gap, so baselines see less than deployed ones would; \
             `platform dataset create {} --force` makes one that does",
            manifest.view
        )
    })
}

fn target_column(lesson: &Lesson<'_>) -> Outcome<Column> {
    let labels: Vec<&Column> = lesson.manifest.columns_with(Role::Label).collect();
    let wanted = lesson.pipeline.train.target.as_ref();
    let found = match (wanted, labels.as_slice()) {
        (Some(wanted), _) => labels.iter().copied().find(|column| column.name == wanted.as_str()),
        (None, [only]) => Some(*only),
        (None, _) => None,
    };
    found.cloned().ok_or_else(|| {
        let names: Vec<_> = labels.iter().map(|column| format!("`{}`", column.name)).collect();
        let what = wanted.map_or_else(
            || "no target is chosen".to_owned(),
            |wanted| format!("target `{wanted}` is no label"),
        );
        let pipeline = &lesson.pipeline.name;
        Failure::input(format!(
            "pipeline `{pipeline}`: {what}: the view's labels are {}",
            names.join(", ")
        ))
        .hint("[train] target = \"LABEL\", then: platform apply")
    })
}

fn signature(
    lesson: &Lesson<'_>,
    inputs: &[Column],
    target: &Target,
    learner: &LightGbm,
    quantile: Option<f64>,
) -> Signature {
    let input = |column: &Column| Input {
        name: column.name.clone(),
        data_type: column.data_type,
        categorical: column.categorical,
    };
    let output = |name: String, data_type, description: String| Output {
        name,
        data_type,
        description,
    };
    let of = &target.column;
    let outputs = match (target.classes(), quantile) {
        (Some(classes), _) => {
            let probability = |class: &String| {
                let name = format!("probability_{class}");
                output(
                    name,
                    definitions::DataType::Float64,
                    format!("probability that {of} is {class}"),
                )
            };
            let predicted = output(
                "prediction".to_owned(),
                definitions::DataType::Utf8,
                format!("the most probable {of}"),
            );
            std::iter::once(predicted)
                .chain(classes.iter().map(probability))
                .collect()
        }
        (None, Some(share)) => vec![output(
            format!("prediction_q{share}"),
            definitions::DataType::Float64,
            format!("the value that {of} is below with probability {share}"),
        )],
        (None, None) => {
            vec![output(
                "prediction".to_owned(),
                definitions::DataType::Float64,
                format!("the value of {of}"),
            )]
        }
    };
    Signature {
        inputs: inputs.iter().map(input).collect(),
        outputs,
        target: target.column.clone(),
        objective: learner.objective().word().to_owned(),
        classes: target.classes().map(<[String]>::to_vec),
        keys: lesson.manifest.columns_with(Role::Key).map(input).collect(),
        event_time: lesson
            .manifest
            .columns_with(Role::EventTime)
            .map(|column| column.name.clone())
            .next(),
        forecast: None,
    }
}

fn importance(model: &dyn Model, part: Option<&parts::Ready>) -> Outcome<Vec<FeatureImportance>> {
    let absolute = match part.filter(|part| part.matrix.rows() > 0) {
        Some(part) => model.contributions(&part.spread(CONTRIBUTION_ROWS)?)?.mean_absolute(),
        None => Vec::new(),
    };
    let all = model
        .importance()?
        .into_iter()
        .enumerate()
        .map(|(at, importance)| FeatureImportance {
            importance,
            mean_absolute_contribution: absolute.get(at).copied(),
        });
    let mut all: Vec<FeatureImportance> = all.collect();
    all.sort_by(|one, other| other.importance.gain.total_cmp(&one.importance.gain));
    Ok(all)
}
