//! The network as one operation of own code against the same in Burn's operations and double precision.

use burn::backend::Autodiff;
use burn::tensor::{Tensor, TensorData};

use super::example::{Plain, architecture, set};
use super::naive::numbers;
use crate::data::{Batch, Block, Gathering, Panel, Rows, Scalers, Scaling, Shape, Window};
use crate::kernels::OnProcessor;
use crate::loss::Loss;
use crate::model::{Architecture, Draws, Pass, TemporalFusionTransformer, VariableSet};
use crate::random::{mix, unit};
use crate::train::{gradients, one_graph, parameters, replace};

type Graph = Autodiff<Plain>;

/// Random series of lengths that differ; `holes`: the share of values that are missing.
pub fn panel(architecture: &Architecture, entities: usize, length: usize, holes: f64) -> Panel {
    let mut counter = 0;
    let mut draw = || {
        counter += 1;
        unit(mix(17, counter))
    };
    let lengths: Vec<usize> = (0..entities)
        .map(|entity| length.saturating_sub(3 * entity).max(architecture.horizon + 1))
        .collect();
    let rows: usize = lengths.iter().sum();
    let mut block = |variables: &VariableSet, rows: usize| Block {
        continuous: (0..variables.continuous.len())
            .map(|_| {
                (0..rows)
                    .map(|_| {
                        if draw() < holes {
                            f32::NAN
                        } else {
                            (4.0 * draw() - 2.0) as f32
                        }
                    })
                    .collect()
            })
            .collect(),
        categorical: variables
            .table_rows
            .iter()
            .map(|table| (0..rows).map(|_| (draw() * *table as f64) as u32).collect())
            .collect(),
    };
    Panel::new(Rows {
        entities: lengths
            .iter()
            .enumerate()
            .flat_map(|(entity, length)| vec![entity as u32; *length])
            .collect(),
        steps: lengths.iter().flat_map(|length| 0..*length as i64).collect(),
        names: (0..entities).map(|entity| entity.to_string()).collect(),
        fixed: block(&architecture.fixed, entities),
        known: block(&architecture.known, rows),
        observed: block(&architecture.observed, rows),
    })
    .unwrap()
}

/// So many windows, the last ones of each series, one after the other.
pub fn batch(architecture: &Architecture, panel: &Panel, windows: usize) -> Batch {
    let shape = Shape {
        context: architecture.context,
        horizon: architecture.horizon,
    };
    let scalers = Scalers::fit(panel, i64::MAX / 2, Scaling::Entity);
    let entities = panel.names().len();
    let windows: Vec<Window> = (0..windows)
        .map(|at| {
            let (rows, _) = panel.series(at % entities);
            let last = rows.end - shape.horizon - 1;
            Window {
                entity: (at % entities) as u32,
                now: last.saturating_sub(at / entities).max(rows.start) as u32,
            }
        })
        .collect();
    let mut batch = Batch::default();
    Gathering::new(panel, &scalers, shape, architecture.targets).gather(&windows, 0, &mut batch);
    batch
}

fn check_numbers(what: &str, found: &[f32], wanted: &[f64]) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    let largest = wanted
        .iter()
        .fold(1e-3_f64, |largest, number| largest.max(number.abs()));
    for (at, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        let error = (f64::from(*found) - wanted).abs();
        assert!(error < 2e-5 * largest, "{what} {at}: {found} {wanted}");
    }
}

fn check(architecture: &Architecture, loss: &Loss, windows: usize, holes: f64, pass: Pass) {
    let architecture = Architecture {
        outputs: loss.outputs(),
        ..architecture.clone()
    };
    let panel = panel(&architecture, 5, architecture.context + architecture.horizon + 7, holes);
    let batch = batch(&architecture, &panel, windows);
    let device = Default::default();
    let shape = Shape {
        context: architecture.context,
        horizon: architecture.horizon,
    };
    let _alone = one_graph();
    let network = TemporalFusionTransformer::<Graph>::new(&architecture, 3, &device).unwrap();
    // Scales and biases that are not ones and zeros.
    let drawn: Vec<f64> = parameters(&network).unwrap().into_data().to_vec().unwrap();
    let moved: Vec<f32> = drawn
        .iter()
        .enumerate()
        .map(|(at, value)| (value + 0.2 * (unit(mix(5, at as u64)) - 0.5)) as f32)
        .collect();
    let network = replace(
        network,
        &Tensor::from_data(TensorData::new(moved.clone(), [moved.len()]), &device),
    );
    let tensors = batch.tensors::<Graph>(shape, &device);
    let explained = network.forward(tensors.windows, pass).unwrap();
    let (forecast, past, attention) = (explained.forecast.clone(), explained.past, explained.attention);
    let wanted = loss.sum(explained.forecast, tensors.targets.values, tensors.targets.known);
    let of = gradients(&network, &wanted.sum.backward()).unwrap();

    let (wanted_sum, wanted_known) = (numbers(wanted.sum.inner()), numbers(wanted.known.inner()));
    let of = of.into_data().to_vec::<f64>().unwrap();
    let [forecast, past, attention] = [
        numbers(forecast.inner()),
        numbers(past.inner()),
        numbers(attention.inner()),
    ];
    let future = explained
        .future
        .map(|future| numbers(future.inner()))
        .unwrap_or_default();
    let fixed = explained.fixed.map(|fixed| numbers(fixed.inner())).unwrap_or_default();
    for mut own in OnProcessor::of_every_level(&network) {
        let found = own.gradient(&moved, &batch, pass, loss).unwrap();
        check_numbers("loss", &[found.sum as f32], &wanted_sum);
        assert_eq!(found.known, wanted_known[0]);
        check_numbers("gradient", &found.gradient, &of);
        if pass == Pass::Predict {
            let explained = own.explain(&moved, &batch).unwrap();
            check_numbers("forecast", &explained.forecast, &forecast);
            check_numbers("past", &explained.past, &past);
            check_numbers("future", &explained.future, &future);
            check_numbers("static", &explained.fixed, &fixed);
            check_numbers("attention", &explained.attention, &attention);
            let (sum, known) = own.loss(&moved, &batch, loss).unwrap();
            assert!((sum - found.sum).abs() <= 1e-9 * sum.abs().max(1.0) && known == found.known);
        }
    }
}

fn median() -> Loss {
    Loss::Quantile(vec![0.1, 0.5, 0.9])
}

const TRAIN: u64 = 4;

#[test]
fn whole_network_is_that_of_plain_operations() {
    for pass in [Pass::Predict, Pass::Train(Draws::of_step(1, TRAIN))] {
        for holes in [0.0, 0.3] {
            check(&architecture(), &median(), 11, holes, pass);
        }
    }
}

#[test]
fn whole_network_of_any_width_is_that_of_plain_operations() {
    for (width, heads, context, horizon) in [
        (32, 8, 66, 18),
        (20, 4, 9, 3),
        (33, 1, 5, 65),
        (3, 3, 1, 1),
        (16, 2, 3, 2),
    ] {
        let architecture = Architecture {
            width,
            heads,
            context,
            horizon,
            ..architecture()
        };
        check(&architecture, &median(), 9, 0.1, Pass::Train(Draws::of_step(1, TRAIN)));
        check(&architecture, &median(), 3, 0.0, Pass::Predict);
    }
}

#[test]
fn gradient_is_the_same_bits_for_any_number_of_threads() {
    let architecture = architecture();
    let batch = batch(&architecture, &panel(&architecture, 5, 20, 0.1), 300);
    let network = TemporalFusionTransformer::<Plain>::new(&architecture, 3, &Default::default()).unwrap();
    let mut own = OnProcessor::new(&network).unwrap();
    let values: Vec<f32> = (0..own.parameters() as u64)
        .map(|at| (unit(mix(1, at)) - 0.5) as f32)
        .collect();
    let mut run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let pass = Pass::Train(Draws::of_step(1, TRAIN));
        pool.install(|| own.gradient(&values, &batch, pass, &median())).unwrap()
    };
    let wanted = run(1);
    for threads in [2, 3, 7] {
        let found = run(threads);
        assert!(found.sum.to_bits() == wanted.sum.to_bits() && found.gradient == wanted.gradient);
    }
}

#[test]
fn whole_network_without_some_variables_is_that_of_plain_operations() {
    let nothing = set("", 0, &[]);
    for (fixed, known, observed) in [
        (nothing.clone(), set("known", 1, &[3]), set("observed", 2, &[])),
        (set("fixed", 2, &[]), nothing.clone(), set("observed", 2, &[4])),
        (nothing.clone(), nothing.clone(), set("observed", 2, &[])),
        (set("fixed", 0, &[90]), set("known", 0, &[2]), set("observed", 3, &[])),
        (
            set("fixed", 1, &[]),
            set("known", 9, &[3, 70]),
            set("observed", 12, &[5]),
        ),
    ] {
        let architecture = Architecture {
            fixed,
            known,
            observed,
            ..architecture()
        };
        check(&architecture, &median(), 5, 0.0, Pass::Predict);
        check(&architecture, &median(), 5, 0.2, Pass::Train(Draws::of_step(1, TRAIN)));
    }
    let one = Architecture {
        fixed: nothing.clone(),
        known: nothing,
        observed: set("observed", 1, &[]),
        targets: 1,
        ..architecture()
    };
    check(&one, &median(), 5, 0.2, Pass::Train(Draws::of_step(1, TRAIN)));
}

#[test]
fn whole_network_with_every_loss_is_that_of_plain_operations() {
    for loss in [
        Loss::Mae,
        Loss::Mse,
        Loss::Huber { delta: 0.7 },
        Loss::Poisson,
        Loss::Quantile(vec![0.5]),
    ] {
        check(&architecture(), &loss, 4, 0.2, Pass::Predict);
    }
}

#[test]
fn parameters_or_batches_of_another_network_are_refused() {
    let architecture = architecture();
    let network = TemporalFusionTransformer::<Plain>::new(&architecture, 3, &Default::default()).unwrap();
    let mut own = OnProcessor::new(&network).unwrap();
    let values = vec![0.0; own.parameters()];
    let other = Architecture {
        observed: set("observed", 4, &[2]),
        ..architecture.clone()
    };
    let stranger = batch(&other, &panel(&other, 2, 20, 0.0), 3);
    assert!(own.explain(&values, &stranger).is_none());
    let batch = batch(&architecture, &panel(&architecture, 2, 20, 0.0), 3);
    assert!(own.explain(&values[1..], &batch).is_none());
    assert!(own.explain(&values, &batch).is_some());
}
