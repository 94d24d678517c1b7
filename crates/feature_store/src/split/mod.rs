//! Which rows train, which validate, which test, and the proof that they are apart.
//!
//! | strategy | a row's part |
//! |---|---|
//! | none | `train` |
//! | `time` | by its event time, with a gap around validation and test in which rows belong to no part |
//! | `walk_forward` | by its event time, fold by fold; a row is in several folds |
//! | `random` | by a draw from the seed, its key and its time: it does not depend on other rows, so it stays when the table grows |
//! | `group` | by its entity, which is in one part only; entities are ranked by a draw from the seed and their key |
//!
//! Reading order: this file (what goes in and comes out), `stretches` (parts in time, apart), `time`, `walk` (folds), `drawn` (random and
//! group), `certificate`.

mod certificate;
mod drawn;
mod stretches;
mod time;
mod walk;

use std::fmt;

use arrow::array::ArrayRef;
use definitions::{GapSum, Split};
use serde::{Deserialize, Serialize};

use crate::StoreError;

pub use certificate::{Certificate, Fold, FoldPart, PartCounts, Stratified, Stratum, TimeBorder};

/// A part of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// What a model learns from.
    Train,
    /// What its settings are chosen by.
    Validation,
    /// What it is judged by.
    Test,
}

impl Part {
    /// Every part, in the order of the folders, manifests and fingerprints.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// Its name, and its folder's.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

impl std::str::FromStr for Part {
    type Err = definitions::ReferenceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let part = Self::ALL.into_iter().find(|part| part.name() == text);
        part.ok_or_else(|| definitions::ReferenceError {
            found: text.to_owned(),
            wanted: "a part: `train`, `validation` or `test`",
        })
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The rows that are to be divided, in the spine's order.
#[derive(Debug, Clone, Copy)]
pub struct SplitRows<'a> {
    /// Their event times, in UTC microseconds.
    pub times: &'a [i64],
    /// The columns of their key.
    pub keys: &'a [ArrayRef],
    /// The column that a stratified draw is made by, with its name.
    pub stratify: Option<(&'a str, &'a ArrayRef)>,
}

/// The rows, divided.
#[derive(Debug, Clone, PartialEq)]
pub struct Divided {
    /// The part of each row; `None`: it lies in a gap.
    pub parts: Vec<Option<Part>>,
    /// The proof.
    pub certificate: Certificate,
}

impl Divided {
    /// The rows of each part, and of none.
    #[must_use]
    pub fn counts(&self) -> PartCounts {
        PartCounts::of(self.parts.iter().copied())
    }
}

/// The parts that a split has, in order.
#[must_use]
pub fn parts_of(split: Option<&Split>) -> Vec<Part> {
    let (validation, test) = match split {
        None => (false, false),
        Some(Split::Time { validation, test, .. }) => (validation.is_some(), test.is_some()),
        Some(Split::WalkForward { validation, .. }) => (validation.is_some(), true),
        Some(Split::Random { validation, test, .. } | Split::Group { validation, test, .. }) => {
            (*validation > 0.0, *test > 0.0)
        }
    };
    let has = |part: &Part| match part {
        Part::Train => true,
        Part::Validation => validation,
        Part::Test => test,
    };
    Part::ALL.into_iter().filter(has).collect()
}

/// Divides the rows of a spine. `needed` is the gap that a time split needs: label horizon plus longest lookback.
///
/// # Errors
/// `GapTooShort` with the sum, unless overlap is allowed; `CutsOutOfOrder`; `SharesTooLarge`; `EmptyPart` or `EmptyFold` when a part
/// that the split asks for gets no row, though there are rows; `TooManyStrata`.
pub fn divide(split: Option<&Split>, needed: &GapSum, rows: &SplitRows<'_>) -> Result<Divided, StoreError> {
    let divided = match split {
        None => Divided {
            parts: vec![Some(Part::Train); rows.times.len()],
            certificate: Certificate::Whole {
                rows: rows.times.len() as u64,
            },
        },
        Some(Split::Time {
            validation,
            test,
            gap,
            embargo,
            allow_overlap,
        }) => {
            let cuts = time::Cuts {
                validation: validation.as_ref(),
                test: test.as_ref(),
                distance: time::Distance {
                    gap: *gap,
                    embargo: *embargo,
                    allow_overlap: *allow_overlap,
                },
            };
            time::divide(&cuts, needed, rows.times)?
        }
        Some(Split::WalkForward {
            folds,
            train,
            validation,
            test,
            gap,
            embargo,
            allow_overlap,
        }) => {
            let walk = walk::Walk {
                folds: *folds,
                train: *train,
                validation: *validation,
                test: *test,
                distance: time::Distance {
                    gap: *gap,
                    embargo: *embargo,
                    allow_overlap: *allow_overlap,
                },
            };
            walk::divide(&walk, needed, rows.times)?
        }
        Some(Split::Random {
            validation, test, seed, ..
        }) => {
            let shares = drawn::Shares::new(*validation, *test)?;
            match rows.stratify {
                Some(stratify) => drawn::by_stratum(&shares, *seed, rows, stratify)?,
                None => drawn::by_row(&shares, *seed, rows)?,
            }
        }
        Some(Split::Group { validation, test, seed }) => {
            drawn::by_entity(&drawn::Shares::new(*validation, *test)?, *seed, rows)?
        }
    };
    let counts = divided.counts();
    let is_empty = |part: &Part| counts.of_part(*part) == 0;
    match parts_of(split).into_iter().find(is_empty) {
        Some(part) if !rows.times.is_empty() => Err(StoreError::EmptyPart {
            part: part.name(),
            rows: rows.times.len() as u64,
            in_gap: counts.gap,
        }),
        _ => Ok(divided),
    }
}

#[cfg(test)]
mod tests;
