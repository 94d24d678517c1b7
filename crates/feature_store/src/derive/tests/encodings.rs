//! Target encodings, beside looking at all rows for each row.

use super::*;

const ENCODED: &str = r#"name = "e"
version = 1
entity = ["host"]
event_time = "ts"
[derive]
from = ["m:v1"]
[[features]]
name = "cpu"
of = "cpu"
[[features]]
name = "by_disk"
of = "disk"
target_encoding = "cpu"
smoothing = 2.0
[[features]]
name = "by_host"
of = "host"
target_encoding = "cpu"
smoothing = 0.0
[[features]]
name = "mean_10m"
of = "cpu"
window = "10m"
aggregate = "mean"
"#;
/// A label that looks four minutes ahead, and what is encoded by it.
const LABELS: &str = r#"name = "l"
version = 1
entity = ["host"]
event_time = "ts"
[derive]
from = ["m:v1"]
[[features]]
name = "disk"
of = "disk"
[[features]]
name = "peak"
of = "cpu"
lead = "4m"
aggregate = "max"
"#;
const OF_LABELS: &str = r#"name = "f"
version = 1
entity = ["host"]
event_time = "ts"
[derive]
from = ["l:v1"]
[[features]]
name = "by_disk"
of = "disk"
target_encoding = "peak"
smoothing = 2.0
"#;
const MINUTE: i64 = 60_000_000;

/// A row: category, time, label, when it is known.
type Labelled = (String, i64, Option<f64>, Option<i64>);

/// By looking at all rows for each: labels are small whole numbers, whose sums are exact in any order.
fn naive(rows: &[Labelled], horizon: i64, smoothing: f64) -> Vec<Option<f64>> {
    let encode = |(category, time, ..): &Labelled| {
        let is_over = |row: &&Labelled| row.1 < *time && row.1 + horizon <= *time && row.3 <= Some(*time);
        let over: Vec<&Labelled> = rows.iter().filter(is_over).filter(|row| row.2.is_some()).collect();
        let same: Vec<f64> = over
            .iter()
            .filter(|row| row.0 == *category)
            .filter_map(|row| row.2)
            .collect();
        let all: Vec<f64> = over.iter().filter_map(|row| row.2).collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let weight = same.len() as f64 + smoothing;
        let value = if weight > 0.0 {
            (same.iter().sum::<f64>() + smoothing * mean) / weight
        } else {
            mean
        };
        (!all.is_empty()).then_some(value)
    };
    rows.iter().map(encode).collect()
}

impl Bench {
    /// What a group holds: `select category, time, label, known at` in the order of its rows.
    async fn labelled(&self, sql: &str) -> Vec<Labelled> {
        let rows = self.select(sql).await;
        let micros = |at: usize, row: usize| {
            let times = rows.column(at).as_primitive::<TimestampMicrosecondType>();
            times.is_valid(row).then(|| times.value(row))
        };
        let label = rows.column(2).as_primitive::<Float64Type>();
        (0..rows.num_rows())
            .map(|row| {
                let category = rows.column(0).as_string::<i32>().value(row).to_owned();
                let label = label.is_valid(row).then(|| label.value(row));
                let known = (rows.num_columns() > 3).then(|| micros(3, row).unwrap());
                (category, micros(1, row).unwrap(), label, known)
            })
            .collect()
    }

    async fn values(&self, sql: &str) -> Vec<Option<f64>> {
        let rows = self.select(sql).await;
        rows.column(0).as_primitive::<Float64Type>().iter().collect()
    }

    async fn known(&self, name: &str) -> String {
        let sql =
            format!("select host, ts, max(__known_at) from \"{name}:v1$all\" group by host, ts order by host, ts");
        crate::tests::lines(&[self.select(&sql).await])
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn label_counts_for_other_hosts_once_it_is_over_and_never_at_its_own_time() {
    let mut bench = Bench::new(&[SOURCE, ENCODED]).await;
    let row =
        |host: &str, minute: u32, cpu: &str, disk: &str| format!("{host},2026-01-01T00:{minute:02}:00Z,{cpu},{disk}\n");
    let rows = [
        row("a", 0, "4", "x"),
        row("b", 0, "8", "y"),
        row("a", 1, "", "x"),
        row("b", 2, "6", "x"),
        row("c", 3, "", ""),
        row("c", 4, "1", "z"),
    ];
    bench.ingest(&rows.concat()).await;
    bench.materialize("e", Extent::New).await.unwrap();
    // At minute 1: one 4 of x, the mean of all is 6, so (4 + 2 * 6) / 3. At minute 4: nothing of z, so the mean of 4, 8 and 6.
    crate::tests::check(
        &bench.rows("e").await,
        "a 2026-01-01T00:00:00Z 4.0 - - 4.0
         a 2026-01-01T00:01:00Z - 5.333333333333333 4.0 4.0
         b 2026-01-01T00:00:00Z 8.0 - - 8.0
         b 2026-01-01T00:02:00Z 6.0 5.333333333333333 8.0 7.0
         c 2026-01-01T00:03:00Z - - 6.0 -
         c 2026-01-01T00:04:00Z 1.0 6.0 6.0 1.0",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_label_touches_what_comes_after_it_is_over() {
    let mut bench = Bench::new(&[SOURCE, LABELS, OF_LABELS]).await;
    let row = |host: &str, minute: u32| format!("{host},2026-01-01T00:{minute:02}:00Z,{minute},x\n");
    let rows: String = (0..30).map(|minute| row("a", minute) + &row("b", minute)).collect();
    bench.ingest(&rows).await;
    for name in ["l", "f"] {
        bench.materialize(name, Extent::New).await.unwrap();
    }
    bench.ingest(&row("a", 30)).await;
    bench.materialize("l", Extent::New).await.unwrap();
    let Materialized::Part(part) = bench.materialize("f", Extent::New).await.unwrap() else {
        panic!("not a part")
    };
    // The labels of minute 26 of both hosts are over at minute 30, and those of a from 27 on are others: itself, and four rows of each change.
    assert!(part.rows <= 10, "{}", part.rows);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]
    #[test]
    fn whatever_batches_come_encodings_are_what_looking_at_all_rows_gives(
        batches in prop::collection::vec(prop::collection::vec((0_u8..4, 0_u16..90, prop::option::of(0_u8..50)), 1..30), 1..5),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let whole = |text: &str, from: &str, to: &str| text.replacen(from, to, 1);
            let mut bench = Bench::new(&[
                SOURCE, ENCODED, LABELS, OF_LABELS,
                &whole(ENCODED, "\"e\"", "\"e_whole\""), &whole(OF_LABELS, "\"f\"", "\"f_whole\""),
            ]).await;
            for batch in &batches {
                bench.ingest(&text(batch)).await;
                for name in ["e", "l", "f"] {
                    bench.materialize(name, Extent::New).await.unwrap();
                }
                let rows = bench.labelled("select disk, ts, cpu from m order by host, ts").await;
                assert_eq!(bench.values("select by_disk from e order by host, ts").await, naive(&rows, 0, 2.0));
                let rows = bench.labelled("select host, ts, cpu from m order by host, ts").await;
                assert_eq!(bench.values("select by_host from e order by host, ts").await, naive(&rows, 0, 0.0));
                let rows = bench.labelled("select disk, ts, peak from l order by host, ts").await;
                assert_eq!(bench.values("select by_disk from f order by host, ts").await, naive(&rows, 4 * MINUTE, 2.0));
            }
            for (part, whole) in [("e", "e_whole"), ("f", "f_whole")] {
                bench.materialize(whole, Extent::New).await.unwrap();
                assert_eq!(bench.rows(part).await, bench.rows(whole).await);
                assert_eq!(bench.known(part).await, bench.known(whole).await);
            }
        });
    }

    #[test]
    fn labels_that_arrive_late_count_from_then_on(
        batches in prop::collection::vec(prop::collection::vec((0_u8..4, 0_u16..60, 0_u8..50, 0_u16..40), 1..20), 1..4),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let source = "name = \"m\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\nknown_at = \"arrived\"\n\
                          [[features]]\nname = \"cpu\"\ntype = \"float64\"\n";
            let encoded = |name: &str| format!(
                "name = \"{name}\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\nknown_at = \"arrived\"\n[derive]\nfrom = [\"m:v1\"]\n\
                 [[features]]\nname = \"by_host\"\nof = \"host\"\ntarget_encoding = \"cpu\"\nsmoothing = 3.0\n"
            );
            let mut bench = Bench::new(&[source, &encoded("e"), &encoded("whole")]).await;
            for batch in &batches {
                let unique: BTreeMap<(u8, u16), (u8, u16)> =
                    batch.iter().map(|(host, minute, cpu, late)| ((*host, *minute), (*cpu, *late))).collect();
                let time = |minute: u16| format!("2026-01-01T{:02}:{:02}:00Z", minute / 60, minute % 60);
                let line = |((host, minute), (cpu, late)): (&(u8, u16), &(u8, u16))| {
                    format!("h{host},{},{cpu},{}\n", time(*minute), time(minute + late))
                };
                let rows: String = unique.iter().map(line).collect();
                bench.ingest_into("m", &format!("host,ts,cpu,arrived\n{rows}")).await;
                bench.materialize("e", Extent::New).await.unwrap();
            }
            let rows = bench.labelled("select host, ts, cpu, arrived from m order by host, ts").await;
            bench.materialize("whole", Extent::New).await.unwrap();
            assert_eq!(bench.values("select by_host from whole order by host, ts").await, naive(&rows, 0, 3.0));
            assert_eq!(bench.rows("e").await, bench.rows("whole").await);
        });
    }
}
