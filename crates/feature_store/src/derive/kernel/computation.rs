//! What to compute: the words of a derived group's features, resolved to columns.

use definitions::Duration;

/// One feature, computed from the rows of one entity in time order. The essay in `mod.rs` defines each to the bit.
///
/// Everywhere: NULL and NaN are no values and are passed over; a result that would be NaN is NULL. Numbers are taken as float64 (an
/// integer beyond 2^53 is rounded to it), a bool as 0 or 1. `of`, `label`, `category` are places in [`OrderedRows::columns`](super::OrderedRows::columns).
#[derive(Debug, Clone, PartialEq)]
pub enum Computation {
    /// An aggregate of the values in `(t - window, t]`.
    Window {
        /// The column.
        of: usize,
        /// How far back, exclusive; more than zero.
        window: Duration,
        /// Of what.
        aggregate: Aggregate,
    },
    /// An aggregate of the values in `(t, t + lead]`: a label. NULL where `t + lead` is later than
    /// [`OrderedRows::observed_until`](super::OrderedRows::observed_until): it is not over yet. A lead without aggregate is `Last`.
    Lead {
        /// The column.
        of: usize,
        /// How far ahead, inclusive; more than zero: the label's horizon.
        lead: Duration,
        /// Of what.
        aggregate: Aggregate,
    },
    /// The last value in `(t - lag - max_age, t - lag]`.
    Lag {
        /// The column.
        of: usize,
        /// How far back.
        lag: Duration,
        /// How much older than that the value may be, exclusive; more than zero. The lag itself is a good choice.
        max_age: Duration,
    },
    /// How many standard deviations (sample) the row's value lies above the mean of the entity's earlier values: those before `t`,
    /// the row and others of its time left out. NULL with fewer than two of them, or where they are all the same.
    Zscore {
        /// The column.
        of: usize,
        /// Only those after `t - window`; `None`: all of them.
        window: Option<Duration>,
    },
    /// The value, or something else where it is NULL.
    Fill {
        /// The column.
        of: usize,
        /// What else.
        with: Filling,
    },
    /// `left - right`.
    Difference {
        /// From this.
        left: Operand,
        /// Take that.
        right: Operand,
    },
    /// `left / right`; NULL where `right` is zero.
    Ratio {
        /// Divide this.
        left: Operand,
        /// By that.
        right: Operand,
    },
    /// `left * right`.
    Interaction {
        /// One factor.
        left: Operand,
        /// The other.
        right: Operand,
    },
    /// A part of the event time in UTC.
    Calendar {
        /// Which.
        part: CalendarPart,
    },
    /// How many edges the value is not below: 0 below the first edge, 1 from the first edge (inclusive) up to the second, …
    Bucket {
        /// Of this.
        of: Operand,
        /// Ascending, finite, at least one.
        edges: Vec<f64>,
    },
    /// The low bits of the XXH64 (seed 0) of the value, or of several values together: a category among `2^bits`. NULL where one is NULL.
    Hash {
        /// Of these, at least one.
        of: Vec<Operand>,
        /// How many bits, 1 to 31.
        bits: u8,
    },
}

/// What becomes of the values in a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aggregate {
    /// Their mean.
    Mean,
    /// Their sum.
    Sum,
    /// The least, in the column's type.
    Min,
    /// The greatest, in the column's type.
    Max,
    /// Their standard deviation (sample: divided by count - 1); NULL with fewer than two.
    Std,
    /// Their variance (sample: divided by count - 1); NULL with fewer than two.
    Var,
    /// How many; 0 where there is none.
    Count,
    /// The middle one, or the mean of the two in the middle.
    Median,
    /// The quantile, interpolated linearly between the two values beside rank `(count - 1) * q`; `q` in `[0, 1]`.
    Quantile(f64),
    /// The first, in the column's type; of several at one time, the first in row order.
    First,
    /// The last, in the column's type; of several at one time, the last in row order.
    Last,
    /// How many different ones; 0 where there is none.
    Nunique,
    /// Their mean weighted by `2^(-age / half-life)`; those older than 64 half-lives weigh nothing.
    Ewm(Duration),
    /// The slope of the least-squares line through them, per hour; NULL where all have the same time.
    Slope,
}

/// What an element-wise computation reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operand {
    /// A column of the rows, by its place.
    Column(usize),
    /// The result of an earlier computation of the same list, by its place.
    Computed(usize),
}

/// What stands in for a NULL.
#[derive(Debug, Clone, PartialEq)]
pub enum Filling {
    /// The last value in `(t - max_age, t]`.
    LastKnown {
        /// More than zero.
        max_age: Duration,
    },
    /// A number; it is cast to the column's type.
    Number(f64),
    /// A text.
    Text(String),
}

/// A part of a time, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalendarPart {
    /// 0 to 23.
    Hour,
    /// Monday 0 to Sunday 6.
    Weekday,
    /// 1 to 12.
    Month,
    /// Saturday or Sunday.
    IsWeekend,
    /// `sin(2 pi hours / 24)`, minutes and seconds counted in.
    HourSin,
    /// `cos(2 pi hours / 24)`, minutes and seconds counted in.
    HourCos,
    /// `sin(2 pi weekday / 7)`.
    WeekdaySin,
    /// `cos(2 pi weekday / 7)`.
    WeekdayCos,
    /// `sin(2 pi (month - 1) / 12)`.
    MonthSin,
    /// `cos(2 pi (month - 1) / 12)`.
    MonthCos,
}

/// Which rows a value at `t` may depend on: those of its segment in `(t - back, t + ahead]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// How far back, exclusive; zero: only the row itself. `None`: to the segment's first row.
    pub back: Option<Duration>,
    /// How far ahead, inclusive.
    pub ahead: Duration,
}

impl Computation {
    /// Its name in a definition.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Window { .. } => "window",
            Self::Lead { .. } => "lead",
            Self::Lag { .. } => "lag",
            Self::Zscore { .. } => "zscore",
            Self::Fill { .. } => "fill",
            Self::Difference { .. } => "difference",
            Self::Ratio { .. } => "ratio",
            Self::Interaction { .. } => "interaction",
            Self::Calendar { .. } => "calendar",
            Self::Bucket { .. } => "bucket",
            Self::Hash { .. } => "hash",
        }
    }

    /// Which rows it reads by itself; what its operands read is theirs.
    #[must_use]
    pub fn reach(&self) -> Reach {
        let back = |back| Reach {
            back,
            ahead: Duration::ZERO,
        };
        match self {
            Self::Window { window, .. } => back(Some(*window)),
            Self::Lead { lead, .. } => Reach {
                back: Some(Duration::ZERO),
                ahead: *lead,
            },
            Self::Lag { lag, max_age, .. } => back(Some(lag.plus(*max_age))),
            Self::Zscore { window, .. } => back(*window),
            Self::Fill {
                with: Filling::LastKnown { max_age },
                ..
            } => back(Some(*max_age)),
            Self::Fill { .. }
            | Self::Difference { .. }
            | Self::Ratio { .. }
            | Self::Interaction { .. }
            | Self::Calendar { .. }
            | Self::Bucket { .. }
            | Self::Hash { .. } => back(Some(Duration::ZERO)),
        }
    }
}

/// Which rows a list of computations reads.
#[must_use]
pub fn reach_of(computations: &[Computation]) -> Reach {
    let start = Reach {
        back: Some(Duration::ZERO),
        ahead: Duration::ZERO,
    };
    computations
        .iter()
        .map(Computation::reach)
        .fold(start, |all, one| Reach {
            back: all.back.zip(one.back).map(|(all, one)| all.max(one)),
            ahead: all.ahead.max(one.ahead),
        })
}
