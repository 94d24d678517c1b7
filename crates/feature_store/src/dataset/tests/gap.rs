//! Rows in gaps: kept for baselines, and for nothing else.

use super::*;

const SPLIT: &str = "[split]\nstrategy = \"time\"\ntest = 0.3\ngap = \"auto\"";

/// Ten labels that look 15 us ahead, one each 10 us.
fn world() -> World {
    let rows: String = (0..10).map(|at| format!("a {} {at} 7\n", at * 10)).collect();
    let features = [("y", "horizon = \"25us\""), ("other", "")];
    World::default()
        .with(
            group("labels", "", &features),
            &format!("host ts y:int64 other:int64\n{rows}"),
        )
        .with(group("metrics", "", &[("v", "")]), "host ts v \n a 0 1 \n a 60 2")
}

fn made(rows_per_file: u64) -> (tempfile::TempDir, Manifest) {
    let folder = tempfile::tempdir().unwrap();
    let how = How {
        rows_per_file,
        ..How::default()
    };
    let made = world().create(&simple_view("", SPLIT), Arguments::default(), how, folder.path());
    let manifest = made.unwrap().manifest;
    (folder, manifest)
}

fn gap_lines(folder: &Path) -> Vec<String> {
    let batches = open_gap(folder, None).unwrap().into_iter().flatten();
    batches
        .flat_map(|batch| cells(&batch.unwrap()))
        .map(|cells| cells.join(" "))
        .collect()
}

#[test]
fn gap_is_kept_with_keys_times_and_labels_and_without_features() {
    for rows_per_file in [1, 1_000] {
        let (folder, manifest) = made(rows_per_file);
        assert_eq!(gap_lines(folder.path()), ["a 50 5", "a 60 6"]);
        let gap = manifest.gap_rows.clone().unwrap();
        assert_eq!((gap.rows, manifest.rows.gap), (2, 2));
        assert_eq!(gap.columns, ["host", "ts", "y"]);
        assert_eq!(gap.files.len(), if rows_per_file == 1 { 2 } else { 1 });
        assert_eq!(gap.files[0].path, "gap/part-00000.parquet");
        assert!(!manifest.has_lost_its_gap());
        let verification = verify(folder.path()).unwrap();
        assert_eq!((verification.rows, verification.differences.len()), (10, 0));
    }
}

#[test]
fn gap_is_no_part_and_not_in_the_fingerprint() {
    let (folder, manifest) = made(1_000);
    let of_parts = manifest.parts.iter().map(|part| (part.part.name(), part.fingerprint));
    assert_eq!(manifest.fingerprint, crate::fingerprint::combine(of_parts));
    assert!(lines(folder.path()).iter().all(|line| !line.contains(" 50 ")));
    let to = tempfile::tempdir().unwrap();
    let exported = export_all(folder.path(), to.path(), ExportFormat::Csv).unwrap();
    assert_eq!(exported.len(), 2);
    assert_eq!(std::fs::read_dir(to.path()).unwrap().count(), 2);
}

#[test]
fn changed_gap_is_found() {
    let (folder, _) = made(1_000);
    let path = folder.path().join("gap/part-00000.parquet");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[6] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let differences = verify(folder.path()).unwrap().differences;
    assert!(differences.iter().all(|difference| difference.place.starts_with("gap")));
    assert!(
        differences.iter().any(|difference| difference.what == "sha256"),
        "{differences:?}"
    );
}

#[test]
fn no_gap_leaves_no_folder_and_no_word_in_the_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let (view, how) = (simple_view("", ""), How::default());
    let made = world().create(&view, Arguments::default(), how, folder.path()).unwrap();
    assert_eq!(made.manifest.gap_rows, None);
    assert!(!made.manifest.has_lost_its_gap() && !folder.path().join("gap").exists());
    let text = std::fs::read_to_string(folder.path().join(MANIFEST)).unwrap();
    assert!(!text.contains("gap_rows"), "{text}");
}

#[test]
fn dataset_of_before_loads_without_its_gap() {
    let (folder, manifest) = made(1_000);
    let before = Manifest {
        gap_rows: None,
        ..manifest
    };
    std::fs::write(folder.path().join(MANIFEST), before.to_json().unwrap()).unwrap();
    std::fs::remove_dir_all(folder.path().join("gap")).unwrap();
    let loaded = load_manifest(folder.path()).unwrap();
    assert!(loaded.has_lost_its_gap());
    assert_eq!(gap_lines(folder.path()), Vec::<String>::new());
    assert_eq!(verify(folder.path()).unwrap().differences, []);
}
