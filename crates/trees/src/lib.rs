//! LightGBM 4.6.0 behind a safe wrapper: gradient-boosted trees, trained from Arrow without copying it.
//!
//! The crate speaks `learning` types on the outside and LightGBM's C interface on the inside. It never reads files, never
//! prints, and never trusts a parameter that LightGBM would ignore.
//!
//! Reading order: `parameters` (what may be said), `lightgbm` (the C calls, the only unsafe code), `early_stopping` (when
//! to stop), `learner` (the training loop), `model` (predictions, importance, bytes), `forecast` (trees of windows).

mod early_stopping;
mod error;
mod forecast;
mod learner;
mod lightgbm;
mod model;
mod parameters;

pub use error::TreesError;
pub use forecast::{LagForecastModel, LagForecaster};
pub use learner::LightGbm;
pub use lightgbm::VERSION;
pub use model::TreeModel;
pub use parameters::{Objective, ParameterError, Parameters};
