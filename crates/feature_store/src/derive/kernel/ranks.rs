//! Quantiles and numbers of different values of frames.
//!
//! The values of a piece are sorted once; a frame is the set of the ranks of its rows, kept in a Fenwick tree: a row enters or leaves, and the
//! k-th smallest is found, in as many steps as the number of rows has bits, however wide the frame. Different values are counted by a tally
//! per value.

use super::column::NO_CODE;
use super::output::Output;
use super::piece::{Emit, Piece};
use super::rows::at;

/// What is kept between pieces for its memory.
#[derive(Debug, Default)]
pub(super) struct Ranks {
    /// The rows that have a value, by value; equal ones by place.
    order: Vec<u32>,
    /// The place of each row in `order`.
    ranks: Vec<u32>,
    /// The Fenwick tree: how many of the frame's ranks each node stands for.
    tree: Vec<u32>,
}

impl Ranks {
    /// Sorts the values of a piece.
    pub(super) fn sort(&mut self, piece: &Piece<'_>) {
        let value = |row: u32| at(piece.numbers, row as usize);
        self.order.clear();
        let rows = (0..piece.numbers.len() as u32).filter(|row| !value(*row).is_nan());
        self.order.extend(rows);
        self.order
            .sort_unstable_by(|one, other| value(*one).total_cmp(&value(*other)).then(one.cmp(other)));
        self.ranks.clear();
        self.ranks.resize(piece.numbers.len(), 0);
        for (rank, row) in self.order.iter().enumerate() {
            if let Some(slot) = self.ranks.get_mut(*row as usize) {
                *slot = rank as u32;
            }
        }
    }

    /// One quantile per row and `q`.
    pub(super) fn emit(&mut self, piece: &Piece<'_>, quantiles: &[Emit<f64>], outputs: &mut [Output]) {
        self.tree.clear();
        self.tree.resize(self.order.len() + 1, 0);
        let mut frame = piece.bounds.first().map_or((0, 0), |(start, _)| (*start, *start));
        for (start, end) in piece.bounds {
            (frame.1..*end).for_each(|row| self.tally(piece, row, 1));
            (frame.0..*start).for_each(|row| self.tally(piece, row, u32::MAX));
            frame = (*start, *end);
            let count = at(piece.counts, *end as usize) - at(piece.counts, *start as usize);
            for quantile in quantiles {
                if let Some(output) = outputs.get_mut(quantile.output) {
                    output.number(self.quantile(piece, count, quantile.what));
                }
            }
        }
    }

    /// A row enters (1) or leaves (-1, wrapped).
    fn tally(&mut self, piece: &Piece<'_>, row: u32, change: u32) {
        if at(piece.numbers, row as usize).is_nan() {
            return;
        }
        let mut node = at(&self.ranks, row as usize) as usize + 1;
        while let Some(tally) = self.tree.get_mut(node) {
            *tally = tally.wrapping_add(change);
            node += node & node.wrapping_neg();
        }
    }

    /// The value of the frame's k-th smallest, counted from zero.
    fn smallest(&self, piece: &Piece<'_>, k: u32) -> f64 {
        let mut step = self.tree.len().checked_ilog2().map_or(0, |bits| 1 << bits);
        let (mut rank, mut left) = (0, k);
        while step > 0 {
            if let Some(tally) = self.tree.get(rank + step).filter(|tally| **tally <= left) {
                rank += step;
                left -= tally;
            }
            step /= 2;
        }
        at(piece.numbers, at(&self.order, rank) as usize)
    }

    fn quantile(&self, piece: &Piece<'_>, count: u32, q: f64) -> f64 {
        let Some(last) = count.checked_sub(1) else {
            return f64::NAN;
        };
        let place = f64::from(last) * q;
        let below = self.smallest(piece, place as u32);
        let share = place.fract();
        if share == 0.0 {
            return below;
        }
        between(below, self.smallest(piece, place as u32 + 1), share)
    }
}

/// The number that far between two.
pub(super) fn between(below: f64, above: f64, share: f64) -> f64 {
    match above - below {
        0.0 => below,
        apart if apart.is_finite() => below + apart * share,
        _ if below == above => below,
        _ => below * (1.0 - share) + above * share,
    }
}

/// How many different codes each frame has.
pub(super) fn different(piece: &Piece<'_>, codes: &[u32], known: usize, output: usize, outputs: &mut [Output]) {
    let Some(output) = outputs.get_mut(output) else { return };
    let mut tallies = vec![0_u32; known];
    let mut count = 0;
    let mut frame = piece.bounds.first().map_or((0, 0), |(start, _)| (*start, *start));
    for (start, end) in piece.bounds {
        for row in frame.1..*end {
            if let Some(tally) = tallies.get_mut(at(codes, row as usize) as usize) {
                count += i64::from(*tally == 0);
                *tally += 1;
            }
        }
        for row in frame.0..*start {
            if let Some(tally) = tallies.get_mut(at(codes, row as usize) as usize) {
                *tally -= 1;
                count -= i64::from(*tally == 0);
            }
        }
        frame = (*start, *end);
        output.count(count);
    }
    debug_assert!(known < NO_CODE as usize);
}
