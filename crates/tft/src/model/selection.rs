//! Variable selection: how much each variable counts, row by row (paper, section 4.2; equations 6 to 8).
//!
//! ```text
//!     v = softmax(GRN(e₁ … eₘ, c))          one network over all variables, which gives a number for each
//!     ξ = Σⱼ vⱼ GRNⱼ(eⱼ)                    a network for each variable, the same for all rows
//! ```
//!
//! A missing value has no weight and enters nothing: the weights of the others are what they would be without the variable. Where
//! everything is missing, ξ is 0.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::columns::Columns;
use super::dropout::Pass;
use super::embedding::Embedded;
use super::gating::{LayerNorm, gated_linear_unit};
use super::linear::Linear;
use super::parameters::Parameters;
use super::residual::GroupedResidual;
use crate::kernels::{Kernels, elu};

/// Pushes the numbers of missing variables below all others, in any precision; it is no number that a network gives.
const ABSENT: f64 = 1e4;

/// A variable selection network.
#[derive(Module, Debug)]
pub struct VariableSelection<B: Backend> {
    /// What weighs the variables.
    pub joint: JointResidual<B>,
    /// What becomes of each variable.
    pub variables: GroupedResidual<B>,
}

/// The GRN from all variables' vectors (variables · width numbers) to a number for each variable.
#[derive(Module, Debug)]
pub struct JointResidual<B: Backend> {
    /// W₂ by variable: [variables, width, width]
    pub first: Param<Tensor<B, 3>>,
    /// b₂: [width]
    pub bias: Param<Tensor<B, 1>>,
    /// W₃: width → width
    pub context: Option<Linear<B>>,
    /// W₁, b₁: width → width
    pub second: Linear<B>,
    /// width → 2 · variables
    pub gate: Linear<B>,
    /// The skip connection by variable: [variables, width, variables]
    pub skip: Param<Tensor<B, 3>>,
    /// [variables]
    pub skip_bias: Param<Tensor<B, 1>>,
    /// Over the variables; `None` for a single one.
    pub norm: Option<LayerNorm<B>>,
}

/// What was selected.
#[derive(Debug, Clone)]
pub struct Selected<B: Backend> {
    /// ξ: [batch, steps, width]
    pub output: Tensor<B, 3>,
    /// v: [batch, steps, variables], which sum to 1, or to 0 where every variable is missing.
    pub weights: Tensor<B, 3>,
}

/// Rows that a selection is made for.
#[derive(Debug, Clone)]
pub struct Selectable<'a, B: Backend> {
    /// The variables' embedding.
    pub embedded: Embedded<B>,
    /// Their values: batch × steps rows.
    pub columns: Columns<B>,
    /// Windows.
    pub batch: usize,
    /// [batch, width]: what is known of the window.
    pub context: Option<&'a Tensor<B, 2>>,
}

impl<B: Backend> JointResidual<B> {
    fn new(parameters: &Parameters<B>, variables: usize, width: usize, context: Option<Linear<B>>) -> Self {
        let inputs = variables * width;
        Self {
            first: parameters.uniform("first.weight", [variables, width, width], inputs),
            bias: parameters.uniform("first.bias", [width], inputs),
            context,
            second: Linear::new(&parameters.of("second"), width, width),
            gate: Linear::new(&parameters.of("gate"), width, 2 * variables),
            skip: parameters.uniform("skip.weight", [variables, width, variables], inputs),
            skip_bias: parameters.uniform("skip.bias", [variables], inputs),
            norm: (variables > 1).then(|| LayerNorm::new(&parameters.of("norm"), variables)),
        }
    }
    /// Numbers before the softmax: [rows, variables]. Nothing is dropped in here, as in NVIDIA's network.
    fn forward(&self, from: &Selectable<'_, B>) -> Option<Tensor<B, 2>> {
        let rows = from.columns.rows;
        let mut first = from.embedded.project(self.first.val()).sum(&from.columns)? + self.bias.val().unsqueeze::<2>();
        let [_, width] = first.dims();
        if let (Some(layer), Some(context)) = (&self.context, from.context) {
            let steps = rows / from.batch.max(1);
            let context = layer.forward(context.clone()).unsqueeze_dim::<3>(1);
            first = (first.reshape([from.batch, steps, width]) + context).reshape([rows, width]);
        }
        let gated = gated_linear_unit(self.gate.forward(self.second.forward(elu(first))));
        let skip = from.embedded.project(self.skip.val()).sum(&from.columns)? + self.skip_bias.val().unsqueeze::<2>();
        let sum = skip + gated;
        Some(match &self.norm {
            Some(norm) => norm.forward(sum),
            None => sum,
        })
    }
}

impl<B: Backend> VariableSelection<B> {
    /// For so many variables, at least one. `context`: whether weights depend on what is known of the window.
    #[must_use]
    pub fn new(parameters: &Parameters<B>, variables: usize, width: usize, context: SelectionContext) -> Self {
        let joint = parameters.of("joint");
        let layer = match context {
            SelectionContext::Window => Some(Linear::without_bias(&joint.of("context"), width, width)),
            SelectionContext::None => None,
        };
        Self {
            joint: JointResidual::new(&joint, variables, width, layer),
            variables: GroupedResidual::new(&parameters.of("variables"), variables, width),
        }
    }
}

impl<B: Kernels> VariableSelection<B> {
    /// Selects among the columns of each row; `None` only where there are no variables.
    #[must_use]
    pub fn forward(&self, from: Selectable<'_, B>, dropout: f64, pass: Pass) -> Option<Selected<B>> {
        let (embedded, columns) = from.embedded.compacted(from.columns);
        let from = Selectable {
            embedded,
            columns,
            ..from
        };
        let (rows, variables) = (from.columns.rows, from.columns.variables());
        let steps = rows / from.batch.max(1);
        let weights = softmax_of_present(self.joint.forward(&from)?, from.columns.present.clone());
        let first = from
            .embedded
            .project(self.variables.first.weight.val())
            .each(&from.columns)?;
        let first = first + self.variables.first.bias.val().unsqueeze_dim::<3>(1);
        let each = self
            .variables
            .forward(first, from.embedded.each(&from.columns)?, dropout, pass);
        let [_, _, width] = each.dims();
        let output = (each * weights.clone().transpose().unsqueeze_dim::<3>(2)).sum_dim(0);
        Some(Selected {
            output: output.reshape([from.batch, steps, width]),
            weights: weights.reshape([from.batch, steps, variables]),
        })
    }
}

/// Whether weights depend on what is known of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelectionContext {
    /// They do.
    Window,
    /// They depend on the variables alone.
    None,
}

/// Softmax over the last dimension of what is present; 0 for what is not, and everywhere where nothing is. [rows, variables]
fn softmax_of_present<B: Backend>(numbers: Tensor<B, 2>, present: Option<Tensor<B, 2>>) -> Tensor<B, 2> {
    let Some(present) = present else {
        return burn::tensor::activation::softmax(numbers, 1);
    };
    let shifted = numbers + (present.clone() - 1.0) * ABSENT;
    let largest = shifted.clone().detach().max_dim(1);
    let powers = (shifted - largest).exp() * present;
    // The largest power is 1 where anything is present, so that the bound is met only where nothing is.
    let sum = powers.clone().sum_dim(1).clamp_min(0.5);
    powers / sum
}
