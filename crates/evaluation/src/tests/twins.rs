//! Every metric against a twin that reads its formula aloud, on random rows.

use proptest::prelude::*;

use super::{binary, classes, number, one};
use crate::{Metric, Quantile, Truth};

fn agree(found: Option<f64>, twin: Option<f64>) -> Result<(), TestCaseError> {
    match (found, twin) {
        (Some(found), Some(twin)) => prop_assert!((found - twin).abs() <= 1e-9 * twin.abs().max(1.0), "{found} {twin}"),
        (found, twin) => prop_assert_eq!(found, twin),
    }
    Ok(())
}

fn mean(terms: Vec<f64>) -> Option<f64> {
    (!terms.is_empty()).then(|| terms.iter().sum::<f64>() / terms.len() as f64)
}

fn number_twin(metric: Metric, rows: &[(f64, f64)]) -> Option<f64> {
    let over = |term: &dyn Fn(f64, f64) -> f64| mean(rows.iter().map(|(y, p)| term(*y, *p)).collect());
    match metric {
        Metric::Mae => over(&|y, p| (y - p).abs()),
        Metric::Mse => over(&|y, p| (y - p).powi(2)),
        Metric::Rmse => over(&|y, p| (y - p).powi(2)).map(f64::sqrt),
        Metric::Smape => over(&|y, p| {
            if y == 0.0 && p == 0.0 {
                0.0
            } else {
                (y - p).abs() / ((y.abs() + p.abs()) / 2.0)
            }
        }),
        Metric::Mape => mean(
            rows.iter()
                .filter(|(y, _)| *y != 0.0)
                .map(|(y, p)| ((y - p) / y).abs())
                .collect(),
        ),
        Metric::Pinball(q) => over(&|y, p| {
            if y >= p {
                q.share() * (y - p)
            } else {
                (1.0 - q.share()) * (p - y)
            }
        }),
        Metric::R2 => {
            let centre = over(&|y, _| y)?;
            let spread = over(&|y, _| (y - centre).powi(2))?;
            let all_same = rows.iter().all(|(y, _)| *y == rows[0].0);
            if all_same {
                None
            } else {
                Some(1.0 - over(&|y, p| (y - p).powi(2))? / spread)
            }
        }
        _ => None,
    }
}

/// Every pair of a positive and a negative row.
fn auc_twin(rows: &[(bool, f64)]) -> Option<f64> {
    let pairs = rows
        .iter()
        .filter(|row| row.0)
        .flat_map(|yes| rows.iter().filter(|row| !row.0).map(move |no| (yes.1, no.1)));
    mean(
        pairs
            .map(|(yes, no)| {
                if yes > no {
                    1.0
                } else if yes == no {
                    0.5
                } else {
                    0.0
                }
            })
            .collect(),
    )
}

fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn class_twin(metric: Metric, rows: &[(usize, usize)], class: usize) -> Option<f64> {
    let count = |keep: &dyn Fn(bool, bool) -> bool| rows.iter().filter(|(t, p)| keep(*t == class, *p == class)).count();
    let (hit, truth, predicted) = (count(&|t, p| t && p), count(&|t, _| t), count(&|_, p| p));
    match metric {
        Metric::Precision => ratio(hit, predicted),
        Metric::Recall => ratio(hit, truth),
        _ => ratio(2 * hit, truth + predicted),
    }
}

proptest! {
    #[test]
    fn metrics_of_numbers_agree_with_their_formulas(
        rows in prop::collection::vec((-5..5_i32, -50..50_i32), 0..40),
        share in 0.01..0.99_f64,
    ) {
        let rows: Vec<(f64, f64)> = rows.into_iter().map(|(y, p)| (f64::from(y), f64::from(p) / 10.0)).collect();
        let (labels, predictions): (Vec<f64>, Vec<f64>) = rows.iter().copied().unzip();
        let pinball = Metric::Pinball(Quantile::new(share).unwrap());
        for metric in [Metric::Mae, Metric::Mse, Metric::Rmse, Metric::Mape, Metric::Smape, Metric::R2, pinball] {
            agree(number(&metric.to_string(), &labels, &predictions).value, number_twin(metric, &rows))?;
        }
    }

    #[test]
    fn metrics_of_two_classes_agree_with_counting_pairs(rows in prop::collection::vec((any::<bool>(), 0..11_u8), 0..40)) {
        let rows: Vec<(bool, f64)> = rows.into_iter().map(|(yes, p)| (yes, f64::from(p) / 10.0)).collect();
        let labels: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
        let probabilities: Vec<f64> = rows.iter().map(|row| row.1).collect();
        agree(binary("auc", &labels, &probabilities).value, auc_twin(&rows))?;
        let pairs: Vec<(usize, usize)> = rows.iter().map(|(yes, p)| (usize::from(*yes), usize::from(*p > 0.5))).collect();
        for metric in [Metric::Precision, Metric::Recall, Metric::F1] {
            agree(binary(&metric.to_string(), &labels, &probabilities).value, class_twin(metric, &pairs, 1))?;
        }
        agree(binary("accuracy", &labels, &probabilities).value, mean(pairs.iter().map(|(t, p)| f64::from(t == p)).collect()))?;
        let loss = |(yes, p): &(bool, f64)| -(if *yes { *p } else { 1.0 - p }).clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln();
        agree(binary("log_loss", &labels, &probabilities).value, mean(rows.iter().map(loss).collect()))?;
    }

    #[test]
    fn metrics_of_several_classes_are_means_over_the_classes_that_are_there(
        rows in prop::collection::vec((0..4_usize, 0..4_usize), 1..30),
    ) {
        let names = classes(&["a", "b", "c", "d"]);
        let labels: Vec<f64> = rows.iter().map(|row| row.0 as f64).collect();
        let predictions: Vec<Vec<f64>> =
            (0..4).map(|class| rows.iter().map(|row| f64::from(row.1 == class) * 0.7 + 0.1).collect()).collect();
        let truth = Truth::of_classes(&names, &labels);
        let there: Vec<usize> = (0..4).filter(|class| rows.iter().any(|row| row.0 == *class || row.1 == *class)).collect();
        for metric in [Metric::Precision, Metric::Recall, Metric::F1] {
            let of_classes = there.iter().map(|class| class_twin(metric, &rows, *class).unwrap_or(0.0)).collect();
            agree(one(&metric.to_string(), truth, &predictions).value, mean(of_classes))?;
        }
    }

    #[test]
    fn order_of_rows_says_nothing_about_the_area_under_the_curve(
        mut rows in prop::collection::vec((any::<bool>(), 0.0..1.0_f64), 2..30),
    ) {
        let area = |rows: &[(bool, f64)]| {
            let (labels, p): (Vec<f64>, Vec<f64>) = rows.iter().map(|row| (f64::from(row.0), row.1)).unzip();
            binary("auc", &labels, &p).value
        };
        let before = area(&rows);
        rows.reverse();
        prop_assert_eq!(before, area(&rows));
    }
}
