#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, StringArray, TimestampMicrosecondArray};
use definitions::EventTime;
use feature_store::split::{FoldPart, Part};
use learning::{Control, Dlinear, ForecastData, Forecaster, ModelFile, PanelColumns, Shape, training_scales};
use trees::{LagForecaster, Parameters};

use super::super::panel::{TEST, TRAIN};
use super::*;

const HOUR: i64 = 3_600_000_000;
const SHAPE: Shape = Shape { context: 8, horizon: 3 };

fn fold(number: u32, parts: &[(Part, i64, i64)]) -> Fold {
    let part = |(part, from, to): &(Part, i64, i64)| FoldPart {
        part: *part,
        from: EventTime(from * HOUR),
        to: EventTime(to * HOUR),
        rows: 0,
    };
    Fold {
        number,
        parts: parts.iter().map(part).collect(),
        borders: Vec::new(),
    }
}

/// Two folds with a gap of 4 hours.
fn folds() -> [Fold; 2] {
    let of = |number, test| fold(number, &[(Part::Train, 0, test - 4), (Part::Test, test, test + 20)]);
    [of(1, 60), of(2, 80)]
}

/// Two hosts, 100 hours; from an hour on, the values are others.
fn panel(changed_from: i64) -> Panel {
    let rows: Vec<(i64, i64)> = (0..2).flat_map(|host| (0..100).map(move |hour| (host, hour))).collect();
    let value = |(host, hour): &(i64, i64)| {
        let own = (hour * 7919 + host * 31) % 23;
        if *hour >= changed_from {
            -1000.0 * own as f64
        } else {
            own as f64
        }
    };
    let times = rows.iter().map(|(_, hour)| hour * HOUR);
    let state = |(_, hour): &(i64, i64)| {
        if *hour >= changed_from {
            "other".to_owned()
        } else {
            format!("s{}", hour % 3)
        }
    };
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
        ("y", Arc::new(Float64Array::from_iter_values(rows.iter().map(value)))),
        ("state", Arc::new(StringArray::from_iter_values(rows.iter().map(state)))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let columns = PanelColumns {
        keys: vec!["host".to_owned()],
        event_time: "ts".to_owned(),
        targets: vec!["y".to_owned()],
        observed: vec!["state".to_owned()],
        frequency: HOUR,
        ..PanelColumns::default()
    };
    let numbers = Stretches::of(&folds()).of_rows(&batch, "ts").unwrap();
    Panel::numbered(&[batch], &numbers, &columns).unwrap()
}

/// What a learner makes of a fold's train.
fn files(panel: &Panel, learner: &dyn Forecaster) -> Vec<ModelFile> {
    let train = panel.windows(TRAIN, SHAPE.horizon, 1);
    let data = ForecastData {
        panel,
        shape: SHAPE,
        train_part: TRAIN,
        train: &train,
        validation: &[],
        seed: 1,
        threads: 1,
        data_identity: "",
        checkpoint: None,
        resume: None,
        telemetry: None,
    };
    learner.fit(&data, &mut |_| Control::Continue).unwrap().files().unwrap()
}

#[test]
fn rows_of_each_fold_have_the_parts_of_its_stretches() {
    let (mut panel, folds) = (panel(1000), folds());
    let walk = Walk::of(&panel, &folds);
    for (fold, test) in folds.iter().zip([60, 80]) {
        walk.renumber(&mut panel, fold);
        let wanted = |hour: usize| match hour {
            _ if hour < test - 4 => TRAIN,
            _ if (test..test + 20).contains(&hour) => TEST,
            _ => GAP,
        };
        let both: Vec<PartNumber> = (0..200).map(|row| wanted(row % 100)).collect();
        assert_eq!(panel.parts, both);
        let test_windows = panel.windows(TEST, SHAPE.horizon, 1);
        assert_eq!(test_windows.len(), 2 * 18, "all whose steps ahead lie in the test");
        let last = panel
            .windows(TRAIN, SHAPE.horizon, 1)
            .iter()
            .map(|window| window.now)
            .max();
        assert_eq!(last, Some(test as i64 - 4 - 1 - SHAPE.horizon as i64));
    }
}

#[test]
fn rows_after_a_folds_train_change_nothing_that_it_learns() {
    let folds = folds();
    let trees = LagForecaster::new(
        Parameters {
            rounds: 20,
            ..Parameters::default()
        },
        Some(4),
    )
    .unwrap();
    let learners: [&dyn Forecaster; 2] = [&Dlinear, &trees];
    let of_first = |changed_from: i64| {
        let mut panel = panel(changed_from);
        let walk = Walk::of(&panel, &folds);
        // As in training: a fold after another.
        walk.renumber(&mut panel, &folds[1]);
        walk.renumber(&mut panel, &folds[0]);
        let scales = training_scales(&panel, TRAIN, 1);
        (learners.map(|learner| files(&panel, learner)), scales)
    };
    let own = of_first(1000);
    // The train of the first fold ends before hour 56.
    assert_eq!(own, of_first(56));
    assert_ne!(own.0[0], of_first(55).0[0], "what lies in train counts");
    assert_ne!(own.0[1], of_first(55).0[1], "what lies in train counts");
}
