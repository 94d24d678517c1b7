//! Datasets from real tables: ingested, pinned, made again from their manifest after the tables went on.

use std::sync::Arc;

use definitions::{KnownAt, WallTime};

use super::*;
use crate::ingest::{DEFAULT_MEMORY, Earnest, IngestRequest, Repeat, ingest};
use crate::{PinAt, VacuumRequest, compact, create_table, pin_group, vacuum};

/// A store with its groups, and the CSV files that went in.
struct Stored {
    folder: tempfile::TempDir,
    store: Store,
    groups: BTreeMap<GroupRef, FeatureGroup>,
    files: u32,
}

impl Stored {
    async fn new(groups: impl IntoIterator<Item = FeatureGroup>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("store").to_str().unwrap()).unwrap();
        let groups: BTreeMap<GroupRef, FeatureGroup> =
            groups.into_iter().map(|group| (group.reference(), group)).collect();
        for group in groups.values() {
            create_table(&store, group).await.unwrap();
        }
        Self {
            folder,
            store,
            groups,
            files: 0,
        }
    }

    /// Ingests rows, written as a text table with times as seconds of a minute.
    async fn ingest(&mut self, group: &str, now: i64, rows: &str) {
        let lines = rows.lines().map(str::trim).filter(|line| !line.is_empty());
        let cell = |(at, cell): (usize, &str)| match (at, cell) {
            (1, second) if second != "ts" => format!("2026-01-01T00:00:{second}Z"),
            (_, "-") => String::new(),
            (_, cell) => cell.to_owned(),
        };
        let csv: String = lines
            .map(|line| {
                line.split_whitespace()
                    .enumerate()
                    .map(cell)
                    .collect::<Vec<_>>()
                    .join(",")
                    + "\n"
            })
            .collect();
        self.files += 1;
        let path = self.folder.path().join(format!("{}.csv", self.files));
        std::fs::write(&path, csv).unwrap();
        let request = IngestRequest {
            store: self.store.clone(),
            group: self.groups[&group.parse::<GroupRef>().unwrap()].clone(),
            sources: vec![path.to_str().unwrap().to_owned()],
            format: None,
            repeat: Repeat::Skip,
            earnest: Earnest::Commit,
            now: WallTime(now),
            memory: DEFAULT_MEMORY,
            software: "test".to_owned(),
            progress: Arc::new(|_| ()),
        };
        ingest(request).await.unwrap();
    }

    async fn create(
        &self,
        view: &FeatureView,
        pins: &[GroupPin],
        arguments: Arguments,
    ) -> (tempfile::TempDir, Manifest) {
        let staging = tempfile::tempdir().unwrap();
        let request = DatasetRequest {
            store: &self.store,
            view,
            groups: &self.groups,
            pins,
            arguments,
            staging: staging.path(),
            software: BTreeMap::new(),
            now: WallTime(0),
            means: Means::default(),
            watch: &|_| (),
        };
        let manifest = create_dataset(&request).await.unwrap().manifest;
        assert_eq!(verify(staging.path()).unwrap().differences, []);
        (staging, manifest)
    }
}

async fn stored() -> Stored {
    let mut stored = Stored::new([group("labels", "", &[("y", "")]), group("metrics", "", &[("v", "")])]).await;
    stored
        .ingest("labels:v1", 1_000, "host ts y \n b 20 3 \n a 30 2 \n a 10 1")
        .await;
    stored
        .ingest("metrics:v1", 1_000, "host ts v \n a 25 7 \n a 05 5 \n b 10 9")
        .await;
    stored
}

fn without_times(folder: &Path) -> Vec<String> {
    let words = |line: &String| {
        let words: Vec<&str> = line.split(' ').collect();
        [words[1], words[3], words[4]].join(" ")
    };
    lines(folder).iter().map(words).collect()
}

#[tokio::test]
async fn dataset_is_made_from_what_was_ingested() {
    let stored = stored().await;
    let view = simple_view("", "");
    let pins = pin_view(&stored.store, &view, &stored.groups).await.unwrap();
    let (folder, manifest) = stored.create(&view, &pins, Arguments::default()).await;
    assert_eq!(without_times(folder.path()), ["a 1 5", "a 2 7", "b 3 9"]);
    assert_eq!(manifest.pins, {
        let mut pins = pins;
        pins.sort_by(|a, b| a.group.cmp(&b.group));
        pins
    });
}

/// Poisons what is later than a second; gives what changes in the rows up to another.
async fn poisoned(stored: &Stored, view: &FeatureView, cut: i64, rows_to: i64) -> PoisonReport {
    let micros = |second: i64| 1_767_225_600_000_000 + second * 1_000_000;
    let pins = pin_view(&stored.store, view, &stored.groups).await.unwrap();
    let staging = tempfile::tempdir().unwrap();
    let request = DatasetRequest {
        store: &stored.store,
        view,
        groups: &stored.groups,
        pins: &pins,
        arguments: Arguments {
            to: Some(definitions::EventTime(micros(rows_to) + 1)),
            ..Arguments::default()
        },
        staging: staging.path(),
        software: BTreeMap::new(),
        now: WallTime(0),
        means: Means::default(),
        watch: &|_| (),
    };
    poison(&request, definitions::EventTime(micros(cut))).await.unwrap()
}

#[tokio::test]
async fn poison_after_a_time_changes_no_row_up_to_it() {
    let stored = stored().await;
    let report = poisoned(&stored, &simple_view("", ""), 20, 20).await;
    let columns = Vec::new();
    assert_eq!(report, PoisonReport { rows: 2, columns });
}

#[tokio::test]
async fn poison_is_seen_in_rows_that_may_see_it() {
    let stored = stored().await;
    let report = poisoned(&stored, &simple_view("", ""), 20, 40).await;
    assert_eq!((report.rows, report.columns), (3, vec!["v".to_owned()]));
}

#[tokio::test]
async fn value_that_becomes_known_later_is_poisoned_and_not_seen() {
    let metrics = group("metrics", "known_at = \"seen\"", &[("v", "")]);
    let mut stored = Stored::new([group("labels", "", &[("y", "")]), metrics]).await;
    stored.ingest("labels:v1", 1_000, "host ts y \n a 20 3").await;
    let rows = "host ts v seen \n a 10 7 2026-01-01T00:00:30Z \n a 05 5 2026-01-01T00:00:06Z";
    stored.ingest("metrics:v1", 1_000, rows).await;
    let report = poisoned(&stored, &simple_view("", ""), 20, 20).await;
    assert_eq!((report.rows, report.columns), (1, Vec::new()));
}

#[tokio::test]
async fn dataset_is_the_same_again_after_the_tables_went_on() {
    let mut stored = stored().await;
    let view = simple_view("", "");
    let pins = pin_view(&stored.store, &view, &stored.groups).await.unwrap();
    let (first_folder, first) = stored.create(&view, &pins, Arguments::default()).await;
    stored
        .ingest("labels:v1", 2_000, "host ts y \n a 10 100 \n c 10 4")
        .await;
    stored
        .ingest("metrics:v1", 2_000, "host ts v \n a 05 50 \n a 26 70")
        .await;
    let recorded = load_manifest(first_folder.path()).unwrap();
    let again = Stored {
        groups: recorded.groups(),
        folder: stored.folder,
        store: stored.store,
        files: 0,
    };
    let (_folder, second) = again
        .create(
            &recorded.definitions.view.definition,
            &recorded.pins,
            recorded.arguments,
        )
        .await;
    assert_eq!(first, second);

    let newest = pin_view(&again.store, &view, &again.groups).await.unwrap();
    let (now_folder, now) = again.create(&view, &newest, Arguments::default()).await;
    assert_eq!(
        without_times(now_folder.path()),
        ["a 100 50", "a 2 70", "b 3 9", "c 4 -"]
    );
    assert_eq!(now.spine.superseded, 1);
    assert_ne!(now.pins_key, first.pins_key);
    assert_eq!(diff(first_folder.path(), now_folder.path()).unwrap().pins.len(), 2);

    let then = Arguments {
        as_known_at: Some(KnownAt(1_999)),
        ..Arguments::default()
    };
    let (_folder, then) = again.create(&view, &newest, then).await;
    assert_eq!(then.fingerprint, first.fingerprint);
}

#[tokio::test]
async fn compaction_and_vacuum_change_neither_datasets_nor_keys() {
    let mut stored = stored().await;
    stored
        .ingest("labels:v1", 2_000, "host ts y \n a 10 100 \n c 10 4")
        .await;
    stored
        .ingest("metrics:v1", 2_000, "host ts v \n a 05 50 \n a 26 70")
        .await;
    let view = simple_view("", "");
    let before = pin_view(&stored.store, &view, &stored.groups).await.unwrap();
    let (_folder, first) = stored.create(&view, &before, Arguments::default()).await;
    for group in stored.groups.values() {
        assert!(compact(&stored.store, group).await.unwrap().files_merged > 0);
    }
    let after = pin_view(&stored.store, &view, &stored.groups).await.unwrap();
    assert_ne!(before, after);
    let (_folder, second) = stored.create(&view, &after, Arguments::default()).await;
    assert_eq!(
        (first.fingerprint, first.pins_key),
        (second.fingerprint, second.pins_key)
    );
    for group in stored.groups.values() {
        let pins: Vec<GroupPin> = before
            .iter()
            .filter(|pin| pin.group == group.reference())
            .cloned()
            .collect();
        let grace = definitions::Duration::ZERO;
        let request = VacuumRequest {
            pins: &pins,
            grace,
            now: WallTime(i64::MAX),
            earnest: Earnest::Commit,
        };
        vacuum(&stored.store, group, &request).await.unwrap();
    }
    let (_folder, third) = stored.create(&view, &before, Arguments::default()).await;
    assert_eq!(first, third);
}

#[tokio::test]
async fn nothing_changed_gives_the_same_key() {
    let stored = stored().await;
    let view = simple_view("", "");
    let key = async || {
        let pins = pin_view(&stored.store, &view, &stored.groups).await.unwrap();
        pins_key(&stored.store, &view, &stored.groups, &pins, &Arguments::default()).unwrap()
    };
    assert_eq!(key().await, key().await);
}

#[tokio::test]
async fn entities_are_joined_to_what_was_ingested() {
    let stored = stored().await;
    let view = simple_view("", "");
    let metrics = pin_group(
        &stored.store,
        &stored.groups[&"metrics:v1".parse().unwrap()],
        PinAt::Newest,
    )
    .await
    .unwrap();
    let second = |second: i64| 1_767_225_600_000_000 + second * 1_000_000;
    let entities =
        crate::point_in_time::tests::table::table(&format!("host ts \n b {} \n a {}", second(59), second(24)));
    let request = EntitiesRequest {
        store: &stored.store,
        view: &view,
        groups: &stored.groups,
        pins: &[metrics],
        entities: &[entities],
        means: Means::default(),
    };
    let joined = join_entities(&request).await.unwrap();
    assert_eq!(cells(&joined.batches[0]), [["9"], ["5"]]);
}

#[tokio::test]
async fn group_that_is_not_pinned_is_refused() {
    let stored = stored().await;
    let view = simple_view("", "");
    let staging = tempfile::tempdir().unwrap();
    let request = DatasetRequest {
        store: &stored.store,
        view: &view,
        groups: &stored.groups,
        pins: &[],
        arguments: Arguments::default(),
        staging: staging.path(),
        software: BTreeMap::new(),
        now: WallTime(0),
        means: Means::default(),
        watch: &|_| (),
    };
    let error = create_dataset(&request).await.unwrap_err().to_string();
    assert_eq!(error, "`labels:v1` is not pinned");
}

#[tokio::test]
async fn bytes_do_not_depend_on_threads_or_memory() {
    let stored = stored().await;
    let view = simple_view("", "");
    let pins = pin_view(&stored.store, &view, &stored.groups).await.unwrap();
    let mut first: Option<Vec<crate::dataset::DataFile>> = None;
    // Of 64 bytes nothing fits: the spine goes to disk.
    for (threads, memory) in [(1, 64 << 20), (2, 1 << 30), (7, 256 << 20), (2, 64)] {
        let staging = tempfile::tempdir().unwrap();
        let request = DatasetRequest {
            store: &stored.store,
            view: &view,
            groups: &stored.groups,
            pins: &pins,
            arguments: Arguments::default(),
            staging: staging.path(),
            software: BTreeMap::new(),
            now: WallTime(0),
            means: Means { memory, threads },
            watch: &|_| (),
        };
        let receipt = create_dataset(&request).await.unwrap();
        assert!(
            receipt.work.plan.starts_with("PointInTimeJoinExec"),
            "{}",
            receipt.work.plan
        );
        assert_eq!(receipt.manifest.spilled_bytes > 0, memory == 64);
        let files = receipt.manifest.parts[0].files.clone();
        assert_eq!(
            first.get_or_insert_with(|| files.clone()),
            &files,
            "{threads} threads, {memory} bytes"
        );
    }
}

#[tokio::test]
async fn values_that_late_rows_change_are_counted() {
    let mut stored = stored().await;
    let view = simple_view("", "");
    let then = pin_view(&stored.store, &view, &stored.groups).await.unwrap();
    let (before, _) = stored.create(&view, &then, Arguments::default()).await;
    stored
        .ingest("metrics:v1", 2_000, "host ts v \n a 08 6 \n b 15 9")
        .await;
    let now = pin_view(&stored.store, &view, &stored.groups).await.unwrap();
    let (after, _) = stored.create(&view, &now, Arguments::default()).await;
    let changed = changed_values(before.path(), after.path()).unwrap();
    // a at 10 sees 6 in place of 5; b at 20 sees another row, with the same value.
    let counts: Vec<_> = changed
        .iter()
        .map(|of| (of.column.as_str(), of.changed, of.rows))
        .collect();
    assert_eq!(counts, [("v", 1, 3)]);
    assert!(
        changed_values(before.path(), before.path())
            .unwrap()
            .iter()
            .all(|of| of.changed == 0)
    );
}
