//! Every variable as a vector of the same width (paper, section 4.2), never written out.
//!
//! A continuous variable is embedded as e = x·v + b, a categorical one as a row of its table. What is needed is never e itself but W e
//! for some W, or e in a sum. Since e is linear in x and in the row, W moves into the embedding:
//!
//! ```text
//!     W (x v + b) = x (W v) + (W b)          W (row i of E) = row i of (E W)
//! ```
//!
//! So an `Embedded` (v, b and E of each variable) is multiplied by the W of each variable once a step, whatever the number of rows
//! (`project`), and then read off for the rows: summed over variables (`sum`: the joint network of a selection) or for each variable
//! (`each`: its own network). For m continuous variables of width d this takes m·d² in place of rows·m·d² multiplications, exactly.

use burn::module::{Module, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};

use super::architecture::VariableSet;
use super::columns::Columns;
use super::parameters::Parameters;

/// What is learned of an embedding.
#[derive(Module, Debug)]
pub struct Embedding<B: Backend> {
    /// v of each continuous variable: [continuous, width]
    pub slopes: Option<Param<Tensor<B, 2>>>,
    /// b of each continuous variable: [continuous, width]
    pub intercepts: Option<Param<Tensor<B, 2>>>,
    /// E of each categorical variable: [rows of the table, width]
    pub tables: Vec<Param<Tensor<B, 2>>>,
}

impl<B: Backend> Embedding<B> {
    /// Of these variables.
    #[must_use]
    pub fn new(parameters: &Parameters<B>, variables: &VariableSet, width: usize) -> Self {
        let count = variables.continuous.len();
        let table = |(name, rows): (&String, &usize)| parameters.normal(&format!("tables.{name}"), [*rows, width]);
        Self {
            slopes: (count > 0).then(|| parameters.uniform("slopes", [count, width], 1)),
            intercepts: (count > 0).then(|| parameters.uniform("intercepts", [count, width], 1)),
            tables: variables
                .categorical
                .iter()
                .zip(&variables.table_rows)
                .map(table)
                .collect(),
        }
    }
    /// The embedding of every variable.
    #[must_use]
    pub fn all(&self) -> Embedded<B> {
        Embedded {
            slopes: self.slopes.as_ref().map(Param::val),
            intercepts: self.intercepts.as_ref().map(Param::val),
            tables: self.tables.iter().map(Param::val).collect(),
        }
    }
    /// The embedding of the first so many continuous and categorical variables.
    #[must_use]
    pub fn first(&self, continuous: usize, categorical: usize) -> Embedded<B> {
        let some = |param: &Param<Tensor<B, 2>>| (continuous > 0).then(|| param.val().narrow(0, 0, continuous));
        Embedded {
            slopes: self.slopes.as_ref().and_then(some),
            intercepts: self.intercepts.as_ref().and_then(some),
            tables: self.tables.iter().take(categorical).map(Param::val).collect(),
        }
    }
}

/// Variables as vectors of some width, linear in their values.
#[derive(Debug, Clone)]
pub struct Embedded<B: Backend> {
    /// [continuous, width]
    pub slopes: Option<Tensor<B, 2>>,
    /// [continuous, width]
    pub intercepts: Option<Tensor<B, 2>>,
    /// [rows of the table, width] of each categorical variable
    pub tables: Vec<Tensor<B, 2>>,
}

impl<B: Backend> Embedded<B> {
    /// The same vectors for these columns, with tables of at most as many rows as the columns have: what is multiplied is what is used.
    #[must_use]
    pub fn compacted(mut self, mut columns: Columns<B>) -> (Self, Columns<B>) {
        for (table, indices) in self.tables.iter_mut().zip(&mut columns.categorical) {
            if table.dims()[0] > columns.rows {
                let device = table.device();
                table.inplace(|table| table.select(0, indices.clone()));
                *indices = Tensor::<B, 1, Int>::arange(0..columns.rows as i64, &device);
            }
        }
        (self, columns)
    }
    /// Each variable's vector times its matrix. `weight` [variables, width, outputs].
    #[must_use]
    pub fn project(&self, weight: Tensor<B, 3>) -> Self {
        let [_, width, outputs] = weight.dims();
        let count = self.slopes.as_ref().map_or(0, |slopes| slopes.dims()[0]);
        let continuous = (count > 0).then(|| weight.clone().narrow(0, 0, count));
        let product = |vectors: &Tensor<B, 2>, weight: &Tensor<B, 3>| {
            let vectors = vectors.clone().unsqueeze_dim::<3>(1);
            vectors.matmul(weight.clone()).reshape([count, outputs])
        };
        let of = |vectors: &Option<Tensor<B, 2>>| Some(product(vectors.as_ref()?, continuous.as_ref()?));
        let table = |(at, table): (usize, &Tensor<B, 2>)| {
            let weight = weight.clone().narrow(0, count + at, 1).reshape([width, outputs]);
            table.clone().matmul(weight)
        };
        Self {
            slopes: of(&self.slopes),
            intercepts: of(&self.intercepts),
            tables: self.tables.iter().enumerate().map(table).collect(),
        }
    }
    /// The sum of the vectors of the variables that are present: [rows, width].
    ///
    /// `None` only where there are no variables.
    #[must_use]
    pub fn sum(&self, columns: &Columns<B>) -> Option<Tensor<B, 2>> {
        let count = columns.continuous_count();
        let mut sum = None;
        if let (Some(values), Some(slopes), Some(intercepts)) = (&columns.continuous, &self.slopes, &self.intercepts) {
            let constant = match &columns.present {
                Some(present) => present.clone().narrow(1, 0, count).matmul(intercepts.clone()),
                None => intercepts.clone().sum_dim(0),
            };
            sum = Some(values.clone().matmul(slopes.clone()) + constant);
        }
        for (at, (table, indices)) in self.tables.iter().zip(&columns.categorical).enumerate() {
            let mut vectors = table.clone().select(0, indices.clone());
            if let Some(present) = &columns.present {
                vectors = vectors * present.clone().narrow(1, count + at, 1);
            }
            sum = Some(match sum {
                Some(sum) => sum + vectors,
                None => vectors,
            });
        }
        sum
    }
    /// The vector of each variable: [variables, rows, width]. What is missing has the vector of the value 0.
    ///
    /// `None` only where there are no variables.
    #[must_use]
    pub fn each(&self, columns: &Columns<B>) -> Option<Tensor<B, 3>> {
        let mut parts = Vec::new();
        if let (Some(values), Some(slopes), Some(intercepts)) = (&columns.continuous, &self.slopes, &self.intercepts) {
            let values = values.clone().transpose().unsqueeze_dim::<3>(2);
            let (slopes, intercepts) = (
                slopes.clone().unsqueeze_dim::<3>(1),
                intercepts.clone().unsqueeze_dim::<3>(1),
            );
            parts.push(values * slopes + intercepts);
        }
        for (table, indices) in self.tables.iter().zip(&columns.categorical) {
            parts.push(table.clone().select(0, indices.clone()).unsqueeze_dim::<3>(0));
        }
        match parts.len() {
            0 => None,
            1 => parts.pop(),
            _ => Some(Tensor::cat(parts, 0)),
        }
    }
}
