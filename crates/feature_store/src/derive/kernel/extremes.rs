//! Least and greatest, first and last value of frames, as the rows that have them.
//!
//! Least and greatest: of the rows up to a frame's end only those matter that no later one beats or equals. They stand in a queue, best first; a row
//! that comes in takes their places from those at the back that it beats. A frame's best is the first in the queue that lies within it: a hand
//! that only moves forward, except where places were taken. So all frames that end together share the queue, each with a hand of its own:
//!
//! ```text
//! values 5 3 4 4 1    queue for the least after each:   5   3   3 4   3 4   1
//!                                                       (of equal ones the last stays)
//! ```
//!
//! First and last: the value after the frame's beginning, or before its end, by looking up where the next value lies from each row.

use super::column::is_value;
use super::output::{NO_ROW, Output};
use super::piece::{Emit, Piece};
use super::rows::at;

/// Which row of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pick {
    Min,
    Max,
    First,
    Last,
    /// The asked row itself if it has a value, else the last.
    Filled,
}

impl Pick {
    pub(super) fn is_extreme(self) -> bool {
        matches!(self, Self::Min | Self::Max)
    }
}

/// A frame's hand in the queue.
#[derive(Debug)]
pub(super) struct Hand<'a> {
    /// Where the frames of the asked rows begin and end.
    bounds: &'a [(u32, u32)],
    /// The place in the queue before which nothing is in the frame.
    front: usize,
    output: usize,
}

impl<'a> Hand<'a> {
    pub(super) fn new(bounds: &'a [(u32, u32)], output: usize) -> Self {
        Self {
            bounds,
            front: 0,
            output,
        }
    }
}

/// The greatest (or least) of each frame, for frames that end together.
pub(super) fn extremes<T: Copy + Default + PartialOrd>(
    piece: &Piece<'_>,
    values: &[T],
    pick: Pick,
    hands: &mut [Hand<'_>],
    emit: impl FnMut(usize, Option<(T, u32)>),
) {
    match pick {
        Pick::Min => best(piece, values, |old, new| old < new, hands, emit),
        _ => best(piece, values, |old, new| old > new, hands, emit),
    }
}

fn best<T: Copy + Default>(
    piece: &Piece<'_>,
    values: &[T],
    beats: impl Fn(T, T) -> bool,
    hands: &mut [Hand<'_>],
    mut emit: impl FnMut(usize, Option<(T, u32)>),
) {
    let mut queue: Vec<(T, u32)> = Vec::new();
    let begins = hands
        .iter()
        .filter_map(|hand| hand.bounds.first())
        .map(|(start, _)| *start);
    let mut next = begins.min().unwrap_or(0);
    let asked = hands.first().map_or(0, |hand| hand.bounds.len());
    for place in 0..asked {
        let end = hands.first().map_or(0, |hand| at(hand.bounds, place).1);
        // Up to where places are those that they were.
        let mut kept = queue.len();
        while next < end {
            if is_value(piece.counts, next as usize) {
                let value = at(values, next as usize);
                while queue.last().is_some_and(|(last, _)| !beats(*last, value)) {
                    queue.pop();
                }
                kept = kept.min(queue.len());
                queue.push((value, next));
            }
            next += 1;
        }
        for hand in hands.iter_mut() {
            let (start, _) = at(hand.bounds, place);
            hand.front = hand.front.min(kept);
            while queue.get(hand.front).is_some_and(|(_, row)| *row < start) {
                hand.front += 1;
            }
            let best = queue.get(hand.front);
            emit(hand.output, best.map(|(value, row)| (*value, piece.first as u32 + row)));
        }
    }
}

/// The first or last value of each frame.
pub(super) fn ends(piece: &Piece<'_>, pick: Emit<Pick>, beside: &mut Vec<u32>, outputs: &mut [Output]) {
    let Some(output) = outputs.get_mut(pick.output) else {
        return;
    };
    match pick.what {
        Pick::First => next_values(piece.counts, beside),
        _ => previous_values(piece.counts, beside),
    }
    for ((start, end), asked) in piece.bounds.iter().zip(piece.asked.clone()) {
        let row = match pick.what {
            Pick::Filled if is_value(piece.counts, asked) => asked as u32,
            Pick::First => at(beside, *start as usize),
            // Counted from one, so that there is none before the first.
            _ => at(beside, *end as usize).wrapping_sub(1),
        };
        let inside = (*start..*end).contains(&row) || (pick.what == Pick::Filled && row == asked as u32);
        output.row(if inside { piece.first as u32 + row } else { NO_ROW });
    }
}

/// For each row, and the end: the place of the first value from there on.
fn next_values(counts: &[u32], places: &mut Vec<u32>) {
    places.clear();
    places.resize(counts.len(), NO_ROW);
    let mut next = NO_ROW;
    for (place, slot) in places.iter_mut().enumerate().rev() {
        if is_value(counts, place) {
            next = place as u32;
        }
        *slot = next;
    }
}

/// For each row, and the end: the place of the last value before it, counted from one; 0 where there is none.
fn previous_values(counts: &[u32], places: &mut Vec<u32>) {
    places.clear();
    let mut previous = 0;
    places.extend((0..counts.len()).map(|place| {
        let before = previous;
        if is_value(counts, place) {
            previous = place as u32 + 1;
        }
        before
    }));
}
