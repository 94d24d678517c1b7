//! Lagged features: **what a learner of rows may know of a step ahead, from its window alone.**
//!
//! ```text
//!     context                               now     step ahead
//!     ┤      │           │      │  │ │ │ │ │ │ · · · · a · · ·
//!            │           │      24 12 6 3 2 1 0        known in advance at a
//!            │           └ mean, least, most, deviation of the last 4, 16, 64 … steps, of a season, of all
//!            └ a season before a; the mean of a whole number of seasons before a
//! ```
//!
//! | feature | what it is |
//! |---|---|
//! | `ahead` | how many steps ahead is asked for |
//! | `before_1`, `before_mean` | the target the fewest whole seasons before that step, up to now; its mean over all whole seasons |
//! | `known_X` | what is known in advance at that step |
//! | `last`, `age` | the newest known value of the target; how many steps it is old |
//! | `scale` | the deviation of the target within the context |
//! | `lag_K` | the target K steps before now |
//! | `mean_K`, `min_K`, `max_K`, `deviation_K` | of the target within the last K steps |
//! | `observed_X` | every other column that is known up to now, at now |
//! | `static_X` | what never changes |
//!
//! Values of the target are told, and learned, as differences to the last known one in units of the context's deviation. So one set of trees
//! does for series of any level and spread, also for one that was never seen; on series of different sizes it beats raw differences and
//! differences in units of the series' training rows, by MAE as by MASE. A number that is missing is NaN. Categories are numbered by name among those of
//! the training rows; any other is missing. Nothing of the context's past but the context, and nothing observed after now, is read: the same
//! window gives the same row, whatever else the panel holds.
//!
//! Cost: a few passes over the context a window, a handful of look-ups a step; memory: four bytes a feature and row.

mod window;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use serde::{Deserialize, Serialize};

use super::forecaster::ForecastData;
use super::panel::Panel;
use super::variables::{Values, Variable};
use super::windows::{Shape, Window};
use crate::{Labelled, LearningError, Matrix};
use window::{Past, seasons_before};

/// Lags that are told, those shorter than the context.
const LAGS: [usize; 10] = [1, 2, 3, 6, 12, 24, 48, 96, 168, 336];

/// The shortest span that is summed up; each next one is as many times as long.
const SPAN: usize = 4;

/// The largest difference that is learned: beyond it, a context that nearly stood still says nothing of how far it will go.
const MOST: f64 = 1e6;

/// A step ahead of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepAhead {
    /// The window.
    pub window: Window,
    /// The step, from 1.
    pub ahead: usize,
}

/// What a difference is counted from, and in which unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Base {
    /// The newest known value; NaN: there is none, and nothing is said of the window.
    pub last: f64,
    /// The unit; above 0.
    pub scale: f64,
}

/// Rows of features, and what their differences are counted from.
#[derive(Debug, Clone)]
pub struct LagRows {
    /// A row for each step asked for.
    pub matrix: Matrix,
    /// As many.
    pub bases: Vec<Base>,
}

/// A variable as features tell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    name: String,
    /// The categories of the training rows, by name; `None`: it is a number.
    categories: Option<Vec<String>>,
}

/// Which features a target is forecast from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LagFeatures {
    target: String,
    context: usize,
    season: Option<usize>,
    lags: Vec<usize>,
    spans: Vec<usize>,
    known: Vec<Told>,
    observed: Vec<Told>,
    fixed: Vec<Told>,
}

/// A variable of a panel, with the number of each of its categories.
struct Source<'a> {
    variable: &'a Variable,
    codes: Option<Vec<f32>>,
}

impl Source<'_> {
    fn value(&self, row: Option<usize>) -> f32 {
        let Some(row) = row else { return f32::NAN };
        let value = match (&self.variable.values, &self.codes) {
            (Values::Codes(own), Some(codes)) => own
                .of_rows
                .get(row)
                .and_then(|code| codes.get(*code as usize))
                .copied()
                .unwrap_or(f32::NAN),
            _ => self.variable.number(row),
        };
        if value.is_finite() { value } else { f32::NAN }
    }
}

impl Told {
    /// Its categories are those of the rows that are seen, by name.
    fn of(variable: &Variable, sees: impl Fn(usize) -> bool) -> Self {
        let categories = match &variable.values {
            Values::Numbers(_) => None,
            Values::Codes(codes) => {
                let rows = codes.of_rows.iter().enumerate().filter(|(row, _)| sees(*row));
                let seen: BTreeSet<&String> = rows
                    .filter_map(|(_, code)| codes.names.get((*code as usize).checked_sub(1)?))
                    .collect();
                Some(seen.into_iter().cloned().collect())
            }
        };
        Self {
            name: variable.name.clone(),
            categories,
        }
    }

    fn find<'a>(&self, variables: &'a [Variable]) -> Result<Source<'a>, LearningError> {
        let found = variables.iter().find(|variable| variable.name == self.name);
        let variable = found.ok_or_else(|| super::panel::missing(&self.name))?;
        let codes = match (&variable.values, &self.categories) {
            (Values::Codes(own), Some(names)) => {
                let place = |name: &String| names.binary_search(name).map_or(f32::NAN, |at| at as f32);
                Some(std::iter::once(f32::NAN).chain(own.names.iter().map(place)).collect())
            }
            _ => None,
        };
        Ok(Source { variable, codes })
    }
}

impl LagFeatures {
    /// The features of a target, by its place among a panel's targets. `season`: in steps; `None`: nothing is told of seasons.
    #[must_use]
    pub fn of(data: &ForecastData<'_>, target: usize, season: Option<usize>) -> Self {
        let (panel, part) = (data.panel, data.train_part);
        let Shape { context, .. } = data.shape;
        let season = season.filter(|season| (1..=context).contains(season));
        let mut lags: Vec<usize> = LAGS.into_iter().chain(season).filter(|lag| *lag < context).collect();
        lags.sort_unstable();
        lags.dedup();
        let longer = std::iter::successors(Some(SPAN), |span| span.checked_mul(SPAN));
        let mut spans: Vec<usize> = longer.take_while(|span| *span < context).collect();
        spans.extend(season.into_iter().chain([context]));
        spans.sort_unstable();
        spans.dedup();
        let of_row = |row: usize| panel.parts.get(row) == Some(&part);
        let of_entity = panel.entities_with(part);
        let others = panel
            .variables
            .observed
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != target);
        let name = panel
            .variables
            .observed
            .get(target)
            .map(|variable| variable.name.clone());
        Self {
            target: name.unwrap_or_default(),
            context,
            season,
            lags,
            spans,
            known: panel.variables.known.iter().map(|of| Told::of(of, of_row)).collect(),
            observed: others.map(|(_, of)| Told::of(of, of_row)).collect(),
            fixed: panel
                .variables
                .fixed
                .iter()
                .map(|of| Told::of(of, |entity| of_entity.get(entity) == Some(&true)))
                .collect(),
        }
    }

    /// The target.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Names and whether it is a category, feature by feature.
    fn names(&self) -> Vec<(String, bool)> {
        let number = |name: String| (name, false);
        let told = |kind: &'static str| move |of: &Told| (format!("{kind}_{}", of.name), of.categories.is_some());
        let mut names = vec![number("ahead".to_owned())];
        if self.season.is_some() {
            names.extend(["before_1", "before_mean"].map(|name| number(name.to_owned())));
        }
        names.extend(self.known.iter().map(told("known")));
        names.extend(["last", "age", "scale"].map(|name| number(name.to_owned())));
        names.extend(self.lags.iter().map(|lag| number(format!("lag_{lag}"))));
        for span in &self.spans {
            names.extend(["mean", "min", "max", "deviation"].map(|of| number(format!("{of}_{span}"))));
        }
        names.extend(self.observed.iter().map(told("observed")));
        names.extend(self.fixed.iter().map(told("static")));
        names
    }

    /// The rows of some steps ahead, in their order. Steps of one window are best asked for together.
    ///
    /// # Errors
    /// `Input` for a panel without one of the variables.
    pub fn rows(&self, panel: &Panel, asked: &[StepAhead]) -> Result<LagRows, LearningError> {
        let target = self.place(panel)?;
        let of = |told: &[Told], variables| {
            told.iter()
                .map(|told| told.find(variables))
                .collect::<Result<Vec<_>, _>>()
        };
        let known = of(&self.known, panel.variables.known.as_slice())?;
        let observed = of(&self.observed, panel.variables.observed.as_slice())?;
        let fixed = of(&self.fixed, panel.variables.fixed.as_slice())?;
        let names = self.names();
        let mut columns: Vec<Vec<f32>> = names.iter().map(|_| Vec::with_capacity(asked.len())).collect();
        let mut bases = Vec::with_capacity(asked.len());
        let mut latest: Option<(Window, Past, Vec<f32>)> = None;
        for StepAhead { window, ahead } in asked {
            let entity = window.entity as usize;
            if latest.as_ref().is_none_or(|(of, ..)| of != window) {
                let past = Past::of(panel, *window, self.context, target);
                let mut told = past.told(&self.lags, &self.spans);
                let now = panel.row(entity, window.now);
                told.extend(observed.iter().map(|source| source.value(now)));
                told.extend(fixed.iter().map(|source| source.value(Some(entity))));
                latest = Some((*window, past, told));
            }
            let Some((_, past, told)) = &latest else { continue };
            let mut row = vec![*ahead as f32];
            if let Some(season) = self.season {
                row.extend(past.before(seasons_before(*ahead, season, self.context)));
            }
            let step = panel.row(entity, window.now + *ahead as i64);
            row.extend(known.iter().map(|source| source.value(step)));
            for (column, value) in columns.iter_mut().zip(row.iter().chain(told)) {
                column.push(*value);
            }
            bases.push(past.base);
        }
        Ok(LagRows {
            matrix: matrix(&names, columns)?,
            bases,
        })
    }

    /// Rows and what came, as differences: those of the steps of which both are known.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub fn labelled(&self, panel: &Panel, asked: &[StepAhead]) -> Result<Labelled, LearningError> {
        let target = self.place(panel)?;
        let came = |of: &StepAhead| {
            f64::from(panel.target(of.window.entity as usize, of.window.now + of.ahead as i64, target))
        };
        let is_told =
            |of: &&StepAhead| came(of).is_finite() && window::has_value(panel, of.window, self.context, target);
        let asked: Vec<StepAhead> = asked.iter().filter(is_told).copied().collect();
        let rows = self.rows(panel, &asked)?;
        let difference = |(of, base): (&StepAhead, &Base)| (came(of) - base.last) / base.scale;
        let labels = asked.iter().zip(&rows.bases).map(difference);
        Ok(Labelled {
            labels: labels.map(|label| label.clamp(-MOST, MOST)).collect(),
            matrix: rows.matrix,
        })
    }

    /// The target's place in a panel.
    fn place(&self, panel: &Panel) -> Result<usize, LearningError> {
        let targets = panel.variables.observed.iter().take(panel.targets);
        let found = targets.into_iter().position(|variable| variable.name == self.target);
        found.ok_or_else(|| super::panel::missing(&self.target))
    }
}

fn matrix(names: &[(String, bool)], columns: Vec<Vec<f32>>) -> Result<Matrix, LearningError> {
    let fields = names.iter().map(|(name, _)| Field::new(name, DataType::Float32, true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let arrays = columns
        .into_iter()
        .map(|column| Arc::new(Float32Array::from(column)) as ArrayRef);
    let batch = RecordBatch::try_new(schema.clone(), arrays.collect())?;
    Matrix::new(schema, vec![batch], names.iter().map(|(_, is)| *is).collect())
}

/// At most so many steps ahead of windows, evenly spread over windows and over steps.
///
/// Of each window the same number of steps, equally far apart; where they begin turns by the golden ratio from window to window, which no
/// season is in step with.
#[must_use]
pub fn spread_steps(windows: &[Window], horizon: usize, most: usize) -> Vec<StepAhead> {
    const GOLDEN: u64 = 0x9E37_79B9;
    let chosen = windows.iter().step_by(windows.len().div_ceil(most.max(1)).max(1));
    let of_each = (most / chosen.len().max(1)).clamp(1, horizon.max(1));
    let mut asked = Vec::with_capacity(chosen.len() * of_each);
    for (at, window) in (0_u64..).zip(chosen) {
        let turn = ((at.wrapping_mul(GOLDEN) & 0xFFFF_FFFF) * horizon as u64) >> 32;
        for place in 0..of_each {
            asked.push(StepAhead {
                window: *window,
                ahead: (turn as usize + place * horizon / of_each) % horizon.max(1) + 1,
            });
        }
    }
    asked
}
