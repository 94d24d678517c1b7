#![expect(clippy::unwrap_used, clippy::panic, reason = "tests may")]

mod ensembles;
mod finder;
mod groups;
mod parameters;
mod single;
mod slimming;
mod telemetry;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use definitions::Parameter;
use learning::{
    Control, ForecastData, ForecastModel, Forecaster, LearningError, Measured, ModelFile, Panel, PanelColumns, Shape,
    TrainingMoment,
};

use super::{Parameters, TftLearner, TftModel};
use crate::random::{mix, unit};

const HOUR: i64 = 3_600_000_000;

fn declared(pairs: &[(&str, Parameter)]) -> BTreeMap<String, Parameter> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}

fn float(number: f64) -> Parameter {
    Parameter::Float(number)
}

fn word(text: &str) -> Parameter {
    Parameter::Text(text.to_owned())
}

/// Two hosts, a wave of 8 hours with a level each; the first 100 hours are train, the rest validation.
fn panel() -> Panel {
    panel_of(2, false)
}

/// The same beside noise: what is known, `dull`, and what is observed, `noise` and `hum`.
fn noisy_panel() -> Panel {
    panel_of(2, true)
}

/// So many hosts; those of even numbers are large, those of odd ones small.
fn panel_of(hosts: usize, is_noisy: bool) -> Panel {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let noise = |names_of_noise: &[&str]| names(if is_noisy { names_of_noise } else { &[] });
    let columns = PanelColumns {
        keys: names(&["host"]),
        event_time: "ts".to_owned(),
        targets: names(&["y"]),
        fixed: names(&["kind"]),
        known: [names(&["phase"]), noise(&["dull"])].concat(),
        observed: noise(&["noise", "hum"]),
        frequency: HOUR,
        ..PanelColumns::default()
    };
    let parts = [(1, rows(hosts, 0..100)), (2, rows(hosts, 100..140))];
    Panel::new(&parts, &columns).unwrap()
}

fn rows(hosts: usize, hours: std::ops::Range<i64>) -> RecordBatch {
    let all: Vec<(usize, i64)> = (0..hosts)
        .flat_map(|host| hours.clone().map(move |hour| (host, hour)))
        .collect();
    let wave = |hour: i64| (hour as f64 / 8.0 * std::f64::consts::TAU).sin();
    let noise = |host: usize, hour: i64, kind: u64| unit(mix(kind, ((host as u64) << 32) | hour as u64));
    let texts = |of: &dyn Fn(usize) -> String| -> ArrayRef {
        Arc::new(all.iter().map(|(host, _)| Some(of(*host))).collect::<StringArray>())
    };
    let numbers = |of: &dyn Fn(usize, i64) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(
            all.iter().map(|(host, hour)| of(*host, *hour)),
        ))
    };
    let times = TimestampMicrosecondArray::from_iter_values(all.iter().map(|(_, hour)| hour * HOUR));
    let columns: [(&str, ArrayRef); 8] = [
        ("host", texts(&|host| format!("h{host}"))),
        ("ts", Arc::new(times.with_timezone("UTC"))),
        ("y", numbers(&|host, hour| 10.0 * host as f64 + wave(hour))),
        ("kind", texts(&|host| ["large", "small"][host % 2].to_owned())),
        ("phase", numbers(&|_, hour| wave(hour))),
        ("dull", numbers(&|_, _| 1.0)),
        ("noise", numbers(&|host, hour| noise(host, hour, 1))),
        ("hum", numbers(&|host, hour| noise(host, hour, 2))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// How a training differs from the usual one.
#[derive(Clone)]
struct Way {
    said: BTreeMap<String, Parameter>,
    threads: usize,
    seed: u64,
    checkpoint: Option<PathBuf>,
    resume: Option<PathBuf>,
    telemetry: Option<PathBuf>,
    /// The step at which it is stopped.
    stop_at: Option<u64>,
}

impl Way {
    fn of(threads: usize) -> Self {
        let said = declared(&[
            ("hidden", Parameter::Integer(8)),
            ("heads", Parameter::Integer(2)),
            ("dropout", float(0.0)),
            ("epochs", Parameter::Integer(3)),
            ("batch_size", Parameter::Integer(16)),
            ("learning_rate", float(0.01)),
        ]);
        Self {
            said,
            threads,
            seed: 7,
            checkpoint: None,
            resume: None,
            telemetry: None,
            stop_at: None,
        }
    }

    fn saying(mut self, name: &str, value: Parameter) -> Self {
        self.said.insert(name.to_owned(), value);
        self
    }
}

type Fitted = Result<Box<dyn ForecastModel>, LearningError>;

/// A model, and each step that was told, with how many there would be.
fn fit_with(panel: &Panel, way: &Way) -> (Fitted, Vec<(u64, u64)>) {
    let (train, validation) = (panel.windows(1, 4, 1), panel.windows(2, 4, 1));
    let data = ForecastData {
        panel,
        shape: Shape { context: 8, horizon: 4 },
        train_part: 1,
        train: &train,
        validation: &validation,
        seed: way.seed,
        threads: way.threads,
        data_identity: "waves",
        checkpoint: way.checkpoint.clone(),
        resume: way.resume.clone(),
        telemetry: way.telemetry.clone(),
    };
    let mut told = Vec::new();
    let learner = TftLearner::new(Parameters::from_declared(&way.said).unwrap());
    let model = learner.fit(&data, &mut |moment| {
        let TrainingMoment::Step { step, of } = moment else {
            return Control::Continue;
        };
        told.push((step, of));
        if way.stop_at == Some(step) {
            Control::Stop
        } else {
            Control::Continue
        }
    });
    (model, told)
}

fn fit(panel: &Panel, way: &Way) -> Box<dyn ForecastModel> {
    fit_with(panel, way).0.unwrap()
}

fn load(files: &[ModelFile]) -> Box<dyn ForecastModel> {
    let find = |name: &str| files.iter().find(|file| file.name == name).unwrap().bytes.clone();
    Box::new(TftModel::load(|name: &str| Ok::<_, LearningError>(find(name)), 1).unwrap())
}

/// A training that is stopped at any of these steps and gone on from comes to the same files as one that never stopped, and nothing is
/// done twice.
fn check_resumed(panel: &Panel, way: &Way, stops: &[u64]) {
    let (wanted, told) = fit_with(panel, way);
    let (wanted, steps) = (wanted.unwrap(), told.len() as u64);
    for stop_at in stops {
        let folder = tempfile::tempdir().unwrap();
        let checkpoint = Some(folder.path().join("run.safetensors"));
        let first = Way {
            checkpoint: checkpoint.clone(),
            stop_at: Some(*stop_at),
            ..way.clone()
        };
        let (stopped, begun) = fit_with(panel, &first);
        assert!(stopped.is_ok(), "stopped at {stop_at}");
        let rest = Way {
            resume: checkpoint.clone(),
            checkpoint,
            ..way.clone()
        };
        let (model, told) = fit_with(panel, &rest);
        let model = model.unwrap();
        assert_eq!(model.files().unwrap(), wanted.files().unwrap(), "stopped at {stop_at}");
        assert_eq!(model.notes(), wanted.notes(), "stopped at {stop_at}");
        let epochs = |model: &dyn ForecastModel| -> Vec<(usize, usize, Vec<Measured>)> {
            let all = model.history().iter();
            all.map(|of| (of.iteration, of.of, of.measured.clone())).collect()
        };
        let (found, wanted) = (epochs(model.as_ref()), epochs(wanted.as_ref()));
        assert_eq!(found, wanted, "stopped at {stop_at}");
        assert_eq!((begun.len() + told.len()) as u64, steps, "stopped at {stop_at}");
    }
}
