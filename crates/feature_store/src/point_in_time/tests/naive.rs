//! The contract as a nested loop, word for word: the twin that the join must agree with.

use definitions::{Availability, Boundary};

use crate::point_in_time::{JoinRule, Outcome};

/// A spine row.
#[derive(Debug, Clone)]
pub(super) struct SpineRow {
    pub key: Vec<Option<i64>>,
    pub time: i64,
}

/// A group's row.
#[derive(Debug, Clone)]
pub(super) struct GroupRow {
    pub key: Vec<Option<i64>>,
    pub event_time: i64,
    pub declared: Option<i64>,
    pub ingested: i64,
    pub ingest_id: i64,
    pub row_number: i64,
    pub value: Option<i64>,
}

/// What kind of group it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nature {
    pub is_static: bool,
    pub declares_known_at: bool,
}

/// What a spine row gets: the chosen row, the newest value that is not NULL, the outcome, and whether it was a tie.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub chosen: Option<usize>,
    pub filled: Option<i64>,
    pub outcome: Outcome,
    pub tied: bool,
}

pub(super) fn answer(spine: &SpineRow, group: &[GroupRow], nature: Nature, rule: &JoinRule) -> Answer {
    let t = spine.time;
    let same_key = |row: &GroupRow| spine.key.iter().zip(&row.key).all(|(a, b)| a.is_some() && a == b);
    let happened = |row: &GroupRow| {
        nature.is_static
            || if rule.boundary == Boundary::Inclusive {
                row.event_time <= t
            } else {
                row.event_time < t
            }
    };
    let young = |row: &GroupRow| {
        nature.is_static
            || rule
                .max_age
                .is_none_or(|age| i128::from(row.event_time) >= i128::from(t) - i128::from(age.micros()))
    };
    let known = |row: &GroupRow| {
        (!nature.declares_known_at || row.declared.is_some_and(|known| known <= t))
            && (rule.availability == Availability::Declared || row.ingested <= t)
            && rule.as_known_at.is_none_or(|limit| row.ingested <= limit.0)
    };
    let order = |row: &GroupRow| {
        let event_time = if nature.is_static { 0 } else { row.event_time };
        let declared = if nature.declares_known_at { row.declared } else { None };
        (event_time, declared, row.ingested, row.ingest_id, row.row_number)
    };
    let keyed: Vec<usize> = (0..group.len()).filter(|at| same_key(&group[*at])).collect();
    let past: Vec<usize> = keyed.iter().copied().filter(|at| happened(&group[*at])).collect();
    let fresh: Vec<usize> = past.iter().copied().filter(|at| young(&group[*at])).collect();
    let rows: Vec<usize> = fresh.iter().copied().filter(|at| known(&group[*at])).collect();
    let chosen = rows.iter().copied().max_by_key(|at| order(&group[*at]));
    let with_value = rows
        .iter()
        .copied()
        .filter(|at| group[*at].value.is_some())
        .max_by_key(|at| order(&group[*at]));
    let outcome = match (keyed.is_empty(), past.is_empty(), fresh.is_empty(), rows.is_empty()) {
        (true, ..) => Outcome::UnknownEntity,
        (_, true, ..) => Outcome::BeforeFirst,
        (_, _, true, _) => Outcome::Expired,
        (.., true) => Outcome::NotYetKnown,
        _ => Outcome::Matched,
    };
    let shares = |at: &&usize| chosen.is_some_and(|chosen| order(&group[chosen]).0 == order(&group[**at]).0);
    Answer {
        chosen,
        filled: with_value.and_then(|at| group[at].value),
        outcome,
        tied: rows.iter().filter(shares).count() > 1,
    }
}
