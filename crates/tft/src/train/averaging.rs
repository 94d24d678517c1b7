//! Means of weights over steps: they validate better than the last ones, and cost a buffer and one pass a step.
//!
//! Sources: Polyak & Juditsky, *Acceleration of stochastic approximation by averaging*, 1992 (exponential); Izmailov et al., *Averaging
//! weights leads to wider optima and better generalization*, 2018 (the mean from some step on).

use serde::{Deserialize, Serialize};

use crate::TftError;

/// Which weights are validated, kept and used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Averaging {
    /// The last step's; the default.
    #[default]
    None,
    /// A mean that forgets: each step keeps `decay` of it.
    Exponential {
        /// In (0, 1); usual: 0.999. The first steps keep less, (1 + step) / (10 + step).
        decay: f64,
    },
    /// The mean of the weights at the ends of epochs, from a share of the epochs on.
    Epochs {
        /// The share of the epochs before, in [0, 1); usual: 0.75.
        from: f64,
    },
}

impl Averaging {
    /// Says what cannot be.
    ///
    /// # Errors
    /// `Setting`.
    pub fn check(&self) -> Result<(), TftError> {
        let (name, wanted, is_right, found) = match *self {
            Self::None => return Ok(()),
            Self::Exponential { decay } => ("decay", "a number between 0 and 1", decay > 0.0 && decay < 1.0, decay),
            Self::Epochs { from } => ("from", "at least 0 and less than 1", (0.0..1.0).contains(&from), from),
        };
        is_right.then_some(()).ok_or(TftError::Setting {
            name,
            wanted,
            found: found.to_string(),
        })
    }
    /// After a step (from 1): the share by which the mean moves; `None`: it does not.
    #[must_use]
    pub fn after_step(&self, step: u64) -> Option<f64> {
        match *self {
            Self::Exponential { decay } => Some(1.0 - decay.min((1.0 + step as f64) / (10.0 + step as f64))),
            _ => None,
        }
    }
    /// After an epoch (from 1) of so many: the same.
    #[must_use]
    pub fn after_epoch(&self, epoch: u64, epochs: u64) -> Option<f64> {
        let Self::Epochs { from } = *self else { return None };
        let first = (from * epochs as f64).ceil().max(1.0) as u64;
        (epoch >= first).then(|| 1.0 / (epoch - first + 1) as f64)
    }
}
