//! What is to be forecast: the largest value in the time after each row.
//!
//! The label of a row at t is the largest value at times in `(t, t + window]`:
//!
//! ```text
//!     t          t + 1h
//!     |----------]            rows exactly at t + 1h count, the row at t does not
//! ```
//!
//! NULL where no row is in the window, and where the window reaches beyond the last tick: it is not over, so its largest value
//! is not known yet. One pass with a queue of falling values: O(n) time, O(rows in the window) memory.

use std::collections::VecDeque;

/// The label of each row, for rows in time order. `known_until`: the last time of which anything is known.
pub(crate) fn largest_ahead(rows: &[(i64, f64)], window: i64, known_until: i64) -> Vec<Option<f64>> {
    let mut labels = vec![None; rows.len()];
    let mut ahead: VecDeque<(i64, f64)> = VecDeque::new();
    for (label, (time, value)) in labels.iter_mut().zip(rows).rev() {
        while ahead.back().is_some_and(|(late, _)| *late > time + window) {
            ahead.pop_back();
        }
        if time + window <= known_until {
            *label = ahead.back().map(|(_, largest)| *largest);
        }
        while ahead.front().is_some_and(|(_, later)| later <= value) {
            ahead.pop_front();
        }
        ahead.push_front((*time, *value));
    }
    labels
}
