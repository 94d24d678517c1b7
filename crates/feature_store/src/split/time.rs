//! The time split: **no label of an earlier part looks as far as the features of a later one look back.**
//!
//! ```text
//!   train ────────────┤ gap ├─ validation ─────┤ gap ├─ test ─────────►  event time
//!                  s  │     │ t                      │
//!                  └─ horizon ─►                     cut
//!                       ◄ lookback ┘        s + horizon < t - lookback
//! ```
//!
//! A part begins at its cut. A row is in the gap before a cut when `cut - gap <= event_time < cut`, so an earlier row and a later one
//! are more than a gap apart: with `gap >= horizon + lookback` the last label ends before the first feature begins, even where both
//! ends of both windows count.
//!
//! A cut is given as a time, or found from a share of the rows in time order: test is the last share, validation the share before it
//! (both of all rows), and a cut that would fall among rows of equal time moves to the first of them. Gaps are then taken out of the
//! part before each cut. Cost: one sort of the times.

//!
//! Parts may be periods instead: then everything that is in no period trains, before and after them, and `stretches` keeps it away from
//! both ends of each.

use definitions::{Cut, Duration, EventTime, Gap, GapSum, Period};

use super::stretches::{Stretch, Stretches, borders};
use super::{Certificate, Divided, Part, TimeBorder};
use crate::StoreError;

/// How far apart parts are to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Distance {
    pub gap: Gap,
    pub embargo: Duration,
    pub allow_overlap: bool,
}

impl Distance {
    /// The gap to keep, without the embargo.
    pub(super) fn gap(self, needed: &GapSum) -> Result<Duration, StoreError> {
        match self.gap {
            Gap::Auto => Ok(needed.total()),
            Gap::Of(gap) if gap >= needed.total() || self.allow_overlap => Ok(gap),
            Gap::Of(gap) => Err(StoreError::GapTooShort {
                gap,
                needed: needed.total(),
                sum: needed.to_string(),
            }),
        }
    }

    /// Checks that no border overlaps where none may.
    pub(super) fn check(self, borders: &[TimeBorder]) -> Result<(), StoreError> {
        match borders
            .iter()
            .find(|border| !self.allow_overlap && border.between_micros <= 0)
        {
            Some(border) => Err(StoreError::PartsOverlap {
                before: border.before.name(),
                after: border.after.name(),
            }),
            None => Ok(()),
        }
    }
}

/// What the view says.
pub(super) struct Cuts<'a> {
    pub validation: Option<&'a Cut>,
    pub test: Option<&'a Cut>,
    pub distance: Distance,
}

/// The time split of rows with these event times.
pub(super) fn divide(cuts: &Cuts<'_>, needed: &GapSum, times: &[i64]) -> Result<Divided, StoreError> {
    let gap = cuts.distance.gap(needed)?;
    let declared = declared(cuts, times)?;
    let stretches = Stretches::apart(&declared, gap.plus(cuts.distance.embargo).micros());
    let borders = borders(&stretches.held(times), needed, times);
    cuts.distance.check(&borders)?;
    let certificate = Certificate::Time {
        gap,
        embargo: cuts.distance.embargo,
        needed: needed.total(),
        allow_overlap: cuts.distance.allow_overlap,
        borders,
    };
    let parts = times.iter().map(|time| stretches.part_of(*time)).collect();
    Ok(Divided { parts, certificate })
}

/// Every moment's part, before gaps are taken out.
fn declared(cuts: &Cuts<'_>, times: &[i64]) -> Result<Vec<Stretch>, StoreError> {
    let periods = |cut: Option<&Cut>, part| match cut {
        Some(Cut::Within(periods)) => periods.iter().map(|period| of_period(part, period)).collect(),
        _ => Vec::new(),
    };
    let mut held_out = periods(cuts.validation, Part::Validation);
    held_out.extend(periods(cuts.test, Part::Test));
    if held_out.is_empty() {
        let ends = starts(cuts, times)?;
        let ends = ends.into_iter().chain([(Part::Test, i64::MAX)]);
        let (mut part, mut from, mut declared) = (Part::Train, i64::MIN, Vec::new());
        for (next, to) in ends {
            declared.push(Stretch { part, from, to });
            (part, from) = (next, to);
        }
        declared.retain(|stretch| stretch.from < stretch.to);
        return Ok(declared);
    }
    held_out.sort_by_key(|stretch| stretch.from);
    let (mut from, mut declared) = (i64::MIN, Vec::new());
    for stretch in held_out {
        declared.push(Stretch {
            part: Part::Train,
            from,
            to: stretch.from,
        });
        declared.push(stretch);
        from = stretch.to;
    }
    declared.push(Stretch {
        part: Part::Train,
        from,
        to: i64::MAX,
    });
    declared.retain(|stretch| stretch.from < stretch.to);
    Ok(declared)
}

fn of_period(part: Part, period: &Period) -> Stretch {
    Stretch {
        part,
        from: period.from.0,
        to: period.to.0,
    }
}

/// Where validation and test begin, in time order.
fn starts(cuts: &Cuts<'_>, times: &[i64]) -> Result<Vec<(Part, i64)>, StoreError> {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let mut end = sorted.len();
    let mut starts = Vec::new();
    for (part, cut) in [(Part::Test, cuts.test), (Part::Validation, cuts.validation)] {
        let start = match cut {
            Some(Cut::At(time)) => time.0,
            Some(Cut::Fraction(share)) => share_start(*share, &sorted, end)?,
            Some(Cut::Within(_)) | None => continue,
        };
        end = sorted.partition_point(|time| *time < start);
        starts.insert(0, (part, start));
    }
    match starts.as_slice() {
        [(_, validation), (_, test)]
            if validation > test || (validation == test && matches!(cuts.validation, Some(Cut::At(_)))) =>
        {
            Err(StoreError::CutsOutOfOrder {
                validation: EventTime(*validation),
                test: EventTime(*test),
            })
        }
        _ => Ok(starts),
    }
}

/// The event time at which the last `share` of all rows before `end` begins; past the last row where that is none.
pub(super) fn share_start(share: f64, sorted: &[i64], end: usize) -> Result<i64, StoreError> {
    if !(share > 0.0 && share < 1.0) {
        return Err(StoreError::SharesTooLarge {
            validation: share,
            test: share,
        });
    }
    let rows = (share * sorted.len() as f64).round() as usize;
    let past = || sorted.last().map_or(i64::MAX, |last| last.saturating_add(1));
    if rows == 0 {
        return Ok(sorted.get(end).copied().unwrap_or_else(past));
    }
    Ok(sorted.get(end.saturating_sub(rows)).copied().unwrap_or_else(past))
}
