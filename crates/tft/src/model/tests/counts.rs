//! How many numbers are learned, against NVIDIA's network and formulas.

use super::example::{Plain, set};
use crate::model::{Architecture, Outputs, TemporalFusionTransformer, count, parameter_names};

fn check(architecture: &Architecture, published: usize) {
    let network = TemporalFusionTransformer::<Plain>::new(architecture, 1, &Default::default()).unwrap();
    let width = architecture.width;
    // NVIDIA's static selection carries a context layer that nothing enters, and cuDNN's LSTMs have a second bias each.
    let dead = width * width + 2 * 4 * width;
    assert_eq!(count(&network) + dead, published);
    let named: usize = parameter_names(&network)
        .iter()
        .map(|(_, shape)| shape.iter().product::<usize>())
        .sum();
    assert_eq!(named, count(&network));
}

fn electricity(ids: usize, width: usize) -> Architecture {
    Architecture {
        fixed: set("id", 0, &[ids]),
        known: set("known", 3, &[]),
        observed: set("target", 1, &[]),
        targets: 1,
        context: 168,
        horizon: 24,
        width,
        heads: 4,
        dropout: 0.1,
        outputs: Outputs::Quantiles(vec![0.1, 0.5, 0.9]),
    }
}

#[test]
fn parameters_are_as_many_as_published() {
    check(&electricity(369, 128), 1_633_833);
    check(&electricity(963, 128), 1_709_865);
    check(&electricity(369, 160), 2_531_241);
    let servers = Architecture {
        fixed: set("host", 0, &[100]),
        known: set("known", 4, &[]),
        observed: set("target", 4, &[]),
        targets: 4,
        width: 32,
        heads: 8,
        outputs: Outputs::Quantiles(vec![0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98]),
        ..electricity(0, 32)
    };
    check(&servers, 135_995);
}
