use definitions::{Baseline, Rival};

use super::{classes, close};
use crate::{
    Evaluation, EvaluationError, Metric, PartInput, RivalInput, Slice, SliceKey, Task, Truth, baseline_outputs,
    evaluate_part, slice_by_texts,
};

const METRICS: [Metric; 2] = [Metric::Mae, Metric::R2];

#[test]
fn rival_is_compared_on_the_rows_it_has_a_prediction_for() {
    let labels = [1.0, 2.0, 3.0, 4.0];
    let last_value = RivalInput {
        rival: Rival::Baseline(Baseline::LastValue),
        model_version: None,
        predictions: Some(vec![vec![f64::NAN, 3.0, 4.0, 5.0]]),
    };
    let champion = RivalInput {
        rival: Rival::Alias("champion".parse().unwrap()),
        model_version: None,
        predictions: None,
    };
    let input = PartInput {
        part: "test",
        truth: Truth::numbers(&labels),
        predictions: &[vec![9.0, 2.0, 3.0, 5.5]],
        slices: &[],
        rivals: &[last_value, champion],
    };
    let part = evaluate_part(&METRICS, &input).unwrap();
    close(part.model[0].value, 9.5 / 4.0);
    close(part.rivals[0].scores[0].value, 1.0);
    close(part.rivals[0].model[0].value, 0.5);
    assert_eq!((part.rows, part.rivals[0].rows, part.rivals[0].present), (4, 3, true));
    assert!(!part.rivals[1].present && part.rivals[1].scores.is_empty());
}

#[test]
fn slices_are_measured_alone_and_gated_from_30_rows() {
    let labels: Vec<f64> = (0..60).map(f64::from).collect();
    let regions: Vec<Option<String>> = (0..60)
        .map(|row| Some(if row < 29 { "a" } else { "b" }.to_owned()))
        .collect();
    let predictions = [labels
        .iter()
        .map(|label| if *label < 29.0 { label + 2.0 } else { *label })
        .collect()];
    let slices = slice_by_texts("region", &regions);
    let input = PartInput {
        part: "test",
        truth: Truth::numbers(&labels),
        predictions: &predictions,
        slices: &slices,
        rivals: &[],
    };
    let part = evaluate_part(&METRICS, &input).unwrap();
    let found: Vec<_> = part
        .slices
        .iter()
        .map(|slice| (slice.rows, slice.gated, slice.model[0].value))
        .collect();
    assert_eq!(found, [(29, false, Some(2.0)), (31, true, Some(0.0))]);
}

#[test]
fn slice_of_rows_that_are_not_there_is_refused() {
    let key = SliceKey {
        column: "region".to_owned(),
        value: Some("a".to_owned()),
    };
    let slices = [Slice { key, rows: vec![0, 2] }];
    let input = PartInput {
        part: "test",
        truth: Truth::numbers(&[1.0, 2.0]),
        predictions: &[vec![1.0, 2.0]],
        slices: &slices,
        rivals: &[],
    };
    let error = evaluate_part(&METRICS, &input).unwrap_err();
    assert_eq!(
        error,
        EvaluationError::UnknownRow {
            slice: "region=a".to_owned(),
            found: 2,
            rows: 2
        }
    );
}

#[test]
fn evaluation_reads_back_as_it_was_written_bit_for_bit() {
    let labels = [0.1, 0.7, 1.0 / 3.0];
    let truth = Truth::numbers(&labels);
    let input = PartInput {
        part: "test",
        truth,
        predictions: &[vec![0.2, 0.6, 0.35]],
        slices: &[],
        rivals: &[],
    };
    let parts = vec![evaluate_part(&METRICS, &input).unwrap()];
    let evaluation = Evaluation {
        task: Task::Regression,
        metrics: METRICS.to_vec(),
        parts,
    };
    let text = serde_json::to_string(&evaluation).unwrap();
    assert_eq!(serde_json::from_str::<Evaluation>(&text).unwrap(), evaluation);
    assert_eq!(evaluation.gated_part().unwrap().part, "test");
}

#[test]
fn classes_are_measured_with_their_confusion() {
    let names = classes(&["cold", "hot"]);
    let truth = Truth::of_classes(&names, &[0.0, 1.0, 1.0]);
    let input = PartInput {
        part: "test",
        truth,
        predictions: &[vec![0.2, 0.6, 0.4]],
        slices: &[],
        rivals: &[],
    };
    let part = evaluate_part(&[Metric::Accuracy], &input).unwrap();
    assert_eq!(part.confusion.unwrap().counts, [[1, 0], [1, 1]]);
}

#[test]
fn baseline_of_several_classes_is_certain_of_its_label_or_gives_the_shares() {
    let shares = [0.5, 0.3, 0.2];
    let outputs = baseline_outputs(Task::Multiclass, vec![2.0, f64::NAN, 0.0, 0.7], &shares);
    assert_eq!(
        outputs,
        [[0.0, 0.5, 1.0, 0.5], [0.0, 0.3, 0.0, 0.3], [1.0, 0.2, 0.0, 0.2]]
    );
    assert_eq!(
        baseline_outputs(Task::Binary, vec![1.0, 0.25], &[0.75, 0.25]),
        [[1.0, 0.25]]
    );
}
