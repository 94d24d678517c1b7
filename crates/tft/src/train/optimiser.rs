//! What may be said about optimisers, and AdamW on the flat buffer of a device, with clipping by the norm of the whole gradient. Nothing waits for the device.
//!
//! ```text
//!     g ← g · min(1, clip / ‖g‖)
//!     m ← β₁ m + (1 - β₁) g        v ← β₂ v + (1 - β₂) g²
//!     p ← p - rate · decay · p - rate · m / (1 - β₁ᵗ) / (√(v / (1 - β₂ᵗ)) + ε)
//! ```
//!
//! Cost: a dozen passes over the parameters, of which there are few (136,000 at width 32); memory two more buffers of their size.
//! Sources: Kingma & Ba, *Adam*, 2015; Loshchilov & Hutter, *Decoupled weight decay regularization*, 2019; Pascanu, Mikolov, Bengio, *On
//! the difficulty of training recurrent neural networks*, 2013 (clipping).

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use crate::TftError;

/// Settings of AdamW; the defaults are PyTorch's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamWSettings {
    /// β₁; default 0.9
    pub beta_1: f64,
    /// β₂; default 0.999
    pub beta_2: f64,
    /// ε; default 1e-8
    pub epsilon: f64,
    /// The share of every parameter that a step takes away, times the rate; default 0.01
    pub weight_decay: f64,
}

impl Default for AdamWSettings {
    fn default() -> Self {
        Self {
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.01,
        }
    }
}

impl AdamWSettings {
    /// Says what cannot be.
    ///
    /// # Errors
    /// `Setting`.
    pub fn check(&self) -> Result<(), TftError> {
        let wrong = |name, wanted, found: f64| {
            let found = found.to_string();
            Err(TftError::Setting { name, wanted, found })
        };
        for (name, beta) in [("beta_1", self.beta_1), ("beta_2", self.beta_2)] {
            if !(0.0..1.0).contains(&beta) {
                return wrong(name, "at least 0 and less than 1", beta);
            }
        }
        if !(self.epsilon.is_finite() && self.epsilon > 0.0) {
            return wrong("epsilon", "a positive number", self.epsilon);
        }
        if !(0.0..1.0).contains(&self.weight_decay) {
            return wrong("weight_decay", "at least 0 and less than 1", self.weight_decay);
        }
        Ok(())
    }
}

/// Settings of Lion, whose rate is usually a third to a tenth of AdamW's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LionSettings {
    /// β₁; default 0.9
    pub beta_1: f64,
    /// β₂; default 0.99
    pub beta_2: f64,
    /// The share of every parameter that a step takes away, times the rate; default 0.01
    pub weight_decay: f64,
}

impl Default for LionSettings {
    fn default() -> Self {
        Self {
            beta_1: 0.9,
            beta_2: 0.99,
            weight_decay: 0.01,
        }
    }
}

/// Settings of Adafactor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdafactorSettings {
    /// β = 1 - step^-exponent; default 0.8
    pub decay_exponent: f64,
    /// Added to squares of gradients; default 1e-30
    pub epsilon: f64,
    /// The root mean square that an update is scaled down to; default 1
    pub threshold: f64,
    /// The share of every parameter that a step takes away, times the rate; default 0
    pub weight_decay: f64,
}

impl Default for AdafactorSettings {
    fn default() -> Self {
        Self {
            decay_exponent: 0.8,
            epsilon: 1e-30,
            threshold: 1.0,
            weight_decay: 0.0,
        }
    }
}

/// What makes a step of a gradient; default: AdamW.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimiser {
    /// AdamW.
    #[serde(rename = "adamw")]
    AdamW(AdamWSettings),
    /// Adafactor: little memory.
    Adafactor(AdafactorSettings),
    /// Lion: steps of the same size everywhere.
    Lion(LionSettings),
}

impl Default for Optimiser {
    fn default() -> Self {
        Self::AdamW(AdamWSettings::default())
    }
}

impl Optimiser {
    /// Says what cannot be.
    ///
    /// # Errors
    /// `Setting`.
    pub fn check(&self) -> Result<(), TftError> {
        let wrong = |name, wanted, found: f64| {
            Err(TftError::Setting {
                name,
                wanted,
                found: found.to_string(),
            })
        };
        match self {
            Self::AdamW(settings) => settings.check(),
            Self::Lion(LionSettings {
                beta_1,
                beta_2,
                weight_decay,
            }) => AdamWSettings {
                beta_1: *beta_1,
                beta_2: *beta_2,
                weight_decay: *weight_decay,
                ..AdamWSettings::default()
            }
            .check(),
            Self::Adafactor(settings) => {
                for (name, number) in [
                    ("decay_exponent", settings.decay_exponent),
                    ("epsilon", settings.epsilon),
                    ("threshold", settings.threshold),
                ] {
                    if !(number.is_finite() && number > 0.0) {
                        return wrong(name, "a positive number", number);
                    }
                }
                if !(0.0..1.0).contains(&settings.weight_decay) {
                    return wrong("weight_decay", "at least 0 and less than 1", settings.weight_decay);
                }
                Ok(())
            }
        }
    }
}

/// AdamW and what it remembers.
#[derive(Debug, Clone)]
pub struct AdamW<B: Backend> {
    /// How it is set.
    pub settings: AdamWSettings,
    /// m: [parameters]
    pub first_moment: Tensor<B, 1>,
    /// v: [parameters]
    pub second_moment: Tensor<B, 1>,
    /// Steps done.
    pub steps: u64,
}

impl<B: Backend> AdamW<B> {
    /// Which remembers nothing yet.
    #[must_use]
    pub fn new(settings: AdamWSettings, parameters: &Tensor<B, 1>) -> Self {
        Self {
            settings,
            first_moment: parameters.zeros_like(),
            second_moment: parameters.zeros_like(),
            steps: 0,
        }
    }

    /// The parameters after a step, and the gradient's norm before it was clipped: [1].
    pub fn step(
        &mut self,
        parameters: Tensor<B, 1>,
        gradient: Tensor<B, 1>,
        rate: f64,
        clip: Option<f64>,
    ) -> (Tensor<B, 1>, Tensor<B, 1>) {
        let AdamWSettings {
            beta_1,
            beta_2,
            epsilon,
            weight_decay,
        } = self.settings;
        let norm = sum_in_order(gradient.clone() * gradient.clone()).sqrt();
        let gradient = match clip {
            // The smallest number that a norm is divided by keeps the quotient finite for a gradient of zeros.
            Some(clip) => gradient * (norm.clone().clamp_min(1e-30).recip() * clip).clamp_max(1.0),
            None => gradient,
        };
        self.steps += 1;
        let elapsed = self.steps.min(1 << 30) as i32;
        let (correction_1, correction_2) = (1.0 - beta_1.powi(elapsed), 1.0 - beta_2.powi(elapsed));
        self.first_moment = self.first_moment.clone() * beta_1 + gradient.clone() * (1.0 - beta_1);
        self.second_moment = self.second_moment.clone() * beta_2 + gradient.clone() * gradient * (1.0 - beta_2);
        let scale = (self.second_moment.clone() / correction_2).sqrt() + epsilon;
        let update = self.first_moment.clone() / scale * (rate / correction_1);
        (parameters * (1.0 - rate * weight_decay) - update, norm)
    }
}

/// The sum of everything, in an order that does not depend on threads: a sum of sums of at most 4096 numbers. [n] → [1]
#[must_use]
pub fn sum_in_order<B: Backend>(values: Tensor<B, 1>) -> Tensor<B, 1> {
    const STRETCH: usize = 4096;
    let [length] = values.dims();
    let rest = length.next_multiple_of(STRETCH) - length;
    let device = values.device();
    let padded = match rest {
        0 => values,
        rest => Tensor::cat(vec![values, Tensor::zeros([rest], &device)], 0),
    };
    padded.reshape([(length + rest) / STRETCH, STRETCH]).sum_dim(1).sum()
}
