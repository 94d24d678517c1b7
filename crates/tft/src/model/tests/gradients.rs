//! Gradients against differences, in double precision.

use burn::backend::Autodiff;
use burn::tensor::{Tensor, TensorData};

use super::example::{Example, Holes, Plain, architecture};
use crate::kernels::{Kernels, LstmInputs, LstmWeights, lstm_forward};
use crate::loss::Loss;
use crate::model::{Draws, Pass, TemporalFusionTransformer};
use crate::random::{mix, unit};
use crate::train::{gradients, parameters, replace};

type Graph = Autodiff<Plain>;

fn random<const D: usize>(shape: [usize; D], key: u64) -> Tensor<Graph, D> {
    let length: usize = shape.iter().product();
    let values: Vec<f64> = (0..length as u64).map(|at| 2.0 * unit(mix(key, at)) - 1.0).collect();
    Tensor::from_data(TensorData::new(values, shape), &Default::default())
}

fn check(loss: &Loss, holes: Holes, pass: Pass) {
    let mut architecture = architecture();
    architecture.outputs = loss.outputs();
    let device = Default::default();
    let network = TemporalFusionTransformer::<Graph>::new(&architecture, 3, &device).unwrap();
    let example = Example::new(&architecture, 2, holes, 4);
    let shape = [2, architecture.horizon, architecture.targets];
    let (target, known) = (random(shape, 5), random(shape, 6).greater_elem(-0.5).float());
    let of = |network: &TemporalFusionTransformer<Graph>| {
        let forecast = network.forward(example.tensors(), pass).unwrap().forecast;
        loss.sum(forecast, target.clone(), known.clone()).sum
    };
    let found = gradients(&network, &of(&network).backward()).unwrap();
    let found: Vec<f64> = found.into_data().to_vec().unwrap();
    let flat = parameters(&network).unwrap();
    let values: Vec<f64> = flat.into_data().to_vec().unwrap();
    let at = |place: usize, change: f64| -> f64 {
        let mut changed = values.clone();
        changed[place] += change;
        let changed = Tensor::from_data(TensorData::new(changed, [values.len()]), &device);
        of(&replace(network.clone(), &changed)).into_scalar()
    };
    let largest = found
        .iter()
        .fold(0.0_f64, |largest, gradient| largest.max(gradient.abs()));
    assert!(largest > 1e-3);
    for place in (0..values.len()).step_by(7) {
        let step = 1e-5;
        let wanted = (at(place, step) - at(place, -step)) / (2.0 * step);
        let error = (found[place] - wanted).abs();
        assert!(
            error < 1e-6 * (1.0 + largest),
            "parameter {place}: {} {wanted}",
            found[place]
        );
    }
}

#[test]
fn gradients_of_the_network_are_those_of_differences() {
    check(&Loss::Mse, Holes::None, Pass::Predict);
}

#[test]
fn gradients_with_missing_values_and_short_series_are_those_of_differences() {
    check(&Loss::Quantile(vec![0.2, 0.5, 0.7]), Holes::Many, Pass::Predict);
}

#[test]
fn gradients_with_dropout_are_those_of_differences() {
    check(
        &Loss::Huber { delta: 0.5 },
        Holes::None,
        Pass::Train(Draws::of_step(8, 1)),
    );
}

/// The recurrence's own backward pass against what Burn derives from its forward pass.
#[test]
fn recurrence_has_the_gradients_of_its_steps() {
    let (batch, steps, width, context) = (3, 7, 4, 4);
    let leaf = |key: u64| random([width, 4 * width], key).require_grad();
    let bias = |key: u64| random([4 * width], key).require_grad();
    let weights = |key: u64| LstmWeights {
        input: leaf(key),
        hidden: leaf(key + 1),
        bias: bias(key + 2),
    };
    let present = random([batch, steps], 20).greater_elem(-0.3).float();
    for steps_present in [None, Some(present)] {
        for context in [context, 0, steps] {
            let inputs = LstmInputs {
                input: random([batch, steps, width], 1).require_grad(),
                encoder: weights(2),
                decoder: weights(5),
                hidden: random([batch, width], 8).require_grad(),
                cell: random([batch, width], 9).require_grad(),
                steps_present: steps_present.clone(),
                context,
            };
            let weight = random([batch, steps, width], 10);
            let own = Graph::lstm(inputs.clone());
            let derived = lstm_forward(&inputs).hidden;
            let difference: f64 = (own.clone() - derived.clone()).abs().max().into_scalar();
            assert!(difference < 1e-12);
            let (own, derived) = (
                (own * weight.clone()).sum().backward(),
                (derived * weight).sum().backward(),
            );
            let check = |name: &str, own: Option<Vec<f64>>, derived: Option<Vec<f64>>| {
                let own = own.unwrap_or_default();
                // A graph gives no gradient to what nothing depends on; the operation gives zeros.
                let derived = derived.unwrap_or_else(|| vec![0.0; own.len()]);
                for (own, derived) in own.iter().zip(&derived) {
                    assert!(
                        (own - derived).abs() < 1e-10,
                        "{name}, context {context}: {own} {derived}"
                    );
                }
            };
            macro_rules! check {
                ($($tensor:expr),*) => {$(
                    let of = |grads| $tensor.grad(grads).map(|gradient| gradient.into_data().to_vec::<f64>().unwrap());
                    check(stringify!($tensor), of(&own), of(&derived));
                )*};
            }
            check!(inputs.input, inputs.hidden, inputs.cell);
            check!(inputs.encoder.input, inputs.encoder.hidden, inputs.encoder.bias);
            check!(inputs.decoder.input, inputs.decoder.hidden, inputs.decoder.bias);
        }
    }
}

#[test]
fn exponential_linear_unit_has_a_finite_slope_everywhere() {
    let values = [-1e4, -80.0, -1.0, 0.0, 1.0, 80.0, 89.0, 1e4];
    let input = Tensor::<Autodiff<burn::backend::Flex>, 1>::from_floats(values, &Default::default()).require_grad();
    let grads = crate::kernels::elu(input.clone()).sum().backward();
    let slopes: Vec<f32> = input.grad(&grads).unwrap().into_data().to_vec().unwrap();
    let wanted = values.map(|x: f32| if x >= 0.0 { 1.0 } else { x.exp() });
    for (slope, wanted) in slopes.iter().zip(wanted) {
        assert!((slope - wanted).abs() < 1e-6, "{slopes:?}");
    }
}
