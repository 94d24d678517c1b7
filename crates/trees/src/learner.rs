//! The training loop: grow a tree, measure, tell, perhaps stop.
//!
//! The same data, seed and parameters give the same bytes, whatever the number of threads:
//!
//! * LightGBM's `deterministic` is always on, and every seed is derived from one.
//! * A histogram is a sum of floats, so the order of its rows counts. `force_row_wise` cuts the rows into one block a thread, and
//!   so does the group into which sparse features are put: so histograms are always built column by column, each by one thread, and
//!   `is_enable_sparse` is off. (Two threads and one differ in the last bits with `force_row_wise` from some 10,000 rows on.)
//! * What is cut into blocks in any case (`goss`, quantised gradients, linear trees) uses one thread.
//! * The number of threads is set from outside, so that it does not stand in the model file.

use std::sync::Arc;
use std::time::Instant;

use learning::{Control, IterationReport, Labelled, Learner, LearningError, Matrix, Measured, Model, TrainingData};

use crate::early_stopping::EarlyStopping;
use crate::lightgbm::{Booster, Dataset, DatasetOptions, PredictKind, set_threads, turn};
use crate::parameters::misfit;
use crate::{Objective, Parameters, TreeModel, TreesError};

/// Parameters that are lists with one value for each feature.
const PER_FEATURE: [&str; 5] = [
    "cegb_penalty_feature_coupled",
    "cegb_penalty_feature_lazy",
    "feature_contri",
    "max_bin_by_feature",
    "monotone_constraints",
];

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
    /// An objective that does not fit the labels, or a metric that does not fit the objective.
    pub fn new(parameters: Parameters, classes: usize) -> Result<Self, TreesError> {
        let natural = match classes {
            0 => Objective::Regression,
            2 => Objective::Binary,
            _ => Objective::Multiclass,
        };
        let objective = parameters.objective.unwrap_or(natural);
        let wanted = match objective {
            Objective::Binary if classes != 2 => Some("two classes"),
            Objective::Multiclass | Objective::MulticlassOva if classes < 3 => Some("three classes or more"),
            _ if !objective.is_classification() && classes > 0 => Some("numbers"),
            _ => None,
        };
        let Some(wanted) = wanted else {
            check_metrics(&parameters, objective)?;
            return Ok(Self {
                parameters,
                objective,
                classes,
                start: None,
            });
        };
        let found = if classes == 0 {
            "numbers".to_owned()
        } else {
            format!("{classes} classes")
        };
        Err(TreesError::Objective {
            objective: objective.word(),
            wanted,
            found,
        })
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
            "force_col_wise=true".to_owned(),
            "is_enable_sparse=false".to_owned(),
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
        settings.extend(
            self.parameters
                .settings
                .iter()
                .map(|(name, value)| format!("{name}={value}")),
        );
        settings.join(" ")
    }

    fn check_labels(&self, data: &TrainingData) -> Result<(), TreesError> {
        let sets = std::iter::once(&data.train).chain(data.evaluations.iter().map(|(_, labelled)| labelled));
        for label in sets.flat_map(|labelled| &labelled.labels) {
            if let Err(wanted) = self.objective.accepts(*label, self.classes) {
                return Err(TreesError::Label {
                    objective: self.objective.word().to_owned(),
                    wanted,
                    found: *label,
                });
            }
        }
        Ok(())
    }

    /// Lists with one value for each feature: LightGBM reads them before it checks their length.
    fn check_lists(&self, matrix: &Matrix) -> Result<(), TreesError> {
        let (features, categorical) = (matrix.feature_names(), matrix.categorical());
        for name in PER_FEATURE {
            let Some(text) = self.parameters.settings.get(name) else {
                continue;
            };
            let values: Vec<&str> = text.split(',').collect();
            if values.len() != features.len() {
                let wanted = format!(
                    "one value for each of {} inputs ({})",
                    features.len(),
                    features.join(", ")
                );
                let found = format!("{} values", values.len());
                return Err(TreesError::PerFeature { name, wanted, found });
            }
            if name == "monotone_constraints"
                && let Some(feature) = categorical
                    .iter()
                    .find(|at| values.get(**at).is_some_and(|value| *value != "0"))
            {
                let of = features.get(*feature).cloned().unwrap_or_default();
                let wanted = format!("0 for `{of}`, whose values are categories");
                return Err(TreesError::PerFeature {
                    name,
                    wanted,
                    found: text.clone(),
                });
            }
        }
        Ok(())
    }

    pub(crate) fn train(
        &self,
        data: &TrainingData,
        control: &mut dyn FnMut(&IterationReport) -> Control,
    ) -> Result<TreeModel, TreesError> {
        let _turn = turn();
        self.check_labels(data)?;
        self.check_lists(&data.train.matrix)?;
        set_threads(if self.parameters.works_by_blocks() {
            1
        } else {
            data.threads
        })?;
        let before = self
            .start
            .as_deref()
            .map(|text| self.start(text, &data.train.matrix))
            .transpose()?;
        let settings = self.settings(&data.train.matrix, data.seed);
        let train = dataset(&data.train, &settings, None, before.as_ref())?;
        let mut booster = Booster::new(&train, &settings)?;
        let mut sets = Vec::new();
        for (name, labelled) in data
            .evaluations
            .iter()
            .filter(|(_, labelled)| labelled.matrix.rows() > 0)
        {
            booster.add_evaluation(&dataset(labelled, &settings, Some(&train), before.as_ref())?)?;
            sets.push(name.as_str());
        }
        drop(train);
        let (history, best) = self.grow(&mut booster, &sets, control)?;
        let mut keep = best;
        if let Some(before) = before {
            keep += before.iterations()?;
            booster.merge_before(&before)?;
        }
        let text = booster.text(keep)?;
        drop(booster);
        TreeModel::trained(text, data.train.matrix.feature_names(), history, best)
    }

    /// The model that training goes on from, if its scores are of the same kind as those that will be added to them.
    fn start(&self, text: &str, matrix: &Matrix) -> Result<Booster, TreesError> {
        let same = |what, wanted: String, found: String| match wanted == found {
            true => Ok(()),
            false => Err(TreesError::Start { what, wanted, found }),
        };
        let booster = Booster::from_text(text)?;
        let line = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap_or_default()
                .to_owned()
        };
        let objective = line("objective=").split(' ').next().unwrap_or_default().to_owned();
        same("objective", self.objective.word().to_owned(), objective)?;
        let outputs = if self.objective.is_multiclass() {
            self.classes
        } else {
            1
        };
        same("number of classes", outputs.to_string(), booster.outputs()?.to_string())?;
        same(
            "list of features",
            matrix.feature_names().join(" "),
            line("feature_names="),
        )?;
        let averages = |is: bool| if is { "averaged trees (rf)" } else { "added trees" }.to_owned();
        let is_forest = self
            .parameters
            .settings
            .get("boosting")
            .is_some_and(|boosting| boosting == "rf");
        let was_forest = text
            .lines()
            .take_while(|line| !line.is_empty())
            .any(|line| line == "average_output");
        // A forest is a mean over its trees: scores that were there before cannot be added to it.
        same("boosting", averages(false), averages(is_forest || was_forest))?;
        Ok(booster)
    }

    /// Grows until there is nothing to gain; gives every report, and the iteration to keep.
    fn grow(
        &self,
        booster: &mut Booster,
        sets: &[&str],
        control: &mut dyn FnMut(&IterationReport) -> Control,
    ) -> Result<(Vec<IterationReport>, usize), TreesError> {
        let started = Instant::now();
        let metrics = booster.metric_names()?;
        let mut stopping = EarlyStopping::new(self.parameters.early_stopping, self.parameters.min_delta);
        let mut history = Vec::new();
        for iteration in 1..=self.parameters.rounds {
            let is_finished = booster.grow()?;
            if is_finished && iteration > 1 {
                // No tree was added: there is nothing to report.
                break;
            }
            let mut measured = Vec::new();
            for (at, name) in (1..).zip(sets) {
                let values = booster.measure(at, metrics.len())?;
                measured.extend(metrics.iter().zip(values).map(|(metric, value)| Measured {
                    set: (*name).to_owned(),
                    metric: metric.clone(),
                    value,
                }));
            }
            let elapsed = started.elapsed();
            let report = IterationReport {
                iteration,
                of: self.parameters.rounds,
                elapsed,
                measured,
            };
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

/// The first metric decides when to stop, so one that means nothing would cut the model short.
fn check_metrics(parameters: &Parameters, objective: Objective) -> Result<(), TreesError> {
    let metrics = parameters.settings.get("metric");
    match metrics.and_then(|metrics| misfit(metrics, objective)) {
        Some((metric, wanted)) => Err(TreesError::Metric {
            metric,
            objective: objective.word(),
            wanted,
        }),
        None => Ok(()),
    }
}

fn dataset(
    data: &Labelled,
    settings: &str,
    reference: Option<&Arc<Dataset>>,
    before: Option<&Booster>,
) -> Result<Arc<Dataset>, TreesError> {
    let scores = before.map(|before| start_scores(before, &data.matrix)).transpose()?;
    Dataset::new(
        data,
        &DatasetOptions {
            parameters: settings,
            reference,
            init_score: scores.as_deref(),
        },
    )
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
