//! When a derived row became known: **at the latest of the times at which the rows became known that it is made of.**
//!
//! ```text
//!   rows       known   1  1  1  9  1  1  1         one came late
//!   back = 2   derived 1  1  1  9  9  1  1         the rows it is part of were not known before
//! ```
//!
//! A sliding maximum: rows that are older and were known earlier than a later one can never be the latest again, so they are
//! dropped. Time: one push and at most one pop per row. Memory: the rows within reach.

use std::collections::VecDeque;
use std::ops::Range;

use super::kernel::{Reach, Segment};

/// The latest known time within reach of each asked row, in the order of the segments.
pub(super) fn latest_known(times: &[i64], known: &[i64], segments: &[Segment], reach: Reach) -> Vec<i64> {
    let mut latest = Vec::with_capacity(segments.iter().map(|segment| segment.asked.len()).sum());
    for segment in segments {
        within_segment(times, known, segment, reach, &mut latest);
    }
    latest
}

fn within_segment(times: &[i64], known: &[i64], segment: &Segment, reach: Reach, latest: &mut Vec<i64>) {
    let Range { start, end } = segment.rows.clone();
    let row_at = |row: usize| Some((*times.get(row)?, *known.get(row)?));
    let mut next = start;
    let mut candidates: VecDeque<(i64, i64)> = VecDeque::new();
    for asked in segment.asked.clone() {
        let Some((time, own)) = row_at(asked) else { continue };
        let upto = time.saturating_add(reach.ahead.micros());
        while let Some((row_time, row_known)) = row_at(next).filter(|(row_time, _)| next < end && *row_time <= upto) {
            while candidates.back().is_some_and(|(_, last)| *last <= row_known) {
                candidates.pop_back();
            }
            candidates.push_back((row_time, row_known));
            next += 1;
        }
        if let Some(back) = reach.back {
            let first = time.saturating_sub((back.micros() - 1).max(0));
            while candidates.front().is_some_and(|(row_time, _)| *row_time < first) {
                candidates.pop_front();
            }
        }
        latest.push(candidates.front().map_or(own, |(_, known)| *known));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may")]

    use definitions::Duration;
    use proptest::prelude::*;

    use super::*;

    fn naive(times: &[i64], known: &[i64], segments: &[Segment], back: Option<i64>, ahead: i64) -> Vec<i64> {
        let mut latest = Vec::new();
        for segment in segments {
            for asked in segment.asked.clone() {
                let time = times[asked];
                let is_near = |row: &usize| {
                    times[*row] <= time + ahead
                        && back.is_none_or(|back| times[*row] > time - back || times[*row] == time)
                };
                latest.push(
                    segment
                        .rows
                        .clone()
                        .filter(is_near)
                        .map(|row| known[row])
                        .max()
                        .unwrap(),
                );
            }
        }
        latest
    }

    proptest! {
        #[test]
        fn latest_of_every_reach_is_what_looking_at_all_rows_finds(
            mut times in prop::collection::vec(0_i64..40, 1..60), seed in prop::collection::vec(0_i64..9, 60),
            back in prop::option::of(0_i64..20), ahead in 0_i64..10, cut in 0_usize..60,
        ) {
            let cut = cut.min(times.len());
            times[..cut].sort_unstable();
            times[cut..].sort_unstable();
            let known = &seed[..times.len()];
            let segment = |rows: Range<usize>| Segment { asked: rows.start + rows.len() / 4..rows.end, rows };
            let segments = [segment(0..cut), segment(cut..times.len())];
            let micros = |micros| Duration::from_micros(micros).unwrap();
            let reach = Reach { back: back.map(micros), ahead: micros(ahead) };
            prop_assert_eq!(latest_known(&times, known, &segments, reach), naive(&times, known, &segments, back, ahead));
        }
    }
}
