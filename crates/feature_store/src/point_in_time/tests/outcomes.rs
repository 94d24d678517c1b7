//! Every spine row has one outcome, named for the first condition that leaves no row.

use super::*;

#[test]
fn expired_row_that_is_late_too_counts_as_expired() {
    let case = Case {
        spine: "host ts \n a 50",
        group: "host ts known v \n a 10 90 1",
        known_at: Some("known"),
        rule: within(5),
        ..Case::default()
    };
    case.gives("- expired", 0);
}

#[test]
fn fresh_row_that_is_late_counts_as_not_yet_known_even_beside_an_expired_one() {
    let case = Case {
        spine: "host ts \n a 50",
        group: "host ts known v \n a 10 10 1 \n a 48 90 2",
        known_at: Some("known"),
        rule: within(5),
        ..Case::default()
    };
    case.gives("- unseen", 0);
}

#[test]
fn row_before_the_first_counts_so_even_if_it_is_late() {
    let case = Case {
        spine: "host ts \n a 5",
        group: "host ts known v \n a 10 90 1",
        known_at: Some("known"),
        ..Case::default()
    };
    case.gives("- before", 0);
}

#[test]
fn entity_learnt_of_later_is_not_yet_known() {
    let rule = JoinRule {
        as_known_at: Some(KnownAt(100)),
        ..JoinRule::default()
    };
    let group = "host ts __known_at v \n a 10 101 1";
    Case {
        spine: "host ts \n a 30 \n b 30",
        group,
        rule,
        ..Case::default()
    }
    .gives("- unseen \n - unknown", 0);
}

#[test]
fn row_of_another_tie_that_was_not_known_is_no_tie() {
    let case = Case {
        spine: "host ts \n a 20",
        group: "host ts known v \n a 10 15 1 \n a 10 30 2",
        known_at: Some("known"),
        ..Case::default()
    };
    case.gives("1 matched", 0);
}

#[test]
fn outcomes_sum_to_the_spines_rows() {
    let case = Case {
        spine: "host ts \n a 50 \n a 12 \n a 5 \n b 9 \n - 9 \n c 30",
        group: "host ts known v \n a 10 10 1 \n c 28 40 2",
        known_at: Some("known"),
        rule: within(5),
        ..Case::default()
    };
    case.gives(
        "- expired \n 1 matched \n - before \n - unknown \n - unknown \n - unseen",
        0,
    );
    let counts = case.try_join(10).unwrap().counts;
    let expected = super::super::OutcomeCounts {
        matched: 1,
        unknown_entity: 2,
        before_first: 1,
        expired: 1,
        not_yet_known: 1,
        tied: 0,
    };
    assert_eq!(counts, expected);
}

#[test]
fn times_at_the_ends_of_time_do_not_overflow() {
    let spine = format!("host ts \n a {} \n a {}", i64::MIN, i64::MAX);
    let group = format!("host ts v \n a {} 1 \n a {} 2", i64::MIN, i64::MAX);
    let case = Case {
        spine: &spine,
        group: &group,
        rule: within(i64::MAX),
        ..Case::default()
    };
    case.gives("1 matched \n 2 matched", 0);
    let rule = JoinRule {
        boundary: Boundary::Exclusive,
        ..JoinRule::default()
    };
    Case { rule, ..case }.gives("- before \n 1 matched", 0);
}
