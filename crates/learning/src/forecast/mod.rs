//! Learning to forecast: many series of the same variables, many steps at once.
//!
//! ```text
//!   rows of a dataset ──► Panel ──► windows of each part ──► Forecaster ──► Forecasts of windows
//!                         (a grid of steps)                  (dyn)          (quantiles of each step)
//! ```
//!
//! Arrow comes in once, slices go out. Nothing here knows a particular learner.
//!
//! Reading order: `grid` (times as steps), `panel` (rows as series), `windows` (what is asked, and of which part it is), `forecaster`
//! (who answers), `notes` (what is said of how it learned), `baseline` (answers that need no learning), `dlinear` (answers that need
//! little), `lags` (windows as rows, for learners of rows), `weights` (what an answer rests on).

mod baseline;
mod dlinear;
mod forecaster;
mod grid;
mod lags;
mod notes;
mod panel;
#[cfg(test)]
mod tests;
mod variables;
mod weights;
mod windows;

pub use baseline::{PointForecast, point_forecasts, season_steps, training_means, training_scales};
pub use dlinear::{Dlinear, DlinearModel};
pub use forecaster::{ForecastData, ForecastModel, Forecaster, Forecasts, TrainingMoment, TrainingWatch};
pub use grid::Grid;
pub use lags::{Base, LagFeatures, LagRows, StepAhead, spread_steps};
pub use notes::TrainingNote;
pub use panel::{Panel, PanelColumns, PanelNotes};
pub use variables::{Codes, Values, Variable, Variables};
pub use weights::{Explanation, Spread, VariableWeight};
pub use windows::{PartNumber, Shape, Window};
