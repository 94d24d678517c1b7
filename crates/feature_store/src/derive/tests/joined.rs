//! Groups that are derived from several sources.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::{Extent, Materialized};
use super::{Bench, SOURCE, text};

const POWER: &str = "name = \"n\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\nknown_at = \"arrived\"\n\
                     [[features]]\nname = \"power\"\ntype = \"float64\"\n";
const JOINED: &str = "name = \"j\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n[derive]\nfrom = [\"m:v1\", \"n:v1\"]\n\
                      [[features]]\nname = \"per_watt\"\nof = \"cpu\"\nratio = \"power\"\n\
                      [[features]]\nname = \"power_9m\"\nof = \"power\"\nwindow = \"9m\"\naggregate = \"sum\"\n";

/// Rows of `n`, each of which arrives so many minutes after its event time.
fn power(rows: &[(u8, u16, u8, u8)]) -> String {
    let unique: BTreeMap<(u8, u16), (u8, u8)> = rows
        .iter()
        .map(|(host, minute, delay, power)| ((*host, *minute), (*delay, *power)))
        .collect();
    let time = |minute: u16| format!("2026-01-01T{:02}:{:02}:00Z", minute / 60, minute % 60);
    let line = |((host, minute), (delay, power)): (&(u8, u16), &(u8, u8))| {
        let arrived = time(minute + u16::from(*delay));
        format!("h{host},{},{arrived},{power}\n", time(*minute))
    };
    format!("host,ts,arrived,power\n{}", unique.iter().map(line).collect::<String>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]
    #[test]
    fn columns_of_another_source_stand_in_a_row_as_they_were_known_at_its_time(
        batches in prop::collection::vec((
            prop::collection::vec((0_u8..3, 0_u16..60, prop::option::of(0_u8..50)), 1..25),
            prop::collection::vec((0_u8..3, 0_u16..60, 0_u8..20, 0_u8..50), 1..25),
        ), 1..4),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut bench = Bench::new(&[SOURCE, POWER, JOINED]).await;
            for (rows, others) in &batches {
                bench.ingest(&text(rows)).await;
                bench.materialize("j", Extent::New).await.unwrap();
                bench.ingest_into("n", &power(others)).await;
                bench.materialize("j", Extent::New).await.unwrap();
                assert_eq!(bench.rows("j").await, bench.at_once("j").await);
                assert_eq!(bench.materialize("j", Extent::New).await.unwrap(), Materialized::UpToDate);
            }
        });
    }
}
