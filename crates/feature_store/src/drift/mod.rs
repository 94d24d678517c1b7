//! How far columns have drifted: two samples of the same columns, each seen once, and measured against each other.
//!
//! Numbers and times are compared by their distribution, texts, truth values and numbers that are declared categorical by their
//! frequencies (see `sketches::drift` for the measures). Columns are read in groups of 64, so that memory does not grow with their number:
//! at most about 25 MB a side.
//!
//! Reading order: this file (what a column looks like, and the comparison), `sample` (parts of datasets), `group` (a feature group).

mod group;
mod sample;
#[cfg(test)]
mod tests;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use serde::Serialize;
use sketches::drift::{BinCounts, Exceeded, Measures, Thresholds, kolmogorov_smirnov};
use sketches::{Accuracy, Kind, NumberSketch, NumberSummary, TextSketch, TextSummary};

use crate::StoreError;
use crate::dataset::{DISTINCT_CAP, keys};
use crate::fingerprint::plain;

pub use group::{GroupDriftRequest, GroupRows, group_drift};
pub(crate) use sample::is_compared;
pub use sample::{Sample, dataset_drift};

/// Columns that are looked at together.
pub(crate) const COLUMNS_AT_ONCE: usize = 64;

/// What a column looks like in a sample.
#[derive(Debug, Clone)]
pub struct ColumnProfile {
    /// The column.
    pub column: String,
    /// Rows, NULLs included.
    pub rows: u64,
    /// NULLs.
    pub nulls: u64,
    /// Its values.
    pub values: ProfiledValues,
}

/// The values of a column in a sample.
#[derive(Debug, Clone)]
pub enum ProfiledValues {
    /// Numbers or times.
    Numbers(NumberSummary),
    /// Texts, and everything else that is compared by its frequencies.
    Categories(TextSummary),
}

/// Looks at a column, batch by batch.
#[derive(Debug)]
pub(crate) struct Profiler {
    column: String,
    rows: u64,
    nulls: u64,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Numbers(NumberSketch),
    Categories(TextSketch),
}

impl Profiler {
    /// Nothing yet; `categories`: whether numbers are compared by their frequencies.
    pub(crate) fn new(column: &str, data_type: &DataType, is_categorical: bool) -> Self {
        let kind = match data_type {
            _ if is_categorical => None,
            DataType::Float32 | DataType::Float64 => Some(Kind::Float),
            DataType::Int32 | DataType::Int64 | DataType::Date32 | DataType::Timestamp(..) => Some(Kind::Integer),
            _ => None,
        };
        let values = match kind {
            Some(kind) => Values::Numbers(NumberSketch::new(kind, Accuracy::Fine)),
            None => Values::Categories(TextSketch::new(DISTINCT_CAP)),
        };
        Self {
            column: column.to_owned(),
            rows: 0,
            nulls: 0,
            values,
        }
    }

    /// Takes in the next values.
    pub(crate) fn update(&mut self, array: &ArrayRef) -> Result<(), StoreError> {
        let unsupported = || StoreError::UnsupportedType {
            column: self.column.clone(),
            found: array.data_type().to_string(),
        };
        let array = plain(array)?.ok_or_else(unsupported)?;
        self.rows += array.len() as u64;
        self.nulls += array.null_count() as u64;
        match &mut self.values {
            Values::Numbers(sketch) => sketch.extend(&keys(&array)),
            Values::Categories(sketch) => {
                let texts = cast(&array, &DataType::Utf8)?;
                texts
                    .as_string::<i32>()
                    .iter()
                    .flatten()
                    .for_each(|text| sketch.add(text));
            }
        }
        Ok(())
    }

    /// What the column looks like.
    pub(crate) fn finish(self) -> ColumnProfile {
        ColumnProfile {
            column: self.column,
            rows: self.rows,
            nulls: self.nulls,
            values: match self.values {
                Values::Numbers(sketch) => ProfiledValues::Numbers(sketch.finish()),
                Values::Categories(sketch) => ProfiledValues::Categories(sketch.finish()),
            },
        }
    }
}

/// Columns by name, and whether their numbers are categories.
pub(crate) type Wanted = (String, bool);

/// Looks at several columns, batch by batch.
pub(crate) struct Profilers(Vec<Profiler>);

impl Profilers {
    /// Profilers for these columns of batches of a schema.
    pub(crate) fn new(wanted: &[Wanted], schema: &arrow::datatypes::Schema) -> Result<Self, StoreError> {
        let profiler = |(column, is_categorical): &Wanted| {
            let field = schema.field_with_name(column)?;
            Ok(Profiler::new(column, field.data_type(), *is_categorical))
        };
        Ok(Self(wanted.iter().map(profiler).collect::<Result<_, StoreError>>()?))
    }

    /// Takes in the next rows.
    pub(crate) fn update(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        for profiler in &mut self.0 {
            if let Some(array) = batch.column_by_name(&profiler.column) {
                profiler.update(array)?;
            }
        }
        Ok(())
    }

    /// What the columns look like.
    pub(crate) fn finish(self) -> Vec<ColumnProfile> {
        self.0.into_iter().map(Profiler::finish).collect()
    }
}

/// Counts of a column on one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SideCounts {
    /// Rows, NULLs included.
    pub rows: u64,
    /// NULLs.
    pub nulls: u64,
}

/// How far a column has drifted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnDrift {
    /// The column.
    pub column: String,
    /// In the baseline.
    pub baseline: SideCounts,
    /// In what is held against it.
    pub candidate: SideCounts,
    /// How far they are apart; `None`: one of them has no rows.
    #[serde(flatten)]
    pub measures: Option<Measures>,
    /// The measures that exceed their thresholds, unless chance explains them.
    pub exceeded: Vec<Exceeded>,
}

/// How far all columns have drifted, in the order of the baseline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DriftReport {
    /// From where on a column has drifted.
    pub thresholds: Thresholds,
    /// Every column that both sides have.
    pub columns: Vec<ColumnDrift>,
    /// Columns that are not compared, because only one side has them, or the types differ.
    pub not_compared: Vec<String>,
}

impl DriftReport {
    /// The columns that have drifted.
    pub fn drifted(&self) -> impl Iterator<Item = &ColumnDrift> {
        self.columns.iter().filter(|column| !column.exceeded.is_empty())
    }
}

impl ColumnProfile {
    /// How far another sample of the column is from this one; `None`: one holds numbers and the other does not.
    #[must_use]
    pub fn drift_to(&self, other: &Self, thresholds: &Thresholds) -> Option<ColumnDrift> {
        let nulls = (self.nulls, other.nulls);
        let (bins, ks) = match (&self.values, &other.values) {
            (ProfiledValues::Numbers(a), ProfiledValues::Numbers(b)) if a.kind == b.kind => {
                let ks = kolmogorov_smirnov(&a.quantiles, &b.quantiles);
                (BinCounts::of_numbers(a, b, nulls), ks)
            }
            (ProfiledValues::Categories(a), ProfiledValues::Categories(b)) => (BinCounts::of_texts(a, b, nulls), None),
            _ => return None,
        };
        let measures = Measures::of(&bins, ks);
        let counts = |of: &Self| SideCounts {
            rows: of.rows,
            nulls: of.nulls,
        };
        Some(ColumnDrift {
            column: self.column.clone(),
            baseline: counts(self),
            candidate: counts(other),
            exceeded: measures.map_or_else(Vec::new, |measures| measures.exceeded(thresholds)),
            measures,
        })
    }
}
