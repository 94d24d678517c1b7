//! The transformer behind the interface of everything that forecasts: `learning::Forecaster` and `learning::ForecastModel`.
//!
//! Reading order: `parameters` (what a pipeline may say), `preparation` (a panel of the platform as one of the network), `recorder` (what a
//! training tells), `device` (where it trains), `course` (trainings one after the other), `rate` (a learning rate that suits), `weighing`
//! (which variables count), `slim` (fewer of them), `judging` (of several networks), `groups` (a network for each), `fit`, `model`.

mod course;
mod device;
mod fit;
mod groups;
mod judging;
mod model;
mod parameters;
mod preparation;
mod rate;
mod recorder;
mod slim;
#[cfg(test)]
mod tests;
mod weighing;

pub use device::Device;
pub use fit::TftLearner;
pub use groups::{GroupBy, GroupSettings};
pub use model::TftModel;
pub use parameters::{ParameterError, Parameters};
pub use preparation::Preparation;
pub use slim::Slim;

use crate::TftError;

/// What the learner is called.
const NAME: &str = "tft";

impl From<TftError> for learning::LearningError {
    fn from(error: TftError) -> Self {
        let (fault, hint) = (error.fault(), error.hint());
        Self::Learner {
            learner: NAME,
            source: Box::new(error),
            fault,
            hint,
        }
    }
}

impl From<ParameterError> for learning::LearningError {
    fn from(error: ParameterError) -> Self {
        let hint = Some(error.hint());
        Self::Learner {
            learner: NAME,
            source: Box::new(error),
            fault: definitions::Fault::Input,
            hint,
        }
    }
}
