//! Which derived rows have to be computed: spans of event time, for every entity and for single ones.
//!
//! ```text
//!   a source row at s            touches the derived rows at t  whose frames (t + after, t + upto] hold s
//!   time goes on to a new latest touches the labels that were not over until then
//! ```
//!
//! Memory: one span for each stretch of touched rows of an entity.

use std::collections::BTreeMap;

use super::kernel::Reach;

/// A span of event times in microseconds, both ends within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    /// The first.
    pub first: i64,
    /// The last.
    pub last: i64,
}

impl Span {
    /// All of time.
    pub const ALL: Self = Self {
        first: i64::MIN,
        last: i64::MAX,
    };

    /// One moment.
    pub fn at(time: i64) -> Self {
        Self {
            first: time,
            last: time,
        }
    }

    /// Whether a time is in it.
    pub fn holds(self, time: i64) -> bool {
        self.first <= time && time <= self.last
    }

    /// Where it begins, if it has a beginning.
    pub fn begin(self) -> Option<i64> {
        (self.first > i64::MIN).then_some(self.first)
    }

    /// From its beginning to the end of time.
    pub fn to_the_end(self) -> Self {
        Self { last: i64::MAX, ..self }
    }
}

/// The derived rows to compute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Touched {
    every: Vec<Span>,
    /// By the key's encoding.
    single: BTreeMap<Box<[u8]>, Vec<Span>>,
}

impl Touched {
    /// All rows in a span.
    pub fn every(span: Span) -> Self {
        Self {
            every: vec![span],
            single: BTreeMap::new(),
        }
    }

    /// Adds spans of all entities.
    pub fn add_every(&mut self, spans: impl IntoIterator<Item = Span>) {
        self.every = merged(self.every.iter().copied().chain(spans).collect());
    }

    /// Adds what another one holds.
    pub fn add_all(&mut self, other: Self) {
        self.add_every(other.every);
        for (key, spans) in other.single {
            let own = self.single.entry(key).or_default();
            *own = merged(own.iter().copied().chain(spans).collect());
        }
    }

    /// Adds spans of one entity, which come with ascending firsts, those that came before included.
    pub fn add(&mut self, key: &[u8], more: impl IntoIterator<Item = Span>) {
        let spans = match self.single.get_mut(key) {
            Some(spans) => spans,
            None => self.single.entry(key.into()).or_default(),
        };
        for span in more {
            match spans.last_mut() {
                Some(last) if last.last >= span.first.saturating_sub(1) => last.last = last.last.max(span.last),
                _ => spans.push(span),
            }
        }
    }

    /// Whether there is nothing to compute.
    pub fn is_empty(&self) -> bool {
        self.every.is_empty() && self.single.is_empty()
    }

    /// The spans of an entity, in order and apart.
    pub fn of(&self, key: &[u8]) -> Vec<Span> {
        match self.single.get(key) {
            Some(single) => merged(self.every.iter().chain(single).copied().collect()),
            None => self.every.clone(),
        }
    }

    /// Whether rows at a time are touched, of every entity.
    pub fn holds(&self, time: i64) -> bool {
        let at = self.every.partition_point(|span| span.last < time);
        self.every.get(at).is_some_and(|span| span.holds(time))
    }

    /// The span that holds all touched times of any entity.
    pub fn hull(&self) -> Span {
        let spans = || self.every.iter().chain(self.single.values().flatten());
        let first = spans().map(|span| span.first).min();
        let last = spans().map(|span| span.last).max();
        Span {
            first: first.unwrap_or(i64::MIN),
            last: last.unwrap_or(i64::MAX),
        }
    }
}

/// Rows that a derived row at t is made of: those with event times in `(t + after, t + upto]`, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Frame {
    /// Where it begins, itself outside; `None`: as far back as there are rows.
    pub after: Option<i64>,
    /// Where it ends, itself inside.
    pub upto: i64,
}

impl Frame {
    /// The row itself, and others of its time.
    pub const OWN: Self = Self {
        after: Some(-1),
        upto: 0,
    };

    /// The times of the derived rows that a source row at a time touches.
    pub fn touched_by(self, time: i64) -> Span {
        Span {
            first: time.saturating_sub(self.upto),
            last: self
                .after
                .map_or(i64::MAX, |after| time.saturating_sub(after).saturating_sub(1)),
        }
    }
}

/// The rows that the derived rows of a span are made of.
pub(super) fn needed_for(span: Span, reach: Reach) -> Span {
    let first = match reach.back {
        Some(back) => span.first.saturating_sub((back.micros() - 1).max(0)),
        None => i64::MIN,
    };
    Span {
        first,
        last: span.last.saturating_add(reach.ahead.micros()),
    }
}

/// The same times, in order and apart.
pub(super) fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut apart: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match apart.last_mut() {
            Some(last) if last.last >= span.first.saturating_sub(1) => last.last = last.last.max(span.last),
            _ => apart.push(span),
        }
    }
    apart
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may")]

    use definitions::Duration;

    use super::*;

    fn reach(back: Option<i64>, ahead: i64) -> Reach {
        let micros = |micros| Duration::from_micros(micros).unwrap();
        Reach {
            back: back.map(micros),
            ahead: micros(ahead),
        }
    }

    #[test]
    fn row_touches_the_windows_that_hold_it() {
        let span = |first, last| Span { first, last };
        let frame = |after, upto| Frame { after, upto };
        assert_eq!(frame(Some(-10), 0).touched_by(100), span(100, 109));
        assert_eq!(Frame::OWN.touched_by(100), span(100, 100));
        assert_eq!(frame(Some(0), 5).touched_by(100), span(95, 99));
        assert_eq!(frame(Some(-30), -20).touched_by(100), span(120, 129));
        assert_eq!(frame(None, 0).touched_by(100), span(100, i64::MAX));
        assert_eq!(needed_for(span(100, 109), reach(Some(10), 5)), span(91, 114));
        assert_eq!(needed_for(span(100, 109), reach(None, 5)), span(i64::MIN, 114));
        assert_eq!(needed_for(Span::ALL, reach(Some(10), 5)), Span::ALL);
    }

    #[test]
    fn spans_that_meet_are_one() {
        let span = |first, last| Span { first, last };
        let mut touched = Touched::default();
        assert!(touched.is_empty());
        touched.add(b"a", [span(1, 3)]);
        touched.add(b"a", [span(4, 6)]);
        touched.add(b"a", [span(9, 9)]);
        touched.add_every([span(5, 7)]);
        assert_eq!(touched.of(b"a"), [span(1, 7), span(9, 9)]);
        assert_eq!(touched.of(b"b"), [span(5, 7)]);
        assert_eq!(touched.hull(), span(1, 9));
        assert_eq!([4, 5, 7, 8].map(|time| touched.holds(time)), [false, true, true, false]);
    }
}
