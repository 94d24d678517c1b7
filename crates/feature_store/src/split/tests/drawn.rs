//! Splits by draw.

use arrow::array::AsArray;
use arrow::datatypes::TimestampMicrosecondType;

use super::*;

fn fleet(rows: usize) -> arrow::array::RecordBatch {
    let lines: String = (0..rows).map(|row| format!("h{} {row}\n", row % 10)).collect();
    table(&format!("host ts\n{lines}"))
}

fn drawn(split: &Split, batch: &arrow::array::RecordBatch) -> Divided {
    let times = batch
        .column(1)
        .as_primitive::<TimestampMicrosecondType>()
        .values()
        .to_vec();
    let rows = SplitRows {
        times: &times,
        keys: &batch.columns()[..1],
        stratify: None,
    };
    divide(Some(split), &needed(0, 0), &rows).unwrap()
}

#[test]
fn random_split_hits_its_shares_on_average() {
    let counts = drawn(
        &Split::Random {
            validation: 0.2,
            test: 0.1,
            seed: 7,
            stratify: None,
        },
        &fleet(10_000),
    )
    .counts();
    assert!((1_900..2_100).contains(&counts.validation), "{counts:?}");
    assert!((900..1_100).contains(&counts.test), "{counts:?}");
    assert_eq!(counts.gap, 0);
}

#[test]
fn random_split_is_the_same_again_and_another_with_another_seed() {
    let split = |seed| Split::Random {
        validation: 0.2,
        test: 0.1,
        seed,
        stratify: None,
    };
    let batch = fleet(500);
    assert_eq!(letters(&drawn(&split(7), &batch)), letters(&drawn(&split(7), &batch)));
    assert_ne!(letters(&drawn(&split(7), &batch)), letters(&drawn(&split(8), &batch)));
}

#[test]
fn random_split_never_changes_from_release_to_release() {
    let divided = drawn(
        &Split::Random {
            validation: 0.3,
            test: 0.2,
            seed: 42,
            stratify: None,
        },
        &fleet(40),
    );
    assert_eq!(letters(&divided), "vtveevtvevvvtttetetetveeettvtvteeevettet");
}

#[test]
fn row_keeps_its_random_part_when_the_table_grows() {
    let split = Split::Random {
        validation: 0.3,
        test: 0.2,
        seed: 42,
        stratify: None,
    };
    let (few, many) = (
        letters(&drawn(&split, &fleet(100))),
        letters(&drawn(&split, &fleet(1_000))),
    );
    assert!(many.starts_with(&few));
}

#[test]
fn rows_of_equal_key_and_time_are_drawn_one_by_one() {
    let batch = table(&format!("host ts\n{}", "a 1\n".repeat(200)));
    let counts = drawn(
        &Split::Random {
            validation: 0.0,
            test: 0.5,
            seed: 1,
            stratify: None,
        },
        &batch,
    )
    .counts();
    assert!((60..140).contains(&counts.test), "{counts:?}");
}

#[test]
fn group_split_keeps_an_entity_in_one_part() {
    let divided = drawn(
        &Split::Group {
            validation: 0.2,
            test: 0.3,
            seed: 3,
        },
        &fleet(1_000),
    );
    for (row, part) in divided.parts.iter().enumerate() {
        assert_eq!(part, &divided.parts[row % 10]);
    }
    let entities = PartCounts {
        train: 5,
        validation: 2,
        test: 3,
        gap: 0,
    };
    assert_eq!(
        divided.certificate,
        Certificate::Group {
            seed: 3,
            entities,
            entities_in_two_parts: 0
        }
    );
}

#[test]
fn group_split_without_enough_entities_is_refused() {
    let batch = table("host ts \n a 1 \n a 2");
    let rows = SplitRows {
        times: &[1, 2],
        keys: &batch.columns()[..1],
        stratify: None,
    };
    let error = divide(
        Some(&Split::Group {
            validation: 0.0,
            test: 0.2,
            seed: 3,
        }),
        &needed(0, 0),
        &rows,
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the split leaves no rows for `test`: 2 rows in all, 0 of them in gaps"
    );
}

#[test]
fn shares_that_leave_nothing_for_train_are_refused() {
    let rows = SplitRows {
        times: &[1],
        keys: &[],
        stratify: None,
    };
    let error = divide(
        Some(&Split::Random {
            validation: 0.5,
            test: 0.5,
            seed: 3,
            stratify: None,
        }),
        &needed(0, 0),
        &rows,
    )
    .unwrap_err();
    let expected = "validation = 0.5 and test = 0.5 are not shares that leave rows for train: wanted 0 or more each, below 1 together";
    assert_eq!(error.to_string(), expected);
}
