//! Several networks of different seeds.

use definitions::Parameter;
use learning::Window;

use super::{Way, check_resumed, fit, fit_with, load, panel};

fn members(number: i64) -> Way {
    Way::of(1).saying("members", Parameter::Integer(number))
}

#[test]
fn members_are_kept_beside_each_other_and_their_forecasts_averaged() {
    let panel = panel();
    let (alone, model) = (fit(&panel, &Way::of(1)), fit(&panel, &members(2)));
    let files = model.files().unwrap();
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let wanted = [
        "model.safetensors",
        "model.2.safetensors",
        "config.json",
        "preprocessing.json",
    ];
    assert_eq!(names, wanted);
    assert_eq!(
        files[0],
        alone.files().unwrap()[0],
        "the first member is the network that is trained alone"
    );
    assert_ne!(files[0].bytes, files[1].bytes);
    let windows = [Window { entity: 1, now: 120 }, Window { entity: 0, now: 50 }];
    let both = model.forecast(&panel, &windows).unwrap();
    assert_eq!(both, load(&files).forecast(&panel, &windows).unwrap());
    // The second alone: its weights as the only ones.
    let mut second = alone.files().unwrap();
    second[0].bytes.clone_from(&files[1].bytes);
    let second = load(&second).forecast(&panel, &windows).unwrap();
    let first = alone.forecast(&panel, &windows).unwrap();
    for ((one, other), mean) in first.values.iter().zip(&second.values).zip(&both.values) {
        assert!(
            ((one + other) / 2.0 - mean).abs() <= 1e-6 * mean.abs().max(1.0),
            "{one} {other} {mean}"
        );
    }
}

#[test]
fn card_tells_each_member_and_their_mean() {
    let model = fit(&panel(), &members(2));
    let [note] = model.notes() else {
        panic!("{:?}", model.notes())
    };
    let names: Vec<&str> = note.rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(names, ["member 1", "member 2", "mean of all"]);
    let losses: Vec<f64> = note.rows.iter().map(|row| row[1].parse().unwrap()).collect();
    let best = model.history()[model.best_iteration() - 1].measured[0].value;
    assert!((losses[0].min(losses[1]) - best).abs() < 1e-6, "{losses:?} {best}");
    // The loss is convex: the mean is at least as good as the members are on average.
    assert!(losses[2] <= (losses[0] + losses[1]) / 2.0 + 1e-6, "{losses:?}");
}

#[test]
fn any_number_of_threads_makes_the_same_members() {
    let panel = panel();
    let files = |threads| {
        let way = Way { threads, ..members(2) };
        fit(&panel, &way).files().unwrap()
    };
    assert_eq!(files(1), files(3));
}

#[test]
fn history_tells_the_member_and_steps_are_counted_through() {
    let panel = panel();
    let (model, told) = fit_with(&panel, &members(2));
    let model = model.unwrap();
    let sets: Vec<&str> = model
        .history()
        .iter()
        .map(|report| report.measured[0].set.as_str())
        .collect();
    let (first, second) = ("member 1: validation", "member 2: validation");
    assert_eq!(sets, [first, first, first, second, second, second]);
    let iterations: Vec<(usize, usize)> = model.history().iter().map(|of| (of.iteration, of.of)).collect();
    assert_eq!(iterations, (1..=6).map(|iteration| (iteration, 6)).collect::<Vec<_>>());
    let count = told.len() as u64;
    assert_eq!(told, (1..=count).map(|step| (step, count)).collect::<Vec<_>>());
    let best = &model.history()[model.best_iteration() - 1].measured[0].value;
    assert!(model.history().iter().all(|report| report.measured[0].value >= *best));
}

#[test]
fn stopped_in_any_member_and_resumed_is_as_if_never_stopped() {
    // 12 steps an epoch, 3 epochs a member.
    check_resumed(&panel(), &members(3), &[2, 36, 39, 73]);
}

#[test]
fn run_that_begins_anew_does_not_go_on_from_members_of_another() {
    let panel = panel();
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("run.safetensors");
    let way = |seed, stop_at, resume: bool| Way {
        seed,
        stop_at,
        checkpoint: Some(checkpoint.clone()),
        resume: resume.then(|| checkpoint.clone()),
        ..members(2)
    };
    fit(&panel, &way(1, None, false));
    fit(&panel, &way(2, Some(2), false));
    let found = fit(&panel, &way(2, None, true)).files().unwrap();
    let wanted = Way { seed: 2, ..members(2) };
    assert_eq!(found, fit(&panel, &wanted).files().unwrap());
}
