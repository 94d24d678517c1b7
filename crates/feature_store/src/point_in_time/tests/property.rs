//! The join agrees with its naive twin on anything.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use definitions::Duration;
use proptest::prelude::*;

use super::naive::{Answer, GroupRow, Nature, SpineRow, answer};
use super::*;
use crate::{INGEST_ID, KNOWN_AT, ROW_NUMBER};

/// A whole join: the spine's first key column is text, the second a number, and both are mapped.
#[derive(Debug, Clone)]
struct World {
    spine: Vec<SpineRow>,
    group: Vec<GroupRow>,
    nature: Nature,
    rule: JoinRule,
    layout: Layout,
}

fn key() -> impl Strategy<Value = Vec<Option<i64>>> {
    let part = prop_oneof![9 => (0..3_i64).prop_map(Some), 1 => Just(None)];
    proptest::collection::vec(part, 2)
}

fn group_row() -> impl Strategy<Value = GroupRow> {
    let known = prop_oneof![5 => (0..24_i64).prop_map(Some), 1 => Just(None)];
    let value = prop_oneof![2 => (0..100_i64).prop_map(Some), 1 => Just(None)];
    (key(), 0..20_i64, known, 0..6_i64, value).prop_map(|(key, event_time, declared, ingest_id, value)| GroupRow {
        key,
        event_time,
        declared,
        ingested: ingest_id * 4,
        ingest_id,
        row_number: 0,
        value,
    })
}

fn rule() -> impl Strategy<Value = JoinRule> {
    let age = prop_oneof![1 => Just(None), 2 => (0..12_i64).prop_map(Duration::from_micros)];
    let limit = prop_oneof![2 => Just(None), 1 => (0..24_i64).prop_map(|at| Some(KnownAt(at)))];
    (any::<bool>(), age, any::<bool>(), limit).prop_map(|(inclusive, max_age, declared, as_known_at)| JoinRule {
        boundary: if inclusive {
            Boundary::Inclusive
        } else {
            Boundary::Exclusive
        },
        max_age,
        availability: if declared {
            Availability::Declared
        } else {
            Availability::Ingested
        },
        as_known_at,
    })
}

fn layout() -> impl Strategy<Value = Layout> {
    let limits = (1..12_usize, 1..40_usize, 1..30_usize, 1..4_usize);
    let limits = limits.prop_map(|(spine_rows, chunk_rows, group_rows, threads)| Limits {
        spine_rows,
        chunk_rows,
        group_rows,
        threads,
    });
    // What is kept for a dozen rows takes about this much: chunks are halved until they fit.
    let memory = prop_oneof![3 => Just(None), 1 => (30_000..60_000_usize).prop_map(Some)];
    (1..4_usize, 1..12_usize, 0..8_u8, memory, limits).prop_map(|(runs, block_rows, kind, memory, limits)| Layout {
        runs,
        block_rows,
        in_files: kind == 0,
        memory,
        limits,
    })
}

fn world() -> impl Strategy<Value = World> {
    let spine_row = (key(), 0..24_i64).prop_map(|(key, time)| SpineRow { key, time });
    let spine = proptest::collection::vec(spine_row, 0..40);
    let group = proptest::collection::vec(group_row(), 0..60);
    (
        spine,
        group,
        any::<bool>(),
        any::<bool>(),
        rule(),
        layout(),
        any::<bool>(),
    )
        .prop_map(
            |(mut spine, mut group, is_static, declares_known_at, rule, layout, spine_is_sorted)| {
                if spine_is_sorted {
                    spine.sort_by_key(|row| (row.key.clone(), row.time));
                }
                for (place, row) in group.iter_mut().enumerate() {
                    row.row_number = place as i64;
                }
                let nature = Nature {
                    is_static,
                    declares_known_at,
                };
                group.sort_by_key(|row| {
                    let event_time = if is_static { 0 } else { row.event_time };
                    let declared = if declares_known_at { row.declared } else { None };
                    (
                        row.key.clone(),
                        event_time,
                        declared,
                        row.ingested,
                        row.ingest_id,
                        row.row_number,
                    )
                });
                World {
                    spine,
                    group,
                    nature,
                    rule,
                    layout,
                }
            },
        )
}

fn text(keys: &[Vec<Option<i64>>]) -> ArrayRef {
    Arc::new(
        keys.iter()
            .map(|key| key[0].map(|part| "abc"[..=part as usize].to_owned()))
            .collect::<StringArray>(),
    )
}

fn numbers(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<Int64Array>())
}

fn times(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
}

impl World {
    fn batches(&self) -> Vec<RecordBatch> {
        let keys: Vec<_> = self.group.iter().map(|row| row.key.clone()).collect();
        let all = RecordBatch::try_from_iter_with_nullable([
            ("host", text(&keys), true),
            ("disk", numbers(keys.iter().map(|key| key[1])), true),
            ("ts", times(self.group.iter().map(|row| Some(row.event_time))), true),
            ("known", times(self.group.iter().map(|row| row.declared)), true),
            ("row", numbers((0..self.group.len() as i64).map(Some)), true),
            ("v", numbers(self.group.iter().map(|row| row.value)), true),
            (KNOWN_AT, times(self.group.iter().map(|row| Some(row.ingested))), true),
            (
                INGEST_ID,
                numbers(self.group.iter().map(|row| Some(row.ingest_id))),
                true,
            ),
            (
                ROW_NUMBER,
                numbers(self.group.iter().map(|row| Some(row.row_number))),
                true,
            ),
        ])
        .unwrap();
        vec![all]
    }

    fn join(&self) -> Whole {
        let keys: Vec<_> = self.spine.iter().map(|row| row.key.clone()).collect();
        let spine = SpineKeys {
            keys: vec![
                ("server".to_owned(), text(&keys)),
                ("volume".to_owned(), numbers(keys.iter().map(|key| key[1]))),
            ],
            times: self.spine.iter().map(|row| row.time).collect(),
        };
        let columns = GroupColumns {
            group: "metrics:v1".to_owned(),
            keys: vec!["host".to_owned(), "disk".to_owned()],
            event_time: (!self.nature.is_static).then(|| "ts".to_owned()),
            known_at: self.nature.declares_known_at.then(|| "known".to_owned()),
            values: vec!["row".to_owned(), "v".to_owned()],
            last_known: vec!["v".to_owned()],
        };
        match_rows(&spine, &self.batches(), &columns, self.rule, self.layout).expect("a join")
    }

    fn naive(&self) -> Vec<Answer> {
        self.spine
            .iter()
            .map(|row| answer(row, &self.group, self.nature, &self.rule))
            .collect()
    }
}

fn read(joined: &Whole) -> Vec<(Option<i64>, Option<i64>, Outcome)> {
    let column = |at: usize| {
        joined
            .values
            .column(at)
            .as_primitive::<arrow::datatypes::Int64Type>()
            .iter()
            .collect::<Vec<_>>()
    };
    let (chosen, filled) = (column(0), column(1));
    (0..joined.values.num_rows())
        .map(|row| (chosen[row], filled[row], joined.outcomes[row]))
        .collect()
}

/// The ends of time, years 1 and 9999, and what lies between.
const EXTREMES: [i64; 9] = [
    i64::MIN,
    i64::MIN + 1,
    -62_135_596_800_000_000,
    -1,
    0,
    1,
    253_402_300_799_999_999,
    i64::MAX - 1,
    i64::MAX,
];

fn extreme() -> impl Strategy<Value = i64> {
    (0..EXTREMES.len()).prop_map(|at| EXTREMES[at])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn join_agrees_with_the_nested_loop(world in world()) {
        let (joined, expected) = (world.join(), world.naive());
        let found = read(&joined);
        prop_assert_eq!(found.len(), world.spine.len());
        for (found, expected) in found.iter().zip(&expected) {
            prop_assert_eq!(found, &(expected.chosen.map(|at| at as i64), expected.filled, expected.outcome));
        }
        let ties = expected.iter().filter(|answer| answer.tied).count() as u64;
        prop_assert_eq!(joined.counts.tied, ties);
        prop_assert_eq!(joined.counts.rows(), world.spine.len() as u64);
    }

    #[test]
    fn poisoned_future_changes_no_row_before_it(mut world in world(), cut in 0..24_i64) {
        world.nature.is_static = false;
        world.group.sort_by_key(|row| {
            let declared = if world.nature.declares_known_at { row.declared } else { None };
            (row.key.clone(), row.event_time, declared, row.ingested, row.ingest_id, row.row_number)
        });
        let before = read(&world.join());
        for row in &mut world.group {
            let is_future = row.event_time > cut
                || (world.nature.declares_known_at && row.declared.is_none_or(|known| known > cut))
                || (world.rule.availability == Availability::Ingested && row.ingested > cut);
            if is_future {
                row.value = Some(-999);
            }
        }
        let after = read(&world.join());
        for ((spine, before), after) in world.spine.iter().zip(before).zip(after) {
            if spine.time <= cut {
                prop_assert_eq!(before, after);
            }
        }
    }

    #[test]
    fn layout_does_not_matter(world in world(), layout in layout()) {
        let other = World { layout, ..world.clone() };
        prop_assert_eq!(read(&world.join()), read(&other.join()));
    }

    /// At the ends of the time range, with ages larger than time itself, nothing overflows and the nested loop still agrees.
    #[test]
    fn ends_of_time_are_times_like_others(
        mut world in world(),
        times in proptest::collection::vec(extreme(), 100),
        age in proptest::option::of(prop_oneof![Just(0), Just(1), Just(i64::MAX)]),
    ) {
        world.nature.is_static = false;
        world.rule.max_age = age.and_then(Duration::from_micros);
        let mut times = times.iter();
        world.spine.iter_mut().zip(&mut times).for_each(|(row, time)| row.time = *time);
        for (row, time) in world.group.iter_mut().zip(&mut times) {
            row.event_time = *time;
            row.declared = row.declared.map(|_| *time);
        }
        world.group.sort_by_key(|row| {
            let declared = if world.nature.declares_known_at { row.declared } else { None };
            (row.key.clone(), row.event_time, declared, row.ingested, row.ingest_id, row.row_number)
        });
        let found = read(&world.join());
        for (found, expected) in found.iter().zip(&world.naive()) {
            prop_assert_eq!(found, &(expected.chosen.map(|at| at as i64), expected.filled, expected.outcome));
        }
    }
}
