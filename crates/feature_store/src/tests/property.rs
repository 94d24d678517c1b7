//! The table does not depend on the order of the rows in the files, on how they are spread over files, or on memory.

use proptest::prelude::*;

use super::{Bench, metrics};
use crate::ingest::{IngestRequest, ingest};

/// A row: host, minute, whether its value is the usual one.
type Row = (u8, u16);

/// Fisher and Yates, drawing from a linear congruential generator (Knuth's MMIX).
fn shuffle(rows: &mut [Row], seed: u64) {
    let mut state = seed;
    for last in (1..rows.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        rows.swap(last, (state >> 33) as usize % (last + 1));
    }
}

fn text(rows: &[Row]) -> String {
    let line = |(host, minute): &Row| {
        let (hour, minute_of_hour) = (minute / 60, minute % 60);
        let value = u32::from(*host) * 1000 + u32::from(*minute);
        format!("h{host},2026-01-01T{hour:02}:{minute_of_hour:02}:00Z,{value}\n")
    };
    format!("host,ts,cpu\n{}", rows.iter().map(line).collect::<String>())
}

async fn table(files: &[&[Row]], memory: u64) -> (String, u64, u64) {
    let bench = Bench::new(metrics("")).await;
    let files: Vec<String> = files
        .iter()
        .enumerate()
        .map(|(at, rows)| bench.file(&format!("{at}.csv"), text(rows)))
        .collect();
    let receipt = ingest(IngestRequest {
        memory,
        ..bench.request(&files)
    })
    .await
    .unwrap();
    assert_eq!(std::fs::read_dir(bench.store.spill_folder()).unwrap().count(), 0);
    (bench.rows().await, receipt.rows, receipt.duplicates)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn shuffled_rows_in_any_files_give_the_same_table(
        rows in proptest::collection::vec((0_u8..20, 0_u16..1440), 1..400),
        seed in any::<u64>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let mut sorted = rows.clone();
        sorted.sort_unstable();
        let mut shuffled = rows.clone();
        shuffle(&mut shuffled, seed);
        let (a, b) = shuffled.split_at(cut.index(shuffled.len()));
        let one = runtime.block_on(table(&[&sorted], 64 << 20));
        let two = runtime.block_on(table(&[a, b], 1 << 20));
        prop_assert_eq!(&one, &two);
        sorted.dedup();
        prop_assert_eq!((one.1 as usize, one.2 as usize), (sorted.len(), rows.len() - sorted.len()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_do_not_fit_into_memory_are_sorted_all_the_same() {
    let mut rows: Vec<Row> = (0..=255)
        .flat_map(|host| (0..1200).map(move |minute| (host, minute)))
        .collect();
    shuffle(&mut rows, 1);
    let small = table(&[&rows], 8 << 20).await;
    assert_eq!((small.1, small.2), (256 * 1200, 0));
    let large = table(&[&rows], 1 << 30).await;
    assert!(small == large);
}

/// `cargo test -p feature_store --lib -- --ignored --nocapture ten_million` prints rows per second and peak memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn ten_million_rows_are_ingested_in_less_than_a_gigabyte() {
    use std::io::Write;
    let group = super::definition(
        "name = \"m\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n[[features]]\nname = \"a\"\ntype = \"float64\"\n[[features]]\nname = \"b\"\ntype = \"float64\"\n[[features]]\nname = \"c\"\ntype = \"float64\"\n[[features]]\nname = \"d\"\ntype = \"float64\"\n",
    );
    let bench = Bench::new(group).await;
    let path = bench.file("big.csv", "host,ts,a,b,c,d\n");
    let mut file = std::io::BufWriter::new(std::fs::OpenOptions::new().append(true).open(&path).unwrap());
    let mut state = 1_u64;
    for step in 0..10_000_u64 {
        for host in 0..1000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let (day, minute) = (step / 1440 + 1, step % 1440);
            let value = (state >> 40) as f64 / 167_772.16;
            let (hour, minute) = (minute / 60, minute % 60);
            writeln!(
                file,
                "host-{host:04},2026-01-{day:02}T{hour:02}:{minute:02}:00Z,{value},{:.3},{host},{step}",
                value / 3.0
            )
            .unwrap();
        }
    }
    drop(file);
    let bytes = std::fs::metadata(&path).unwrap().len();
    let started = std::time::Instant::now();
    let memory = crate::ingest::DEFAULT_MEMORY;
    let receipt = ingest(IngestRequest {
        memory,
        ..bench.request(&[path])
    })
    .await
    .unwrap();
    let seconds = started.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap()
        .to_owned();
    println!(
        "{} rows, {} MB, {seconds:.1} s, {:.0} rows/s, {peak}, {} MB written",
        receipt.rows,
        bytes >> 20,
        receipt.rows as f64 / seconds,
        receipt.bytes_written >> 20
    );
    let kilobytes: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(kilobytes < 1_000_000, "{peak}");
    let started = std::time::Instant::now();
    let pin = bench.pin().await;
    let mut rows = crate::scan_group(&bench.store, &bench.group, &pin, &bench.columns(), None)
        .await
        .unwrap()
        .batches;
    let mut count = 0;
    while let Some(batch) = futures::TryStreamExt::try_next(&mut rows).await.unwrap() {
        count += batch.num_rows();
    }
    println!("scanned {count} rows in {:.1} s", started.elapsed().as_secs_f64());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_columns_are_sorted_in_little_memory() {
    let features: String = (0..300)
        .map(|at| format!("[[features]]\nname = \"f{at}\"\ntype = \"float64\"\n"))
        .collect();
    let group = super::definition(&format!(
        "name = \"m\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n{features}"
    ));
    let bench = Bench::new(group).await;
    let names: String = (0..300).map(|at| format!(",f{at}")).collect();
    let mut text = format!("host,ts{names}\n");
    for row in (0..3000).rev() {
        text.push_str(&format!(
            "h{},2026-01-01T00:{:02}:{:02}Z{}\n",
            row % 7,
            row / 60 % 60,
            row % 60,
            ",0.5".repeat(300)
        ));
    }
    let file = bench.file("wide.csv", text);
    let receipt = ingest(IngestRequest {
        memory: 16 << 20,
        ..bench.request(&[file])
    })
    .await
    .unwrap();
    assert_eq!(receipt.rows, 3000);
    assert_eq!(
        crate::collect_group(&bench.store, &bench.group, &bench.pin().await, &[], None)
            .await
            .unwrap()
            .len(),
        1
    );
}
