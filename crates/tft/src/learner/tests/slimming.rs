//! A first training that chooses variables.

use definitions::Parameter;
use learning::Window;

use super::{Way, check_resumed, fit, fit_with, float, load, noisy_panel};

fn keeping(share: f64) -> Way {
    Way::of(1)
        .saying("slim.keep", float(share))
        .saying("slim.epochs", Parameter::Integer(1))
}

#[test]
fn half_of_each_kind_is_kept_and_the_targets_always() {
    let panel = noisy_panel();
    let model = fit(&panel, &keeping(0.5));
    let files = model.files().unwrap();
    let config: serde_json::Value = serde_json::from_slice(&files[1].bytes).unwrap();
    let names = |kind: &str| config["architecture"][kind]["continuous"].as_array().unwrap().clone();
    assert_eq!((names("known").len(), names("observed").len()), (1, 2));
    assert_eq!(names("observed")[0], "y");
    let [note] = model.notes() else {
        panic!("{:?}", model.notes())
    };
    assert_eq!((note.title.as_str(), note.rows.len()), ("Slimming", 6));
    let kept = note.rows.iter().filter(|row| row[3] == "yes").count();
    assert!(
        kept == 4 && note.text.contains("all 6 variables chose the 4"),
        "{note:?}"
    );
    let is_kept = |name: &str| {
        note.rows
            .iter()
            .any(|row| row[1] == format!("`{name}`") && row[3] == "yes")
    };
    assert!(is_kept(names("known")[0].as_str().unwrap()) && is_kept("y"));
    // A panel of everything is forecast, as before and after it was kept.
    let windows = [Window { entity: 1, now: 120 }];
    let forecast = model.forecast(&panel, &windows).unwrap();
    assert_eq!(forecast, load(&files).forecast(&panel, &windows).unwrap());
    assert_eq!(forecast.explanation.past.len(), 3);
}

#[test]
fn whoever_keeps_everything_trains_as_without_slimming() {
    let panel = noisy_panel();
    assert_eq!(
        fit(&panel, &keeping(1.0)).files().unwrap(),
        fit(&panel, &Way::of(1)).files().unwrap()
    );
}

#[test]
fn any_number_of_threads_keeps_the_same() {
    let panel = noisy_panel();
    let (one, many) = (
        fit(&panel, &keeping(0.5)),
        fit(
            &panel,
            &Way {
                threads: 3,
                ..keeping(0.5)
            },
        ),
    );
    assert_eq!(
        (one.files().unwrap(), one.notes()),
        (many.files().unwrap(), many.notes())
    );
}

#[test]
fn both_trainings_are_gone_on_from() {
    check_resumed(&noisy_panel(), &keeping(0.5), &[2, 12, 20]);
    let (_, told) = fit_with(&noisy_panel(), &keeping(0.5));
    assert_eq!(told.last(), Some(&(48, 48)));
}
