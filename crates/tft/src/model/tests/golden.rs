//! The network against an independent one in PyTorch (`tests/golden/generate.py`) with the same weights: forecasts, attention,
//! importances, gradients, and the weights after ten steps of AdamW; as own code, and in Burn's operations.

use burn::backend::Autodiff;
use burn::tensor::{Tensor, TensorData};
use serde_json::Value;

use super::example::{Plain, set};
use super::naive::numbers;
use crate::data::{Batch, Block, Gathering, Panel, Rows, Scaler, Scalers, Scaling, Shape, Window};
use crate::kernels::OnProcessor;
use crate::loss::Loss;
use crate::model::{Architecture, Pass, TemporalFusionTransformer, parameter_names};
use crate::train::{AdamWSettings, Optimiser, Stepping, gradients, one_graph, replace};

type Graph = Autodiff<Plain>;

fn floats(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|number| number.as_f64().unwrap())
        .collect()
}

fn count(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

fn table_rows(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(count).collect()
}

fn check(what: &str, found: &[f64], wanted: &[f64], relative: f64) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    let largest = wanted
        .iter()
        .fold(1e-3_f64, |largest, number| largest.max(number.abs()));
    for (at, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        assert!(
            (found - wanted).abs() < relative * largest,
            "{what} {at}: {found} {wanted}"
        );
    }
}

fn architecture(case: &Value, quantiles: &[f64]) -> Architecture {
    Architecture {
        fixed: set("fixed", 0, &table_rows(&case["static"])),
        known: set("known", count(&case["known"]), &table_rows(&case["known_rows"])),
        observed: set("observed", count(&case["observed"]), &[]),
        targets: count(&case["targets"]),
        context: count(&case["context"]),
        horizon: count(&case["horizon"]),
        width: count(&case["width"]),
        heads: count(&case["heads"]),
        dropout: 0.0,
        outputs: Loss::Quantile(quantiles.to_vec()).outputs(),
    }
}

/// Column `at` of [batch · steps, columns], as 32-bit floats.
fn column(values: &[f64], columns: usize, at: usize) -> Vec<f32> {
    values
        .iter()
        .skip(at)
        .step_by(columns)
        .map(|value| *value as f32)
        .collect()
}

/// Every window is a series of its own, of context and horizon.
fn batch(case: &Value, architecture: &Architecture, windows: usize) -> Batch {
    let Architecture {
        context,
        horizon,
        targets,
        ..
    } = *architecture;
    let (inputs, steps) = (&case["inputs"], context + horizon);
    let (known, observed, target) = (
        floats(&inputs["known"]),
        floats(&inputs["observed"]),
        floats(&inputs["target"]),
    );
    let (known_count, observed_count) = (
        architecture.known.continuous.len(),
        architecture.observed.continuous.len(),
    );
    let observed_column = |at: usize| {
        let past = column(&observed, observed_count, at);
        let ahead = if at < targets {
            column(&target, targets, at)
        } else {
            vec![f32::NAN; windows * horizon]
        };
        past.chunks(context)
            .zip(ahead.chunks(horizon))
            .flat_map(|(past, ahead)| [past, ahead].concat())
            .collect()
    };
    let categories = |value: &Value| {
        floats(value)
            .into_iter()
            .map(|value| value as u32)
            .collect::<Vec<u32>>()
    };
    let panel = Panel::new(Rows {
        entities: (0..windows as u32).flat_map(|entity| vec![entity; steps]).collect(),
        steps: (0..windows).flat_map(|_| 0..steps as i64).collect(),
        names: (0..windows).map(|entity| entity.to_string()).collect(),
        fixed: Block {
            continuous: Vec::new(),
            categorical: vec![categories(&inputs["static"])],
        },
        known: Block {
            continuous: (0..known_count).map(|at| column(&known, known_count, at)).collect(),
            categorical: inputs["kinds"].as_array().unwrap().iter().map(categories).collect(),
        },
        observed: Block {
            continuous: (0..observed_count).map(observed_column).collect(),
            categorical: Vec::new(),
        },
    })
    .unwrap();
    let mut scalers = Scalers::fit(&panel, i64::MAX / 2, Scaling::Entity);
    let plain = |scalers: &mut Vec<Scaler>| scalers.iter_mut().for_each(|scaler| *scaler = Scaler::NONE);
    plain(&mut scalers.fixed);
    plain(&mut scalers.known);
    plain(&mut scalers.observed);
    scalers.entities.values_mut().for_each(plain);
    let windows: Vec<Window> = (0..windows)
        .map(|at| Window {
            entity: at as u32,
            now: (at * steps + context - 1) as u32,
        })
        .collect();
    let mut batch = Batch::default();
    Gathering::new(&panel, &scalers, Shape { context, horizon }, targets).gather(&windows, 0, &mut batch);
    batch
}

/// The rule that both sides make weights by.
fn weights(names: &[(String, Vec<usize>)]) -> Vec<f64> {
    let of = |(name, shape): &(String, Vec<usize>)| {
        let (length, is_scale) = (name.len() as f64, name.ends_with("scale"));
        let values = (1..=shape.iter().product::<usize>())
            .map(move |at| (0.7 * at as f64 + length).sin() / 3.0 + f64::from(is_scale));
        values.collect::<Vec<f64>>()
    };
    names.iter().flat_map(of).collect()
}

fn check_by_name(
    what: &str,
    names: &[(String, Vec<usize>)],
    flat: &[f64],
    wanted: &Value,
    stride: usize,
    relative: f64,
) {
    let largest = flat.iter().fold(1e-3_f64, |largest, number| largest.max(number.abs()));
    let mut rest = flat;
    for (name, shape) in names {
        let (values, later) = rest.split_at(shape.iter().product());
        rest = later;
        let found: Vec<f64> = values.iter().step_by(stride).copied().collect();
        let wanted = floats(&wanted[name.as_str()]);
        assert_eq!(found.len(), wanted.len(), "{what} {name}");
        for (found, wanted) in found.iter().zip(&wanted) {
            assert!(
                (found - wanted).abs() < relative * largest,
                "{what} {name}: {found} {wanted}"
            );
        }
    }
    assert_eq!(wanted.as_object().unwrap().len(), names.len(), "{what}");
}

#[test]
fn network_is_that_of_pytorch() {
    let golden: Value = serde_json::from_str(include_str!("../../../tests/golden/golden.json")).unwrap();
    let (quantiles, windows, stride) = (
        floats(&golden["quantiles"]),
        count(&golden["batch"]),
        count(&golden["stride"]),
    );
    let loss = Loss::Quantile(quantiles.clone());
    for case in golden["cases"].as_array().unwrap() {
        let (architecture, device, wanted) = (architecture(case, &quantiles), Default::default(), &case["found"]);
        let _alone = one_graph();
        let network = TemporalFusionTransformer::<Graph>::new(&architecture, 1, &device).unwrap();
        let names = parameter_names(&network);
        let exact = weights(&names);
        let batch = batch(case, &architecture, windows);

        let network = replace(
            network,
            &Tensor::from_data(TensorData::new(exact.clone(), [exact.len()]), &device),
        );
        let shape = Shape {
            context: architecture.context,
            horizon: architecture.horizon,
        };
        let tensors = batch.tensors::<Graph>(shape, &device);
        let explained = network.forward(tensors.windows, Pass::Predict).unwrap();
        check(
            "forecast",
            &numbers(explained.forecast.clone().inner()),
            &floats(&wanted["forecast"]),
            1e-7,
        );
        check(
            "attention",
            &numbers(explained.attention.inner()),
            &floats(&wanted["attention"]),
            1e-7,
        );
        check("past", &numbers(explained.past.inner()), &floats(&wanted["past"]), 1e-7);
        let sum = loss.sum(explained.forecast, tensors.targets.values, tensors.targets.known);
        let of = gradients(&network, &(sum.sum / sum.known).backward()).unwrap();
        check_by_name(
            "gradient",
            &names,
            &of.into_data().to_vec::<f64>().unwrap(),
            &wanted["gradients"],
            stride,
            1e-7,
        );

        let mut own = OnProcessor::new(&network).unwrap();
        let mut values: Vec<f32> = exact.iter().map(|value| *value as f32).collect();
        let doubles = |values: &[f32]| values.iter().map(|value| f64::from(*value)).collect::<Vec<f64>>();
        let found = own.explain(&values, &batch).unwrap();
        check(
            "own forecast",
            &doubles(&found.forecast),
            &floats(&wanted["forecast"]),
            1e-5,
        );
        check(
            "own attention",
            &doubles(&found.attention),
            &floats(&wanted["attention"]),
            1e-5,
        );
        check("own past", &doubles(&found.past), &floats(&wanted["past"]), 1e-5);
        let settings = Optimiser::AdamW(AdamWSettings::default());
        let mut stepping = Stepping::new(settings, names.iter().map(|(_, shape)| shape.clone()).collect());
        for (step, wanted_loss) in floats(&wanted["losses"]).into_iter().enumerate() {
            let mut found = own.gradient(&values, &batch, Pass::Predict, &loss).unwrap();
            let mean = found.sum / found.known;
            assert!(
                (mean - wanted_loss).abs() < 1e-4 * wanted_loss,
                "loss {step}: {mean} {wanted_loss}"
            );
            found
                .gradient
                .iter_mut()
                .for_each(|number| *number /= found.known as f32);
            if step == 0 {
                check_by_name(
                    "own gradient",
                    &names,
                    &doubles(&found.gradient),
                    &wanted["gradients"],
                    stride,
                    1e-4,
                );
            }
            stepping.step(
                &mut values,
                &found.gradient,
                golden["rate"].as_f64().unwrap(),
                golden["clip"].as_f64(),
            );
        }
        check_by_name("stepped", &names, &doubles(&values), &wanted["stepped"], stride, 1e-4);
    }
}
