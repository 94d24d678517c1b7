//! How the network learns.
//!
//! Reading order: `settings` (what may be said), `flat` (all parameters in one buffer), `graph`, `optimiser` (what may be said of them, and
//! AdamW on a device), `stepping` (all of them in memory), `averaging`, `engine` (what computes gradients and steps), `schedule` (learning
//! rates), `early_stopping`, `checkpoint` (what is kept to go on from), `fit` (the loop), `finder` (of a learning rate),
//! `slimming` (fewer variables).
//!
//! The same seed gives the same weights, for any number of threads, stopped and resumed or not: everything drawn at random is a hash of
//! the seed and a counter, sums are made in one order, and a checkpoint holds all that a step reads.

mod averaging;
mod checkpoint;
mod early_stopping;
mod engine;
mod finder;
mod fit;
mod flat;
mod graph;
mod optimiser;
mod schedule;
mod settings;
mod slimming;
mod stepping;

#[cfg(test)]
mod tests;

pub use averaging::Averaging;
pub use checkpoint::{Checkpoint, Progress, write_atomically};
pub use early_stopping::{EarlyStopping, Verdict};
pub use finder::{Finder, FoundRate, find_rate};
pub use fit::{Control, Fitted, Material, Moment, Report, epoch_path, evaluate, fit, steps};
pub use flat::{gradients, parameters, replace};
pub use graph::one_graph;
pub use optimiser::{AdafactorSettings, AdamW, AdamWSettings, LionSettings, Optimiser, sum_in_order};
pub use schedule::{Plateau, Schedule};
pub use settings::Settings;
pub use slimming::{Counts, Kept};
pub use stepping::Stepping;
