//! Prediction with a registered model: rows in, predictions out, checked against what the model promises.
//!
//! The same signature and preparation that training wrote are applied to every row, whatever learner made the model. This crate
//! never reads a file, never knows a particular learner, and never looks features up: rows come in joined.
//!
//! Reading order: `outputs` says what a model gives, `predictor` gives it, `forecast` gives it for steps ahead.

mod error;
mod forecast;
mod outputs;
mod predictor;
#[cfg(test)]
mod tests;

pub use error::ServingError;
pub use forecast::{Asked, ForecastPredictor};
pub use outputs::{PREDICTION, class_outputs, number_outputs, probability_column, quantile_column};
pub use predictor::{ModelFiles, Predictor};
