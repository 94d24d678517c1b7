//! Trees that forecast.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use learning::{Control, ForecastData, Forecaster, LearningError, Panel, PanelColumns, Shape, TrainingMoment, Window};
use trees::{LagForecastModel, LagForecaster, Objective, Parameters};

const SHAPE: Shape = Shape {
    context: 48,
    horizon: 6,
};

fn wave(host: usize, at: usize) -> f64 {
    let size = [1.0, 1000.0][host];
    size * (10.0 + (at as f64 / 24.0 * std::f64::consts::TAU).sin() + ((at * 7919 + host * 31) % 17) as f64 / 100.0)
}

/// Two hosts of very different sizes, a step an hour; the first 400 are train, 100 validation, 100 test.
fn panel() -> Panel {
    let part = |from: usize, to: usize| {
        let rows: Vec<(usize, usize)> = (0..2).flat_map(|host| (from..to).map(move |at| (host, at))).collect();
        let times = rows.iter().map(|(_, at)| *at as i64 * 3_600_000_000);
        let columns: [(&str, ArrayRef); 4] = [
            (
                "host",
                Arc::new(StringArray::from_iter_values(
                    rows.iter().map(|(host, _)| format!("h{host}")),
                )),
            ),
            (
                "ts",
                Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC")),
            ),
            (
                "y",
                Arc::new(Float64Array::from_iter_values(
                    rows.iter().map(|(host, at)| wave(*host, *at)),
                )),
            ),
            (
                "z",
                Arc::new(Float64Array::from_iter_values(
                    rows.iter().map(|(host, at)| -wave(*host, *at)),
                )),
            ),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    };
    let columns = PanelColumns {
        keys: vec!["host".to_owned()],
        event_time: "ts".to_owned(),
        targets: vec!["y".to_owned(), "z".to_owned()],
        frequency: 3_600_000_000,
        ..PanelColumns::default()
    };
    Panel::new(&[(1, part(0, 400)), (2, part(400, 500)), (3, part(500, 600))], &columns).unwrap()
}

fn data<'a>(panel: &'a Panel, train: &'a [Window], validation: &'a [Window], threads: usize) -> ForecastData<'a> {
    ForecastData {
        panel,
        shape: SHAPE,
        train_part: 1,
        train,
        validation,
        seed: 1,
        threads,
        data_identity: "waves",
        checkpoint: None,
        resume: None,
        telemetry: None,
    }
}

#[test]
fn waves_of_all_sizes_are_forecast_to_the_same_bytes_for_any_number_of_threads() {
    let panel = panel();
    let (train, validation) = (panel.windows(1, SHAPE.horizon, 1), panel.windows(2, SHAPE.horizon, 1));
    let learner = LagForecaster::new(Parameters::default(), Some(24)).unwrap();
    let mut moments = 0;
    let mut watch = |moment: TrainingMoment<'_>| {
        moments += usize::from(matches!(moment, TrainingMoment::Iteration(_)));
        Control::Continue
    };
    let model = learner.fit(&data(&panel, &train, &validation, 1), &mut watch).unwrap();
    let files = model.files().unwrap();
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["preprocessing.json", "model_1.txt", "model_2.txt"]);
    let more = learner
        .fit(&data(&panel, &train, &validation, 4), &mut |_| Control::Continue)
        .unwrap();
    assert_eq!(more.files().unwrap(), files);
    assert!(moments > model.history().len(), "every round of every target is told");
    let measured: Vec<&str> = model.history()[0]
        .measured
        .iter()
        .map(|of| of.metric.as_str())
        .collect();
    assert_eq!(measured, ["l1 of y", "l1 of z"]);

    let test = panel.windows(3, SHAPE.horizon, 1);
    let forecasts = model.forecast(&panel, &test).unwrap().values;
    assert_eq!(forecasts.len(), test.len() * SHAPE.horizon * 2);
    for (at, said) in forecasts.iter().enumerate() {
        let window = test[at / (SHAPE.horizon * 2)];
        let ahead = at / 2 % SHAPE.horizon + 1;
        let sign = [1.0, -1.0][at % 2];
        let host = window.entity as usize;
        let truth = sign * wave(host, window.now as usize + ahead);
        let error = (f64::from(*said) - truth).abs() / [1.0, 1000.0][host];
        assert!(error < 0.5, "{said} for {truth}");
    }
    let load = |name: &str| -> Result<Vec<u8>, LearningError> {
        Ok(files.iter().find(|file| file.name == name).unwrap().bytes.clone())
    };
    let loaded = LagForecastModel::load(2, load).unwrap();
    let again = learning::ForecastModel::forecast(&loaded, &panel, &test).unwrap();
    assert_eq!(again.values, forecasts);
}

#[test]
fn a_window_whose_context_is_empty_gets_no_forecast() {
    let panel = panel();
    let train = panel.windows(1, SHAPE.horizon, 1);
    let model = LagForecaster::new(Parameters::default(), None)
        .unwrap()
        .fit(&data(&panel, &train, &[], 1), &mut |_| Control::Continue)
        .unwrap();
    let before = Window { entity: 0, now: -1 };
    assert!(
        model
            .forecast(&panel, &[before])
            .unwrap()
            .values
            .iter()
            .all(|value| value.is_nan())
    );
}

#[test]
fn objectives_that_do_not_learn_the_middle_of_differences_are_refused() {
    for objective in [
        Objective::Poisson,
        Objective::Quantile,
        Objective::Binary,
        Objective::Mape,
    ] {
        let parameters = Parameters {
            objective: Some(objective),
            ..Parameters::default()
        };
        let error = LagForecaster::new(parameters, None).unwrap_err();
        assert!(error.to_string().contains("cannot forecast"), "{error}");
    }
}
