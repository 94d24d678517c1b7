//! How good forecasts are, part by part: beside baselines and registered rivals, on the same windows.

use definitions::{Baseline, Duration, LearnerKind, Rival};
use evaluation::{
    Evaluation, ForecastInput, ForecastRival, ForecastValues, Metric, Task, evaluate_forecasts, metrics_to_measure,
};
use feature_store::split::Part;
use learning::{
    Control, Explanation, ForecastData, ForecastModel, Forecasts, Grid, Panel, Shape, Window, point_forecasts,
    season_steps, training_means, training_scales,
};
use registry::ModelVersionRecord;

use super::super::{Lesson, artefact};
use super::panel::{TRAIN, number};
use crate::failure::{Failure, Outcome};
use crate::repository::Repository;

/// The quantiles that the losses of a model that forecasts one number are of.
const OF_A_POINT: [f64; 1] = [0.5];

/// A registered model that forecasts.
pub struct LoadedForecaster {
    /// `cpu_forecaster:v3`
    pub reference: String,
    /// What it takes and gives.
    pub signature: learning::Signature,
    /// It.
    pub model: Box<dyn ForecastModel>,
}

impl LoadedForecaster {
    /// Loads a registered model that forecasts, checking every file's hash.
    pub fn load(
        repository: &Repository,
        record: &ModelVersionRecord,
        signature: learning::Signature,
        threads: usize,
    ) -> Outcome<Self> {
        let learner: LearnerKind = record
            .learner
            .parse()
            .map_err(|error: definitions::ReferenceError| Failure::platform(error.to_string()))?;
        let file = |name: &str| artefact(repository, record, name);
        Ok(Self {
            reference: record.reference.to_string(),
            signature,
            model: super::load_forecaster(learner, threads, file)?,
        })
    }

    /// Its forecasts of the windows, if it forecasts the same targets as far; else it says nothing.
    fn forecast(&self, panel: &Panel, windows: &[Window], asked: &Asked<'_>) -> Outcome<ForecastValues> {
        let rows = windows.len() * asked.shape.horizon * asked.targets.len();
        let silent = ForecastValues {
            values: vec![f32::NAN; rows],
            is_point: true,
        };
        let targets = self.signature.forecast.as_ref().map(|of| of.targets.as_slice());
        if targets != Some(asked.targets) || self.model.shape().horizon != asked.shape.horizon {
            return Ok(silent);
        }
        let Ok(forecasts) = self.model.forecast(panel, windows) else {
            return Ok(silent);
        };
        Ok(asked.compared(self.model.as_ref(), forecasts))
    }
}

/// What is asked of everybody.
struct Asked<'a> {
    shape: Shape,
    targets: &'a [String],
    quantiles: &'a [f64],
}

impl Asked<'_> {
    /// Forecasts as they can be compared: of other quantiles, the middle one.
    fn compared(&self, model: &dyn ForecastModel, forecasts: Forecasts) -> ForecastValues {
        let levels = model.levels();
        if levels == self.quantiles {
            return ForecastValues {
                values: forecasts.values,
                is_point: false,
            };
        }
        let values = forecasts
            .values
            .iter()
            .skip(Forecasts::middle(levels))
            .step_by(levels.len().max(1));
        ForecastValues {
            values: values.copied().collect(),
            is_point: true,
        }
    }
}

/// A baseline, and what it has learned where it has to.
struct Opponent {
    baseline: Baseline,
    learned: Option<Box<dyn ForecastModel>>,
}

/// The baselines of a lesson.
fn baselines(lesson: &Lesson<'_>) -> Vec<Baseline> {
    let frequency = lesson
        .manifest
        .panel
        .as_ref()
        .map_or(Duration::ZERO, |panel| panel.frequency);
    lesson.pipeline.forecast_baselines(frequency, lesson.kind())
}

/// The baselines, those that learn after learning from the same windows as the model.
fn opponents(lesson: &Lesson<'_>, data: &ForecastData<'_>) -> Outcome<Vec<Opponent>> {
    let season = told_season(lesson, data.panel.grid)?;
    let opponent = |baseline| -> Outcome<Opponent> {
        let learner = super::learners::of_baseline(baseline, season)?;
        let data = ForecastData {
            checkpoint: None,
            resume: None,
            telemetry: None,
            ..data.clone()
        };
        let learned = learner.map(|learner| learner.fit(&data, &mut |_| Control::Continue));
        Ok(Opponent {
            baseline,
            learned: learned.transpose()?,
        })
    };
    baselines(lesson).into_iter().map(opponent).collect()
}

/// What is to be measured.
pub fn metrics(lesson: &Lesson<'_>) -> Outcome<Vec<Metric>> {
    let pipeline = lesson.pipeline;
    Ok(metrics_to_measure(
        Task::Forecast,
        None,
        &pipeline.evaluate,
        &pipeline.gate,
    )?)
}

/// The steps of the season: that of the first seasonal naive baseline.
///
/// # Errors
/// A season of any baseline that is no whole number of steps.
fn season(lesson: &Lesson<'_>, grid: Grid) -> Outcome<Option<usize>> {
    let mut first = None;
    for baseline in baselines(lesson) {
        if let Baseline::SeasonalNaive(season) = baseline {
            let steps = season_steps(season, grid)?;
            first.get_or_insert(usize::try_from(steps).unwrap_or(usize::MAX));
        }
    }
    Ok(first)
}

/// The steps of the season that learners are told of: that of the first seasonal naive baseline, else a day where it is several steps.
///
/// # Errors
/// As [`season`].
pub fn told_season(lesson: &Lesson<'_>, grid: Grid) -> Outcome<Option<usize>> {
    let day = season_steps(Duration::DAY, grid)
        .ok()
        .and_then(|steps| usize::try_from(steps).ok());
    Ok(season(lesson, grid)?.or(day.filter(|steps| *steps > 1)))
}

/// Measures a model on those of the parts that are not train; on train where there is no other. What its forecasts of the part that gates look at
/// rest on comes with it.
pub fn evaluate(
    lesson: &Lesson<'_>,
    model: &dyn ForecastModel,
    data: &ForecastData<'_>,
    parts: &[Part],
    metrics: &[Metric],
) -> Outcome<(Evaluation, Explanation)> {
    let (panel, shape) = (data.panel, model.shape());
    let opponents = opponents(lesson, data)?;
    let targets: Vec<String> = panel
        .variables
        .observed
        .iter()
        .take(panel.targets)
        .map(|of| of.name.clone())
        .collect();
    let is_point = model.levels().is_empty();
    let quantiles = if is_point { &OF_A_POINT } else { model.levels() };
    let asked = Asked {
        shape,
        targets: &targets,
        quantiles,
    };
    let season = season(lesson, panel.grid)?.unwrap_or(1);
    let (means, of_series) = (
        training_means(panel, TRAIN),
        training_scales(panel, TRAIN, i64::try_from(season).unwrap_or(i64::MAX)),
    );
    let only_train = parts.iter().all(|part| *part == Part::Train);
    let (mut evaluated, mut explanation) = (Vec::new(), Explanation::default());
    for part in parts.iter().copied().filter(|part| only_train || *part != Part::Train) {
        let windows = panel.windows(number(part), shape.horizon, 1);
        let forecasts = model.forecast(panel, &windows)?;
        let scale = |window: &Window| {
            let of = window.entity as usize * panel.targets;
            of_series.get(of..of + panel.targets).unwrap_or_default()
        };
        let input = ForecastInput {
            part: part.name(),
            targets: &targets,
            horizon: shape.horizon,
            quantiles,
            truth: &truth(panel, &windows, shape),
            scales: &windows.iter().flat_map(scale).copied().collect::<Vec<_>>(),
            model: &ForecastValues {
                values: forecasts.values,
                is_point,
            },
            rivals: &rivals(lesson, panel, &windows, &asked, &means, &opponents)?,
        };
        evaluated.push(evaluate_forecasts(metrics, &input)?);
        // Test comes last.
        if !windows.is_empty() {
            explanation = forecasts.explanation;
        }
    }
    let evaluation = Evaluation {
        task: Task::Forecast,
        metrics: metrics.to_vec(),
        parts: evaluated,
    };
    Ok((evaluation, explanation))
}

/// [windows, horizon, targets]
fn truth(panel: &Panel, windows: &[Window], shape: Shape) -> Vec<f32> {
    let mut truth = Vec::with_capacity(windows.len() * shape.horizon * panel.targets);
    for window in windows {
        for ahead in 1..=shape.horizon as i64 {
            let target = |target| panel.target(window.entity as usize, window.now + ahead, target);
            truth.extend((0..panel.targets).map(target));
        }
    }
    truth
}

fn rivals(
    lesson: &Lesson<'_>,
    panel: &Panel,
    windows: &[Window],
    asked: &Asked<'_>,
    means: &[f32],
    opponents: &[Opponent],
) -> Outcome<Vec<ForecastRival>> {
    let mut rivals = Vec::new();
    for Opponent { baseline, learned } in opponents {
        let forecasts = match learned.as_deref() {
            Some(learned) => asked.compared(learned, learned.forecast(panel, windows)?),
            None => ForecastValues {
                values: point_forecasts(*baseline, panel, windows, asked.shape, means)?.values,
                is_point: true,
            },
        };
        rivals.push(ForecastRival {
            rival: Rival::Baseline(*baseline),
            model_version: None,
            forecasts: Some(forecasts),
        });
    }
    for rival in lesson.rivals {
        let loaded = rival.forecaster();
        let forecasts = loaded
            .map(|loaded| loaded.forecast(panel, windows, asked))
            .transpose()?;
        rivals.push(ForecastRival {
            rival: rival.rival().clone(),
            model_version: loaded.map(|loaded| loaded.reference.clone()),
            forecasts,
        });
    }
    Ok(rivals)
}
