//! What is done with datasets once they are made: verify, compare, know that nothing changed.

use std::io::Write;

use definitions::EventTime;

use super::*;

fn world(labels: &str) -> World {
    World::default().with(group("labels", "", &[("y", "")]), labels).with(
        group("metrics", "", &[("v", "")]),
        "host ts v \n a 10 1 \n a 20 2 \n b 10 5",
    )
}

const LABELS: &str = "host ts y:int64 \n a 10 1 \n a 20 2 \n b 10 3 \n b 20 4";

fn made(world: &World, view: &FeatureView) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    world
        .create(
            view,
            Arguments::default(),
            How {
                rows_per_file: 3,
                ..How::default()
            },
            folder.path(),
        )
        .unwrap();
    folder
}

/// Checks that a dataset that was harmed is found out; `harm` is told its folder.
fn check_harmed(harm: impl FnOnce(&Path), expected: &[&str]) {
    let folder = made(&world(LABELS), &simple_view("", ""));
    harm(folder.path());
    let differences = verify(folder.path()).unwrap().differences;
    let found: Vec<String> = differences
        .iter()
        .map(|difference| format!("{} {}", difference.place, difference.what))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn untouched_dataset_verifies() {
    let folder = made(&world(LABELS), &simple_view("", ""));
    let verification = verify(folder.path()).unwrap();
    assert_eq!(
        (verification.files, verification.rows, verification.differences.len()),
        (2, 4, 0)
    );
}

#[test]
fn changed_byte_is_found() {
    check_harmed(
        |folder| {
            let path = folder.join("train/part-00001.parquet");
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[3] ^= 1;
            std::fs::write(&path, bytes).unwrap();
        },
        &["train/part-00001.parquet sha256"],
    );
}

#[test]
fn file_that_was_cut_off_is_found() {
    check_harmed(
        |folder| std::fs::write(folder.join("train/part-00000.parquet"), b"PAR1").unwrap(),
        &[
            "train/part-00000.parquet bytes",
            "train/part-00000.parquet sha256",
            "train/part-00000.parquet file",
        ],
    );
}

#[test]
fn missing_file_is_found() {
    check_harmed(
        |folder| std::fs::remove_file(folder.join("train/part-00000.parquet")).unwrap(),
        &["train/part-00000.parquet file"],
    );
}

#[test]
fn stranger_in_the_folder_is_found() {
    check_harmed(
        |folder| writeln!(std::fs::File::create(folder.join("train/more.parquet")).unwrap(), "?").unwrap(),
        &["train/more.parquet file"],
    );
}

#[test]
fn other_rows_in_sound_files_are_found() {
    check_harmed(
        |folder| {
            let other = made(
                &world("host ts y:int64 \n a 10 1 \n a 20 2 \n b 10 3 \n b 20 5"),
                &simple_view("", ""),
            );
            std::fs::copy(
                other.path().join("train/part-00001.parquet"),
                folder.join("train/part-00001.parquet"),
            )
            .unwrap();
        },
        &["train/part-00001.parquet sha256", "train content", "dataset content"],
    );
}

#[test]
fn same_rows_are_the_same_bytes_whatever_the_batches() {
    let (world, view) = (world(LABELS), simple_view("", ""));
    let bytes = |batch_rows: usize| {
        let folder = tempfile::tempdir().unwrap();
        let receipt = world
            .create(
                &view,
                Arguments::default(),
                How {
                    batch_rows,
                    ..How::default()
                },
                folder.path(),
            )
            .unwrap();
        (
            std::fs::read(folder.path().join("train/part-00000.parquet")).unwrap(),
            receipt.manifest_sha256,
        )
    };
    assert_eq!(bytes(1), bytes(1_000));
}

#[test]
fn changed_definition_is_found() {
    check_harmed(
        |folder| {
            let path = folder.join(MANIFEST);
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains("\"boundary\": \"inclusive\""));
            std::fs::write(
                &path,
                text.replace("\"boundary\": \"inclusive\"", "\"boundary\": \"exclusive\""),
            )
            .unwrap();
        },
        &["manifest.json: fv:v1 definition"],
    );
}

#[test]
fn making_a_dataset_may_move_between_threads() {
    fn is_send<T: Send>(_: T) {}
    let _ = |request: &DatasetRequest<'static>| is_send(create_dataset(request));
    let _ = |request: &EntitiesRequest<'static>| is_send(join_entities(request));
}

#[test]
fn manifest_of_another_format_is_refused() {
    let folder = made(&world(LABELS), &simple_view("", ""));
    let path = folder.path().join(MANIFEST);
    let text = std::fs::read_to_string(&path)
        .unwrap()
        .replace("\"format\": 1", "\"format\": 2");
    std::fs::write(&path, text).unwrap();
    let error = load_manifest(folder.path()).unwrap_err().to_string();
    assert!(error.ends_with("has format 2, wanted 1"), "{error}");
}

#[test]
fn staging_folder_that_holds_a_dataset_is_refused() {
    let (world, view) = (world(LABELS), simple_view("", ""));
    let folder = made(&world, &view);
    let again = world.create(&view, Arguments::default(), How::default(), folder.path());
    assert!(matches!(again, Err(StoreError::File { .. })));
}

#[test]
fn part_that_a_dataset_does_not_have_is_refused() {
    let folder = made(&world(LABELS), &simple_view("", ""));
    let error = read_part(folder.path(), Part::Test).unwrap_err().to_string();
    assert_eq!(error, "the dataset has no part `test`; it has `train`");
}

#[test]
fn columns_can_be_read_alone() {
    let folder = made(&world(LABELS), &simple_view("", ""));
    let reader = open_part(folder.path(), Part::Train, Some(&["y".to_owned()])).unwrap();
    let values: Vec<Vec<String>> = reader.flat_map(|batch| cells(&batch.unwrap())).collect();
    assert_eq!(values, [["1"], ["2"], ["3"], ["4"]]);
}

#[test]
fn datasets_of_the_same_rows_do_not_differ() {
    let (world, view) = (world(LABELS), simple_view("", ""));
    let (a, b) = (made(&world, &view), made(&world, &view));
    let found = diff(a.path(), b.path()).unwrap();
    assert!(found.same_content && found.columns.is_empty() && found.pins.is_empty() && found.statistics.is_empty());
    assert_eq!(
        found.rows,
        RowsDiff {
            same: 4,
            ..RowsDiff::default()
        }
    );
}

#[test]
fn rows_are_compared_by_key_and_time() {
    let view = simple_view("", "");
    let a = made(&world(LABELS), &view);
    let b = made(
        &world("host ts y:int64 \n a 10 1 \n a 20 7 \n b 20 4 \n b 30 1 \n c 10 1"),
        &view,
    );
    let found = diff(a.path(), b.path()).unwrap();
    assert_eq!(
        found.rows,
        RowsDiff {
            same: 2,
            moved: 0,
            changed: 1,
            added: 2,
            removed: 1
        }
    );
    assert_eq!(
        found.counts.map(|counts| (counts.a.train, counts.b.train)),
        Some((4, 5))
    );
    assert!(found.statistics.iter().any(|drift| drift.column == "y"));
}

#[test]
fn differences_are_told_in_lines() {
    let view = simple_view("", "");
    let a = made(&world("host ts y:int64 \n a 10 1 \n a 20 2"), &view);
    let b = made(&world("host ts y:int64 \n a 10 1 \n a 20 4 \n b 20 -"), &view);
    let text = diff(a.path(), b.path()).unwrap().to_string();
    let lines: Vec<&str> = text.lines().skip(1).collect();
    let expected = [
        "rows per part: 2 train, 0 validation, 0 test, 0 in gaps -> 3 train, 0 validation, 0 test, 0 in gaps",
        "rows: 1 the same, 0 moved to another part, 1 changed, 1 added, 0 removed",
        "train `host`: max \"a\" -> \"b\", distinct 1 -> 2",
        "train `y`: NULLs 0 -> 1, max 2 -> 4, mean 1.500000 -> 2.500000, std 0.707107 -> 2.121320 (mean moved by +1.414 std)",
        "train `v`: max 2 -> 5, mean 1.500000 -> 2.666667, std 0.707107 -> 2.081666, distinct 2 -> 3 (mean moved by +1.650 std)",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn rows_that_went_to_another_part_moved() {
    let split = |at: &str| simple_view("", &format!("[split]\nstrategy = \"time\"\ntest = \"{at}\""));
    let (early, late) = (EventTime(15).to_string(), EventTime(25).to_string());
    let world = world("host ts y:int64 \n a 10 1 \n a 20 2 \n b 10 3 \n b 30 4");
    let found = diff(made(&world, &split(&early)).path(), made(&world, &split(&late)).path()).unwrap();
    assert_eq!(
        found.rows,
        RowsDiff {
            same: 3,
            moved: 1,
            ..RowsDiff::default()
        }
    );
    assert!(found.view.is_some() && !found.same_content);
}

#[test]
fn rows_of_equal_key_and_time_are_compared_as_a_bag() {
    let append = |labels: &str| {
        World::default()
            .with(group("labels", "mode = \"append\"", &[("y", "")]), labels)
            .with(group("metrics", "", &[("v", "")]), "host ts v")
    };
    let view = simple_view("", "");
    let a = made(&append("host ts y:int64 \n a 10 1 \n a 10 1 \n a 10 2"), &view);
    let b = made(
        &append("host ts y:int64 \n a 10 2 \n a 10 1 \n a 10 3 \n a 10 4"),
        &view,
    );
    assert_eq!(
        diff(a.path(), b.path()).unwrap().rows,
        RowsDiff {
            same: 2,
            moved: 0,
            changed: 1,
            added: 1,
            removed: 0
        }
    );
}

#[test]
fn column_that_came_is_told_and_the_others_are_compared() {
    let wide = World::default().with(group("labels", "", &[("y", "")]), LABELS).with(
        group("metrics", "", &[("v", ""), ("w", "")]),
        "host ts v w \n a 10 1 1 \n a 20 2 1 \n b 10 5 1",
    );
    let both = view(
        "[labels]\ngroup = \"labels:v1\"\ncolumns = [\"y\"]\n[[features]]\ngroup = \"metrics:v1\"\ncolumns = [\"v\", \"w\"]",
    );
    let found = diff(
        made(&world(LABELS), &simple_view("", "")).path(),
        made(&wide, &both).path(),
    )
    .unwrap();
    let columns: Vec<&str> = found.columns.iter().map(|column| column.column.as_str()).collect();
    assert_eq!(
        (columns, found.rows),
        (
            vec!["w"],
            RowsDiff {
                same: 4,
                ..RowsDiff::default()
            }
        )
    );
}

#[test]
fn every_part_is_exported_for_other_programs() {
    let folder = made(
        &world(LABELS),
        &simple_view("", "[split]\nstrategy = \"time\"\ntest = 0.5"),
    );
    let to = tempfile::tempdir().unwrap();
    let exported = export_all(folder.path(), &to.path().join("deep"), ExportFormat::Csv).unwrap();
    let found: Vec<(Part, u64)> = exported.iter().map(|file| (file.part, file.rows)).collect();
    assert_eq!(found, [(Part::Train, 2), (Part::Test, 2)]);
    let text = std::fs::read_to_string(to.path().join("deep/train.csv")).unwrap();
    assert_eq!(
        text,
        "host,ts,y,v\na,1970-01-01T00:00:00.000010Z,1,1\nb,1970-01-01T00:00:00.000010Z,3,5\n"
    );
}

#[test]
fn every_format_holds_every_row() {
    let folder = made(
        &world(LABELS),
        &simple_view("", "[split]\nstrategy = \"time\"\ntest = 0.5"),
    );
    let to = tempfile::tempdir().unwrap();
    for format in ExportFormat::ALL {
        let exported = export_all(folder.path(), to.path(), format).unwrap();
        let found: Vec<u64> = exported.iter().map(|file| file.rows).collect();
        assert_eq!(found, [2, 2], "{format:?}");
        let again = export_all(folder.path(), to.path(), format).unwrap_err();
        assert!(matches!(again, StoreError::FileThere { .. }), "{again}");
    }
    let left = std::fs::read_dir(to.path()).unwrap().count();
    assert_eq!(left, 2 * ExportFormat::ALL.len(), "half files go away");
}

#[test]
fn exported_arrow_file_holds_what_the_dataset_holds() {
    let folder = made(&world(LABELS), &simple_view("", ""));
    let to = tempfile::tempdir().unwrap();
    export_all(folder.path(), to.path(), ExportFormat::Arrow).unwrap();
    let file = std::fs::File::open(to.path().join("train.arrow")).unwrap();
    let read: Vec<RecordBatch> = arrow_ipc::reader::FileReader::try_new(file, None)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(read, read_part(folder.path(), Part::Train).unwrap());
}

/// The key of a view over a group with these pinned files; each is (name, ingestions of its rows).
fn key(files: &[(&str, &[i64])], arguments: Arguments) -> Fingerprint {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().to_str().unwrap()).unwrap();
    let world = World::default().with(group("metrics", "", &[("v", "")]), "host ts v");
    let view = view("[[features]]\ngroup = \"metrics:v1\"\ncolumns = [\"v\"]");
    let mut pins = world.pins(&view);
    let place = store.group_folder(&pins[0].group);
    std::fs::create_dir_all(&place).unwrap();
    for (name, ingestions) in files {
        let rows: String = ingestions.iter().map(|id| format!("a {id} {id} 1\n")).collect();
        let batch = group_table(&format!("host ts __ingest_id v\n{rows}"));
        let file = std::fs::File::create(place.join(name)).unwrap();
        let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let file = crate::PinnedFile {
            path: (*name).to_owned(),
            bytes: 0,
            rows: ingestions.len() as u64,
            sorted: true,
        };
        pins[0].files.push(file);
        pins[0].delta_version += 1;
    }
    pins_key(&store, &view, &world.groups, &pins, &arguments).unwrap()
}

#[test]
fn compaction_does_not_change_the_key() {
    let apart = key(&[("x", &[1, 1]), ("y", &[2])], Arguments::default());
    assert_eq!(apart, key(&[("z", &[1, 1, 2])], Arguments::default()));
}

#[test]
fn ingestion_and_arguments_change_the_key() {
    let before = key(&[("x", &[1, 1])], Arguments::default());
    assert_ne!(before, key(&[("x", &[1, 1]), ("y", &[2])], Arguments::default()));
    assert_ne!(before, key(&[("x", &[1, 2])], Arguments::default()));
    assert_ne!(
        before,
        key(
            &[("x", &[1, 1])],
            Arguments {
                to: Some(EventTime(9)),
                ..Arguments::default()
            }
        )
    );
}
