//! Whether rows are what their group expects: each row by itself, and an ingestion as a whole.
//!
//! ```text
//!   files ─ typed rows ─ row checks ─ sort ─ one row per key and time ─ watch ─ file ─ verdict ─ commit
//!                          │ refuse, set aside, or count                  │                │
//!                          └──────────────────────────────────────────────┴── results ─────┴─▶ the ingestion's receipt
//! ```
//!
//! Rows are checked as they are read, so a row at fault never reaches the sort. What is about many rows is watched on the sorted
//! rows on their way into the file, and judged before the commit. Memory does not grow with the rows: a sequence holds its entity's last
//! row, moments are three numbers, and the values of a `unique` column are sorted on disk. [`validate`] holds stored rows against the same
//! checks.
//!
//! Reading order: `row` with `predicate`, then `watch` with `sequence`, `unique` and `moments`, then `validate`.

mod moments;
mod predicate;
mod row;
mod sequence;
mod unique;
mod validate;
mod watch;

use std::fmt;

use definitions::{Check, ColumnName, Expectation, Level};
use serde::{Deserialize, Serialize};

use crate::ingest::violation::Violation;

pub use moments::Moments;
pub use predicate::{WrongPredicate, wrong_predicates};
pub use validate::{ValidatedExpectation, Validation, validate};

pub(crate) use row::{RowChecks, RowFault};
pub(crate) use watch::{Against, Watch};

/// What became of one expectation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExpectationResult {
    /// The feature; `None`: the group.
    pub column: Option<ColumnName>,
    /// What is expected, as it is declared.
    pub check: String,
    /// What happens where it does not hold.
    pub level: Level,
    /// Whether it holds.
    pub holds: bool,
    /// Rows at fault; `None` where it is not about single rows.
    pub rows_at_fault: Option<u64>,
    /// What was found, and what was wanted; empty where it holds.
    pub found: String,
    /// What would let it hold, if what was found is right; empty where it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
    /// The first rows at fault, where they were let through, or computed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first: Vec<Violation>,
}

impl ExpectationResult {
    /// That an expectation holds.
    pub(crate) fn held(expectation: &Expectation) -> Self {
        Self {
            column: expectation.column.clone(),
            check: expectation.check.to_string(),
            level: expectation.level,
            holds: true,
            rows_at_fault: expectation.check.is_about_a_row().then_some(0),
            found: String::new(),
            instead: None,
            first: Vec::new(),
        }
    }

    /// That rows break an expectation about rows, if there are any.
    pub(crate) fn of_rows(expectation: &Expectation, at_fault: u64, rows: u64, first: Vec<Violation>) -> Self {
        let held = Self::held(expectation);
        if at_fault == 0 {
            return held;
        }
        let verb = if at_fault == 1 { "breaks" } else { "break" };
        Self {
            holds: false,
            rows_at_fault: Some(at_fault),
            found: format!("{at_fault} of {rows} rows {verb} {expectation}"),
            first,
            ..held
        }
    }

    /// That an expectation about an ingestion does not hold, if something is said against it.
    pub(crate) fn of_ingestion(expectation: &Expectation, against: Option<Finding>) -> Self {
        let held = Self::held(expectation);
        match against {
            None => held,
            Some(Finding { found, instead }) => Self {
                holds: false,
                found,
                instead,
                ..held
            },
        }
    }

    /// Whether it refuses an ingestion.
    #[must_use]
    pub fn refuses(&self) -> bool {
        !self.holds && self.level == Level::Refuse
    }

    /// What to type.
    pub(crate) fn hint(&self) -> String {
        match &self.instead {
            Some(instead) => format!("if that is right, in a new version of the group: {instead}"),
            None => format!(
                "if that is right, in a new version of the group: {{ {}, on_violation = \"warn\" }}",
                self.check
            ),
        }
    }
}

impl fmt::Display for ExpectationResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.column, self.holds) {
            (Some(column), true) => write!(f, "`{column}`: {}", self.check),
            (None, true) => f.write_str(&self.check),
            (_, false) => f.write_str(&self.found),
        }
    }
}

/// What does not hold, a line each, with the first rows at fault where they are known.
pub(crate) fn listed(unmet: &[ExpectationResult]) -> String {
    const SHOWN: usize = 3;
    let rows = |unmet: &ExpectationResult| -> String {
        let first = unmet.first.iter().take(SHOWN);
        first.map(|row| format!("\n    {row}")).collect()
    };
    unmet
        .iter()
        .map(|unmet| format!("\n  {unmet}{}", rows(unmet)))
        .collect()
}

/// What speaks against an expectation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What was found and what was wanted.
    pub found: String,
    /// What would let it hold.
    pub instead: Option<String>,
}

/// A folder of its own for what a validation writes aside.
fn unique_folder(store: &crate::Store) -> std::path::PathBuf {
    store.spill_folder().join(uuid::Uuid::new_v4().to_string())
}

/// Whether any expectation asks for this.
pub(crate) fn asks(expectations: &[Expectation], what: impl Fn(&Check) -> bool) -> bool {
    expectations.iter().any(|expectation| what(&expectation.check))
}
