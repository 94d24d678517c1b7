//! What a training tells meanwhile.

use std::collections::BTreeMap;
use std::path::Path;

use definitions::Parameter;

use super::{Way, fit, noisy_panel, panel};

/// How often each name stands in the lines, and its last value.
fn told(folder: &Path) -> BTreeMap<String, (usize, f64)> {
    let mut told: BTreeMap<String, (usize, f64)> = BTreeMap::new();
    for line in std::fs::read_to_string(folder.join("training.jsonl")).unwrap().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let of = told.entry(line["name"].as_str().unwrap().to_owned()).or_default();
        *of = (of.0 + 1, line["value"].as_f64().unwrap());
    }
    told
}

#[test]
fn steps_epochs_and_importances_are_written_and_nothing_learned_depends_on_it() {
    let (panel, folder) = (noisy_panel(), tempfile::tempdir().unwrap());
    let way = Way {
        telemetry: Some(folder.path().join("telemetry")),
        ..Way::of(1)
    };
    let model = fit(&panel, &way);
    assert_eq!(model.files().unwrap(), fit(&panel, &Way::of(1)).files().unwrap());
    let folder = folder.path().join("telemetry");
    let told = told(&folder);
    for name in ["loss", "learning_rate", "gradient_norm", "windows_per_second"] {
        assert_eq!(told[&format!("step/{name}")].0, 36, "{name}");
    }
    for name in ["train_loss", "validation_loss"] {
        assert_eq!(told[&format!("epoch/{name}")].0, 3, "{name}");
    }
    assert!(told["step/windows_per_second"].1 > 0.0);
    if cfg!(target_os = "linux") {
        assert!(told["epoch/peak_memory_bytes"].1 > 1e6);
    }
    let observed: f64 = ["y", "noise", "hum"]
        .iter()
        .map(|name| told[&format!("importance/observed/{name}")].1)
        .sum();
    let loss = model.history()[2].measured[0].value;
    assert!(observed > 0.0 && told["epoch/validation_loss"].1 == loss);
    let is_events = |name: &str| name.starts_with("events.out.tfevents.");
    let names = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(names.into_iter().any(|name| is_events(&name)));
}

#[test]
fn each_of_several_trainings_has_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let way = Way {
        telemetry: Some(folder.path().to_owned()),
        ..Way::of(1).saying("members", Parameter::Integer(2))
    };
    fit(&panel(), &way);
    for member in ["member-1", "member-2"] {
        assert_eq!(told(&folder.path().join(member))["step/loss"].0, 36);
    }
}
