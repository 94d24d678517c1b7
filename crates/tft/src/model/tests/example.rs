//! Small architectures, and windows of random numbers, as plain vectors and as tensors.

use burn::backend::NdArray;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};

use crate::model::{Architecture, Columns, Outputs, VariableSet, WindowTensors};
use crate::random::{mix, unit};

/// Double precision, without gradients.
pub type Plain = NdArray<f64>;

/// Values of some variables, row by row.
#[derive(Debug, Clone, Default)]
pub struct PlainColumns {
    /// [rows][continuous]
    pub continuous: Vec<Vec<f64>>,
    /// [rows][categorical]
    pub categorical: Vec<Vec<u32>>,
    /// [rows][variables]
    pub present: Vec<Vec<bool>>,
}

/// A batch of windows as plain vectors.
#[derive(Debug, Clone)]
pub struct Example {
    pub architecture: Architecture,
    pub batch: usize,
    pub fixed: PlainColumns,
    pub past: PlainColumns,
    pub future: PlainColumns,
    /// [batch][context]
    pub steps_present: Vec<Vec<bool>>,
}

pub fn set(name: &str, continuous: usize, table_rows: &[usize]) -> VariableSet {
    VariableSet {
        continuous: (0..continuous).map(|at| format!("{name}{at}")).collect(),
        categorical: (0..table_rows.len()).map(|at| format!("{name}_category{at}")).collect(),
        table_rows: table_rows.to_vec(),
    }
}

/// Two heads, width 4, everything that there is.
pub fn architecture() -> Architecture {
    Architecture {
        fixed: set("fixed", 1, &[40]),
        known: set("known", 1, &[3]),
        observed: set("observed", 3, &[2]),
        targets: 2,
        context: 5,
        horizon: 3,
        width: 4,
        heads: 2,
        dropout: 0.2,
        outputs: Outputs::Quantiles(vec![0.1, 0.5, 0.9]),
    }
}

/// What is missing of an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holes {
    /// Nothing.
    None,
    /// A third of the values, and the first steps of every other window.
    Many,
}

impl Example {
    pub fn new(architecture: &Architecture, batch: usize, holes: Holes, seed: u64) -> Self {
        let Architecture { context, horizon, .. } = *architecture;
        let mut draws = Draws { seed, counter: 0 };
        let mut columns = |variables: &VariableSet, rows: usize| draws.columns(variables, rows, holes);
        let mut example = Self {
            fixed: columns(&architecture.fixed, batch),
            past: columns(&architecture.past(), batch * context),
            future: columns(&architecture.known, batch * horizon),
            steps_present: vec![vec![true; context]; batch],
            architecture: architecture.clone(),
            batch,
        };
        if holes == Holes::Many {
            for window in (0..batch).step_by(2) {
                for step in 0..(context / 2) {
                    example.steps_present[window][step] = false;
                    example.past.erase(window * context + step);
                }
            }
        }
        example
    }

    pub fn tensors<B: Backend>(&self) -> WindowTensors<B> {
        let steps: Vec<f64> = self.steps_present.iter().flatten().map(|is| f64::from(*is)).collect();
        let is_short = steps.contains(&0.0);
        let shape = [self.batch, self.architecture.context];
        WindowTensors {
            batch: self.batch,
            fixed: self.fixed.tensors(),
            past: self.past.tensors().unwrap(),
            future: self.future.tensors(),
            steps_present: is_short.then(|| Tensor::from_data(TensorData::new(steps, shape), &B::Device::default())),
        }
    }
}

impl PlainColumns {
    /// Marks everything in a row as missing.
    pub fn erase(&mut self, row: usize) {
        self.present[row].fill(false);
        self.continuous[row].fill(0.0);
    }
    fn tensors<B: Backend>(&self) -> Option<Columns<B>> {
        let (device, rows) = (B::Device::default(), self.present.len());
        let floats = |values: Vec<f64>| {
            let width = values.len() / rows;
            (width > 0).then(|| Tensor::<B, 2>::from_data(TensorData::new(values, [rows, width]), &device))
        };
        let present: Vec<f64> = self.present.iter().flatten().map(|is| f64::from(*is)).collect();
        let column = |at: usize| {
            let values: Vec<i32> = self.categorical.iter().map(|row| row[at] as i32).collect();
            Tensor::<B, 1, Int>::from_data(TensorData::new(values, [rows]), &device)
        };
        let categories = self.categorical.first().map_or(0, Vec::len);
        let is_complete = !present.contains(&0.0);
        (!present.is_empty()).then(|| Columns {
            rows,
            continuous: floats(self.continuous.iter().flatten().copied().collect()),
            categorical: (0..categories).map(column).collect(),
            present: if is_complete { None } else { floats(present) },
        })
    }
}

struct Draws {
    seed: u64,
    counter: u64,
}

impl Draws {
    fn unit(&mut self) -> f64 {
        self.counter += 1;
        unit(mix(self.seed, self.counter))
    }
    fn columns(&mut self, variables: &VariableSet, rows: usize, holes: Holes) -> PlainColumns {
        let mut columns = PlainColumns::default();
        for _ in 0..rows {
            let present: Vec<bool> = (0..variables.len())
                .map(|_| holes == Holes::None || self.unit() > 0.33)
                .collect();
            let continuous = variables.continuous.iter().zip(&present);
            let continuous = continuous
                .map(|(_, is)| if *is { 4.0 * self.unit() - 2.0 } else { 0.0 })
                .collect();
            let categorical = variables
                .table_rows
                .iter()
                .map(|rows| (self.unit() * *rows as f64) as u32)
                .collect();
            columns.continuous.push(continuous);
            columns.categorical.push(categorical);
            columns.present.push(present);
        }
        columns
    }
}
