//! Gates: how much of a block's work enters (paper, section 4.1; equations 2 to 5).

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::architecture::Architecture;
use super::dropout::Pass;
use super::linear::Linear;
use super::parameters::Parameters;
use crate::kernels::{Kernels, ResidualInputs, sigmoid};

/// σ(a) ⊙ b, where a is the first half of the last dimension and b the second: [.., 2 · width] → [.., width] (equation 5).
#[must_use]
pub fn gated_linear_unit<B: Backend, const D: usize>(input: Tensor<B, D>) -> Tensor<B, D> {
    let last = D.saturating_sub(1);
    let half = input.dims().last().map_or(0, |width| width / 2);
    sigmoid(input.clone().narrow(last, 0, half)) * input.narrow(last, half, half)
}

/// (x - mean) / √(variance + ε) over the last dimension; the variance is that of the population. Any shape.
#[must_use]
pub fn normalise<B: Backend, const D: usize>(input: Tensor<B, D>) -> Tensor<B, D> {
    let last = D.saturating_sub(1);
    let centred = input.clone() - input.mean_dim(last);
    let variance = (centred.clone() * centred.clone()).mean_dim(last);
    centred / (variance + Architecture::EPSILON).sqrt()
}

/// Normalises the last dimension, then scales and shifts it. `scale`, `shift` [width].
#[derive(Module, Debug)]
pub struct LayerNorm<B: Backend> {
    /// [width]
    pub scale: Param<Tensor<B, 1>>,
    /// [width]
    pub shift: Param<Tensor<B, 1>>,
}

impl<B: Backend> LayerNorm<B> {
    /// Which leaves what is normalised as it is.
    #[must_use]
    pub fn new(parameters: &Parameters<B>, width: usize) -> Self {
        Self {
            scale: parameters.constant("scale", [width], 1.0),
            shift: parameters.constant("shift", [width], 0.0),
        }
    }
    /// [.., width] → [.., width]
    pub fn forward<const D: usize>(&self, input: Tensor<B, D>) -> Tensor<B, D> {
        normalise(input) * self.scale.val().unsqueeze::<D>() + self.shift.val().unsqueeze::<D>()
    }
}

/// LayerNorm(skip + GLU(dropout(x))): a gated skip connection (equations 17, 20, 22).
#[derive(Module, Debug)]
pub struct GateAddNorm<B: Backend> {
    /// width → 2 · width
    pub gate: Linear<B>,
    /// Over the width.
    pub norm: LayerNorm<B>,
}

impl<B: Backend> GateAddNorm<B> {
    /// For this width.
    #[must_use]
    pub fn new(parameters: &Parameters<B>, width: usize) -> Self {
        Self {
            gate: Linear::new(&parameters.of("gate"), width, 2 * width),
            norm: LayerNorm::new(&parameters.of("norm"), width),
        }
    }
}

impl<B: Kernels> GateAddNorm<B> {
    /// [batch, steps, width] twice → [batch, steps, width]. `dropout`: the share of the input that is dropped while training.
    pub fn forward(&self, input: Tensor<B, 3>, skip: Tensor<B, 3>, dropout: f64, pass: Pass) -> Tensor<B, 3> {
        let shape = input.dims();
        let output = B::residual(ResidualInputs {
            input: as_group(input),
            skip: as_group(skip),
            second: None,
            gate: self.gate.as_group(),
            scale: self.norm.scale.val().unsqueeze_dim(0),
            shift: self.norm.shift.val().unsqueeze_dim(0),
            dropping: pass.dropping(dropout),
        });
        output.reshape(shape)
    }
}

/// All rows as those of one group: [batch, steps, width] → [1, batch · steps, width].
pub(super) fn as_group<B: Backend>(tensor: Tensor<B, 3>) -> Tensor<B, 3> {
    let [batch, steps, width] = tensor.dims();
    tensor.reshape([1, batch * steps, width])
}
