//! Several trainings, one after the other, told as one.
//!
//! ```text
//!     steps        |──── member 1 ────|──── member 2 ────|──── member 3 ────|     counted through
//!     checkpoints  run.safetensors     run.member-2.…     run.member-3.…
//! ```
//!
//! Each training keeps a checkpoint of its own, the first where the run keeps its. Gone on from it: a training that ended is read, not done
//! again; the one under way goes on; those after it begin. So the run comes to the same bytes as if it had never stopped.

use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::backend::Flex;
use learning::{Control, ForecastData, IterationReport, LearningError, Measured, TrainingMoment, TrainingWatch};

use super::device::Device;
use super::recorder::Recorder;
use super::weighing::weigh;
use crate::data::{Gathering, Window};
use crate::model::{Architecture, TemporalFusionTransformer};
use crate::train::{self, Checkpoint, Material, Moment, Report, Settings};

/// A training that there will be.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    /// What it is called beside others: `member 2`.
    pub name: String,
    /// Epochs at most.
    pub epochs: u64,
    /// Steps at most.
    pub steps: u64,
}

impl Planned {
    /// A training with these settings on so many windows.
    pub fn new(name: impl Into<String>, settings: &Settings, windows: usize) -> Self {
        Self {
            name: name.into(),
            epochs: settings.epochs,
            steps: train::steps(settings, windows),
        }
    }
}

/// What a training is of.
#[derive(Debug)]
pub(super) struct Lesson<'a> {
    pub architecture: &'a Architecture,
    pub settings: &'a Settings,
    pub gathering: Gathering<'a>,
    pub train: &'a [Window],
    pub validation: &'a [Window],
    pub seed: u64,
}

impl Lesson<'_> {
    /// What a training of it is given; checkpoints are kept there.
    pub fn material<'m>(&'m self, data: &'m ForecastData<'_>, checkpoint: Option<PathBuf>) -> Material<'m> {
        Material {
            architecture: self.architecture,
            settings: self.settings,
            gathering: self.gathering.clone(),
            train: self.train,
            validation: self.validation,
            data_identity: data.data_identity,
            seed: self.seed,
            loading_threads: usize::from(data.threads > 1),
            checkpoint,
        }
    }
}

/// What came of a training.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    /// With the best weights.
    pub network: TemporalFusionTransformer<Flex>,
    /// The validation loss of the best weights; `None`: there was nothing to validate on.
    pub loss: Option<f64>,
    /// The epoch of these weights, counted through all trainings.
    pub best_iteration: u64,
}

/// Trainings under way.
pub(super) struct Course<'a, 'w> {
    pub data: &'a ForecastData<'a>,
    device: Device,
    watch: TrainingWatch<'w>,
    planned: Vec<Planned>,
    begun: usize,
    /// Epochs of the trainings that ended.
    iterations: u64,
    started: Instant,
    /// Whether someone wished to stop: then no other training begins.
    pub is_stopped: bool,
    /// What was measured after each epoch, also of those before it was gone on from.
    pub history: Vec<IterationReport>,
}

impl<'a, 'w> Course<'a, 'w> {
    /// Trainings in the order in which they will be done.
    pub fn new(data: &'a ForecastData<'a>, device: Device, watch: TrainingWatch<'w>, planned: Vec<Planned>) -> Self {
        if let (None, Some(first)) = (&data.resume, &data.checkpoint) {
            for later in planned.iter().skip(1) {
                // Of a run before this one; where there is none, nothing is lost.
                drop(std::fs::remove_file(beside(first, &later.name)));
            }
        }
        Self {
            data,
            device,
            watch,
            planned,
            begun: 0,
            iterations: 0,
            started: Instant::now(),
            is_stopped: false,
            history: Vec::new(),
        }
    }

    /// Does the next training.
    ///
    /// # Errors
    /// Settings or data that it cannot learn with; a checkpoint of another run; files that cannot be read or written.
    pub fn train(&mut self, lesson: &Lesson<'_>) -> Result<Ended, LearningError> {
        let checkpoint = self.data.checkpoint.as_deref().map(|first| self.place(first));
        let material = lesson.material(self.data, checkpoint);
        let from = self.checkpoint().as_deref().map(Checkpoint::read).transpose()?;
        let steps = self.planned.iter().map(|training| training.steps);
        let (steps_before, steps_of) = (steps.clone().take(self.begun).sum::<u64>(), steps.sum());
        let telling = self.telling();
        let mut recorder = Recorder::open(self.data.telemetry.as_deref(), &self.file_name(), self.started)?;
        let (watch, is_stopped) = (&mut *self.watch, &mut self.is_stopped);
        let fitted = self.device.fit(&material, from, &mut |moment| {
            if !recorder.record(&moment) {
                return train::Control::Stop;
            }
            let wish = match moment {
                Moment::Step { step, .. } => watch(TrainingMoment::Step {
                    step: steps_before + step,
                    of: steps_of,
                }),
                Moment::Epoch(report) => watch(TrainingMoment::Iteration(&telling.iteration(report))),
            };
            match wish {
                Control::Continue => train::Control::Continue,
                Control::Stop => {
                    *is_stopped = true;
                    train::Control::Stop
                }
            }
        })?;
        recorder.error()?;
        let progress = &fitted.checkpoint.progress;
        self.history
            .extend(progress.history.iter().map(|report| telling.iteration(report)));
        let best = progress.early_stopping.best;
        let ended = Ended {
            network: fitted.network,
            loss: best.map(|(loss, _)| loss),
            best_iteration: self.iterations + best.map_or(progress.epoch, |(_, epoch)| epoch),
        };
        if recorder.is_on() && !self.is_stopped {
            let counts = weigh(lesson, &ended.network, self.data.threads)?;
            recorder.importances(lesson.architecture, &counts, progress.step)?;
        }
        self.iterations += progress.epoch;
        self.begun += 1;
        Ok(ended)
    }

    /// The next training's name in files; empty for the only one.
    fn file_name(&self) -> String {
        let several = self.planned.get(self.begun).filter(|_| self.planned.len() > 1);
        several
            .map(|training| training.name.replace(' ', "-"))
            .unwrap_or_default()
    }

    /// The next training's checkpoint, beside the first's.
    fn place(&self, first: &Path) -> PathBuf {
        match self.planned.get(self.begun) {
            Some(training) if self.begun > 0 => beside(first, &training.name),
            _ => first.to_owned(),
        }
    }

    /// What the next training goes on from; `None`: it begins.
    fn checkpoint(&self) -> Option<PathBuf> {
        let place = self.data.resume.as_deref().map(|first| self.place(first));
        // The first must be there, the others are once they have begun.
        place.filter(|place| self.begun == 0 || place.exists())
    }

    fn telling(&self) -> Telling {
        let several = self.planned.get(self.begun).filter(|_| self.planned.len() > 1);
        let later = self.planned.iter().skip(self.begun + 1);
        Telling {
            set: several.map(|of| format!("{}: ", of.name)).unwrap_or_default(),
            before: self.iterations,
            after: later.map(|training| training.epochs).sum(),
            started: self.started,
        }
    }
}

/// How a training is told among others.
struct Telling {
    set: String,
    before: u64,
    after: u64,
    started: Instant,
}

impl Telling {
    fn iteration(&self, report: &Report) -> IterationReport {
        let measured = |set: &str, metric: &str, value: f64| Measured {
            set: format!("{}{set}", self.set),
            metric: metric.to_owned(),
            value,
        };
        let mut all = Vec::new();
        all.extend(report.validation_loss.map(|loss| measured("validation", "loss", loss)));
        all.push(measured("train", "loss", report.train_loss));
        all.push(measured("train", "learning_rate", report.rate));
        all.push(measured("train", "gradient_norm", report.gradient_norm));
        let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        IterationReport {
            iteration: whole(self.before + report.epoch),
            of: whole(self.before.saturating_add(report.of).saturating_add(self.after)),
            elapsed: self.started.elapsed(),
            measured: all,
        }
    }
}

/// The checkpoint of a training beside that of the first.
fn beside(first: &Path, name: &str) -> PathBuf {
    let stem = first.file_stem().unwrap_or_default().to_string_lossy();
    first.with_file_name(format!("{stem}.{}.safetensors", name.replace(' ', "-")))
}
