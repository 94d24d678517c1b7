//! The point-in-time join: **each spine row sees, of each group, the one row that was newest and known at its time, and nothing
//! that came later.**
//!
//! ```text
//!   event time ──────────────────────────────────────────────►
//!   group rows of host a      r1        r2     r3          r4
//!   known (availability)         r1      ·   r3    r2        r4        r2 arrived late
//!   spine rows of host a   s1         s2          s3  s4
//!                          │          │           │   └ r3: newest row with event_time <= t that was known
//!                          │          │           └ r3
//!                          │          └ r1: r2 had not happened yet
//!                          └ nothing: before the first row
//! ```
//!
//! # The rule
//! For a spine row with key `k` and time `t`, the group gives the row that comes last in `(event_time, known_at, ingestion)` among
//! those with
//! 1. the same key: typed values, NULL equals nothing;
//! 2. `event_time <= t`, or `<` where the boundary is exclusive;
//! 3. `event_time >= t - max_age`, inclusive, where there is a `max_age`;
//! 4. `known_at <= t` in the declared column, where there is one (NULL is never known); `__known_at <= t`, where availability is
//!    `ingested`; `__known_at <= T`, where the read is `as_known_at T`.
//!
//! A static group has no event time: 2 and 3 fall away, and the last row in `(known_at, ingestion)` wins.
//! A superseded row of an upsert group needs no treatment: its correction comes after it in the order, so it wins once it is known.
//!
//! # Outcomes
//! The conditions are applied in this order, and a spine row's outcome is named for the first that leaves no row:
//! 1 `unknown_entity` (also: a NULL in the spine row's key), 2 `before_first`, 3 `expired`, 4 `not_yet_known`; else `matched`.
//! So a row that is too old *and* late counts as expired, and a fresh but late one as not yet known even where an older, expired one
//! was known. A row hidden by `as_known_at` is there, and not yet known. A match is *tied* when another row that qualifies has the
//! chosen row's key and event time: then the order decided. In a static group every second row that qualifies ties.
//!
//! # How
//! ```text
//!   spine, in key order      group, as runs (sorted files), cut into blocks whose bounds are known
//!   ┌ stretch 1 ┐ ──►  1 choose   blocks that may hold its keys, near enough in time
//!   │ a a a b b │      2 look     at the keys and times of those, and nothing else
//!   ├ stretch 2 ┤      3 match    one merge over both; the rule decides which row each spine row sees
//!   │ b c c d e │      4 fetch    the values of the rows that were seen, from the blocks that hold them
//!   └─    …    ─┘      5 give     the stretch, with its new columns
//! ```
//! Stretches are independent, so threads take one each, and their results are put in order. Row `i` of a key (numbered in total order)
//! becomes visible at `a(i) = max(event_time, the clocks that count)`; what `t` sees is the largest `i` with `a(i) <= t`. So the rows are
//! taken in order of `a` while `t` ascends, and the largest so far is kept: no walking back, whatever arrives late. As `i` grows with
//! event time, if that row is too old then every other visible one is. `fill = "last_known"` is the same sweep over the rows where the
//! column is not NULL. Where no clock counts and no two rows of a key share an event time, that comes to a search among sorted times, and
//! the hidden columns are not read.
//!
//! Blocks that are too old, or too late, for a whole stretch are not looked at. Only where a spine row sees nothing are their keys
//! read, because it matters to the outcome's name whether the entity has other rows.
//!
//! A group whose key is not the spine's order (flights joined by their destination) is matched first, in the order of its own key; the rows
//! that are seen are kept, each once for a stretch of the sorted spine, and gathered when their spine row is given.
//!
//! With `s` spine rows and `g` rows in the blocks that are chosen: time `O(s + g)` where both come in order, `O(s log s)` more where the spine
//! has to be sorted, `O(n log n)` for a key's `n` rows that arrived out of order. Memory: the spine; for each thread one stretch, the keys
//! and times that are looked at for it, and its columns; for groups with another key the rows that are seen, and 8 bytes per spine row.
//!
//! # Awkward cases
//! Keys are compared in arrow-row's encoding, which is exact and keeps the order, so composite keys cannot collide. The order of the rows
//! is checked as they are read: data that is not sorted is an error, not a wrong dataset. Several runs may hold rows of one key:
//! they are merged by the total order. An entity with more rows than a stretch may look at is looked at whole.
//!
//! Files: this one holds what goes in and comes out; `run` is sorted rows by place, `keys` their encoding, `slice` rows that were read to be
//! matched; `group` chooses and matches, `sweep` is the rule, `fetch` reads values; `joins` does it for all groups and stretches,
//! `gathered` where the order differs; `work` counts; `operator` is all of it for DataFusion.

mod fetch;
mod gathered;
mod group;
mod joins;
mod keys;
mod operator;
mod run;
mod slice;
mod spine;
mod sweep;
mod work;

use definitions::{Availability, Boundary, Duration, KnownAt};
use serde::{Deserialize, Serialize};

pub use operator::{
    GroupJoin, GroupReport, PointInTimeCodec, PointInTimeJoin, PointInTimeJoinExec, PointInTimePlanner, RunExec,
    SpineExec,
};
pub(crate) use run::{Materialized, Materializer};
pub use work::WorkReport;

/// What of the rule a view may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct JoinRule {
    /// Whether a row at exactly the spine row's time may be seen.
    pub boundary: Boundary,
    /// The oldest row that still counts, inclusive.
    pub max_age: Option<Duration>,
    /// Which clock says what was known.
    pub availability: Availability,
    /// Rows that the platform learnt of later are not there.
    pub as_known_at: Option<KnownAt>,
}

impl Default for JoinRule {
    /// Inclusive, any age, known as declared, everything that is there.
    fn default() -> Self {
        Self {
            boundary: Boundary::Inclusive,
            max_age: None,
            availability: Availability::Declared,
            as_known_at: None,
        }
    }
}

/// Which columns of a group's rows play which part. The hidden columns (`__known_at`, `__ingest_id`, `__row_number`) go by their names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GroupColumns {
    /// The group, for messages.
    pub group: String,
    /// The key, in the group's own order: the order of the stream.
    pub keys: Vec<String>,
    /// The event time; `None`: a static group.
    pub event_time: Option<String>,
    /// The declared `known_at` column.
    pub known_at: Option<String>,
    /// The columns that the spine rows get.
    pub values: Vec<String>,
    /// Those of them whose NULLs are filled with the last known value.
    pub last_known: Vec<String>,
}

/// What became of one spine row in one join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A row qualified.
    Matched,
    /// No row has its key, or its key holds a NULL.
    UnknownEntity,
    /// Rows have its key, none is old enough.
    BeforeFirst,
    /// Some are old enough, none is young enough.
    Expired,
    /// Some are of the right age, none was known.
    NotYetKnown,
}

/// How many spine rows met which outcome in one join. The first five sum to the spine's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OutcomeCounts {
    /// A row qualified.
    pub matched: u64,
    /// No row has the key, or the key holds a NULL.
    pub unknown_entity: u64,
    /// Rows have the key, none is old enough.
    pub before_first: u64,
    /// Some are old enough, none is young enough.
    pub expired: u64,
    /// Some are of the right age, none was known.
    pub not_yet_known: u64,
    /// Matches that the order of equal event times decided.
    pub tied: u64,
}

impl OutcomeCounts {
    /// The spine's rows: all outcomes together.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.matched + self.unknown_entity + self.before_first + self.expired + self.not_yet_known
    }

    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            matched: self.matched + other.matched,
            unknown_entity: self.unknown_entity + other.unknown_entity,
            before_first: self.before_first + other.before_first,
            expired: self.expired + other.expired,
            not_yet_known: self.not_yet_known + other.not_yet_known,
            tied: self.tied + other.tied,
        }
    }

    pub(crate) fn add(&mut self, outcome: Outcome) {
        let count = match outcome {
            Outcome::Matched => &mut self.matched,
            Outcome::UnknownEntity => &mut self.unknown_entity,
            Outcome::BeforeFirst => &mut self.before_first,
            Outcome::Expired => &mut self.expired,
            Outcome::NotYetKnown => &mut self.not_yet_known,
        };
        *count += 1;
    }
}

#[cfg(test)]
pub(crate) mod tests;
