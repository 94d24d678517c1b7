//! Measuring forecasts: **every target of every window at every step ahead is a row**, of all of them, by target, by step.
//!
//! | number | formula over rows with truth y, middle forecast p, quantile forecasts p_q |
//! |---|---|
//! | MAE, RMSE, sMAPE | as of rows that are no forecasts |
//! | MASE | mean(\|y - p\| / scale), scale: what the seasonal naive forecast misses by within the training rows of the series |
//! | q-risk | 2 · Σ max(q (y - p_q), (q - 1) (y - p_q)) / Σ \|y\| |
//! | weighted quantile loss | the mean of the q-risks, which approximates the CRPS |
//! | coverage of 80 % | how often p_0.1 <= y <= p_0.9 |
//!
//! A forecast that is one number is every quantile of itself. Rows whose truth or forecast is missing are left out; rows whose series has
//! no scale are left out of MASE. Sources: Hyndman, Koehler, *Another look at measures of forecast accuracy*, 2006; Lim et al., *Temporal
//! Fusion Transformers*, 2021, equation 26.

mod rows;

use definitions::Rival;
use serde::{Deserialize, Serialize};

use crate::{
    EvaluationError, MIN_GATED_ROWS, Metric, PartEvaluation, RivalEvaluation, Score, SliceEvaluation, SliceKey, Truth,
    name_of, scores,
};

pub use rows::ForecastRow;

/// How often an interval held the truth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// How often it should: 0.8 between the quantiles 0.1 and 0.9.
    pub interval: f64,
    /// How often it did.
    pub share: f64,
}

/// The loss of one quantile.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct QuantileRisk {
    /// The quantile.
    pub quantile: f64,
    /// Its risk.
    pub risk: f64,
}

/// What was measured over some rows; `None`: not defined.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ForecastScores {
    /// Rows.
    pub rows: u64,
    /// Mean absolute error.
    pub mae: Option<f64>,
    /// Root of the mean squared error.
    pub rmse: Option<f64>,
    /// Mean absolute scaled error.
    pub mase: Option<f64>,
    /// Symmetric mean absolute percentage error, as a ratio.
    pub smape: Option<f64>,
    /// The mean of the quantiles' risks.
    pub weighted_quantile_loss: Option<f64>,
    /// The risk of each quantile.
    pub quantile_risks: Vec<QuantileRisk>,
    /// Of each interval between two quantiles that are as far from a half; empty for forecasts that are one number.
    pub coverage: Vec<Coverage>,
}

/// What was measured of one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetScores {
    /// The target.
    pub target: String,
    /// Over all steps.
    pub all: ForecastScores,
    /// Step by step ahead.
    pub steps: Vec<ForecastScores>,
}

/// What was measured of the model, or of what it is compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubjectScores {
    /// `model`, or the rival as the pipeline writes it.
    pub subject: String,
    /// Over everything.
    pub all: ForecastScores,
    /// Target by target.
    pub targets: Vec<TargetScores>,
}

/// What was measured of forecasts on one part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForecastEvaluation {
    /// Windows.
    pub windows: u64,
    /// Steps ahead.
    pub horizon: u64,
    /// The quantiles that losses are of.
    pub quantiles: Vec<f64>,
    /// The model, then its rivals.
    pub subjects: Vec<SubjectScores>,
}

/// Forecasts of the same windows by someone.
#[derive(Debug, Clone, PartialEq)]
pub struct ForecastValues {
    /// [windows, horizon, targets, quantiles], or [windows, horizon, targets] for one number; NaN: it says nothing.
    pub values: Vec<f32>,
    /// Whether it is one number.
    pub is_point: bool,
}

/// A rival and its forecasts.
#[derive(Debug, Clone, PartialEq)]
pub struct ForecastRival {
    /// The baseline or alias.
    pub rival: Rival,
    /// The model version the alias points to.
    pub model_version: Option<String>,
    /// Its forecasts; `None`: the alias does not exist yet.
    pub forecasts: Option<ForecastValues>,
}

/// A part of which forecasts are to be measured.
#[derive(Debug, Clone, Copy)]
pub struct ForecastInput<'a> {
    /// Its name.
    pub part: &'a str,
    /// The targets' names.
    pub targets: &'a [String],
    /// Steps ahead.
    pub horizon: usize,
    /// The quantiles, ascending; not empty.
    pub quantiles: &'a [f64],
    /// What was true: [windows, horizon, targets]; NaN: not known.
    pub truth: &'a [f32],
    /// What errors are divided by for MASE: [windows, targets]; NaN: nothing.
    pub scales: &'a [f64],
    /// The model's forecasts.
    pub model: &'a ForecastValues,
    /// What it is compared with.
    pub rivals: &'a [ForecastRival],
}

/// Sums over rows.
#[derive(Debug, Clone)]
struct Sums {
    rows: u64,
    absolute: f64,
    squared: f64,
    symmetric: f64,
    scaled: f64,
    scaled_rows: u64,
    truth: f64,
    losses: Vec<f64>,
    covered: Vec<u64>,
}

/// One row: the truth, the scale, and what is said.
#[derive(Debug, Clone, Copy)]
struct Row<'a> {
    truth: f64,
    scale: f64,
    /// A number for each quantile, or one.
    said: &'a [f32],
}

impl Sums {
    fn new(quantiles: &[f64]) -> Self {
        Self {
            rows: 0,
            absolute: 0.0,
            squared: 0.0,
            symmetric: 0.0,
            scaled: 0.0,
            scaled_rows: 0,
            truth: 0.0,
            losses: vec![0.0; quantiles.len()],
            covered: vec![0; intervals(quantiles).len()],
        }
    }

    fn add(&mut self, row: Row<'_>, quantiles: &[f64]) {
        let truth = row.truth;
        let said = |at: usize| {
            row.said
                .get(at)
                .or(row.said.first())
                .copied()
                .map_or(f64::NAN, f64::from)
        };
        let error = truth - said(middle(quantiles));
        self.rows += 1;
        self.absolute += error.abs();
        self.squared += error * error;
        let size = truth.abs() + (truth - error).abs();
        self.symmetric += if size > 0.0 { 2.0 * error.abs() / size } else { 0.0 };
        if row.scale > 0.0 {
            self.scaled += error.abs() / row.scale;
            self.scaled_rows += 1;
        }
        self.truth += truth.abs();
        for (at, (loss, quantile)) in self.losses.iter_mut().zip(quantiles).enumerate() {
            let error = truth - said(at);
            *loss += (quantile * error).max((quantile - 1.0) * error);
        }
        for (covered, (low, high, _)) in self.covered.iter_mut().zip(intervals(quantiles)) {
            *covered += u64::from(said(low) <= truth && truth <= said(high));
        }
    }

    fn scores(&self, quantiles: &[f64], is_point: bool) -> ForecastScores {
        let mean = |sum: f64, rows: u64| (rows > 0).then(|| sum / rows as f64);
        let risk = |loss: &f64| 2.0 * loss / self.truth;
        let has_risk = self.rows > 0 && self.truth > 0.0;
        let risks: Vec<f64> = self.losses.iter().filter(|_| has_risk).map(risk).collect();
        let coverage = |((_, _, interval), covered): ((usize, usize, f64), &u64)| Coverage {
            interval,
            share: *covered as f64 / self.rows.max(1) as f64,
        };
        let has_coverage = !is_point && self.rows > 0;
        ForecastScores {
            rows: self.rows,
            mae: mean(self.absolute, self.rows),
            rmse: mean(self.squared, self.rows).map(f64::sqrt),
            mase: mean(self.scaled, self.scaled_rows),
            smape: mean(self.symmetric, self.rows),
            weighted_quantile_loss: (!risks.is_empty()).then(|| risks.iter().sum::<f64>() / risks.len() as f64),
            quantile_risks: quantiles
                .iter()
                .zip(&risks)
                .map(|(quantile, risk)| QuantileRisk {
                    quantile: *quantile,
                    risk: *risk,
                })
                .collect(),
            coverage: intervals(quantiles)
                .into_iter()
                .zip(&self.covered)
                .filter(|_| has_coverage)
                .map(coverage)
                .collect(),
        }
    }
}

/// The quantile nearest to a half.
fn middle(quantiles: &[f64]) -> usize {
    let far = |quantile: &f64| (quantile - 0.5).abs();
    let nearest = quantiles
        .iter()
        .enumerate()
        .min_by(|one, other| far(one.1).total_cmp(&far(other.1)));
    nearest.map_or(0, |(at, _)| at)
}

/// Pairs of quantiles that are as far from a half, with how much lies between them.
fn intervals(quantiles: &[f64]) -> Vec<(usize, usize, f64)> {
    let pairs = quantiles.iter().enumerate().filter(|(_, low)| **low < 0.5);
    pairs
        .filter_map(|(at, low)| {
            let high = quantiles.iter().position(|high| (high + low - 1.0).abs() < 1e-9)?;
            let interval = quantiles.get(high)? - low;
            Some((at, high, (interval * 1e9).round() / 1e9))
        })
        .collect()
}

/// The rows of a part that a subject says something of: their places among windows, steps and targets.
struct Rows<'a> {
    input: &'a ForecastInput<'a>,
    values: &'a ForecastValues,
}

impl<'a> Rows<'a> {
    fn width(&self) -> usize {
        if self.values.is_point {
            1
        } else {
            self.input.quantiles.len()
        }
    }

    fn get(&self, at: usize) -> Option<Row<'a>> {
        let targets = self.input.targets.len();
        let width = self.width();
        let truth = f64::from(*self.input.truth.get(at)?);
        let said = self.values.values.get(at * width..(at + 1) * width)?;
        let is_known = truth.is_finite() && said.iter().all(|value| value.is_finite());
        let window = at / (self.input.horizon * targets).max(1);
        let scale = self.input.scales.get(window * targets + at % targets.max(1));
        is_known.then(|| Row {
            truth,
            scale: scale.copied().unwrap_or(f64::NAN),
            said,
        })
    }
}

fn subject_scores(name: &str, rows: &Rows<'_>) -> SubjectScores {
    let (input, quantiles) = (rows.input, rows.input.quantiles);
    let targets = input.targets.len();
    let finish = |sums: &Sums| sums.scores(quantiles, rows.values.is_point);
    let mut all = Sums::new(quantiles);
    let mut of_targets = vec![Sums::new(quantiles); targets];
    let mut of_steps = vec![Sums::new(quantiles); targets * input.horizon];
    for at in 0..input.truth.len() {
        let Some(row) = rows.get(at) else { continue };
        all.add(row, quantiles);
        if let Some(sums) = of_targets.get_mut(at % targets.max(1)) {
            sums.add(row, quantiles);
        }
        if let Some(sums) = of_steps.get_mut(at % (targets * input.horizon).max(1)) {
            sums.add(row, quantiles);
        }
    }
    let target = |(at, (name, sums)): (usize, (&String, &Sums))| TargetScores {
        target: name.clone(),
        all: finish(sums),
        steps: of_steps.iter().skip(at).step_by(targets.max(1)).map(finish).collect(),
    };
    SubjectScores {
        subject: name.to_owned(),
        all: finish(&all),
        targets: input.targets.iter().zip(&of_targets).enumerate().map(target).collect(),
    }
}

/// The metrics over those of the rows that are wanted.
fn scores_of(
    metrics: &[Metric],
    rows: &Rows<'_>,
    is_wanted: &dyn Fn(usize) -> bool,
) -> Result<(u64, Vec<Score>), EvaluationError> {
    let quantiles = rows.input.quantiles;
    let (mut truth, mut said, mut sums) = (Vec::new(), Vec::new(), Sums::new(quantiles));
    for at in (0..rows.input.truth.len()).filter(|at| is_wanted(*at)) {
        let Some(row) = rows.get(at) else { continue };
        let middle = row.said.get(middle(quantiles)).or(row.said.first());
        truth.push(row.truth);
        said.push(middle.copied().map_or(f64::NAN, f64::from));
        sums.add(row, quantiles);
    }
    let own = sums.scores(quantiles, rows.values.is_point);
    let predictions = [said];
    let mut all = Vec::new();
    for metric in metrics {
        let (value, note) = match metric {
            Metric::Mase => (own.mase, "no series has a scale"),
            Metric::WeightedQuantileLoss => (own.weighted_quantile_loss, "every label is 0, or there are no rows"),
            _ => {
                all.extend(scores(&[*metric], Truth::numbers(&truth), &predictions)?);
                continue;
            }
        };
        all.push(Score {
            metric: *metric,
            value,
            note: value.is_none().then(|| note.to_owned()),
        });
    }
    Ok((truth.len() as u64, all))
}

/// Measures forecasts of a part: for gates, and in full.
///
/// # Errors
/// A metric that does not fit.
pub fn evaluate_forecasts(metrics: &[Metric], input: &ForecastInput<'_>) -> Result<PartEvaluation, EvaluationError> {
    let model = Rows {
        input,
        values: input.model,
    };
    let (rows, of_model) = scores_of(metrics, &model, &|_| true)?;
    let mut subjects = vec![subject_scores("model", &model)];
    let mut rivals = Vec::new();
    for rival in input.rivals {
        let Some(values) = &rival.forecasts else {
            rivals.push(absent(rival));
            continue;
        };
        let theirs = Rows { input, values };
        let both = |at: usize| theirs.get(at).is_some() && model.get(at).is_some();
        let (rows, scores) = scores_of(metrics, &theirs, &both)?;
        subjects.push(subject_scores(&name_of(&rival.rival), &theirs));
        rivals.push(RivalEvaluation {
            rival: rival.rival.clone(),
            model_version: rival.model_version.clone(),
            present: true,
            rows,
            scores,
            model: scores_of(metrics, &model, &both)?.1,
        });
    }
    let mut slices = Vec::new();
    for (at, target) in input.targets.iter().enumerate().filter(|_| input.targets.len() > 1) {
        let (rows, scores) = scores_of(metrics, &model, &|row| row % input.targets.len() == at)?;
        slices.push(SliceEvaluation {
            key: SliceKey {
                column: "target".to_owned(),
                value: Some(target.clone()),
            },
            rows,
            gated: rows >= MIN_GATED_ROWS as u64,
            model: scores,
        });
    }
    Ok(PartEvaluation {
        part: input.part.to_owned(),
        rows,
        model: of_model,
        confusion: None,
        slices,
        rivals,
        forecast: Some(ForecastEvaluation {
            windows: (input.truth.len() / (input.horizon * input.targets.len()).max(1)) as u64,
            horizon: input.horizon as u64,
            quantiles: input.quantiles.to_vec(),
            subjects,
        }),
    })
}

fn absent(rival: &ForecastRival) -> RivalEvaluation {
    RivalEvaluation {
        rival: rival.rival.clone(),
        model_version: rival.model_version.clone(),
        present: false,
        rows: 0,
        scores: Vec::new(),
        model: Vec::new(),
    }
}
