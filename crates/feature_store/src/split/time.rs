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

use definitions::{Cut, Duration, EventTime, Gap, GapSum};

use super::{Certificate, Divided, Part, TimeBorder};
use crate::StoreError;

/// What the view says.
pub(super) struct Cuts {
    pub validation: Option<Cut>,
    pub test: Option<Cut>,
    pub gap: Gap,
    pub allow_overlap: bool,
}

/// The time split of rows with these event times.
pub(super) fn divide(cuts: &Cuts, needed: &GapSum, times: &[i64]) -> Result<Divided, StoreError> {
    let gap = gap(cuts, needed)?;
    let starts = starts(cuts, times)?;
    let parts: Vec<Option<Part>> = times.iter().map(|time| part_of(*time, &starts, gap)).collect();
    let borders = borders(&starts, needed, gap, times, &parts);
    if let Some(border) = borders
        .iter()
        .find(|border| !cuts.allow_overlap && border.between_micros <= 0)
    {
        return Err(StoreError::PartsOverlap {
            before: border.before.name(),
            after: border.after.name(),
        });
    }
    let certificate = Certificate::Time {
        gap,
        needed: needed.total(),
        allow_overlap: cuts.allow_overlap,
        borders,
    };
    Ok(Divided { parts, certificate })
}

/// The gap to keep.
fn gap(cuts: &Cuts, needed: &GapSum) -> Result<Duration, StoreError> {
    match cuts.gap {
        Gap::Auto => Ok(needed.total()),
        Gap::Of(gap) if gap >= needed.total() || cuts.allow_overlap => Ok(gap),
        Gap::Of(gap) => Err(StoreError::GapTooShort {
            gap,
            needed: needed.total(),
            sum: needed.to_string(),
        }),
    }
}

/// Where validation and test begin, in time order.
fn starts(cuts: &Cuts, times: &[i64]) -> Result<Vec<(Part, i64)>, StoreError> {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let mut end = sorted.len();
    let mut starts = Vec::new();
    for (part, cut) in [(Part::Test, cuts.test), (Part::Validation, cuts.validation)] {
        let Some(cut) = cut else { continue };
        let start = match cut {
            Cut::At(time) => time.0,
            Cut::Fraction(share) => share_start(share, &sorted, end)?,
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
fn share_start(share: f64, sorted: &[i64], end: usize) -> Result<i64, StoreError> {
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

fn part_of(time: i64, starts: &[(Part, i64)], gap: Duration) -> Option<Part> {
    let reached = starts
        .iter()
        .rev()
        .find(|(_, start)| time >= *start)
        .map_or(Part::Train, |(part, _)| *part);
    let in_gap = starts
        .iter()
        .any(|(_, start)| time < *start && time >= start.saturating_sub(gap.micros()));
    (!in_gap).then_some(reached)
}

/// What lies on both sides of each cut; a cut without rows on a side has no border (and the part is reported as empty).
fn borders(
    starts: &[(Part, i64)],
    needed: &GapSum,
    gap: Duration,
    times: &[i64],
    parts: &[Option<Part>],
) -> Vec<TimeBorder> {
    let of = |wanted: Part| {
        times
            .iter()
            .zip(parts)
            .filter(move |(_, part)| **part == Some(wanted))
            .map(|(time, _)| *time)
    };
    let mut before = Part::Train;
    let mut borders = Vec::new();
    for (after, start) in starts {
        let ends = (of(before).max(), of(*after).min());
        if let (Some(last), Some(first)) = ends {
            let label_end = last.saturating_add(needed.horizon.micros());
            let feature_time = first.saturating_sub(needed.lookback.micros());
            let in_gap = |time: i64| time < *start && time >= start.saturating_sub(gap.micros());
            borders.push(TimeBorder {
                before,
                after: *after,
                cut: EventTime(*start),
                last_event_time: EventTime(last),
                last_label_end: EventTime(label_end),
                first_event_time: EventTime(first),
                first_feature_time: EventTime(feature_time),
                between_micros: feature_time.saturating_sub(label_end),
                gap_rows: times.iter().filter(|time| in_gap(**time)).count() as u64,
            });
        }
        before = *after;
    }
    borders
}
