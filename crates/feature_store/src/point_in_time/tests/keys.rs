//! Keys, mappings and the order of the stream.

use super::*;

#[test]
fn null_in_any_key_column_matches_nothing() {
    let case = Case {
        spine: "host disk ts \n a x 20 \n a - 20 \n - x 20 \n - - 20",
        group: "host disk ts v \n - - 1 9 \n - x 1 8 \n a - 1 7 \n a x 1 6",
        on: "host disk",
        ..Case::default()
    };
    case.gives("6 matched \n - unknown \n - unknown \n - unknown", 0);
}

#[test]
fn composite_keys_are_never_concatenated() {
    let case = Case {
        spine: "host disk ts \n ab c 5 \n a bc 5",
        group: "host disk ts v \n a bc 1 1 \n ab c 1 2",
        on: "host disk",
        ..Case::default()
    };
    case.gives("2 matched \n 1 matched", 0);
}

#[test]
fn key_column_of_another_type_is_refused() {
    let refused = Case {
        spine: "id:int32 ts \n 1 5",
        group: "id:int64 ts v \n 1 1 1",
        on: "id",
        ..Case::default()
    }
    .refused();
    assert_eq!(
        refused,
        "the key `id` of `metrics:v1` is Int64; the spine's column `id` is Int32"
    );
}

#[test]
fn numbers_are_keys_by_value_not_by_text() {
    let case = Case {
        spine: "id ts \n -2 5 \n 10 5 \n 9 5",
        group: "id ts v \n -2 1 1 \n 9 1 2 \n 10 1 3",
        on: "id",
        ..Case::default()
    };
    case.gives("1 matched \n 3 matched \n 2 matched", 0);
}

#[test]
fn spine_columns_are_mapped_to_the_groups_key() {
    let case = Case {
        spine: "flight origin dest ts \n f1 JFK LAX 5 \n f2 LAX JFK 5",
        group: "airport ts v \n JFK 1 1 \n LAX 1 2",
        ..Case::default()
    };
    Case {
        on: "origin=airport",
        ..case
    }
    .gives("1 matched \n 2 matched", 0);
    Case {
        on: "dest=airport",
        ..case
    }
    .gives("2 matched \n 1 matched", 0);
}

#[test]
fn columns_of_the_group_may_stand_in_any_order() {
    let group = "v __row_number ts __known_at host __ingest_id \n 1 0 10 0 a 1 \n 2 1 20 0 a 1";
    Case {
        spine: "host ts \n a 15",
        group,
        ..Case::default()
    }
    .gives("1 matched", 0);
}

#[test]
fn key_columns_in_another_order_than_the_spines_are_sorted_for_the_group() {
    let case = Case {
        spine: "host disk ts \n a y 5 \n b x 5",
        group: "disk host ts v \n x b 1 1 \n y a 1 2",
        on: "disk host",
        ..Case::default()
    };
    case.gives("2 matched \n 1 matched", 0);
}

#[test]
fn sub_second_neighbours_are_told_apart() {
    let group = "host ts v \n a 1000001 1 \n a 1000002 2";
    Case {
        spine: "host ts \n a 1000001",
        group,
        ..Case::default()
    }
    .gives("1 matched", 0);
}

#[test]
fn stream_out_of_order_is_refused() {
    for group in [
        "host ts v \n b 1 1 \n a 1 2",
        "host ts v \n a 2 1 \n a 1 2",
        "host ts v __row_number \n a 1 1 2 \n a 1 2 1",
        "host ts v \n a 1 1 \n b 1 2 \n a 2 3",
    ] {
        let case = Case {
            spine: "host ts \n a 5",
            group,
            ..Case::default()
        };
        for batch_rows in [1, 2, 3] {
            let error = case.try_join(batch_rows).err().expect("an error").to_string();
            assert_eq!(
                error,
                "the rows of `metrics:v1` are not in the order that its table promises"
            );
        }
    }
}

#[test]
fn rows_of_one_key_over_many_batches_are_matched_together() {
    let rows: String = (0..500).map(|at| format!("a {at} {at}\n")).collect();
    let (group, spine) = (format!("host ts v\n{rows}b 1 7"), "host ts \n a 499 \n a 250 \n b 5");
    Case {
        spine,
        group: &group,
        ..Case::default()
    }
    .gives("499 matched \n 250 matched \n 7 matched", 0);
}
