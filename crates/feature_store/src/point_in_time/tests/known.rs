//! What was known when, ties, and static groups.

use super::*;

#[test]
fn late_row_is_invisible_before_it_was_known() {
    let case = Case {
        spine: "host ts \n a 20 \n a 29 \n a 30",
        group: "host ts known v \n a 10 10 1 \n a 20 30 2",
        known_at: Some("known"),
        ..Case::default()
    };
    case.gives("1 matched \n 1 matched \n 2 matched", 0);
}

#[test]
fn null_known_at_is_never_known() {
    let case = Case {
        spine: "host ts \n a 90 \n b 90",
        group: "host ts known v \n a 10 10 1 \n a 20 - 2 \n b 10 - 3",
        known_at: Some("known"),
        ..Case::default()
    };
    case.gives("1 matched \n - unseen", 0);
}

#[test]
fn time_of_ingestion_does_not_count_by_default() {
    let case = Case {
        spine: "host ts \n a 10",
        group: "host ts __known_at v \n a 10 1000 1",
        ..Case::default()
    };
    case.gives("1 matched", 0);
}

#[test]
fn time_of_ingestion_counts_when_the_view_asks() {
    let rule = JoinRule {
        availability: Availability::Ingested,
        ..JoinRule::default()
    };
    let group = "host ts __known_at __ingest_id v \n a 10 100 1 1 \n a 20 500 2 2";
    let spine = "host ts \n a 99 \n a 100 \n a 499 \n a 500";
    Case {
        spine,
        group,
        rule,
        ..Case::default()
    }
    .gives("- unseen \n 1 matched \n 1 matched \n 2 matched", 0);
}

#[test]
fn declared_and_ingested_times_both_count_when_the_view_asks() {
    let rule = JoinRule {
        availability: Availability::Ingested,
        ..JoinRule::default()
    };
    let case = Case {
        spine: "host ts \n a 40 \n a 60",
        group: "host ts known __known_at v \n a 10 50 30 1",
        known_at: Some("known"),
        rule,
        ..Case::default()
    };
    case.gives("- unseen \n 1 matched", 0);
    let late = Case {
        group: "host ts known __known_at v \n a 10 30 50 1",
        ..case
    };
    late.gives("- unseen \n 1 matched", 0);
}

#[test]
fn rows_learnt_of_later_are_not_there_as_known_then() {
    let rule = JoinRule {
        as_known_at: Some(KnownAt(100)),
        ..JoinRule::default()
    };
    let group = "host ts __known_at __ingest_id v \n a 10 100 1 1 \n a 10 101 2 2 \n a 20 101 2 3";
    Case {
        spine: "host ts \n a 30",
        group,
        rule,
        ..Case::default()
    }
    .gives("1 matched", 0);
    Case {
        spine: "host ts \n a 30",
        group,
        ..Case::default()
    }
    .gives("3 matched", 0);
}

#[test]
fn later_known_row_wins_a_tie() {
    let case = Case {
        spine: "host ts \n a 15 \n a 20",
        group: "host ts known v \n a 10 12 1 \n a 10 18 2",
        known_at: Some("known"),
        ..Case::default()
    };
    case.gives("1 matched \n 2 matched", 1);
}

#[test]
fn later_ingested_row_wins_a_tie() {
    let group = "host ts __known_at __ingest_id __row_number v \n a 10 5 1 7 1 \n a 10 5 2 0 2";
    Case {
        spine: "host ts \n a 10",
        group,
        ..Case::default()
    }
    .gives("2 matched", 1);
}

#[test]
fn later_row_of_one_file_wins_a_tie() {
    let group = "host ts v \n a 10 1 \n a 10 2 \n a 10 3";
    Case {
        spine: "host ts \n a 10 \n a 11",
        group,
        ..Case::default()
    }
    .gives("3 matched \n 3 matched", 2);
}

#[test]
fn tie_among_older_rows_is_no_tie() {
    let group = "host ts v \n a 10 1 \n a 10 2 \n a 20 3";
    Case {
        spine: "host ts \n a 25",
        group,
        ..Case::default()
    }
    .gives("3 matched", 0);
}

#[test]
fn correction_supersedes_once_it_was_ingested() {
    let rule = JoinRule {
        availability: Availability::Ingested,
        ..JoinRule::default()
    };
    let group = "host ts __known_at __ingest_id v \n a 10 10 1 1 \n a 10 30 2 2";
    Case {
        spine: "host ts \n a 20 \n a 30",
        group,
        rule,
        ..Case::default()
    }
    .gives("1 matched \n 2 matched", 1);
}

#[test]
fn static_group_is_joined_on_the_key_alone() {
    let case = Case {
        spine: "host ts \n a 1 \n b 99 \n c 5",
        group: "host v \n a 1 \n b 2",
        is_static: true,
        ..Case::default()
    };
    case.gives("1 matched \n 2 matched \n - unknown", 0);
}

#[test]
fn static_group_gives_the_row_known_last() {
    let group = "host __known_at __ingest_id v \n a 10 1 1 \n a 50 2 2";
    let case = Case {
        spine: "host ts \n a 20",
        group,
        is_static: true,
        ..Case::default()
    };
    case.gives("2 matched", 1);
    let rule = JoinRule {
        availability: Availability::Ingested,
        ..JoinRule::default()
    };
    Case {
        rule,
        spine: "host ts \n a 5 \n a 20 \n a 50",
        ..case
    }
    .gives("- unseen \n 1 matched \n 2 matched", 1);
}
