use definitions::{Evaluate, Gates, Limits};

use super::{classes, number};
use crate::{Direction, EvaluationError, Metric, Quantile, Task, Truth, metrics_to_measure, scores};

#[test]
fn names_read_back_as_what_they_were() {
    for task in [Task::Regression, Task::Binary, Task::Multiclass] {
        for metric in task.default_metrics(Quantile::new(0.95)) {
            assert_eq!(metric.to_string().parse::<Metric>().unwrap(), metric);
            assert!(metric.fits(task));
        }
    }
    assert_eq!(
        "pinball( 0.25 )".parse::<Metric>().unwrap().to_string(),
        "pinball(0.25)"
    );
    let json = serde_json::to_string(&Metric::LogLoss).unwrap();
    assert_eq!(
        (json.as_str(), serde_json::from_str::<Metric>(&json).unwrap()),
        ("\"log_loss\"", Metric::LogLoss)
    );
}

#[test]
fn unknown_metric_is_refused_with_the_nearest() {
    let cases = [
        ("rsme", Some("metrics = [\"rmse\"]")),
        ("logloss", Some("metrics = [\"log_loss\"]")),
        ("MAE", Some("metrics = [\"mae\"]")),
        ("pinball", Some("metrics = [\"pinball(0.5)\"]")),
        ("pinball(1.0)", Some("metrics = [\"pinball(0.5)\"]")),
        ("something else", None),
    ];
    for (found, hint) in cases {
        let error = found.parse::<Metric>().unwrap_err();
        assert!(matches!(error, EvaluationError::UnknownMetric { .. }));
        assert_eq!(error.hint().as_deref(), hint, "{found}");
    }
    let wanted = "`rsme` is not a metric: expected one of `mae`, `rmse`, `mse`, `mape`, `smape`, `r2`, `pinball(0.5)`, `auc`, \
                  `log_loss`, `f1`, `accuracy`, `precision`, `recall`, `mase`, `weighted_quantile_loss`";
    assert_eq!("rsme".parse::<Metric>().unwrap_err().to_string(), wanted);
}

#[test]
fn objective_says_the_task_and_an_unknown_one_is_refused() {
    assert_eq!(Task::of_objective("poisson").unwrap(), Task::Regression);
    assert_eq!(Task::of_objective("binary").unwrap(), Task::Binary);
    assert_eq!(Task::of_objective("multiclassova").unwrap(), Task::Multiclass);
    let error = Task::of_objective("lambdarank").unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("`lambdarank` is not an objective that can be evaluated"),
        "{error}"
    );
}

#[test]
fn what_is_measured_is_what_is_named_and_what_the_gates_need() {
    let names = |metrics: &[&str]| Evaluate {
        metrics: classes(metrics),
        ..Evaluate::default()
    };
    let mut gates = Gates::default();
    gates.metrics.insert("rmse".to_owned(), Limits::default());
    gates.slices.insert("mae".to_owned(), Limits::default());
    let measured = |task, evaluate: &Evaluate| metrics_to_measure(task, None, evaluate, &gates);
    assert_eq!(
        measured(Task::Regression, &names(&["r2", "rmse"])).unwrap(),
        [Metric::R2, Metric::Rmse, Metric::Mae]
    );
    assert_eq!(
        measured(Task::Regression, &names(&[])).unwrap(),
        [Metric::Mae, Metric::Rmse, Metric::R2]
    );
    let error = measured(Task::Binary, &names(&["confusion", "auc"])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "metric `rmse` does not fit a binary task: expected one of `auc`, `log_loss`, `f1`, `accuracy`, `precision`, `recall`"
    );
    assert!(measured(Task::Regression, &names(&["confusion"])).is_err());
    let only = metrics_to_measure(Task::Binary, None, &names(&["confusion"]), &Gates::default()).unwrap();
    assert_eq!(only.first(), Some(&Metric::Auc));
}

#[test]
fn equal_values_are_not_better() {
    assert!(Direction::Lower.is_better(1.0, 2.0) && Direction::Higher.is_better(2.0, 1.0));
    assert!(!Direction::Lower.is_better(1.0, 1.0) && !Direction::Higher.is_better(1.0, 1.0));
    assert!(!Direction::Lower.is_better(f64::NAN, 1.0) && !Direction::Higher.is_better(f64::NAN, 1.0));
}

#[test]
fn predictions_of_another_shape_are_refused() {
    let names = classes(&["a", "b", "c"]);
    let error = scores(&[Metric::Mae], Truth::numbers(&[1.0, 2.0]), &[vec![1.0]]).unwrap_err();
    assert_eq!(error.to_string(), "the model predicts 1 rows: expected 2");
    let error = scores(&[Metric::F1], Truth::of_classes(&names, &[1.0]), &[vec![1.0]]).unwrap_err();
    assert_eq!(error.to_string(), "the model predicts 1 outputs: expected 3");
    let error = scores(
        &[Metric::F1],
        Truth::of_classes(&names, &[3.0]),
        &[vec![1.0], vec![0.0], vec![0.0]],
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "row 0 is of class number 3: expected a whole number below 3"
    );
    let error = scores(&[Metric::Auc], Truth::numbers(&[1.0]), &[vec![1.0]]).unwrap_err();
    assert!(matches!(
        error,
        EvaluationError::MetricDoesNotFit {
            metric: Metric::Auc,
            task: Task::Regression
        }
    ));
}

#[test]
fn sums_are_right_where_plain_ones_are_not() {
    let labels = vec![0.0; 10];
    let predictions = vec![0.1; 10];
    assert_eq!(number("mae", &labels, &predictions).value, Some(0.1));
}
