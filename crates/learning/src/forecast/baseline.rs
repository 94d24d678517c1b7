//! Forecasts that need no learning, of the same windows.
//!
//! | baseline | its forecast of a target at step s > now |
//! |---|---|
//! | last value | the newest value that is known, up to now |
//! | seasonal naive | the value k whole seasons before s, k the fewest for which it is known, up to now |
//! | mean | the mean of the training rows |
//!
//! And what errors are scaled by: the mean absolute error of the seasonal naive forecast within the training rows of the entity
//! (Hyndman, Koehler, *Another look at measures of forecast accuracy*, 2006).

use definitions::{Baseline, Duration};

use super::grid::Grid;
use super::panel::Panel;
use super::windows::{PartNumber, Shape, Window};
use crate::LearningError;

/// One number for each target and step of each window.
#[derive(Debug, Clone, PartialEq)]
pub struct PointForecast {
    /// [windows, horizon, targets]; NaN: it says nothing.
    pub values: Vec<f32>,
}

/// The steps of a season.
///
/// # Errors
/// `Input` for a season that is not a whole number of steps.
pub fn season_steps(season: Duration, grid: Grid) -> Result<i64, LearningError> {
    let steps = season.micros() / grid.frequency.max(1);
    if steps < 1 || steps * grid.frequency != season.micros() {
        let step = Duration::from_micros(grid.frequency).unwrap_or_default();
        return Err(LearningError::Season { season, step });
    }
    Ok(steps)
}

/// What a baseline says of windows. `means` are those of [`training_means`].
///
/// # Errors
/// As [`season_steps`].
pub fn point_forecasts(
    baseline: Baseline,
    panel: &Panel,
    windows: &[Window],
    shape: Shape,
    means: &[f32],
) -> Result<PointForecast, LearningError> {
    let season = match baseline {
        Baseline::SeasonalNaive(season) => season_steps(season, panel.grid)?,
        Baseline::LastValue | Baseline::Mean | Baseline::Dlinear | Baseline::Lightgbm => 1,
    };
    let mut values = Vec::with_capacity(windows.len() * shape.horizon * panel.targets);
    for window in windows {
        for ahead in 1..=shape.horizon as i64 {
            for target in 0..panel.targets {
                values.push(match baseline {
                    Baseline::Mean => means.get(target).copied().unwrap_or(f32::NAN),
                    // They have to learn.
                    Baseline::Dlinear | Baseline::Lightgbm => f32::NAN,
                    Baseline::LastValue => known_before(panel, *window, window.now, 1, target),
                    Baseline::SeasonalNaive(_) => {
                        let seasons = (ahead + season - 1) / season;
                        known_before(panel, *window, window.now + ahead - seasons * season, season, target)
                    }
                });
            }
        }
    }
    Ok(PointForecast { values })
}

/// The newest value that is known at `step`, `step - every`, and so on.
fn known_before(panel: &Panel, window: Window, mut step: i64, every: i64, target: usize) -> f32 {
    let entity = window.entity as usize;
    let (_, first) = panel.series(entity);
    while step >= first {
        let value = panel.target(entity, step, target);
        if value.is_finite() {
            return value;
        }
        step -= every;
    }
    f32::NAN
}

/// The mean of each target over the rows of a part.
#[must_use]
pub fn training_means(panel: &Panel, part: PartNumber) -> Vec<f32> {
    let mean = |variable: &super::Variable| {
        let rows = (0..panel.parts.len()).filter(|row| panel.parts.get(*row) == Some(&part));
        let (mut sum, mut count) = (0.0_f64, 0_u64);
        for value in rows.map(|row| variable.number(row)).filter(|value| value.is_finite()) {
            sum += f64::from(value);
            count += 1;
        }
        if count == 0 {
            f32::NAN
        } else {
            (sum / count as f64) as f32
        }
    };
    panel.variables.observed.iter().take(panel.targets).map(mean).collect()
}

/// What errors of each entity and target are divided by: the mean of |y(s) - y(s - season)| over the part's rows of which both are
/// known. [entities, targets]; NaN where there is none, or it is zero.
#[must_use]
pub fn training_scales(panel: &Panel, part: PartNumber, season: i64) -> Vec<f64> {
    let mut scales = Vec::with_capacity(panel.names.len() * panel.targets);
    for entity in 0..panel.names.len() {
        let (rows, _) = panel.series(entity);
        for target in panel.variables.observed.iter().take(panel.targets) {
            let value = |row: usize| {
                let own = panel.parts.get(row) == Some(&part);
                if own { f64::from(target.number(row)) } else { f64::NAN }
            };
            let (mut sum, mut count) = (0.0, 0_u64);
            for row in rows.clone().skip(usize::try_from(season).unwrap_or(usize::MAX)) {
                let error = (value(row) - value(row - season as usize)).abs();
                if error.is_finite() {
                    sum += error;
                    count += 1;
                }
            }
            let scale = sum / count as f64;
            scales.push(if scale > 0.0 { scale } else { f64::NAN });
        }
    }
    scales
}
