//! What a window's context tells of one target.

use super::Base;
use crate::forecast::panel::Panel;
use crate::forecast::windows::Window;

/// The target within a window's context.
pub(super) struct Past {
    /// What differences are counted from.
    pub base: Base,
    /// How many steps the newest known value is old.
    age: usize,
    /// Differences, oldest first, now last; NaN: missing.
    differences: Vec<f64>,
}

/// The mean, the least, the most and the deviation of what is known.
struct Summary([f64; 4]);

impl Summary {
    fn of(values: &[f64]) -> Self {
        let (mut count, mut sum) = (0_u64, 0.0);
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        let known = || values.iter().copied().filter(|value| value.is_finite());
        for value in known() {
            count += 1;
            sum += value;
            least = least.min(value);
            most = most.max(value);
        }
        if count == 0 {
            return Self([f64::NAN; 4]);
        }
        let mean = sum / count as f64;
        let squares: f64 = known().map(|value| (value - mean) * (value - mean)).sum();
        Self([mean, least, most, (squares / count as f64).sqrt()])
    }
}

/// The values of a target in a window's context, oldest first.
fn values(panel: &Panel, window: Window, context: usize, target: usize) -> impl Iterator<Item = f64> {
    let first = window.now + 1 - context as i64;
    (first..=window.now).map(move |step| f64::from(panel.target(window.entity as usize, step, target)))
}

/// Whether a target has a value in the context.
pub(super) fn has_value(panel: &Panel, window: Window, context: usize, target: usize) -> bool {
    values(panel, window, context, target).any(f64::is_finite)
}

impl Past {
    pub(super) fn of(panel: &Panel, window: Window, context: usize, target: usize) -> Self {
        let mut values: Vec<f64> = values(panel, window, context, target).collect();
        let Summary([mean, _, _, deviation]) = Summary::of(&values);
        let newest = values.iter().rev().position(|value| value.is_finite());
        let age = newest.unwrap_or(context);
        let last = newest.and_then(|age| values.iter().rev().nth(age));
        let last = last.copied().unwrap_or(f64::NAN);
        // A series that stands still has no deviation: it counts in its own unit.
        let is_still = !(deviation > mean.abs() * 1e-6 && deviation > f64::MIN_POSITIVE);
        let base = Base {
            last,
            scale: if is_still { 1.0 } else { deviation },
        };
        for value in &mut values {
            *value = (*value - base.last) / base.scale;
        }
        Self {
            base,
            age,
            differences: values,
        }
    }

    /// The difference so many steps before now; NaN where it is missing, or before the context.
    fn back(&self, steps: usize) -> f64 {
        self.differences.iter().rev().nth(steps).copied().unwrap_or(f64::NAN)
    }

    /// What does not depend on the step ahead: `last`, `age`, `scale`, the lags, and of each span the mean, least, most and deviation.
    pub(super) fn told(&self, lags: &[usize], spans: &[usize]) -> Vec<f32> {
        let mut told = vec![self.base.last, self.age as f64, self.base.scale];
        told.extend(lags.iter().map(|lag| self.back(*lag)));
        for span in spans {
            let from = self.differences.len().saturating_sub(*span);
            told.extend(Summary::of(self.differences.get(from..).unwrap_or_default()).0);
        }
        told.into_iter().map(finite).collect()
    }

    /// The differences at these distances before now: the first of them, and the mean of those that are known.
    pub(super) fn before(&self, distances: impl Iterator<Item = usize> + Clone) -> [f32; 2] {
        let first = distances.clone().next().map_or(f64::NAN, |steps| self.back(steps));
        let known = distances
            .map(|steps| self.back(steps))
            .filter(|value| value.is_finite());
        let (count, sum) = known.fold((0_u64, 0.0), |(count, sum), value| (count + 1, sum + value));
        [
            finite(first),
            finite(if count == 0 { f64::NAN } else { sum / count as f64 }),
        ]
    }
}

/// How many steps before now the step ahead lies, less one season, less two, and so on: from now back, within the context.
pub(super) fn seasons_before(ahead: usize, season: usize, context: usize) -> impl Iterator<Item = usize> + Clone {
    let season = season.max(1);
    let first = ahead.div_ceil(season) * season - ahead;
    (first..context).step_by(season)
}

fn finite(value: f64) -> f32 {
    let value = value as f32;
    if value.is_finite() { value } else { f32::NAN }
}
