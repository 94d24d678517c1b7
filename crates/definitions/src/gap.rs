//! The gap between the parts of a time split: label horizon plus longest lookback.
//!
//! A row of train must not know what a row of test is asked. Its label looks ahead by the horizon; a feature of the first test
//! row looks back by its lookback. When the two spans do not touch, nothing is in both:
//!
//! ```text
//!   train ──────┤ t              t' ├────── test
//!               └─ horizon ─┤├─ lookback ─┘        t' - t >= horizon + lookback
//! ```
//!
//! A window of a forecast is asked at its now: its label looks ahead by the horizon, and its oldest step, whose features look back
//! themselves, is a context ago. So horizon = steps ahead x frequency, and lookback = context x frequency + lookback.
//!
//! Both follow from the definitions: stated as `horizon` and `lookback`, or from how a derived feature is computed, all the way
//! up to the columns it comes from. A lag of a label is nearer to being known by the lag.

use std::collections::BTreeMap;
use std::fmt;

use crate::{
    ColumnName, Derivation, Duration, FeatureGroup, FeatureView, GroupRef, Problems, Reach, ResolvedView, Role,
    resolve_view,
};

/// The two terms of the gap, and the columns they come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GapSum {
    /// The largest label horizon.
    pub horizon: Duration,
    /// The label it comes from, such as `cpu_labels:v1.cpu_max_next_1h`; `None` where it is zero.
    pub horizon_of: Option<String>,
    /// The longest lookback of any model input.
    pub lookback: Duration,
    /// The column it comes from; `None` where it is zero.
    pub lookback_of: Option<String>,
}

impl GapSum {
    /// The gap.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.horizon.plus(self.lookback)
    }
}

impl fmt::Display for GapSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |column: &Option<String>| {
            column
                .as_ref()
                .map(|column| format!(" (`{column}`)"))
                .unwrap_or_default()
        };
        write!(f, "label horizon {}{} + ", self.horizon, of(&self.horizon_of))?;
        write!(
            f,
            "longest lookback {}{} = {}",
            self.lookback,
            of(&self.lookback_of),
            self.total()
        )
    }
}

impl ResolvedView {
    /// The gap that keeps the parts of a time split apart.
    #[must_use]
    pub fn gap(&self) -> GapSum {
        let mut sum = GapSum::default();
        for column in &self.columns {
            let source = || Some(format!("{}.{}", column.group, column.column));
            if column.role == Role::Label && column.horizon > sum.horizon {
                (sum.horizon, sum.horizon_of) = (column.horizon, source());
            }
            if column.role == Role::Feature && column.lookback > sum.lookback {
                (sum.lookback, sum.lookback_of) = (column.lookback, source());
            }
        }
        if let Some(panel) = &self.panel {
            let steps = |count: u32, of: &str| format!("{of} {count} x {}", panel.frequency);
            sum.horizon = panel.ahead();
            sum.horizon_of = Some(steps(panel.horizon, "horizon"));
            sum.lookback = sum.lookback.plus(panel.back());
            let context = steps(panel.context, "context");
            sum.lookback_of = Some(match sum.lookback_of {
                Some(column) => format!("{context} + {column}"),
                None => context,
            });
        }
        sum
    }
}

/// The gap of a view: label horizon plus longest lookback, from the definitions.
///
/// # Errors
/// The view does not fit its groups.
pub fn derive_gap(view: &FeatureView, groups: &BTreeMap<GroupRef, FeatureGroup>) -> Result<GapSum, Problems> {
    Ok(resolve_view(view, groups)?.gap())
}

/// How far ahead of its event time a column of a group looks; `groups` has those that it is derived from.
#[must_use]
pub fn horizon_of(group: &FeatureGroup, column: &ColumnName, groups: &BTreeMap<GroupRef, FeatureGroup>) -> Duration {
    Spans {
        groups,
        own: own_horizon,
        through: Derivation::horizon_through,
        known: BTreeMap::new(),
    }
    .of_column(group, column)
}

/// How far back from its event time a column looks.
pub(crate) fn lookback_of(
    group: &FeatureGroup,
    column: &ColumnName,
    groups: &BTreeMap<GroupRef, FeatureGroup>,
) -> Duration {
    Spans {
        groups,
        own: own_lookback,
        through: |_, _, span| span,
        known: BTreeMap::new(),
    }
    .of_column(group, column)
}

fn own_horizon(group: &FeatureGroup, column: &ColumnName) -> Option<Duration> {
    let feature = group.feature(column.as_str())?;
    feature
        .horizon
        .or(feature.derivation.as_ref().map(Derivation::reach_ahead))
}

/// Where a function looks back as far as there are rows, that is no span: it sees no label, or only labels that were over.
fn own_lookback(group: &FeatureGroup, column: &ColumnName) -> Option<Duration> {
    let feature = group.feature(column.as_str())?;
    let computed = feature.derivation.as_ref().and_then(|how| match how.reach_back() {
        Reach::Of(span) => Some(span),
        Reach::Unbounded => None,
    });
    feature
        .lookback
        .or(computed)
        .or(group.derive.as_ref().and_then(|derive| derive.lookback))
}

/// A column's span is its own and the longest one of the columns that it is computed from.
struct Spans<'a> {
    groups: &'a BTreeMap<GroupRef, FeatureGroup>,
    own: fn(&FeatureGroup, &ColumnName) -> Option<Duration>,
    /// What is left of the span of a column that is read.
    through: fn(&Derivation, &ColumnName, Duration) -> Duration,
    /// What has been summed already. A column that is being summed counts as zero, so that a cycle ends.
    known: BTreeMap<(GroupRef, ColumnName), Duration>,
}

impl Spans<'_> {
    fn of_column(&mut self, group: &FeatureGroup, column: &ColumnName) -> Duration {
        let own = (self.own)(group, column).unwrap_or_default();
        let Some(derive) = &group.derive else { return own };
        let key = (group.reference(), column.clone());
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        self.known.insert(key.clone(), Duration::ZERO);
        let derivation = group
            .feature(column.as_str())
            .and_then(|feature| feature.derivation.as_ref());
        let mut below = Duration::ZERO;
        for source in derive.from.iter().filter_map(|from| self.groups.get(from)) {
            match derivation {
                Some(how) => {
                    for input in how
                        .inputs()
                        .into_iter()
                        .filter(|input| source.feature(input.as_str()).is_some())
                    {
                        below = below.max((self.through)(how, input, self.of_column(source, input)));
                    }
                }
                // A query may read every column.
                None if derive.sql.is_some() => {
                    for feature in &source.features {
                        below = below.max(self.of_column(source, &feature.name));
                    }
                }
                None => {}
            }
        }
        self.known.insert(key, own.plus(below));
        own.plus(below)
    }
}
