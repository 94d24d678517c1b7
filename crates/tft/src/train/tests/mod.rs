#![expect(clippy::unwrap_used, reason = "tests may")]

mod edges;
mod extras;
mod learning;
mod optimiser;
mod schedules;
