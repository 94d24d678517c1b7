//! The training loop: grow a tree, measure, tell, perhaps stop.
//!
//! The same data, seed and parameters give the same bytes, whatever the number of threads: LightGBM's `deterministic` is always on,
//! histograms are always built row by row, every seed is derived from one, and the number of threads is set from outside, so that
//! it does not stand in the model file.

use std::sync::Arc;
use std::time::Instant;

use learning::{Control, IterationReport, Labelled, Learner, LearningError, Matrix, Measured, Model, TrainingData};

use crate::early_stopping::EarlyStopping;
use crate::lightgbm::{Booster, Dataset, DatasetOptions, PredictKind, set_threads};
use crate::{Objective, Parameters, TreeModel, TreesError};

/// LightGBM with its parameters.
#[derive(Debug, Clone)]
pub struct LightGbm {
    parameters: Parameters,
    objective: Objective,
    classes: usize,
    start: Option<String>,
}

impl LightGbm {
    /// A learner. `classes`: how many classes the labels have; 0: they are numbers. Without an objective, the one that fits them.
    ///
    /// # Errors
    /// An objective that does not fit the labels.
    pub fn new(parameters: Parameters, classes: usize) -> Result<Self, TreesError> {
        let natural = match classes {
            0 => Objective::Regression,
            1 | 2 => Objective::Binary,
            _ => Objective::Multiclass,
        };
        let objective = parameters.objective.unwrap_or(natural);
        let wanted = match (objective.is_classification(), objective == Objective::Binary) {
            (true, _) if classes == 0 => Some("classes: a label of text or bool"),
            (false, _) if classes > 0 => Some("numbers"),
            (_, true) if classes > 2 => Some("two classes"),
            _ => None,
        };
        match wanted {
            Some(wanted) => {
                Err(TreesError::Label { objective: objective.word().to_owned(), wanted, found: classes as f64 })
            }
            None => Ok(Self { parameters, objective, classes, start: None }),
        }
    }

    /// The same learner, going on from a model that was trained before: its trees stay, new ones are added.
    #[must_use]
    pub fn continuing(mut self, model_text: String) -> Self {
        self.start = Some(model_text);
        self
    }

    /// What it optimises.
    #[must_use]
    pub fn objective(&self) -> Objective {
        self.objective
    }

    /// Everything LightGBM is told, in a fixed order.
    fn settings(&self, matrix: &Matrix, seed: u64) -> String {
        let mut settings: Vec<String> = vec![
            format!("objective={}", self.objective.word()),
            "deterministic=true".to_owned(),
            "force_row_wise=true".to_owned(),
            // LightGBM reads seeds as 32-bit numbers.
            format!("seed={}", seed % 2_147_483_648),
            "verbosity=-1".to_owned(),
        ];
        if self.objective.is_multiclass() {
            settings.push(format!("num_class={}", self.classes));
        }
        let categorical: Vec<String> = matrix.categorical().iter().map(ToString::to_string).collect();
        if !categorical.is_empty() {
            settings.push(format!("categorical_feature={}", categorical.join(",")));
        }
        settings.extend(self.parameters.settings.iter().map(|(name, value)| format!("{name}={value}")));
        settings.join(" ")
    }

    /// Whether LightGBM draws from one random stream a thread, so that only one thread gives the same trees everywhere.
    fn draws_per_thread(&self) -> bool {
        let is = |name: &str, value: &str| self.parameters.settings.get(name).is_some_and(|text| text == value);
        is("data_sample_strategy", "goss") || is("boosting", "goss") || is("use_quantized_grad", "true")
    }

    fn check_labels(&self, data: &TrainingData) -> Result<(), TreesError> {
        let sets = std::iter::once(&data.train).chain(data.evaluations.iter().map(|(_, labelled)| labelled));
        for label in sets.flat_map(|labelled| &labelled.labels) {
            if let Err(wanted) = self.objective.accepts(*label) {
                return Err(TreesError::Label { objective: self.objective.word().to_owned(), wanted, found: *label });
            }
        }
        Ok(())
    }

    fn train(
        &self,
        data: &TrainingData,
        control: &mut dyn FnMut(&IterationReport) -> Control,
    ) -> Result<TreeModel, TreesError> {
        self.check_labels(data)?;
        set_threads(if self.draws_per_thread() { 1 } else { data.threads })?;
        let before = self.start.as_deref().map(Booster::from_text).transpose()?;
        let settings = self.settings(&data.train.matrix, data.seed);
        let train = dataset(&data.train, &settings, None, before.as_ref())?;
        let mut booster = Booster::new(&train, &settings)?;
        for (_, labelled) in &data.evaluations {
            booster.add_evaluation(&dataset(labelled, &settings, Some(&train), before.as_ref())?)?;
        }
        drop(train);
        let (history, best) = self.grow(&mut booster, data, control)?;
        while booster.iterations()? > best {
            booster.roll_back()?;
        }
        if let Some(before) = &before {
            booster.merge_before(before)?;
        }
        TreeModel::trained(&booster, data.train.matrix.feature_names(), history, best)
    }

    /// Grows until there is nothing to gain; gives every report, and the iteration to keep.
    fn grow(
        &self,
        booster: &mut Booster,
        data: &TrainingData,
        control: &mut dyn FnMut(&IterationReport) -> Control,
    ) -> Result<(Vec<IterationReport>, usize), TreesError> {
        let started = Instant::now();
        let metrics = booster.metric_names()?;
        let mut stopping = EarlyStopping::new(self.parameters.early_stopping, self.parameters.min_delta);
        let mut history = Vec::new();
        for iteration in 1..=self.parameters.rounds {
            let is_finished = booster.grow()?;
            let mut measured = Vec::new();
            for (at, (name, _)) in (1..).zip(&data.evaluations) {
                let values = booster.measure(at, metrics.len())?;
                measured.extend(metrics.iter().zip(values).map(|(metric, value)| Measured {
                    set: name.clone(),
                    metric: metric.clone(),
                    value,
                }));
            }
            let elapsed = started.elapsed();
            let report = IterationReport { iteration, of: self.parameters.rounds, elapsed, measured };
            let is_over = stopping.is_over(iteration, &report.measured);
            let is_stopped = control(&report) == Control::Stop;
            history.push(report);
            if is_finished || is_over || is_stopped {
                break;
            }
        }
        let grown = booster.iterations()?;
        Ok((history, stopping.best_iteration(grown).min(grown)))
    }
}

fn dataset(
    data: &Labelled,
    settings: &str,
    reference: Option<&Arc<Dataset>>,
    before: Option<&Booster>,
) -> Result<Arc<Dataset>, TreesError> {
    let scores = before.map(|before| start_scores(before, &data.matrix)).transpose()?;
    Dataset::new(data, &DatasetOptions { parameters: settings, reference, init_score: scores.as_deref() })
}

/// Where training goes on from: the raw scores of the trees before, one output after the other, as LightGBM wants them.
fn start_scores(before: &Booster, matrix: &Matrix) -> Result<Vec<f64>, TreesError> {
    let (outputs, by_row) = (before.outputs()?.max(1), before.predict(matrix, PredictKind::Raw)?);
    let output = |at: usize| by_row.iter().skip(at).step_by(outputs).copied();
    Ok((0..outputs).flat_map(output).collect())
}

impl Learner for LightGbm {
    fn fit(
        &self,
        data: &TrainingData,
        control: &mut dyn FnMut(&IterationReport) -> Control,
    ) -> Result<Box<dyn Model>, LearningError> {
        Ok(Box::new(self.train(data, control)?))
    }
}
