//! The contract, line by line, with its own words for names.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may"
)]

mod keys;
mod known;
mod naive;
mod outcomes;
mod property;
mod rows;
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
        Self {
            spine: "",
            group: "",
            on: "host",
            is_static: false,
            known_at: None,
            values: "v",
            last_known: "",
            rule,
        }
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn spine_keys(spine: &RecordBatch, on: &str) -> SpineKeys {
    let names = on
        .split_whitespace()
        .map(|pair| pair.split_once('=').map_or(pair, |(spine, _)| spine));
    SpineKeys {
        keys: names
            .map(|name| (name.to_owned(), spine.column_by_name(name).expect("a key").clone()))
            .collect(),
        times: spine
            .column_by_name("ts")
            .expect("ts")
            .as_primitive::<TimestampMicrosecondType>()
            .values()
            .to_vec(),
    }
}

impl Case<'_> {
    fn columns(&self) -> GroupColumns {
        let keys = self
            .on
            .split_whitespace()
            .map(|pair| pair.split_once('=').map_or(pair, |(_, group)| group).to_owned());
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
        match_rows(
            &spine_keys(&table(self.spine), self.on),
            &batches,
            &self.columns(),
            self.rule,
        )
    }

    /// Checks what each spine row gets (its values, then its outcome), whatever the batches, and how many matches were ties.
    fn gives(&self, expected: &str, ties: u64) {
        let expected: Vec<Vec<String>> = expected.lines().map(words).filter(|line| !line.is_empty()).collect();
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
    JoinRule {
        max_age: definitions::Duration::from_micros(micros),
        ..JoinRule::default()
    }
}
