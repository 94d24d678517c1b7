//! How good forecasts are, part by part: beside baselines and registered rivals, on the same windows.

use definitions::{Baseline, LearnerKind, Rival};
use evaluation::{
    Evaluation, ForecastInput, ForecastRival, ForecastValues, Metric, Task, evaluate_forecasts, metrics_to_measure,
};
use feature_store::split::Part;
use learning::{
    Control, Dlinear, Explanation, ForecastData, ForecastModel, Forecaster, Forecasts, Panel, Shape, Window,
    point_forecasts, season_steps, training_means, training_scales,
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

/// The baseline that has to learn, where the pipeline asks for it.
fn learned(lesson: &Lesson<'_>, data: &ForecastData<'_>) -> Outcome<Option<Box<dyn ForecastModel>>> {
    if !lesson.pipeline.baselines().contains(&Baseline::Dlinear) {
        return Ok(None);
    }
    Ok(Some(Dlinear.fit(data, &mut |_| Control::Continue)?))
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

/// Refuses seasons that are no whole number of steps.
pub fn check_baselines(lesson: &Lesson<'_>, panel: &Panel) -> Outcome {
    season(lesson, panel)?;
    Ok(())
}

/// The steps of the season that errors are scaled by: that of the first seasonal naive baseline, else one step.
fn season(lesson: &Lesson<'_>, panel: &Panel) -> Outcome<i64> {
    let mut first = None;
    for baseline in lesson.pipeline.baselines() {
        if let Baseline::SeasonalNaive(season) = baseline {
            let steps = season_steps(season, panel.grid)?;
            first.get_or_insert(steps);
        }
    }
    Ok(first.unwrap_or(1))
}

/// Measures a model on validation and test; on train where there is neither. What its forecasts of the part that gates look at rest on
/// comes with it.
pub fn evaluate(
    lesson: &Lesson<'_>,
    model: &dyn ForecastModel,
    data: &ForecastData<'_>,
    metrics: &[Metric],
) -> Outcome<(Evaluation, Explanation)> {
    let (panel, shape) = (data.panel, model.shape());
    let learned = learned(lesson, data)?;
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
    let (means, of_series) = (
        training_means(panel, TRAIN),
        training_scales(panel, TRAIN, season(lesson, panel)?),
    );
    let parts: Vec<Part> = lesson.manifest.parts.iter().map(|report| report.part).collect();
    let only_train = parts.iter().all(|part| *part == Part::Train);
    let (mut evaluated, mut explanation) = (Vec::new(), Explanation::default());
    for part in parts.into_iter().filter(|part| only_train || *part != Part::Train) {
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
            rivals: &rivals(lesson, panel, &windows, &asked, &means, learned.as_deref())?,
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
    learned: Option<&dyn ForecastModel>,
) -> Outcome<Vec<ForecastRival>> {
    let mut rivals = Vec::new();
    for baseline in lesson.pipeline.baselines() {
        let forecasts = match (baseline, learned) {
            (Baseline::Dlinear, Some(learned)) => asked.compared(learned, learned.forecast(panel, windows)?),
            _ => ForecastValues {
                values: point_forecasts(baseline, panel, windows, asked.shape, means)?.values,
                is_point: true,
            },
        };
        rivals.push(ForecastRival {
            rival: Rival::Baseline(baseline),
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
