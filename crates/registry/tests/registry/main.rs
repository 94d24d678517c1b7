//! The registry, through its public functions, by one process and by several at once.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may")]

mod alias;
mod applied;
mod check;
mod dataset;
mod fixture;
mod ingestion;
mod lease;
mod lineage;
mod model;
mod opening;
mod processes;
mod run;
mod scale;
mod search;
mod threads;
