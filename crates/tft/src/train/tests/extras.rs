//! Optimisers, averages, the finder of rates, kept checkpoints, and the same run on a graph.

use burn::backend::{Autodiff, NdArray};

use super::learning::{Way, settings, train, with_material};
use crate::TftError;
use crate::train::{
    AdafactorSettings, AdamW, AdamWSettings, Averaging, Checkpoint, Control, Finder, LionSettings, Moment, Optimiser,
    Settings, Stepping, epoch_path, find_rate, fit,
};

fn check_resume(settings: &Settings) {
    let wanted = train(settings, 1, Way::default()).unwrap();
    let losses: Vec<f64> = wanted.history.iter().map(|report| report.train_loss).collect();
    assert!(losses[losses.len() - 1] < losses[0], "{losses:?}");
    let first = train(
        settings,
        1,
        Way {
            stop_at_step: Some(5),
            ..Way::default()
        },
    )
    .unwrap();
    let bytes = first.checkpoint.to_bytes().unwrap();
    let way = Way {
        from: Some(Checkpoint::from_bytes(&bytes).unwrap()),
        threads: 2,
        ..Way::default()
    };
    assert!(
        train(settings, 1, way).unwrap().checkpoint == wanted.checkpoint,
        "{settings:?}"
    );
}

#[test]
fn every_optimiser_learns_and_is_resumed_to_the_bit() {
    for (optimiser, learning_rate) in [
        (Optimiser::AdamW(AdamWSettings::default()), 1e-2),
        (Optimiser::Adafactor(AdafactorSettings::default()), 1e-2),
        (Optimiser::Lion(LionSettings::default()), 2e-3),
    ] {
        check_resume(&Settings {
            optimiser,
            learning_rate,
            ..settings()
        });
    }
}

#[test]
fn every_average_learns_and_is_resumed_to_the_bit() {
    for averaging in [Averaging::Exponential { decay: 0.9 }, Averaging::Epochs { from: 0.4 }] {
        check_resume(&Settings {
            averaging,
            ..settings()
        });
    }
}

#[test]
fn averages_are_those_of_the_formulas() {
    let exponential = Averaging::Exponential { decay: 0.5 };
    assert_eq!(exponential.after_step(1), Some(1.0 - 2.0 / 11.0));
    assert_eq!(exponential.after_step(100), Some(0.5));
    let epochs = Averaging::Epochs { from: 0.5 };
    let shares: Vec<_> = (1..=6).map(|epoch| epochs.after_epoch(epoch, 6)).collect();
    assert_eq!(shares, [None, None, Some(1.0), Some(0.5), Some(1.0 / 3.0), Some(0.25)]);
    assert!(
        Averaging::Exponential { decay: 1.0 }.check().is_err() && Averaging::Epochs { from: -0.1 }.check().is_err()
    );
}

#[test]
fn adam_in_memory_is_that_on_a_device() {
    use burn::tensor::{Tensor, TensorData};
    let settings = AdamWSettings {
        weight_decay: 0.1,
        ..AdamWSettings::default()
    };
    let values = [0.5, -1.0, 2.0];
    let tensor = |values: &[f32]| {
        Tensor::<NdArray<f64>, 1>::from_data(TensorData::new(values.to_vec(), [values.len()]), &Default::default())
    };
    let (mut found, mut wanted) = (values.to_vec(), tensor(&values));
    let mut stepping = Stepping::new(Optimiser::AdamW(settings), vec![vec![3]]);
    let mut adam = AdamW::new(settings, &wanted);
    for step in 1..=10 {
        let gradient = [0.3 * step as f32, -2.0, 0.1];
        let norm = stepping.step(&mut found, &gradient, 0.1, Some(1.0));
        let (after, wanted_norm) = adam.step(wanted, tensor(&gradient), 0.1, Some(1.0));
        wanted = after;
        assert!((norm - wanted_norm.into_scalar()).abs() < 1e-6);
    }
    for (found, wanted) in found.iter().zip(wanted.into_data().to_vec::<f64>().unwrap()) {
        assert!((f64::from(*found) - wanted).abs() < 1e-5, "{found} {wanted}");
    }
}

#[test]
fn lion_and_adafactor_are_those_of_the_formulas() {
    let lion = LionSettings {
        weight_decay: 0.5,
        ..LionSettings::default()
    };
    let mut stepping = Stepping::new(Optimiser::Lion(lion), vec![vec![2]]);
    let mut values = [1.0_f32, 1.0];
    stepping.step(&mut values, &[3.0, -0.5], 0.1, None);
    assert_eq!(values, [1.0 - 0.05 - 0.1, 1.0 - 0.05 + 0.1]);
    assert!((stepping.first_moment[0] - 0.03).abs() < 1e-6);
    // Squares that are a row times a column are remembered exactly: the update is the gradient's sign.
    let mut stepping = Stepping::new(Optimiser::Adafactor(AdafactorSettings::default()), vec![vec![2, 2]]);
    let mut values = [0.0_f32; 4];
    stepping.step(&mut values, &[1.0, -2.0, 3.0, 6.0], 0.1, None);
    for (value, wanted) in values.iter().zip([-0.1, 0.1, -0.1, -0.1]) {
        assert!((value - wanted).abs() < 1e-6, "{values:?}");
    }
    assert_eq!(stepping.second_moment.len(), 4);
}

#[test]
fn best_checkpoints_are_kept_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let last = folder.path().join("last.safetensors");
    let settings = Settings {
        epochs: 5,
        keep_checkpoints: 2,
        ..settings()
    };
    let fitted = train(
        &settings,
        1,
        Way {
            file: Some(last.clone()),
            ..Way::default()
        },
    )
    .unwrap();
    let mut best: Vec<(f64, u64)> = fitted
        .history
        .iter()
        .map(|report| (report.validation_loss.unwrap(), report.epoch))
        .collect();
    best.sort_by(|one, other| one.0.total_cmp(&other.0));
    for (at, (_, epoch)) in best.iter().enumerate() {
        assert_eq!(epoch_path(&last, *epoch).exists(), at < 2, "{best:?}");
    }
    assert_eq!(
        Checkpoint::read(&epoch_path(&last, best[0].1)).unwrap().progress.epoch,
        best[0].1
    );
    assert_eq!(Checkpoint::read(&last).unwrap(), fitted.checkpoint);
}

#[test]
fn finder_suggests_a_rate_at_which_the_loss_falls() {
    let finder = Finder {
        steps: 40,
        ..Finder::default()
    };
    let find = || {
        with_material(&settings(), 1, &Way::default(), |material| {
            find_rate::<Autodiff<burn::backend::Flex>>(material, finder, &Default::default())
        })
    };
    let found = find().unwrap();
    let rate = found.suggestion.unwrap();
    assert!((1e-5..1.0).contains(&rate), "{rate}");
    assert!(found.rates.len() == found.losses.len() && found.rates.is_sorted());
    assert_eq!(found, find().unwrap());
    let wrong = Finder {
        first: 1.0,
        last: 0.1,
        steps: 3,
    };
    let wrong = with_material(&settings(), 1, &Way::default(), |material| {
        find_rate::<Autodiff<burn::backend::Flex>>(material, wrong, &Default::default())
    });
    assert!(matches!(wrong, Err(TftError::Setting { name: "finder", .. })));
}

#[test]
fn graph_learns_what_own_code_does() {
    let settings = Settings {
        epochs: 2,
        averaging: Averaging::Exponential { decay: 0.9 },
        ..settings()
    };
    let own = train(&settings, 1, Way::default()).unwrap();
    let mut on = |_: Moment<'_>| Control::Continue;
    let graph = with_material(&settings, 1, &Way::default(), |material| {
        fit::<Autodiff<NdArray<f64>>>(material, None, &Default::default(), &mut on)
    });
    for (found, wanted) in own.history.iter().zip(&graph.unwrap().history) {
        let (found_loss, wanted_loss) = (found.validation_loss.unwrap(), wanted.validation_loss.unwrap());
        assert!(
            (found.train_loss - wanted.train_loss).abs() < 1e-3 * wanted.train_loss,
            "{found:?} {wanted:?}"
        );
        assert!(
            (found_loss - wanted_loss).abs() < 1e-3 * wanted_loss,
            "{found:?} {wanted:?}"
        );
    }
}
