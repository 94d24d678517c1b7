//! Gradients against differences, in double precision.

use burn::backend::Autodiff;
use burn::tensor::{Tensor, TensorData};

use super::example::{Example, Holes, Plain, architecture};
use crate::kernels::{
    AttentionInputs, GroupedWeights, Kernels, LstmInputs, LstmWeights, ResidualInputs, attention_forward, lstm_forward,
    residual_forward,
};
use crate::loss::Loss;
use crate::model::{Draws, Pass, TemporalFusionTransformer};
use crate::random::{mix, unit};
use crate::train::{gradients, one_graph, parameters, replace};

type Graph = Autodiff<Plain>;

fn random<const D: usize>(shape: [usize; D], key: u64) -> Tensor<Graph, D> {
    let length: usize = shape.iter().product();
    let values: Vec<f64> = (0..length as u64).map(|at| 2.0 * unit(mix(key, at)) - 1.0).collect();
    Tensor::from_data(TensorData::new(values, shape), &Default::default())
}

/// Gradients are the same; Burn gives none to what nothing depends on, where an operation gives zeros.
fn check<const D: usize>(name: &str, own: Option<Tensor<Plain, D>>, derived: Option<Tensor<Plain, D>>) {
    let of =
        |gradient: Option<Tensor<Plain, D>>| gradient.map(|gradient| gradient.into_data().to_vec::<f64>().unwrap());
    let own = of(own).unwrap();
    let derived = of(derived).unwrap_or_else(|| vec![0.0; own.len()]);
    for (own, derived) in own.iter().zip(&derived) {
        assert!((own - derived).abs() < 1e-10, "{name}: {own} {derived}");
    }
}

fn check_network(loss: &Loss, holes: Holes, pass: Pass) {
    let _alone = one_graph();
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
    check_network(&Loss::Mse, Holes::None, Pass::Predict);
}

#[test]
fn gradients_with_missing_values_and_short_series_are_those_of_differences() {
    check_network(&Loss::Quantile(vec![0.2, 0.5, 0.7]), Holes::Many, Pass::Predict);
}

#[test]
fn gradients_with_dropout_are_those_of_differences() {
    check_network(
        &Loss::Huber { delta: 0.5 },
        Holes::None,
        Pass::Train(Draws::of_step(8, 1)),
    );
}

/// The recurrence's own backward pass against what Burn derives from its forward pass.
#[test]
fn recurrence_has_the_gradients_of_its_steps() {
    let _alone = one_graph();
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
            macro_rules! check {
                ($($tensor:expr),*) => {$(
                    check(stringify!($tensor), $tensor.grad(&own), $tensor.grad(&derived));
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
    let _alone = one_graph();
    let values = [-1e4, -80.0, -1.0, 0.0, 1.0, 80.0, 89.0, 1e4];
    let input = Tensor::<Autodiff<burn::backend::Flex>, 1>::from_floats(values, &Default::default()).require_grad();
    let grads = crate::kernels::elu(input.clone()).sum().backward();
    let slopes: Vec<f32> = input.grad(&grads).unwrap().into_data().to_vec().unwrap();
    let wanted = values.map(|x: f32| if x >= 0.0 { 1.0 } else { x.exp() });
    for (slope, wanted) in slopes.iter().zip(wanted) {
        assert!((slope - wanted).abs() < 1e-6, "{slopes:?}");
    }
}

/// The residual operation's own backward pass against what Burn derives from its forward pass.
#[test]
fn residual_has_the_gradients_of_its_steps() {
    let _alone = one_graph();
    let (groups, rows, width) = (2, 5, 4);
    let layer = |outputs: usize, key: u64| GroupedWeights {
        weight: random([groups, width, outputs], key).require_grad(),
        bias: random([groups, outputs], key + 1).require_grad(),
    };
    for has_second in [true, false] {
        for pass in [Pass::Predict, Pass::Train(Draws::of_step(1, 2))] {
            let inputs = ResidualInputs {
                input: random([groups, rows, width], 1).require_grad(),
                skip: random([groups, rows, width], 2).require_grad(),
                second: has_second.then(|| layer(width, 3)),
                gate: layer(2 * width, 5),
                scale: random([groups, width], 7).require_grad(),
                shift: random([groups, width], 8).require_grad(),
                dropping: pass.dropping(0.3),
            };
            let weight = random([groups, rows, width], 9);
            let own = (Graph::residual(inputs.clone()) * weight.clone()).sum().backward();
            let derived = (residual_forward(&inputs) * weight).sum().backward();
            macro_rules! check {
                ($($tensor:expr),*) => {$(
                    check(stringify!($tensor), $tensor.grad(&own), $tensor.grad(&derived));
                )*};
            }
            check!(
                inputs.input,
                inputs.skip,
                inputs.gate.weight,
                inputs.gate.bias,
                inputs.scale,
                inputs.shift
            );
            if let Some(second) = &inputs.second {
                check!(second.weight, second.bias);
            }
        }
    }
}

/// The attention's own backward pass against what Burn derives from its forward pass.
#[test]
fn attention_has_the_gradients_of_its_steps() {
    let _alone = one_graph();
    let (batch, horizon, steps, width) = (2, 3, 7, 4);
    let present = Tensor::from_data(
        [[0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0], [1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0]],
        &Default::default(),
    );
    for steps_present in [None, Some(present)] {
        let inputs = AttentionInputs {
            query: random([batch, horizon, width], 1).require_grad(),
            key: random([batch, steps, width], 2).require_grad(),
            heads: 2,
            steps_present,
        };
        let weight = random([batch, horizon, steps], 3);
        let own = (Graph::attention_weights(inputs.clone()) * weight.clone())
            .sum()
            .backward();
        let derived = (attention_forward(&inputs) * weight).sum().backward();
        check("query", inputs.query.grad(&own), inputs.query.grad(&derived));
        check("key", inputs.key.grad(&own), inputs.key.grad(&derived));
    }
}
