//! When a derived row became known: **at the latest of the times at which the rows became known that it is made of.**
//!
//! ```text
//!   rows          known   1  1  1  9  1  1  1         one came late
//!   (t - 2, t]    derived 1  1  1  9  9  1  1         the rows it is part of were not known before
//! ```
//!
//! A sliding maximum: rows that are older and were known earlier than a later one can never be the latest again, so they are
//! dropped. Time: one push and at most one pop per row and frame. Memory: the rows of a frame.

use std::collections::VecDeque;
use std::ops::Range;

use super::kernel::Segment;
use super::touched::Frame;

/// The latest known time in the frames of each asked row, in the order of the segments.
pub(super) fn latest_known(times: &[i64], known: &[i64], segments: &[Segment], frames: &[Frame]) -> Vec<i64> {
    let mut latest = vec![i64::MIN; segments.iter().map(|segment| segment.asked.len()).sum()];
    for frame in frames {
        let mut places = latest.iter_mut();
        for segment in segments {
            within_segment(times, known, segment, *frame, &mut places);
        }
    }
    latest
}

fn within_segment<'a>(
    times: &[i64],
    known: &[i64],
    segment: &Segment,
    frame: Frame,
    places: &mut impl Iterator<Item = &'a mut i64>,
) {
    let Range { start, end } = segment.rows.clone();
    let row_at = |row: usize| Some((*times.get(row)?, *known.get(row)?));
    let mut next = start;
    let mut candidates: VecDeque<(i64, i64)> = VecDeque::new();
    for (asked, latest) in segment.asked.clone().zip(places) {
        let Some((time, _)) = row_at(asked) else { continue };
        let upto = time.saturating_add(frame.upto);
        while let Some((row_time, row_known)) = row_at(next).filter(|(row_time, _)| next < end && *row_time <= upto) {
            while candidates.back().is_some_and(|(_, last)| *last <= row_known) {
                candidates.pop_back();
            }
            candidates.push_back((row_time, row_known));
            next += 1;
        }
        if let Some(after) = frame.after.map(|after| time.saturating_add(after)) {
            while candidates.front().is_some_and(|(row_time, _)| *row_time <= after) {
                candidates.pop_front();
            }
        }
        *latest = candidates.front().map_or(*latest, |(_, known)| (*latest).max(*known));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may")]

    use proptest::prelude::*;

    use super::*;

    fn naive(times: &[i64], known: &[i64], segments: &[Segment], frames: &[Frame]) -> Vec<i64> {
        let mut latest = Vec::new();
        for segment in segments {
            for asked in segment.asked.clone() {
                let is_within = |row: &usize, frame: &Frame| {
                    times[*row] <= times[asked] + frame.upto
                        && frame.after.is_none_or(|after| times[*row] > times[asked] + after)
                };
                let near = segment.rows.clone();
                let near = near.filter(|row| frames.iter().any(|frame| is_within(row, frame)));
                latest.push(near.map(|row| known[row]).max().unwrap());
            }
        }
        latest
    }

    proptest! {
        #[test]
        fn latest_in_all_frames_is_what_looking_at_all_rows_finds(
            mut times in prop::collection::vec(0_i64..40, 1..60), seed in prop::collection::vec(0_i64..9, 60),
            back in prop::option::of(0_i64..20), ahead in 0_i64..10, lag in 0_i64..30, cut in 0_usize..60,
        ) {
            let cut = cut.min(times.len());
            times[..cut].sort_unstable();
            times[cut..].sort_unstable();
            let known = &seed[..times.len()];
            let segment = |rows: Range<usize>| Segment { asked: rows.start + rows.len() / 4..rows.end, rows };
            let segments = [segment(0..cut), segment(cut..times.len())];
            let frames = [
                Frame { after: back.map(|back| -back), upto: ahead },
                Frame { after: Some(-lag - 5), upto: -lag },
                Frame::OWN,
            ];
            prop_assert_eq!(latest_known(&times, known, &segments, &frames), naive(&times, known, &segments, &frames));
        }
    }
}
