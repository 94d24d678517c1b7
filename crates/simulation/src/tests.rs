#![expect(clippy::unwrap_used, clippy::panic, reason = "tests may")]
use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, TimestampMicrosecondType};

use crate::label::largest_ahead;
use crate::random::Random;
use crate::{Batches, Fleet, START, SimulationError};

const TICK: i64 = 300_000_000;

/// The hashes of a small fleet's metrics, late metrics and labels, once and for all.
const GOLDEN: [u64; 3] = [
    16_991_127_131_533_066_822,
    12_209_844_571_417_797_708,
    11_344_970_945_001_093_038,
];

fn fleet() -> Fleet {
    Fleet {
        hosts: 24,
        days: 14,
        ..Fleet::default()
    }
}

type Row = (String, i64, Vec<Option<f64>>);

/// Host, time, and every column of floats.
fn rows(batches: Batches) -> Vec<Row> {
    let of_batch = |batch: RecordBatch| {
        let row = |at: usize| {
            let floats = batch
                .columns()
                .iter()
                .filter_map(|column| column.as_primitive_opt::<Float64Type>());
            let values = floats
                .map(|column| column.is_valid(at).then(|| column.value(at)))
                .collect();
            let time = batch.column(1).as_primitive::<TimestampMicrosecondType>().value(at);
            (batch.column(0).as_string::<i32>().value(at).to_owned(), time, values)
        };
        (0..batch.num_rows()).map(row).collect::<Vec<_>>()
    };
    batches.flat_map(of_batch).collect()
}

/// FNV-1a over every host, time and value.
fn hash(rows: &[Row]) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    let mut feed = |bytes: &[u8]| {
        bytes
            .iter()
            .for_each(|byte| hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
    };
    for (host, time, values) in rows {
        feed(host.as_bytes());
        feed(&time.to_le_bytes());
        values
            .iter()
            .for_each(|value| feed(&value.map_or(u64::MAX, f64::to_bits).to_le_bytes()));
    }
    hash
}

fn keys(rows: &[Row]) -> BTreeSet<(String, i64)> {
    rows.iter().map(|(host, time, _)| (host.clone(), *time)).collect()
}

fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.into_iter().collect();
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn same_seed_gives_the_same_rows_on_any_machine() {
    let fleet = Fleet {
        hosts: 3,
        days: 2,
        ..Fleet::default()
    };
    let all = |fleet: Fleet| [fleet.metrics(), fleet.late_metrics(), fleet.labels()].map(|file| hash(&rows(file)));
    assert_eq!(all(fleet), all(fleet));
    assert_eq!(all(fleet), GOLDEN);
    assert_ne!(all(fleet), all(Fleet { seed: 8, ..fleet }));
}

#[test]
fn more_days_or_hosts_change_no_row_that_is_there_without_them() {
    let small = Fleet {
        hosts: 4,
        days: 3,
        ..Fleet::default()
    };
    let kept = rows(small.metrics());
    let large: BTreeSet<String> = rows(
        Fleet {
            hosts: 9,
            days: 5,
            ..small
        }
        .metrics(),
    )
    .iter()
    .map(|row| format!("{row:?}"))
    .collect();
    assert!(kept.iter().all(|row| large.contains(&format!("{row:?}"))));
}

#[test]
fn metrics_are_in_time_order_with_one_row_a_host_and_time() {
    let rows = rows(fleet().metrics());
    assert!(rows.is_sorted_by(|one, next| (one.1, &one.0) < (next.1, &next.0)));
    assert!(rows.iter().all(|row| (row.1 - START) % TICK == 0));
    assert_eq!(rows.first().unwrap().1, START);
    let share = rows.len() as f64 / fleet().expected_rows() as f64;
    assert!((0.97..1.02).contains(&share), "{share}");
}

#[test]
fn values_keep_what_the_definitions_expect_of_them() {
    for (_, _, values) in rows(fleet().metrics()).iter().chain(&rows(fleet().late_metrics())) {
        let [Some(cpu), memory, Some(disk), load] = values[..] else {
            panic!("NULL in {values:?}")
        };
        let percent = [Some(cpu), memory, Some(disk)];
        assert!(
            percent.iter().flatten().all(|value| (0.0..=100.0).contains(value)) && load.unwrap_or(0.0) >= 0.0,
            "{values:?}"
        );
        assert!(
            values
                .iter()
                .flatten()
                .all(|value| (value * 1000.0).round() / 1000.0 == *value),
            "{values:?}"
        );
    }
}

#[test]
fn late_rows_fill_holes_and_corrections_change_rows_that_are_there() {
    let (metrics, late) = (rows(fleet().metrics()), rows(fleet().late_metrics()));
    let (on_time, arrived_late) = (keys(&metrics), keys(&late));
    assert_eq!(arrived_late.len(), late.len());
    let corrected = arrived_late.intersection(&on_time).count() as f64 / on_time.len() as f64;
    let new = arrived_late.difference(&on_time).count() as f64 / on_time.len() as f64;
    assert!(
        (0.0005..0.002).contains(&corrected) && (0.003..0.008).contains(&new),
        "{corrected} {new}"
    );
    assert!(!late.is_sorted_by_key(|row| row.1));
}

#[test]
fn intervals_are_missing_even_after_the_late_rows() {
    let mut by_host: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for (host, time, _) in rows(fleet().metrics()).into_iter().chain(rows(fleet().late_metrics())) {
        by_host.entry(host).or_default().insert(time);
    }
    let gaps = by_host.values().flat_map(|times| {
        let times: Vec<i64> = times.iter().copied().collect();
        times
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) / TICK)
            .filter(|ticks| *ticks > 1)
            .collect::<Vec<_>>()
    });
    let gaps: Vec<i64> = gaps.collect();
    assert!(
        gaps.len() > 24 && gaps.iter().any(|ticks| *ticks > 12) && gaps.contains(&2),
        "{gaps:?}"
    );
}

#[test]
fn days_are_busier_than_nights_and_weekends_are_quiet() {
    let rows = rows(fleet().metrics());
    let cpu = |wanted: &dyn Fn(i64, i64) -> bool| {
        let hour = |time: i64| ((time - START) / (12 * TICK)) % 24;
        let day = |time: i64| ((time - START) / (288 * TICK)) % 7;
        mean(
            rows.iter()
                .filter(|row| wanted(day(row.1), hour(row.1)))
                .filter_map(|row| row.2[0]),
        )
    };
    let (noon, night, weekend) = (
        cpu(&|d, h| d < 5 && (12..20).contains(&h)),
        cpu(&|d, h| d < 5 && h < 6),
        cpu(&|d, h| d > 5 && (12..20).contains(&h)),
    );
    assert!(noon > night + 5.0 && noon > weekend + 5.0, "{noon} {night} {weekend}");
}

#[test]
fn memory_leaks_and_is_freed_and_disks_fill_and_are_emptied() {
    let rows = rows(Fleet { days: 30, ..fleet() }.metrics());
    let of = |host: &str, column: usize| -> Vec<f64> {
        rows.iter()
            .filter(|row| row.0 == host)
            .filter_map(|row| row.2[column])
            .collect()
    };
    let falls = |values: &[f64], by: f64| values.windows(2).any(|pair| pair[0] - pair[1] > by);
    let (leaking, sound) = (of("host-0004", 1), of("host-0001", 1));
    assert!(falls(&leaking, 30.0) && !falls(&sound, 30.0));
    let disk = of("host-0007", 2);
    assert!(disk.iter().any(|value| *value > 95.0) && falls(&disk, 40.0));
}

#[test]
fn load_average_grows_before_cpu_does() {
    let rows = rows(Fleet { hosts: 60, ..fleet() }.metrics());
    let mut by_host: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    rows.iter().for_each(|row| by_host.entry(&row.0).or_default().push(row));
    let mut before_burst = Vec::new();
    let mut always = Vec::new();
    for series in by_host.values() {
        let rest = mean(series.iter().filter_map(|row| row.2[3]));
        for pair in series.windows(3) {
            let [Some(two_before), Some(before), Some(after)] = [0, 1, 2].map(|at| pair[at].2[0]) else {
                continue;
            };
            let load = pair[1].2[3].unwrap_or(rest) / rest;
            always.push(load);
            if after - before > 15.0 && (before - two_before).abs() < 8.0 {
                before_burst.push(load);
            }
        }
    }
    let (before_burst, always) = (mean(before_burst), mean(always));
    assert!(before_burst > 1.5 * always, "{before_burst} {always}");
}

#[test]
fn hosts_are_known_before_they_start_but_for_a_few_and_some_are_resized() {
    let fleet = Fleet::default();
    let mut changes: BTreeMap<String, Vec<(i64, String)>> = BTreeMap::new();
    for batch in fleet.hosts() {
        for at in 0..batch.num_rows() {
            let time = batch.column(1).as_primitive::<TimestampMicrosecondType>().value(at);
            let text = |column: usize| batch.column(column).as_string::<i32>().value(at).to_owned();
            changes.entry(text(0)).or_default().push((time, text(2)));
        }
    }
    assert_eq!(changes.len(), 60);
    assert_eq!(changes.values().filter(|rows| rows[0].0 >= START).count(), 2);
    let resized: Vec<_> = changes.values().filter(|rows| rows.len() > 1).collect();
    assert_eq!(resized.len(), 5);
    assert!(resized.iter().all(|rows| rows[1].0 > START && rows[0].1 != rows[1].1));
    let kinds: BTreeSet<&String> = changes.values().flatten().map(|row| &row.1).collect();
    assert_eq!(kinds.len(), 5);
}

#[test]
fn labels_are_the_largest_cpu_of_the_next_hour_row_for_row() {
    let fleet = Fleet {
        hosts: 5,
        days: 3,
        ..Fleet::default()
    };
    let mut metrics = rows(fleet.metrics());
    metrics.sort_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)));
    let end = START + 3 * 288 * TICK - TICK;
    let labels = rows(fleet.labels());
    assert_eq!(labels.len(), metrics.len());
    for (row, label) in metrics.iter().zip(&labels) {
        assert_eq!((&row.0, row.1), (&label.0, label.1));
        let ahead = metrics
            .iter()
            .filter(|other| other.0 == row.0 && other.1 > row.1 && other.1 <= row.1 + 12 * TICK);
        let largest = ahead.filter_map(|other| other.2[0]).reduce(f64::max);
        assert_eq!(label.2[0], largest.filter(|_| row.1 + 12 * TICK <= end), "{row:?}");
    }
    assert!(labels.iter().any(|label| label.2[0].is_none()));
}

#[test]
fn largest_ahead_agrees_with_looking_at_every_row() {
    let mut random = Random::new(3, 3);
    for _ in 0..500 {
        let mut time = 0;
        let mut next = || {
            time += random.whole(1, 6) as i64;
            (time, random.whole(0, 5) as f64)
        };
        let rows: Vec<(i64, f64)> = (0..30).map(|_| next()).collect();
        let (window, until) = (1 + rows[0].0, rows[29].0);
        let twin = |(time, _): &(i64, f64)| {
            let ahead = rows.iter().filter(|(other, _)| other > time && *other <= time + window);
            ahead
                .map(|(_, value)| *value)
                .reduce(f64::max)
                .filter(|_| time + window <= until)
        };
        assert_eq!(
            largest_ahead(&rows, window, until),
            rows.iter().map(twin).collect::<Vec<_>>()
        );
    }
}

#[test]
fn batches_are_small_whatever_the_fleet() {
    let many = Fleet {
        hosts: 20_000,
        days: 30,
        ..Fleet::default()
    };
    let first: Vec<usize> = many.metrics().take(3).map(|batch| batch.num_rows()).collect();
    assert!(first.iter().all(|rows| *rows <= 20_000), "{first:?}");
    assert!(fleet().metrics().all(|batch| batch.num_rows() <= 8192 + 24));
}

#[test]
fn fleets_of_nothing_are_refused() {
    for (hosts, days) in [(0, 1), (1, 0), (100_001, 1), (1, 36_501)] {
        let fleet = Fleet {
            hosts,
            days,
            ..Fleet::default()
        };
        assert_eq!(fleet.checked(), Err(SimulationError::Size { fleet }));
    }
    assert!(
        Fleet {
            hosts: 1,
            days: 1,
            ..Fleet::default()
        }
        .checked()
        .is_ok()
    );
}
