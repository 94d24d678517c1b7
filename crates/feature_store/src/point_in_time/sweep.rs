//! The rule itself, for the rows of one key and the spine's times with that key. The essay in `mod.rs` says why it is right.

use definitions::Boundary;

use super::{JoinRule, Outcome};

/// A row of the group, as far as time goes. A key's rows stand in the group's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// When it was true; `i64::MIN` in a static group.
    pub event_time: i64,
    /// From when on it was known, by all the clocks that count; `None`: never.
    pub known_from: Option<i64>,
}

/// What one spine row sees of one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// The chosen row's place among the key's rows; there exactly when the outcome is `Matched`.
    pub row: Option<usize>,
    /// What became of the spine row.
    pub outcome: Outcome,
    /// Whether another row with the chosen one's event time qualified.
    pub tied: bool,
}

/// Whether event times count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Rows have event times.
    Timed,
    /// They have none.
    Static,
}

/// A row that becomes visible at a time: `(from when, place among the key's rows)`.
type Arrival = (i64, usize);

/// The largest place that is visible so far, and how many visible rows share its event time.
#[derive(Debug, Clone, Copy)]
struct Best {
    row: usize,
    event_time: i64,
    sharing: usize,
}

/// What each spine time (ascending) sees of a key's rows (in the group's order).
pub(super) fn sweep(rows: &[Moment], times: impl Iterator<Item = i64>, kind: Kind, rule: &JoinRule) -> Vec<Seen> {
    let arrivals = arrivals(rows, |_| true, kind, rule.boundary);
    let mut arrivals = arrivals.iter().peekable();
    let mut best: Option<Best> = None;
    let mut happened = 0;
    let see = |t: i64| {
        while let Some((_, row)) = arrivals.next_if(|(from, _)| *from <= t) {
            best = rows.get(*row).map(|moment| better(best, *row, moment.event_time));
        }
        while rows
            .get(happened)
            .is_some_and(|moment| has_happened(moment.event_time, t, rule.boundary))
        {
            happened += 1;
        }
        let newest = happened
            .checked_sub(1)
            .and_then(|last| rows.get(last))
            .map(|moment| moment.event_time);
        judge(best, newest, oldest(t, rule), kind)
    };
    times.map(see).collect()
}

/// For each spine time (ascending), the newest visible row among those that `has_value` names, young enough; `None`: there is none.
pub(super) fn sweep_values(
    rows: &[Moment],
    has_value: impl Fn(usize) -> bool,
    times: impl Iterator<Item = i64>,
    kind: Kind,
    rule: &JoinRule,
) -> Vec<Option<usize>> {
    let arrivals = arrivals(rows, has_value, kind, rule.boundary);
    let mut arrivals = arrivals.iter().peekable();
    let mut newest: Option<usize> = None;
    let see = |t: i64| {
        while let Some((_, row)) = arrivals.next_if(|(from, _)| *from <= t) {
            newest = newest.max(Some(*row));
        }
        let young = |row: &usize| {
            rows.get(*row)
                .is_some_and(|moment| moment.event_time >= oldest(t, rule))
        };
        newest.filter(|row| kind == Kind::Static || young(row))
    };
    times.map(see).collect()
}

/// The rows that are ever visible, in the order in which they become so.
fn arrivals(rows: &[Moment], counts: impl Fn(usize) -> bool, kind: Kind, boundary: Boundary) -> Vec<Arrival> {
    let arrival = |(row, moment): (usize, &Moment)| {
        let happens = match (kind, boundary) {
            (Kind::Static, _) | (Kind::Timed, Boundary::Inclusive) => Some(moment.event_time),
            (Kind::Timed, Boundary::Exclusive) => moment.event_time.checked_add(1),
        };
        Some((happens?.max(moment.known_from?), row))
    };
    let mut arrivals: Vec<Arrival> = rows
        .iter()
        .enumerate()
        .filter(|(row, _)| counts(*row))
        .filter_map(arrival)
        .collect();
    arrivals.sort_unstable();
    arrivals
}

fn better(best: Option<Best>, row: usize, event_time: i64) -> Best {
    match best {
        Some(best) if event_time < best.event_time => best,
        Some(best) if event_time == best.event_time => Best {
            row: best.row.max(row),
            event_time,
            sharing: best.sharing + 1,
        },
        _ => Best {
            row,
            event_time,
            sharing: 1,
        },
    }
}

fn has_happened(event_time: i64, t: i64, boundary: Boundary) -> bool {
    match boundary {
        Boundary::Inclusive => event_time <= t,
        Boundary::Exclusive => event_time < t,
    }
}

/// The oldest event time that still counts at `t`.
fn oldest(t: i64, rule: &JoinRule) -> i64 {
    rule.max_age.map_or(i64::MIN, |age| t.saturating_sub(age.micros()))
}

/// Names the outcome: the first condition that leaves nothing. The key has rows, so condition 1 is met.
fn judge(best: Option<Best>, newest: Option<i64>, oldest: i64, kind: Kind) -> Seen {
    let nothing = |outcome| Seen {
        row: None,
        outcome,
        tied: false,
    };
    if kind == Kind::Timed {
        match newest {
            None => return nothing(Outcome::BeforeFirst),
            Some(newest) if newest < oldest => return nothing(Outcome::Expired),
            Some(_) => {}
        }
    }
    match best.filter(|best| kind == Kind::Static || best.event_time >= oldest) {
        Some(best) => Seen {
            row: Some(best.row),
            outcome: Outcome::Matched,
            tied: best.sharing > 1,
        },
        None => nothing(Outcome::NotYetKnown),
    }
}
