//! Datasets that walk forward: rows lie there once, folds are read from them; and certificates that the rows contradict.

use super::*;
use crate::split::{Certificate, Fold};

const SPLIT: &str =
    "[split]\nstrategy = \"walk_forward\"\nfolds = 2\ntest = \"20us\"\nvalidation = \"20us\"\ntrain = \"40us\"";

/// Twelve labels, one each 10 us, of two hosts.
fn world() -> World {
    let rows: String = (0..12)
        .map(|at| format!("{} {} {at}\n", if at % 2 == 0 { "a" } else { "b" }, at * 10))
        .collect();
    World::default()
        .with(group("labels", "", &[("y", "")]), &format!("host ts y:int64\n{rows}"))
        .with(group("metrics", "", &[("v", "")]), "host ts v \n a 0 1 \n b 0 2")
}

fn made(split: &str) -> (tempfile::TempDir, Manifest) {
    let folder = tempfile::tempdir().unwrap();
    let made = world().create(
        &simple_view("", split),
        Arguments::default(),
        How::default(),
        folder.path(),
    );
    let manifest = made.unwrap_or_else(|error| panic!("{error}")).manifest;
    (folder, manifest)
}

fn times(folder: &Path, manifest: &Manifest, fold: &Fold, part: Part, columns: Option<&[String]>) -> Vec<String> {
    let batches = open_fold(folder, manifest, fold, part, columns).unwrap();
    let rows = batches.flat_map(|batch| cells(&batch.unwrap()));
    let mut rows: Vec<String> = rows.map(|cells| cells.join(" ")).collect();
    rows.sort();
    rows
}

#[test]
fn every_fold_is_read_with_its_features() {
    let (folder, manifest) = made(SPLIT);
    let folds = manifest.certificate.folds();
    assert_eq!(folds.len(), 2);
    let first = |part| times(folder.path(), &manifest, &folds[0], part, None);
    assert_eq!(first(Part::Train), ["a 20 2 1", "a 40 4 1", "b 30 3 2", "b 50 5 2"]);
    assert_eq!(first(Part::Validation), ["a 60 6 1", "b 70 7 2"]);
    assert_eq!(first(Part::Test), ["a 80 8 1", "b 90 9 2"]);
    let some = ["y".to_owned()];
    let last = times(folder.path(), &manifest, &folds[1], Part::Test, Some(&some));
    assert_eq!(last, ["100 10", "110 11"]);
}

#[test]
fn parts_of_the_dataset_are_those_of_the_last_fold() {
    let (folder, manifest) = made(SPLIT);
    let last = manifest.certificate.folds().last().unwrap().clone();
    for part in Part::ALL {
        let mut own: Vec<String> = read_part(folder.path(), part)
            .unwrap()
            .iter()
            .flat_map(cells)
            .map(|cells| cells.join(" "))
            .collect();
        own.sort();
        assert_eq!(own, times(folder.path(), &manifest, &last, part, None));
    }
}

#[test]
fn rows_of_folds_before_the_last_are_in_the_fingerprint() {
    let (folder, manifest) = made(SPLIT);
    let gap = manifest.gap_rows.clone().unwrap();
    assert_eq!(gap.columns, ["host", "ts", "y", "v"]);
    assert_eq!(manifest.contents().last().unwrap(), &("gap", gap.fingerprint));
    assert_eq!(verify(folder.path()).unwrap().differences, []);
}

/// Writes another certificate into the manifest, and gives what a check says of it.
fn contradicted(split: &str, change: impl Fn(&mut Certificate)) -> Vec<String> {
    let (folder, mut manifest) = made(split);
    assert_eq!(verify(folder.path()).unwrap().differences, []);
    change(&mut manifest.certificate);
    std::fs::write(folder.path().join(MANIFEST), manifest.to_json().unwrap()).unwrap();
    let differences = verify(folder.path()).unwrap().differences;
    differences.iter().map(ToString::to_string).collect()
}

#[test]
fn certificate_that_the_rows_contradict_is_found() {
    let found = contradicted(SPLIT, |certificate| {
        let Certificate::WalkForward { folds, .. } = certificate else {
            panic!()
        };
        folds[0].parts[0].rows += 1;
    });
    assert_eq!(
        found,
        ["`manifest.json: certificate`: fold 1: rows of train: wanted 5, found 4"]
    );
    let by_time = "[split]\nstrategy = \"time\"\ntest = 0.3\nvalidation = 0.3";
    let found = contradicted(by_time, |certificate| {
        let Certificate::Time { gap, borders, .. } = certificate else {
            panic!()
        };
        *gap = definitions::Duration::from_micros(50).unwrap();
        borders[1].first_event_time = definitions::EventTime(81);
    });
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("borders"), "{found:?}");
    assert!(
        found[1].contains("parts apart: wanted more than 50us, found 10us"),
        "{found:?}"
    );
    let found = contradicted("[split]\nstrategy = \"group\"\ntest = 0.5", |certificate| {
        let Certificate::Group {
            entities_in_two_parts, ..
        } = certificate
        else {
            panic!()
        };
        *entities_in_two_parts = 1;
    });
    assert_eq!(
        found,
        ["`manifest.json: certificate`: entities in two parts: wanted 1, found 0"]
    );
    let drawn = "[split]\nstrategy = \"random\"\ntest = 0.5\nstratify = \"host\"";
    let found = contradicted(drawn, |certificate| {
        let Certificate::Random {
            stratified: Some(by), ..
        } = certificate
        else {
            panic!()
        };
        by.strata[0].rows.test += 1;
    });
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("rows of `a`"), "{found:?}");
}
