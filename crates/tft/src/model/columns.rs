//! What goes into the network: numbers and rows of tables, by variable. Nothing is embedded before it is multiplied (`embedding`).

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};

/// The values of some variables in some rows.
#[derive(Debug, Clone)]
pub struct Columns<B: Backend> {
    /// Rows.
    pub rows: usize,
    /// [rows, continuous], scaled; 0 where missing. `None`: no continuous variables.
    pub continuous: Option<Tensor<B, 2>>,
    /// [rows] of each categorical variable: rows of its table.
    pub categorical: Vec<Tensor<B, 1, Int>>,
    /// [rows, variables]: 1 where there is a value, 0 where it is missing. `None`: nothing is missing.
    pub present: Option<Tensor<B, 2>>,
}

impl<B: Backend> Columns<B> {
    /// How many continuous variables there are.
    #[must_use]
    pub fn continuous_count(&self) -> usize {
        self.continuous.as_ref().map_or(0, |values| values.dims()[1])
    }
    /// How many variables there are.
    #[must_use]
    pub fn variables(&self) -> usize {
        self.continuous_count() + self.categorical.len()
    }
}

/// A batch of windows. Rows are windows, and within a window steps, from the oldest.
#[derive(Debug, Clone)]
pub struct WindowTensors<B: Backend> {
    /// Windows.
    pub batch: usize,
    /// The variables that never change: a row a window. `None`: there are none.
    pub fixed: Option<Columns<B>>,
    /// Known and observed variables over the context: batch × context rows.
    pub past: Columns<B>,
    /// Known variables over the horizon: batch × horizon rows. `None`: there are none.
    pub future: Option<Columns<B>>,
    /// [batch, context]: 1 for steps that there are, 0 before the first step of a short series. `None`: every series is long enough.
    pub steps_present: Option<Tensor<B, 2>>,
}
