//! From a panel and windows to a model.

use std::time::Instant;

use burn::backend::{Autodiff, Flex};
use burn::module::AutodiffModule;
use learning::{
    Control, ForecastData, ForecastModel, Forecaster, IterationReport, LearningError, Measured, TrainingMoment,
    TrainingWatch,
};

use super::model::{Config, TftModel};
use super::parameters::Parameters;
use super::preparation::{Preparation, windows};
use crate::TftError;
use crate::data::Gathering;
use crate::data::Shape;
use crate::model::Architecture;
use crate::train::{self, Checkpoint, Material, Moment, Report};

/// Where it trains: on the processor.
type Training = Autodiff<Flex>;

/// The transformer with its parameters.
#[derive(Debug, Clone)]
pub struct TftLearner {
    parameters: Parameters,
}

impl TftLearner {
    /// A learner.
    #[must_use]
    pub fn new(parameters: Parameters) -> Self {
        Self { parameters }
    }

    fn learn(&self, data: &ForecastData<'_>, watch: TrainingWatch<'_>) -> Result<TftModel, LearningError> {
        let Parameters {
            hidden,
            heads,
            dropout,
            scaling,
            ref settings,
            ..
        } = self.parameters;
        let (preparation, kinds, panel) = Preparation::fit(data.panel, data.train_part, scaling, data.seed)?;
        let architecture = Architecture {
            fixed: kinds.fixed,
            known: kinds.known,
            observed: kinds.observed,
            targets: data.panel.targets,
            context: data.shape.context,
            horizon: data.shape.horizon,
            width: hidden,
            heads,
            dropout,
            outputs: settings.loss.outputs(),
        };
        let shape = Shape {
            context: architecture.context,
            horizon: architecture.horizon,
        };
        let (train, validation) = (windows(data.panel, data.train)?, windows(data.panel, data.validation)?);
        let material = Material {
            architecture: &architecture,
            settings,
            gathering: Gathering::new(&panel, &preparation.scalers, shape, architecture.targets),
            train: &train,
            validation: &validation,
            data_identity: data.data_identity,
            seed: data.seed,
            loading_threads: usize::from(data.threads > 1),
            checkpoint: data.checkpoint.clone(),
        };
        let from = data.resume.as_deref().map(Checkpoint::read).transpose()?;
        let started = Instant::now();
        let iteration = |report: &Report| iteration_of(report, started);
        let fitted = train::fit::<Training>(&material, from, &Default::default(), &mut |moment| {
            let wish = match moment {
                Moment::Step { step, of, .. } => watch(TrainingMoment::Step { step, of }),
                Moment::Epoch(report) => watch(TrainingMoment::Iteration(&iteration(report))),
            };
            match wish {
                Control::Continue => train::Control::Continue,
                Control::Stop => train::Control::Stop,
            }
        })?;
        let last = fitted.checkpoint.progress.epoch;
        let best = fitted
            .checkpoint
            .progress
            .early_stopping
            .best
            .map_or(last, |(_, epoch)| epoch);
        Ok(TftModel::new(
            fitted.network.valid(),
            Config {
                loss: settings.loss.clone(),
                architecture,
            },
            preparation,
            fitted.history.iter().map(iteration).collect(),
            usize::try_from(best).unwrap_or(usize::MAX),
            data.threads,
        ))
    }
}

impl Forecaster for TftLearner {
    fn fit(&self, data: &ForecastData<'_>, watch: TrainingWatch<'_>) -> Result<Box<dyn ForecastModel>, LearningError> {
        if data.train.is_empty() {
            return Err(TftError::NoWindows {
                wanted: data.shape.horizon + 1,
                found: longest(data.panel),
            }
            .into());
        }
        let model = in_threads(data.threads, || self.learn(data, watch))??;
        Ok(Box::new(model))
    }
}

fn longest(panel: &learning::Panel) -> usize {
    let lengths = (0..panel.names.len()).map(|entity| panel.series(entity).0.len());
    lengths.max().unwrap_or_default()
}

/// Does work on so many threads.
pub(super) fn in_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> Result<T, TftError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build();
    let pool = pool.map_err(|error| TftError::Device {
        what: "threads",
        said: error.to_string(),
    })?;
    Ok(pool.install(work))
}

fn iteration_of(report: &Report, started: Instant) -> IterationReport {
    let measured = |set: &str, metric: &str, value: f64| Measured {
        set: set.to_owned(),
        metric: metric.to_owned(),
        value,
    };
    let mut all = Vec::new();
    all.extend(report.validation_loss.map(|loss| measured("validation", "loss", loss)));
    all.push(measured("train", "loss", report.train_loss));
    all.push(measured("train", "learning_rate", report.rate));
    all.push(measured("train", "gradient_norm", report.gradient_norm));
    IterationReport {
        iteration: usize::try_from(report.epoch).unwrap_or(usize::MAX),
        of: usize::try_from(report.of).unwrap_or(usize::MAX),
        elapsed: started.elapsed(),
        measured: all,
    }
}
