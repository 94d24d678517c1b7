//! A learning rate that is found.

use definitions::Parameter;

use super::{Way, check_resumed, fit, fit_with, panel, word};
use crate::learner::Parameters;

fn finding() -> Way {
    Way::of(1).saying("learning_rate", word("find"))
}

#[test]
fn found_rate_is_used_told_and_drawn() {
    let (panel, folder) = (panel(), tempfile::tempdir().unwrap());
    let way = Way {
        telemetry: Some(folder.path().to_owned()),
        ..finding()
    };
    let model = fit(&panel, &way);
    let rate = model.history()[0]
        .measured
        .iter()
        .find(|of| of.metric == "learning_rate")
        .unwrap()
        .value;
    let [note] = model.notes() else {
        panic!("{:?}", model.notes())
    };
    assert!(
        note.text.contains(&format!("fell fastest at {rate:.2e}")),
        "{rate} {note:?}"
    );
    assert!((1e-6..1.0).contains(&rate) && rate != 1e-3, "{rate}");
    let lines = std::fs::read_to_string(folder.path().join("finder").join("training.jsonl")).unwrap();
    assert!(lines.contains("finder/loss") && lines.contains("finder/learning_rate"));
    let events = std::fs::read_dir(folder.path().join("finder"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let picture = events
        .filter(|path| !path.ends_with("training.jsonl"))
        .map(|path| std::fs::read(path).unwrap());
    assert!(
        picture
            .into_iter()
            .any(|bytes| bytes.windows(4).any(|four| four == b"\x89PNG"))
    );
    let same = fit_with(&panel, &Way::of(1).saying("learning_rate", Parameter::Float(rate)))
        .0
        .unwrap();
    assert_eq!(
        model.files().unwrap(),
        same.files().unwrap(),
        "as if the rate had been said"
    );
}

#[test]
fn any_number_of_threads_finds_the_same_and_goes_on_from_it() {
    let panel = panel();
    let (one, many) = (
        fit(&panel, &finding()),
        fit(
            &panel,
            &Way {
                threads: 3,
                ..finding()
            },
        ),
    );
    assert_eq!(
        (one.files().unwrap(), one.notes()),
        (many.files().unwrap(), many.notes())
    );
    check_resumed(&panel, &finding(), &[14]);
}

#[test]
fn parameters_say_that_it_was_to_be_found() {
    let parameters = Parameters::from_declared(&finding().said).unwrap();
    assert_eq!(parameters.all()["learning_rate"], serde_json::json!("find"));
    let error = Parameters::from_declared(&Way::of(1).saying("learning_rate", word("fnd")).said).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`learning_rate`: wanted a number or \"find\", found \"fnd\""
    );
}
