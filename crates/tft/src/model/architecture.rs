//! What is configured of the network: its variables, its size, its outputs.

use serde::{Deserialize, Serialize};

use crate::TftError;

/// Variables of one kind (static, known or observed): continuous ones come first, then categorical ones, in every tensor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VariableSet {
    /// Names of the continuous variables.
    pub continuous: Vec<String>,
    /// Names of the categorical variables.
    pub categorical: Vec<String>,
    /// Rows of each categorical variable's table: its buckets, and one for what is unknown (row 0).
    pub table_rows: Vec<usize>,
}

impl VariableSet {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.continuous.len() + self.categorical.len()
    }
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Their names, in the order of the tensors.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.continuous.iter().chain(&self.categorical).cloned().collect()
    }
    /// These and then those: all continuous ones, then all categorical ones.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let both = |one: &[String], two: &[String]| one.iter().chain(two).cloned().collect();
        Self {
            continuous: both(&self.continuous, &other.continuous),
            categorical: both(&self.categorical, &other.categorical),
            table_rows: self.table_rows.iter().chain(&other.table_rows).copied().collect(),
        }
    }
}

/// What is forecast of each target at each step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outputs {
    /// These quantiles, ascending, each in (0, 1).
    Quantiles(Vec<f64>),
    /// One number.
    Point,
}

impl Outputs {
    /// Numbers for each target and step.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Quantiles(quantiles) => quantiles.len(),
            Self::Point => 1,
        }
    }
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The network's shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// Variables that never change for an entity.
    pub fixed: VariableSet,
    /// Variables that are known in advance, over context and horizon.
    pub known: VariableSet,
    /// Variables that are known up to now: the targets first, then what else is observed.
    pub observed: VariableSet,
    /// How many of the observed continuous variables are targets.
    pub targets: usize,
    /// Steps looked back, now included.
    pub context: usize,
    /// Steps looked ahead.
    pub horizon: usize,
    /// The hidden size; a multiple of `heads`.
    pub width: usize,
    /// Heads of attention.
    pub heads: usize,
    /// The share of numbers dropped while training, in [0, 1).
    pub dropout: f64,
    /// What is forecast.
    pub outputs: Outputs,
}

impl Architecture {
    /// Added to variances before their root is taken (the value of the paper's code).
    pub const EPSILON: f64 = 1e-3;

    /// Variables of the past: the known ones, then the observed ones.
    #[must_use]
    pub fn past(&self) -> VariableSet {
        self.known.and(&self.observed)
    }

    /// Says what cannot be built.
    ///
    /// # Errors
    /// `Architecture`, naming the field, what it should be and what it is.
    pub fn check(&self) -> Result<(), TftError> {
        let wrong = |field: &'static str, wanted: &'static str, found: String| {
            Err(TftError::Architecture { field, wanted, found })
        };
        for (field, steps) in [
            ("context", self.context),
            ("horizon", self.horizon),
            ("width", self.width),
        ] {
            if steps == 0 {
                return wrong(field, "at least 1", steps.to_string());
            }
        }
        if self.heads == 0 || !self.width.is_multiple_of(self.heads) {
            return wrong("heads", "a divisor of the width", self.heads.to_string());
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return wrong("dropout", "at least 0 and less than 1", self.dropout.to_string());
        }
        if self.targets == 0 || self.targets > self.observed.continuous.len() {
            return wrong(
                "targets",
                "at least one continuous observed variable",
                self.targets.to_string(),
            );
        }
        if let Outputs::Quantiles(quantiles) = &self.outputs {
            let inside = quantiles.iter().all(|quantile| *quantile > 0.0 && *quantile < 1.0);
            let ascending = quantiles.is_sorted_by(|one, other| one < other);
            if quantiles.is_empty() || !inside || !ascending {
                return wrong(
                    "quantiles",
                    "ascending numbers between 0 and 1",
                    format!("{quantiles:?}"),
                );
            }
        }
        for set in [&self.fixed, &self.known, &self.observed] {
            if set.table_rows.len() != set.categorical.len() || set.table_rows.contains(&0) {
                return wrong(
                    "table_rows",
                    "rows for each categorical variable",
                    format!("{:?}", set.table_rows),
                );
            }
        }
        Ok(())
    }
}
