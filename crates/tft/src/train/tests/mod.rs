#![expect(clippy::unwrap_used, reason = "tests may")]

mod learning;
mod optimiser;
mod schedules;
