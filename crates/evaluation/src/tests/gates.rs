use definitions::{Baseline, Gates, Limits, Rival};

use crate::{
    Evaluation, GateReport, Metric, PartEvaluation, RivalEvaluation, Score, SliceEvaluation, SliceKey, Task,
    check_gates,
};

fn scores(values: &[(Metric, Option<f64>)]) -> Vec<Score> {
    let note = |value: Option<f64>| value.is_none().then(|| "every label is the same".to_owned());
    values
        .iter()
        .map(|(metric, value)| Score {
            metric: *metric,
            value: *value,
            note: note(*value),
        })
        .collect()
}

fn slice(value: &str, rows: u64, mae: Option<f64>) -> SliceEvaluation {
    let key = SliceKey {
        column: "region".to_owned(),
        value: Some(value.to_owned()),
    };
    SliceEvaluation {
        key,
        rows,
        gated: rows >= 30,
        model: scores(&[(Metric::Mae, mae)]),
    }
}

fn last_value() -> Rival {
    Rival::Baseline(Baseline::LastValue)
}

fn champion() -> Rival {
    Rival::Alias("champion".parse().unwrap())
}

fn rival(rival: Rival, ours: Option<f64>, theirs: Option<f64>) -> RivalEvaluation {
    let (scores, model) = (scores(&[(Metric::Mae, theirs)]), scores(&[(Metric::Mae, ours)]));
    RivalEvaluation {
        rival,
        model_version: None,
        present: true,
        rows: 90,
        scores,
        model,
    }
}

/// A test part with mae 4.31, r2 not defined, three slices, and a baseline at 5.
fn evaluation() -> Evaluation {
    let slices = vec![
        slice("east", 60, Some(4.0)),
        slice("north", 29, Some(99.0)),
        slice("west", 40, Some(6.5)),
    ];
    let part = |part: &str| PartEvaluation {
        part: part.to_owned(),
        rows: 90,
        model: scores(&[(Metric::Mae, Some(4.31)), (Metric::R2, None)]),
        confusion: None,
        slices: slices.clone(),
        rivals: vec![rival(last_value(), Some(4.31), Some(5.0))],
        forecast: None,
    };
    Evaluation {
        task: Task::Regression,
        metrics: vec![Metric::Mae, Metric::R2],
        parts: vec![part("train"), part("test")],
    }
}

fn limits(word: &str, bound: f64) -> Limits {
    let mut limits = Limits::default();
    *match word {
        "max" => &mut limits.max,
        "min" => &mut limits.min,
        "max_ratio" => &mut limits.max_ratio,
        _ => &mut limits.min_ratio,
    } = Some(bound);
    limits
}

fn gate(metric: &str, word: &str, bound: f64) -> Gates {
    Gates {
        metrics: [(metric.to_owned(), limits(word, bound))].into(),
        ..Gates::default()
    }
}

fn slice_gate(metric: &str, word: &str, bound: f64) -> Gates {
    Gates {
        slices: [(metric.to_owned(), limits(word, bound))].into(),
        ..Gates::default()
    }
}

fn beats(rival: Rival) -> Gates {
    Gates {
        beats: vec![rival],
        ..Gates::default()
    }
}

#[track_caller]
fn check(gates: &Gates, evaluation: &Evaluation, passed: bool, wanted: &str) -> GateReport {
    let report = check_gates(gates, evaluation);
    assert_eq!(report.lines(), [wanted]);
    assert_eq!(
        (report.passed, report.failures().count()),
        (passed, usize::from(!passed))
    );
    report
}

#[test]
fn value_over_its_limit_fails_and_says_by_how_much() {
    let report = check(
        &gate("mae", "max", 4.0),
        &evaluation(),
        false,
        "gate mae: 4.31 > 4.00 (max), over by 0.31 (7.8 %)",
    );
    assert_eq!(report.part.as_deref(), Some("test"));
    assert_eq!(
        (report.checks[0].value, report.checks[0].limit.as_str()),
        (Some(4.31), "<= 4.00 (max)")
    );
    check(
        &gate("mae", "min", 4.5),
        &evaluation(),
        false,
        "gate mae: 4.31 < 4.50 (min), short by 0.19 (4.2 %)",
    );
}

#[test]
fn value_at_its_limit_passes() {
    check(
        &gate("mae", "max", 4.31),
        &evaluation(),
        true,
        "gate mae: 4.31 <= 4.31 (max), exactly",
    );
    check(
        &gate("mae", "max", 5.0),
        &evaluation(),
        true,
        "gate mae: 4.31 <= 5.00 (max), 0.69 (13.8 %) to spare",
    );
}

#[test]
fn values_that_differ_are_never_shown_as_equal() {
    check(
        &gate("mae", "max", 4.309_99),
        &evaluation(),
        false,
        "gate mae: 4.31000 > 4.30999 (max), over by 0.00001 (0.0 %)",
    );
    check(
        &gate("mae", "max", 0.0),
        &evaluation(),
        false,
        "gate mae: 4.31 > 0.00 (max), over by 4.31",
    );
}

#[test]
fn metric_without_a_value_fails_with_the_reason() {
    let wanted = "gate r2: not defined on the test part: every label is the same (limit: >= 0.8000 (min))";
    let report = check(&gate("r2", "min", 0.8), &evaluation(), false, wanted);
    assert_eq!(report.checks[0].value, None);
    check(
        &gate("rmse", "max", 4.0),
        &evaluation(),
        false,
        "gate rmse: it was not measured (limit: <= 4.00 (max))",
    );
    let report = check_gates(&gate("rsme", "max", 4.0), &evaluation());
    assert!(
        !report.passed && report.lines()[0].starts_with("gate rsme: `rsme` is not a metric"),
        "{report:?}"
    );
    let nothing = Evaluation {
        parts: Vec::new(),
        ..evaluation()
    };
    check(
        &gate("mae", "max", 4.0),
        &nothing,
        false,
        "gate mae: there is no part to measure on (limit: <= 4.00 (max))",
    );
    check(
        &gate("mae", "max_ratio", 4.0),
        &evaluation(),
        false,
        "gate mae: a ratio needs slices to compare with the whole (limit: <= 4.00 x the whole (max_ratio))",
    );
}

#[test]
fn limit_that_is_no_number_is_never_kept() {
    assert!(!check_gates(&gate("mae", "max", f64::NAN), &evaluation()).passed);
    assert!(!check_gates(&slice_gate("mae", "max", f64::NAN), &evaluation()).passed);
}

#[test]
fn worst_slice_decides_and_small_ones_do_not_count() {
    check(
        &slice_gate("mae", "max_ratio", 1.5),
        &evaluation(),
        false,
        "gate slice_mae: region=west 6.500 > 6.465 (max_ratio 1.50 x the whole), over by 0.035 (0.5 %); 1 of 2 slices fail: region=west",
    );
    check(
        &slice_gate("mae", "max_ratio", 2.0),
        &evaluation(),
        true,
        "gate slice_mae: region=west 6.50 <= 8.62 (max_ratio 2.00 x the whole), 2.12 (24.6 %) to spare; the worst of 2 slices",
    );
    check(
        &slice_gate("mae", "max", 3.0),
        &evaluation(),
        false,
        "gate slice_mae: region=west 6.50 > 3.00 (max), over by 3.50 (116.7 %); 2 of 2 slices fail: region=east, region=west",
    );
}

#[test]
fn slices_that_cannot_be_judged_do_not_pass() {
    let with_slices = |slices: Vec<SliceEvaluation>| {
        let mut evaluation = evaluation();
        evaluation.parts[1].slices = slices;
        evaluation
    };
    let gates = slice_gate("mae", "max", 9.0);
    let limit = "(limit: <= 9.00 (max))";
    let wanted = format!("gate slice_mae: there are no slices: `[evaluate] slices` names no column {limit}");
    check(&gates, &with_slices(Vec::new()), false, &wanted);
    let wanted = format!("gate slice_mae: no slice has 30 rows, the fewest that a gate looks at {limit}");
    check(&gates, &with_slices(vec![slice("east", 29, Some(1.0))]), false, &wanted);
    let wanted = format!("gate slice_mae: not defined on slice region=east: every label is the same {limit}");
    check(&gates, &with_slices(vec![slice("east", 30, None)]), false, &wanted);
}

#[test]
fn ratio_to_a_negative_whole_says_nothing_and_to_zero_allows_only_zero() {
    let with_whole = |value: f64, slice_value: f64| {
        let mut evaluation = evaluation();
        evaluation.parts[1].model = scores(&[(Metric::Mae, Some(value))]);
        evaluation.parts[1].slices = vec![slice("east", 30, Some(slice_value))];
        evaluation
    };
    let report = check_gates(&slice_gate("mae", "max_ratio", 1.5), &with_whole(-1.0, -1.0));
    assert!(
        !report.passed && report.lines()[0].contains("a ratio to less than nothing says nothing"),
        "{report:?}"
    );
    assert!(check_gates(&slice_gate("mae", "max_ratio", 1.5), &with_whole(0.0, 0.0)).passed);
    assert!(!check_gates(&slice_gate("mae", "max_ratio", 1.5), &with_whole(0.0, 0.1)).passed);
}

#[test]
fn rival_is_beaten_by_less_than_it_only() {
    let wanted = "gate beats last_value: mae 4.31 < 5.00 (last_value's mae), 0.69 (13.8 %) to spare";
    check(&beats(last_value()), &evaluation(), true, wanted);
    let mut tied = evaluation();
    tied.parts[1].rivals = vec![rival(last_value(), Some(5.0), Some(5.0))];
    check(
        &beats(last_value()),
        &tied,
        false,
        "gate beats last_value: mae 5.00 >= 5.00 (last_value's mae), a tie",
    );
    tied.parts[1].rivals = vec![rival(champion(), Some(5.0), Some(4.0))];
    check(
        &beats(champion()),
        &tied,
        false,
        "gate beats champion: mae 5.00 >= 4.00 (champion's mae), over by 1.00 (25.0 %)",
    );
}

#[test]
fn champion_that_does_not_exist_yet_is_beaten() {
    let mut first = evaluation();
    let absent = RivalEvaluation {
        present: false,
        scores: Vec::new(),
        model: Vec::new(),
        ..rival(champion(), None, None)
    };
    first.parts[1].rivals = vec![absent];
    check(
        &beats(champion()),
        &first,
        true,
        "gate beats champion: there is no `champion` yet, nothing to beat",
    );
}

#[test]
fn rival_without_a_value_is_not_beaten() {
    let limit = "(limit: mae better than champion's)";
    check(
        &beats(champion()),
        &evaluation(),
        false,
        &format!("gate beats champion: it was not measured {limit}"),
    );
    let mut odd = evaluation();
    odd.parts[1].rivals = vec![rival(champion(), Some(1.0), None)];
    let wanted = format!("gate beats champion: champion's mae is not defined: every label is the same {limit}");
    check(&beats(champion()), &odd, false, &wanted);
}

#[test]
fn without_gates_everything_passes_and_without_a_test_part_validation_counts() {
    let report = check_gates(&Gates::default(), &evaluation());
    assert!(report.passed && report.checks.is_empty());
    let mut evaluation = evaluation();
    evaluation.parts[1].part = "validation".to_owned();
    assert_eq!(
        check_gates(&Gates::default(), &evaluation).part.as_deref(),
        Some("validation")
    );
}

#[test]
fn one_gate_that_fails_fails_the_whole() {
    let gates = Gates {
        beats: vec![last_value()],
        ..gate("mae", "max", 4.0)
    };
    let report = check_gates(&gates, &evaluation());
    assert_eq!(
        report.checks.iter().map(|check| check.passed).collect::<Vec<_>>(),
        [false, true]
    );
    assert!(!report.passed);
}
