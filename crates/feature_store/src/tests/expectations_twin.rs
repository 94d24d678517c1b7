//! What a group expects, against a twin that holds all rows in memory.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Bench, definition};
use crate::expect::validate;

/// Host, minute, value.
type Row = (u8, u16, Option<i8>);

const EXPECT: &str = "[{ max_null_fraction = 0.2 }, { unique = true }, { monotonic = \"increasing\" }, { min = -5 }]";

/// The same five answers, the obvious way, for one row per host and minute.
fn twin(rows: &BTreeMap<(u8, u16), Option<i8>>) -> Vec<bool> {
    let nulls = rows.values().filter(|value| value.is_none()).count();
    let mut values: Vec<i8> = rows.values().copied().flatten().collect();
    let count = values.len();
    let is_above = values.iter().all(|value| *value >= -5);
    values.sort_unstable();
    values.dedup();
    let is_unique = values.len() == count;
    let hosts: std::collections::BTreeSet<u8> = rows.keys().map(|(host, _)| *host).collect();
    let of_host = |host: u8| rows.iter().filter(move |((other, _), _)| *other == host);
    let rises = |host: u8| {
        let values: Vec<i8> = of_host(host).filter_map(|(_, value)| *value).collect();
        values.windows(2).all(|pair| pair[0] <= pair[1])
    };
    let is_dense = |host: u8| {
        let minutes: Vec<u16> = of_host(host).map(|((_, minute), _)| *minute).collect();
        minutes.windows(2).all(|pair| pair[1] - pair[0] <= 10)
    };
    vec![
        nulls as f64 / rows.len().max(1) as f64 <= 0.2,
        is_unique,
        hosts.iter().copied().all(rises),
        is_above,
        hosts.iter().copied().all(is_dense),
    ]
}

fn text<'a>(rows: impl Iterator<Item = (&'a (u8, u16), &'a Option<i8>)>) -> String {
    let line = |((host, minute), value): (&(u8, u16), &Option<i8>)| {
        let value = value.map(|value| value.to_string()).unwrap_or_default();
        format!("h{host},2026-01-01T{:02}:{:02}:00Z,{value}\n", minute / 60, minute % 60)
    };
    format!("host,ts,v\n{}", rows.map(line).collect::<String>())
}

fn check(first: &[Row], second: &[Row]) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let warned = EXPECT.replace(" }", ", on_violation = \"warn\" }");
        let group = format!(
            "name = \"m\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n[[expect]]\nmax_gap = \"10m\"\non_violation = \"warn\"\n[[features]]\nname = \"v\"\ntype = \"int64\"\nexpect = {warned}\n"
        );
        let bench = Bench::new(definition(&group)).await;
        let mut stored = BTreeMap::new();
        for (name, rows) in [("1.csv", first), ("2.csv", second)] {
            let rows: BTreeMap<(u8, u16), Option<i8>> =
                rows.iter().map(|(host, minute, value)| ((*host, *minute), *value)).collect();
            let receipt = bench.ingest(name, text(rows.iter())).await.unwrap();
            let found: Vec<bool> = receipt.expectations.iter().map(|result| result.holds).collect();
            prop_assert_eq!(found, twin(&rows));
            stored.extend(rows);
        }
        let validation = validate(&bench.store, &bench.group, bench.now, 1 << 20).await.unwrap();
        let found: Vec<bool> = validation.expectations.iter().map(|one| one.stored.as_ref().unwrap().holds).collect();
        prop_assert_eq!(found, twin(&stored));
        Ok(())
    })
}

fn few() -> impl Strategy<Value = Vec<Row>> {
    let value = proptest::option::weighted(0.9, -8_i8..120);
    proptest::collection::vec((0_u8..3, 0_u16..40, value), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn checks_over_a_stream_agree_with_all_rows_in_memory(first in few(), second in few()) {
        check(&first, &second)?;
    }
}
