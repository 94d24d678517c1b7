//! Walking forward: **each fold is tested on what follows the test of the fold before, and trains on what lies before it.**
//!
//! ```text
//!   fold 1   train ───────┤ gap ├─ validation ─┤ gap ├─ test ─┤
//!   fold 2   train ────────────────────┤ gap ├─ validation ─┤ gap ├─ test ─┤
//!   fold 3   train ──────────────────────────────────┤ gap ├─ validation ─┤ gap ├─ test ─┤   event time
//! ```
//!
//! The last test ends with the last row, and the tests of all folds are next to each other: a row is tested once at most. With
//! `train = "90d"` the train of each fold slides: it begins 90 days before its validation (or test), the gap included; without it train
//! begins with the first row. A length given as a share is as long as it takes to hold that share of all rows, and never parts rows of equal
//! time. Gaps are taken out as in every split by time (`stretches`).
//!
//! A fold's part is a stretch of time, so nothing has to be stored for it: whoever reads a fold reads the rows and keeps those of its
//! stretches. The parts of the dataset itself are those of the last fold.

use definitions::{EventTime, GapSum, Length};

use super::stretches::{Stretch, Stretches, borders};
use super::time::Distance;
use super::{Certificate, Divided, Fold, FoldPart, Part};
use crate::StoreError;

/// What the view says.
pub(super) struct Walk {
    pub folds: u32,
    pub train: Option<Length>,
    pub validation: Option<Length>,
    pub test: Length,
    pub distance: Distance,
}

/// The folds of rows with these event times.
pub(super) fn divide(walk: &Walk, needed: &GapSum, times: &[i64]) -> Result<Divided, StoreError> {
    let gap = walk.distance.gap(needed)?;
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let apart = gap.plus(walk.distance.embargo).micros();
    let (mut folds, mut last) = (Vec::new(), None);
    let mut test_end = sorted.last().map_or(i64::MAX, |last| last.saturating_add(1));
    for number in (1..=walk.folds).rev() {
        let (declared, test_start) = fold_stretches(walk, &sorted, test_end)?;
        let stretches = Stretches::apart(&declared, apart);
        folds.push(fold(number, walk, &stretches, needed, &sorted)?);
        last.get_or_insert(stretches);
        test_end = test_start;
    }
    folds.reverse();
    let certificate = Certificate::WalkForward {
        gap,
        embargo: walk.distance.embargo,
        needed: needed.total(),
        allow_overlap: walk.distance.allow_overlap,
        folds,
    };
    let part_of = |time: &i64| last.as_ref().and_then(|last| last.part_of(*time));
    Ok(Divided {
        parts: times.iter().map(part_of).collect(),
        certificate,
    })
}

/// The stretches of the fold whose test ends at a time, and where that test starts.
fn fold_stretches(walk: &Walk, sorted: &[i64], test_end: i64) -> Result<(Vec<Stretch>, i64), StoreError> {
    let test_start = start_of(walk.test, sorted, test_end)?;
    let validation_start = match walk.validation {
        Some(length) => start_of(length, sorted, test_start)?,
        None => test_start,
    };
    let train_start = match walk.train {
        Some(length) => start_of(length, sorted, validation_start)?,
        None => i64::MIN,
    };
    let stretch = |part, from, to| Stretch { part, from, to };
    let mut declared = vec![
        stretch(Part::Train, train_start, validation_start),
        stretch(Part::Validation, validation_start, test_start),
        stretch(Part::Test, test_start, test_end),
    ];
    declared.retain(|stretch| stretch.from < stretch.to);
    Ok((declared, test_start))
}

/// Where a stretch of this length begins that ends at a time.
fn start_of(length: Length, sorted: &[i64], end: i64) -> Result<i64, StoreError> {
    match length {
        Length::Span(span) => Ok(end.saturating_sub(span.micros())),
        Length::Fraction(share) => {
            let before = sorted.partition_point(|time| *time < end);
            super::time::share_start(share, sorted, before)
        }
    }
}

fn fold(number: u32, walk: &Walk, stretches: &Stretches, needed: &GapSum, sorted: &[i64]) -> Result<Fold, StoreError> {
    let held = stretches.held(sorted);
    let wanted = [
        Some(Part::Train),
        walk.validation.map(|_| Part::Validation),
        Some(Part::Test),
    ];
    let missing = wanted
        .into_iter()
        .flatten()
        .find(|part| held.iter().all(|held| held.stretch.part != *part));
    if let Some(part) = missing.filter(|_| !sorted.is_empty()) {
        return Err(StoreError::EmptyFold {
            fold: number,
            part: part.name(),
            rows: sorted.len() as u64,
        });
    }
    let borders = borders(&held, needed, sorted);
    walk.distance.check(&borders)?;
    let part = |held: &super::stretches::Held| FoldPart {
        part: held.stretch.part,
        from: EventTime(held.first),
        to: EventTime(held.last.saturating_add(1)),
        rows: held.rows,
    };
    Ok(Fold {
        number,
        parts: held.iter().map(part).collect(),
        borders,
    })
}
