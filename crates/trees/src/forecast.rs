//! Trees that forecast: **one model a target, of every step ahead at once; a window and a step are a row of lagged features.**
//!
//! ```text
//!     windows × steps ──► lagged features ──► trees ──► differences to the last value ──► forecasts
//!                         (`learning`)        (a model a target)
//! ```
//!
//! A direct forecast of many steps: how far ahead is a feature, so no forecast is made of forecasts. It learns from a bounded number of rows, evenly
//! spread over windows and steps, so it costs seconds on any dataset; validation decides when to stop. It makes the absolute error small,
//! as MASE is one, and forecasts one number: the middle. Without parameters it is the baseline `lightgbm`.

use std::time::Instant;

use learning::{
    Control, ForecastData, ForecastModel, Forecaster, Forecasts, Grid, IterationReport, LagFeatures, LearningError,
    Measured, Model, ModelFile, Panel, Shape, StepAhead, TrainingData, TrainingMoment, TrainingWatch, Window,
    spread_steps,
};
use serde::{Deserialize, Serialize};

use crate::{LightGbm, Objective, Parameters, TreeModel, TreesError};

/// Rows that a target's trees learn from at most.
const TRAINING_ROWS: usize = 200_000;

/// Rows that decide when to stop at most.
const VALIDATION_ROWS: usize = 50_000;

/// Rows that are forecast at once: what they take of memory is bounded.
const FORECAST_ROWS: usize = 1 << 16;

/// What stands between windows and rows.
const PREPROCESSING: &str = "preprocessing.json";

/// LightGBM on lagged features.
#[derive(Debug, Clone)]
pub struct LagForecaster {
    parameters: Parameters,
    season: Option<usize>,
}

/// The trees of each target, and what their rows are made of.
#[derive(Debug)]
pub struct LagForecastModel {
    preprocessing: LagPreprocessing,
    trees: Vec<TreeModel>,
    history: Vec<IterationReport>,
    best_iteration: usize,
}

/// How windows become rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LagPreprocessing {
    context: usize,
    horizon: usize,
    grid: Grid,
    /// Target by target.
    features: Vec<LagFeatures>,
}

impl LagForecaster {
    /// A learner. `season`: in steps; `None`: nothing is told of seasons. Without an objective, the absolute error.
    ///
    /// # Errors
    /// `ForecastObjective` for one that does not learn differences, or not their middle; a metric that does not fit the objective.
    pub fn new(mut parameters: Parameters, season: Option<usize>) -> Result<Self, TreesError> {
        let objective = *parameters.objective.get_or_insert(Objective::RegressionL1);
        let learns_the_middle = matches!(
            objective,
            Objective::Regression | Objective::RegressionL1 | Objective::Huber | Objective::Fair
        );
        if !learns_the_middle {
            return Err(TreesError::ForecastObjective {
                objective: objective.word(),
            });
        }
        LightGbm::new(parameters.clone(), 0)?;
        Ok(Self { parameters, season })
    }

    /// What it makes small.
    #[must_use]
    pub fn objective(&self) -> Objective {
        self.parameters.objective.unwrap_or(Objective::RegressionL1)
    }

    /// The trees of one target.
    fn fit_target(
        &self,
        data: &ForecastData<'_>,
        features: &LagFeatures,
        control: &mut dyn FnMut(&IterationReport) -> Control,
    ) -> Result<TreeModel, LearningError> {
        let labelled = |windows, most| features.labelled(data.panel, &spread_steps(windows, data.shape.horizon, most));
        let train = labelled(data.train, TRAINING_ROWS)?;
        if train.labels.is_empty() {
            return Err(LearningError::Label {
                label: features.target().to_owned(),
                reason: "no window of the training part has a value in its context and one ahead".to_owned(),
            });
        }
        let training = TrainingData {
            train,
            evaluations: vec![("validation".to_owned(), labelled(data.validation, VALIDATION_ROWS)?)],
            seed: data.seed,
            threads: data.threads,
        };
        Ok(LightGbm::new(self.parameters.clone(), 0)?.train(&training, control)?)
    }
}

impl Forecaster for LagForecaster {
    fn fit(&self, data: &ForecastData<'_>, watch: TrainingWatch<'_>) -> Result<Box<dyn ForecastModel>, LearningError> {
        let (started, targets) = (Instant::now(), data.panel.targets);
        let features: Vec<LagFeatures> = (0..targets).map(|at| LagFeatures::of(data, at, self.season)).collect();
        let (mut trees, mut history) = (Vec::new(), Vec::<IterationReport>::new());
        for (at, features) in features.iter().enumerate() {
            let mut tell = |report: &IterationReport| {
                let own = named(report, features.target(), targets);
                let all = IterationReport {
                    iteration: at * report.of + report.iteration,
                    of: targets * report.of,
                    elapsed: started.elapsed(),
                    measured: own.measured.clone(),
                };
                join(&mut history, own);
                watch(TrainingMoment::Iteration(&all))
            };
            trees.push(self.fit_target(data, features, &mut tell)?);
        }
        Ok(Box::new(LagForecastModel {
            preprocessing: LagPreprocessing {
                context: data.shape.context,
                horizon: data.shape.horizon,
                grid: data.panel.grid,
                features,
            },
            best_iteration: trees.iter().map(Model::best_iteration).max().unwrap_or_default(),
            trees,
            history,
        }))
    }
}

/// What one target says of an iteration: metrics under names that say the target, where there are several.
fn named(report: &IterationReport, target: &str, targets: usize) -> IterationReport {
    let mut named = report.clone();
    for Measured { metric, .. } in named.measured.iter_mut().filter(|_| targets > 1) {
        *metric = format!("{metric} of {target}");
    }
    named
}

/// Adds what one target says of an iteration to what those before it said of it.
fn join(history: &mut Vec<IterationReport>, report: IterationReport) {
    match history.get_mut(report.iteration.saturating_sub(1)) {
        Some(before) => before.measured.extend(report.measured),
        None => history.push(report),
    }
}

impl LagForecastModel {
    /// From the model's files.
    ///
    /// # Errors
    /// `Input` for bytes that are no such model; whatever `file` says.
    pub fn load<E: From<LearningError>>(
        threads: usize,
        mut file: impl FnMut(&str) -> Result<Vec<u8>, E>,
    ) -> Result<Self, E> {
        let broken = |name: &str, reason: String| LearningError::Input {
            problems: vec![format!("`{name}`: {reason}")],
        };
        let bytes = file(PREPROCESSING)?;
        let preprocessing: LagPreprocessing =
            serde_json::from_slice(&bytes).map_err(|error| broken(PREPROCESSING, error.to_string()))?;
        let mut trees = Vec::new();
        for at in 0..preprocessing.features.len() {
            let name = file_of(at);
            let text = String::from_utf8(file(&name)?).map_err(|error| broken(&name, error.to_string()))?;
            trees.push(TreeModel::from_text(text, threads).map_err(LearningError::from)?);
        }
        Ok(Self {
            best_iteration: trees.iter().map(Model::best_iteration).max().unwrap_or_default(),
            preprocessing,
            trees,
            history: Vec::new(),
        })
    }

    /// What each target is forecast to be at some steps ahead: [targets][steps].
    fn say(&self, panel: &Panel, asked: &[StepAhead]) -> Result<Vec<Vec<f32>>, LearningError> {
        let mut said = Vec::with_capacity(self.trees.len());
        for (features, trees) in self.preprocessing.features.iter().zip(&self.trees) {
            let rows = features.rows(panel, asked)?;
            let differences = trees.predict(&rows.matrix)?.into_iter().next().unwrap_or_default();
            let forecasts = differences.iter().zip(&rows.bases);
            said.push(
                forecasts
                    .map(|(difference, base)| (base.last + difference * base.scale) as f32)
                    .collect(),
            );
        }
        Ok(said)
    }
}

/// The file of a target's trees, by its place.
fn file_of(target: usize) -> String {
    format!("model_{}.txt", target + 1)
}

impl ForecastModel for LagForecastModel {
    fn levels(&self) -> &[f64] {
        &[]
    }

    fn shape(&self) -> Shape {
        Shape {
            context: self.preprocessing.context,
            horizon: self.preprocessing.horizon,
        }
    }

    fn grid(&self) -> Grid {
        self.preprocessing.grid
    }

    fn forecast(&self, panel: &Panel, windows: &[Window]) -> Result<Forecasts, LearningError> {
        let horizon = self.preprocessing.horizon;
        let mut values = Vec::with_capacity(windows.len() * horizon * self.trees.len());
        for some in windows.chunks((FORECAST_ROWS / horizon.max(1)).max(1)) {
            let steps = |window: &Window| {
                let window = *window;
                (1..=horizon).map(move |ahead| StepAhead { window, ahead })
            };
            let asked: Vec<StepAhead> = some.iter().flat_map(steps).collect();
            let said = self.say(panel, &asked)?;
            for at in 0..asked.len() {
                values.extend(
                    said.iter()
                        .map(|of_target| of_target.get(at).copied().unwrap_or(f32::NAN)),
                );
            }
        }
        Ok(Forecasts::unexplained(values, windows.len()))
    }

    fn files(&self) -> Result<Vec<ModelFile>, LearningError> {
        let bytes = serde_json::to_vec_pretty(&self.preprocessing).map_err(|error| LearningError::Input {
            problems: vec![format!("`{PREPROCESSING}`: {error}")],
        })?;
        let mut files = vec![ModelFile {
            name: PREPROCESSING.to_owned(),
            bytes,
        }];
        for (at, trees) in self.trees.iter().enumerate() {
            let own = trees.files()?.into_iter().map(|file| ModelFile {
                name: file_of(at),
                bytes: file.bytes,
            });
            files.extend(own);
        }
        Ok(files)
    }

    fn best_iteration(&self) -> usize {
        self.best_iteration
    }

    fn history(&self) -> &[IterationReport] {
        &self.history
    }
}
