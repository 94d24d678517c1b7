//! Which past steps matter: multi-head attention with values that all heads share (paper, section 4.4; equations 13 to 16).
//!
//! ```text
//!     Aₕ = softmax(Q_h K_hᵀ / √(width / heads) + mask)          a step sees itself and what is before it
//!     out = (mean of Aₕ over heads) V W_O
//! ```
//!
//! Two rearrangements, both exact: only steps of the horizon ask (no other step's answer is used), and the heads' weights are averaged
//! before the values are, because the values are shared: one product in place of one a head, and the average is the explanation.

use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use super::linear::Linear;
use super::parameters::Parameters;

/// The weights of all heads.
#[derive(Module, Debug)]
pub struct InterpretableAttention<B: Backend> {
    /// width → heads · (width / heads), without a bias
    pub query: Linear<B>,
    /// width → heads · (width / heads), without a bias
    pub key: Linear<B>,
    /// width → width / heads, shared, without a bias
    pub value: Linear<B>,
    /// width / heads → width, without a bias
    pub output: Linear<B>,
    /// Heads.
    pub heads: usize,
}

/// What was attended to.
#[derive(Debug, Clone)]
pub struct Attended<B: Backend> {
    /// [batch, horizon, width]
    pub output: Tensor<B, 3>,
    /// The mean over heads: [batch, horizon, steps]; each row sums to 1.
    pub weights: Tensor<B, 3>,
}

impl<B: Backend> InterpretableAttention<B> {
    /// `heads` divides `width`.
    #[must_use]
    pub fn new(parameters: &Parameters<B>, width: usize, heads: usize) -> Self {
        let each = width / heads.max(1);
        let layer = |name: &str, inputs, outputs| Linear::without_bias(&parameters.of(name), inputs, outputs);
        Self {
            query: layer("query", width, width),
            key: layer("key", width, width),
            value: layer("value", width, each),
            output: layer("output", each, width),
            heads,
        }
    }

    /// `input` [batch, steps, width], of which the last `horizon` steps ask; `steps_present` [batch, steps], if not all are.
    pub fn forward(&self, input: Tensor<B, 3>, horizon: usize, steps_present: Option<Tensor<B, 2>>) -> Attended<B> {
        let [batch, steps, width] = input.dims();
        let (heads, each, context) = (self.heads, width / self.heads.max(1), steps - horizon);
        let by_head = |tensor: Tensor<B, 3>, steps: usize| tensor.reshape([batch, steps, heads, each]).swap_dims(1, 2);
        let asking = input.clone().narrow(1, context, horizon);
        let query = by_head(self.query.forward_steps(asking), horizon);
        let key = by_head(self.key.forward_steps(input.clone()), steps);
        let value = self.value.forward_steps(input);

        let scale = 1.0 / (each.max(1) as f64).sqrt();
        let mut scores = query.matmul(key.swap_dims(2, 3)) * scale + causal_mask(context, horizon, &value.device());
        if let Some(present) = steps_present {
            let absent = present.equal_elem(0.0).reshape([batch, 1, 1, steps]);
            scores = scores.mask_fill(absent.expand([batch, heads, horizon, steps]), f64::NEG_INFINITY);
        }
        let weights = softmax(scores, 3).mean_dim(1).reshape([batch, horizon, steps]);
        Attended {
            output: self.output.forward_steps(weights.clone().matmul(value)),
            weights,
        }
    }
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
    Tensor::from_data(
        TensorData::new(values.collect::<Vec<f32>>(), [1, 1, horizon, steps]),
        device,
    )
}
