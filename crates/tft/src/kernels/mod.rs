//! Operations with a backward pass of their own, for what automatic differentiation does slowly.
//!
//! A kernel is a forward and a backward function on a backend without gradients, written here in Burn's operations, so that every
//! backend has it. A backend with something faster overrides the two; the node in the graph (`Autodiff<B>`) is the same for all.
//!
//! On processors the whole network is one such operation (`cpu`), and these are its naive twins.
//!
//! Reading order: `residual`, `lstm`, `attention`, then `cpu`.

mod attention;
mod cpu;
mod lstm;
mod residual;

pub use attention::{AttentionGradients, AttentionInputs};
pub use cpu::{ExplainedNumbers, LossGradient, OnProcessor};
pub use lstm::{LstmGradients, LstmInputs, LstmTrace, LstmWeights};
pub use residual::{GroupedWeights, ResidualGradients, ResidualInputs, elu, sigmoid};
#[cfg(test)]
pub(crate) use {
    attention::forward as attention_forward, lstm::forward as lstm_forward, residual::forward as residual_forward,
};

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::{Autodiff, Flex};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// A backend that the network can run on.
pub trait Kernels: Backend {
    /// Whether the whole network is one operation of own code on this backend (`OnProcessor`).
    const IS_PROCESSOR: bool = false;

    /// What follows the first layer of gated residual networks, or gated skip connections: [groups, rows, width].
    #[must_use]
    fn residual(inputs: ResidualInputs<Self>) -> Tensor<Self, 3> {
        residual::forward(&inputs)
    }
    /// Gradients of the inputs from `gradient`, that of the outputs: [groups, rows, width].
    #[must_use]
    fn residual_backward(inputs: &ResidualInputs<Self>, gradient: Tensor<Self, 3>) -> ResidualGradients<Self> {
        residual::backward(inputs, gradient)
    }
    /// How much each step of the horizon attends to each step: [batch, horizon, steps].
    #[must_use]
    fn attention_weights(inputs: AttentionInputs<Self>) -> Tensor<Self, 3> {
        attention::forward(&inputs)
    }
    /// Gradients of the inputs from `gradient`, that of the weights: [batch, horizon, steps].
    #[must_use]
    fn attention_backward(inputs: &AttentionInputs<Self>, gradient: Tensor<Self, 3>) -> AttentionGradients<Self> {
        attention::backward(inputs, gradient)
    }
    /// An encoder's steps and then a decoder's: the hidden state after each, [batch, steps, width].
    #[must_use]
    fn lstm(inputs: LstmInputs<Self>) -> Tensor<Self, 3> {
        Self::lstm_forward(&inputs).hidden
    }
    /// The same, keeping what the backward pass needs.
    #[must_use]
    fn lstm_forward(inputs: &LstmInputs<Self>) -> LstmTrace<Self> {
        lstm::forward(inputs)
    }
    /// Gradients of the inputs from `gradient`, that of the hidden states: [batch, steps, width].
    #[must_use]
    fn lstm_backward(
        inputs: &LstmInputs<Self>,
        trace: &LstmTrace<Self>,
        gradient: Tensor<Self, 3>,
    ) -> LstmGradients<Self> {
        lstm::backward(inputs, trace, gradient)
    }
}

impl Kernels for Flex {
    const IS_PROCESSOR: bool = true;
}

#[cfg(feature = "cuda")]
impl Kernels for burn::backend::Cuda {}

#[cfg(test)]
impl Kernels for burn::backend::NdArray<f64> {}

impl<B: Kernels, C: CheckpointStrategy> Kernels for Autodiff<B, C> {
    fn attention_weights(inputs: AttentionInputs<Self>) -> Tensor<Self, 3> {
        attention::tracked(inputs)
    }
    fn residual(inputs: ResidualInputs<Self>) -> Tensor<Self, 3> {
        residual::tracked(inputs)
    }
    fn lstm(inputs: LstmInputs<Self>) -> Tensor<Self, 3> {
        lstm::tracked(inputs)
    }
}
