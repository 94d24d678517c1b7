//! What can be wrong with a fleet.

use crate::Fleet;

/// Why a fleet cannot be simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SimulationError {
    /// There are no hosts or no days, or more than fit.
    #[error("a fleet of {} hosts and {} days cannot be simulated: expected 1 to 100000 hosts and 1 to 36500 days", fleet.hosts, fleet.days)]
    Size {
        /// What was asked for.
        fleet: Fleet,
    },
}

impl SimulationError {
    /// What can be typed instead.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some("--hosts 60 --days 30".to_owned())
    }
}
