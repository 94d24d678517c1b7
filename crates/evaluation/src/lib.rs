//! How good a model is, and whether that is good enough: metrics, slices, baselines, gates and the model card.
//!
//! Everything here is a pure function of slices and plain structs. This crate never trains or loads a model, never reads a
//! dataset, and never decides what happens after a gate has spoken.
//!
//! Reading order: `metric` names what can be measured, `regression` and `classification` hold the formulas, `truth` the
//! rows they run over, `slices` divides the rows, `evaluate` measures a part, `forecast` one of forecasts, `gates` judges it, `leaks` says whether it was told the answer, `card`
//! writes it down.

mod card;
mod classification;
mod error;
mod evaluate;
mod forecast;
mod gates;
mod leaks;
mod metric;
mod regression;
mod slices;
mod sum;
#[cfg(test)]
mod tests;
mod truth;

pub use card::*;
pub use classification::ConfusionMatrix;
pub use error::EvaluationError;
pub use evaluate::*;
pub use forecast::*;
pub use gates::*;
pub use leaks::*;
pub use metric::*;
pub use slices::*;
pub use sum::Sum;
pub use truth::*;
