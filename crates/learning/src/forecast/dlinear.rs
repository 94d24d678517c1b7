//! DLinear: two linear maps, one from the trend of what was and one from the rest of it, to what will be.
//!
//! ```text
//!     context ─ mean ÷ scale ─┬─ moving average ── W_trend ─┐
//!                             └─ the rest ──────── W_rest ──┴─► horizon · scale + mean
//! ```
//!
//! Zeng, Chen, Zhang, Xu, *Are Transformers Effective for Time Series Forecasting?*, 2023, which showed that many networks do not beat it.
//! One pair of maps a target, for all series. They are not descended to but solved for: ridge regression by a Cholesky
//! factorisation, in double precision and in one order, so the same data give the same bytes. Quantiles are those of what is left over
//! on windows that it did not learn from (validation; else train), by target and step, in units of the window's scale.
//!
//! It looks at targets only. A missing value is the one before it; before the first it is the window's mean. Cost: windows × context² for
//! the sums, context³ to solve; memory (2 context)² numbers.

use serde::{Deserialize, Serialize};

use super::forecaster::{ForecastData, ForecastModel, Forecaster, Forecasts, TrainingMoment, TrainingWatch};
use super::grid::Grid;
use super::panel::Panel;
use super::windows::{Shape, Window};
use crate::{Control, IterationReport, LearningError, Measured, ModelFile};

/// Steps of the moving average.
const AVERAGE: usize = 25;

/// Windows that are learned from at most, evenly spread.
const MOST_WINDOWS: usize = 20_000;

/// What keeps the maps small, as a share of the mean square of an input.
const RIDGE: f64 = 1e-3;

const FILE: &str = "model.json";

/// The quantiles that it forecasts.
const LEVELS: [f64; 3] = [0.1, 0.5, 0.9];

/// The learner.
#[derive(Debug, Clone, Copy, Default)]
pub struct Dlinear;

/// The maps of one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Maps {
    target: String,
    /// [horizon, 2 · context + 1]: of the trend, of the rest, and what is added.
    weights: Vec<Vec<f64>>,
    /// [horizon, levels]: what is added for each quantile, in units of the window's scale.
    spreads: Vec<Vec<f64>>,
}

/// What was learned.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DlinearModel {
    context: usize,
    horizon: usize,
    grid: Grid,
    maps: Vec<Maps>,
    #[serde(skip)]
    history: Vec<IterationReport>,
}

/// A window's context on its own scale.
struct Seen {
    inputs: Vec<f64>,
    mean: f64,
    scale: f64,
}

fn look(panel: &Panel, window: Window, context: usize, target: usize) -> Option<Seen> {
    let first = window.now + 1 - context as i64;
    let raw: Vec<f64> = (first..=window.now)
        .map(|step| f64::from(panel.target(window.entity as usize, step, target)))
        .collect();
    let known: Vec<f64> = raw.iter().copied().filter(|value| value.is_finite()).collect();
    if known.is_empty() {
        return None;
    }
    let mean = known.iter().sum::<f64>() / known.len() as f64;
    let variance = known.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / known.len() as f64;
    let spread = variance.sqrt();
    let scale = if spread > mean.abs() * 1e-6 && spread > f64::MIN_POSITIVE {
        spread
    } else {
        1.0
    };
    let mut last = 0.0;
    let mut values = Vec::with_capacity(context);
    for value in raw {
        if value.is_finite() {
            last = (value - mean) / scale;
        }
        values.push(last);
    }
    let mut inputs = moving_average(&values);
    let rest: Vec<f64> = values.iter().zip(&inputs).map(|(value, trend)| value - trend).collect();
    inputs.extend(rest);
    inputs.push(1.0);
    Some(Seen { inputs, mean, scale })
}

/// The mean of the values around each, ends repeated.
fn moving_average(values: &[f64]) -> Vec<f64> {
    let last = values.len().saturating_sub(1) as i64;
    let half = (AVERAGE / 2) as i64;
    let mean = |at: usize| {
        let around = (at as i64 - half)..=(at as i64 + half);
        let sum: f64 = around
            .map(|place| values.get(place.clamp(0, last) as usize).copied().unwrap_or_default())
            .sum();
        sum / AVERAGE as f64
    };
    (0..values.len()).map(mean).collect()
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

/// Sums over windows: inputs with inputs, inputs with what came.
struct Normal {
    width: usize,
    inputs: Vec<f64>,
    /// A row a step ahead.
    targets: Vec<Vec<f64>>,
    windows: u64,
}

impl Normal {
    fn new(width: usize, horizon: usize) -> Self {
        Self {
            width,
            inputs: vec![0.0; width * width],
            targets: vec![vec![0.0; width]; horizon],
            windows: 0,
        }
    }

    fn add(&mut self, inputs: &[f64], came: &[f64]) {
        self.windows += 1;
        for (row, one) in self.inputs.chunks_mut(self.width).zip(inputs) {
            for (sum, other) in row.iter_mut().zip(inputs) {
                *sum += one * other;
            }
        }
        for (sums, value) in self.targets.iter_mut().zip(came) {
            for (sum, input) in sums.iter_mut().zip(inputs) {
                *sum += input * value;
            }
        }
    }

    /// The maps; `None` where nothing was seen.
    fn solve(mut self) -> Option<Vec<Vec<f64>>> {
        if self.windows == 0 {
            return None;
        }
        let width = self.width;
        let trace: f64 = self.inputs.iter().step_by(width + 1).sum();
        let ridge = RIDGE * trace / width as f64 + 1e-9;
        for diagonal in self.inputs.iter_mut().step_by(width + 1) {
            *diagonal += ridge;
        }
        factorise(&mut self.inputs, width);
        Some(
            self.targets
                .iter()
                .map(|target| substitute(&self.inputs, width, target))
                .collect(),
        )
    }
}

/// The lower triangle L of a positive matrix, L Lᵀ, in place.
fn factorise(matrix: &mut [f64], width: usize) {
    for row in 0..width {
        for column in 0..=row {
            let (own, other) = (row * width, column * width);
            let product = dot(
                matrix.get(own..own + column).unwrap_or_default(),
                matrix.get(other..other + column).unwrap_or_default(),
            );
            let value = matrix.get(own + column).copied().unwrap_or_default() - product;
            let value = if row == column {
                value.max(f64::MIN_POSITIVE).sqrt()
            } else {
                value / matrix.get(other + column).copied().unwrap_or(1.0)
            };
            if let Some(cell) = matrix.get_mut(own + column) {
                *cell = value;
            }
        }
    }
}

/// Solves L Lᵀ x = b.
fn substitute(lower: &[f64], width: usize, right: &[f64]) -> Vec<f64> {
    let at = |row: usize, column: usize| lower.get(row * width + column).copied().unwrap_or_default();
    let mut found = right.to_vec();
    for row in 0..width {
        let known: f64 = (0..row)
            .map(|column| at(row, column) * found.get(column).copied().unwrap_or_default())
            .sum();
        if let Some(cell) = found.get_mut(row) {
            *cell = (*cell - known) / at(row, row);
        }
    }
    for row in (0..width).rev() {
        let known: f64 = (row + 1..width)
            .map(|below| at(below, row) * found.get(below).copied().unwrap_or_default())
            .sum();
        if let Some(cell) = found.get_mut(row) {
            *cell = (*cell - known) / at(row, row);
        }
    }
    found
}

/// At most so many of them, evenly spread.
fn spread(windows: &[Window], most: usize) -> impl Iterator<Item = Window> {
    windows
        .iter()
        .copied()
        .step_by(windows.len().div_ceil(most.max(1)).max(1))
}

/// What came, on the window's scale; NaN where it is not known.
fn came(panel: &Panel, window: Window, horizon: usize, target: usize, seen: &Seen) -> Vec<f64> {
    let step = |ahead: i64| f64::from(panel.target(window.entity as usize, window.now + ahead, target));
    (1..=horizon as i64)
        .map(|ahead| (step(ahead) - seen.mean) / seen.scale)
        .collect()
}

fn learn(data: &ForecastData<'_>, target: usize) -> Maps {
    let (panel, Shape { context, horizon }) = (data.panel, data.shape);
    let mut normal = Normal::new(2 * context + 1, horizon);
    for window in spread(data.train, MOST_WINDOWS) {
        let Some(seen) = look(panel, window, context, target) else {
            continue;
        };
        let came = came(panel, window, horizon, target, &seen);
        if came.iter().all(|value| value.is_finite()) {
            normal.add(&seen.inputs, &came);
        }
    }
    let nothing = || vec![vec![0.0; 2 * context + 1]; horizon];
    let weights = normal.solve().unwrap_or_else(nothing);
    let judged = if data.validation.is_empty() {
        data.train
    } else {
        data.validation
    };
    let mut left: Vec<Vec<f64>> = vec![Vec::new(); horizon];
    for window in spread(judged, MOST_WINDOWS) {
        let Some(seen) = look(panel, window, context, target) else {
            continue;
        };
        let came = came(panel, window, horizon, target, &seen);
        for ((left, weights), came) in left.iter_mut().zip(&weights).zip(came) {
            let rest = came - dot(weights, &seen.inputs);
            left.extend(rest.is_finite().then_some(rest));
        }
    }
    let name = panel
        .variables
        .observed
        .get(target)
        .map(|variable| variable.name.clone());
    Maps {
        target: name.unwrap_or_default(),
        weights,
        spreads: left.into_iter().map(quantiles).collect(),
    }
}

/// What the levels of some numbers are apart from the middle one, which stays where it is.
fn quantiles(mut numbers: Vec<f64>) -> Vec<f64> {
    numbers.sort_by(f64::total_cmp);
    let at = |level: f64| {
        let place = level * numbers.len().saturating_sub(1) as f64;
        numbers.get(place.round() as usize).copied().unwrap_or_default()
    };
    LEVELS
        .iter()
        .map(|level| if *level == 0.5 { 0.0 } else { at(*level) - at(0.5) })
        .collect()
}

impl Forecaster for Dlinear {
    fn fit(&self, data: &ForecastData<'_>, watch: TrainingWatch<'_>) -> Result<Box<dyn ForecastModel>, LearningError> {
        if data.train.is_empty() {
            return Err(LearningError::Label {
                label: data
                    .panel
                    .variables
                    .observed
                    .first()
                    .map(|of| of.name.clone())
                    .unwrap_or_default(),
                reason: format!("the training part has no window of {} steps ahead", data.shape.horizon),
            });
        }
        let started = std::time::Instant::now();
        let (mut maps, mut history) = (Vec::new(), Vec::new());
        for target in 0..data.panel.targets {
            maps.push(learn(data, target));
            let report = IterationReport {
                iteration: target + 1,
                of: data.panel.targets,
                elapsed: started.elapsed(),
                measured: Vec::<Measured>::new(),
            };
            let wish = watch(TrainingMoment::Iteration(&report));
            history.push(report);
            if wish == Control::Stop {
                break;
            }
        }
        Ok(Box::new(DlinearModel {
            context: data.shape.context,
            horizon: data.shape.horizon,
            grid: data.panel.grid,
            maps,
            history,
        }))
    }
}

impl DlinearModel {
    /// From the model's file.
    ///
    /// # Errors
    /// `Input` for bytes that are no model.
    pub fn load<E: From<LearningError>>(mut file: impl FnMut(&str) -> Result<Vec<u8>, E>) -> Result<Self, E> {
        let model = serde_json::from_slice(&file(FILE)?).map_err(|error| LearningError::Input {
            problems: vec![format!("`{FILE}`: {error}")],
        });
        Ok(model?)
    }

    /// The targets' places in a panel.
    fn places(&self, panel: &Panel) -> Result<Vec<usize>, LearningError> {
        let place = |maps: &Maps| {
            let found = panel
                .variables
                .observed
                .iter()
                .position(|variable| variable.name == maps.target);
            found.ok_or_else(|| LearningError::Input {
                problems: vec![format!("`{}` is missing", maps.target)],
            })
        };
        self.maps.iter().map(place).collect()
    }
}

impl ForecastModel for DlinearModel {
    fn levels(&self) -> &[f64] {
        &LEVELS
    }
    fn shape(&self) -> Shape {
        Shape {
            context: self.context,
            horizon: self.horizon,
        }
    }
    fn grid(&self) -> Grid {
        self.grid
    }
    fn forecast(&self, panel: &Panel, windows: &[Window]) -> Result<Forecasts, LearningError> {
        let places = self.places(panel)?;
        let mut values = Vec::with_capacity(windows.len() * self.horizon * places.len() * LEVELS.len());
        for window in windows {
            let seen: Vec<Option<Seen>> = places
                .iter()
                .map(|at| look(panel, *window, self.context, *at))
                .collect();
            for step in 0..self.horizon {
                for (maps, seen) in self.maps.iter().zip(&seen) {
                    let (Some(seen), Some(weights), Some(spreads)) =
                        (seen, maps.weights.get(step), maps.spreads.get(step))
                    else {
                        values.extend(std::iter::repeat_n(f32::NAN, LEVELS.len()));
                        continue;
                    };
                    let middle = dot(weights, &seen.inputs);
                    values.extend(
                        spreads
                            .iter()
                            .map(|spread| ((middle + spread) * seen.scale + seen.mean) as f32),
                    );
                }
            }
        }
        Ok(Forecasts::unexplained(values, windows.len()))
    }
    fn files(&self) -> Result<Vec<ModelFile>, LearningError> {
        let bytes = serde_json::to_vec(self).map_err(|error| LearningError::Input {
            problems: vec![format!("`{FILE}`: {error}")],
        })?;
        Ok(vec![ModelFile {
            name: FILE.to_owned(),
            bytes,
        }])
    }
    fn best_iteration(&self) -> usize {
        self.maps.len()
    }
    fn history(&self) -> &[IterationReport] {
        &self.history
    }
}
