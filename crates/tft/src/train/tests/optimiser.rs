//! AdamW against its formulas, number by number.

use burn::backend::{Flex, NdArray};
use burn::tensor::{Tensor, TensorData};

use crate::random::{mix, unit};
use crate::train::{AdamW, AdamWSettings, sum_in_order};

type Plain = NdArray<f64>;

fn tensor(values: &[f64]) -> Tensor<Plain, 1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), &Default::default())
}

#[test]
fn ten_steps_are_those_of_the_formulas() {
    let count = 7;
    let draw = |key: u64| -> Vec<f64> { (0..count).map(|at| 2.0 * unit(mix(key, at)) - 1.0).collect() };
    for clip in [None, Some(0.5), Some(100.0)] {
        let settings = AdamWSettings {
            weight_decay: 0.1,
            ..AdamWSettings::default()
        };
        let mut parameters = draw(0);
        let (mut m, mut v) = (vec![0.0; parameters.len()], vec![0.0; parameters.len()]);
        let mut found = tensor(&parameters);
        let mut optimiser = AdamW::new(settings, &found);
        for step in 1..=10 {
            let (gradient, rate) = (draw(step), 0.1 / step as f64);
            let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
            let scale = clip.map_or(1.0, |clip: f64| (clip / norm).min(1.0));
            for at in 0..parameters.len() {
                let g = gradient[at] * scale;
                m[at] = 0.9 * m[at] + 0.1 * g;
                v[at] = 0.999 * v[at] + 0.001 * g * g;
                let (m, v) = (
                    m[at] / (1.0 - 0.9_f64.powi(step as i32)),
                    v[at] / (1.0 - 0.999_f64.powi(step as i32)),
                );
                parameters[at] -= rate * (0.1 * parameters[at] + m / (v.sqrt() + 1e-8));
            }
            let (after, found_norm) = optimiser.step(found, tensor(&gradient), rate, clip);
            found = after;
            assert!((found_norm.into_scalar() - norm).abs() < 1e-12);
        }
        for (found, wanted) in found.into_data().to_vec::<f64>().unwrap().iter().zip(&parameters) {
            assert!((found - wanted).abs() < 1e-12, "{found} {wanted}");
        }
    }
}

#[test]
fn gradient_of_zeros_changes_nothing_but_the_decay() {
    let start = tensor(&[1.0, -2.0]);
    let mut optimiser = AdamW::new(
        AdamWSettings {
            weight_decay: 0.0,
            ..AdamWSettings::default()
        },
        &start,
    );
    let (after, norm) = optimiser.step(start, tensor(&[0.0, 0.0]), 0.1, Some(1.0));
    assert_eq!(after.into_data().to_vec::<f64>().unwrap(), [1.0, -2.0]);
    assert_eq!(norm.into_scalar(), 0.0);
}

#[test]
fn sum_is_that_of_all_numbers() {
    for count in [1_usize, 4095, 4096, 4097, 10_000] {
        let values: Vec<f32> = (0..count).map(|at| (at % 13) as f32).collect();
        let wanted: f32 = values.iter().sum();
        let found = Tensor::<Flex, 1>::from_data(TensorData::new(values, [count]), &Default::default());
        assert_eq!(sum_in_order(found).into_scalar(), wanted);
    }
}
