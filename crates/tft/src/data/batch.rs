//! What a step is given, gathered from the panel into buffers that are used again.
//!
//! Rows are windows, and within a window steps from the oldest. A series that is shorter than the context stands at its end; the steps
//! before are absent. Scaled values that are missing are 0, and said to be missing.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};

use super::panel::Panel;
use super::scaling::{Scaler, Scalers, Scaling};
use super::windows::{Shape, Window};
use crate::model::{Columns, UNKNOWN, WindowTensors};
use crate::random::{mix, unit};

/// Where batches are gathered from, and how.
#[derive(Debug, Clone)]
pub struct Gathering<'a> {
    panel: &'a Panel,
    scalers: &'a Scalers,
    entities: Vec<Vec<Scaler>>,
    shape: Shape,
    targets: usize,
    unknown: f64,
    seed: u64,
}

/// Columns of a batch: values of each row together.
#[derive(Debug, Clone, Default, PartialEq)]
struct Gathered {
    continuous: Vec<f32>,
    categorical: Vec<Vec<i32>>,
    present: Vec<f32>,
    is_complete: bool,
}

/// A batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    windows: usize,
    /// Context and horizon.
    steps: [usize; 2],
    fixed: Gathered,
    past: Gathered,
    future: Gathered,
    steps_present: Vec<f32>,
    is_long: bool,
    targets: Vec<f32>,
    known: Vec<f32>,
    scalers: Vec<Scaler>,
}

/// Columns of a batch as they lie in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GivenColumns<'a> {
    pub rows: usize,
    /// [rows, continuous]
    pub continuous: &'a [f32],
    /// [rows] of each categorical variable
    pub categorical: &'a [Vec<i32>],
    /// [rows, variables]; `None`: nothing is missing.
    pub present: Option<&'a [f32]>,
}

/// A batch as it lies in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given<'a> {
    pub windows: usize,
    pub fixed: GivenColumns<'a>,
    pub past: GivenColumns<'a>,
    pub future: GivenColumns<'a>,
    /// [windows, context]; `None`: every step is present.
    pub steps_present: Option<&'a [f32]>,
    /// [windows, horizon, targets]
    pub targets: &'a [f32],
    pub known: &'a [f32],
}

/// What is to be forecast, on a device.
#[derive(Debug, Clone)]
pub struct Targets<B: Backend> {
    /// Scaled: [batch, horizon, targets]; 0 where missing.
    pub values: Tensor<B, 3>,
    /// [batch, horizon, targets]: 1 where known, 0 where missing.
    pub known: Tensor<B, 3>,
}

/// A batch on a device.
#[derive(Debug, Clone)]
pub struct BatchTensors<B: Backend> {
    /// What goes in.
    pub windows: WindowTensors<B>,
    /// What should come out.
    pub targets: Targets<B>,
}

impl Gathered {
    /// Makes place for rows of so many variables; memory is kept from batch to batch.
    fn reset(&mut self, rows: usize, continuous: usize, categorical: usize) {
        self.is_complete = true;
        refill(&mut self.continuous, rows * continuous, 0.0);
        refill(&mut self.present, rows * (continuous + categorical), 1.0);
        self.categorical.resize_with(categorical, Vec::new);
        for column in &mut self.categorical {
            refill(column, rows, UNKNOWN as i32);
        }
    }
    /// Marks everything in a row as missing.
    fn miss(&mut self, row: usize, variables: usize) {
        self.is_complete = false;
        for present in self.present.iter_mut().skip(row * variables).take(variables) {
            *present = 0.0;
        }
    }
    /// Puts a continuous variable's values into consecutive rows.
    fn put(&mut self, values: &[f32], row: usize, place: Place, scaler: Scaler) {
        let Place {
            at,
            continuous,
            variables,
        } = place;
        let cells = self
            .continuous
            .iter_mut()
            .skip(row * continuous + at)
            .step_by(continuous.max(1));
        let present = self
            .present
            .iter_mut()
            .skip(row * variables + at)
            .step_by(variables.max(1));
        let mut is_complete = true;
        for ((value, cell), present) in values.iter().zip(cells).zip(present) {
            if value.is_finite() {
                *cell = scaler.apply(*value);
            } else {
                *present = 0.0;
                is_complete = false;
            }
        }
        self.is_complete &= is_complete;
    }
    /// Puts a categorical variable's rows of its table into consecutive rows.
    fn put_categories(&mut self, values: &[u32], row: usize, at: usize) {
        if let Some(column) = self.categorical.get_mut(at) {
            for (cell, value) in column.iter_mut().skip(row).zip(values) {
                *cell = *value as i32;
            }
        }
    }
    fn given(&self, rows: usize) -> GivenColumns<'_> {
        GivenColumns {
            rows,
            continuous: &self.continuous,
            categorical: &self.categorical,
            present: (!self.is_complete).then_some(&self.present),
        }
    }
    fn tensors<B: Backend>(&self, rows: usize, device: &B::Device) -> Option<Columns<B>> {
        let (continuous, categorical) = (self.continuous.len() / rows.max(1), self.categorical.len());
        let variables = continuous + categorical;
        let floats =
            |values: &Vec<f32>, width| Tensor::from_data(TensorData::new(values.clone(), [rows, width]), device);
        let ints = |values: &Vec<i32>| Tensor::<B, 1, Int>::from_data(TensorData::new(values.clone(), [rows]), device);
        (variables > 0).then(|| Columns {
            rows,
            continuous: (continuous > 0).then(|| floats(&self.continuous, continuous)),
            categorical: self.categorical.iter().map(ints).collect(),
            present: (!self.is_complete).then(|| floats(&self.present, variables)),
        })
    }
}

/// Where a continuous variable stands in a row.
#[derive(Debug, Clone, Copy)]
struct Place {
    at: usize,
    continuous: usize,
    variables: usize,
}

fn refill<T: Copy>(buffer: &mut Vec<T>, length: usize, value: T) {
    buffer.clear();
    buffer.resize(length, value);
}

impl<'a> Gathering<'a> {
    /// From this panel. `unknown`: the share of windows in which a categorical variable is taken for unknown, so that the unknown is
    /// learned, drawn from `seed`; 0 outside of training.
    #[must_use]
    pub fn new(panel: &'a Panel, scalers: &'a Scalers, shape: Shape, targets: usize) -> Self {
        Self {
            panel,
            scalers,
            entities: scalers.of_entities(panel),
            shape,
            targets,
            unknown: 0.0,
            seed: 0,
        }
    }
    /// The same, with a share of categories taken for unknown.
    #[must_use]
    pub fn forgetting(self, unknown: f64, seed: u64) -> Self {
        Self { unknown, seed, ..self }
    }

    /// Gathers windows; `draw` numbers the batch of the run, so that what is taken for unknown differs from epoch to epoch.
    pub fn gather(&self, windows: &[Window], draw: u64, batch: &mut Batch) {
        let Shape { context, horizon } = self.shape;
        let (fixed, known, observed) = (self.panel.fixed(), self.panel.known(), self.panel.observed());
        let count = windows.len();
        batch.windows = count;
        batch.steps = [context, horizon];
        batch.is_long = true;
        batch
            .fixed
            .reset(count, fixed.continuous.len(), fixed.categorical.len());
        let past = (
            known.continuous.len() + observed.continuous.len(),
            known.categorical.len() + observed.categorical.len(),
        );
        batch.past.reset(count * context, past.0, past.1);
        batch
            .future
            .reset(count * horizon, known.continuous.len(), known.categorical.len());
        refill(&mut batch.steps_present, count * context, 1.0);
        refill(&mut batch.targets, count * horizon * self.targets, 0.0);
        refill(&mut batch.known, count * horizon * self.targets, 0.0);
        batch.scalers.clear();
        for (at, window) in windows.iter().enumerate() {
            self.gather_fixed(at, *window, batch);
            self.gather_changing(at, *window, batch);
            self.forget(at, mix(mix(self.seed, draw), at as u64), batch);
        }
    }

    fn gather_fixed(&self, at: usize, window: Window, batch: &mut Batch) {
        let (fixed, entity) = (self.panel.fixed(), window.entity as usize);
        let place = |at| place(at, fixed.continuous.len(), fixed.categorical.len());
        for (variable, (column, scaler)) in fixed.continuous.iter().zip(&self.scalers.fixed).enumerate() {
            batch.fixed.put(
                column.get(entity..=entity).unwrap_or_default(),
                at,
                place(variable),
                *scaler,
            );
        }
        for (variable, column) in fixed.categorical.iter().enumerate() {
            batch
                .fixed
                .put_categories(column.get(entity..=entity).unwrap_or_default(), at, variable);
        }
    }

    fn gather_changing(&self, at: usize, window: Window, batch: &mut Batch) {
        let Shape { context, horizon } = self.shape;
        let (series, _) = self.panel.series(window.entity as usize);
        let ahead = window.now as usize + 1;
        let oldest = (ahead.saturating_sub(context)).max(series.start);
        let back = ahead - oldest;
        let (absent, end) = (context - back, (ahead + horizon).min(series.end));
        let row = at * context + absent;
        let (known, observed) = (self.panel.known(), self.panel.observed());
        let (continuous, categorical) = (
            known.continuous.len() + observed.continuous.len(),
            known.categorical.len() + observed.categorical.len(),
        );
        if absent > 0 {
            batch.is_long = false;
            for step in at * context..row {
                batch.past.miss(step, continuous + categorical);
            }
            for present in batch.steps_present.iter_mut().skip(at * context).take(absent) {
                *present = 0.0;
            }
        }
        for (variable, (column, scaler)) in known.continuous.iter().zip(&self.scalers.known).enumerate() {
            batch.past.put(
                part(column, oldest, ahead),
                row,
                place(variable, continuous, categorical),
                *scaler,
            );
            let place = place(variable, known.continuous.len(), known.categorical.len());
            batch.future.put(part(column, ahead, end), at * horizon, place, *scaler);
        }
        for (variable, column) in known.categorical.iter().enumerate() {
            batch.past.put_categories(part(column, oldest, ahead), row, variable);
            batch
                .future
                .put_categories(part(column, ahead, end), at * horizon, variable);
        }
        for step in end - ahead..horizon {
            // Known variables of steps that the panel does not reach.
            batch
                .future
                .miss(at * horizon + step, known.continuous.len() + known.categorical.len());
        }
        for (variable, column) in observed.continuous.iter().enumerate() {
            let (values, place) = (
                part(column, oldest, ahead),
                place(known.continuous.len() + variable, continuous, categorical),
            );
            let scaler = self.observed_scaler(window.entity as usize, variable, values);
            batch.past.put(values, row, place, scaler);
            if variable < self.targets {
                batch.scalers.push(scaler);
                self.gather_target(at, variable, part(column, ahead, end), scaler, batch);
            }
        }
        for (variable, column) in observed.categorical.iter().enumerate() {
            batch
                .past
                .put_categories(part(column, oldest, ahead), row, known.categorical.len() + variable);
        }
    }

    fn gather_target(&self, at: usize, variable: usize, values: &[f32], scaler: Scaler, batch: &mut Batch) {
        let start = at * self.shape.horizon * self.targets + variable;
        let targets = batch.targets.iter_mut().skip(start).step_by(self.targets.max(1));
        let known = batch.known.iter_mut().skip(start).step_by(self.targets.max(1));
        for ((value, target), known) in values.iter().zip(targets).zip(known) {
            if value.is_finite() {
                (*target, *known) = (scaler.apply(*value), 1.0);
            }
        }
    }

    /// The scaler of an observed variable in a window that looks back at `values`.
    fn observed_scaler(&self, entity: usize, variable: usize, values: &[f32]) -> Scaler {
        let fitted = || {
            self.entities
                .get(entity)
                .and_then(|scalers| scalers.get(variable))
                .copied()
        };
        match self.scalers.scaling {
            Scaling::Window => Scaler::fit(values.iter().copied()).or_else(fitted),
            Scaling::Entity => fitted(),
        }
        .unwrap_or(Scaler::NONE)
    }

    /// Takes a share of the categories for unknown, in the whole window.
    fn forget(&self, at: usize, key: u64, batch: &mut Batch) {
        if self.unknown <= 0.0 {
            return;
        }
        let Shape { context, horizon } = self.shape;
        let is_forgotten = |variable: usize| unit(mix(key, variable as u64)) < self.unknown;
        let fill = |column: &mut Vec<i32>, rows: usize| {
            for cell in column.iter_mut().skip(at * rows).take(rows) {
                *cell = UNKNOWN as i32;
            }
        };
        let fixed = batch.fixed.categorical.len();
        for (variable, column) in batch.fixed.categorical.iter_mut().enumerate() {
            if is_forgotten(variable) {
                fill(column, 1);
            }
        }
        for (variable, column) in batch.past.categorical.iter_mut().enumerate() {
            if is_forgotten(fixed + variable) {
                fill(column, context);
                if let Some(ahead) = batch.future.categorical.get_mut(variable) {
                    fill(ahead, horizon);
                }
            }
        }
    }
}

fn place(at: usize, continuous: usize, categorical: usize) -> Place {
    Place {
        at,
        continuous,
        variables: continuous + categorical,
    }
}

fn part<T>(column: &[T], from: usize, to: usize) -> &[T] {
    column.get(from..to).unwrap_or_default()
}

impl Batch {
    /// Windows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.windows
    }
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.windows == 0
    }
    /// The scaler of each target of each window: [windows, targets].
    #[must_use]
    pub fn scalers(&self) -> &[Scaler] {
        &self.scalers
    }
    /// Scaled targets, [windows, horizon, targets], and which are known.
    #[must_use]
    pub fn targets(&self) -> (&[f32], &[f32]) {
        (&self.targets, &self.known)
    }
    /// The batch as it lies in memory.
    pub(crate) fn given(&self) -> Given<'_> {
        let (windows, [context, horizon]) = (self.windows, self.steps);
        Given {
            windows,
            fixed: self.fixed.given(windows),
            past: self.past.given(windows * context),
            future: self.future.given(windows * horizon),
            steps_present: (!self.is_long).then_some(&self.steps_present),
            targets: &self.targets,
            known: &self.known,
        }
    }
    /// The batch on a device.
    #[must_use]
    pub fn tensors<B: Backend>(&self, shape: Shape, device: &B::Device) -> BatchTensors<B> {
        let (count, Shape { context, horizon }) = (self.windows, shape);
        let targets = self.targets.len() / (count * horizon).max(1);
        let cube =
            |values: &Vec<f32>| Tensor::from_data(TensorData::new(values.clone(), [count, horizon, targets]), device);
        let steps = || Tensor::from_data(TensorData::new(self.steps_present.clone(), [count, context]), device);
        let nothing = || Columns {
            rows: count * context,
            continuous: None,
            categorical: Vec::new(),
            present: None,
        };
        BatchTensors {
            windows: WindowTensors {
                batch: count,
                fixed: self.fixed.tensors(count, device),
                past: self.past.tensors(count * context, device).unwrap_or_else(nothing),
                future: self.future.tensors(count * horizon, device),
                steps_present: (!self.is_long).then(steps),
            },
            targets: Targets {
                values: cube(&self.targets),
                known: cube(&self.known),
            },
        }
    }
}
