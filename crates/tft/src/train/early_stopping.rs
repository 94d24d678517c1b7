//! When there is nothing more to gain.

use serde::{Deserialize, Serialize};

/// What has been seen of the validation loss.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// The best loss, and the epoch, from 1, that had it.
    pub best: Option<(f64, u64)>,
    /// Epochs since.
    pub waited: u64,
}

/// What an epoch's loss means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the best.
    Better,
    /// It is not, and there is still patience.
    Wait,
    /// It is not, and there is none.
    Stop,
}

impl EarlyStopping {
    /// Of an epoch, from 1. A loss is better when it is less than the best by more than `min_delta`; one that is no number never is.
    pub fn after_epoch(&mut self, epoch: u64, loss: f64, min_delta: f64, patience: Option<u64>) -> Verdict {
        if loss.is_finite() && self.best.is_none_or(|(best, _)| loss < best - min_delta) {
            *self = Self {
                best: Some((loss, epoch)),
                waited: 0,
            };
            return Verdict::Better;
        }
        self.waited += 1;
        match patience {
            Some(patience) if self.waited >= patience => Verdict::Stop,
            _ => Verdict::Wait,
        }
    }
}
