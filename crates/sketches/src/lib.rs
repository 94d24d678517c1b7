//! What a column holds, in one pass and in memory that does not grow with its values; and how far two columns are apart.
//!
//! Everything here is arithmetic on slices: no files, no clock, no chance. The same values in the same order give the same sketch on
//! every machine, whatever the batches; two sketches merged in the same order give the same merged sketch. Where a sketch is not exact
//! it says by how much it may be off, counted and not guessed (only the number of different values has a standard error instead).
//!
//! Reading order: `key` (every ordered value as a 64-bit number), then the sketches: `moments` (mean and deviation), `quantiles`,
//! `distinct` (how many different values), `frequent` (the most frequent ones), and `column`, which feeds all of them in one pass (`spread`
//! sorts its blocks); then `drift`, which measures how far two columns are apart.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may"))]

mod column;
mod distinct;
pub mod drift;
mod frequent;
pub mod key;
mod moments;
mod quantiles;
mod spread;

pub use column::{NumberSketch, NumberSummary, TextSketch, TextSummary};
pub use distinct::{DistinctSketch, STANDARD_ERROR};
pub use frequent::{Frequent, FrequentValues};
pub use key::Kind;
pub use moments::Moments;
pub use quantiles::{Accuracy, QuantileSketch, Quantiles};
