//! A feature view as declared: which label, which features, joined how, split how.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ColumnName, Duration, EventTime, GroupRef, Name, Version, Versioned, ViewRef};

/// The spine of a supervised view: its rows are the dataset's rows, in its order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Labels {
    /// The group of the label.
    pub group: GroupRef,
    /// The label columns, at least one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<ColumnName>,
    /// Other columns of the same group to carry along, never model inputs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub helpers: Vec<ColumnName>,
}

/// Whether a feature row at exactly the spine row's time may be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Boundary {
    /// `event_time <= t`
    Inclusive,
    /// `event_time < t`
    Exclusive,
}

/// Which clock says what was known at a spine row's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// The group's `known_at` column where it declares one; otherwise a row is known from its event time on.
    Declared,
    /// The time of ingestion (`__known_at`), besides the declared column.
    Ingested,
}

/// What stands for a NULL value in the row that was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fill {
    /// The newest value that is not NULL among the rows that qualify.
    LastKnown,
}

/// Columns of one group, and how they are joined to the spine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureSelection {
    /// The group.
    pub group: GroupRef,
    /// Whether every feature of the group is a model input: `columns = ["*"]`. Then `columns` is empty.
    #[serde(default, skip_serializing_if = "crate::is_false")]
    pub all_columns: bool,
    /// Its columns that are model inputs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<ColumnName>,
    /// Its columns for slices and bias tests, never model inputs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub helpers: Vec<ColumnName>,
    /// The oldest row that still counts, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Duration>,
    /// Put before each column's name in the dataset (`origin_` makes `origin_temp`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Spine column -> key column of the group, where the names differ.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub on: BTreeMap<ColumnName, ColumnName>,
    /// Columns whose NULLs are filled, and how.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fill: BTreeMap<ColumnName, Fill>,
}

impl FeatureSelection {
    /// The name of one of its columns in the dataset.
    #[must_use]
    pub fn output_name(&self, column: &ColumnName) -> String {
        format!("{}{column}", self.prefix.as_deref().unwrap_or_default())
    }
}

/// A stretch of event time: from its first moment to just before its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// The first moment that belongs to it.
    pub from: EventTime,
    /// The first moment that no longer does.
    pub to: EventTime,
}

/// How large a part is, where it starts, or where it lies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// This share of the rows, above 0 and below 1.
    Fraction(f64),
    /// The part starts at this time (time splits only).
    At(EventTime),
    /// The part is these periods, in time order (time splits only).
    Within(Vec<Period>),
}

/// How long a part of a fold is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    /// As long as it takes to hold this share of all rows, above 0 and below 1.
    Fraction(f64),
    /// This long.
    Span(Duration),
}

/// The time between the end of one part and the start of the next, in which rows belong to no part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// Label horizon plus longest lookback.
    Auto,
    /// This long; refused when shorter than `Auto` gives, unless overlap is allowed.
    Of(Duration),
}

/// How the dataset's rows are divided into train, validation and test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "strategy", rename_all = "snake_case")]
pub enum Split {
    /// By time, with a gap before validation and one before test.
    Time {
        /// The validation part; `None`: there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        validation: Option<Cut>,
        /// The test part; `None`: there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        test: Option<Cut>,
        /// The gap.
        gap: Gap,
        /// What is kept between parts beyond the gap.
        #[serde(default, skip_serializing_if = "is_zero")]
        embargo: Duration,
        /// Whether a gap that is too short is accepted, and said on the model card.
        #[serde(default, skip_serializing_if = "crate::is_false")]
        allow_overlap: bool,
    },
    /// By time, several times over: each fold trains on what is before its validation and test, which follow those of the fold before.
    WalkForward {
        /// How many folds.
        folds: u32,
        /// The longest that train may be, its newest end kept (sliding); `None`: all that is before (expanding).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        train: Option<Length>,
        /// The validation of each fold, right before its test; `None`: there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        validation: Option<Length>,
        /// The test of each fold.
        test: Length,
        /// The gap.
        gap: Gap,
        /// What is kept between parts beyond the gap.
        #[serde(default, skip_serializing_if = "is_zero")]
        embargo: Duration,
        /// Whether a gap that is too short is accepted, and said on the model card.
        #[serde(default, skip_serializing_if = "crate::is_false")]
        allow_overlap: bool,
    },
    /// By a seeded draw per row.
    Random {
        /// Share of the rows in validation.
        validation: f64,
        /// Share of the rows in test.
        test: f64,
        /// The seed.
        seed: u64,
        /// The column each of whose values has these shares of its rows; `None`: all rows are drawn alike.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stratify: Option<ColumnName>,
    },
    /// By a seeded draw per entity: an entity is in one part only.
    Group {
        /// Share of the entities in validation.
        validation: f64,
        /// Share of the entities in test.
        test: f64,
        /// The seed.
        seed: u64,
    },
}

fn is_zero(span: &Duration) -> bool {
    *span == Duration::ZERO
}

impl Split {
    /// The gap and whether one that is too short is accepted, of a split by time; `None`: it is not by time.
    #[must_use]
    pub fn gap(&self) -> Option<(Gap, bool)> {
        match self {
            Self::Time { gap, allow_overlap, .. } | Self::WalkForward { gap, allow_overlap, .. } => {
                Some((*gap, *allow_overlap))
            }
            Self::Random { .. } | Self::Group { .. } => None,
        }
    }

    /// The word for its strategy.
    #[must_use]
    pub fn strategy(&self) -> &'static str {
        match self {
            Self::Time { .. } => "time",
            Self::WalkForward { .. } => "walk_forward",
            Self::Random { .. } => "random",
            Self::Group { .. } => "group",
        }
    }
}

/// A forecasting view's panel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// The panel.
    pub group: GroupRef,
    /// The columns to forecast.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<ColumnName>,
    /// Steps looked back.
    pub context: u32,
    /// Steps looked ahead.
    pub horizon: u32,
    /// The length of a step.
    pub frequency: Duration,
    /// Columns that never change for an entity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub static_columns: Vec<ColumnName>,
    /// Columns known in advance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known_future: Vec<ColumnName>,
}

/// A feature view: what a training dataset is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureView {
    /// Its name.
    pub name: Name,
    /// Its version.
    pub version: Version,
    /// What it is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The label and spine; `None`: unsupervised, the first selection's group is the spine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Labels>,
    /// What is joined to the spine, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<FeatureSelection>,
    /// Whether a feature at exactly the spine row's time may be seen.
    pub boundary: Boundary,
    /// Which clock says what was known.
    pub availability: Availability,
    /// How rows are divided; `None`: one part, `train`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// The panel, in a forecasting view.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
}

impl FeatureView {
    /// `cpu_fv:v2`
    #[must_use]
    pub fn reference(&self) -> ViewRef {
        Versioned {
            name: self.name.clone(),
            version: self.version,
        }
    }
    /// The group whose rows are the dataset's rows.
    #[must_use]
    pub fn spine(&self) -> Option<&GroupRef> {
        let labels = self.labels.as_ref().map(|labels| &labels.group);
        let forecast = self.forecast.as_ref().map(|forecast| &forecast.group);
        labels
            .or(forecast)
            .or(self.features.first().map(|selection| &selection.group))
    }
    /// Every group it reads, the spine first, each once.
    #[must_use]
    pub fn groups(&self) -> Vec<&GroupRef> {
        let mut groups: Vec<&GroupRef> = self.spine().into_iter().collect();
        for selection in &self.features {
            if !groups.contains(&&selection.group) {
                groups.push(&selection.group);
            }
        }
        groups
    }
}
