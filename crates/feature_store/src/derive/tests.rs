//! Derived tables on disk: files go in as text, tables come out as text, and whatever order the rows came in, a table is what computing
//! everything at once from the rows that count gives.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may"
)]

mod encodings;
mod joined;
mod queries;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Float64Type, TimestampMicrosecondType};
use definitions::{Catalog, EventTime, FeatureGroup, GroupRef, WallTime};
use futures::TryStreamExt;
use proptest::prelude::*;

use super::features::{Features, Output};
use super::kernel::{Operand, OrderedRows, Segment, compute_features};
use super::{Extent, MaterializeRequest, Materialized, materialize};
use crate::ingest::{Earnest, IngestRequest, Repeat, ingest};
use crate::{Store, StoreError, create_table, query};

const SOURCE: &str = "name = \"m\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n\
                      [[features]]\nname = \"cpu\"\ntype = \"float64\"\n[[features]]\nname = \"disk\"\ntype = \"utf8\"\n";
const DERIVED: &str = r#"name = "d"
version = 1
entity = ["host"]
event_time = "ts"
[derive]
from = ["m:v1"]
[[features]]
name = "cpu"
of = "cpu"
[[features]]
name = "mean_10m"
of = "cpu"
window = "10m"
aggregate = "mean"
[[features]]
name = "last_disk_7m"
of = "disk"
window = "7m"
aggregate = "last"
[[features]]
name = "before_5m"
of = "cpu"
lag = "5m"
max_age = "3m"
[[features]]
name = "hour"
calendar = "hour"
"#;
const LABEL: &str = "[[features]]\nname = \"max_next_4m\"\nof = \"cpu\"\nlead = \"4m\"\naggregate = \"max\"\n";
const EXPANDING: &str = "[[features]]\nname = \"z\"\nof = \"cpu\"\nzscore = \"expanding\"\n";

/// A source, and groups derived from it.
struct Bench {
    folder: tempfile::TempDir,
    store: Store,
    groups: BTreeMap<String, FeatureGroup>,
    now: WallTime,
}

impl Bench {
    async fn new(texts: &[&str]) -> Self {
        let files: Vec<(String, String)> = texts
            .iter()
            .enumerate()
            .map(|(at, text)| (format!("feature_groups/{at}.toml"), (*text).to_owned()))
            .collect();
        let mut catalog = Catalog::parse(&files).unwrap_or_else(|problems| panic!("{problems}"));
        catalog.complete(&BTreeMap::new()).unwrap();
        catalog
            .check(&BTreeMap::new(), &BTreeMap::new())
            .unwrap_or_else(|problems| panic!("{problems}"));
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(&folder.path().join("store").display().to_string()).unwrap();
        let mut groups = BTreeMap::new();
        for parsed in catalog.groups {
            create_table(&store, &parsed.definition).await.unwrap();
            groups.insert(parsed.definition.name.to_string(), parsed.definition);
        }
        let now = "2026-03-01T00:00:00Z".parse().unwrap();
        Self {
            folder,
            store,
            groups,
            now,
        }
    }

    /// Ingests rows of the first source.
    async fn ingest(&mut self, rows: &str) {
        self.ingest_into("m", &format!("host,ts,cpu,disk\n{rows}")).await;
    }

    /// Ingests rows a minute of wall time later than the last.
    async fn ingest_into(&mut self, group: &str, rows: &str) {
        self.now = WallTime(self.now.0 + 60_000_000);
        let path = self.folder.path().join(format!("{}.csv", self.now.0));
        std::fs::write(&path, rows).unwrap();
        let request = IngestRequest {
            store: self.store.clone(),
            group: self.groups[group].clone(),
            sources: vec![path.display().to_string()],
            format: None,
            repeat: Repeat::Again,
            earnest: Earnest::Commit,
            now: self.now,
            memory: 64 << 20,
            software: "test".to_owned(),
            progress: Arc::new(|_| {}),
        };
        ingest(request).await.unwrap();
    }

    async fn materialize(&self, name: &str, extent: Extent) -> Result<Materialized, StoreError> {
        let group = self.groups[name].clone();
        let derive = group.derive.clone().unwrap();
        materialize(MaterializeRequest {
            store: self.store.clone(),
            sources: derive
                .from
                .iter()
                .map(|from| self.groups[from.name.as_str()].clone())
                .collect(),
            group,
            groups: self.by_reference(),
            extent,
            now: self.now,
            threads: NonZeroUsize::new(2).unwrap(),
            memory: 64 << 20,
            software: "test".to_owned(),
            progress: Arc::new(|_| {}),
        })
        .await
    }

    fn by_reference(&self) -> BTreeMap<GroupRef, FeatureGroup> {
        let groups = self.groups.values();
        groups.map(|group| (group.reference(), group.clone())).collect()
    }

    async fn select(&self, sql: &str) -> RecordBatch {
        let answer = query::query(&self.store, &self.by_reference(), sql).await.unwrap();
        let batches: Vec<RecordBatch> = answer.batches.try_collect().await.unwrap();
        concat_batches(&answer.schema, &batches).unwrap()
    }

    async fn rows(&self, name: &str) -> String {
        crate::tests::lines(&[self.select(&format!("select * from {name} order by host, ts")).await])
    }

    /// A column of `n` beside these rows, by looking at all rows of `n` for each.
    async fn as_it_stood(&self, name: &str, rows: &RecordBatch) -> ArrayRef {
        let sql =
            format!("select host, ts, arrived, {name} from \"n:v1$all\" order by ts, arrived, __known_at, __ingest_id");
        let others = self.select(&sql).await;
        let text = |rows: &RecordBatch, row: usize| rows["host"].as_string::<i32>().value(row).to_owned();
        let time = |rows: &RecordBatch, name: &str, row: usize| {
            let times = rows[name].as_primitive::<TimestampMicrosecondType>();
            times.is_valid(row).then(|| times.value(row))
        };
        let stood = (0..rows.num_rows()).map(|row| {
            let at = time(rows, "ts", row);
            let is_seen = |other: &usize| {
                let is_known = time(&others, "arrived", *other).is_some_and(|known| Some(known) <= at);
                text(&others, *other) == text(rows, row) && time(&others, "ts", *other) <= at && is_known
            };
            let last = (0..others.num_rows()).rfind(is_seen)?;
            let values = others[name].as_primitive::<Float64Type>();
            values.is_valid(last).then(|| values.value(last))
        });
        Arc::new(stood.collect::<Float64Array>())
    }

    /// What the kernel gives for all rows that count at once.
    async fn at_once(&self, name: &str) -> String {
        let group = &self.groups[name];
        let features = Features::of(group, &[], &BTreeMap::new()).unwrap();
        let rows = self.select("select * from m order by host, ts").await;
        let times = rows
            .column_by_name("ts")
            .unwrap()
            .as_primitive::<TimestampMicrosecondType>();
        let hosts = rows.column_by_name("host").unwrap().as_string::<i32>();
        let mut segments: Vec<Segment> = Vec::new();
        for row in 0..rows.num_rows() {
            match segments.last_mut() {
                Some(last) if hosts.value(last.rows.start) == hosts.value(row) => last.rows.end = row + 1,
                _ => segments.push(Segment {
                    rows: row..row + 1,
                    asked: 0..0,
                }),
            }
        }
        for segment in &mut segments {
            segment.asked = segment.rows.clone();
        }
        let mut columns = Vec::new();
        for name in &features.columns {
            columns.push(match rows.column_by_name(name.as_str()) {
                Some(column) => column.clone(),
                None => self.as_it_stood(name.as_str(), &rows).await,
            });
        }
        let ordered = OrderedRows {
            times: times.values(),
            columns: &columns,
            segments: &segments,
            observed_until: times.values().iter().copied().max().unwrap_or_default(),
        };
        let computed = compute_features(&features.computations, &ordered, NonZeroUsize::MIN).unwrap();
        let mut fields = vec![
            ("host", rows.column_by_name("host").unwrap().clone()),
            ("ts", rows.column_by_name("ts").unwrap().clone()),
        ];
        for (feature, output) in group.features.iter().zip(&features.outputs) {
            fields.push((
                feature.name.as_str(),
                match output {
                    Output::Of(Operand::Column(at)) => columns[*at].clone(),
                    Output::Of(Operand::Computed(at)) => computed[*at].clone(),
                    Output::Encoded(_) => panic!("encodings have tests of their own"),
                },
            ));
        }
        crate::tests::lines(&[RecordBatch::try_from_iter_with_nullable(
            fields.into_iter().map(|(name, column)| (name, column, true)),
        )
        .unwrap()])
    }
}

fn named(name: &str, more: &str) -> String {
    DERIVED.replacen("name = \"d\"", &format!("name = \"{name}\""), 1) + more
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_row_changes_the_windows_that_hold_it_and_no_other() {
    let mut bench = Bench::new(&[SOURCE, &named("d", "")]).await;
    let at = |minute: u32, cpu: &str| format!("a,2026-01-01T00:{minute:02}:00Z,{cpu},x\n");
    bench
        .ingest(&[at(0, "1"), at(5, "2"), at(15, "3"), at(25, "4")].concat())
        .await;
    let Materialized::Full(first) = bench.materialize("d", Extent::New).await.unwrap() else {
        panic!("not all")
    };
    assert_eq!((first.rows, first.ingest_id), (4, 1));
    assert_eq!(
        bench.materialize("d", Extent::New).await.unwrap(),
        Materialized::UpToDate
    );
    bench.ingest(&at(8, "10")).await;
    let Materialized::Part(second) = bench.materialize("d", Extent::New).await.unwrap() else {
        panic!("not a part")
    };
    // Minute 8 itself, and 15: (5, 15] holds it.
    assert_eq!((second.rows, second.ingest_id), (2, 2));
    crate::tests::check(
        &bench.rows("d").await,
        "a 2026-01-01T00:00:00Z 1.0 1.0 x - 0
         a 2026-01-01T00:05:00Z 2.0 1.5 x 1.0 0
         a 2026-01-01T00:08:00Z 10.0 4.333333333333333 x - 0
         a 2026-01-01T00:15:00Z 3.0 6.5 x 10.0 0
         a 2026-01-01T00:25:00Z 4.0 4.0 x - 0",
    );
    // What was made of a late row was not known before that row.
    let known = bench
        .select("select ts, __known_at from \"d:v1$all\" order by ts, __ingest_id")
        .await;
    crate::tests::check(
        &crate::tests::lines(&[known]),
        "2026-01-01T00:00:00Z 2026-03-01T00:01:00Z
         2026-01-01T00:05:00Z 2026-03-01T00:01:00Z
         2026-01-01T00:08:00Z 2026-03-01T00:02:00Z
         2026-01-01T00:15:00Z 2026-03-01T00:01:00Z
         2026-01-01T00:15:00Z 2026-03-01T00:02:00Z
         2026-01-01T00:25:00Z 2026-03-01T00:01:00Z",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn label_is_computed_once_it_is_over() {
    let mut bench = Bench::new(&[SOURCE, &named("d", LABEL)]).await;
    bench
        .ingest("a,2026-01-01T00:00:00Z,1,x\nb,2026-01-01T00:00:00Z,5,x\na,2026-01-01T00:02:00Z,3,x\n")
        .await;
    bench.materialize("d", Extent::New).await.unwrap();
    let labels = "select host, ts, max_next_4m from d order by host, ts";
    crate::tests::check(
        &crate::tests::lines(&[bench.select(labels).await]),
        "a 2026-01-01T00:00:00Z -
         a 2026-01-01T00:02:00Z -
         b 2026-01-01T00:00:00Z -",
    );
    bench.ingest("b,2026-01-01T00:05:00Z,7,x\n").await;
    bench.materialize("d", Extent::New).await.unwrap();
    crate::tests::check(
        &crate::tests::lines(&[bench.select(labels).await]),
        "a 2026-01-01T00:00:00Z 3.0
         a 2026-01-01T00:02:00Z -
         b 2026-01-01T00:00:00Z -
         b 2026-01-01T00:05:00Z -",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_rows_in_the_range_that_is_asked_for_are_computed() {
    let mut bench = Bench::new(&[SOURCE, &named("d", "")]).await;
    let rows: String = (0..50)
        .map(|minute| format!("a,2026-01-01T00:{minute:02}:00Z,{minute},x\n"))
        .collect();
    bench.ingest(&rows).await;
    let time = |text: &str| text.parse::<EventTime>().ok();
    let between = Extent::Between {
        from: time("2026-01-01T00:20:00Z"),
        to: time("2026-01-01T00:22:00Z"),
    };
    let Materialized::Part(part) = bench.materialize("d", between).await.unwrap() else {
        panic!("not a part")
    };
    assert_eq!(part.rows, 2);
    assert!(
        bench
            .rows("d")
            .await
            .starts_with("a 2026-01-01T00:20:00Z 20.0 15.5 x 15.0 0")
    );
    // That range says nothing of what else is new.
    let Materialized::Full(all) = bench.materialize("d", Extent::New).await.unwrap() else {
        panic!("not all")
    };
    assert_eq!(all.rows, 50);
    assert_eq!(bench.rows("d").await, bench.at_once("d").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn group_derived_from_a_derived_group_follows_it() {
    let mut bench = Bench::new(&[
        SOURCE,
        &named("d", ""),
        "name = \"e\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n[derive]\nfrom = [\"d:v1\"]\n\
         [[features]]\nname = \"top\"\nof = \"mean_10m\"\nwindow = \"10m\"\naggregate = \"max\"\n",
    ])
    .await;
    bench
        .ingest("a,2026-01-01T00:00:00Z,1,x\na,2026-01-01T00:08:00Z,3,x\n")
        .await;
    for name in ["d", "e"] {
        bench.materialize(name, Extent::New).await.unwrap();
    }
    bench.ingest("a,2026-01-01T00:00:00Z,9,x\n").await;
    for name in ["d", "e"] {
        bench.materialize(name, Extent::New).await.unwrap();
    }
    crate::tests::check(
        &bench.rows("e").await,
        "a 2026-01-01T00:00:00Z 9.0
         a 2026-01-01T00:08:00Z 9.0",
    );
}

/// A row: host, minute, value.
type Row = (u8, u16, Option<u8>);

fn text(rows: &[Row]) -> String {
    let unique: BTreeMap<(u8, u16), Option<u8>> = rows
        .iter()
        .map(|(host, minute, cpu)| ((*host, *minute), *cpu))
        .collect();
    let line = |((host, minute), cpu): (&(u8, u16), &Option<u8>)| {
        let (hour, minute) = (minute / 60, minute % 60);
        let cpu = cpu.map_or_else(String::new, |cpu| cpu.to_string());
        format!("h{host},2026-01-01T{hour:02}:{minute:02}:00Z,{cpu},d{}\n", minute % 3)
    };
    unique.iter().map(line).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]
    #[test]
    fn whatever_batches_come_the_table_is_what_computing_everything_gives(
        batches in prop::collection::vec(prop::collection::vec((0_u8..4, 0_u16..90, prop::option::of(0_u8..50)), 1..40), 1..5),
        more in 0_usize..3,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let more = ["", LABEL, EXPANDING][more];
        runtime.block_on(async {
            let mut bench = Bench::new(&[SOURCE, &named("d", more), &named("whole", more)]).await;
            for batch in &batches {
                bench.ingest(&text(batch)).await;
                bench.materialize("d", Extent::New).await.unwrap();
                assert_eq!(bench.rows("d").await, bench.at_once("d").await);
            }
            bench.materialize("whole", Extent::New).await.unwrap();
            assert_eq!(bench.rows("whole").await, bench.rows("d").await);
            // They are known from the same times, too.
            let known = |name: &str| {
                format!("select host, ts, max(__known_at) from \"{name}:v1$all\" group by host, ts order by host, ts")
            };
            let (part, whole) = (bench.select(&known("d")).await, bench.select(&known("whole")).await);
            assert_eq!(crate::tests::lines(&[part]), crate::tests::lines(&[whole]));
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn derived_rows_that_are_not_what_is_expected_are_refused_or_told() {
    let expecting = |name: &str, expect: &str| {
        named(
            name,
            &format!(
                "[[features]]\nname = \"sum\"\nof = \"cpu\"\nwindow = \"10m\"\naggregate = \"sum\"\ntype = \"float64\"\nexpect = {expect}\n"
            ),
        )
    };
    let (strict, mild) = (
        expecting("strict", "{ max = 10.0 }"),
        expecting("mild", "{ max = 10.0, on_violation = \"warn\" }"),
    );
    let mut bench = Bench::new(&[SOURCE, &strict, &mild]).await;
    bench
        .ingest("a,2026-01-01T00:00:00Z,4,x\na,2026-01-01T00:01:00Z,5,x\n")
        .await;
    for name in ["strict", "mild"] {
        bench.materialize(name, Extent::New).await.unwrap();
    }
    bench.ingest("a,2026-01-01T00:02:00Z,6,x\n").await;
    let refused = bench.materialize("strict", Extent::New).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unmet { .. }), "{refused}");
    let rows = "select count(*) from strict";
    crate::tests::check(&crate::tests::lines(&[bench.select(rows).await]), "2");
    let Materialized::Part(part) = bench.materialize("mild", Extent::New).await.unwrap() else {
        panic!("not a part")
    };
    assert_eq!(part.expectations[0].rows_at_fault, Some(1));
}
