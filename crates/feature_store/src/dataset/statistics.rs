//! What the columns of a part, an ingestion or a group hold, in one pass. It depends on the values and their order only, so batches do not
//! matter.
//!
//! Counts, extremes, mean and deviation are exact. Quantiles, histograms and frequent values are exact while there are few values and carry
//! their own bound beyond, in rows; the number of different values is a count up to 2,048 numbers or 10,000 texts, and an estimate beyond
//! (see the crate `sketches`).

mod column;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::StoreError;

pub(super) use column::Collector;
pub(crate) use column::keys;

/// So many different texts are counted; from there on their number is estimated.
pub const DISTINCT_CAP: usize = 10_000;

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnStatistics {
    /// The column.
    pub column: String,
    /// Rows, NULLs included.
    pub rows: u64,
    /// NULLs.
    pub nulls: u64,
    /// The smallest value; times and days as text. Infinities are the texts `inf` and `-inf`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Value>,
    /// The largest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Value>,
    /// The mean of a number; of a bool, the share that is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// The standard deviation (n - 1), from two values on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub std: Option<f64>,
    /// How many numbers are zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zeros: Option<u64>,
    /// How many different values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct: Option<Distinct>,
    /// What there is to say about the whole column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<Remark>,
    /// Quantiles of a number or time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantiles: Option<QuantileValues>,
    /// The shape of a number's distribution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub histogram: Option<Histogram>,
    /// The values that are there most often, at least twice, most frequent first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub top: Vec<TopValue>,
    /// By how many rows the counts of `top` may be too small; a value with more than twice as many rows is never missing there.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub top_error: u64,
}

/// A count of different values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Distinct {
    /// How many.
    pub values: u64,
    /// Whether there are exactly so many.
    pub exact: bool,
    /// Of an estimate, its relative standard error. Not exact and without it: at least so many, in manifests of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standard_error: Option<f64>,
}

/// What there is to say about a whole column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remark {
    /// Every row is NULL.
    NoValues,
    /// All values are zero.
    AllZero,
    /// All values are the same.
    Constant,
}

impl Remark {
    /// The remark in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::NoValues => "no values",
            Self::AllZero => "all zero",
            Self::Constant => "constant",
        }
    }
}

/// Values that a share of all values do not exceed: `p05` is the smallest value that at least 5 % of them do not exceed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuantileValues {
    /// 1 %.
    pub p01: Value,
    /// 5 %.
    pub p05: Value,
    /// A quarter.
    pub p25: Value,
    /// The median.
    pub p50: Value,
    /// Three quarters.
    pub p75: Value,
    /// 95 %.
    pub p95: Value,
    /// 99 %.
    pub p99: Value,
    /// By how many ranks each may be off; 0: they are exact.
    pub rank_error: u64,
}

/// Values counted in bins of equal width. The bins go from the 1 % to the 99 % quantile, so that a few outliers do not hide the shape;
/// where these are equal, from the smallest to the largest value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Where the first bin begins.
    pub from: f64,
    /// Where the last bin ends, which it includes.
    pub to: f64,
    /// Values below.
    pub below: u64,
    /// Values in each bin; each count may be off by twice the quantiles' `rank_error`.
    pub counts: Vec<u64>,
    /// Values above.
    pub above: u64,
}

/// A value that is there often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopValue {
    /// The value; a long text is shortened.
    pub value: Value,
    /// In how many rows.
    pub rows: u64,
}

/// The statistics of a table, batch by batch.
#[derive(Debug)]
pub struct StatisticsCollector {
    columns: Vec<Collector>,
}

impl StatisticsCollector {
    /// A collector for tables of this schema.
    #[must_use]
    pub fn new(schema: &Schema) -> Self {
        let columns = schema
            .fields()
            .iter()
            .map(|field| Collector::new(field.name(), field.data_type()))
            .collect();
        Self { columns }
    }

    /// Takes in the next rows.
    ///
    /// # Errors
    /// `UnsupportedType` for a type that no declared type holds.
    pub fn update(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        self.columns
            .iter_mut()
            .zip(batch.columns())
            .try_for_each(|(column, array)| column.update(array))
    }

    /// The statistics of all the rows so far, in the order of the columns.
    #[must_use]
    pub fn finish(self) -> Vec<ColumnStatistics> {
        self.columns.into_iter().map(Collector::finish).collect()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests;
