//! The Temporal Fusion Transformer: forecasts of many series at once, over many steps, with quantiles and explanations.
//!
//! The crate never reads a dataset or a file of a user, never prints, and never asks the clock. Nothing of Burn stands in what the rest of
//! the project uses of it.
//!
//! Reading order, which is the data's: `data` (a panel in memory, windows, batches), `model` (the network), `kernels` (operations with a
//! backward pass of their own), `loss`, `train` (how it learns), `telemetry` (what it tells meanwhile), `artefacts` (what is kept), `predict`,
//! `learner` (all of it behind the interface of everything that forecasts). `random` draws everything that is random.

pub mod artefacts;
pub mod data;
mod error;
pub mod kernels;
pub mod learner;
pub mod loss;
pub mod model;
pub mod predict;
mod random;
pub mod telemetry;
pub mod train;

pub use error::TftError;
