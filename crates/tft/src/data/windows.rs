//! Which windows there are: a window is the row of its "now".

use std::ops::Range;

use super::panel::Panel;
use crate::TftError;

/// How far windows look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Steps looked back, now included; a series may have fewer.
    pub context: usize,
    /// Steps looked ahead.
    pub horizon: usize,
}

/// A window: an entity, and the row of its newest known step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// The entity.
    pub entity: u32,
    /// The row of now.
    pub now: u32,
}

/// Every window whose steps ahead all lie within `ahead` (of the panel's steps) and on the panel, by entity and time, every `stride`
/// steps. Steps looked back may lie before: what is known is not hidden. At least one step is looked back at.
///
/// # Errors
/// `NoWindows` when there is none.
pub fn windows(panel: &Panel, shape: Shape, ahead: &Range<i64>, stride: usize) -> Result<Vec<Window>, TftError> {
    let mut found = Vec::new();
    let mut longest = 0;
    for entity in 0..panel.names().len() {
        let (rows, first) = panel.series(entity);
        let steps = rows.len() as i64;
        // Now is followed by its first step ahead.
        let from = (ahead.start - first - 1).max(0);
        let last = (ahead.end - first).min(steps) - shape.horizon as i64 - 1;
        longest = longest.max(((ahead.end - first).min(steps) - from).max(0));
        let nows = (from..=last).step_by(stride.max(1));
        found.extend(nows.map(|now| Window {
            entity: entity as u32,
            now: (rows.start as i64 + now) as u32,
        }));
    }
    if found.is_empty() {
        return Err(TftError::NoWindows {
            wanted: shape.horizon + 1,
            found: longest as usize,
        });
    }
    Ok(found)
}
