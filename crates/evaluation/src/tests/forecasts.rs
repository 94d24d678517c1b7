//! Forecasts, by hand.

use definitions::{Baseline, Rival};

use crate::{ForecastInput, ForecastRival, ForecastValues, Metric, evaluate_forecasts};

fn close(found: Option<f64>, wanted: f64) {
    let found = found.unwrap();
    assert!((found - wanted).abs() < 1e-6, "{found} against {wanted}");
}

/// Two windows, two steps, one target; one truth is not known.
fn input<'a>(targets: &'a [String], model: &'a ForecastValues, rivals: &'a [ForecastRival]) -> ForecastInput<'a> {
    ForecastInput {
        part: "test",
        targets,
        horizon: 2,
        quantiles: &[0.1, 0.5, 0.9],
        truth: &[10.0, 20.0, 30.0, f32::NAN],
        scales: &[2.0, f64::NAN],
        model,
        rivals,
    }
}

#[test]
fn every_number_is_as_by_hand() {
    let model = ForecastValues {
        values: vec![8.0, 9.0, 11.0, 21.0, 22.0, 25.0, 29.0, 30.0, 31.0, 0.0, 0.0, 0.0],
        is_point: false,
    };
    let last = ForecastRival {
        rival: Rival::Baseline(Baseline::LastValue),
        model_version: None,
        forecasts: Some(ForecastValues {
            values: vec![f32::NAN, 24.0, 30.0, 30.0],
            is_point: true,
        }),
    };
    let metrics = [Metric::Mae, Metric::Mase, Metric::WeightedQuantileLoss];
    let targets = ["cpu".to_owned()];
    let part = evaluate_forecasts(&metrics, &input(&targets, &model, &[last])).unwrap();
    assert_eq!(part.rows, 3);
    close(part.model[0].value, 1.0);
    close(part.model[1].value, (0.5 + 1.0) / 2.0);
    // q=0.1: 0.1*2, 0.9*1, 0.1*1; q=0.5: 0.5, 1, 0; q=0.9: 0.1*1, 0.1*5, 0.1*1; truth sums to 60.
    let risks = [2.0 * 1.2 / 60.0, 2.0 * 1.5 / 60.0, 2.0 * 0.7 / 60.0];
    close(part.model[2].value, risks.iter().sum::<f64>() / 3.0);
    let of = part.forecast.unwrap();
    assert_eq!((of.windows, of.subjects.len()), (2, 2));
    let all = &of.subjects[0].all;
    close(all.rmse, (5.0_f64 / 3.0).sqrt());
    assert_eq!(all.coverage.len(), 1);
    close(Some(all.coverage[0].interval), 0.8);
    close(Some(all.coverage[0].share), 2.0 / 3.0);
    let steps = &of.subjects[0].targets[0].steps;
    assert_eq!((steps[0].rows, steps[1].rows), (2, 1));
    close(steps[1].mae, 2.0);
    let rival = &part.rivals[0];
    assert_eq!(rival.rows, 2, "rows of which both say something");
    close(rival.scores[0].value, 2.0);
    close(rival.model[0].value, 1.0);
    assert!(of.subjects[1].all.coverage.is_empty(), "one number covers nothing");
    let rows = of.rows(&of.telling_steps());
    let names = rows.iter().map(|row| (row.subject, row.target, row.step));
    let side_by_side =
        [None, Some(1), Some(2)].map(|step| ["model", "last_value"].map(|subject| (subject, Some("cpu"), step)));
    assert_eq!(names.collect::<Vec<_>>(), side_by_side.concat());
    assert_eq!(of.headings(), ["P10 risk", "P50 risk", "P90 risk", "in 80 %"]);
    close(rows[0].scores.risk(0), risks[0]);
    assert_eq!(
        (rows[0].scores.covered(0).is_some(), rows[1].scores.covered(0)),
        (true, None)
    );
}

#[test]
fn nothing_to_measure_is_not_zero() {
    let model = ForecastValues {
        values: vec![f32::NAN; 12],
        is_point: false,
    };
    let targets = ["cpu".to_owned()];
    let part = evaluate_forecasts(&[Metric::Mae, Metric::Mase], &input(&targets, &model, &[])).unwrap();
    assert!(
        part.model
            .iter()
            .all(|score| score.value.is_none() && score.note.is_some())
    );
    assert_eq!(part.forecast.unwrap().subjects[0].all.mae, None);
}
