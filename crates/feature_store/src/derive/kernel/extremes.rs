//! Least and greatest, first and last value of frames, as the rows that have them.
//!
//! Least and greatest: of the rows of a frame only those matter that no later one beats. They stand in a queue, best first; a row that comes
//! in removes from the back those that it beats or equals, and the front leaves when the frame moves past it. Each row enters and leaves once:
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

/// The greatest (or least) of each frame.
pub(super) fn extremes<T: Copy + Default + PartialOrd>(
    piece: &Piece<'_>,
    values: &[T],
    pick: Emit<Pick>,
    queue: &mut Vec<(T, u32)>,
    outputs: &mut [Output],
) {
    let Some(output) = outputs.get_mut(pick.output) else {
        return;
    };
    match pick.what {
        Pick::Min => best(piece, values, |old, new| old < new, queue, output),
        _ => best(piece, values, |old, new| old > new, queue, output),
    }
}

fn best<T: Copy + Default>(
    piece: &Piece<'_>,
    values: &[T],
    beats: impl Fn(T, T) -> bool,
    queue: &mut Vec<(T, u32)>,
    output: &mut Output,
) {
    queue.clear();
    let mut front = 0;
    let mut next = piece.bounds.first().map_or(0, |(start, _)| *start);
    for (start, end) in piece.bounds {
        while next < *end {
            if is_value(piece.counts, next as usize) {
                let value = at(values, next as usize);
                while queue.len() > front && queue.last().is_some_and(|(last, _)| !beats(*last, value)) {
                    queue.pop();
                }
                queue.push((value, next));
            }
            next += 1;
        }
        while queue.get(front).is_some_and(|(_, row)| row < start) {
            front += 1;
        }
        output.row(queue.get(front).map_or(NO_ROW, |(_, row)| piece.first as u32 + row));
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
