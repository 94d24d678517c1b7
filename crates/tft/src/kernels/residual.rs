//! Everything of a gated residual network after its first layer, and every gated skip connection, as one operation for all variables.
//!
//! ```text
//!     s = W₁ ELU(x) + b₁        or, for a skip connection, s = x
//!     y = LayerNorm(skip + GLU(W dropout(s) + b))
//! ```
//!
//! Kept for the backward pass is only what goes in; the rest is computed again, which costs less than to write it and read it back.
//!
//! Cost: 3·width² multiplications a row forward (2·width² for a skip connection), three times that backward.
//! Awkward: what is dropped is a hash of the element's place, so that both passes drop the same.
//! Source: Lim et al. 2019, equations 2 to 5; the derivative of layer normalisation as in Ba, Kiros, Hinton, *Layer normalization*, 2016.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::activation::relu;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorPrimitive};

use super::Kernels;
use crate::model::{Architecture, Dropping};

/// A layer of its own for each group.
#[derive(Debug, Clone)]
pub struct GroupedWeights<B: Backend> {
    /// [groups, inputs, outputs]
    pub weight: Tensor<B, 3>,
    /// [groups, outputs]
    pub bias: Tensor<B, 2>,
}

/// Everything that goes in.
#[derive(Debug, Clone)]
pub struct ResidualInputs<B: Backend> {
    /// x: [groups, rows, width]
    pub input: Tensor<B, 3>,
    /// [groups, rows, width]
    pub skip: Tensor<B, 3>,
    /// W₁, b₁: width → width; `None`: a skip connection.
    pub second: Option<GroupedWeights<B>>,
    /// W, b: width → 2 · width
    pub gate: GroupedWeights<B>,
    /// The norm's scale: [groups, width]
    pub scale: Tensor<B, 2>,
    /// The norm's shift: [groups, width]
    pub shift: Tensor<B, 2>,
    /// What is dropped of s.
    pub dropping: Option<Dropping>,
}

/// Gradients, of the shapes of what they are gradients of.
#[derive(Debug, Clone)]
pub struct ResidualGradients<B: Backend> {
    /// Of x.
    pub input: Tensor<B, 3>,
    /// Of what is skipped to.
    pub skip: Tensor<B, 3>,
    /// Of W₁ and b₁.
    pub second: Option<GroupedWeights<B>>,
    /// Of W and b.
    pub gate: GroupedWeights<B>,
    /// Of the norm's scale.
    pub scale: Tensor<B, 2>,
    /// Of the norm's shift.
    pub shift: Tensor<B, 2>,
}

/// x for x > 0, eˣ - 1 otherwise. The exponential sees no positive number: its gradient stays finite for any x.
#[must_use]
pub fn elu<B: Backend, const D: usize>(input: Tensor<B, D>) -> Tensor<B, D> {
    relu(input.clone()) + (input.clamp_max(0.0).exp() - 1.0)
}

/// 1 / (1 + e⁻ˣ), as (1 + tanh(x / 2)) / 2: in the tensor's own precision (Burn's is computed in 32 bits on some backends), and finite.
#[must_use]
pub fn sigmoid<B: Backend, const D: usize>(input: Tensor<B, D>) -> Tensor<B, D> {
    (input * 0.5).tanh() * 0.5 + 0.5
}

fn layer<B: Backend>(input: Tensor<B, 3>, weights: &GroupedWeights<B>) -> Tensor<B, 3> {
    input.matmul(weights.weight.clone()) + weights.bias.clone().unsqueeze_dim::<3>(1)
}

/// What is computed on the way forward.
struct Steps<B: Backend> {
    /// ELU(x), or x.
    activated: Tensor<B, 3>,
    /// dropout(s)
    dropped: Tensor<B, 3>,
    /// What is multiplied by 0 or 1 / (1 - share).
    mask: Option<Tensor<B, 3>>,
    /// σ of the first half of the gate's numbers.
    opened: Tensor<B, 3>,
    /// The second half.
    value: Tensor<B, 3>,
    /// (sum - mean) / deviation
    normal: Tensor<B, 3>,
    /// [groups, rows, 1]
    deviation: Tensor<B, 3>,
}

fn steps<B: Backend>(inputs: &ResidualInputs<B>) -> Steps<B> {
    let [groups, rows, width] = inputs.input.dims();
    let (activated, s) = match &inputs.second {
        Some(second) => {
            let activated = elu(inputs.input.clone());
            (activated.clone(), layer(activated, second))
        }
        None => (inputs.input.clone(), inputs.input.clone()),
    };
    let mask = inputs
        .dropping
        .map(|dropping| dropping.mask::<B, 3>([groups, rows, width], &s.device()));
    let dropped = match &mask {
        Some(mask) => s * mask.clone(),
        None => s,
    };
    let gate = layer(dropped.clone(), &inputs.gate);
    let opened = sigmoid(gate.clone().narrow(2, 0, width));
    let value = gate.narrow(2, width, width);
    let sum = inputs.skip.clone() + opened.clone() * value.clone();
    let centred = sum.clone() - sum.mean_dim(2);
    let deviation = ((centred.clone() * centred.clone()).mean_dim(2) + Architecture::EPSILON).sqrt();
    Steps {
        activated,
        dropped,
        mask,
        opened,
        value,
        normal: centred / deviation.clone(),
        deviation,
    }
}

/// The forward pass in Burn's operations: [groups, rows, width].
pub fn forward<B: Backend>(inputs: &ResidualInputs<B>) -> Tensor<B, 3> {
    let normal = steps(inputs).normal;
    normal * inputs.scale.clone().unsqueeze_dim::<3>(1) + inputs.shift.clone().unsqueeze_dim::<3>(1)
}

/// The backward pass in Burn's operations; `B` must not record a graph.
pub fn backward<B: Backend>(inputs: &ResidualInputs<B>, gradient: Tensor<B, 3>) -> ResidualGradients<B> {
    let steps = steps(inputs);
    let one_minus = |tensor: Tensor<B, 3>| tensor.neg().add_scalar(1.0);
    let over_rows = |tensor: Tensor<B, 3>| {
        let [groups, _, width] = tensor.dims();
        tensor.sum_dim(1).reshape([groups, width])
    };
    let of_normal = gradient.clone() * inputs.scale.clone().unsqueeze_dim::<3>(1);
    let along = (of_normal.clone() * steps.normal.clone()).mean_dim(2);
    let of_sum = (of_normal.clone() - of_normal.mean_dim(2) - steps.normal.clone() * along) / steps.deviation;
    let of_value = of_sum.clone() * steps.opened.clone();
    let of_opened = of_sum.clone() * steps.value * steps.opened.clone() * one_minus(steps.opened);
    let of_gate = Tensor::cat(vec![of_opened, of_value], 2);
    let weights_of = |input: Tensor<B, 3>, of_output: &Tensor<B, 3>| GroupedWeights {
        weight: input.swap_dims(1, 2).matmul(of_output.clone()),
        bias: over_rows(of_output.clone()),
    };
    let gate = weights_of(steps.dropped, &of_gate);
    let mut of_s = of_gate.matmul(inputs.gate.weight.clone().swap_dims(1, 2));
    if let Some(mask) = steps.mask {
        of_s = of_s * mask;
    }
    let (second, of_input) = match &inputs.second {
        Some(second) => {
            let of_weights = weights_of(steps.activated.clone(), &of_s);
            let of_activated = of_s.matmul(second.weight.clone().swap_dims(1, 2));
            // The slope of ELU is 1, or eˣ, which is ELU + 1.
            (Some(of_weights), of_activated * (steps.activated.clamp_max(0.0) + 1.0))
        }
        None => (None, of_s),
    };
    ResidualGradients {
        input: of_input,
        skip: of_sum,
        second,
        gate,
        scale: over_rows(gradient.clone() * steps.normal),
        shift: over_rows(gradient),
    }
}

#[derive(Debug)]
struct Residual;

#[derive(Debug)]
struct Gate;

impl<B: Kernels> Backward<B, 8> for Residual {
    type State = ResidualInputs<B>;

    fn backward(self, ops: Ops<ResidualInputs<B>, 8>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let gradient = Tensor::from_primitive(TensorPrimitive::Float(grads.consume::<B>(&ops.node)));
        let of = B::residual_backward(&ops.state, gradient);
        let [input, skip, weight, bias, gate, gate_bias, scale, shift] =
            ops.parents.map(|parent| parent.map(|node| node.id));
        let mut give = |parent: Option<_>, gradient: TensorPrimitive<B>| {
            if let Some(id) = parent {
                grads.register::<B>(id, gradient.tensor());
            }
        };
        give(input, of.input.into_primitive());
        give(skip, of.skip.into_primitive());
        if let Some(second) = of.second {
            give(weight, second.weight.into_primitive());
            give(bias, second.bias.into_primitive());
        }
        give(gate, of.gate.weight.into_primitive());
        give(gate_bias, of.gate.bias.into_primitive());
        give(scale, of.scale.into_primitive());
        give(shift, of.shift.into_primitive());
    }
}

impl<B: Kernels> Backward<B, 6> for Gate {
    type State = ResidualInputs<B>;

    fn backward(self, ops: Ops<ResidualInputs<B>, 6>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let gradient = Tensor::from_primitive(TensorPrimitive::Float(grads.consume::<B>(&ops.node)));
        let of = B::residual_backward(&ops.state, gradient);
        let [input, skip, gate, gate_bias, scale, shift] = ops.parents.map(|parent| parent.map(|node| node.id));
        let mut give = |parent: Option<_>, gradient: TensorPrimitive<B>| {
            if let Some(id) = parent {
                grads.register::<B>(id, gradient.tensor());
            }
        };
        give(input, of.input.into_primitive());
        give(skip, of.skip.into_primitive());
        give(gate, of.gate.weight.into_primitive());
        give(gate_bias, of.gate.bias.into_primitive());
        give(scale, of.scale.into_primitive());
        give(shift, of.shift.into_primitive());
    }
}

/// The operation as a node of the graph.
pub fn tracked<B: Kernels, C: CheckpointStrategy>(inputs: ResidualInputs<Autodiff<B, C>>) -> Tensor<Autodiff<B, C>, 3> {
    let inner = ResidualInputs {
        input: inputs.input.clone().inner(),
        skip: inputs.skip.clone().inner(),
        second: inputs.second.as_ref().map(inner_of),
        gate: inner_of(&inputs.gate),
        scale: inputs.scale.clone().inner(),
        shift: inputs.shift.clone().inner(),
        dropping: inputs.dropping,
    };
    let rest = [
        inputs.input.into_primitive(),
        inputs.skip.into_primitive(),
        inputs.gate.weight.into_primitive(),
        inputs.gate.bias.into_primitive(),
        inputs.scale.into_primitive(),
        inputs.shift.into_primitive(),
    ];
    // Kept until the operation is in the graph: a node that nobody holds may be taken out of it.
    let rest = rest.map(TensorPrimitive::tensor);
    let [input, skip, gate, gate_bias, scale, shift] = rest.each_ref().map(|tensor| tensor.node.clone());
    let output = match inputs.second {
        Some(GroupedWeights { weight, bias }) => {
            let layer = [weight.into_primitive(), bias.into_primitive()].map(TensorPrimitive::tensor);
            let [weight, bias] = layer.each_ref().map(|tensor| tensor.node.clone());
            let nodes = [input, skip, weight, bias, gate, gate_bias, scale, shift];
            match Residual.prepare::<C>(nodes).compute_bound().stateful() {
                OpsKind::Tracked(prepared) => {
                    let output = B::residual(inner.clone()).into_primitive().tensor();
                    prepared.finish(inner, output)
                }
                OpsKind::UnTracked(prepared) => prepared.finish(B::residual(inner).into_primitive().tensor()),
            }
        }
        None => {
            let nodes = [input, skip, gate, gate_bias, scale, shift];
            match Gate.prepare::<C>(nodes).compute_bound().stateful() {
                OpsKind::Tracked(prepared) => {
                    let output = B::residual(inner.clone()).into_primitive().tensor();
                    prepared.finish(inner, output)
                }
                OpsKind::UnTracked(prepared) => prepared.finish(B::residual(inner).into_primitive().tensor()),
            }
        }
    };
    drop(rest);
    Tensor::from_primitive(TensorPrimitive::Float(output))
}

fn inner_of<B: AutodiffBackend>(weights: &GroupedWeights<B>) -> GroupedWeights<B::InnerBackend> {
    GroupedWeights {
        weight: weights.weight.clone().inner(),
        bias: weights.bias.clone().inner(),
    }
}
