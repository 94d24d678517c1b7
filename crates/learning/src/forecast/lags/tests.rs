#![expect(clippy::unwrap_used, reason = "tests may")]

use arrow::array::{AsArray, Float64Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::Float32Type;
use proptest::prelude::*;

use super::*;
use crate::PanelColumns;
use crate::PartNumber;

const MINUTE: i64 = 60_000_000;

/// A row: host, minute, y, x, plan, state.
type Cells = (u8, i64, Option<f64>, Option<f64>, Option<f64>, Option<u8>);

fn panel(rows: &[(PartNumber, Cells)]) -> Panel {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let columns = PanelColumns {
        keys: names(&["host"]),
        event_time: "ts".to_owned(),
        targets: names(&["y"]),
        fixed: names(&["kind"]),
        known: names(&["plan"]),
        observed: names(&["x", "state"]),
        frequency: MINUTE,
        ..PanelColumns::default()
    };
    let batch = |(part, row): &(PartNumber, Cells)| {
        let (host, minute, y, x, plan, state) = *row;
        let time = TimestampMicrosecondArray::from(vec![minute * MINUTE]).with_timezone("UTC");
        let number = |value: Option<f64>| Arc::new(Float64Array::from(vec![value])) as ArrayRef;
        let text = |value: Option<String>| Arc::new(StringArray::from(vec![value])) as ArrayRef;
        let columns: [(&str, ArrayRef); 7] = [
            ("host", text(Some(format!("h{host}")))),
            ("ts", Arc::new(time)),
            ("y", number(y)),
            ("x", number(x)),
            ("plan", number(plan)),
            ("state", text(state.map(|state| format!("s{state}")))),
            ("kind", text(Some(format!("k{}", host % 2)))),
        ];
        (
            *part,
            RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap(),
        )
    };
    Panel::new(&rows.iter().map(batch).collect::<Vec<_>>(), &columns).unwrap()
}

fn data<'a>(panel: &'a Panel, train: &'a [Window], context: usize, horizon: usize) -> ForecastData<'a> {
    ForecastData {
        panel,
        shape: Shape { context, horizon },
        train_part: 1,
        train,
        validation: &[],
        seed: 1,
        threads: 1,
        data_identity: "",
        checkpoint: None,
        resume: None,
        telemetry: None,
    }
}

/// The columns by name.
fn told(rows: &LagRows) -> Vec<(String, Vec<f32>)> {
    let batch = &rows.matrix.batches()[0];
    let column = |at: usize| batch.column(at).as_primitive::<Float32Type>().values().to_vec();
    let names = rows.matrix.feature_names().into_iter().enumerate();
    names.map(|(at, name)| (name, column(at))).collect()
}

fn same(one: f32, other: f32) -> bool {
    (one.is_nan() && other.is_nan())
        || one == other
        || (one - other).abs() <= 1e-5 * one.abs().max(other.abs()).max(1.0)
}

/// A feature by its definition, from its name.
fn twin(panel: &Panel, of: &LagFeatures, asked: StepAhead, name: &str) -> f32 {
    let StepAhead { window, ahead } = asked;
    let (entity, now, ahead) = (window.entity as usize, window.now, ahead as i64);
    let first = now - of.context as i64 + 1;
    let y = |step: i64| {
        Some(f64::from(panel.target(entity, step, 0))).filter(|y| y.is_finite() && (first..=now).contains(&step))
    };
    let last_step = (first..=now).rev().find(|step| y(*step).is_some());
    let last = last_step.and_then(y);
    let stretch = |from: i64| -> Vec<f64> { (from..=now).filter_map(y).collect() };
    let mean = |values: &[f64]| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
    let deviation = |values: &[f64]| {
        let squares: Vec<f64> = values
            .iter()
            .map(|value| (value - mean(values).unwrap()).powi(2))
            .collect();
        mean(&squares).map(f64::sqrt)
    };
    let all = stretch(first);
    let own = deviation(&all).filter(|own| *own > mean(&all).unwrap().abs() * 1e-6 && *own > 0.0);
    let scale = own.unwrap_or(1.0);
    let difference = |y: f64| (y - last.unwrap()) / scale;
    let seasons = || {
        let season = of.season.unwrap() as i64;
        let steps = (1..)
            .map(move |k| now + ahead - k * season)
            .skip_while(move |step| *step > now);
        steps.take_while(|step| *step >= first)
    };
    let code = |variables: &[Variable], told: &[Told], name: &str, row: Option<usize>| {
        let variable = variables.iter().find(|of| of.name == name).unwrap();
        let told = told.iter().find(|of| of.name == name).unwrap();
        match (&variable.values, row) {
            (_, None) => None,
            (Values::Numbers(numbers), Some(row)) => Some(f64::from(numbers[row])),
            (Values::Codes(codes), Some(row)) => {
                let text = codes.of_rows[row].checked_sub(1).map(|at| &codes.names[at as usize]);
                let place = text.and_then(|text| told.categories.as_ref().unwrap().iter().position(|own| own == text));
                place.map(|place| place as f64)
            }
        }
    };
    let (kind, rest) = name.split_once('_').unwrap_or((name, ""));
    let span = || stretch(now + 1 - rest.parse::<i64>().unwrap());
    let variables = &panel.variables;
    let value = match kind {
        "ahead" => Some(ahead as f64),
        "last" => last,
        "age" => Some(last_step.map_or(of.context as i64, |step| now - step) as f64),
        "scale" => Some(scale),
        "lag" => y(now - rest.parse::<i64>().unwrap()).map(difference),
        "mean" => mean(&span()).map(difference),
        "min" => span().into_iter().min_by(f64::total_cmp).map(difference),
        "max" => span().into_iter().max_by(f64::total_cmp).map(difference),
        "deviation" => deviation(&span()).map(|own| own / scale),
        "before" if rest == "1" => seasons().next().and_then(y).map(difference),
        "before" => mean(&seasons().filter_map(y).collect::<Vec<_>>()).map(difference),
        "known" => code(&variables.known, &of.known, rest, panel.row(entity, now + ahead)),
        "observed" => code(&variables.observed, &of.observed, rest, panel.row(entity, now)),
        _ => code(&variables.fixed, &of.fixed, rest, Some(entity)),
    };
    value.map_or(f32::NAN, |value| value as f32)
}

fn cells() -> impl Strategy<Value = Vec<(PartNumber, Cells)>> {
    let value = || prop::option::weighted(0.8, (-50..50_i32).prop_map(f64::from));
    let row = (
        0..3_u8,
        0..40_i64,
        value(),
        value(),
        value(),
        prop::option::weighted(0.8, 0..4_u8),
    );
    prop::collection::vec((1..3 as PartNumber, row), 1..60)
}

proptest! {
    #[test]
    fn features_are_those_of_their_definitions(
        cells in cells(), context in 1..30_usize, horizon in 1..6_usize, season in prop::option::of(1..12_usize),
    ) {
        let panel = panel(&cells);
        let windows = panel.windows(1, horizon, 1);
        let features = LagFeatures::of(&data(&panel, &windows, context, horizon), 0, season);
        let asked = spread_steps(&windows, horizon, 50);
        let rows = features.rows(&panel, &asked).unwrap();
        for (name, column) in told(&rows) {
            for (asked, value) in asked.iter().zip(column) {
                let wanted = twin(&panel, &features, *asked, &name);
                prop_assert!(same(value, wanted), "{name} of {asked:?}: {value} for {wanted}");
            }
        }
    }

    #[test]
    fn neither_what_comes_nor_what_lies_before_the_context_is_told(
        cells in cells(), context in 1..10_usize, horizon in 1..6_usize, noise in -9.0..9.0_f32,
    ) {
        let panel = panel(&cells);
        let windows = panel.windows(1, horizon, 1);
        let features = LagFeatures::of(&data(&panel, &windows, context, horizon), 0, Some(3));
        for window in windows {
            let entity = window.entity as usize;
            let (rows, first) = panel.series(entity);
            let in_context = |row: usize| {
                let step = first + row as i64 - rows.start as i64;
                rows.contains(&row) && (window.now - context as i64 + 1..=window.now).contains(&step)
            };
            let mut other = panel.clone();
            for variable in &mut other.variables.observed {
                match &mut variable.values {
                    Values::Numbers(numbers) => {
                        let outside = numbers.iter_mut().enumerate().filter(|(row, _)| !in_context(*row));
                        outside.for_each(|(row, value)| *value = noise + row as f32);
                    }
                    Values::Codes(codes) => {
                        let outside = codes.of_rows.iter_mut().enumerate().filter(|(row, _)| !in_context(*row));
                        outside.for_each(|(_, code)| *code = 0);
                    }
                }
            }
            for variable in &mut other.variables.known {
                let Values::Numbers(numbers) = &mut variable.values else { continue };
                let ahead = |row: usize| {
                    let step = first + row as i64 - rows.start as i64;
                    rows.contains(&row) && (window.now + 1..=window.now + horizon as i64).contains(&step)
                };
                let outside = numbers.iter_mut().enumerate().filter(|(row, _)| !ahead(*row));
                outside.for_each(|(row, value)| *value = noise - row as f32);
            }
            let asked: Vec<StepAhead> = (1..=horizon).map(|ahead| StepAhead { window, ahead }).collect();
            let (own, theirs) = (features.rows(&panel, &asked).unwrap(), features.rows(&other, &asked).unwrap());
            for ((name, one), (_, other)) in told(&own).into_iter().zip(told(&theirs)) {
                let pairs = || one.iter().zip(&other);
                prop_assert!(pairs().all(|(one, other)| one.to_bits() == other.to_bits()), "{name} of {window:?}");
            }
        }
    }

    #[test]
    fn steps_are_spread_over_windows_and_over_the_horizon(windows in 1..500_usize, horizon in 1..50_usize, most in 1..2000_usize) {
        let windows: Vec<Window> = (0..windows).map(|now| Window { entity: 0, now: now as i64 }).collect();
        let asked = spread_steps(&windows, horizon, most);
        prop_assert!(!asked.is_empty() && asked.len() <= most);
        prop_assert!(asked.iter().all(|of| (1..=horizon).contains(&of.ahead)));
        let mut distinct = asked.iter().map(|of| (of.window, of.ahead)).collect::<Vec<_>>();
        distinct.sort_unstable();
        distinct.dedup();
        prop_assert_eq!(distinct.len(), asked.len(), "no row twice");
        if asked.len() >= 20 * horizon {
            for ahead in 1..=horizon {
                let count = asked.iter().filter(|of| of.ahead == ahead).count();
                prop_assert!(count >= asked.len() / horizon / 2, "{count} of step {ahead} among {}", asked.len());
            }
        }
    }
}

#[test]
fn a_category_that_training_has_not_seen_is_missing_and_labels_are_differences() {
    let row = |part, minute, y: f64, state| (part, (0, minute, Some(y), None, None, Some(state)));
    let panel = panel(&[
        row(1, 0, 1.0, 1),
        row(1, 1, 3.0, 1),
        row(1, 2, 5.0, 1),
        row(2, 3, 9.0, 2),
        row(2, 4, 1.0, 2),
    ]);
    let windows = panel.windows(1, 1, 1);
    let features = LagFeatures::of(&data(&panel, &windows, 2, 1), 0, None);
    let step = |now| StepAhead {
        window: Window { entity: 0, now },
        ahead: 1,
    };
    let rows = features.rows(&panel, &[step(1), step(3)]).unwrap();
    let states = told(&rows)
        .into_iter()
        .find(|(name, _)| name == "observed_state")
        .unwrap()
        .1;
    assert!(states[0] == 0.0 && states[1].is_nan(), "{states:?}");
    // Deviations within contexts of two: 1 and 2.
    let labelled = features.labelled(&panel, &[step(1), step(3), step(4)]).unwrap();
    assert_eq!(
        labelled.labels,
        [2.0, -4.0],
        "nothing is known of the step after the last"
    );
    assert_eq!(labelled.matrix.rows(), 2);
}
