//! Gated residual networks: the block that everything is made of (paper, section 4.1; equations 2 to 4).
//!
//! ```text
//!     η₂ = ELU(W₂ a + b₂ + W₃ c)        c: the context of the window, if there is one
//!     η₁ = W₁ η₂ + b₁
//!     GRN(a, c) = LayerNorm(a + GLU(dropout(η₁)))
//! ```

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::dropout::Pass;
use super::gating::{LayerNorm, as_group};
use super::linear::{GroupedLinear, Linear};
use super::parameters::Parameters;
use crate::kernels::{Kernels, ResidualInputs};

/// GRN with inputs and outputs of the same width.
#[derive(Module, Debug)]
pub struct GatedResidual<B: Backend> {
    /// W₂, b₂: width → width
    pub first: Linear<B>,
    /// W₃: width → width, without a bias; `None`: no context.
    pub context: Option<Linear<B>>,
    /// W₁, b₁: width → width
    pub second: Linear<B>,
    /// width → 2 · width
    pub gate: Linear<B>,
    /// Over the width.
    pub norm: LayerNorm<B>,
}

impl<B: Backend> GatedResidual<B> {
    /// Without a context.
    #[must_use]
    pub fn new(parameters: &Parameters<B>, width: usize) -> Self {
        Self {
            first: Linear::new(&parameters.of("first"), width, width),
            context: None,
            second: Linear::new(&parameters.of("second"), width, width),
            gate: Linear::new(&parameters.of("gate"), width, 2 * width),
            norm: LayerNorm::new(&parameters.of("norm"), width),
        }
    }
    /// With a context.
    #[must_use]
    pub fn with_context(parameters: &Parameters<B>, width: usize) -> Self {
        Self {
            context: Some(Linear::without_bias(&parameters.of("context"), width, width)),
            ..Self::new(parameters, width)
        }
    }
}

impl<B: Kernels> GatedResidual<B> {
    /// [batch, steps, width] and, as context, [batch, width] → [batch, steps, width]. The context is multiplied once a window.
    pub fn forward(
        &self,
        input: Tensor<B, 3>,
        context: Option<&Tensor<B, 2>>,
        dropout: f64,
        pass: Pass,
    ) -> Tensor<B, 3> {
        let shape = input.dims();
        let mut first = self.first.forward_steps(input.clone());
        if let (Some(layer), Some(context)) = (&self.context, context) {
            first = first + layer.forward(context.clone()).unsqueeze_dim::<3>(1);
        }
        let output = B::residual(ResidualInputs {
            input: as_group(first),
            skip: as_group(input),
            second: Some(self.second.as_group()),
            gate: self.gate.as_group(),
            scale: self.norm.scale.val().unsqueeze_dim(0),
            shift: self.norm.shift.val().unsqueeze_dim(0),
            dropping: pass.dropping(dropout),
        });
        output.reshape(shape)
    }
}

/// A GRN of its own for each variable, without a context: three matrix products for all of them. Its first layer is given from outside,
/// because it is folded into the embedding (`embedding`).
#[derive(Module, Debug)]
pub struct GroupedResidual<B: Backend> {
    /// W₂, b₂ of each variable: width → width
    pub first: GroupedLinear<B>,
    /// W₁, b₁ of each variable: width → width
    pub second: GroupedLinear<B>,
    /// Of each variable: width → 2 · width
    pub gate: GroupedLinear<B>,
    /// [variables, width]
    pub scale: Param<Tensor<B, 2>>,
    /// [variables, width]
    pub shift: Param<Tensor<B, 2>>,
}

impl<B: Backend> GroupedResidual<B> {
    /// For so many variables.
    #[must_use]
    pub fn new(parameters: &Parameters<B>, variables: usize, width: usize) -> Self {
        Self {
            first: GroupedLinear::new(&parameters.of("first"), variables, width, width),
            second: GroupedLinear::new(&parameters.of("second"), variables, width, width),
            gate: GroupedLinear::new(&parameters.of("gate"), variables, width, 2 * width),
            scale: parameters.constant("scale", [variables, width], 1.0),
            shift: parameters.constant("shift", [variables, width], 0.0),
        }
    }
}

impl<B: Kernels> GroupedResidual<B> {
    /// `first`: W₂ a + b₂, and `skip`: a, both [variables, rows, width] → [variables, rows, width]
    pub fn forward(&self, first: Tensor<B, 3>, skip: Tensor<B, 3>, dropout: f64, pass: Pass) -> Tensor<B, 3> {
        B::residual(ResidualInputs {
            input: first,
            skip,
            second: Some(self.second.as_groups()),
            gate: self.gate.as_groups(),
            scale: self.scale.val(),
            shift: self.shift.val(),
            dropping: pass.dropping(dropout),
        })
    }
}
