//! Data at the edges of what there is: a run over it ends with finite numbers.

use burn::backend::{Autodiff, Flex};

use crate::data::{Block, Gathering, Panel, Rows, Scalers, Scaling, Shape, windows};
use crate::loss::Loss;
use crate::model::{Architecture, VariableSet};
use crate::train::{Control, Material, Moment, Settings, fit};

/// One entity whose first target is given; further observed variables are waves.
fn check(what: &str, target: &[f32], further: usize, shape: Shape, scaling: Scaling) {
    let length = target.len();
    let wave = |variable: usize| {
        (0..length)
            .map(move |step| ((step * (variable + 1)) as f32).sin())
            .collect::<Vec<f32>>()
    };
    let panel = Panel::new(Rows {
        entities: vec![0; length],
        steps: (0..length as i64).collect(),
        names: vec!["only".to_owned()],
        fixed: Block::default(),
        known: Block::default(),
        observed: Block {
            continuous: std::iter::once(target.to_vec()).chain((0..further).map(wave)).collect(),
            categorical: Vec::new(),
        },
    })
    .unwrap();
    let settings = Settings {
        batch_size: 8,
        epochs: 2,
        loss: Loss::Quantile(vec![0.5]),
        ..Settings::default()
    };
    let architecture = Architecture {
        fixed: VariableSet::default(),
        known: VariableSet::default(),
        observed: VariableSet {
            continuous: (0..=further).map(|at| at.to_string()).collect(),
            ..VariableSet::default()
        },
        targets: 1,
        context: shape.context,
        horizon: shape.horizon,
        width: 4,
        heads: 2,
        dropout: 0.1,
        outputs: settings.loss.outputs(),
    };
    let last = length as i64;
    let scalers = Scalers::fit(&panel, last, scaling);
    let train = windows(&panel, shape, &(0..last), 1).unwrap();
    let material = Material {
        architecture: &architecture,
        settings: &settings,
        gathering: Gathering::new(&panel, &scalers, shape, 1),
        train: &train,
        validation: &train,
        data_identity: what,
        seed: 1,
        loading_threads: 0,
        checkpoint: None,
    };
    let mut on = |_: Moment<'_>| Control::Continue;
    let fitted = fit::<Autodiff<Flex>>(&material, None, &Default::default(), &mut on).unwrap();
    assert_eq!(fitted.history.len(), 2, "{what}");
    let losses = fitted.history.iter().flat_map(|report| {
        [
            Some(report.train_loss),
            report.validation_loss,
            Some(report.gradient_norm),
        ]
    });
    assert!(losses.flatten().all(f64::is_finite), "{what}: {:?}", fitted.history);
    assert!(
        fitted.checkpoint.parameters.iter().all(|number| number.is_finite()),
        "{what}"
    );
}

#[test]
fn data_at_the_edges_gives_finite_numbers() {
    let wave: Vec<f32> = (0..30).map(|step| (step as f32 / 3.0).sin()).collect();
    let holed: Vec<f32> = wave
        .iter()
        .enumerate()
        .map(|(at, value)| match at % 5 {
            1 => f32::NAN,
            2 => f32::INFINITY,
            3 => f32::NEG_INFINITY,
            _ => *value,
        })
        .collect();
    let shape = Shape { context: 6, horizon: 3 };
    for scaling in [Scaling::Entity, Scaling::Window] {
        check("one entity, one variable", &wave, 0, shape, scaling);
        check("a constant series", &[7.5; 30], 0, shape, scaling);
        check(
            "large numbers",
            &wave.iter().map(|value| 1e30 * value).collect::<Vec<f32>>(),
            0,
            shape,
            scaling,
        );
        check("what is no number", &holed, 2, shape, scaling);
        check("nothing but what is no number", &[f32::NAN; 30], 1, shape, scaling);
        check(
            "one step back and ahead",
            &wave,
            1,
            Shape { context: 1, horizon: 1 },
            scaling,
        );
    }
    check("500 variables", &wave, 499, shape, Scaling::Entity);
}
