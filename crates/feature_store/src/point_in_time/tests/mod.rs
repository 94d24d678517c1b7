//! The contract, line by line, with its own words for names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may")]

mod naive;
mod outcomes;
mod property;
pub(crate) mod table;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use definitions::{Availability, Boundary, KnownAt};

use self::table::{cells, group_table, table};
use super::{GroupColumns, JoinRule, Joined, Outcome, SpineKeys, match_rows};
use crate::StoreError;

/// A join as text. Keys are `host`, times `ts`, and the group gives `v`, unless it says otherwise.
#[derive(Clone, Copy)]
struct Case<'a> {
    spine: &'a str,
    group: &'a str,
    /// Spine column -> key column of the group, `host` or `origin=airport`, divided by white space.
    on: &'a str,
    is_static: bool,
    known_at: Option<&'a str>,
    values: &'a str,
    last_known: &'a str,
    rule: JoinRule,
}

impl Default for Case<'_> {
    fn default() -> Self {
        let rule = JoinRule::default();
        Self { spine: "", group: "", on: "host", is_static: false, known_at: None, values: "v", last_known: "", rule }
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn spine_keys(spine: &RecordBatch, on: &str) -> SpineKeys {
    let names = on.split_whitespace().map(|pair| pair.split_once('=').map_or(pair, |(spine, _)| spine));
    SpineKeys {
        keys: names.map(|name| (name.to_owned(), spine.column_by_name(name).expect("a key").clone())).collect(),
        times: spine.column_by_name("ts").expect("ts").as_primitive::<TimestampMicrosecondType>().values().to_vec(),
    }
}

impl Case<'_> {
    fn columns(&self) -> GroupColumns {
        let keys = self.on.split_whitespace().map(|pair| pair.split_once('=').map_or(pair, |(_, group)| group).to_owned());
        GroupColumns {
            group: "metrics:v1".to_owned(),
            keys: keys.collect(),
            event_time: (!self.is_static).then(|| "ts".to_owned()),
            known_at: self.known_at.map(str::to_owned),
            values: words(self.values),
            last_known: words(self.last_known),
        }
    }

    fn try_join(&self, batch_rows: usize) -> Result<Joined, StoreError> {
        let group = group_table(self.group);
        let batches: Vec<RecordBatch> = (0..group.num_rows().max(1))
            .step_by(batch_rows)
            .map(|from| group.slice(from, batch_rows.min(group.num_rows() - from)))
            .collect();
        match_rows(&spine_keys(&table(self.spine), self.on), &batches, &self.columns(), self.rule)
    }

    /// Checks what each spine row gets (its values, then its outcome), whatever the batches, and how many matches were ties.
    fn gives(&self, expected: &str, ties: u64) {
        let expected: Vec<Vec<String>> =
            expected.lines().map(words).filter(|line| !line.is_empty()).collect();
        for batch_rows in [1, 2, 3, 1000] {
            let joined = self.try_join(batch_rows).expect("a join");
            let rows = joined.outcomes().len();
            let mut found = cells(&joined.rows(0..rows).expect("rows"));
            for (line, outcome) in found.iter_mut().zip(joined.outcomes()) {
                line.push(word(*outcome).to_owned());
            }
            assert_eq!(found, expected, "in batches of {batch_rows}");
            assert_eq!(joined.counts().tied, ties, "ties, in batches of {batch_rows}");
            assert_eq!(joined.counts().rows(), rows as u64);
        }
    }

    fn refused(&self) -> String {
        match self.try_join(1000) {
            Ok(_) => panic!("the join was not refused"),
            Err(error) => error.to_string(),
        }
    }
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Matched => "matched",
        Outcome::UnknownEntity => "unknown",
        Outcome::BeforeFirst => "before",
        Outcome::Expired => "expired",
        Outcome::NotYetKnown => "unseen",
    }
}

fn within(micros: i64) -> JoinRule {
    JoinRule { max_age: definitions::Duration::from_micros(micros), ..JoinRule::default() }
}

const GROUP: &str = "
    host ts v
    a    10 1
    a    20 2
    b    15 3";

#[test]
fn each_spine_row_gets_the_newest_row_of_its_key() {
    let spine = "host ts \n a 12 \n a 25 \n b 99";
    Case { spine, group: GROUP, ..Case::default() }.gives("1 matched \n 2 matched \n 3 matched", 0);
}

#[test]
fn row_at_the_spine_rows_time_is_seen_inclusively() {
    let spine = "host ts \n a 20 \n a 19";
    Case { spine, group: GROUP, ..Case::default() }.gives("2 matched \n 1 matched", 0);
}

#[test]
fn row_at_the_spine_rows_time_is_not_seen_exclusively() {
    let rule = JoinRule { boundary: Boundary::Exclusive, ..JoinRule::default() };
    let spine = "host ts \n a 20 \n a 21 \n a 10";
    Case { spine, group: GROUP, rule, ..Case::default() }.gives("1 matched \n 2 matched \n - before", 0);
}

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
    let refused = Case { spine: "id:int32 ts \n 1 5", group: "id:int64 ts v \n 1 1 1", on: "id", ..Case::default() }.refused();
    assert_eq!(refused, "the key column `id` of `metrics:v1` is Int64, and the spine's `id` is Int32");
}

#[test]
fn numbers_are_keys_by_value_not_by_text() {
    let case = Case { spine: "id ts \n -2 5 \n 10 5 \n 9 5", group: "id ts v \n -2 1 1 \n 9 1 2 \n 10 1 3", on: "id", ..Case::default() };
    case.gives("1 matched \n 3 matched \n 2 matched", 0);
}

#[test]
fn row_of_exactly_the_maximum_age_is_seen() {
    let spine = "host ts \n a 25 \n a 26";
    Case { spine, group: GROUP, rule: within(5), ..Case::default() }.gives("2 matched \n - expired", 0);
}

#[test]
fn maximum_age_of_nothing_wants_the_same_instant() {
    let spine = "host ts \n a 20 \n a 21";
    Case { spine, group: GROUP, rule: within(0), ..Case::default() }.gives("2 matched \n - expired", 0);
}

#[test]
fn spine_row_before_the_first_feature_is_kept_with_nulls() {
    let spine = "host ts \n a 9 \n a 10";
    Case { spine, group: GROUP, ..Case::default() }.gives("- before \n 1 matched", 0);
}

#[test]
fn entity_without_rows_is_kept_with_nulls() {
    let spine = "host ts \n c 20 \n a 20 \n A 20";
    Case { spine, group: GROUP, ..Case::default() }.gives("- unknown \n 2 matched \n - unknown", 0);
}

#[test]
fn group_without_rows_gives_nulls() {
    Case { spine: "host ts \n a 1", group: "host ts v", ..Case::default() }.gives("- unknown", 0);
}

#[test]
fn empty_spine_gives_no_rows_with_the_right_columns() {
    let case = Case { spine: "host ts", group: GROUP, ..Case::default() };
    case.gives("", 0);
    let joined = case.try_join(10).unwrap();
    assert_eq!(joined.rows(0..0).unwrap().schema().field(0).name(), "v");
}

#[test]
fn several_spine_rows_with_the_same_key_and_time_each_get_a_row() {
    let spine = "host ts \n a 20 \n a 20 \n a 20";
    Case { spine, group: GROUP, ..Case::default() }.gives("2 matched \n 2 matched \n 2 matched", 0);
}

#[test]
fn output_keeps_the_spines_order() {
    let spine = "host ts \n b 15 \n a 25 \n c 1 \n a 12 \n b 1";
    let expected = "3 matched \n 2 matched \n - unknown \n 1 matched \n - before";
    Case { spine, group: GROUP, ..Case::default() }.gives(expected, 0);
}

#[test]
fn null_value_in_the_chosen_row_stays_null() {
    let case = Case { spine: "host ts \n a 25", group: "host ts v \n a 10 1 \n a 20 -", ..Case::default() };
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
    let case = Case { spine: "host ts \n a 10", group: "host ts __known_at v \n a 10 1000 1", ..Case::default() };
    case.gives("1 matched", 0);
}

#[test]
fn time_of_ingestion_counts_when_the_view_asks() {
    let rule = JoinRule { availability: Availability::Ingested, ..JoinRule::default() };
    let group = "host ts __known_at __ingest_id v \n a 10 100 1 1 \n a 20 500 2 2";
    let spine = "host ts \n a 99 \n a 100 \n a 499 \n a 500";
    Case { spine, group, rule, ..Case::default() }.gives("- unseen \n 1 matched \n 1 matched \n 2 matched", 0);
}

#[test]
fn declared_and_ingested_times_both_count_when_the_view_asks() {
    let rule = JoinRule { availability: Availability::Ingested, ..JoinRule::default() };
    let case = Case {
        spine: "host ts \n a 40 \n a 60",
        group: "host ts known __known_at v \n a 10 50 30 1",
        known_at: Some("known"),
        rule,
        ..Case::default()
    };
    case.gives("- unseen \n 1 matched", 0);
    let late = Case { group: "host ts known __known_at v \n a 10 30 50 1", ..case };
    late.gives("- unseen \n 1 matched", 0);
}

#[test]
fn rows_learnt_of_later_are_not_there_as_known_then() {
    let rule = JoinRule { as_known_at: Some(KnownAt(100)), ..JoinRule::default() };
    let group = "host ts __known_at __ingest_id v \n a 10 100 1 1 \n a 10 101 2 2 \n a 20 101 2 3";
    Case { spine: "host ts \n a 30", group, rule, ..Case::default() }.gives("1 matched", 0);
    Case { spine: "host ts \n a 30", group, ..Case::default() }.gives("3 matched", 0);
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
    Case { spine: "host ts \n a 10", group, ..Case::default() }.gives("2 matched", 1);
}

#[test]
fn later_row_of_one_file_wins_a_tie() {
    let group = "host ts v \n a 10 1 \n a 10 2 \n a 10 3";
    Case { spine: "host ts \n a 10 \n a 11", group, ..Case::default() }.gives("3 matched \n 3 matched", 2);
}

#[test]
fn tie_among_older_rows_is_no_tie() {
    let group = "host ts v \n a 10 1 \n a 10 2 \n a 20 3";
    Case { spine: "host ts \n a 25", group, ..Case::default() }.gives("3 matched", 0);
}

#[test]
fn correction_supersedes_once_it_was_ingested() {
    let rule = JoinRule { availability: Availability::Ingested, ..JoinRule::default() };
    let group = "host ts __known_at __ingest_id v \n a 10 10 1 1 \n a 10 30 2 2";
    Case { spine: "host ts \n a 20 \n a 30", group, rule, ..Case::default() }.gives("1 matched \n 2 matched", 1);
}

#[test]
fn static_group_is_joined_on_the_key_alone() {
    let case = Case { spine: "host ts \n a 1 \n b 99 \n c 5", group: "host v \n a 1 \n b 2", is_static: true, ..Case::default() };
    case.gives("1 matched \n 2 matched \n - unknown", 0);
}

#[test]
fn static_group_gives_the_row_known_last() {
    let group = "host __known_at __ingest_id v \n a 10 1 1 \n a 50 2 2";
    let case = Case { spine: "host ts \n a 20", group, is_static: true, ..Case::default() };
    case.gives("2 matched", 1);
    let rule = JoinRule { availability: Availability::Ingested, ..JoinRule::default() };
    Case { rule, spine: "host ts \n a 5 \n a 20 \n a 50", ..case }.gives("- unseen \n 1 matched \n 2 matched", 1);
}

#[test]
fn spine_columns_are_mapped_to_the_groups_key() {
    let case = Case {
        spine: "flight origin dest ts \n f1 JFK LAX 5 \n f2 LAX JFK 5",
        group: "airport ts v \n JFK 1 1 \n LAX 1 2",
        ..Case::default()
    };
    Case { on: "origin=airport", ..case }.gives("1 matched \n 2 matched", 0);
    Case { on: "dest=airport", ..case }.gives("2 matched \n 1 matched", 0);
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
    Case { spine: "host ts \n a 1000001", group, ..Case::default() }.gives("1 matched", 0);
}

#[test]
fn stream_out_of_order_is_refused() {
    for group in [
        "host ts v \n b 1 1 \n a 1 2",
        "host ts v \n a 2 1 \n a 1 2",
        "host ts v __row_number \n a 1 1 2 \n a 1 2 1",
        "host ts v \n a 1 1 \n b 1 2 \n a 2 3",
    ] {
        let case = Case { spine: "host ts \n a 5", group, ..Case::default() };
        for batch_rows in [1, 2, 3] {
            let error = case.try_join(batch_rows).err().expect("an error").to_string();
            assert_eq!(error, "the rows of `metrics:v1` are not in the order that its files promise");
        }
    }
}

#[test]
fn rows_of_one_key_over_many_batches_are_matched_together() {
    let rows: String = (0..500).map(|at| format!("a {at} {at}\n")).collect();
    let (group, spine) = (format!("host ts v\n{rows}b 1 7"), "host ts \n a 499 \n a 250 \n b 5");
    Case { spine, group: &group, ..Case::default() }.gives("499 matched \n 250 matched \n 7 matched", 0);
}
