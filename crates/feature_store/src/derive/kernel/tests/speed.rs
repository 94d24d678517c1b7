//! How long it takes: `cargo test --release -p platform -p feature_store --lib features_of_600_hosts -- --ignored --nocapture`.

use std::time::Instant;

use super::*;

const HOSTS: usize = 600;
const ROWS: usize = 8_640;
const HOUR: i64 = 3_600_000_000;

/// A month of five-minute data of many hosts.
fn fleet() -> Table {
    let mut state = 1_u64;
    let mut number = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64 * 100.0
    };
    let segment = |host: usize| Segment {
        rows: host * ROWS..(host + 1) * ROWS,
        asked: host * ROWS..(host + 1) * ROWS,
    };
    Table {
        times: (0..HOSTS)
            .flat_map(|_| (0..ROWS as i64).map(|row| row * HOUR / 12))
            .collect(),
        columns: vec![Arc::new(
            (0..HOSTS * ROWS).map(|_| Some(number())).collect::<Float64Array>(),
        )],
        segments: (0..HOSTS).map(segment).collect(),
        observed_until: i64::MAX,
    }
}

#[test]
#[ignore = "a measurement"]
fn features_of_600_hosts() {
    let table = fleet();
    let all = |aggregates: &[Aggregate]| -> Vec<Computation> {
        let window = |hours: i64| {
            aggregates.iter().map(move |aggregate| Computation::Window {
                of: 0,
                window: span(hours * HOUR),
                aggregate: *aggregate,
            })
        };
        [1, 6, 24].into_iter().flat_map(window).collect()
    };
    let measured: [(&str, &[Aggregate]); 6] = [
        (
            "mean, std, min, max",
            &[Aggregate::Mean, Aggregate::Std, Aggregate::Min, Aggregate::Max],
        ),
        ("mean, std", &[Aggregate::Mean, Aggregate::Std]),
        ("min, max", &[Aggregate::Min, Aggregate::Max]),
        ("median", &[Aggregate::Median]),
        ("ewm of 1 h", &[Aggregate::Ewm(span(HOUR))]),
        ("slope", &[Aggregate::Slope]),
    ];
    for (name, aggregates) in measured {
        let computations = all(aggregates);
        for threads in [1, 2] {
            let start = Instant::now();
            let threads = NonZeroUsize::new(threads).unwrap();
            let found = compute_features(&computations, &table.rows(), threads).unwrap();
            let seconds = start.elapsed().as_secs_f64();
            println!(
                "{name} over 1 h, 6 h, 24 h: {} rows, {threads} threads: {seconds:.2} s",
                found[0].len()
            );
        }
    }
}
