//! The network on processors: own code with explicit vectors, chosen for the machine when the program runs.
//!
//! What is computed is written once, over a type of vectors (`simd`), and compiled for each kind of machine; `Level` says which this one
//! is. Results are the same bits for any number of threads. They may differ in the last bits between kinds of machines.
//!
//! Reading order: `simd` (vectors), `elementary` (exponentials), `rows`, `product` (matrices), `gated` (gated residual networks),
//! `sequence` (the recurrence), `focus` (attention), `network` (all of it).

mod elementary;
mod focus;
mod gated;
mod network;
mod product;
mod rows;
mod sequence;
mod simd;

#[cfg(test)]
mod tests;

pub use network::{ExplainedNumbers, LossGradient, OnProcessor};
