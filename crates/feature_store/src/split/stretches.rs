//! Parts as stretches of time: **any two rows of different parts are more than the distance apart.**
//!
//! ```text
//!   declared   ─ train ──────────│ test ──│ train ─────────│ validation ─│ test ──►  event time
//!   kept       ─ train ────┤  ×  │ test ──│ × ├── train ─┤×│ validation ┤×│ test ──►
//! ```
//!
//! What must not be near a later-judged part gives way: train gives way to validation and test, validation to test. From a stretch of a
//! part that gives way, everything from a distance before to a distance after each stretch of the other is taken out. So a row at `t`
//! is out before a cut when `cut - distance <= t < cut`, and after the end of a stretch when `end <= t < end + distance`.
//!
//! Cost: the square of the number of stretches, then one binary search a row.

use definitions::{EventTime, GapSum};

use super::{Part, TimeBorder};

/// A stretch of time that belongs to a part: from its first moment to just before its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub part: Part,
    pub from: i64,
    pub to: i64,
}

/// What is left of stretches, in time order, disjoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stretches {
    kept: Vec<Kept>,
}

/// A stretch that is left, and where the part that it is of began before anything was taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kept {
    stretch: Stretch,
    declared_from: i64,
}

/// What a kept stretch holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub stretch: Stretch,
    declared_from: i64,
    pub first: i64,
    pub last: i64,
    pub rows: u64,
}

impl Stretches {
    /// Takes the distance out of disjoint stretches.
    pub(super) fn apart(declared: &[Stretch], distance: i64) -> Self {
        let mut kept = Vec::new();
        for own in declared {
            let mut left = vec![*own];
            for other in declared.iter().filter(|other| other.part > own.part) {
                let (from, to) = (other.from.saturating_sub(distance), other.to.saturating_add(distance));
                left = left
                    .into_iter()
                    .flat_map(|stretch| without(stretch, from, to))
                    .collect();
            }
            kept.extend(left.into_iter().map(|stretch| Kept {
                stretch,
                declared_from: own.from,
            }));
        }
        kept.sort_by_key(|kept| kept.stretch.from);
        Self { kept }
    }

    /// The part of a row; `None`: of none.
    pub(super) fn part_of(&self, time: i64) -> Option<Part> {
        self.at(time)
            .and_then(|at| self.kept.get(at))
            .map(|kept| kept.stretch.part)
    }

    fn at(&self, time: i64) -> Option<usize> {
        let at = self
            .kept
            .partition_point(|kept| kept.stretch.from <= time)
            .checked_sub(1)?;
        let to = self.kept.get(at)?.stretch.to;
        (time < to || to == i64::MAX).then_some(at)
    }

    /// What the stretches hold of rows with these times; those without a row are left out.
    pub(super) fn held(&self, times: &[i64]) -> Vec<Held> {
        let empty = |kept: &Kept| Held {
            stretch: kept.stretch,
            declared_from: kept.declared_from,
            first: i64::MAX,
            last: i64::MIN,
            rows: 0,
        };
        let mut held: Vec<Held> = self.kept.iter().map(empty).collect();
        for time in times {
            if let Some(held) = self.at(*time).and_then(|at| held.get_mut(at)) {
                held.first = held.first.min(*time);
                held.last = held.last.max(*time);
                held.rows += 1;
            }
        }
        held.retain(|held| held.rows > 0);
        held
    }
}

/// A stretch without `[from, to)`.
fn without(stretch: Stretch, from: i64, to: i64) -> impl Iterator<Item = Stretch> {
    let before = Stretch {
        to: stretch.to.min(from),
        ..stretch
    };
    let after = Stretch {
        from: stretch.from.max(to),
        ..stretch
    };
    [before, after].into_iter().filter(|left| left.from < left.to)
}

/// Where one part ends and another begins, among stretches that hold rows.
pub(super) fn borders(held: &[Held], needed: &GapSum, times: &[i64]) -> Vec<TimeBorder> {
    let pairs = held.windows(2).filter_map(|pair| match pair {
        [before, after] if before.stretch.part != after.stretch.part => Some((before, after)),
        _ => None,
    });
    pairs
        .map(|(before, after)| border(before, after, needed, times))
        .collect()
}

fn border(before: &Held, after: &Held, needed: &GapSum, times: &[i64]) -> TimeBorder {
    let label_end = before.last.saturating_add(needed.horizon.micros());
    let feature_time = after.first.saturating_sub(needed.lookback.micros());
    let in_gap = |time: &&i64| (before.stretch.to..after.stretch.from).contains(*time);
    TimeBorder {
        before: before.stretch.part,
        after: after.stretch.part,
        cut: EventTime(after.declared_from),
        last_event_time: EventTime(before.last),
        last_label_end: EventTime(label_end),
        first_event_time: EventTime(after.first),
        first_feature_time: EventTime(feature_time),
        between_micros: feature_time.saturating_sub(label_end),
        gap_rows: times.iter().filter(in_gap).count() as u64,
    }
}
