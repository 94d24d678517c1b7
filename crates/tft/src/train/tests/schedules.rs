//! Schedules, early stopping, and files.

use crate::train::{Checkpoint, EarlyStopping, Plateau, Progress, Report, Schedule, Verdict, write_atomically};

fn factors(schedule: Schedule, steps: u64) -> Vec<f64> {
    (0..steps)
        .map(|step| schedule.factor(step, steps, &Plateau::default()))
        .collect()
}

#[test]
fn warm_up_rises_to_one_and_the_cosine_falls_to_its_floor() {
    let found = factors(
        Schedule::WarmUpCosine {
            warm_up: 0.1,
            floor: 0.01,
        },
        100,
    );
    assert!(found[..10].is_sorted() && found[9] == 1.0 && found[10] == 1.0);
    assert!(found[10..].is_sorted_by(|one, other| one >= other));
    assert!((found[55] - (0.01 + 0.99 / 2.0)).abs() < 1e-9);
    assert!(found[99] > 0.01 && found[99] < 0.012);
    assert_eq!(
        factors(
            Schedule::WarmUpCosine {
                warm_up: 0.0,
                floor: 0.0
            },
            2
        )[0],
        1.0
    );
}

#[test]
fn one_cycle_starts_low_peaks_at_one_and_ends_at_its_end() {
    let found = factors(
        Schedule::OneCycle {
            warm_up: 0.3,
            start: 0.04,
            end: 1e-4,
        },
        100,
    );
    assert!((found[0] - 0.04).abs() < 1e-12 && (found[30] - 1.0).abs() < 1e-12 && (found[99] - 1e-4).abs() < 1e-12);
    assert!(found[..31].is_sorted() && found[30..].is_sorted_by(|one, other| one >= other));
}

#[test]
fn plateau_lowers_the_rate_when_patience_ends() {
    let schedule = Schedule::Plateau {
        factor: 0.5,
        patience: 1,
        floor: 0.3,
    };
    let mut plateau = Plateau::default();
    let mut factors = Vec::new();
    for loss in [1.0, 0.9, 0.95, 0.95, 0.8, 0.8, 0.8, 0.8, 0.8] {
        schedule.after_epoch(loss, &mut plateau);
        factors.push(schedule.factor(0, 1, &plateau));
    }
    assert_eq!(factors, [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3]);
}

#[test]
fn stopping_waits_for_losses_that_are_better_by_enough() {
    let mut stopping = EarlyStopping::default();
    let losses = [1.0, 0.99, 0.5, 0.5, f64::NAN, 0.46];
    let verdicts = (1..)
        .zip(losses)
        .map(|(epoch, loss)| stopping.after_epoch(epoch, loss, 0.05, Some(3)));
    use Verdict::{Better, Stop, Wait};
    assert_eq!(verdicts.collect::<Vec<_>>(), [Better, Wait, Better, Wait, Wait, Stop]);
    assert_eq!(stopping.best, Some((0.5, 3)));
}

fn checkpoint() -> Checkpoint {
    Checkpoint {
        progress: Progress {
            identity: "one".to_owned(),
            epoch: 2,
            position: 3,
            step: 23,
            loss_sum: 0.1 + 0.2,
            loss_known: 7.0,
            early_stopping: EarlyStopping {
                best: Some((1.0 / 3.0, 1)),
                waited: 1,
            },
            plateau: Plateau {
                factor: 0.5,
                best: None,
                waited: 0,
            },
            kept: vec![(0.5, 1)],
            gradient_norm: 0.1 + 0.7,
            history: vec![Report {
                epoch: 1,
                of: 3,
                step: 20,
                train_loss: 0.1 + 0.2,
                validation_loss: Some(1.0 / 3.0),
                rate: 1e-3,
                gradient_norm: 0.7,
            }],
        },
        parameters: vec![1.0, -0.0, f32::MIN_POSITIVE],
        first_moment: vec![0.1, 0.2, 0.3],
        second_moment: vec![3.0, 2.0, 1.0],
        average: Vec::new(),
        best: Vec::new(),
    }
}

#[test]
fn checkpoint_survives_its_file_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.safetensors");
    checkpoint().write(&path).unwrap();
    let found = Checkpoint::read(&path).unwrap();
    assert_eq!(found, checkpoint());
    assert_eq!(found.parameters[1].to_bits(), (-0.0_f32).to_bits());
    assert_eq!(found.to_bytes().unwrap(), checkpoint().to_bytes().unwrap());
}

#[test]
fn file_that_was_cut_off_is_refused() {
    let bytes = checkpoint().to_bytes().unwrap();
    for length in [0, 7, 8, 100, bytes.len() - 1] {
        assert!(Checkpoint::from_bytes(&bytes[..length]).is_err(), "{length}");
    }
}

#[test]
fn file_is_replaced_whole_and_nothing_is_left_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for bytes in [b"one".as_slice(), b"other"] {
        write_atomically(&path, bytes).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(write_atomically(&folder.path().join("none/file"), b"").is_err());
}
