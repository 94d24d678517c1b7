//! The loop: gather, forward, backward, clip, step; after every epoch measure, tell, perhaps stop.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use burn::tensor::ElementConversion;
use burn::tensor::backend::AutodiffBackend;
use serde::{Deserialize, Deserializer, Serialize};

use super::checkpoint::{Checkpoint, Progress};
use super::early_stopping::Verdict;
use super::engine::{Engine, Gradient, State, on_device, on_host};
use super::flat;
use super::settings::Settings;
use crate::TftError;
use crate::data::{Batch, Gathering, Loading, Sampling, Shape, Window, load};
use crate::kernels::{Kernels, OnProcessor};
use crate::loss::{Loss, LossSum};
use crate::model::{Architecture, Draws, Pass, TemporalFusionTransformer};
use crate::random::mix;

/// Everything that a run is of.
#[derive(Debug, Clone)]
pub struct Material<'a> {
    /// The network's shape.
    pub architecture: &'a Architecture,
    /// How it is trained.
    pub settings: &'a Settings,
    /// Where training windows are gathered from.
    pub gathering: Gathering<'a>,
    /// Training windows.
    pub train: &'a [Window],
    /// Validation windows; empty: training stops after its epochs, and the last weights count.
    pub validation: &'a [Window],
    /// A name for the data: a checkpoint of other data is not gone on from.
    pub data_identity: &'a str,
    /// The seed of everything drawn at random.
    pub seed: u64,
    /// Threads that gather batches ahead; the result does not depend on it.
    pub loading_threads: usize,
    /// Where checkpoints are written; `None`: nowhere.
    pub checkpoint: Option<PathBuf>,
}

/// What an epoch came to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Epochs done.
    pub epoch: u64,
    /// Epochs there will be at most.
    pub of: u64,
    /// Steps done.
    pub step: u64,
    /// The mean training loss of the epoch, of the weights as they were at each step.
    pub train_loss: f64,
    /// The mean validation loss after the epoch; `None`: nothing to validate on.
    pub validation_loss: Option<f64>,
    /// The learning rate of the last step.
    pub rate: f64,
    /// The gradient's norm at the last step, before clipping.
    #[serde(deserialize_with = "any_number")]
    pub gradient_norm: f64,
}

/// A number; JSON has none that is not finite.
pub(super) fn any_number<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(from)?.unwrap_or(f64::NAN))
}

/// When a run says how far it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Moment<'a> {
    /// After a step.
    Step {
        /// Steps done.
        step: u64,
        /// Steps there will be at most.
        of: u64,
        /// The step's windows.
        windows: usize,
        /// The learning rate of the step.
        rate: f64,
        /// The mean loss of the step's windows; `None`: asking would wait for a device.
        loss: Option<f64>,
        /// The gradient's norm before clipping; `None`: the same.
        gradient_norm: Option<f64>,
    },
    /// After an epoch.
    Epoch(&'a Report),
}

/// Whether training goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// It does.
    Continue,
    /// It does, after a checkpoint: whoever asks knows what time it is.
    Save,
    /// It stops here, also within an epoch, keeping what it has: the checkpoint goes on from here.
    Stop,
}

/// A trained network.
#[derive(Debug, Clone)]
pub struct Fitted<B: AutodiffBackend> {
    /// With the best epoch's weights, or the last's without validation.
    pub network: TemporalFusionTransformer<B>,
    /// Every epoch of this call; those before it stand in the checkpoint, too.
    pub history: Vec<Report>,
    /// Where the run was when it ended; what to go on from.
    pub checkpoint: Checkpoint,
}

/// Trains from the beginning, or from a checkpoint of the same run.
///
/// # Errors
/// Settings, an architecture or a checkpoint that cannot be used; a loss that is not a number; files that cannot be written.
pub fn fit<B>(
    material: &Material<'_>,
    from: Option<Checkpoint>,
    device: &B::Device,
    control: &mut dyn FnMut(Moment<'_>) -> Control,
) -> Result<Fitted<B>, TftError>
where
    B: AutodiffBackend + Kernels,
    B::InnerBackend: Kernels,
{
    material.settings.check()?;
    let mut run = Run::<B>::new(material, from, device)?;
    let mut history = Vec::new();
    while run.progress.epoch < material.settings.epochs && !run.is_out_of_patience() {
        if run.epoch(control)? == Control::Stop {
            run.write_checkpoint()?;
            break;
        }
        let (report, verdict) = run.end_epoch()?;
        run.keep_best(report.validation_loss)?;
        run.write_checkpoint()?;
        let wish = control(Moment::Epoch(&report));
        history.push(report);
        if wish == Control::Stop || verdict == Verdict::Stop {
            break;
        }
    }
    let checkpoint = run.checkpoint()?;
    let weights = if checkpoint.best.is_empty() || material.validation.is_empty() {
        run.engine.weights()?
    } else {
        checkpoint.best.clone()
    };
    Ok(Fitted {
        network: flat::replace(run.network, &on_device(&weights, device)),
        history,
        checkpoint,
    })
}

/// A run between two steps.
struct Run<'a, B: AutodiffBackend> {
    material: &'a Material<'a>,
    device: B::Device,
    /// As it was drawn: weights lie in the engine.
    network: TemporalFusionTransformer<B>,
    engine: Engine<B>,
    best: Vec<f32>,
    progress: Progress,
}

/// Losses that may wait to be read: few enough to see soon that a loss is not a number.
const MOST_PENDING: usize = 32;

impl<'a, B> Run<'a, B>
where
    B: AutodiffBackend + Kernels,
    B::InnerBackend: Kernels,
{
    fn new(material: &'a Material<'a>, from: Option<Checkpoint>, device: &B::Device) -> Result<Self, TftError> {
        let network = TemporalFusionTransformer::<B>::new(material.architecture, material.seed, device)?;
        let shape = Shape {
            context: material.architecture.context,
            horizon: material.architecture.horizon,
        };
        let mut run = Self {
            device: device.clone(),
            engine: Engine::new(&network, material.settings.optimiser, shape, device)?,
            best: Vec::new(),
            progress: Progress {
                identity: identity(material)?,
                ..Progress::default()
            },
            material,
            network,
        };
        if let Some(checkpoint) = from {
            run.resume(checkpoint)?;
        }
        Ok(run)
    }

    fn resume(&mut self, from: Checkpoint) -> Result<(), TftError> {
        if from.progress.identity != self.progress.identity {
            let reason = "it is of another architecture, other settings, data or another seed".to_owned();
            return Err(TftError::Checkpoint { reason });
        }
        self.engine.restore(State {
            parameters: from.parameters,
            first_moment: from.first_moment,
            second_moment: from.second_moment,
            average: from.average,
            steps: from.progress.step,
            norm: from.progress.gradient_norm,
        })?;
        self.best = from.best;
        self.progress = from.progress;
        Ok(())
    }

    /// Whether the run ended before, because nothing was to be gained.
    fn is_out_of_patience(&self) -> bool {
        let waited = self.progress.early_stopping.waited;
        self.material
            .settings
            .patience
            .is_some_and(|patience| waited > 0 && waited >= patience)
    }

    /// What is left of the epoch.
    fn epoch(&mut self, control: &mut dyn FnMut(Moment<'_>) -> Control) -> Result<Control, TftError> {
        let (material, settings) = (self.material, self.material.settings);
        let sampling = self.sampling();
        let order = sampling.order(self.progress.epoch, material.train.len());
        let micro = settings.micro_batches.max(1);
        let size = settings.batch_size.div_ceil(micro);
        let pieces = order.len().div_ceil(size);
        let gathering = material
            .gathering
            .clone()
            .forgetting(settings.unknown_share, mix(material.seed, 1));
        let loading = Loading {
            gathering: &gathering,
            windows: material.train,
            order: &order,
            batch: size,
            batches: self.progress.position as usize * micro..pieces,
            draw: self.progress.epoch.wrapping_mul(pieces as u64),
            threads: material.loading_threads,
        };
        let mut sum: Option<Gradient<B::InnerBackend>> = None;
        let (of, mut wish) = (self.steps(), Control::Continue);
        load(&loading, |number, batch| {
            let piece = self.piece(batch, number % micro)?;
            let gradient = match sum.take() {
                None => piece,
                Some(before) => before.and(piece),
            };
            if number % micro + 1 < micro && number + 1 < pieces {
                sum = Some(gradient);
                return Ok(ControlFlow::Continue(()));
            }
            let rate = self.rate();
            let windows = step_windows(order.len(), settings.batch_size, self.progress.position);
            self.step(gradient)?;
            let (loss, gradient_norm) = self.engine.last().unzip();
            wish = control(Moment::Step {
                step: self.progress.step,
                of,
                windows,
                rate,
                loss,
                gradient_norm,
            });
            if wish == Control::Save {
                self.write_checkpoint()?;
            }
            Ok(match wish {
                Control::Continue | Control::Save => ControlFlow::Continue(()),
                Control::Stop => ControlFlow::Break(()),
            })
        })?;
        Ok(wish)
    }

    /// Steps of the run at most.
    fn steps(&self) -> u64 {
        steps(self.material.settings, self.material.train.len())
    }

    fn sampling(&self) -> Sampling {
        sampling(self.material.settings, self.material.seed)
    }

    /// The gradient of the summed loss of a piece of a batch.
    fn piece(&mut self, batch: &Batch, piece: usize) -> Result<Gradient<B::InnerBackend>, TftError> {
        let draws = Draws::of_step(mix(self.material.seed, 3), self.progress.step).part(piece as u64);
        self.engine
            .gradient(batch, Pass::Train(draws), &self.material.settings.loss)
    }

    fn step(&mut self, gradient: Gradient<B::InnerBackend>) -> Result<(), TftError> {
        let settings = self.material.settings;
        self.engine.step(gradient, self.rate(), settings.gradient_clip)?;
        self.progress.step += 1;
        self.progress.position += 1;
        if let Some(share) = settings.averaging.after_step(self.progress.step) {
            self.engine.average(share);
        }
        if self.engine.pending() >= MOST_PENDING {
            self.read_losses()?;
        }
        match settings.checkpoint_every {
            Some(every) if self.progress.step.is_multiple_of(every.max(1)) => self.write_checkpoint(),
            _ => Ok(()),
        }
    }

    fn rate(&self) -> f64 {
        let settings = self.material.settings;
        settings.learning_rate
            * settings
                .schedule
                .factor(self.progress.step, self.steps(), &self.progress.plateau)
    }

    /// Adds what the device has computed, step by step.
    fn read_losses(&mut self) -> Result<(), TftError> {
        let losses = self.engine.take_losses();
        let first = self.progress.step + 1 - losses.len() as u64;
        for (step, (sum, known)) in (first..).zip(losses) {
            if !sum.is_finite() {
                return Err(TftError::NotFinite { what: "loss", step });
            }
            self.progress.loss_sum += sum;
            self.progress.loss_known += known;
        }
        Ok(())
    }

    fn end_epoch(&mut self) -> Result<(Report, Verdict), TftError> {
        self.read_losses()?;
        let (material, settings) = (self.material, self.material.settings);
        let rate = self.rate();
        if let Some(share) = settings.averaging.after_epoch(self.progress.epoch + 1, settings.epochs) {
            self.engine.average(share);
        }
        let weights = self.engine.weights()?;
        let validation_loss = if material.validation.is_empty() {
            None
        } else {
            let network = flat::replace(self.network.clone(), &on_device(&weights, &self.device));
            Some(evaluate(&network, material, &self.device)?)
        };
        let train_loss = self.progress.loss_sum / self.progress.loss_known.max(1.0);
        self.progress.epoch += 1;
        self.progress.position = 0;
        (self.progress.loss_sum, self.progress.loss_known) = (0.0, 0.0);
        let mut verdict = Verdict::Wait;
        if let Some(loss) = validation_loss {
            let stopping = &mut self.progress.early_stopping;
            verdict = stopping.after_epoch(self.progress.epoch, loss, settings.min_delta, settings.patience);
            settings.schedule.after_epoch(loss, &mut self.progress.plateau);
            if verdict == Verdict::Better {
                self.best = weights;
            }
        }
        let report = Report {
            epoch: self.progress.epoch,
            of: settings.epochs,
            step: self.progress.step,
            train_loss,
            validation_loss,
            rate,
            gradient_norm: self.engine.norm(),
        };
        self.progress.history.push(report);
        Ok((report, verdict))
    }

    fn checkpoint(&mut self) -> Result<Checkpoint, TftError> {
        self.read_losses()?;
        let state = self.engine.state()?;
        Ok(Checkpoint {
            progress: Progress {
                gradient_norm: state.norm,
                ..self.progress.clone()
            },
            parameters: state.parameters,
            first_moment: state.first_moment,
            second_moment: state.second_moment,
            average: state.average,
            best: self.best.clone(),
        })
    }

    /// Keeps the checkpoint of an epoch that is among the best, and no more of them than are asked for.
    fn keep_best(&mut self, loss: Option<f64>) -> Result<(), TftError> {
        let (Some(loss), Some(last)) = (loss, self.material.checkpoint.clone()) else {
            return Ok(());
        };
        let (epoch, most) = (self.progress.epoch, self.material.settings.keep_checkpoints);
        let kept = &mut self.progress.kept;
        kept.push((loss, epoch));
        kept.sort_by(|(one, epoch), (other, later)| one.total_cmp(other).then(epoch.cmp(later)));
        let left_out = kept.split_off(most.min(kept.len()));
        if !left_out.iter().any(|(_, left)| *left == epoch) {
            self.checkpoint()?.write(&epoch_path(&last, epoch))?;
        }
        for (_, left) in left_out.iter().filter(|(_, left)| *left != epoch) {
            // What someone else took away is away.
            let _ = std::fs::remove_file(epoch_path(&last, *left));
        }
        Ok(())
    }

    fn write_checkpoint(&mut self) -> Result<(), TftError> {
        match self.material.checkpoint.clone() {
            Some(path) => self.checkpoint()?.write(&path),
            None => Ok(()),
        }
    }
}

/// Windows of a step of an epoch.
fn step_windows(of_epoch: usize, batch: usize, position: u64) -> usize {
    let before = usize::try_from(position).unwrap_or(usize::MAX).saturating_mul(batch);
    of_epoch.saturating_sub(before).min(batch)
}

/// Steps of a run on so many training windows, at most.
#[must_use]
pub fn steps(settings: &Settings, windows: usize) -> u64 {
    let each = sampling(settings, 0).batches(windows) as u64;
    settings.epochs.saturating_mul(each)
}

fn sampling(settings: &Settings, seed: u64) -> Sampling {
    Sampling {
        seed: mix(seed, 2),
        batch: settings.batch_size,
        limit: settings.windows_per_epoch,
    }
}

/// The file of an epoch's checkpoint, beside the last one's.
#[must_use]
pub fn epoch_path(last: &Path, epoch: u64) -> PathBuf {
    let stem = last.file_stem().unwrap_or_default().to_string_lossy();
    let extension = last
        .extension()
        .map(|extension| format!(".{}", extension.to_string_lossy()))
        .unwrap_or_default();
    last.with_file_name(format!("{stem}.epoch-{epoch:05}{extension}"))
}

/// The mean loss over the validation windows.
///
/// # Errors
/// Windows that do not fit the network.
pub fn evaluate<B>(
    network: &TemporalFusionTransformer<B>,
    material: &Material<'_>,
    device: &B::Device,
) -> Result<f64, TftError>
where
    B: AutodiffBackend + Kernels,
    B::InnerBackend: Kernels,
{
    use burn::module::AutodiffModule;
    let mut own = own_network::<B>(network)?;
    let network = network.valid();
    let shape = Shape {
        context: material.architecture.context,
        horizon: material.architecture.horizon,
    };
    let order: Vec<u32> = (0..material.validation.len() as u32).collect();
    let size = material.settings.batch_size.max(1);
    let loading = Loading {
        gathering: &material.gathering,
        windows: material.validation,
        order: &order,
        batch: size,
        batches: 0..order.len().div_ceil(size),
        draw: 0,
        threads: material.loading_threads,
    };
    let (mut sum, mut known) = (0.0, 0.0);
    load(&loading, |_, batch| {
        if let Some((own, weights)) = &mut own {
            let loss = own.loss(weights, batch, &material.settings.loss);
            let (of_batch, known_of_batch) = loss.ok_or(TftError::Columns { kind: "past" })?;
            (sum, known) = (sum + of_batch, known + known_of_batch);
            return Ok(ControlFlow::Continue(()));
        }
        let loss = loss_of(&network, &material.settings.loss, batch, shape, device)?;
        sum += loss.sum.into_scalar().elem::<f64>();
        known += loss.known.into_scalar().elem::<f64>();
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(sum / known.max(1.0))
}

/// The network as own code, with its weights, where it is run by processors.
fn own_network<B>(network: &TemporalFusionTransformer<B>) -> Result<Option<(OnProcessor, Vec<f32>)>, TftError>
where
    B: AutodiffBackend,
    B::InnerBackend: Kernels,
{
    let is_processor = B::InnerBackend::IS_PROCESSOR;
    let own = is_processor.then(|| OnProcessor::new(network)).flatten();
    Ok(match (own, flat::parameters(network)) {
        (Some(own), Some(parameters)) => Some((own, on_host(&parameters, "parameters")?)),
        _ => None,
    })
}

fn loss_of<B: Kernels>(
    network: &TemporalFusionTransformer<B>,
    loss: &Loss,
    batch: &Batch,
    shape: Shape,
    device: &B::Device,
) -> Result<LossSum<B>, TftError> {
    let tensors = batch.tensors::<B>(shape, device);
    let forecast = network.forward(tensors.windows, Pass::Predict)?.forecast;
    Ok(loss.sum(forecast, tensors.targets.values, tensors.targets.known))
}

/// What a run is of, so that a checkpoint of another is not gone on from.
fn identity(material: &Material<'_>) -> Result<String, TftError> {
    let parts = (
        material.architecture,
        material.settings,
        material.data_identity,
        material.seed,
    );
    serde_json::to_string(&parts).map_err(|error| TftError::Checkpoint {
        reason: error.to_string(),
    })
}
