//! One network.

use learning::Window;

use super::{Way, fit, load, panel};

#[test]
fn a_transformer_learns_is_kept_and_comes_back() {
    let panel = panel();
    let model = fit(&panel, &Way::of(2));
    let losses: Vec<f64> = model.history().iter().map(|report| report.measured[0].value).collect();
    assert!(losses.last() < losses.first(), "{losses:?}");
    let files = model.files().unwrap();
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["model.safetensors", "config.json", "preprocessing.json"]);
    assert_eq!(
        files,
        fit(&panel, &Way::of(1)).files().unwrap(),
        "the same bytes for any number of threads"
    );
    let loaded = load(&files);
    let windows = [Window { entity: 1, now: 120 }, Window { entity: 0, now: 50 }];
    let (own, other) = (
        model.forecast(&panel, &windows).unwrap(),
        loaded.forecast(&panel, &windows).unwrap(),
    );
    assert_eq!(own, other);
    assert_eq!(own.values.len(), 2 * 4 * 3);
    assert!(
        own.values[..12].iter().all(|value| (5.0..15.0).contains(value)),
        "the level of the host: {:?}",
        own.values
    );
    let weights: f64 = own.explanation.past.iter().map(|of| of.weight.p50).sum();
    assert!(
        own.explanation.past.len() == 2 && weights > 0.5,
        "{:?}",
        own.explanation.past
    );
    assert_eq!(
        (own.explanation.attention.len(), own.explanation.attention[0].len()),
        (4, 12)
    );
}

#[test]
fn a_panel_without_a_variable_is_refused() {
    let whole = panel();
    let model = fit(&whole, &Way::of(1));
    let mut other = whole.clone();
    other.variables.known.clear();
    let Err(error) = model.forecast(&other, &[Window { entity: 0, now: 50 }]) else {
        panic!("it was not refused")
    };
    assert!(error.to_string().contains("`phase` is missing"), "{error}");
}
