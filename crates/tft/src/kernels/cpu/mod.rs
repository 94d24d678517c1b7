//! Kernels for processors: explicit vectors, chosen for the machine when the program runs.
//!
//! A kernel is written once, over a type of vectors (`simd`), and compiled for each kind of machine; `level` says which this one is.
//! Windows are cut into shards of a fixed number, and what shards add up is added in their order: so results are the same bits for any
//! number of threads. They may differ in the last bits between kinds of machines.
//!
//! Reading order: `simd` (vectors), `elementary` (exponentials), `rows`, `product` (matrices), `memory` (tensors), `residual`, `lstm`,
//! `attention`.

mod attention;
mod elementary;
mod focus;
mod gated;
mod lstm;
mod memory;
mod network;
mod product;
mod residual;
mod rows;
mod sequence;
mod simd;

#[cfg(test)]
mod tests;

pub use network::{ExplainedNumbers, LossGradient, OnProcessor};
pub(super) use attention::{attention_backward, attention_forward};
pub(super) use lstm::{lstm_backward, lstm_forward};
pub(super) use residual::{residual_backward, residual_forward};
