//! A simulated fleet of servers, for the demonstration, tests and benchmarks: the same seed gives the same rows on any machine.
//!
//! This crate makes record batches of metrics, late rows, hosts and labels. It never writes a file and never asks the clock.
//!
//! Reading order: `fleet` is what is asked for and what comes of it, `host` the life of one host, tick by tick, `inventory` what
//! hosts are, `label` what is to be forecast, `random` and `wave` the numbers it is all made of.

mod error;
mod fleet;
mod host;
mod inventory;
mod label;
mod random;
#[cfg(test)]
mod tests;
mod wave;

pub use error::SimulationError;
pub use fleet::{Batches, Fleet, START};
