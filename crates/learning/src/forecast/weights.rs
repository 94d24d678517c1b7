//! What forecasts rest on.

use serde::{Deserialize, Serialize};

/// How a number is spread over windows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// A tenth of the windows have less.
    pub p10: f64,
    /// Half of the windows have less.
    pub p50: f64,
    /// A tenth of the windows have more.
    pub p90: f64,
}

/// How much a variable counts among those of its kind: from 0 to 1, together 1 in each window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VariableWeight {
    /// The variable.
    pub variable: String,
    /// Its weight.
    #[serde(flatten)]
    pub weight: Spread,
}

/// What forecasts of some windows rest on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// Windows that were explained.
    pub windows: u64,
    /// What never changes.
    #[serde(rename = "static")]
    pub fixed: Vec<VariableWeight>,
    /// What is looked back at.
    pub past: Vec<VariableWeight>,
    /// What is known in advance.
    pub future: Vec<VariableWeight>,
    /// How much each step ahead attends to each step, the mean over windows: a row a step ahead; columns from the oldest step looked
    /// back at to the last step ahead.
    pub attention: Vec<Vec<f64>>,
}

impl Spread {
    /// Of some numbers; zeros where there are none. The value at a share is the one at its place among the sorted, rounded down.
    #[must_use]
    pub fn of(mut values: Vec<f32>) -> Self {
        values.sort_by(f32::total_cmp);
        let at = |share: f64| {
            let place = (share * values.len().saturating_sub(1) as f64) as usize;
            values.get(place).copied().map_or(0.0, f64::from)
        };
        Self {
            p10: at(0.1),
            p50: at(0.5),
            p90: at(0.9),
        }
    }
}

impl Explanation {
    /// How much a forecast attends to each step, the mean over the steps ahead; with each, how many steps it is from now: -2, -1, 0, 1.
    #[must_use]
    pub fn attention_by_lag(&self) -> Vec<(i64, f64)> {
        let steps = self.attention.first().map_or(0, Vec::len);
        let (ahead, context) = (self.attention.len(), steps.saturating_sub(self.attention.len()));
        let mean = |at: usize| {
            let sum: f64 = self.attention.iter().filter_map(|row| row.get(at)).sum();
            sum / ahead.max(1) as f64
        };
        (0..steps)
            .map(|at| (at as i64 + 1 - context as i64, mean(at)))
            .collect()
    }
}
