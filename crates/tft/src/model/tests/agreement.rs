//! The network against the paper read aloud.

use super::example::{Example, Holes, Plain, architecture, set};
use super::naive::{forecast, numbers};
use crate::model::{Architecture, Outputs, Pass, TemporalFusionTransformer};

fn check_numbers(what: &str, found: &[f64], wanted: &[f64]) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (at, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        assert!((found - wanted).abs() < 1e-9, "{what} {at}: {found} {wanted}");
    }
}

fn check(architecture: &Architecture, batch: usize, holes: Holes) {
    let device = Default::default();
    let network = TemporalFusionTransformer::<Plain>::new(architecture, 5, &device).unwrap();
    let example = Example::new(architecture, batch, holes, 9);
    let found = network.forward(example.tensors(), Pass::Predict).unwrap();
    let [found_forecast, found_past, found_attention] =
        [numbers(found.forecast), numbers(found.past), numbers(found.attention)];
    let found_fixed = found.fixed.map(numbers).unwrap_or_default();
    let found_future = found.future.map(numbers).unwrap_or_default();
    let wanted: Vec<_> = (0..batch).map(|window| forecast(&network, &example, window)).collect();
    let all = |of: fn(&super::naive::Wanted) -> Vec<f64>| wanted.iter().flat_map(of).collect::<Vec<f64>>();
    check_numbers("static weights", &found_fixed, &all(|wanted| wanted.fixed.clone()));
    check_numbers("past weights", &found_past, &all(|wanted| wanted.past.concat()));
    check_numbers("future weights", &found_future, &all(|wanted| wanted.future.concat()));
    check_numbers("attention", &found_attention, &all(|wanted| wanted.attention.concat()));
    check_numbers("forecast", &found_forecast, &all(|wanted| wanted.forecast.concat()));
}

#[test]
fn network_is_the_paper_read_aloud() {
    check(&architecture(), 3, Holes::None);
}

#[test]
fn network_with_missing_values_and_short_series_is_the_paper_read_aloud() {
    check(&architecture(), 4, Holes::Many);
}

#[test]
fn network_without_static_or_known_variables_is_the_paper_read_aloud() {
    let nothing = set("", 0, &[]);
    for (fixed, known) in [
        (nothing.clone(), set("known", 1, &[3])),
        (set("fixed", 2, &[]), nothing.clone()),
        (nothing.clone(), nothing.clone()),
    ] {
        let architecture = Architecture {
            fixed,
            known,
            ..architecture()
        };
        check(&architecture, 2, Holes::None);
        check(&architecture, 2, Holes::Many);
    }
}

#[test]
fn network_of_one_variable_one_step_and_one_head_is_the_paper_read_aloud() {
    let architecture = Architecture {
        fixed: set("fixed", 0, &[3]),
        known: set("known", 0, &[2]),
        observed: set("observed", 1, &[]),
        targets: 1,
        context: 1,
        horizon: 1,
        heads: 1,
        outputs: Outputs::Point,
        ..architecture()
    };
    check(&architecture, 2, Holes::None);
}
