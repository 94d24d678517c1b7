//! In which order windows come: every epoch a permutation of its own, drawn from (seed, epoch). So (seed, epoch, position) is all there
//! is to resume from.

use crate::random::{mix, permutation};

/// How windows are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampling {
    /// The seed of the run.
    pub seed: u64,
    /// Windows of a batch, at least 1.
    pub batch: usize,
    /// Windows of an epoch at most; `None`: every window once.
    pub limit: Option<usize>,
}

impl Sampling {
    /// Batches of an epoch. Shapes stay the same: what does not fill a batch waits for another epoch, unless it is all there is.
    #[must_use]
    pub fn batches(&self, windows: usize) -> usize {
        let drawn = self.limit.unwrap_or(windows).min(windows);
        (drawn / self.batch.max(1)).max(usize::from(drawn > 0))
    }
    /// The places of the windows of an epoch, batch after batch.
    #[must_use]
    pub fn order(&self, epoch: u64, windows: usize) -> Vec<u32> {
        let mut order = permutation(mix(self.seed, epoch), windows);
        let drawn = self.limit.unwrap_or(windows).min(windows);
        order.truncate(drawn.min((self.batches(windows) * self.batch.max(1)).max(1)));
        order
    }
}
