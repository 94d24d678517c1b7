//! Which numbers move together: Pearson's correlation of every pair, over the rows in which both are there.
//!
//! Each batch's means and products about them are put together as in `sketches::Moments` (Chan, Golub and LeVeque 1979), so large numbers
//! with small differences keep their digits. Cost: a multiplication for every pair and row, so only the first columns take part, labels
//! first.

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use definitions::Role;

use crate::StoreError;
use crate::dataset::Manifest;

/// So many columns take part.
pub const CORRELATED_COLUMNS: usize = 24;

/// The correlations of columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Correlations {
    /// The columns, labels first.
    pub columns: Vec<String>,
    /// Columns of numbers that were left out, because there are too many.
    pub left_out: usize,
    /// Row by row and column by column; `None`: fewer than two rows have both, or one of them is constant.
    pub values: Vec<Vec<Option<f64>>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Pair {
    count: f64,
    means: (f64, f64),
    squares: (f64, f64),
    products: f64,
}

pub(super) struct CorrelationCollector {
    columns: Vec<String>,
    left_out: usize,
    pairs: Vec<Pair>,
}

impl CorrelationCollector {
    pub(super) fn new(manifest: &Manifest) -> Self {
        let of_role = |role| {
            let columns = manifest.columns_with(role);
            let numbers = columns.filter(|column| !column.categorical && is_number(column.data_type));
            numbers.map(|column| column.name.clone())
        };
        let mut columns: Vec<String> = of_role(Role::Label).chain(of_role(Role::Feature)).collect();
        let left_out = columns.len().saturating_sub(CORRELATED_COLUMNS);
        columns.truncate(CORRELATED_COLUMNS);
        let pairs = vec![Pair::default(); columns.len() * columns.len().saturating_sub(1) / 2];
        Self {
            columns,
            left_out,
            pairs,
        }
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Takes in the next rows.
    pub(super) fn update(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        let mut values: Vec<Vec<Option<f64>>> = Vec::with_capacity(self.columns.len());
        for name in &self.columns {
            let Some(array) = batch.column_by_name(name) else {
                return Ok(());
            };
            let floats = cast(array, &DataType::Float64)?;
            let floats = floats.as_primitive::<Float64Type>();
            values.push(
                floats
                    .iter()
                    .map(|value| value.filter(|value| value.is_finite()))
                    .collect(),
            );
        }
        let mut pairs = self.pairs.iter_mut();
        for (at, a) in values.iter().enumerate() {
            for (b, pair) in values.iter().take(at).zip(&mut pairs) {
                pair.merge(&Pair::of(a, b));
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Correlations {
        let size = self.columns.len();
        let mut values = vec![vec![None; size]; size];
        let places = (0..size).flat_map(|a| (0..a).map(move |b| (a, b)));
        for ((a, b), pair) in places.zip(&self.pairs) {
            for (row, column) in [(a, b), (b, a)] {
                if let Some(cell) = values.get_mut(row).and_then(|row| row.get_mut(column)) {
                    *cell = pair.correlation();
                }
            }
        }
        for (at, row) in values.iter_mut().enumerate() {
            if let Some(cell) = row.get_mut(at) {
                *cell = Some(1.0);
            }
        }
        Correlations {
            columns: self.columns,
            left_out: self.left_out,
            values,
        }
    }
}

fn is_number(data_type: definitions::DataType) -> bool {
    use definitions::DataType::{Bool, Float32, Float64, Int32, Int64};
    matches!(data_type, Bool | Int32 | Int64 | Float32 | Float64)
}

impl Pair {
    fn of(a: &[Option<f64>], b: &[Option<f64>]) -> Self {
        let both = || a.iter().zip(b).filter_map(|(a, b)| Some(((*a)?, (*b)?)));
        let (count, sums) = both().fold((0.0, (0.0, 0.0)), |(count, sums), (a, b)| {
            (count + 1.0, (sums.0 + a, sums.1 + b))
        });
        if count == 0.0 {
            return Self::default();
        }
        let means = (sums.0 / count, sums.1 / count);
        let mut pair = Self {
            count,
            means,
            ..Self::default()
        };
        for (a, b) in both() {
            let (off_a, off_b) = (a - means.0, b - means.1);
            pair.squares.0 += off_a * off_a;
            pair.squares.1 += off_b * off_b;
            pair.products += off_a * off_b;
        }
        pair
    }

    fn merge(&mut self, other: &Self) {
        if other.count == 0.0 {
            return;
        }
        let count = self.count + other.count;
        let off = (other.means.0 - self.means.0, other.means.1 - self.means.1);
        let weight = self.count * other.count / count;
        self.squares.0 += other.squares.0 + off.0 * off.0 * weight;
        self.squares.1 += other.squares.1 + off.1 * off.1 * weight;
        self.products += other.products + off.0 * off.1 * weight;
        self.means.0 += off.0 * other.count / count;
        self.means.1 += off.1 * other.count / count;
        self.count = count;
    }

    fn correlation(&self) -> Option<f64> {
        let scale = (self.squares.0 * self.squares.1).sqrt();
        (self.count > 1.0 && scale > 0.0).then(|| (self.products / scale).clamp(-1.0, 1.0))
    }
}

/// Two columns, some rows of them.
#[cfg(test)]
pub(super) type Columns<'a> = (&'a [Option<f64>], &'a [Option<f64>]);

#[cfg(test)]
pub(super) fn correlation(batches: &[Columns<'_>]) -> Option<f64> {
    let mut pair = Pair::default();
    batches.iter().for_each(|(a, b)| pair.merge(&Pair::of(a, b)));
    pair.correlation()
}
