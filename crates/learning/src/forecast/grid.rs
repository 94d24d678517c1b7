//! Times as steps: a step is the stretch of time from its start to just before the next one's.

use serde::{Deserialize, Serialize};

/// A numbering of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// The length of a step, in microseconds; more than 0.
    pub frequency: i64,
    /// The start of step 0, in UTC microseconds, at least 0 and less than `frequency`.
    pub offset: i64,
}

impl Grid {
    /// The grid on which all these times lie, or else the one that begins with 1970.
    #[must_use]
    pub fn of(frequency: i64, times: impl Iterator<Item = i64>) -> Self {
        let frequency = frequency.max(1);
        let mut offset = None;
        for time in times {
            let own = time.rem_euclid(frequency);
            if *offset.get_or_insert(own) != own {
                offset = None;
                break;
            }
        }
        Self {
            frequency,
            offset: offset.unwrap_or_default(),
        }
    }
    /// The step of a time in UTC microseconds.
    #[must_use]
    pub fn step(self, time: i64) -> i64 {
        time.saturating_sub(self.offset).div_euclid(self.frequency.max(1))
    }
    /// The start of a step, in UTC microseconds.
    #[must_use]
    pub fn time(self, step: i64) -> i64 {
        step.saturating_mul(self.frequency).saturating_add(self.offset)
    }
}
