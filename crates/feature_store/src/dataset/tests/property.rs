//! Whole datasets against naive twins, and the proof that they see no future.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

/// A row of a group: host, event time, time of ingestion, value.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Row {
    host: usize,
    time: i64,
    ingested: i64,
    value: i64,
}

const HOSTS: [&str; 3] = ["a", "b", "c"];

fn rows(most: usize) -> impl Strategy<Value = Vec<Row>> {
    let row = (0..3_usize, 0..20_i64, 0..4_i64, 0..100_i64);
    proptest::collection::vec(row, 0..most).prop_map(|rows| {
        rows.into_iter()
            .map(|(host, time, ingested, value)| Row {
                host,
                time,
                ingested: ingested * 5,
                value,
            })
            .collect()
    })
}

fn text(value: &str, rows: &[Row]) -> String {
    let mut text = format!("host ts __known_at __ingest_id {value}:int64\n");
    for Row {
        host,
        time,
        ingested,
        value,
    } in rows
    {
        writeln!(text, "{} {time} {ingested} {} {value}", HOSTS[*host], ingested / 5 + 1).unwrap();
    }
    text
}

fn world(labels: &[Row], metrics: &[Row], mode: &str) -> World {
    World::default()
        .with(
            group("labels", &format!("mode = \"{mode}\""), &[("y", "")]),
            &text("y", labels),
        )
        .with(group("metrics", "", &[("v", "")]), &text("v", metrics))
}

fn dataset(world: &World, view: &FeatureView, batch_rows: usize) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    world
        .create(
            view,
            Arguments::default(),
            How {
                batch_rows,
                rows_per_file: 7,
            },
            folder.path(),
        )
        .unwrap();
    lines(folder.path())
}

/// The spine as the contract says: sorted; in an upsert group the row known last of each key and time.
fn naive_spine(labels: &[Row], mode: &str) -> Vec<Row> {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by_key(|at| (labels[*at].host, labels[*at].time, labels[*at].ingested, *at));
    let is_last = |place: usize| {
        let (row, next) = (labels[order[place]], order.get(place + 1).map(|next| labels[*next]));
        mode == "append" || next.is_none_or(|next| (next.host, next.time) != (row.host, row.time))
    };
    (0..order.len())
        .filter(|place| is_last(*place))
        .map(|place| labels[order[place]])
        .collect()
}

fn naive_dataset(labels: &[Row], metrics: &[Row], mode: &str) -> Vec<String> {
    let feature = |spine: &Row| {
        let seen = metrics
            .iter()
            .enumerate()
            .filter(|(_, row)| row.host == spine.host && row.time <= spine.time);
        let best = seen.max_by_key(|(at, row)| (row.time, row.ingested, *at));
        best.map_or("-".to_owned(), |(_, row)| row.value.to_string())
    };
    let line = |row: &Row| format!("train {} {} {} {}", HOSTS[row.host], row.time, row.value, feature(row));
    naive_spine(labels, mode).iter().map(line).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn dataset_agrees_with_the_nested_loop(
        labels in rows(40),
        metrics in rows(40),
        is_upsert in any::<bool>(),
        batch_rows in 1..20_usize,
    ) {
        let mode = if is_upsert { "upsert" } else { "append" };
        let found = dataset(&world(&labels, &metrics, mode), &simple_view("", ""), batch_rows);
        prop_assert_eq!(found, naive_dataset(&labels, &metrics, mode));
    }

    /// The parts and the gap together are the spine: every row once, whatever the split.
    #[test]
    fn no_row_is_lost_between_parts_and_gap(
        labels in rows(40),
        horizon in 0..6_i64,
        share in 0.1..0.5_f64,
        batch_rows in 1..20_usize,
    ) {
        let world = World::default()
            .with(group("labels", "mode = \"append\"", &[("y", &format!("horizon = \"{horizon}us\""))]), &text("y", &labels))
            .with(group("metrics", "", &[("v", "")]), &text("v", &[]));
        let split = format!("[split]\nstrategy = \"time\"\nvalidation = {share}\ntest = 0.3\ngap = \"auto\"");
        let folder = tempfile::tempdir().unwrap();
        let how = How { batch_rows, rows_per_file: 7 };
        // A split may leave a part empty, which is refused.
        if world.create(&simple_view("", &split), Arguments::default(), how, folder.path()).is_err() {
            return Ok(());
        }
        let of_parts = lines(folder.path()).into_iter().map(|line| line.split(' ').skip(1).take(3).collect::<Vec<_>>().join(" "));
        let in_gap = open_gap(folder.path(), None).unwrap().into_iter().flatten();
        let in_gap: Vec<String> = in_gap.flat_map(|batch| cells(&batch.unwrap())).map(|cells| cells.join(" ")).collect();
        prop_assert!(verify(folder.path()).unwrap().differences.is_empty());
        let mut found: Vec<String> = of_parts.chain(in_gap).collect();
        let mut wanted: Vec<String> = naive_spine(&labels, "append")
            .iter()
            .map(|row| format!("{} {} {}", HOSTS[row.host], row.time, row.value))
            .collect();
        found.sort();
        wanted.sort();
        prop_assert_eq!(found, wanted);
    }

    /// Values after t replaced by garbage, and garbage rows added after t, change no row at or before t; and where availability is
    /// known, neither do values that became known after t.
    #[test]
    fn poisoned_future_changes_no_row_before_it(
        labels in rows(30),
        metrics in rows(40),
        garbage in rows(10),
        t in 0..20_i64,
        is_ingested in any::<bool>(),
    ) {
        let availability = if is_ingested { "availability = \"ingested\"\n" } else { "" };
        let view = view(&format!(
            "{availability}[labels]\ngroup = \"labels:v1\"\ncolumns = [\"y\"]\n[[features]]\ngroup = \"metrics:v1\"\ncolumns = [\"v\"]\nfill = {{ v = \"last_known\" }}"
        ));
        let is_future = |row: &Row| row.time > t || (is_ingested && row.ingested > t);
        let mut poisoned: Vec<Row> = metrics.clone();
        poisoned.iter_mut().filter(|row| is_future(row)).for_each(|row| row.value = -999);
        poisoned.extend(garbage.into_iter().filter(is_future).map(|row| Row { value: -888, ..row }));
        let past = |lines: Vec<String>| -> Vec<String> {
            let time = |line: &String| line.split(' ').nth(2).unwrap().parse::<i64>().unwrap();
            lines.into_iter().filter(|line| time(line) <= t).collect()
        };
        let before = past(dataset(&world(&labels, &metrics, "append"), &view, 7));
        let after = past(dataset(&world(&labels, &poisoned, "append"), &view, 7));
        prop_assert_eq!(before, after);
    }
}
