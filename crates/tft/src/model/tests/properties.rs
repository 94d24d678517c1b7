//! What holds for any weights.

use super::example::{Example, Holes, Plain, architecture};
use super::naive::numbers;
use crate::model::{Architecture, Draws, Explained, Pass, TemporalFusionTransformer};

fn network(architecture: &Architecture) -> TemporalFusionTransformer<Plain> {
    TemporalFusionTransformer::new(architecture, 11, &Default::default()).unwrap()
}

fn forecast(network: &TemporalFusionTransformer<Plain>, example: &Example) -> Vec<f64> {
    numbers(network.forward(example.tensors(), Pass::Predict).unwrap().forecast)
}

#[test]
fn what_is_known_of_a_later_step_changes_no_earlier_forecast() {
    let architecture = architecture();
    let (network, example) = (network(&architecture), Example::new(&architecture, 2, Holes::None, 1));
    let before = forecast(&network, &example);
    let each = before.len() / (2 * architecture.horizon);
    for step in 0..architecture.horizon {
        let mut changed = example.clone();
        changed.future.continuous[step][0] += 3.0;
        let after = forecast(&network, &changed);
        for ahead in 0..architecture.horizon {
            let is_same = before[ahead * each..(ahead + 1) * each] == after[ahead * each..(ahead + 1) * each];
            assert_eq!(is_same, ahead < step, "changed {step}, ahead {ahead}");
        }
        // Another window's forecast never changes.
        assert_eq!(before[before.len() / 2..], after[after.len() / 2..]);
    }
}

#[test]
fn windows_in_another_order_have_the_same_forecasts() {
    let architecture = architecture();
    let network = network(&architecture);
    let example = Example::new(&architecture, 3, Holes::Many, 2);
    let order = [2, 0, 1];
    let rows = |steps: usize| {
        order
            .into_iter()
            .flat_map(move |window| window * steps..(window + 1) * steps)
    };
    let mut shuffled = example.clone();
    let fill = |to: &mut super::example::PlainColumns, from: &super::example::PlainColumns, steps: usize| {
        to.continuous = rows(steps).map(|row| from.continuous[row].clone()).collect();
        to.categorical = rows(steps).map(|row| from.categorical[row].clone()).collect();
        to.present = rows(steps).map(|row| from.present[row].clone()).collect();
    };
    fill(&mut shuffled.fixed, &example.fixed, 1);
    fill(&mut shuffled.past, &example.past, architecture.context);
    fill(&mut shuffled.future, &example.future, architecture.horizon);
    shuffled.steps_present = order.map(|window| example.steps_present[window].clone()).to_vec();
    let (one, other) = (forecast(&network, &example), forecast(&network, &shuffled));
    let each = one.len() / 3;
    for (place, window) in order.into_iter().enumerate() {
        for at in 0..each {
            assert!((one[window * each + at] - other[place * each + at]).abs() < 1e-12);
        }
    }
}

#[test]
fn short_series_has_the_forecast_of_a_shorter_context() {
    let architecture = architecture();
    let mut example = Example::new(&architecture, 2, Holes::None, 3);
    let missing = 2;
    for window in 0..2 {
        for step in 0..missing {
            example.steps_present[window][step] = false;
            example.past.erase(window * architecture.context + step);
        }
    }
    let mut shorter = example.clone();
    shorter.architecture.context -= missing;
    let keep = |row: usize| row % architecture.context >= missing;
    let rows = 2 * architecture.context;
    shorter.past.continuous = (0..rows)
        .filter(|row| keep(*row))
        .map(|row| example.past.continuous[row].clone())
        .collect();
    shorter.past.categorical = (0..rows)
        .filter(|row| keep(*row))
        .map(|row| example.past.categorical[row].clone())
        .collect();
    shorter.past.present = (0..rows)
        .filter(|row| keep(*row))
        .map(|row| example.past.present[row].clone())
        .collect();
    shorter.steps_present = vec![vec![true; architecture.context - missing]; 2];
    let network = network(&architecture);
    let mut small = network.clone();
    small.context -= missing;
    for (long, short) in forecast(&network, &example).iter().zip(forecast(&small, &shorter)) {
        assert!((long - short).abs() < 1e-12, "{long} {short}");
    }
}

#[test]
fn weights_sum_to_one_and_see_no_later_step() {
    let architecture = architecture();
    let (network, steps) = (network(&architecture), architecture.context + architecture.horizon);
    let example = Example::new(&architecture, 2, Holes::None, 4);
    let Explained {
        fixed,
        past,
        future,
        attention,
        ..
    } = network.forward(example.tensors(), Pass::Predict).unwrap();
    let attention = numbers(attention);
    let check = |weights: &[f64], width: usize| {
        for row in weights.chunks(width) {
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{row:?}");
        }
    };
    check(&numbers(fixed.unwrap()), 2);
    check(&numbers(past), 6);
    check(&numbers(future.unwrap()), 2);
    check(&attention, steps);
    for (row, weights) in attention.chunks(steps).enumerate() {
        let seen = architecture.context + row % architecture.horizon + 1;
        assert!(
            weights[..seen].iter().all(|weight| *weight > 0.0) && weights[seen..].iter().all(|weight| *weight == 0.0)
        );
    }
}

#[test]
fn nothing_present_gives_finite_numbers() {
    let architecture = architecture();
    let mut example = Example::new(&architecture, 2, Holes::None, 5);
    for columns in [&mut example.fixed, &mut example.past, &mut example.future] {
        for row in 0..columns.present.len() {
            columns.erase(row);
        }
    }
    example.steps_present = vec![vec![false; architecture.context]; 2];
    assert!(
        forecast(&network(&architecture), &example)
            .iter()
            .all(|number| number.is_finite())
    );
}

#[test]
fn dropout_follows_its_key_alone() {
    let architecture = architecture();
    let (network, example) = (network(&architecture), Example::new(&architecture, 2, Holes::None, 6));
    let run = |step| {
        numbers(
            network
                .forward(example.tensors(), Pass::Train(Draws::of_step(1, step)))
                .unwrap()
                .forecast,
        )
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn same_seed_draws_the_same_weights() {
    let device = Default::default();
    let draw = |seed| {
        let network = TemporalFusionTransformer::<burn::backend::Flex>::new(&architecture(), seed, &device).unwrap();
        network.output.weight.val().into_data().to_vec::<f32>().unwrap()
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}
