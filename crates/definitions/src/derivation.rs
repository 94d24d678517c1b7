//! How a feature of a derived group is computed: **one function of columns of the sources, for each row of the first source.**
//!
//! ```text
//!   rows of one entity, by event time      ──●────●──●────────●───────●──►
//!   window = "1h"      (t - 1h, t]                   └────────┤ t
//!   lag = "1h"         the last value at t - 1h      ●        │ t
//!   lead = "1h"        (t, t + 1h]                            │ t ────┘
//! ```
//!
//! The function, its parameters and the columns it reads are all there is: type, lookback and horizon follow from them here, the
//! values are computed in the feature store. `functions` says in words what each of them does.

mod functions;
mod types;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use functions::{FUNCTIONS, Function, features_page};
pub use types::{Misfit, output_type};

use crate::{ColumnName, Duration, ReferenceError};

/// How a feature of a derived group is computed. `t` is the event time of the row that gets the value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "function", rename_all = "snake_case")]
pub enum Derivation {
    /// The value itself.
    Value {
        /// The column.
        of: ColumnName,
    },
    /// An aggregate of the values in (t - window, t].
    Window {
        /// The column.
        of: ColumnName,
        /// How far back the window reaches.
        window: Duration,
        /// What is made of the values.
        aggregate: Aggregate,
    },
    /// The last value in (t - lag - max_age, t - lag].
    Lag {
        /// The column.
        of: ColumnName,
        /// How long ago.
        lag: Duration,
        /// How much older than that it may be.
        max_age: Duration,
    },
    /// A label: an aggregate of the values in (t, t + lead].
    Lead {
        /// The column.
        of: ColumnName,
        /// How far ahead.
        lead: Duration,
        /// What is made of the values.
        aggregate: Aggregate,
    },
    /// What a column is more than another one, or than it was.
    Difference {
        /// The column.
        of: ColumnName,
        /// What is taken from it.
        minus: Minus,
    },
    /// A column divided by another one.
    Ratio {
        /// What is divided.
        of: ColumnName,
        /// By what.
        by: ColumnName,
    },
    /// The product of two columns.
    Interaction {
        /// One column.
        of: ColumnName,
        /// The other one.
        with: ColumnName,
    },
    /// How many standard deviations a value is from the mean of its entity's past.
    Zscore {
        /// The column.
        of: ColumnName,
        /// Which past.
        past: Past,
    },
    /// A part of the calendar at t, in UTC.
    Calendar {
        /// Which part.
        part: CalendarPart,
    },
    /// The number of the bucket that a value falls into.
    Bucket {
        /// The column.
        of: ColumnName,
        /// The lower edges of the buckets from 1, ascending; bucket 0 is below them all.
        edges: Vec<f64>,
    },
    /// One of so many buckets, by a hash of the value.
    Hash {
        /// The column.
        of: ColumnName,
        /// How many buckets, as a power of two.
        bits: u8,
    },
    /// The value, with something in place of NULL.
    Fill {
        /// The column.
        of: ColumnName,
        /// What stands in place of NULL.
        fill: Filling,
    },
    /// The smoothed mean of a label over earlier rows of the same category, of all entities.
    TargetEncoding {
        /// The category.
        of: ColumnName,
        /// The label.
        label: ColumnName,
        /// How many rows the overall mean weighs.
        smoothing: f64,
    },
}

/// What a difference takes from its column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Minus {
    /// Another column.
    Column(ColumnName),
    /// What the column itself was so long ago, as by a lag that may be twice as old.
    Lag(Duration),
}

/// How much of the past counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Past {
    /// All of it, before t.
    Expanding,
    /// (t - window, t).
    Window(Duration),
}

/// What stands in place of NULL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filling {
    /// The entity's last value in (t - max_age, t].
    LastKnown(Duration),
    /// This number.
    Number(f64),
    /// This text.
    Text(String),
}

/// What is made of the values of a window. Written as in `aggregate = "quantile(0.9)"`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Aggregate {
    /// Their mean.
    Mean,
    /// Their sum.
    Sum,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// Their standard deviation, of a sample.
    Std,
    /// Their variance, of a sample.
    Var,
    /// How many there are.
    Count,
    /// The middle one.
    Median,
    /// The one that this share of them does not exceed.
    Quantile(f64),
    /// The earliest.
    First,
    /// The latest.
    Last,
    /// How many different ones there are.
    Nunique,
    /// Their mean, in which a value weighs half as much when it is this much older.
    Ewm(Duration),
    /// How much the line through them rises in an hour.
    Slope,
}

impl Aggregate {
    /// The words of those that have no parameter.
    pub(crate) const PLAIN: [(&'static str, Self); 12] = [
        ("mean", Self::Mean),
        ("sum", Self::Sum),
        ("min", Self::Min),
        ("max", Self::Max),
        ("std", Self::Std),
        ("var", Self::Var),
        ("count", Self::Count),
        ("median", Self::Median),
        ("first", Self::First),
        ("last", Self::Last),
        ("nunique", Self::Nunique),
        ("slope", Self::Slope),
    ];
    /// All of them, for messages.
    pub(crate) const WANTED: &'static str = "`mean`, `sum`, `min`, `max`, `std`, `var`, `count`, `median`, `quantile(0.9)`, \
                                             `first`, `last`, `nunique`, `ewm(\"30m\")` or `slope`";
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quantile(share) => write!(f, "quantile({share})"),
            Self::Ewm(half_life) => write!(f, "ewm(\"{half_life}\")"),
            plain => {
                let word = Self::PLAIN.iter().find(|(_, aggregate)| aggregate == plain);
                f.write_str(word.map_or("", |(word, _)| *word))
            }
        }
    }
}

impl FromStr for Aggregate {
    type Err = ReferenceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let inside = |name: &str| {
            text.strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('(')?.strip_suffix(')'))
                .map(str::trim)
        };
        let plain = Self::PLAIN.iter().find(|(word, _)| *word == text);
        let quantile = || inside("quantile")?.parse::<f64>().ok();
        let half_life = || inside("ewm")?.trim_matches(['"', '\'']).parse::<Duration>().ok();
        let parsed = plain
            .map(|(_, aggregate)| *aggregate)
            .or_else(|| {
                quantile()
                    .filter(|share| (0.0..=1.0).contains(share))
                    .map(Self::Quantile)
            })
            .or_else(|| half_life().filter(|span| *span > Duration::ZERO).map(Self::Ewm));
        parsed.ok_or_else(|| ReferenceError {
            found: text.to_owned(),
            wanted: Self::WANTED,
        })
    }
}

impl TryFrom<String> for Aggregate {
    type Error = ReferenceError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Aggregate> for String {
    fn from(aggregate: Aggregate) -> Self {
        aggregate.to_string()
    }
}

/// A part of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalendarPart {
    /// 0 to 23.
    Hour,
    /// 0 (Monday) to 6 (Sunday).
    Weekday,
    /// 1 to 12.
    Month,
    /// Saturday or Sunday.
    IsWeekend,
    /// The sine of the time of day, as an angle.
    HourSin,
    /// Its cosine.
    HourCos,
    /// The sine of the weekday, as an angle.
    WeekdaySin,
    /// Its cosine.
    WeekdayCos,
    /// The sine of the month, as an angle.
    MonthSin,
    /// Its cosine.
    MonthCos,
}

impl CalendarPart {
    /// The words for them.
    pub(crate) const WORDS: [(&'static str, Self); 10] = [
        ("hour", Self::Hour),
        ("weekday", Self::Weekday),
        ("month", Self::Month),
        ("is_weekend", Self::IsWeekend),
        ("hour_sin", Self::HourSin),
        ("hour_cos", Self::HourCos),
        ("weekday_sin", Self::WeekdaySin),
        ("weekday_cos", Self::WeekdayCos),
        ("month_sin", Self::MonthSin),
        ("month_cos", Self::MonthCos),
    ];
}

impl fmt::Display for CalendarPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::WORDS.iter().find(|(_, part)| part == self);
        f.write_str(word.map_or("", |(word, _)| *word))
    }
}

/// How far from its own time a function looks, in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// So far.
    Of(Duration),
    /// As far as there are rows.
    Unbounded,
}

impl Derivation {
    /// The columns that it reads.
    #[must_use]
    pub fn inputs(&self) -> Vec<&ColumnName> {
        match self {
            Self::Calendar { .. } => Vec::new(),
            Self::Difference {
                of,
                minus: Minus::Column(other),
            }
            | Self::Ratio { of, by: other }
            | Self::Interaction { of, with: other }
            | Self::TargetEncoding { of, label: other, .. } => vec![of, other],
            Self::Value { of }
            | Self::Window { of, .. }
            | Self::Lag { of, .. }
            | Self::Lead { of, .. }
            | Self::Difference { of, .. }
            | Self::Zscore { of, .. }
            | Self::Bucket { of, .. }
            | Self::Hash { of, .. }
            | Self::Fill { of, .. } => vec![of],
        }
    }

    /// How far back from t it looks.
    #[must_use]
    pub fn reach_back(&self) -> Reach {
        match self {
            Self::Window { window: span, .. }
            | Self::Zscore {
                past: Past::Window(span),
                ..
            }
            | Self::Fill {
                fill: Filling::LastKnown(span),
                ..
            } => Reach::Of(*span),
            Self::Lag { lag, max_age, .. } => Reach::Of(lag.plus(*max_age)),
            Self::Difference {
                minus: Minus::Lag(lag), ..
            } => Reach::Of(lag.plus(*lag)),
            Self::Zscore { .. } | Self::TargetEncoding { .. } => Reach::Unbounded,
            _ => Reach::Of(Duration::ZERO),
        }
    }

    /// How far ahead of t it looks.
    #[must_use]
    pub fn reach_ahead(&self) -> Duration {
        match self {
            Self::Lead { lead, .. } => *lead,
            _ => Duration::ZERO,
        }
    }

    /// What of the horizon of a column that it reads is left: a value of the past is nearer to being known, and a target encoding
    /// waits until its labels are.
    pub(crate) fn horizon_through(&self, column: &ColumnName, horizon: Duration) -> Duration {
        match self {
            Self::Lag { lag, .. } => Duration::from_micros(horizon.micros() - lag.micros()).unwrap_or_default(),
            Self::TargetEncoding { of, label, .. } if column == label && of != label => Duration::ZERO,
            _ => horizon,
        }
    }
}

impl fmt::Display for Derivation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value { of } => write!(f, "{of}"),
            Self::Window { of, window, aggregate } => write!(f, "{aggregate} of {of} over {window}"),
            Self::Lag { of, lag, .. } => write!(f, "{of} {lag} ago"),
            Self::Lead { of, lead, aggregate } => write!(f, "{aggregate} of {of} in the next {lead}"),
            Self::Difference {
                of,
                minus: Minus::Column(other),
            } => write!(f, "{of} - {other}"),
            Self::Difference {
                of,
                minus: Minus::Lag(lag),
            } => write!(f, "{of} - {of} {lag} ago"),
            Self::Ratio { of, by } => write!(f, "{of} / {by}"),
            Self::Interaction { of, with } => write!(f, "{of} * {with}"),
            Self::Zscore {
                of,
                past: Past::Expanding,
            } => write!(f, "z-score of {of} over all its past"),
            Self::Zscore {
                of,
                past: Past::Window(window),
            } => write!(f, "z-score of {of} over {window}"),
            Self::Calendar { part } => write!(f, "{part} of the event time"),
            Self::Bucket { of, edges } => write!(f, "{of} in {} buckets", edges.len() + 1),
            Self::Hash { of, bits } => write!(f, "{of} hashed into {} buckets", 1_u64 << bits),
            Self::Fill {
                of,
                fill: Filling::LastKnown(max_age),
            } => write!(f, "{of}, or its last value in {max_age}"),
            Self::Fill {
                of,
                fill: Filling::Number(number),
            } => write!(f, "{of}, or {number}"),
            Self::Fill {
                of,
                fill: Filling::Text(text),
            } => write!(f, "{of}, or \"{text}\""),
            Self::TargetEncoding { of, label, .. } => write!(f, "mean {label} of earlier rows with the same {of}"),
        }
    }
}
