//! Training, as a whole: it learns, and what it learns depends on the seed alone.

use burn::backend::{Autodiff, Flex};
use burn::module::AutodiffModule;

use crate::TftError;
use crate::data::{Block, Gathering, Panel, Rows, Scalers, Scaling, Shape, Window, windows};
use crate::loss::Loss;
use crate::model::{Architecture, Outputs, VariableSet};
use crate::predict::{Asking, forecast};
use crate::train::{Checkpoint, Control, Fitted, Material, Moment, Schedule, Settings, fit};

type Train = Autodiff<Flex>;

/// Waves of two entities, with the phase as what is known of the future, and every seventh value missing.
fn panel() -> Panel {
    let length = 80;
    let wave = |entity: usize, step: usize| ((step + 5 * entity) as f32 / 3.0).sin();
    let cells = (0..2).flat_map(|entity| (0..length).map(move |step| (entity, step)));
    let value = |(entity, step): (usize, usize)| {
        if step % 7 == 3 {
            f32::NAN
        } else {
            10.0 * (entity as f32 + 1.0) + wave(entity, step)
        }
    };
    Panel::new(Rows {
        entities: cells.clone().map(|(entity, _)| entity as u32).collect(),
        steps: cells.clone().map(|(_, step)| step as i64).collect(),
        names: vec!["a".to_owned(), "b".to_owned()],
        fixed: Block {
            continuous: Vec::new(),
            categorical: vec![vec![1, 2]],
        },
        known: Block {
            continuous: vec![cells.clone().map(|(entity, step)| wave(entity, step + 1)).collect()],
            categorical: vec![cells.clone().map(|(_, step)| 1 + (step % 4) as u32).collect()],
        },
        observed: Block {
            continuous: vec![cells.map(value).collect()],
            categorical: Vec::new(),
        },
    })
    .unwrap()
}

fn architecture() -> Architecture {
    let set = |continuous: &[&str], categorical: &[&str], table_rows: &[usize]| VariableSet {
        continuous: continuous.iter().map(|name| (*name).to_owned()).collect(),
        categorical: categorical.iter().map(|name| (*name).to_owned()).collect(),
        table_rows: table_rows.to_vec(),
    };
    Architecture {
        fixed: set(&[], &["entity"], &[5]),
        known: set(&["phase"], &["quarter"], &[5]),
        observed: set(&["value"], &[], &[]),
        targets: 1,
        context: 8,
        horizon: 4,
        width: 8,
        heads: 2,
        dropout: 0.1,
        outputs: Outputs::Quantiles(vec![0.1, 0.5, 0.9]),
    }
}

pub(super) fn settings() -> Settings {
    Settings {
        batch_size: 16,
        epochs: 3,
        learning_rate: 1e-2,
        schedule: Schedule::WarmUpCosine {
            warm_up: 0.2,
            floor: 0.1,
        },
        unknown_share: 0.1,
        ..Settings::default()
    }
}

/// How a run differs from others that should come to the same.
#[derive(Clone, Default)]
pub(super) struct Way {
    pub threads: usize,
    pub loading_threads: usize,
    pub from: Option<Checkpoint>,
    pub stop_after: Option<u64>,
    pub stop_at_step: Option<u64>,
    pub keep_all: bool,
    pub file: Option<std::path::PathBuf>,
}

pub(super) fn train(settings: &Settings, seed: u64, way: Way) -> Result<Fitted<Train>, TftError> {
    let (threads, from) = (way.threads, way.from.clone());
    let (stop_after, stop_at_step) = (way.stop_after, way.stop_at_step);
    let mut stop = |moment: Moment<'_>| {
        let is_over = match moment {
            Moment::Step { step, .. } => stop_at_step == Some(step),
            Moment::Epoch(report) => stop_after.is_some_and(|epoch| report.epoch >= epoch),
        };
        if is_over { Control::Stop } else { Control::Continue }
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads.max(1))
        .build()
        .unwrap();
    with_material(settings, seed, &way, |material| {
        pool.install(|| fit::<Train>(material, from, &Default::default(), &mut stop))
    })
}

/// Gives the material of the waves to whoever needs it.
pub(super) fn with_material<T>(
    settings: &Settings,
    seed: u64,
    way: &Way,
    run: impl FnOnce(&Material<'_>) -> Result<T, TftError>,
) -> Result<T, TftError> {
    let panel = panel();
    let shape = Shape { context: 8, horizon: 4 };
    let scalers = Scalers::fit(&panel, 60, Scaling::Entity);
    let train: Vec<Window> = windows(&panel, shape, &(0..60), 1)?;
    let validation: Vec<Window> = windows(&panel, shape, &(60..80), 1)?;
    let architecture = Architecture {
        outputs: settings.loss.outputs(),
        dropout: if way.keep_all { 0.0 } else { 0.1 },
        ..architecture()
    };
    run(&Material {
        architecture: &architecture,
        settings,
        gathering: Gathering::new(&panel, &scalers, shape, 1),
        train: &train,
        validation: &validation,
        data_identity: "waves",
        seed,
        loading_threads: way.loading_threads,
        checkpoint: way.file.clone(),
    })
}

#[test]
fn loss_falls_to_a_fraction_and_the_best_weights_are_kept() {
    let settings = Settings {
        epochs: 12,
        ..settings()
    };
    let fitted = train(&settings, 1, Way::default()).unwrap();
    let losses: Vec<f64> = fitted
        .history
        .iter()
        .filter_map(|report| report.validation_loss)
        .collect();
    assert!(losses.last().unwrap() < &(losses[0] / 2.0), "{losses:?}");
    let (best, epoch) = fitted.checkpoint.progress.early_stopping.best.unwrap();
    assert_eq!(losses[epoch as usize - 1], best);
}

#[test]
fn any_number_of_threads_learns_the_same_weights() {
    let wanted = train(&settings(), 1, Way::default()).unwrap();
    for (threads, loading_threads) in [(1, 1), (2, 3), (3, 0)] {
        let way = Way {
            threads,
            loading_threads,
            ..Way::default()
        };
        let found = train(&settings(), 1, way).unwrap();
        assert_eq!(found.checkpoint, wanted.checkpoint, "{threads} {loading_threads}");
        assert_eq!(found.history, wanted.history);
    }
    let other = train(&settings(), 2, Way::default()).unwrap();
    assert_ne!(other.checkpoint.parameters, wanted.checkpoint.parameters);
}

#[test]
fn stopped_and_resumed_after_an_epoch_is_as_if_never_stopped() {
    let wanted = train(&settings(), 1, Way::default()).unwrap();
    let first = train(
        &settings(),
        1,
        Way {
            stop_after: Some(1),
            ..Way::default()
        },
    )
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.safetensors");
    first.checkpoint.write(&path).unwrap();
    let way = Way {
        from: Some(Checkpoint::read(&path).unwrap()),
        threads: 2,
        ..Way::default()
    };
    let rest = train(&settings(), 1, way).unwrap();
    assert_eq!(rest.checkpoint, wanted.checkpoint);
    assert_eq!([first.history, rest.history].concat(), wanted.history);
}

#[test]
fn stopped_and_resumed_within_an_epoch_is_as_if_never_stopped() {
    let wanted = train(&settings(), 1, Way::default()).unwrap();
    for step in [1, 4] {
        let way = Way {
            stop_at_step: Some(step),
            loading_threads: 2,
            ..Way::default()
        };
        let first = train(&settings(), 1, way).unwrap();
        assert_eq!((first.checkpoint.progress.step, first.history.len()), (step, 0));
        let bytes = first.checkpoint.to_bytes().unwrap();
        let way = Way {
            from: Some(Checkpoint::from_bytes(&bytes).unwrap()),
            ..Way::default()
        };
        let rest = train(&settings(), 1, way).unwrap();
        assert_eq!(rest.history, wanted.history, "step {step}");
        assert_eq!(rest.checkpoint.progress, wanted.checkpoint.progress, "step {step}");
        assert!(rest.checkpoint == wanted.checkpoint, "step {step}");
    }
}

#[test]
fn checkpoints_are_written_while_a_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.safetensors");
    let settings = Settings {
        checkpoint_every: Some(2),
        ..settings()
    };
    let way = Way {
        stop_at_step: Some(3),
        file: Some(path.clone()),
        ..Way::default()
    };
    let fitted = train(&settings, 1, way).unwrap();
    assert_eq!(Checkpoint::read(&path).unwrap(), fitted.checkpoint);
}

#[test]
fn checkpoint_of_another_run_is_refused() {
    let first = train(
        &settings(),
        1,
        Way {
            stop_after: Some(1),
            ..Way::default()
        },
    )
    .unwrap();
    let way = Way {
        from: Some(first.checkpoint),
        ..Way::default()
    };
    assert!(matches!(train(&settings(), 2, way), Err(TftError::Checkpoint { .. })));
}

#[test]
fn batch_in_pieces_learns_what_the_whole_batch_does() {
    // Nothing is dropped or forgotten, so that both see the same.
    let plain = Settings {
        unknown_share: 0.0,
        epochs: 1,
        loss: Loss::Mae,
        ..settings()
    };
    let of = |micro_batches| {
        let settings = Settings {
            micro_batches,
            ..plain.clone()
        };
        let way = Way {
            keep_all: true,
            ..Way::default()
        };
        train(&settings, 1, way).unwrap().history[0]
    };
    let (whole, pieces) = (of(1), of(4));
    assert!(
        (whole.train_loss - pieces.train_loss).abs() < 1e-4,
        "{whole:?} {pieces:?}"
    );
    assert!(
        (whole.gradient_norm - pieces.gradient_norm).abs() < 1e-3,
        "{whole:?} {pieces:?}"
    );
}

#[test]
fn every_loss_learns() {
    for loss in [Loss::Mae, Loss::Mse, Loss::Huber { delta: 1.0 }] {
        let settings = Settings {
            loss,
            epochs: 6,
            ..settings()
        };
        let history = train(&settings, 1, Way::default()).unwrap().history;
        assert!(history[5].train_loss < history[0].train_loss);
    }
}

#[test]
fn forecasts_of_a_trained_network_follow_the_waves_in_their_own_units() {
    let settings = Settings {
        epochs: 25,
        ..settings()
    };
    let fitted = train(&settings, 1, Way::default()).unwrap();
    let panel = panel();
    let shape = Shape { context: 8, horizon: 4 };
    let scalers = Scalers::fit(&panel, 60, Scaling::Entity);
    let asked = windows(&panel, shape, &(60..80), 1).unwrap();
    let gathering = Gathering::new(&panel, &scalers, shape, 1);
    let outputs = settings.loss.outputs();
    let ask = |batch| {
        let asking = Asking {
            gathering: &gathering,
            windows: &asked,
            outputs: &outputs,
            batch,
            threads: 1,
        };
        forecast(&fitted.network.valid(), &asking, &Default::default()).unwrap()
    };
    let found = ask(16);
    assert_eq!(found.values.len(), asked.len() * 4 * 3);
    assert_eq!(found.crossings.forecasts, asked.len() as u64 * 4);
    let (mut error, mut of_mean) = (0.0, 0.0);
    for (window, quantiles) in asked.iter().zip(found.values.chunks(12)) {
        for (ahead, quantiles) in quantiles.chunks(3).enumerate() {
            assert!(quantiles.is_sorted());
            let value = panel.observed().continuous[0][window.now as usize + 1 + ahead];
            if value.is_finite() {
                error += (value - quantiles[1]).abs();
                of_mean += (value - 10.0 * (window.entity as f32 + 1.0)).abs();
            }
        }
    }
    assert!(error < of_mean / 2.0, "{error} {of_mean}");
    for window in found.importance.past.chunks(3) {
        assert!((window.iter().sum::<f32>() - 1.0).abs() < 1e-4);
    }
    for row in found.attention.chunks(12) {
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-4);
    }
    for (one, other) in found.values.iter().zip(ask(7).values) {
        assert!((one - other).abs() < 1e-3);
    }
}
