use burn::backend::NdArray;
use burn::tensor::{Tensor, TensorData};
use proptest::prelude::*;

use super::*;

type Plain = NdArray<f64>;

/// The loss read aloud, number by number.
fn naive(loss: &Loss, forecast: f64, target: f64, level: f64) -> f64 {
    let rest = target - forecast;
    match loss {
        Loss::Quantile(_) => (level * rest).max((level - 1.0) * rest),
        Loss::Mae => rest.abs(),
        Loss::Mse => rest * rest,
        Loss::Huber { delta } if rest.abs() <= *delta => rest * rest / 2.0,
        Loss::Huber { delta } => delta * (rest.abs() - delta / 2.0),
        Loss::Poisson => forecast.exp() - target * forecast,
    }
}

fn check(loss: &Loss, forecasts: &[f64], targets: &[f64], known: &[f64]) {
    let device = Default::default();
    let levels = match loss {
        Loss::Quantile(levels) => levels.clone(),
        _ => vec![f64::NAN],
    };
    let rows = targets.len();
    let outputs = levels.len();
    let of = |values: &[f64]| Tensor::<Plain, 3>::from_data(TensorData::new(values.to_vec(), [rows, 1, 1]), &device);
    let forecast = Tensor::from_data(
        TensorData::new(forecasts[..rows * outputs].to_vec(), [rows, 1, 1, outputs]),
        &device,
    );
    let sum = loss.sum(forecast, of(targets), of(known));
    let mut wanted = 0.0;
    for row in 0..rows {
        for (at, level) in levels.iter().enumerate().filter(|_| known[row] > 0.0) {
            wanted += naive(loss, forecasts[row * outputs + at], targets[row], *level);
        }
    }
    let found: f64 = sum.sum.into_scalar();
    // Levels are given to the device in 32 bits.
    assert!(
        (found - wanted).abs() <= 1e-6 * (1.0 + wanted.abs()),
        "{loss:?}: {found} {wanted}"
    );
    assert_eq!(sum.known.into_scalar(), known.iter().sum::<f64>());
}

#[test]
fn pinball_loss_of_hand_examples() {
    let loss = Loss::Quantile(vec![0.1, 0.5, 0.9]);
    // y = 2, forecasts 1, 2, 4: 0.1·1 + 0 + 0.1·2.
    check(&loss, &[1.0, 2.0, 4.0], &[2.0], &[1.0]);
    assert!((naive(&loss, 1.0, 2.0, 0.1) + naive(&loss, 4.0, 2.0, 0.9) - 0.3).abs() < 1e-12);
}

#[test]
fn what_is_missing_does_not_count() {
    for loss in [Loss::Mae, Loss::Mse, Loss::Huber { delta: 1.0 }, Loss::Poisson] {
        check(&loss, &[1.0, 1e6], &[2.0, 0.0], &[1.0, 0.0]);
    }
}

proptest! {
    #[test]
    fn losses_agree_with_the_formulas_read_aloud(
        forecasts in prop::collection::vec(-3.0..3.0_f64, 24),
        targets in prop::collection::vec(-3.0..3.0_f64, 8),
        known in prop::collection::vec(prop::bool::ANY, 8),
    ) {
        let known: Vec<f64> = known.into_iter().map(f64::from).collect();
        for loss in [Loss::Quantile(vec![0.05, 0.5, 0.95]), Loss::Mae, Loss::Mse, Loss::Huber { delta: 0.7 }, Loss::Poisson] {
            check(&loss, &forecasts, &targets, &known);
        }
    }
}
