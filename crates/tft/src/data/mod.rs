//! What is learned from: a panel that lies in memory once, windows that are offsets into it, and batches gathered ahead of the step.
//!
//! Reading order: `panel`, `windows` (which windows there are), `scaling` (fitted on training steps only), `sampling` (in which order
//! they come), `batch` (what a step is given), `loader` (threads that gather ahead).

mod batch;
mod loader;
mod panel;
mod sampling;
mod scaling;
mod windows;

#[cfg(test)]
mod tests;

pub use batch::{Batch, BatchTensors, Gathering, Targets};
pub(crate) use batch::{Given, GivenColumns};
pub use loader::{Loading, load};
pub use panel::{Block, Panel, Rows};
pub use sampling::Sampling;
pub use scaling::{Scaler, Scalers, Scaling};
pub use windows::{Shape, Window, windows};
