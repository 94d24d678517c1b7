//! Scalers are fitted on training steps, and on nothing else.

use super::panels::rows;
use crate::data::{Panel, Scaler, Scalers, Scaling};

#[test]
fn scaler_has_the_mean_and_deviation_of_what_is_there() {
    let scaler = Scaler::fit([1.0, f32::NAN, 3.0, 5.0].into_iter()).unwrap();
    assert_eq!(scaler.centre, 3.0);
    assert!((scaler.scale - (8.0_f32 / 3.0).sqrt()).abs() < 1e-6);
    assert!((scaler.invert(scaler.apply(4.2)) - 4.2).abs() < 1e-6);
    assert_eq!(Scaler::fit([f32::NAN].into_iter()), None);
}

#[test]
fn constant_series_has_the_scale_one() {
    for value in [0.0, 7.0, 1e-3, 1e9] {
        let scaler = Scaler::fit([value; 5].into_iter()).unwrap();
        assert_eq!((scaler.centre, scaler.scale), (value, 1.0));
    }
}

#[test]
fn scalers_do_not_see_what_comes_after_training() {
    let (train_end, clean) = (15, rows(3));
    let mut poisoned = clean.clone();
    for row in 0..clean.steps.len() {
        if clean.steps[row] >= train_end {
            for column in poisoned
                .observed
                .continuous
                .iter_mut()
                .chain(&mut poisoned.known.continuous)
            {
                column[row] = 1e9;
            }
        }
    }
    let of = |rows| Scalers::fit(&Panel::new(rows).unwrap(), train_end, Scaling::Entity);
    assert_eq!(of(clean.clone()), of(poisoned));
    // `c` starts after training, so it has the scale of all.
    let panel = Panel::new(clean).unwrap();
    let scalers = Scalers::fit(&panel, train_end, Scaling::Entity);
    assert!(!scalers.entities.contains_key("c"));
    assert_eq!(scalers.of_entities(&panel)[2], scalers.observed);
}

#[test]
fn scalers_survive_json() {
    let scalers = Scalers::fit(&Panel::new(rows(3)).unwrap(), 15, Scaling::Window);
    let text = serde_json::to_string(&scalers).unwrap();
    assert_eq!(serde_json::from_str::<Scalers>(&text).unwrap(), scalers);
}
