//! Rows that break a group's definition: what is said of each, and the tally of all of them.

use std::collections::BTreeMap;
use std::fmt;

use definitions::{ColumnName, GroupRef};
use serde::{Deserialize, Serialize};

/// How many violations are shown one by one.
pub const SHOWN: usize = 10;

/// Where a row came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Location {
    /// The file, as it was named.
    pub file: String,
    /// The line it starts on, from 1; in a Parquet file the row, from 1.
    pub line: u64,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Why a row was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The row itself cannot be read: too few fields, broken JSON.
    Malformed,
    /// A column of the key is NULL.
    NullKey,
    /// The event time is NULL.
    NullEventTime,
    /// The value is not of the declared type.
    WrongType,
    /// The value does not fit into the declared type without loss.
    DoesNotFit,
    /// An infinite float.
    NotFinite,
    /// A time without a zone, in a group without `time_zone`.
    NoTimeZone,
    /// A local time that the clocks jumped over.
    NonExistentTime,
    /// A local time that happened twice.
    AmbiguousTime,
    /// A time finer than a microsecond.
    TooPrecise,
    /// Below `expect.min`.
    BelowMin,
    /// Above `expect.max`.
    AboveMax,
    /// Not in `expect.one_of`.
    NotOneOf,
    /// Not as `expect.regex` wants it.
    NotMatching,
    /// A condition of `[[expect]]` is false.
    PredicateFalse,
    /// Another row of the same ingestion has the same key and time, and other values.
    Conflict,
}

impl Reason {
    /// The reason in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Malformed => "cannot be read",
            Self::NullKey => "NULL in the key",
            Self::NullEventTime => "NULL event time",
            Self::WrongType => "not of the declared type",
            Self::DoesNotFit => "does not fit the declared type",
            Self::NotFinite => "infinite",
            Self::NoTimeZone => "time without a zone",
            Self::NonExistentTime => "local time that never was",
            Self::AmbiguousTime => "local time that was twice",
            Self::TooPrecise => "finer than a microsecond",
            Self::BelowMin => "below the minimum",
            Self::AboveMax => "above the maximum",
            Self::NotOneOf => "not one of the allowed values",
            Self::NotMatching => "not like the pattern",
            Self::PredicateFalse => "condition not met",
            Self::Conflict => "same key and time, other values",
        }
    }
}

/// One row that breaks the definition, by the first thing that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Violation {
    /// Where the row came from.
    pub location: Location,
    /// The column; `None` when it is the row as a whole.
    pub column: Option<ColumnName>,
    /// The value, as it stood there.
    pub value: String,
    /// Why it was not accepted.
    pub reason: Reason,
    /// What is wrong, exactly.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.column {
            Some(column) => write!(
                f,
                "{}: `{column}` is {}: {}",
                self.location,
                quoted(&self.value),
                self.detail
            ),
            None => write!(f, "{}: {}", self.location, self.detail),
        }
    }
}

impl Violation {
    /// Whether it is a number that another type would hold.
    fn is_for_a_wider_type(&self) -> bool {
        const NARROW: [&str; 2] = ["int32", "float32"];
        let is_narrow = NARROW.iter().any(|word| self.detail.contains(word));
        self.reason == Reason::DoesNotFit && is_narrow
    }
}

fn quoted(value: &str) -> String {
    const LONGEST: usize = 60;
    match value {
        "NULL" => value.to_owned(),
        _ if value.chars().count() > LONGEST => format!("`{}…`", value.chars().take(LONGEST).collect::<String>()),
        _ => format!("`{value}`"),
    }
}

/// All rows of an ingestion that break the definition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Violations {
    /// The group.
    pub group: GroupRef,
    /// Rows that were read.
    pub rows_read: u64,
    /// Rows that break the definition.
    pub rows: u64,
    /// How many for which reason; they sum to `rows`.
    pub by_reason: BTreeMap<Reason, u64>,
    /// The first ones, in the order of the files.
    pub first: Vec<Violation>,
}

impl Violations {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let any = |reason: Reason| self.by_reason.contains_key(&reason);
        let hint = if any(Reason::NoTimeZone) {
            "say in which zone such times are: time_zone = \"UTC\""
        } else if any(Reason::AmbiguousTime) || any(Reason::NonExistentTime) {
            "write times with their offset, or say which instant is meant: ambiguous = \"earliest\" (or \"latest\")"
        } else if any(Reason::TooPrecise) {
            "truncate = true"
        } else if self.first.iter().any(Violation::is_for_a_wider_type) {
            "declare a type that holds such values: type = \"int64\" for int32, \"float64\" for float32"
        } else if any(Reason::BelowMin) || any(Reason::AboveMax) {
            "if such values are right, widen `min` or `max` of the column's `expect`; to set such rows aside: on_violation = \"quarantine\""
        } else {
            "to keep the good rows and set the others aside: on_violation = \"quarantine\""
        };
        Some(hint.to_owned())
    }
}

impl Violations {
    /// The first ones and the counts, a line each.
    pub(crate) fn listed(&self) -> String {
        let mut lines: Vec<String> = self.first.iter().map(|violation| format!("\n  {violation}")).collect();
        if self.rows > self.first.len() as u64 {
            lines.push(format!("\n  … and {} more", self.rows - self.first.len() as u64));
        }
        let reasons: Vec<String> = self
            .by_reason
            .iter()
            .map(|(reason, count)| format!("{} {count}", reason.words()))
            .collect();
        lines.push(format!("\n  in all: {}", reasons.join(", ")));
        lines.concat()
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            group, rows_read, rows, ..
        } = self;
        let verb = if *rows == 1 { "breaks" } else { "break" };
        write!(
            f,
            "nothing was ingested: {rows} of {rows_read} rows {verb} the definition of `{group}`"
        )?;
        f.write_str(&self.listed())
    }
}

/// Counts violations, and keeps the first ones in the order of the files.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    rows: u64,
    by_reason: BTreeMap<Reason, u64>,
    first: BTreeMap<(usize, u64, u64), Violation>,
}

impl Tally {
    /// Takes in a violation of the row on this line of this file (by its place among the sources).
    pub(crate) fn add(&mut self, file: usize, violation: Violation) {
        self.rows += 1;
        *self.by_reason.entry(violation.reason).or_default() += 1;
        let place = (file, violation.location.line, self.rows);
        let is_early = self.first.last_key_value().is_none_or(|(last, _)| place < *last);
        if self.first.len() < SHOWN || is_early {
            self.first.insert(place, violation);
        }
        if self.first.len() > SHOWN {
            self.first.pop_last();
        }
    }

    /// How many rows.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// The first ones, in the order of the files.
    pub(crate) fn into_first(self) -> Vec<Violation> {
        self.first.into_values().collect()
    }

    /// What there is to say.
    pub(super) fn finish(self, group: GroupRef, rows_read: u64) -> Violations {
        let Self { rows, by_reason, first } = self;
        Violations {
            group,
            rows_read,
            rows,
            by_reason,
            first: first.into_values().collect(),
        }
    }
}
