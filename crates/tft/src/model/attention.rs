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
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::linear::Linear;
use super::parameters::Parameters;
use crate::kernels::{AttentionInputs, Kernels};

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
}

impl<B: Kernels> InterpretableAttention<B> {
    /// `input` [batch, steps, width], of which the last `horizon` steps ask; `steps_present` [batch, steps], if not all are.
    pub fn forward(&self, input: Tensor<B, 3>, horizon: usize, steps_present: Option<Tensor<B, 2>>) -> Attended<B> {
        let [_, steps, _] = input.dims();
        let asking = input.clone().narrow(1, steps.saturating_sub(horizon), horizon);
        let weights = B::attention_weights(AttentionInputs {
            query: self.query.forward_steps(asking),
            key: self.key.forward_steps(input.clone()),
            heads: self.heads,
            steps_present,
        });
        let value = self.value.forward_steps(input);
        Attended {
            output: self.output.forward_steps(weights.clone().matmul(value)),
            weights,
        }
    }
}
