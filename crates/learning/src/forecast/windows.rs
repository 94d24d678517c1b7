//! What is asked: **a window is an entity and its now; it belongs to the part that holds all its steps ahead.**
//!
//! ```text
//!     part of the rows    1 1 1 1 1 4 4 2 2 2 2 2          horizon 2
//!     windows of part 1   now at 0, 1, 2    (ahead: rows 1-2, 2-3, 3-4)
//!     windows of part 2   now at 6, 7, 8, 9
//! ```
//!
//! A step without a row belongs to no part and forbids none; at least one step ahead has a target. Steps looked back may lie in any
//! part: what is known at now is not hidden. Now is a step of the series. Cost: one pass over the rows.

use super::panel::Panel;

/// A part, as a number from 1; 0: there was no row.
pub type PartNumber = u16;

/// How far windows look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Steps looked back, now included.
    pub context: usize,
    /// Steps looked ahead.
    pub horizon: usize,
}

/// A window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// The entity.
    pub entity: u32,
    /// The newest step that is known.
    pub now: i64,
}

impl Panel {
    /// Every window of a part, by entity and time; of those of an entity every `stride`-th, counted back from the newest.
    #[must_use]
    pub fn windows(&self, part: PartNumber, horizon: usize, stride: usize) -> Vec<Window> {
        let mut found = Vec::new();
        for entity in 0..self.names.len() {
            let (rows, first) = self.series(entity);
            let parts = self.parts.get(rows.clone()).unwrap_or_default();
            let from = found.len();
            // Rows of other parts, and rows with a target, among those ahead.
            let (mut others, mut known) = (0_usize, 0_usize);
            for (at, own) in parts.iter().enumerate() {
                others += usize::from(is_other(*own, part));
                known += usize::from(self.has_target(rows.start + at));
                if at < horizon {
                    continue;
                }
                // The row that is now no longer is ahead.
                let now = at - horizon;
                others -= usize::from(parts.get(now).is_some_and(|own| is_other(*own, part)));
                known -= usize::from(self.has_target(rows.start + now));
                if others == 0 && known > 0 {
                    found.push(Window {
                        entity: entity as u32,
                        now: first + now as i64,
                    });
                }
            }
            thin(&mut found, from, stride.max(1));
        }
        found
    }

    fn has_target(&self, row: usize) -> bool {
        let targets = self.variables.observed.iter().take(self.targets);
        self.parts.get(row).is_some_and(|part| *part > 0) && targets.into_iter().any(|target| target.is_known(row))
    }
}

fn is_other(own: PartNumber, part: PartNumber) -> bool {
    own != 0 && own != part
}

/// Of the windows from a place on, keeps every `stride`-th, counted back from the last.
fn thin(windows: &mut Vec<Window>, from: usize, stride: usize) {
    let count = windows.len() - from;
    let mut at = 0;
    windows.retain(|_| {
        let place = at;
        at += 1;
        place < from || (count - 1 - (place - from)).is_multiple_of(stride)
    });
}
