//! What computes gradients and steps: own code in memory on processors, a graph of Burn's elsewhere.
//!
//! Both hold the parameters in one flat buffer. On a device, nothing waits for it within a step: losses and norms are read when they are
//! asked for. Only AdamW runs there; other optimisers fetch the gradient.

use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{ElementConversion, Tensor, TensorData};

use super::flat;
use super::graph::one_graph;
use super::optimiser::{AdamW, Optimiser};
use super::stepping::{Stepping, blend};
use crate::TftError;
use crate::data::{Batch, Shape};
use crate::kernels::{Kernels, LossGradient, OnProcessor};
use crate::loss::{Loss, LossSum};
use crate::model::{Pass, TemporalFusionTransformer, parameter_names};

/// What computes.
#[derive(Debug)]
pub(super) enum Engine<B: AutodiffBackend> {
    /// In memory.
    Processor(Box<Processor>),
    /// On a device.
    Device(Box<OnDevice<B>>),
}

#[derive(Debug)]
pub(super) struct Processor {
    own: OnProcessor,
    parameters: Vec<f32>,
    stepping: Stepping,
    average: Vec<f32>,
    losses: Vec<(f64, f64)>,
    loss: f64,
    norm: f64,
}

#[derive(Debug)]
pub(super) struct OnDevice<B: AutodiffBackend> {
    network: TemporalFusionTransformer<B>,
    parameters: Tensor<B::InnerBackend, 1>,
    adam: AdamW<B::InnerBackend>,
    /// Any other optimiser.
    stepping: Option<Stepping>,
    average: Option<Tensor<B::InnerBackend, 1>>,
    /// Losses of steps that were not asked for yet, so that no step waits for the device.
    losses: Vec<LossSum<B::InnerBackend>>,
    norm: Option<Tensor<B::InnerBackend, 1>>,
    shape: Shape,
    device: B::Device,
}

/// The gradient of a summed loss.
#[derive(Debug)]
pub(super) enum Gradient<B: Backend> {
    /// In memory.
    Numbers(LossGradient),
    /// On a device.
    Tensors(Tensor<B, 1>, LossSum<B>),
}

/// What a checkpoint keeps of an engine.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub parameters: Vec<f32>,
    pub first_moment: Vec<f32>,
    pub second_moment: Vec<f32>,
    pub average: Vec<f32>,
    pub steps: u64,
    /// Of the last gradient.
    pub norm: f64,
}

impl<B: Backend> Gradient<B> {
    /// The gradient of both losses' sum.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Numbers(mut one), Self::Numbers(other)) => {
                one.gradient
                    .iter_mut()
                    .zip(&other.gradient)
                    .for_each(|(one, other)| *one += other);
                (one.sum, one.known) = (one.sum + other.sum, one.known + other.known);
                Self::Numbers(one)
            }
            (Self::Tensors(one, loss), Self::Tensors(other, other_loss)) => {
                let loss = LossSum {
                    sum: loss.sum + other_loss.sum,
                    known: loss.known + other_loss.known,
                };
                Self::Tensors(one + other, loss)
            }
            (one, _) => one,
        }
    }
}

impl<B> Engine<B>
where
    B: AutodiffBackend + Kernels,
    B::InnerBackend: Kernels,
{
    pub fn new(
        network: &TemporalFusionTransformer<B>,
        optimiser: Optimiser,
        shape: Shape,
        device: &B::Device,
    ) -> Result<Self, TftError> {
        let nothing = || TftError::Checkpoint {
            reason: "the network has no parameters".to_owned(),
        };
        let parameters = flat::parameters(network).ok_or_else(nothing)?;
        let shapes = parameter_names(network).into_iter().map(|(_, shape)| shape).collect();
        let stepping = Stepping::new(optimiser, shapes);
        if let (true, Some(own)) = (B::InnerBackend::IS_PROCESSOR, OnProcessor::new(network)) {
            return Ok(Self::Processor(Box::new(Processor {
                own,
                parameters: on_host(&parameters, "parameters")?,
                stepping,
                average: Vec::new(),
                losses: Vec::new(),
                loss: 0.0,
                norm: 0.0,
            })));
        }
        let settings = match optimiser {
            Optimiser::AdamW(settings) => settings,
            _ => Default::default(),
        };
        Ok(Self::Device(Box::new(OnDevice {
            network: network.clone(),
            adam: AdamW::new(settings, &parameters),
            stepping: (!matches!(optimiser, Optimiser::AdamW(_))).then_some(stepping),
            parameters,
            average: None,
            losses: Vec::new(),
            norm: None,
            shape,
            device: device.clone(),
        })))
    }

    /// The gradient of the summed loss of a piece of a batch.
    pub fn gradient(&mut self, batch: &Batch, pass: Pass, loss: &Loss) -> Result<Gradient<B::InnerBackend>, TftError> {
        let stranger = TftError::Columns { kind: "past" };
        match self {
            Self::Processor(engine) => engine
                .own
                .gradient(&engine.parameters, batch, pass, loss)
                .map(Gradient::Numbers)
                .ok_or(stranger),
            Self::Device(engine) => {
                let _alone = one_graph();
                let tensors = batch.tensors::<B>(engine.shape, &engine.device);
                let forecast = engine.network.forward(tensors.windows, pass)?.forecast;
                let loss = loss.sum(forecast, tensors.targets.values, tensors.targets.known);
                let gradients = loss.sum.backward();
                let gradient = flat::gradients(&engine.network, &gradients).ok_or(stranger)?;
                let loss = LossSum {
                    sum: loss.sum.inner(),
                    known: loss.known.inner(),
                };
                Ok(Gradient::Tensors(gradient, loss))
            }
        }
    }

    /// Steps along the gradient of the mean loss.
    pub fn step(&mut self, gradient: Gradient<B::InnerBackend>, rate: f64, clip: Option<f64>) -> Result<(), TftError> {
        match (self, gradient) {
            (
                Self::Processor(engine),
                Gradient::Numbers(LossGradient {
                    sum,
                    known,
                    mut gradient,
                }),
            ) => {
                let share = (1.0 / known.max(1.0)) as f32;
                gradient.iter_mut().for_each(|number| *number *= share);
                engine.norm = engine.stepping.step(&mut engine.parameters, &gradient, rate, clip);
                engine.losses.push((sum, known));
                engine.loss = sum / known.max(1.0);
                Ok(())
            }
            (Self::Device(engine), Gradient::Tensors(gradient, loss)) => {
                let gradient = gradient / loss.known.clone().clamp_min(1.0);
                engine.losses.push(loss);
                match &mut engine.stepping {
                    None => {
                        let (parameters, norm) = engine.adam.step(engine.parameters.clone(), gradient, rate, clip);
                        (engine.parameters, engine.norm) = (parameters, Some(norm));
                    }
                    Some(stepping) => {
                        let mut parameters = on_host(&engine.parameters, "parameters")?;
                        let norm = stepping.step(&mut parameters, &on_host(&gradient, "gradient")?, rate, clip);
                        engine.parameters = on_device(&parameters, &engine.device);
                        engine.norm = Some(on_device(&[norm as f32], &engine.device));
                    }
                }
                engine.network = flat::replace(engine.network.clone(), &engine.parameters);
                Ok(())
            }
            _ => Err(TftError::Columns { kind: "past" }),
        }
    }

    /// Moves the average of weights towards the weights by a share of what is between; the first time, it begins there.
    pub fn average(&mut self, share: f64) {
        match self {
            Self::Processor(engine) if engine.average.is_empty() => engine.average.clone_from(&engine.parameters),
            Self::Processor(engine) => blend(&mut engine.average, &engine.parameters, share as f32),
            Self::Device(engine) => {
                engine.average = Some(match engine.average.take() {
                    None => engine.parameters.clone(),
                    Some(average) => average.clone() + (engine.parameters.clone() - average) * share,
                });
            }
        }
    }

    /// Losses that wait to be read.
    pub fn pending(&self) -> usize {
        match self {
            Self::Processor(engine) => engine.losses.len(),
            Self::Device(engine) => engine.losses.len(),
        }
    }

    /// Sum and number of targets of each step since this was last asked.
    pub fn take_losses(&mut self) -> Vec<(f64, f64)> {
        match self {
            Self::Processor(engine) => std::mem::take(&mut engine.losses),
            Self::Device(engine) => {
                let losses = engine.losses.drain(..);
                losses
                    .map(|loss| (loss.sum.into_scalar().elem(), loss.known.into_scalar().elem()))
                    .collect()
            }
        }
    }

    /// The last step's mean loss and gradient norm; `None`: asking would wait for a device.
    pub fn last(&self) -> Option<(f64, f64)> {
        match self {
            Self::Processor(engine) => Some((engine.loss, engine.norm)),
            Self::Device(_) => None,
        }
    }

    /// The last gradient's norm.
    pub fn norm(&self) -> f64 {
        match self {
            Self::Processor(engine) => engine.norm,
            Self::Device(engine) => engine.norm.clone().map_or(0.0, |norm| norm.into_scalar().elem()),
        }
    }

    /// The weights that a run would end with: their average, if there is one.
    pub fn weights(&self) -> Result<Vec<f32>, TftError> {
        match self {
            Self::Processor(engine) if engine.average.is_empty() => Ok(engine.parameters.clone()),
            Self::Processor(engine) => Ok(engine.average.clone()),
            Self::Device(engine) => on_host(engine.average.as_ref().unwrap_or(&engine.parameters), "parameters"),
        }
    }

    /// Everything that the next step reads.
    pub fn state(&self) -> Result<State, TftError> {
        match self {
            Self::Processor(engine) => Ok(State {
                parameters: engine.parameters.clone(),
                first_moment: engine.stepping.first_moment.clone(),
                second_moment: engine.stepping.second_moment.clone(),
                average: engine.average.clone(),
                steps: engine.stepping.steps,
                norm: engine.norm,
            }),
            Self::Device(engine) => {
                let (first_moment, second_moment, steps) = match &engine.stepping {
                    Some(stepping) => (
                        stepping.first_moment.clone(),
                        stepping.second_moment.clone(),
                        stepping.steps,
                    ),
                    None => (
                        on_host(&engine.adam.first_moment, "first moment")?,
                        on_host(&engine.adam.second_moment, "second moment")?,
                        engine.adam.steps,
                    ),
                };
                let average = engine.average.as_ref().map(|average| on_host(average, "average"));
                Ok(State {
                    parameters: on_host(&engine.parameters, "parameters")?,
                    first_moment,
                    second_moment,
                    average: average.transpose()?.unwrap_or_default(),
                    steps,
                    norm: self.norm(),
                })
            }
        }
    }

    /// Goes on from a state.
    ///
    /// # Errors
    /// `Checkpoint` for one of another network or optimiser.
    pub fn restore(&mut self, state: State) -> Result<(), TftError> {
        let now = self.state()?;
        let lengths = |state: &State| {
            [
                state.parameters.len(),
                state.first_moment.len(),
                state.second_moment.len(),
            ]
        };
        if lengths(&now) != lengths(&state) || ![0, now.parameters.len()].contains(&state.average.len()) {
            return Err(TftError::Checkpoint {
                reason: "it has another number of parameters".to_owned(),
            });
        }
        match self {
            Self::Processor(engine) => {
                engine.parameters = state.parameters;
                engine.average = state.average;
                engine.norm = state.norm;
                restore(
                    &mut engine.stepping,
                    state.first_moment,
                    state.second_moment,
                    state.steps,
                );
            }
            Self::Device(engine) => {
                engine.parameters = on_device(&state.parameters, &engine.device);
                engine.norm = Some(on_device(&[state.norm as f32], &engine.device));
                engine.average = (!state.average.is_empty()).then(|| on_device(&state.average, &engine.device));
                match &mut engine.stepping {
                    Some(stepping) => restore(stepping, state.first_moment, state.second_moment, state.steps),
                    None => {
                        engine.adam.first_moment = on_device(&state.first_moment, &engine.device);
                        engine.adam.second_moment = on_device(&state.second_moment, &engine.device);
                        engine.adam.steps = state.steps;
                    }
                }
                engine.network = flat::replace(engine.network.clone(), &engine.parameters);
            }
        }
        Ok(())
    }
}

fn restore(stepping: &mut Stepping, first_moment: Vec<f32>, second_moment: Vec<f32>, steps: u64) {
    (stepping.first_moment, stepping.second_moment, stepping.steps) = (first_moment, second_moment, steps);
}

pub(super) fn on_host<B: Backend>(values: &Tensor<B, 1>, what: &'static str) -> Result<Vec<f32>, TftError> {
    let data = values.to_data().convert::<f32>();
    data.to_vec().map_err(|error| TftError::Device {
        what,
        said: format!("{error:?}"),
    })
}

pub(super) fn on_device<B: Backend>(values: &[f32], device: &B::Device) -> Tensor<B, 1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
}
