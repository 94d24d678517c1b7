//! How much each step of the horizon attends to each step: the mean over heads of their weights, as one operation.
//!
//! ```text
//!     Aₕ = softmax(Q_h K_hᵀ / √(width / heads))      over the steps that a step may see: those up to itself that there are
//!     A = mean of Aₕ over heads
//! ```
//!
//! The weights of single heads are [batch, heads, horizon, steps] numbers, by far the largest tensor of the network. They are never kept:
//! the backward pass computes them again.
//!
//! Cost: width · horizon · steps multiplications and heads · horizon · steps exponentials a window forward, three times and twice that
//! backward. Source: Lim et al. 2019, equations 13 to 16.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::activation::softmax;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData, TensorPrimitive};

use super::Kernels;

/// Everything that goes in.
#[derive(Debug, Clone)]
pub struct AttentionInputs<B: Backend> {
    /// Q of the steps that ask, which are the last ones: [batch, horizon, width]
    pub query: Tensor<B, 3>,
    /// K of all steps: [batch, steps, width]
    pub key: Tensor<B, 3>,
    /// Heads; each has its own part of the width.
    pub heads: usize,
    /// [batch, steps]: 0 for steps that nothing attends to; without a gradient; 1 for the steps that ask. `None`: there are none.
    pub steps_present: Option<Tensor<B, 2>>,
}

/// Gradients of Q and K.
#[derive(Debug, Clone)]
pub struct AttentionGradients<B: Backend> {
    /// [batch, horizon, width]
    pub query: Tensor<B, 3>,
    /// [batch, steps, width]
    pub key: Tensor<B, 3>,
}

/// A part of the width for each head: [batch, steps, width] → [batch, heads, steps, width / heads]
fn by_head<B: Backend>(tensor: Tensor<B, 3>, heads: usize) -> Tensor<B, 4> {
    let [batch, steps, width] = tensor.dims();
    let parts = tensor.reshape([batch, steps, heads, width / heads.max(1)]);
    parts.swap_dims(1, 2)
}

/// The way back of `by_head`.
fn together<B: Backend>(tensor: Tensor<B, 4>) -> Tensor<B, 3> {
    let [batch, heads, steps, each] = tensor.dims();
    tensor.swap_dims(1, 2).reshape([batch, steps, heads * each])
}

/// 1 / √(width / heads)
pub(super) fn scale_of(width: usize, heads: usize) -> f64 {
    1.0 / ((width / heads.max(1)).max(1) as f64).sqrt()
}

/// The weights of every head: [batch, heads, horizon, steps]
fn weights<B: Backend>(inputs: &AttentionInputs<B>) -> Tensor<B, 4> {
    let ([batch, horizon, width], [_, steps, _]) = (inputs.query.dims(), inputs.key.dims());
    let query = by_head(inputs.query.clone(), inputs.heads);
    let key = by_head(inputs.key.clone(), inputs.heads).swap_dims(2, 3);
    let mask = causal_mask(steps - horizon, horizon, &inputs.query.device());
    let mut scores = query.matmul(key) * scale_of(width, inputs.heads) + mask;
    if let Some(present) = &inputs.steps_present {
        let absent = present.clone().equal_elem(0.0).reshape([batch, 1, 1, steps]);
        let absent = absent.expand([batch, inputs.heads, horizon, steps]);
        scores = scores.mask_fill(absent, f64::NEG_INFINITY);
    }
    softmax(scores, 3)
}

/// 0 where step `context + row` may see step `column`, that is up to itself; -∞ after it: [1, 1, horizon, context + horizon].
fn causal_mask<B: Backend>(context: usize, horizon: usize, device: &B::Device) -> Tensor<B, 4> {
    let steps = context + horizon;
    let value = |row: usize, column: usize| {
        if column <= context + row {
            0.0
        } else {
            f32::NEG_INFINITY
        }
    };
    let values = (0..horizon).flat_map(|row| (0..steps).map(move |column| value(row, column)));
    let values: Vec<f32> = values.collect();
    Tensor::from_data(TensorData::new(values, [1, 1, horizon, steps]), device)
}

/// The forward pass in Burn's operations: [batch, horizon, steps].
pub fn forward<B: Backend>(inputs: &AttentionInputs<B>) -> Tensor<B, 3> {
    let weights = weights(inputs);
    let [batch, _, horizon, steps] = weights.dims();
    weights.mean_dim(1).reshape([batch, horizon, steps])
}

/// The backward pass in Burn's operations; `B` must not record a graph.
pub fn backward<B: Backend>(inputs: &AttentionInputs<B>, gradient: Tensor<B, 3>) -> AttentionGradients<B> {
    let [_, _, width] = inputs.query.dims();
    let weights = weights(inputs);
    let each = gradient.unsqueeze_dim::<4>(1) / inputs.heads as f64;
    let product = weights.clone() * each;
    let of_scores = (product.clone() - weights * product.sum_dim(3)) * scale_of(width, inputs.heads);
    let (query, key) = (
        by_head(inputs.query.clone(), inputs.heads),
        by_head(inputs.key.clone(), inputs.heads),
    );
    AttentionGradients {
        query: together(of_scores.clone().matmul(key)),
        key: together(of_scores.swap_dims(2, 3).matmul(query)),
    }
}

#[derive(Debug)]
struct Attention;

impl<B: Kernels> Backward<B, 2> for Attention {
    type State = AttentionInputs<B>;

    fn backward(self, ops: Ops<AttentionInputs<B>, 2>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let gradient = Tensor::from_primitive(TensorPrimitive::Float(grads.consume::<B>(&ops.node)));
        let of = B::attention_backward(&ops.state, gradient);
        let [query, key] = ops.parents;
        if let Some(node) = query {
            grads.register::<B>(node.id, of.query.into_primitive().tensor());
        }
        if let Some(node) = key {
            grads.register::<B>(node.id, of.key.into_primitive().tensor());
        }
    }
}

/// The operation as a node of the graph.
pub fn tracked<B: Kernels, C: CheckpointStrategy>(
    inputs: AttentionInputs<Autodiff<B, C>>,
) -> Tensor<Autodiff<B, C>, 3> {
    let inner = AttentionInputs {
        query: inputs.query.clone().inner(),
        key: inputs.key.clone().inner(),
        heads: inputs.heads,
        steps_present: inputs.steps_present.map(Tensor::inner),
    };
    // Kept until the operation is in the graph: a node that nobody holds may be taken out of it.
    let tensors = [inputs.query.into_primitive(), inputs.key.into_primitive()].map(TensorPrimitive::tensor);
    let nodes = tensors.each_ref().map(|tensor| tensor.node.clone());
    let output = match Attention.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let output = B::attention_weights(inner.clone()).into_primitive().tensor();
            prepared.finish(inner, output)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(B::attention_weights(inner).into_primitive().tensor()),
    };
    drop(tensors);
    Tensor::from_primitive(TensorPrimitive::Float(output))
}
