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
