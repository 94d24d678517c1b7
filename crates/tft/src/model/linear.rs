//! Linear layers: one, or one for each variable in a single matrix product.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::parameters::Parameters;
use crate::kernels::GroupedWeights;

/// x W + b. `weight` [inputs, outputs], `bias` [outputs].
#[derive(Module, Debug)]
pub struct Linear<B: Backend> {
    /// [inputs, outputs]
    pub weight: Param<Tensor<B, 2>>,
    /// [outputs]; `None`: without.
    pub bias: Option<Param<Tensor<B, 1>>>,
}

impl<B: Backend> Linear<B> {
    /// With a bias.
    #[must_use]
    pub fn new(parameters: &Parameters<B>, inputs: usize, outputs: usize) -> Self {
        Self {
            weight: parameters.uniform("weight", [inputs, outputs], inputs),
            bias: Some(parameters.uniform("bias", [outputs], inputs)),
        }
    }
    /// Without a bias.
    #[must_use]
    pub fn without_bias(parameters: &Parameters<B>, inputs: usize, outputs: usize) -> Self {
        Self {
            weight: parameters.uniform("weight", [inputs, outputs], inputs),
            bias: None,
        }
    }
    /// As the layer of a single group. Without a bias, one of zeros.
    #[must_use]
    pub fn as_group(&self) -> GroupedWeights<B> {
        let weight = self.weight.val();
        let [_, outputs] = weight.dims();
        let bias = match &self.bias {
            Some(bias) => bias.val(),
            None => Tensor::zeros([outputs], &weight.device()),
        };
        GroupedWeights {
            weight: weight.unsqueeze_dim(0),
            bias: bias.unsqueeze_dim(0),
        }
    }
    /// [rows, inputs] → [rows, outputs]
    pub fn forward(&self, input: Tensor<B, 2>) -> Tensor<B, 2> {
        let product = input.matmul(self.weight.val());
        match &self.bias {
            Some(bias) => product + bias.val().unsqueeze_dim::<2>(0),
            None => product,
        }
    }
    /// [batch, steps, inputs] → [batch, steps, outputs], as one product over all rows.
    pub fn forward_steps(&self, input: Tensor<B, 3>) -> Tensor<B, 3> {
        let [batch, steps, inputs] = input.dims();
        let output = self.forward(input.reshape([batch * steps, inputs]));
        let [_, outputs] = output.dims();
        output.reshape([batch, steps, outputs])
    }
}

/// A linear layer of its own for each variable. `weight` [variables, inputs, outputs], `bias` [variables, outputs].
#[derive(Module, Debug)]
pub struct GroupedLinear<B: Backend> {
    /// [variables, inputs, outputs]
    pub weight: Param<Tensor<B, 3>>,
    /// [variables, outputs]
    pub bias: Param<Tensor<B, 2>>,
}

impl<B: Backend> GroupedLinear<B> {
    /// Layers for so many variables.
    #[must_use]
    pub fn new(parameters: &Parameters<B>, variables: usize, inputs: usize, outputs: usize) -> Self {
        Self {
            weight: parameters.uniform("weight", [variables, inputs, outputs], inputs),
            bias: parameters.uniform("bias", [variables, outputs], inputs),
        }
    }
    /// As the layers of groups.
    #[must_use]
    pub fn as_groups(&self) -> GroupedWeights<B> {
        GroupedWeights {
            weight: self.weight.val(),
            bias: self.bias.val(),
        }
    }
}
