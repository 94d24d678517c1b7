#![expect(clippy::unwrap_used, clippy::panic, reason = "tests may")]

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use definitions::Baseline;
use proptest::prelude::*;

use super::*;
use crate::Control;

const MINUTE: i64 = 60_000_000;

/// Rows as `entity minute y`, one a line; `-` is NULL.
fn rows(text: &str) -> RecordBatch {
    let cells: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    let number = |cell: &str| (cell != "-").then(|| cell.parse::<f64>().unwrap());
    let time = |row: &Vec<&str>| (row[1].parse::<f64>().unwrap() * MINUTE as f64) as i64;
    let times = TimestampMicrosecondArray::from_iter_values(cells.iter().map(time)).with_timezone("UTC");
    let columns: [(&str, ArrayRef); 4] = [
        (
            "host",
            Arc::new(
                cells
                    .iter()
                    .map(|row| (row[0] != "-").then_some(row[0]))
                    .collect::<StringArray>(),
            ),
        ),
        ("ts", Arc::new(times)),
        (
            "y",
            Arc::new(cells.iter().map(|row| number(row[2])).collect::<Float64Array>()),
        ),
        (
            "kind",
            Arc::new(cells.iter().map(|row| row.get(3).copied()).collect::<StringArray>()),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap()
}

fn columns() -> PanelColumns {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    PanelColumns {
        keys: names(&["host"]),
        event_time: "ts".to_owned(),
        targets: names(&["y"]),
        fixed: names(&["kind"]),
        frequency: MINUTE,
        ..PanelColumns::default()
    }
}

fn panel(parts: &[(PartNumber, &str)]) -> Panel {
    let parts: Vec<(PartNumber, RecordBatch)> = parts.iter().map(|(part, text)| (*part, rows(text))).collect();
    Panel::new(&parts, &columns()).unwrap()
}

#[test]
fn rows_become_series_with_holes_and_the_last_of_a_step_counts() {
    let panel = panel(&[(1, "b 2 5 x\na 0 1\na 3 2 z\n- 1 9"), (2, "a 4 3 y\nb 2.5 6 x")]);
    assert_eq!(panel.names, ["a", "b"]);
    assert_eq!(panel.series(0), (0..5, 0));
    assert_eq!(panel.parts, [1, 0, 0, 1, 2, 2]);
    assert_eq!(panel.target(0, 3, 0), 2.0);
    assert!(panel.target(0, 1, 0).is_nan() && panel.target(0, 9, 0).is_nan());
    assert_eq!(panel.target(1, 2, 0), 6.0, "the later of two rows in one step");
    let notes = panel.notes;
    assert_eq!(
        (
            notes.rows,
            notes.without_key,
            notes.in_one_step,
            notes.holes,
            notes.changing
        ),
        (6, 1, 1, 2, 1)
    );
    let Values::Codes(kinds) = &panel.variables.fixed[0].values else {
        panic!("text is categorical")
    };
    let kind = |entity: usize| kinds.names[kinds.of_rows[entity] as usize - 1].clone();
    assert_eq!(
        (kind(0), kind(1)),
        ("z".to_owned(), "x".to_owned()),
        "the first that is known"
    );
}

#[test]
fn a_grid_lies_where_all_rows_lie() {
    let hour = 60 * MINUTE;
    let grid = Grid::of(hour, [hour * 5 + 7, hour * 9 + 7].into_iter());
    assert_eq!(
        (grid.offset, grid.step(hour * 5 + 7), grid.time(5)),
        (7, 5, hour * 5 + 7)
    );
    assert_eq!(grid.step(hour * 5 + 6), 4);
    assert_eq!(Grid::of(hour, [hour + 1, hour + 2].into_iter()).offset, 0);
    assert_eq!(Grid::of(hour, [-1].into_iter()).step(-1), -1);
}

/// By the definition, window by window.
fn naive_windows(panel: &Panel, part: PartNumber, horizon: usize) -> Vec<Window> {
    let mut found = Vec::new();
    for entity in 0..panel.names.len() {
        let (rows, first) = panel.series(entity);
        for now in rows.clone() {
            let ahead: Vec<usize> = (now + 1..=now + horizon).collect();
            let inside = ahead.iter().all(|row| rows.contains(row));
            let own = ahead.iter().all(|row| inside && [0, part].contains(&panel.parts[*row]));
            let known = ahead
                .iter()
                .any(|row| inside && panel.parts[*row] > 0 && panel.variables.observed[0].is_known(*row));
            if inside && own && known {
                found.push(Window {
                    entity: entity as u32,
                    now: first + (now - rows.start) as i64,
                });
            }
        }
    }
    found
}

proptest! {
    #[test]
    fn windows_are_those_of_the_definition(
        cells in prop::collection::vec((0..3_u8, 0..30_u8, any::<bool>(), 1..4_u16), 1..60),
        horizon in 1..6_usize,
        stride in 1..4_usize,
    ) {
        let mut parts: Vec<(PartNumber, String)> = Vec::new();
        for (entity, minute, has_value, part) in cells {
            let value = if has_value { "1" } else { "-" };
            parts.push((part, format!("h{entity} {minute} {value} k")));
        }
        let parts: Vec<(PartNumber, &str)> = parts.iter().map(|(part, text)| (*part, text.as_str())).collect();
        let panel = panel(&parts);
        for part in 1..4 {
            let naive = naive_windows(&panel, part, horizon);
            prop_assert_eq!(&panel.windows(part, horizon, 1), &naive);
            let thinned = panel.windows(part, horizon, stride);
            prop_assert!(thinned.iter().all(|window| naive.contains(window)));
            for entity in 0..3 {
                let of = |windows: &[Window]| windows.iter().filter(|window| window.entity == entity).count();
                prop_assert_eq!(of(&thinned), of(&naive).div_ceil(stride));
            }
        }
    }
}

fn series(values: impl Iterator<Item = f64>) -> String {
    let line = |(at, value): (usize, f64)| format!("a {at} {value} k\n");
    values.enumerate().map(line).collect()
}

#[test]
fn baselines_say_what_was_known_at_now() {
    let panel = panel(&[(1, "a 0 1\na 1 2\na 2 3\na 3 -\na 4 5\na 5 6\na 6 7")]);
    let (windows, shape) = ([Window { entity: 0, now: 3 }], Shape { context: 2, horizon: 3 });
    let of = |baseline| {
        point_forecasts(baseline, &panel, &windows, shape, &[4.0])
            .unwrap()
            .values
    };
    assert_eq!(of(Baseline::LastValue), [3.0, 3.0, 3.0], "the newest that is known");
    assert_eq!(of(Baseline::Mean), [4.0, 4.0, 4.0]);
    let season = |text: &str| Baseline::SeasonalNaive(text.parse().unwrap());
    // Steps 4, 5, 6 a season of 3 before: 1, 2, and 3, which is missing: 0.
    assert_eq!(of(season("3m")), [2.0, 3.0, 1.0]);
    assert!(point_forecasts(season("90s"), &panel, &windows, shape, &[]).is_err());
    assert_eq!(training_means(&panel, 1), [4.0]);
    // |3-1|, |5-3|, |7-5| of those with both known.
    assert_eq!(training_scales(&panel, 1, 2), [2.0]);
    assert!(training_scales(&panel, 2, 2)[0].is_nan());
}

#[test]
fn dlinear_learns_a_wave_and_the_same_bytes_every_time() {
    let wave = |at: usize| 10.0 + (at as f64 / 12.0 * std::f64::consts::TAU).sin();
    let panel = panel(&[(1, &series((0..200).map(wave)))]);
    let shape = Shape {
        context: 24,
        horizon: 6,
    };
    let train = panel.windows(1, shape.horizon, 1);
    let data = ForecastData {
        panel: &panel,
        shape,
        train_part: 1,
        train: &train,
        validation: &[],
        seed: 1,
        threads: 1,
        data_identity: "wave",
        checkpoint: None,
        resume: None,
        telemetry: None,
    };
    let fit = || Dlinear.fit(&data, &mut |_| Control::Continue).unwrap();
    let model = fit();
    let files = model.files().unwrap();
    assert_eq!(files, fit().files().unwrap());
    let windows = [Window { entity: 0, now: 150 }];
    let forecasts = model.forecast(&panel, &windows).unwrap();
    for (ahead, quantiles) in forecasts.values.chunks(3).enumerate() {
        let truth = wave(151 + ahead) as f32;
        assert!((quantiles[1] - truth).abs() < 0.1, "{quantiles:?} against {truth}");
        assert!(quantiles[0] <= quantiles[1] && quantiles[1] <= quantiles[2]);
    }
    let loaded = DlinearModel::load(|_: &str| Ok::<_, crate::LearningError>(files[0].bytes.clone())).unwrap();
    assert_eq!(loaded.forecast(&panel, &windows).unwrap().values, forecasts.values);
}

#[test]
fn a_spread_is_of_the_sorted_values() {
    let spread = Spread::of((0..=10).rev().map(|value| value as f32).collect());
    assert_eq!((spread.p10, spread.p50, spread.p90), (1.0, 5.0, 9.0));
    let explanation = Explanation {
        attention: vec![vec![0.2, 0.3, 0.5, 0.0], vec![0.0, 0.1, 0.5, 0.4]],
        ..Explanation::default()
    };
    let by_lag: Vec<i64> = explanation.attention_by_lag().iter().map(|(lag, _)| *lag).collect();
    assert_eq!(by_lag, [-1, 0, 1, 2]);
}
