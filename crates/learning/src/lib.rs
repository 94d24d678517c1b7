//! What every learner shares: tables of numbers, their preparation, what a model promises, and baselines.
//!
//! Arrow comes in, plain slices go out. This crate never reads a dataset, never knows a particular learner, and never asks
//! the clock or draws at random.
//!
//! Reading order: `signature` says what a model takes and gives, `preprocessing` turns columns into numbers, `matrix` holds
//! them, `target` the labels, `learner` is the interface of everything that learns, `baseline` what needs no learning, `forecast` the same for
//! many series and many steps at once.

mod baseline;
mod error;
mod forecast;
mod learner;
mod matrix;
mod preprocessing;
mod signature;
mod target;

pub use baseline::{Observations, baseline};
pub use error::LearningError;
pub use forecast::*;
pub use learner::*;
pub use matrix::Matrix;
pub use preprocessing::{ColumnPreparation, Encoding, Preprocessing};
pub use signature::{ForecastSignature, Input, Output, Signature, arrow_type, data_type_of};
pub use target::{Target, TargetKind};
