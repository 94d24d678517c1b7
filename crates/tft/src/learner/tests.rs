#![expect(clippy::unwrap_used, clippy::panic, reason = "tests may")]

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use definitions::Parameter;
use learning::{
    Control, ForecastData, ForecastModel, Forecaster, LearningError, Panel, PanelColumns, Shape, TrainingMoment, Window,
};

use super::{ParameterError, Parameters, TftLearner, TftModel};
use crate::train::Schedule;

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

#[test]
fn what_a_pipeline_says_is_what_is_trained() {
    let said = declared(&[
        ("hidden", Parameter::Integer(16)),
        ("heads", Parameter::Integer(2)),
        ("quantiles", Parameter::List(vec![float(0.2), float(0.5), float(0.8)])),
        ("schedule", word("cosine")),
        ("warm_up", float(0.1)),
        ("patience", Parameter::Integer(0)),
        ("gradient_clip", float(0.0)),
    ]);
    let parameters = Parameters::from_declared(&said).unwrap();
    assert_eq!((parameters.hidden, parameters.heads), (16, 2));
    assert_eq!(
        (parameters.settings.patience, parameters.settings.gradient_clip),
        (None, None)
    );
    assert!(matches!(
        parameters.settings.schedule,
        Schedule::WarmUpCosine { warm_up: 0.1, .. }
    ));
    let all = parameters.all();
    assert_eq!(all["dropout"], serde_json::json!(0.1), "defaults stand there too");
    assert_eq!(all["batch_size"], serde_json::json!(64));
    assert_eq!(
        Parameters::from_declared(&declared(&[])).unwrap(),
        Parameters::default()
    );
}

#[test]
fn what_cannot_be_is_named_with_what_could() {
    let refused = |pairs: &[(&str, Parameter)]| {
        let error = Parameters::from_declared(&declared(pairs)).unwrap_err();
        format!("{error}; {}", error.hint())
    };
    let cases = [
        (
            refused(&[("hiden", Parameter::Integer(1))]),
            "tft has no parameter `hiden`; did you mean `hidden`?",
        ),
        (
            refused(&[("loss", word("mape"))]),
            "`loss`: wanted one of \"quantile\", \"mae\", \"mse\", \"huber\", found \"mape\"",
        ),
        (
            refused(&[("hidden", Parameter::Integer(6))]),
            "`heads`: wanted a divisor of `hidden`, which is 6",
        ),
        (refused(&[("delta", float(1.0))]), "`delta` is for `loss = \"huber\"`"),
        (
            refused(&[("quantiles", Parameter::List(vec![float(0.9), float(0.1)]))]),
            "`quantiles`: wanted ascending numbers",
        ),
        (
            refused(&[("epochs", Parameter::Integer(0))]),
            "`epochs`: wanted a whole number of at least 1, found 0",
        ),
    ];
    for (found, wanted) in cases {
        assert!(found.starts_with(wanted), "{found}\nwanted {wanted}");
    }
    assert!(matches!(
        Parameters::from_declared(&declared(&[("x", float(1.0))])),
        Err(ParameterError::Unknown { .. })
    ));
}

/// Two hosts, a wave of 8 hours with a level each; the first 100 hours are train, the rest validation.
fn panel() -> Panel {
    let columns = PanelColumns {
        keys: vec!["host".to_owned()],
        event_time: "ts".to_owned(),
        targets: vec!["y".to_owned()],
        fixed: vec!["kind".to_owned()],
        known: vec!["phase".to_owned()],
        frequency: HOUR,
        ..PanelColumns::default()
    };
    let rows = |hours: std::ops::Range<i64>| {
        let all: Vec<(usize, i64)> = (0..2)
            .flat_map(|host| hours.clone().map(move |hour| (host, hour)))
            .collect();
        let wave = |hour: i64| (hour as f64 / 8.0 * std::f64::consts::TAU).sin();
        let times = TimestampMicrosecondArray::from_iter_values(all.iter().map(|(_, hour)| hour * HOUR));
        let columns: [(&str, ArrayRef); 5] = [
            (
                "host",
                Arc::new(
                    all.iter()
                        .map(|(host, _)| Some(["a", "b"][*host]))
                        .collect::<StringArray>(),
                ),
            ),
            ("ts", Arc::new(times.with_timezone("UTC"))),
            (
                "y",
                Arc::new(Float64Array::from_iter_values(
                    all.iter().map(|(host, hour)| 10.0 * *host as f64 + wave(*hour)),
                )),
            ),
            (
                "kind",
                Arc::new(
                    all.iter()
                        .map(|(host, _)| Some(["large", "small"][*host]))
                        .collect::<StringArray>(),
                ),
            ),
            (
                "phase",
                Arc::new(Float64Array::from_iter_values(all.iter().map(|(_, hour)| wave(*hour)))),
            ),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    };
    Panel::new(&[(1, rows(0..100)), (2, rows(100..140))], &columns).unwrap()
}

fn fit(panel: &Panel, threads: usize) -> Box<dyn ForecastModel> {
    let said = declared(&[
        ("hidden", Parameter::Integer(8)),
        ("heads", Parameter::Integer(2)),
        ("dropout", float(0.0)),
        ("epochs", Parameter::Integer(3)),
        ("batch_size", Parameter::Integer(16)),
        ("learning_rate", float(0.01)),
    ]);
    let (train, validation) = (panel.windows(1, 4, 1), panel.windows(2, 4, 1));
    let data = ForecastData {
        panel,
        shape: Shape { context: 8, horizon: 4 },
        train_part: 1,
        train: &train,
        validation: &validation,
        seed: 7,
        threads,
        data_identity: "waves",
        checkpoint: None,
        resume: None,
    };
    let mut moments = (0, 0);
    let model = TftLearner::new(Parameters::from_declared(&said).unwrap()).fit(&data, &mut |moment| {
        match moment {
            TrainingMoment::Step { .. } => moments.0 += 1,
            TrainingMoment::Iteration(_) => moments.1 += 1,
        }
        Control::Continue
    });
    assert!(moments.0 > moments.1 && moments.1 == 3, "{moments:?}");
    model.unwrap()
}

#[test]
fn a_transformer_learns_is_kept_and_comes_back() {
    let panel = panel();
    let model = fit(&panel, 2);
    let losses: Vec<f64> = model.history().iter().map(|report| report.measured[0].value).collect();
    assert!(losses.last() < losses.first(), "{losses:?}");
    let files = model.files().unwrap();
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["model.safetensors", "config.json", "preprocessing.json"]);
    assert_eq!(
        files,
        fit(&panel, 1).files().unwrap(),
        "the same bytes for any number of threads"
    );
    let find = |name: &str| files.iter().find(|file| file.name == name).unwrap().bytes.clone();
    let loaded = TftModel::load(|name: &str| Ok::<_, LearningError>(find(name)), 1).unwrap();
    let windows = [Window { entity: 1, now: 120 }, Window { entity: 0, now: 50 }];
    let (own, other) = (
        model.forecast(&panel, &windows).unwrap(),
        loaded.forecast(&panel, &windows).unwrap(),
    );
    assert_eq!(own, other);
    assert_eq!(own.values.len(), 2 * 4 * 3);
    assert!(
        own.values[..12].iter().all(|value| (5.0..15.0).contains(value)),
        "the level of the host: {:?}",
        own.values
    );
    let weights: f64 = own.explanation.past.iter().map(|of| of.weight.p50).sum();
    assert!(
        own.explanation.past.len() == 2 && weights > 0.5,
        "{:?}",
        own.explanation.past
    );
    assert_eq!(
        (own.explanation.attention.len(), own.explanation.attention[0].len()),
        (4, 12)
    );
}

#[test]
fn a_panel_without_a_variable_is_refused() {
    let whole = panel();
    let model = fit(&whole, 1);
    let mut other = whole.clone();
    other.variables.known.clear();
    let Err(error) = model.forecast(&other, &[Window { entity: 0, now: 50 }]) else {
        panic!("it was not refused")
    };
    assert!(error.to_string().contains("`phase` is missing"), "{error}");
}
