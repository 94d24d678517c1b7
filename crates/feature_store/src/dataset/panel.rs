//! What a dataset of a view for forecasting says of its panel.
//!
//! Every row of the panel is a row of the dataset, joined as of its own time, and lies in a part or in a gap. A window is not a row: it
//! is as many rows of one entity as the context and the horizon have steps. It belongs to the part that holds all its steps ahead:
//!
//! ```text
//!   train ───────────────┤ gap ├─ validation ──────────
//!       [ context ][ horizon ]                              of train
//!                  [ context ][ horizon ]                   of none
//!                       [ context ][ horizon ]              of validation
//! ```
//!
//! So no window of train sees a target of validation or test. A context may reach back over the gap, never ahead: for that, rows in
//! gaps are kept with every column, and the dataset's fingerprint covers them.

use definitions::{ColumnName, Duration, ResolvedPanel};
use serde::{Deserialize, Serialize};

/// What is forecast, and what is known when; columns by their names in the dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PanelReport {
    /// What is forecast.
    pub targets: Vec<String>,
    /// What never changes for an entity.
    #[serde(rename = "static")]
    pub static_columns: Vec<String>,
    /// What is known in advance.
    pub known_future: Vec<String>,
    /// What is known up to now, beside the targets.
    pub observed: Vec<String>,
    /// Steps looked back.
    pub context: u32,
    /// Steps looked ahead.
    pub horizon: u32,
    /// The length of a step.
    pub frequency: Duration,
}

impl PanelReport {
    pub(super) fn new(panel: &ResolvedPanel) -> Self {
        let names = |columns: &[ColumnName]| columns.iter().map(ColumnName::to_string).collect();
        Self {
            targets: names(&panel.targets),
            static_columns: names(&panel.static_columns),
            known_future: names(&panel.known_future),
            observed: names(&panel.observed),
            context: panel.context,
            horizon: panel.horizon,
            frequency: panel.frequency,
        }
    }
}
