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

    /// What of a tensor is dropped; `None`: nothing.
    #[must_use]
    pub fn dropping(self, share: f64) -> Option<Dropping> {
        match self {
            Self::Train(draws) if share > 0.0 => Some(Dropping { key: draws.key, share }),
            _ => None,
        }
    }

    /// Sets a share of the elements to 0 and scales the rest, keeping the expectation. Any shape.
    pub fn dropout<B: Backend, const D: usize>(self, input: Tensor<B, D>, share: f64) -> Tensor<B, D> {
        match self.dropping(share) {
            Some(dropping) => {
                let mask = dropping.mask(input.dims(), &input.device());
                input * mask
            }
            None => input,
        }
    }
}

/// Which elements of a tensor are dropped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropping {
    key: u64,
    share: f64,
}

impl Dropping {
    /// What a tensor of this shape is multiplied by.
    #[must_use]
    pub fn mask<B: Backend, const D: usize>(self, shape: [usize; D], device: &B::Device) -> Tensor<B, D> {
        let mut values = vec![0.0; shape.iter().product()];
        self.fill(0, &mut values);
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// The numbers that the elements from place `start` on are multiplied by: 0 for what is dropped, the same more than 1 for what is
    /// kept.
    ///
    /// A hash of 32 bits decides on two elements, 16 places apart within every 32, so that a machine with wide vectors decides on 32 at
    /// once (the hash is Wellons' *lowbias32*, over Weyl's sequence).
    #[inline(always)]
    pub fn fill(self, start: usize, mask: &mut [f32]) {
        let decision = self.decision();
        let (head, rest) = mask.split_at_mut((start.next_multiple_of(PERIOD) - start).min(mask.len()));
        let part = |numbers: &mut [f32], from: usize| {
            let decided = decision.decide((from / PERIOD) as u64);
            for (number, decided) in numbers.iter_mut().zip(decided.iter().skip(from % PERIOD)) {
                *number = *decided;
            }
        };
        if !head.is_empty() {
            part(head, start);
        }
        let first = start.div_ceil(PERIOD);
        let (whole, tail) = rest.as_chunks_mut::<PERIOD>();
        for (at, numbers) in whole.iter_mut().enumerate() {
            *numbers = decision.decide((first + at) as u64);
        }
        if !tail.is_empty() {
            part(tail, (first + whole.len()) * PERIOD);
        }
    }

    #[inline(always)]
    fn decision(self) -> Decision {
        let threshold = (self.share * 65_536.0).round().min(65_535.0) as u32;
        Decision {
            keys: [self.key as u32, (self.key >> 32) as u32],
            threshold,
            kept: (65_536.0 / f64::from(65_536 - threshold)) as f32,
        }
    }
}

/// Elements that are decided on together.
const PERIOD: usize = 32;

/// What is decided by.
#[derive(Debug, Clone, Copy)]
struct Decision {
    keys: [u32; 2],
    threshold: u32,
    kept: f32,
}

impl Decision {
    /// On `PERIOD` elements.
    #[inline(always)]
    fn decide(self, period: u64) -> [f32; PERIOD] {
        let first = period.wrapping_mul(PERIOD as u64 / 2);
        // What is beyond 32 bits changes the key.
        let key = self.keys[1] ^ ((first >> 32) as u32).wrapping_mul(0x85EB_CA6B);
        let mut hashes = [0_u32; PERIOD / 2];
        for (lane, hash) in hashes.iter_mut().enumerate() {
            let counter = (first as u32).wrapping_add(lane as u32);
            let mut bits = counter.wrapping_mul(0x9E37_79B9).wrapping_add(self.keys[0]);
            bits = (bits ^ (bits >> 16)).wrapping_mul(0x7FEB_352D) ^ key;
            bits = (bits ^ (bits >> 15)).wrapping_mul(0x846C_A68B);
            *hash = bits ^ (bits >> 16);
        }
        let mut numbers = [0.0; PERIOD];
        let (early, late) = numbers.split_at_mut(PERIOD / 2);
        for ((early, late), hash) in early.iter_mut().zip(late).zip(hashes) {
            *early = if hash & 0xFFFF < self.threshold { 0.0 } else { self.kept };
            *late = if hash >> 16 < self.threshold { 0.0 } else { self.kept };
        }
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(step: u64, start: usize, length: usize) -> Vec<f32> {
        let mut values = vec![f32::NAN; length];
        if let Some(dropping) = Pass::Train(Draws::of_step(1, step)).dropping(0.3) {
            dropping.fill(start, &mut values);
        }
        values
    }

    #[test]
    fn share_is_dropped_and_the_expectation_is_kept() {
        let values = mask(2, 0, 100_001);
        let dropped = values.iter().filter(|value| **value == 0.0).count() as f64 / values.len() as f64;
        let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len() as f64;
        assert!(
            (dropped - 0.3).abs() < 0.01 && (mean - 1.0).abs() < 0.01,
            "{dropped} {mean}"
        );
        assert_ne!(values, mask(3, 0, 100_001));
    }

    #[test]
    fn every_part_of_a_mask_is_the_same_from_wherever_it_starts() {
        let whole = mask(2, 0, 50);
        for start in 0..20 {
            for length in 0..12 {
                assert_eq!(mask(2, start, length), whole[start..start + length]);
            }
        }
    }
}
