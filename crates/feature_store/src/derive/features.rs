//! From a definition to what the kernel computes: which columns are read, and where each feature's values come from.

use std::collections::BTreeMap;

use definitions::{ColumnName, Derivation, Duration, FeatureGroup, GroupRef, Minus, Past, horizon_of};

use super::encoded::Encoding;
use super::kernel::{Aggregate, CalendarPart, Computation, Filling, Operand, Reach, reach_of};
use super::touched::{Frame, apart};
use crate::StoreError;

/// What is computed for a derived group.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Features {
    /// The columns that are read, each once, in the order in which the computations know them.
    pub columns: Vec<ColumnName>,
    /// What the kernel computes.
    pub computations: Vec<Computation>,
    /// What stands beside the rows before the kernel sees them, for it is made of all entities' rows.
    pub encodings: Vec<Encoding>,
    /// For each feature of the group, where its values are.
    pub outputs: Vec<Output>,
}

/// Where a feature's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// What the kernel read or computed.
    Of(Operand),
    /// An encoding.
    Encoded(usize),
}

impl Features {
    /// What is computed for this group, which comes from these sources. The groups are those that they come from in turn: they know how far a
    /// label looks ahead.
    ///
    /// # Errors
    /// `NotComputed` for a feature that no function computes.
    pub fn of(
        group: &FeatureGroup,
        sources: &[FeatureGroup],
        groups: &BTreeMap<GroupRef, FeatureGroup>,
    ) -> Result<Self, StoreError> {
        let mut features = Self {
            columns: Vec::new(),
            computations: Vec::new(),
            encodings: Vec::new(),
            outputs: Vec::new(),
        };
        let mut places = BTreeMap::new();
        for feature in &group.features {
            let how = feature.derivation.as_ref().ok_or_else(|| StoreError::NotComputed {
                group: group.reference(),
                column: feature.name.to_string(),
            })?;
            if let Derivation::TargetEncoding { of, label, smoothing } = how {
                let source = sources.iter().find(|source| source.feature(label.as_str()).is_some());
                let horizon = source.map(|source| horizon_of(source, label, groups));
                features.encode(Encoding {
                    category: of.clone(),
                    label: label.clone(),
                    horizon: horizon.unwrap_or_default().micros(),
                    smoothing: *smoothing,
                });
                continue;
            }
            let mut place = |column: &ColumnName| {
                *places.entry(column.clone()).or_insert_with(|| {
                    features.columns.push(column.clone());
                    features.columns.len() - 1
                })
            };
            let columns: Vec<usize> = how.inputs().into_iter().map(&mut place).collect();
            let output = features.add(how, &columns).ok_or_else(|| StoreError::NotComputed {
                group: group.reference(),
                column: feature.name.to_string(),
            })?;
            features.outputs.push(Output::Of(output));
        }
        Ok(features)
    }

    /// Which rows of its entity a row is made of, all features together.
    pub fn reach(&self) -> Reach {
        reach_of(&self.computations)
    }

    /// The same, frame by frame.
    pub fn frames(&self) -> Vec<Frame> {
        let frames = self.computations.iter().filter_map(frame_of);
        apart(frames.chain([Frame::OWN]).collect())
    }

    /// Adds what computes one feature; `columns` are the places of what it reads.
    fn add(&mut self, how: &Derivation, columns: &[usize]) -> Option<Operand> {
        let first = columns.first().copied();
        let second = columns.get(1).copied();
        let computation = match how {
            Derivation::Value { .. } => return first.map(Operand::Column),
            Derivation::Window { window, aggregate, .. } => Computation::Window {
                of: first?,
                window: *window,
                aggregate: aggregate_of(*aggregate),
            },
            Derivation::Lead { lead, aggregate, .. } => Computation::Lead {
                of: first?,
                lead: *lead,
                aggregate: aggregate_of(*aggregate),
            },
            Derivation::Lag { lag, max_age, .. } => lag_of(first?, *lag, *max_age),
            Derivation::Difference {
                minus: Minus::Lag(lag), ..
            } => {
                let before = self.push(lag_of(first?, *lag, *lag));
                Computation::Difference {
                    left: Operand::Column(first?),
                    right: before,
                }
            }
            Derivation::Difference { .. } => Computation::Difference {
                left: Operand::Column(first?),
                right: Operand::Column(second?),
            },
            Derivation::Ratio { .. } => Computation::Ratio {
                left: Operand::Column(first?),
                right: Operand::Column(second?),
            },
            Derivation::Interaction { .. } => Computation::Interaction {
                left: Operand::Column(first?),
                right: Operand::Column(second?),
            },
            Derivation::Zscore { past, .. } => Computation::Zscore {
                of: first?,
                window: match past {
                    Past::Expanding => None,
                    Past::Window(window) => Some(*window),
                },
            },
            Derivation::Calendar { part } => Computation::Calendar {
                part: calendar_of(*part),
            },
            Derivation::Bucket { edges, .. } => Computation::Bucket {
                of: Operand::Column(first?),
                edges: edges.clone(),
            },
            Derivation::Hash { bits, .. } => Computation::Hash {
                of: vec![Operand::Column(first?)],
                bits: *bits,
            },
            Derivation::Fill { fill, .. } => Computation::Fill {
                of: first?,
                with: match fill {
                    definitions::Filling::LastKnown(max_age) => Filling::LastKnown { max_age: *max_age },
                    definitions::Filling::Number(number) => Filling::Number(*number),
                    definitions::Filling::Text(text) => Filling::Text(text.clone()),
                },
            },
            // Its rows are those of all entities: see `encoded`.
            Derivation::TargetEncoding { .. } => return None,
        };
        Some(self.push(computation))
    }

    /// Adds an encoding; the same one twice is made once.
    fn encode(&mut self, encoding: Encoding) {
        let there = self.encodings.iter().position(|other| *other == encoding);
        self.outputs.push(Output::Encoded(there.unwrap_or_else(|| {
            self.encodings.push(encoding);
            self.encodings.len() - 1
        })));
    }

    /// The place of a computation; the same one twice is computed once.
    fn push(&mut self, computation: Computation) -> Operand {
        let there = self.computations.iter().position(|other| *other == computation);
        Operand::Computed(there.unwrap_or_else(|| {
            self.computations.push(computation);
            self.computations.len() - 1
        }))
    }
}

/// The rows that a computation reads beside the row itself.
fn frame_of(computation: &Computation) -> Option<Frame> {
    let back = |span: Duration, upto: i64| Frame {
        after: Some(upto.saturating_sub(span.micros())),
        upto,
    };
    let all = Frame { after: None, upto: 0 };
    match computation {
        Computation::Window { window, .. } => Some(back(*window, 0)),
        Computation::Lead { lead, .. } => Some(back(*lead, lead.micros())),
        Computation::Lag { lag, max_age, .. } => Some(back(*max_age, -lag.micros())),
        Computation::Zscore { window, .. } => Some(window.map_or(all, |window| back(window, 0))),
        Computation::Fill {
            with: Filling::LastKnown { max_age },
            ..
        } => Some(back(*max_age, 0)),
        Computation::Fill { .. }
        | Computation::Difference { .. }
        | Computation::Ratio { .. }
        | Computation::Interaction { .. }
        | Computation::Calendar { .. }
        | Computation::Bucket { .. }
        | Computation::Hash { .. } => None,
    }
}

fn lag_of(of: usize, lag: Duration, max_age: Duration) -> Computation {
    Computation::Lag { of, lag, max_age }
}

fn aggregate_of(declared: definitions::Aggregate) -> Aggregate {
    use definitions::Aggregate as Declared;
    match declared {
        Declared::Mean => Aggregate::Mean,
        Declared::Sum => Aggregate::Sum,
        Declared::Min => Aggregate::Min,
        Declared::Max => Aggregate::Max,
        Declared::Std => Aggregate::Std,
        Declared::Var => Aggregate::Var,
        Declared::Count => Aggregate::Count,
        Declared::Median => Aggregate::Median,
        Declared::Quantile(share) => Aggregate::Quantile(share),
        Declared::First => Aggregate::First,
        Declared::Last => Aggregate::Last,
        Declared::Nunique => Aggregate::Nunique,
        Declared::Ewm(half_life) => Aggregate::Ewm(half_life),
        Declared::Slope => Aggregate::Slope,
    }
}

pub(super) fn calendar_of(declared: definitions::CalendarPart) -> CalendarPart {
    use definitions::CalendarPart as Declared;
    match declared {
        Declared::Hour => CalendarPart::Hour,
        Declared::Weekday => CalendarPart::Weekday,
        Declared::Month => CalendarPart::Month,
        Declared::IsWeekend => CalendarPart::IsWeekend,
        Declared::HourSin => CalendarPart::HourSin,
        Declared::HourCos => CalendarPart::HourCos,
        Declared::WeekdaySin => CalendarPart::WeekdaySin,
        Declared::WeekdayCos => CalendarPart::WeekdayCos,
        Declared::MonthSin => CalendarPart::MonthSin,
        Declared::MonthCos => CalendarPart::MonthCos,
    }
}
