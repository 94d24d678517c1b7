//! Which row is seen, and what becomes of spine rows that see none.

use super::*;

const GROUP: &str = "
    host ts v
    a    10 1
    a    20 2
    b    15 3";

#[test]
fn each_spine_row_gets_the_newest_row_of_its_key() {
    let spine = "host ts \n a 12 \n a 25 \n b 99";
    Case {
        spine,
        group: GROUP,
        ..Case::default()
    }
    .gives("1 matched \n 2 matched \n 3 matched", 0);
}

#[test]
fn row_at_the_spine_rows_time_is_seen_inclusively() {
    let spine = "host ts \n a 20 \n a 19";
    Case {
        spine,
        group: GROUP,
        ..Case::default()
    }
    .gives("2 matched \n 1 matched", 0);
}

#[test]
fn row_at_the_spine_rows_time_is_not_seen_exclusively() {
    let rule = JoinRule {
        boundary: Boundary::Exclusive,
        ..JoinRule::default()
    };
    let spine = "host ts \n a 20 \n a 21 \n a 10";
    Case {
        spine,
        group: GROUP,
        rule,
        ..Case::default()
    }
    .gives("1 matched \n 2 matched \n - before", 0);
}

#[test]
fn row_of_exactly_the_maximum_age_is_seen() {
    let spine = "host ts \n a 25 \n a 26";
    Case {
        spine,
        group: GROUP,
        rule: within(5),
        ..Case::default()
    }
    .gives("2 matched \n - expired", 0);
}

#[test]
fn maximum_age_of_nothing_wants_the_same_instant() {
    let spine = "host ts \n a 20 \n a 21";
    Case {
        spine,
        group: GROUP,
        rule: within(0),
        ..Case::default()
    }
    .gives("2 matched \n - expired", 0);
}

#[test]
fn spine_row_before_the_first_feature_is_kept_with_nulls() {
    let spine = "host ts \n a 9 \n a 10";
    Case {
        spine,
        group: GROUP,
        ..Case::default()
    }
    .gives("- before \n 1 matched", 0);
}

#[test]
fn entity_without_rows_is_kept_with_nulls() {
    let spine = "host ts \n c 20 \n a 20 \n A 20";
    Case {
        spine,
        group: GROUP,
        ..Case::default()
    }
    .gives("- unknown \n 2 matched \n - unknown", 0);
}

#[test]
fn group_without_rows_gives_nulls() {
    Case {
        spine: "host ts \n a 1",
        group: "host ts v",
        ..Case::default()
    }
    .gives("- unknown", 0);
}

#[test]
fn empty_spine_gives_no_rows_with_the_right_columns() {
    let case = Case {
        spine: "host ts",
        group: GROUP,
        ..Case::default()
    };
    case.gives("", 0);
    let joined = case.try_join(10).unwrap();
    assert_eq!(joined.values.schema().field(0).name(), "v");
}

#[test]
fn several_spine_rows_with_the_same_key_and_time_each_get_a_row() {
    let spine = "host ts \n a 20 \n a 20 \n a 20";
    Case {
        spine,
        group: GROUP,
        ..Case::default()
    }
    .gives("2 matched \n 2 matched \n 2 matched", 0);
}

#[test]
fn output_keeps_the_spines_order() {
    let spine = "host ts \n b 15 \n a 25 \n c 1 \n a 12 \n b 1";
    let expected = "3 matched \n 2 matched \n - unknown \n 1 matched \n - before";
    Case {
        spine,
        group: GROUP,
        ..Case::default()
    }
    .gives(expected, 0);
}

#[test]
fn null_value_in_the_chosen_row_stays_null() {
    let case = Case {
        spine: "host ts \n a 25",
        group: "host ts v \n a 10 1 \n a 20 -",
        ..Case::default()
    };
    case.gives("- matched", 0);
}

#[test]
fn last_known_value_fills_its_column_only() {
    let case = Case {
        spine: "host ts \n a 25 \n a 35 \n a 15",
        group: "host ts v w \n a 10 1 1 \n a 20 - - \n a 30 - 3",
        values: "v w",
        last_known: "v",
        ..Case::default()
    };
    case.gives("1 - matched \n 1 3 matched \n 1 1 matched", 0);
}

#[test]
fn last_known_value_is_not_older_than_the_maximum_age() {
    let case = Case {
        spine: "host ts \n a 22 \n a 25",
        group: "host ts v \n a 10 1 \n a 20 -",
        last_known: "v",
        rule: within(12),
        ..Case::default()
    };
    case.gives("1 matched \n - matched", 0);
}

#[test]
fn last_known_value_was_known() {
    let case = Case {
        spine: "host ts \n a 25 \n a 50",
        group: "host ts known v \n a 10 10 1 \n a 15 50 2 \n a 20 20 -",
        known_at: Some("known"),
        last_known: "v",
        ..Case::default()
    };
    case.gives("1 matched \n 2 matched", 0);
}
