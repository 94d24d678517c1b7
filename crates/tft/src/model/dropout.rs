//! What is dropped while training: decided by a hash of (step's key, layer, element), so nothing is stored, resuming needs no state,
//! and the number of threads does not matter.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use crate::random::mix;

/// Everything drawn at random in one training step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draws {
    key: u64,
}

impl Draws {
    /// Those of a step of a run.
    #[must_use]
    pub fn of_step(seed: u64, step: u64) -> Self {
        Self { key: mix(seed, step) }
    }
    /// Those of a part of the network.
    #[must_use]
    pub fn part(self, number: u64) -> Self {
        Self {
            key: mix(self.key, number),
        }
    }
    /// The key from which elements are drawn.
    #[must_use]
    pub fn key(self) -> u64 {
        self.key
    }
}

/// What the network is run for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Predicting: nothing is dropped.
    Predict,
    /// Training, with this step's draws.
    Train(Draws),
}

impl Pass {
    /// The pass of a part of the network.
    #[must_use]
    pub fn part(self, number: u64) -> Self {
        match self {
            Self::Predict => Self::Predict,
            Self::Train(draws) => Self::Train(draws.part(number)),
        }
    }

    /// Sets a share of the elements to 0 and scales the rest by 1 / (1 - share), keeping the expectation. Any shape.
    pub fn dropout<B: Backend, const D: usize>(self, input: Tensor<B, D>, share: f64) -> Tensor<B, D> {
        let Self::Train(draws) = self else { return input };
        if share <= 0.0 {
            return input;
        }
        let (shape, device) = (input.dims(), input.device());
        let mask = mask(draws, share, shape.iter().product());
        input * Tensor::from_data(TensorData::new(mask, shape), &device)
    }
}

/// 0 for what is dropped, 1 / (1 - share) for what is kept: 32 bits of a hash each.
fn mask(draws: Draws, share: f64, elements: usize) -> Vec<f32> {
    let (threshold, scale) = ((share * 4_294_967_296.0) as u64, (1.0 / (1.0 - share)) as f32);
    let keep = |bits: u64| if bits < threshold { 0.0 } else { scale };
    let mut values = Vec::with_capacity(elements + 1);
    for pair in 0..elements.div_ceil(2) as u64 {
        let bits = mix(draws.key, pair);
        values.push(keep(bits & 0xFFFF_FFFF));
        values.push(keep(bits >> 32));
    }
    values.truncate(elements);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_is_dropped_and_the_expectation_is_kept() {
        let values = mask(Draws::of_step(1, 2), 0.3, 100_001);
        let dropped = values.iter().filter(|value| **value == 0.0).count() as f64 / values.len() as f64;
        let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len() as f64;
        assert!((dropped - 0.3).abs() < 0.01 && (mean - 1.0).abs() < 0.01, "{dropped} {mean}");
        assert_ne!(values, mask(Draws::of_step(1, 3), 0.3, 100_001));
    }
}
