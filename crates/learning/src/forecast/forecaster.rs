//! The interface of everything that learns to forecast, and of what comes of it.

use std::path::PathBuf;

use super::grid::Grid;
use super::notes::TrainingNote;
use super::panel::Panel;
use super::weights::Explanation;
use super::windows::{PartNumber, Shape, Window};
use crate::{Control, IterationReport, LearningError, ModelFile};

/// What a forecaster is given.
#[derive(Debug, Clone)]
pub struct ForecastData<'a> {
    /// The series.
    pub panel: &'a Panel,
    /// How far windows look.
    pub shape: Shape,
    /// The part whose rows may be learned from: scales are fitted on them alone.
    pub train_part: PartNumber,
    /// What it learns from.
    pub train: &'a [Window],
    /// What it is measured on while it learns; decides when to stop. Empty: nothing does.
    pub validation: &'a [Window],
    /// The seed of everything drawn at random.
    pub seed: u64,
    /// Threads to use; the result does not depend on it.
    pub threads: usize,
    /// A name for the data: a checkpoint of other data is not gone on from.
    pub data_identity: &'a str,
    /// Where it may keep how far it is, to go on from; `None`: nowhere.
    pub checkpoint: Option<PathBuf>,
    /// Where it goes on from; `None`: it begins.
    pub resume: Option<PathBuf>,
    /// A folder for what it tells meanwhile, step by step; `None`: nowhere. What it learns does not depend on it.
    pub telemetry: Option<PathBuf>,
}

/// When a forecaster says how far it has come.
#[derive(Debug, Clone, Copy)]
pub enum TrainingMoment<'a> {
    /// After a step: a batch of windows.
    Step {
        /// Steps done.
        step: u64,
        /// Steps there will be at most.
        of: u64,
    },
    /// After an iteration: an epoch.
    Iteration(&'a IterationReport),
}

/// Told how far a forecaster has come; says whether it goes on.
pub type TrainingWatch<'a> = &'a mut (dyn FnMut(TrainingMoment<'_>) -> Control + Send);

/// Something that learns to forecast.
pub trait Forecaster {
    /// Learns, saying how far it has come; `watch` may stop it.
    ///
    /// # Errors
    /// Parameters or data that it cannot learn with.
    fn fit(&self, data: &ForecastData<'_>, watch: TrainingWatch<'_>) -> Result<Box<dyn ForecastModel>, LearningError>;
}

/// What came of learning.
pub trait ForecastModel: Send {
    /// The levels of the quantiles that it forecasts, ascending; empty: it forecasts one number.
    fn levels(&self) -> &[f64];
    /// How far it looks.
    fn shape(&self) -> Shape;
    /// How times become steps.
    fn grid(&self) -> Grid;
    /// Forecasts windows of a panel with the variables that it learned from, in the targets' own units.
    ///
    /// # Errors
    /// A panel with other variables.
    fn forecast(&self, panel: &Panel, windows: &[Window]) -> Result<Forecasts, LearningError>;
    /// The files that the model is, the same bytes every time.
    ///
    /// # Errors
    /// When the learner fails.
    fn files(&self) -> Result<Vec<ModelFile>, LearningError>;
    /// The iteration that the model keeps, from 1.
    fn best_iteration(&self) -> usize;
    /// What was measured after each iteration; empty for a model that was loaded.
    fn history(&self) -> &[IterationReport];
    /// What should be said of how it learned; empty for a model that was loaded.
    fn notes(&self) -> &[TrainingNote] {
        &[]
    }
}

/// Forecasts of windows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Forecasts {
    /// [windows, horizon, targets, levels], in the targets' own units; levels ascend.
    pub values: Vec<f32>,
    /// Forecasts (a target of a window at a step) whose quantiles had crossed before they were sorted.
    pub crossed: u64,
    /// What they rest on.
    pub explanation: Explanation,
}

impl Forecasts {
    /// Of so many windows, by a model that does not say what they rest on.
    #[must_use]
    pub fn unexplained(values: Vec<f32>, windows: usize) -> Self {
        Self {
            values,
            crossed: 0,
            explanation: Explanation {
                windows: windows as u64,
                ..Explanation::default()
            },
        }
    }

    /// Of several outputs for each target and step, the one that stands for the whole: the level nearest to a half.
    #[must_use]
    pub fn middle(levels: &[f64]) -> usize {
        let far = |level: &f64| (level - 0.5).abs();
        let nearest = levels
            .iter()
            .enumerate()
            .min_by(|one, other| far(one.1).total_cmp(&far(other.1)));
        nearest.map_or(0, |(at, _)| at)
    }
}
