//! A pipeline as declared: learner, evaluation, gates and card.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ColumnName, Name, ViewRef};

/// The metrics that a pipeline may name. `pinball` is written with its quantile: `pinball(0.9)`.
pub const METRICS: [&str; 15] = [
    "mae",
    "rmse",
    "mse",
    "mape",
    "smape",
    "r2",
    "pinball",
    "auc",
    "log_loss",
    "f1",
    "accuracy",
    "precision",
    "recall",
    "mase",
    "weighted_quantile_loss",
];

/// Which learner trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LearnerKind {
    /// Gradient-boosted trees.
    Lightgbm,
    /// The Temporal Fusion Transformer.
    Tft,
    /// Two linear maps from what was to what will be.
    Dlinear,
    /// By the number of rows.
    Auto,
}

/// A learner's parameter, as written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Parameter {
    /// true or false
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(String),
    /// Several of them.
    List(Vec<Parameter>),
}

/// `[train]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Train {
    /// The learner.
    pub learner: LearnerKind,
    /// The label to learn, needed where the view has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<ColumnName>,
    /// `[train.lightgbm]`: the learner checks the names and values, not this crate.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lightgbm: BTreeMap<String, Parameter>,
    /// `[train.tft]`: the learner checks the names and values, not this crate. A parameter of a table within has the table's name before:
    /// `keep` of `[train.tft.slim]` is `slim.keep`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tft: BTreeMap<String, Parameter>,
}

/// A forecast made without learning, that a model has to beat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Baseline {
    /// The entity's newest label that was known at the row's time.
    LastValue,
    /// The mean of the training labels (for classes: their shares).
    Mean,
    /// The entity's label one season earlier, or as many whole seasons as it takes for it to be known.
    SeasonalNaive(crate::Duration),
    /// Two linear maps from what was to what will be, fitted on the training windows of a view with `[forecast]`.
    Dlinear,
    /// LightGBM on lagged features, fitted on the training windows of a view with `[forecast]`.
    Lightgbm,
}

/// `[evaluate]`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Evaluate {
    /// Metrics by name; empty: those that fit the objective.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<String>,
    /// Columns of the dataset by whose values the metrics are repeated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<ColumnName>,
    /// What the model is compared with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub baselines: Vec<Baseline>,
}

/// The limits of one gate. At least one is given.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Largest value that passes, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Smallest value that passes, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Slices only: largest ratio of a slice's value to the whole's, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ratio: Option<f64>,
    /// Slices only: smallest ratio of a slice's value to the whole's, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_ratio: Option<f64>,
}

/// What `beats` compares with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rival {
    /// A baseline.
    Baseline(Baseline),
    /// The model version an alias points to; passed where the alias does not exist yet.
    Alias(Name),
}

/// What becomes of a model when a leak test finds something. Without a rule, leaks refuse it and suspicions are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeakRule {
    /// Leaks and suspicions refuse it.
    Refuse,
    /// Both are told.
    Warn,
}

/// `[gate]`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Gates {
    /// Limits on a metric over the whole evaluation part: `mae = { max = 4.0 }`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, Limits>,
    /// Limits on a metric over every slice: `slice_mae = { max_ratio = 1.5 }`, here under `mae`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub slices: BTreeMap<String, Limits>,
    /// What the model must be better than, by the first metric.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beats: Vec<Rival>,
    /// What becomes of a model when a leak test finds something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaks: Option<LeakRule>,
}

/// `[card]`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Card {
    /// What the model is meant for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intended_use: Option<String>,
    /// Where it should not be trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limitations: Option<String>,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// A pipeline: from a view to a registered model. It has no version; its text and fingerprint are stored with every run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    /// Its name.
    pub name: Name,
    /// What it is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The view it trains on.
    pub view: ViewRef,
    /// The name of the model that it registers.
    pub model: Name,
    /// The seed of everything drawn at random.
    pub seed: u64,
    /// How it trains.
    pub train: Train,
    /// How it evaluates.
    pub evaluate: Evaluate,
    /// What must hold before the model is registered.
    pub gate: Gates,
    /// What people should know.
    pub card: Card,
}

impl LearnerKind {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Lightgbm => "lightgbm",
            Self::Tft => "tft",
            Self::Dlinear => "dlinear",
            Self::Auto => "auto",
        }
    }
}

impl std::str::FromStr for LearnerKind {
    type Err = crate::ReferenceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = [Self::Lightgbm, Self::Tft, Self::Dlinear, Self::Auto];
        known
            .into_iter()
            .find(|kind| kind.word() == text)
            .ok_or_else(|| crate::ReferenceError {
                found: text.to_owned(),
                wanted: "`lightgbm`, `tft`, `dlinear` or `auto`",
            })
    }
}

impl Baseline {
    /// What a pipeline that names no baselines compares forecasts with: the newest value, the value a day before where a day is two steps or
    /// more and a whole number of them, and the two that learn; without the one that is the learner itself.
    #[must_use]
    pub fn of_forecasts(frequency: crate::Duration, learner: LearnerKind) -> Vec<Self> {
        let (day, step) = (crate::Duration::DAY, frequency.micros().max(1));
        let has_days = day.micros() >= 2 * step && day.micros() % step == 0;
        let mut baselines = vec![Self::LastValue];
        baselines.extend(has_days.then_some(Self::SeasonalNaive(day)));
        baselines.extend((learner != LearnerKind::Dlinear).then_some(Self::Dlinear));
        baselines.extend((learner != LearnerKind::Lightgbm).then_some(Self::Lightgbm));
        baselines
    }

    /// Whether it learns from windows: rows have none.
    #[must_use]
    pub fn needs_windows(self) -> bool {
        matches!(self, Self::Dlinear | Self::Lightgbm)
    }
}

impl Pipeline {
    /// Every baseline it needs, each once: those that it evaluates, then those that the model has to beat.
    #[must_use]
    pub fn baselines(&self) -> Vec<Baseline> {
        self.with_beaten(&self.evaluate.baselines)
    }

    /// Every baseline it needs where it forecasts, each once: where it names none to evaluate, those of [`Baseline::of_forecasts`].
    #[must_use]
    pub fn forecast_baselines(&self, frequency: crate::Duration, learner: LearnerKind) -> Vec<Baseline> {
        if self.evaluate.baselines.is_empty() {
            self.with_beaten(&Baseline::of_forecasts(frequency, learner))
        } else {
            self.baselines()
        }
    }

    fn with_beaten(&self, evaluated: &[Baseline]) -> Vec<Baseline> {
        let rivals = self.gate.beats.iter().filter_map(|rival| match rival {
            Rival::Baseline(baseline) => Some(baseline),
            Rival::Alias(_) => None,
        });
        let mut baselines: Vec<Baseline> = Vec::new();
        for baseline in evaluated.iter().chain(rivals) {
            if !baselines.contains(baseline) {
                baselines.push(*baseline);
            }
        }
        baselines
    }
}

impl std::fmt::Display for Baseline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::LastValue => f.write_str("last_value"),
            Self::Mean => f.write_str("mean"),
            Self::SeasonalNaive(season) => write!(f, "seasonal_naive({season})"),
            Self::Dlinear => f.write_str("dlinear"),
            Self::Lightgbm => f.write_str("lightgbm"),
        }
    }
}

impl std::str::FromStr for Baseline {
    type Err = crate::ReferenceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let season = text
            .strip_prefix("seasonal_naive(")
            .and_then(|rest| rest.strip_suffix(')'));
        match (text, season.map(str::parse::<crate::Duration>)) {
            ("last_value", _) => Ok(Self::LastValue),
            ("mean", _) => Ok(Self::Mean),
            ("dlinear", _) => Ok(Self::Dlinear),
            ("lightgbm", _) => Ok(Self::Lightgbm),
            (_, Some(Ok(season))) if season > crate::Duration::ZERO => Ok(Self::SeasonalNaive(season)),
            _ => Err(crate::ReferenceError {
                found: text.to_owned(),
                wanted: "a baseline: `last_value`, `mean`, `seasonal_naive(1d)`, `dlinear` or `lightgbm`",
            }),
        }
    }
}

impl TryFrom<String> for Baseline {
    type Error = crate::ReferenceError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Baseline> for String {
    fn from(baseline: Baseline) -> String {
        baseline.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forecasts_are_compared_with_what_fits_their_steps_and_learner() {
        let check = |frequency: &str, learner, wanted: &str| {
            let baselines = Baseline::of_forecasts(frequency.parse().unwrap_or_default(), learner);
            let names: Vec<String> = baselines.iter().map(ToString::to_string).collect();
            assert_eq!(names.join(" "), wanted, "steps of {frequency}");
        };
        check("5m", LearnerKind::Tft, "last_value seasonal_naive(1d) dlinear lightgbm");
        check("1h", LearnerKind::Dlinear, "last_value seasonal_naive(1d) lightgbm");
        check("1d", LearnerKind::Lightgbm, "last_value dlinear");
        check("7m", LearnerKind::Tft, "last_value dlinear lightgbm");
    }
}
