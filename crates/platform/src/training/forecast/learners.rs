//! Who learns to forecast: **everything that the binary knows of a learner stands here.**

use std::collections::BTreeMap;

use definitions::{Baseline, LearnerKind, Pipeline};
use learning::{Dlinear, DlinearModel, ForecastModel, Forecaster};
use serde_json::Value;
use trees::{LagForecastModel, LagForecaster, Parameters, TreesError};

use super::super::Lesson;
use crate::failure::{Failure, Outcome};

/// A learner with its parameters.
pub struct Chosen {
    /// It.
    pub forecaster: Box<dyn Forecaster>,
    /// Every so many steps a training window.
    pub stride: usize,
    /// What it makes small.
    pub objective: &'static str,
    /// Whether it needs windows of validation to tell when to stop, and grows on to its end without.
    pub grows_blindly: bool,
}

/// The learner of a lesson. `season`: in steps, for those that are told.
pub fn of(lesson: &Lesson<'_>, season: Option<usize>) -> Outcome<Chosen> {
    match super::kind_of(lesson.learner) {
        LearnerKind::Tft | LearnerKind::Auto => transformer(lesson.pipeline),
        LearnerKind::Dlinear => Ok(Chosen {
            forecaster: Box::new(Dlinear),
            stride: 1,
            objective: "mse",
            grows_blindly: false,
        }),
        LearnerKind::Lightgbm => trees(lesson.pipeline, season),
    }
}

fn trees(pipeline: &Pipeline, season: Option<usize>) -> Outcome<Chosen> {
    let parameters = Parameters::from_declared(&pipeline.train.lightgbm).map_err(TreesError::from)?;
    let grows_blindly = parameters.early_stopping > 0;
    let forecaster = LagForecaster::new(parameters, season)?;
    Ok(Chosen {
        stride: 1,
        objective: forecaster.objective().word(),
        forecaster: Box::new(forecaster),
        grows_blindly,
    })
}

/// A baseline that learns; `None` for those that need not.
pub fn of_baseline(baseline: Baseline, season: Option<usize>) -> Outcome<Option<Box<dyn Forecaster>>> {
    Ok(match baseline {
        Baseline::Dlinear => Some(Box::new(Dlinear)),
        Baseline::Lightgbm => Some(Box::new(LagForecaster::new(Parameters::default(), season)?)),
        Baseline::LastValue | Baseline::Mean | Baseline::SeasonalNaive(_) => None,
    })
}

/// The parameters that training uses, defaults included.
pub fn parameters(pipeline: &Pipeline, learner: LearnerKind) -> Outcome<BTreeMap<String, Value>> {
    match super::kind_of(learner) {
        LearnerKind::Tft | LearnerKind::Auto => transformer_parameters(pipeline),
        LearnerKind::Dlinear | LearnerKind::Lightgbm => Ok(BTreeMap::new()),
    }
}

/// A model from its files.
pub fn load_forecaster(
    learner: LearnerKind,
    threads: usize,
    file: impl FnMut(&str) -> Outcome<Vec<u8>>,
) -> Outcome<Box<dyn ForecastModel>> {
    match super::kind_of(learner) {
        LearnerKind::Tft | LearnerKind::Auto => load_transformer(threads, file),
        LearnerKind::Dlinear => Ok(Box::new(DlinearModel::load(file)?)),
        LearnerKind::Lightgbm => Ok(Box::new(LagForecastModel::load(threads, file)?)),
    }
}

/// What is wrong with the parameters of a pipeline: the key, what, and what to type.
#[cfg(feature = "tft")]
pub fn wrong_parameter(pipeline: &Pipeline) -> Option<(String, String, String)> {
    let error = tft::learner::Parameters::from_declared(&pipeline.train.tft).err()?;
    Some((format!("train.tft.{}", error.key()), error.to_string(), error.hint()))
}

/// Nothing is known of them: they are kept as they are.
#[cfg(not(feature = "tft"))]
pub fn wrong_parameter(_: &Pipeline) -> Option<(String, String, String)> {
    None
}

#[cfg(feature = "tft")]
fn transformer(pipeline: &Pipeline) -> Outcome<Chosen> {
    let parameters = declared(pipeline)?;
    Ok(Chosen {
        stride: parameters.stride,
        objective: parameters.objective(),
        grows_blindly: false,
        forecaster: Box::new(tft::learner::TftLearner::new(parameters)),
    })
}

#[cfg(feature = "tft")]
fn transformer_parameters(pipeline: &Pipeline) -> Outcome<BTreeMap<String, Value>> {
    Ok(declared(pipeline)?.all())
}

#[cfg(feature = "tft")]
fn declared(pipeline: &Pipeline) -> Outcome<tft::learner::Parameters> {
    let parameters = tft::learner::Parameters::from_declared(&pipeline.train.tft);
    parameters.map_err(|error| Failure::input(format!("`[train.tft]`: {error}")).hint(error.hint()))
}

#[cfg(feature = "tft")]
fn load_transformer(threads: usize, file: impl FnMut(&str) -> Outcome<Vec<u8>>) -> Outcome<Box<dyn ForecastModel>> {
    Ok(Box::new(tft::learner::TftModel::load(file, threads)?))
}

#[cfg(not(feature = "tft"))]
fn not_built() -> Failure {
    Failure::input("this `platform` was built without the learner `tft`").hint("--learner dlinear")
}

#[cfg(not(feature = "tft"))]
fn transformer(_: &Pipeline) -> Outcome<Chosen> {
    Err(not_built())
}

#[cfg(not(feature = "tft"))]
fn transformer_parameters(_: &Pipeline) -> Outcome<BTreeMap<String, Value>> {
    Err(not_built())
}

#[cfg(not(feature = "tft"))]
fn load_transformer(_: usize, _: impl FnMut(&str) -> Outcome<Vec<u8>>) -> Outcome<Box<dyn ForecastModel>> {
    Err(not_built())
}
