//! Expectations: what a group says of its values and of what is ingested, and what happens where that does not hold.
//!
//! | about | keys | levels |
//! |---|---|---|
//! | a row | `min`, `max`, `one_of`, `regex`, and `sql` of the group | refuse, quarantine, warn |
//! | an ingestion | all others | refuse, warn |
//!
//! Where an expectation about an ingestion does not hold, no row is to blame, so no row can be set aside: under a feature or group that
//! says `quarantine` it refuses, and saying `quarantine` of it in so many words is a mistake.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{ColumnName, DataType, Duration, FeatureGroup, OnViolation};

/// What happens when an expectation does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The whole ingestion is refused.
    Refuse,
    /// The good rows are kept, the others go to the quarantine table with the reason.
    Quarantine,
    /// Everything is kept; the ingestion says so.
    Warn,
}

impl Level {
    /// The word for it in a definition.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Quarantine => "quarantine",
            Self::Warn => "warn",
        }
    }
}

impl From<OnViolation> for Level {
    fn from(on_violation: OnViolation) -> Self {
        match on_violation {
            OnViolation::Refuse => Self::Refuse,
            OnViolation::Quarantine => Self::Quarantine,
        }
    }
}

/// Which way the values of an entity go, in the order of their event times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Monotonic {
    /// Never down.
    Increasing,
    /// Always up.
    StrictlyIncreasing,
    /// Never up.
    Decreasing,
    /// Always down.
    StrictlyDecreasing,
}

impl Monotonic {
    /// The word for it in a definition.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Increasing => "increasing",
            Self::StrictlyIncreasing => "strictly_increasing",
            Self::Decreasing => "decreasing",
            Self::StrictlyDecreasing => "strictly_decreasing",
        }
    }
    /// Whether a value may come after another, by how they compare: the later one with the earlier.
    #[must_use]
    pub fn allows(self, later_with_earlier: std::cmp::Ordering) -> bool {
        match self {
            Self::Increasing => later_with_earlier.is_ge(),
            Self::StrictlyIncreasing => later_with_earlier.is_gt(),
            Self::Decreasing => later_with_earlier.is_le(),
            Self::StrictlyDecreasing => later_with_earlier.is_lt(),
        }
    }
}

/// What is expected of a column: one table of `expect`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Expect {
    /// Smallest value allowed, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Largest value allowed, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Largest share of NULLs allowed in one ingestion, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_null_fraction: Option<f64>,
    /// The only values allowed: texts, or whole numbers as they are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_of: Option<Vec<String>>,
    /// A pattern that is found in every text; `^` and `$` stand for its ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    /// No value twice in one ingestion; NULLs do not count.
    #[serde(default, skip_serializing_if = "crate::is_false")]
    pub unique: bool,
    /// Which way the values of each entity go, in one ingestion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monotonic: Option<Monotonic>,
    /// How far the mean of an ingestion may be from that of all ingestions before, in standard deviations of those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_mean_drift: Option<f64>,
    /// How many times larger or smaller the standard deviation of an ingestion may be than that of all ingestions before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_std_drift: Option<f64>,
    /// What happens otherwise; without it, what the feature or the group says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_violation: Option<Level>,
}

/// What is expected of a group's rows together: one table of `[[expect]]`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct GroupExpect {
    /// A condition in SQL over the columns of a row. A row for which it is NULL passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// The longest time from one row of an entity to its next, in one ingestion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_gap: Option<Duration>,
    /// How old the newest event time may be when an ingestion starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freshness: Option<Duration>,
    /// The fewest rows of an ingestion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_rows: Option<u64>,
    /// The most rows of an ingestion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rows: Option<u64>,
    /// What happens otherwise; without it, what the group says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_violation: Option<Level>,
}

/// One thing that is checked.
#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    /// No value below.
    Min(f64),
    /// No value above.
    Max(f64),
    /// Only these values.
    OneOf(Vec<String>),
    /// A pattern that is found in every text.
    Regex(String),
    /// A condition that no row makes false.
    Sql(String),
    /// At most this share of NULLs.
    MaxNullFraction(f64),
    /// No value twice.
    Unique,
    /// Values of an entity go one way.
    Monotonic(Monotonic),
    /// The mean is at most so many standard deviations from that of the ingestions before.
    MaxMeanDrift(f64),
    /// The standard deviation is within this factor of that of the ingestions before.
    MaxStdDrift(f64),
    /// Rows of an entity are no further apart.
    MaxGap(Duration),
    /// The newest event time is no older.
    Freshness(Duration),
    /// At least so many rows.
    MinRows(u64),
    /// At most so many rows.
    MaxRows(u64),
}

impl Check {
    /// Whether it is about each row by itself, rather than about an ingestion.
    #[must_use]
    pub fn is_about_a_row(&self) -> bool {
        matches!(
            self,
            Self::Min(_) | Self::Max(_) | Self::OneOf(_) | Self::Regex(_) | Self::Sql(_)
        )
    }
    /// Whether what is stored cannot be held against it, because it speaks of one ingestion among others.
    #[must_use]
    pub fn is_about_one_ingestion(&self) -> bool {
        matches!(
            self,
            Self::MaxMeanDrift(_) | Self::MaxStdDrift(_) | Self::MinRows(_) | Self::MaxRows(_)
        )
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Min(limit) => write!(f, "min = {limit}"),
            Self::Max(limit) => write!(f, "max = {limit}"),
            Self::OneOf(values) => write!(f, "one_of = {values:?}"),
            Self::Regex(pattern) => write!(f, "regex = {pattern:?}"),
            Self::Sql(condition) => write!(f, "sql = {condition:?}"),
            Self::MaxNullFraction(limit) => write!(f, "max_null_fraction = {limit}"),
            Self::Unique => f.write_str("unique = true"),
            Self::Monotonic(way) => write!(f, "monotonic = \"{}\"", way.word()),
            Self::MaxMeanDrift(limit) => write!(f, "max_mean_drift = {limit}"),
            Self::MaxStdDrift(limit) => write!(f, "max_std_drift = {limit}"),
            Self::MaxGap(limit) => write!(f, "max_gap = \"{limit}\""),
            Self::Freshness(limit) => write!(f, "freshness = \"{limit}\""),
            Self::MinRows(limit) => write!(f, "min_rows = {limit}"),
            Self::MaxRows(limit) => write!(f, "max_rows = {limit}"),
        }
    }
}

/// One expectation of a group: what is checked, of which column, and what happens otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// The feature; `None`: the group.
    pub column: Option<ColumnName>,
    /// The feature's type.
    pub data_type: Option<DataType>,
    /// What is checked.
    pub check: Check,
    /// What happens otherwise.
    pub level: Level,
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.column {
            Some(column) => write!(f, "`{column}`: {}", self.check),
            None => self.check.fmt(f),
        }
    }
}

impl Expect {
    /// Everything that the table asks for.
    #[must_use]
    pub fn checks(&self) -> Vec<Check> {
        let plain = [
            self.min.map(Check::Min),
            self.max.map(Check::Max),
            self.one_of.clone().map(Check::OneOf),
            self.regex.clone().map(Check::Regex),
            self.max_null_fraction.map(Check::MaxNullFraction),
            self.unique.then_some(Check::Unique),
            self.monotonic.map(Check::Monotonic),
            self.max_mean_drift.map(Check::MaxMeanDrift),
            self.max_std_drift.map(Check::MaxStdDrift),
        ];
        plain.into_iter().flatten().collect()
    }
}

impl GroupExpect {
    /// Everything that the table asks for.
    #[must_use]
    pub fn checks(&self) -> Vec<Check> {
        let plain = [
            self.sql.clone().map(Check::Sql),
            self.max_gap.map(Check::MaxGap),
            self.freshness.map(Check::Freshness),
            self.min_rows.map(Check::MinRows),
            self.max_rows.map(Check::MaxRows),
        ];
        plain.into_iter().flatten().collect()
    }
}

impl FeatureGroup {
    /// Every expectation, with what happens otherwise: those of the features in their order, then those of the group.
    #[must_use]
    pub fn expectations(&self) -> Vec<Expectation> {
        let mut all = Vec::new();
        for feature in &self.features {
            let above = feature.on_violation.unwrap_or(self.on_violation);
            for expect in &feature.expect {
                all.extend(expect.checks().into_iter().map(|check| Expectation {
                    column: Some(feature.name.clone()),
                    data_type: feature.data_type,
                    level: level(expect.on_violation, above, &check),
                    check,
                }));
            }
        }
        for expect in &self.expect {
            all.extend(expect.checks().into_iter().map(|check| Expectation {
                column: None,
                data_type: None,
                level: level(expect.on_violation, self.on_violation, &check),
                check,
            }));
        }
        all
    }
}

fn level(own: Option<Level>, above: OnViolation, check: &Check) -> Level {
    match own.unwrap_or_else(|| above.into()) {
        Level::Quarantine if !check.is_about_a_row() => Level::Refuse,
        level => level,
    }
}

/// For serde: one table as a table, several as a list.
pub(crate) mod one_or_many {
    use super::{Deserialize, Deserializer, Expect, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        Many(Vec<Expect>),
        One(Box<Expect>),
    }

    pub(crate) fn serialize<S: Serializer>(expect: &[Expect], serializer: S) -> Result<S::Ok, S::Error> {
        match expect {
            [only] => only.serialize(serializer),
            many => many.serialize(serializer),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Expect>, D::Error> {
        Ok(match OneOrMany::deserialize(deserializer)? {
            OneOrMany::Many(many) => many,
            OneOrMany::One(one) => vec![*one],
        })
    }
}
