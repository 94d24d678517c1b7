//! Values computed by scikit-learn 1.9.1 in Python 3.11 (`mean_absolute_error`, `root_mean_squared_error`, `r2_score`,
//! `mean_pinball_loss`, `mean_absolute_percentage_error` without the zero label, `roc_auc_score`, `log_loss`, `f1_score`,
//! `precision_score`, `recall_score`, with `average="macro"` for three classes); the symmetric percentage error by its formula in
//! NumPy.

use super::{binary, classes, close, number, one};
use crate::{ConfusionMatrix, Truth, confusion};

const LABELS: [f64; 6] = [3.0, -0.5, 2.0, 7.0, 0.0, 4.25];
const NUMBERS: [f64; 6] = [2.5, 0.0, 2.1, 7.8, 0.3, 4.25];

const CLASSES: [f64; 10] = [0., 1., 1., 0., 1., 0., 1., 1., 0., 0.];
const PROBABILITIES: [f64; 10] = [0.1, 0.9, 0.4, 0.4, 0.8, 0.35, 0.35, 1.0, 0.0, 0.6];

#[test]
fn metrics_of_numbers_are_those_of_scikit_learn() {
    let known = [
        ("mae", 0.366_666_666_666_666_64),
        ("mse", 0.206_666_666_666_666_64),
        ("rmse", 0.454_606_056_566_195_2),
        ("r2", 0.968_179_631_114_675_2),
        ("pinball(0.1)", 0.263_333_333_333_333_36),
        ("pinball(0.5)", 0.183_333_333_333_333_32),
        ("pinball(0.9)", 0.103_333_333_333_333_33),
        ("mape", 0.266_190_476_190_476_2),
        ("smape", 0.723_117_796_288_527_9),
    ];
    for (metric, value) in known {
        close(number(metric, &LABELS, &NUMBERS).value, value);
    }
}

#[test]
fn metrics_of_two_classes_are_those_of_scikit_learn() {
    let known = [
        ("auc", 0.84),
        ("log_loss", 0.425_787_671_073_529_6),
        ("f1", 0.666_666_666_666_666_6),
        ("accuracy", 0.7),
        ("precision", 0.75),
        ("recall", 0.6),
    ];
    for (metric, value) in known {
        close(binary(metric, &CLASSES, &PROBABILITIES).value, value);
    }
    // A certain prediction that is wrong costs as much as the margin allows, not infinity.
    close(
        binary("log_loss", &[0.0, 1.0], &[1.0, 1.0]).value,
        18.021_826_694_558_577,
    );
}

#[test]
fn metrics_of_three_classes_are_those_of_scikit_learn() {
    let names = classes(&["a", "b", "c"]);
    let labels = [0., 1., 2., 2., 1., 0., 2., 1.];
    let third = 1.0 / 3.0;
    let probabilities = [
        vec![0.7, 0.2, 0.1, 0.3, 0.5, 0.6, 0.05, third],
        vec![0.2, 0.5, 0.2, 0.4, 0.4, 0.3, 0.05, third],
        vec![0.1, 0.3, 0.7, 0.3, 0.1, 0.1, 0.9, third],
    ];
    let truth = Truth::of_classes(&names, &labels);
    let known = [
        ("log_loss", 0.655_194_879_091_178_5),
        ("f1", 0.622_222_222_222_222_2),
        ("accuracy", 0.625),
        ("precision", 0.666_666_666_666_666_6),
        ("recall", 0.666_666_666_666_666_6),
    ];
    for (metric, value) in known {
        close(one(metric, truth, &probabilities).value, value);
    }
    let counts = vec![vec![2, 0, 0], vec![2, 1, 0], vec![0, 1, 2]];
    assert_eq!(
        confusion(truth, &probabilities).unwrap(),
        Some(ConfusionMatrix {
            classes: names.clone(),
            counts
        })
    );
}

#[test]
fn class_that_is_never_predicted_counts_as_0_and_is_said() {
    let names = classes(&["a", "b", "c"]);
    let labels = [0., 1., 1., 0., 2.];
    let probabilities = [vec![1., 1., 1., 1., 0.], vec![0.; 5], vec![0., 0., 0., 0., 1.]];
    let truth = Truth::of_classes(&names, &labels);
    close(one("f1", truth, &probabilities).value, 0.555_555_555_555_555_5);
    close(one("recall", truth, &probabilities).value, 0.666_666_666_666_666_6);
    let precision = one("precision", truth, &probabilities);
    close(precision.value, 0.5);
    assert_eq!(
        precision.note.unwrap(),
        "no row is predicted to be of it for 1 of 3 classes, counted as 0"
    );
}

#[test]
fn two_classes_are_counted_by_true_and_predicted_class() {
    let names = classes(&["no", "yes"]);
    let matrix = confusion(Truth::of_classes(&names, &CLASSES), &[PROBABILITIES.to_vec()])
        .unwrap()
        .unwrap();
    assert_eq!(matrix.counts, [[4, 1], [2, 3]]);
}

#[test]
fn what_is_not_defined_has_no_value_and_a_reason() {
    let nan = f64::NAN;
    let cases = [
        (number("mae", &[], &[]), "there are no rows"),
        (number("r2", &[0.1; 7], &[0.2; 7]), "every label is the same"),
        (number("mape", &[0.0, 0.0], &[1.0, 2.0]), "every label is 0"),
        (
            number("rmse", &[1.0, 2.0, 3.0], &[1.0, nan, f64::INFINITY]),
            "2 of 3 predictions are not finite",
        ),
        (number("mae", &[1.0, nan], &[1.0, 1.0]), "1 of 2 labels are not finite"),
        (
            number("mse", &[1e200], &[-1e200]),
            "the numbers are too large to add up",
        ),
        (binary("auc", &[1.0, 1.0], &[0.1, 0.2]), "every row is of one class"),
        (binary("auc", &[], &[]), "there are no rows"),
        (
            binary("precision", &[1.0, 0.0], &[0.1, 0.2]),
            "no row is predicted to be of it",
        ),
        (binary("recall", &[0.0, 0.0], &[0.9, 0.2]), "no row is of it"),
        (
            binary("f1", &[0.0, 0.0], &[0.1, 0.5]),
            "no row is, or is predicted to be, of the second class",
        ),
    ];
    for (score, reason) in cases {
        assert_eq!(
            (score.value, score.note.as_deref()),
            (None, Some(reason)),
            "{}",
            score.metric
        );
    }
}

#[test]
fn zero_labels_are_left_out_of_the_percentage_error_and_counted() {
    let score = number("mape", &[0.0, 2.0, -4.0], &[1.0, 1.0, -4.0]);
    close(score.value, 0.25);
    assert_eq!(score.note.unwrap(), "1 of 3 rows left out, their label is 0");
}

#[test]
fn zero_predicted_as_zero_is_no_symmetric_error() {
    close(number("smape", &[0.0, 1.0], &[0.0, 3.0]).value, 0.5);
    close(number("smape", &[0.0], &[5.0]).value, 2.0);
}

#[test]
fn equal_probabilities_count_half() {
    assert_eq!(
        binary("auc", &[0.0, 1.0, 0.0, 1.0], &[0.1, 0.4, 0.4, 0.8]).value,
        Some(0.875)
    );
    assert_eq!(binary("auc", &[0.0, 1.0], &[0.0, -0.0]).value, Some(0.5));
    assert_eq!(binary("auc", &[0.0, 1.0, 1.0], &[0.3; 3]).value, Some(0.5));
}
