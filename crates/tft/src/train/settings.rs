//! What may be said about training.

use serde::{Deserialize, Serialize};

use super::averaging::Averaging;
use super::optimiser::Optimiser;
use super::schedule::Schedule;
use crate::TftError;
use crate::loss::Loss;

/// Settings of a training run, with the defaults of `Settings::default`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What is made small.
    pub loss: Loss,
    /// Windows of a step; default 64.
    pub batch_size: usize,
    /// Pieces that a step's windows are computed in, one after the other, to save memory; default 1.
    pub micro_batches: usize,
    /// Epochs at most; default 100.
    pub epochs: u64,
    /// Windows of an epoch at most; default: all.
    pub windows_per_epoch: Option<usize>,
    /// The highest learning rate; default 1e-3.
    pub learning_rate: f64,
    /// How it changes; default: constant.
    pub schedule: Schedule,
    /// What makes a step of a gradient; default: AdamW.
    pub optimiser: Optimiser,
    /// Which weights are validated, kept and used; default: the last step's.
    pub averaging: Averaging,
    /// The gradient of all parameters together is scaled down to this norm; default 1; `None`: never.
    pub gradient_clip: Option<f64>,
    /// Epochs without a better validation loss before training stops; default 5; `None`: never.
    pub patience: Option<u64>,
    /// How much less a validation loss must be to be better; default 1e-4.
    pub min_delta: f64,
    /// The share of windows in which a category is taken for unknown; default 0.01.
    pub unknown_share: f64,
    /// Steps between checkpoints; default: one an epoch.
    pub checkpoint_every: Option<u64>,
    /// Checkpoints of the best epochs that are kept beside the last one; default 0.
    pub keep_checkpoints: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            loss: Loss::Quantile(vec![0.1, 0.5, 0.9]),
            batch_size: 64,
            micro_batches: 1,
            epochs: 100,
            windows_per_epoch: None,
            learning_rate: 1e-3,
            schedule: Schedule::Constant,
            optimiser: Optimiser::default(),
            averaging: Averaging::None,
            gradient_clip: Some(1.0),
            patience: Some(5),
            min_delta: 1e-4,
            unknown_share: 0.01,
            checkpoint_every: None,
            keep_checkpoints: 0,
        }
    }
}

impl Settings {
    /// Says what cannot be.
    ///
    /// # Errors
    /// `Setting`, naming it, what it should be and what it is.
    pub fn check(&self) -> Result<(), TftError> {
        let wrong = |name, wanted, found| Err(TftError::Setting { name, wanted, found });
        self.loss.check()?;
        self.schedule.check()?;
        self.optimiser.check()?;
        self.averaging.check()?;
        if self.batch_size == 0 {
            return wrong("batch_size", "at least 1", self.batch_size.to_string());
        }
        if self.micro_batches == 0 || !self.batch_size.is_multiple_of(self.micro_batches) {
            return wrong(
                "micro_batches",
                "a divisor of `batch_size`",
                self.micro_batches.to_string(),
            );
        }
        if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) {
            return wrong("learning_rate", "a positive number", self.learning_rate.to_string());
        }
        if let Some(clip) = self.gradient_clip.filter(|clip| !(clip.is_finite() && *clip > 0.0)) {
            return wrong("gradient_clip", "a positive number", clip.to_string());
        }
        if !(self.min_delta.is_finite() && self.min_delta >= 0.0) {
            return wrong("min_delta", "a number of at least 0", self.min_delta.to_string());
        }
        if !(0.0..1.0).contains(&self.unknown_share) {
            return wrong(
                "unknown_share",
                "at least 0 and less than 1",
                self.unknown_share.to_string(),
            );
        }
        Ok(())
    }
}
