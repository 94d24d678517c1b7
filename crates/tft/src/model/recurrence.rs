//! What came just before: an LSTM over the context, going on with other weights over the horizon (paper, section 4.5.1).

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::parameters::Parameters;
use crate::kernels::{Kernels, LstmInputs, LstmWeights};

/// An encoder's and a decoder's weights. One bias each: a second one, as cuDNN has, only adds to the first.
#[derive(Module, Debug)]
pub struct Recurrence<B: Backend> {
    /// Over the context.
    pub encoder: Lstm<B>,
    /// Over the horizon.
    pub decoder: Lstm<B>,
}

/// The weights of an LSTM; gates in the order input, forget, cell, output.
#[derive(Module, Debug)]
pub struct Lstm<B: Backend> {
    /// [width, 4 · width]
    pub input: Param<Tensor<B, 2>>,
    /// [width, 4 · width]
    pub hidden: Param<Tensor<B, 2>>,
    /// [4 · width]
    pub bias: Param<Tensor<B, 1>>,
}

impl<B: Backend> Lstm<B> {
    fn new(parameters: &Parameters<B>, width: usize) -> Self {
        Self {
            input: parameters.uniform("input", [width, 4 * width], width),
            hidden: parameters.uniform("hidden", [width, 4 * width], width),
            bias: parameters.uniform("bias", [4 * width], width),
        }
    }
    fn weights(&self) -> LstmWeights<B> {
        LstmWeights {
            input: self.input.val(),
            hidden: self.hidden.val(),
            bias: self.bias.val(),
        }
    }
}

impl<B: Backend> Recurrence<B> {
    /// For this width.
    #[must_use]
    pub fn new(parameters: &Parameters<B>, width: usize) -> Self {
        Self {
            encoder: Lstm::new(&parameters.of("encoder"), width),
            decoder: Lstm::new(&parameters.of("decoder"), width),
        }
    }
}

/// Where a recurrence starts, and which steps there are.
#[derive(Debug, Clone)]
pub struct Start<B: Backend> {
    /// h before the first step: [batch, width]
    pub hidden: Tensor<B, 2>,
    /// c before the first step: [batch, width]
    pub cell: Tensor<B, 2>,
    /// [batch, steps]: at steps with 0 the state stays as it is. `None`: every step counts.
    pub steps_present: Option<Tensor<B, 2>>,
}

impl<B: Kernels> Recurrence<B> {
    /// [batch, steps, width] → [batch, steps, width]: the hidden state after each step. The first `context` steps are the encoder's.
    pub fn forward(&self, input: Tensor<B, 3>, start: Start<B>, context: usize) -> Tensor<B, 3> {
        B::lstm(LstmInputs {
            input,
            encoder: self.encoder.weights(),
            decoder: self.decoder.weights(),
            hidden: start.hidden,
            cell: start.cell,
            steps_present: start.steps_present,
            context,
        })
    }
}
