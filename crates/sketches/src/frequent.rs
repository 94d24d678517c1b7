//! The most frequent values: counted exactly while there are few different ones, by Misra and Gries from there on.
//!
//! ```text
//! few different values      every one has its counter: exact, and the number of different ones is known
//! more than the limit       only the 256 largest counters stay, less what the 257th had; so at 512, again and again
//! ```
//!
//! What is taken off is taken off at least 257 counters, so it never adds up to more than n / 257. A count is therefore too small by at
//! most what was taken off so far, which is known. Beyond the limit, values come in as the runs of a sorted block, and those that are rare
//! there are left out: at most as often as the longest of them, for each block. Both together are the error that is stated. Of a block of
//! 2,048 numbers, those that stand there three times or less are rare, so it is at most n / 257 + 3n / 2048, or 0.54 % of the rows; of a
//! block of texts, those that stand there once.
//!
//! Source: Misra and Gries 1982; merging: Agarwal, Cormode, Huang, Phillips, Wei and Yi 2012.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::distinct::DistinctSketch;
use crate::key::mixed;

/// Counters that stay when they are thinned.
const KEPT: usize = 256;

/// A value that is frequent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frequent<V> {
    /// Its key.
    pub key: u64,
    /// What goes with it.
    pub value: V,
    /// How often it is there, at least.
    pub count: u64,
}

/// Frequencies of keys; `V` is what goes with a key: nothing, or the text that it is the hash of.
#[derive(Debug, Clone)]
pub struct FrequentValues<V> {
    counters: HashMap<u64, (u64, V), BuildHasherDefault<Mixing>>,
    /// So many different values are counted exactly.
    limit: usize,
    /// All keys, once there are too many for counters.
    distinct: Option<DistinctSketch>,
    /// By how much a count may be too small.
    error: u64,
}

/// Hashes a key by mixing it.
#[derive(Debug, Clone, Default)]
struct Mixing(u64);

impl Hasher for Mixing {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }
    fn write_u64(&mut self, key: u64) {
        self.0 = mixed(self.0 ^ key);
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

impl FrequentValues<()> {
    /// The frequencies of different keys whose counts are known.
    pub(crate) fn of_counts(limit: usize, counts: &[(u64, u64)]) -> Self {
        let mut frequent = Self::new(limit);
        if counts.len() > limit.max(KEPT) {
            let mut distinct = DistinctSketch::new();
            counts.iter().for_each(|(key, _)| distinct.add(mixed(*key)));
            frequent.distinct = Some(distinct);
            let mut sizes: Vec<u64> = counts.iter().map(|(_, count)| *count).collect();
            let (_, off, _) = sizes.select_nth_unstable_by(KEPT, |a, b| b.cmp(a));
            frequent.error = *off;
        }
        let off = frequent.error;
        let kept = counts.iter().filter(|(_, count)| *count > off);
        frequent.counters = kept.map(|(key, count)| (*key, (count - off, ()))).collect();
        frequent
    }
}

impl<V: Clone + Ord> FrequentValues<V> {
    /// No values yet; up to `limit` different ones are counted exactly.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            counters: HashMap::default(),
            limit,
            distinct: None,
            error: 0,
        }
    }

    /// Whether every value has its own counter.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.distinct.is_none()
    }

    /// Takes in a value that is there so many times.
    pub fn add(&mut self, key: u64, count: u64, value: impl FnOnce() -> V) {
        if let Some(distinct) = &mut self.distinct {
            distinct.add(mixed(key));
        }
        if let Some((counted, _)) = self.counters.get_mut(&key) {
            *counted += count;
            return;
        }
        self.counters.insert(key, (count, value()));
        let most = if self.is_exact() { self.limit } else { 2 * KEPT };
        if self.counters.len() > most {
            self.thin();
        }
    }

    /// Takes in a value that is rare in a sorted block: it counts as different, and nothing else.
    pub(crate) fn add_rare(&mut self, key: u64) {
        if let Some(distinct) = &mut self.distinct {
            distinct.add(mixed(key));
        }
    }

    /// A block has been taken in of which values were left out that stand there so often, at most.
    pub(crate) fn left_out(&mut self, most: u64) {
        self.error += most;
    }

    fn thin(&mut self) {
        if self.distinct.is_none() {
            let mut distinct = DistinctSketch::new();
            self.counters.keys().for_each(|key| distinct.add(mixed(*key)));
            self.distinct = Some(distinct);
        }
        let mut counts: Vec<u64> = self.counters.values().map(|(count, _)| *count).collect();
        if counts.len() <= KEPT {
            return;
        }
        let (_, off, _) = counts.select_nth_unstable_by(KEPT, |a, b| b.cmp(a));
        let off = *off;
        self.error += off;
        self.counters.retain(|_, (count, _)| {
            *count = count.saturating_sub(off);
            *count > 0
        });
        self.counters.shrink_to(2 * KEPT);
    }

    /// Takes in other frequencies.
    pub fn merge(&mut self, other: &Self) {
        if self.is_exact() && !other.is_exact() {
            self.thin();
        }
        if let (Some(mine), Some(theirs)) = (&mut self.distinct, &other.distinct) {
            mine.merge(theirs);
        }
        self.error += other.error;
        let mut theirs: Vec<(&u64, &(u64, V))> = other.counters.iter().collect();
        theirs.sort_unstable();
        for (key, (count, value)) in theirs {
            self.add(*key, *count, || value.clone());
        }
    }

    /// How many different values there are: a count while they are few, an estimate beyond.
    #[must_use]
    pub fn distinct(&self) -> u64 {
        self.distinct
            .as_ref()
            .map_or(self.counters.len() as u64, DistinctSketch::estimate)
    }

    /// How often a key is there, at least.
    #[must_use]
    pub fn count_of(&self, key: u64) -> u64 {
        self.counters.get(&key).map_or(0, |(count, _)| *count)
    }

    /// By how much a count may be too small.
    #[must_use]
    pub fn error(&self) -> u64 {
        self.error
    }

    /// The most frequent values, at most so many: those that are there more often than a count can be off, by frequency, then in order.
    #[must_use]
    pub fn top(&self, most: usize) -> Vec<Frequent<V>> {
        let mut top: Vec<Frequent<V>> = self
            .counters
            .iter()
            .filter(|(_, (count, _))| *count > self.error)
            .map(|(key, (count, value))| Frequent {
                key: *key,
                value: value.clone(),
                count: *count,
            })
            .collect();
        top.sort_unstable_by(|a, b| {
            b.count
                .cmp(&a.count)
                .then_with(|| (&a.value, a.key).cmp(&(&b.value, b.key)))
        });
        top.truncate(most);
        top
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(values: &[u64]) -> HashMap<u64, u64> {
        let mut counts = HashMap::new();
        values.iter().for_each(|value| *counts.entry(*value).or_default() += 1);
        counts
    }

    fn sketch(values: &[u64], limit: usize) -> FrequentValues<()> {
        let mut sketch = FrequentValues::new(limit);
        values.iter().for_each(|value| sketch.add(*value, 1, || ()));
        sketch
    }

    /// No count is too large, none is too small by more than the error, nothing frequent is missing.
    fn check(values: &[u64], sketch: &FrequentValues<()>) {
        let counts = naive(values);
        let top = sketch.top(usize::MAX);
        for Frequent { key, count, .. } in &top {
            assert!(*count <= counts[key] && counts[key] <= count + sketch.error());
        }
        for (key, count) in &counts {
            if *count > 2 * sketch.error() {
                assert!(
                    top.iter().any(|found| found.key == *key),
                    "{key} is there {count} times"
                );
            }
        }
        if sketch.is_exact() {
            assert_eq!((sketch.distinct(), sketch.error()), (counts.len() as u64, 0));
        } else {
            assert!(sketch.error() <= values.len() as u64 / (KEPT as u64 + 1));
        }
    }

    #[test]
    fn known_counts_are_thinned_as_those_that_come_one_by_one() {
        for different in [10, 300, 3_000] {
            let values: Vec<u64> = (0..9_000_u64).map(|at| mixed(at) % 7 * (at % different)).collect();
            let mut counts: Vec<(u64, u64)> = naive(&values).into_iter().collect();
            counts.sort_unstable();
            check(&values, &FrequentValues::of_counts(1_000, &counts));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn counts_are_within_the_bound(seed in any::<u64>(), count in 0_u64..20_000, different in 1_u64..5_000, limit in 1_usize..3_000) {
            let drawn = |at| mixed(mixed(seed ^ at) % different * (mixed(at) % 3));
            let values: Vec<u64> = (0..count).map(drawn).collect();
            check(&values, &sketch(&values, limit));
            let (a, b) = values.split_at(values.len() / 3);
            let mut merged = sketch(a, limit);
            merged.merge(&sketch(b, limit));
            check(&values, &merged);
        }
    }

    #[test]
    fn frequent_value_survives_a_flood_of_lone_ones() {
        let values: Vec<u64> = (0..100_000_u64)
            .map(|at| if at.is_multiple_of(4) { 7 } else { mixed(at) })
            .collect();
        let sketch = sketch(&values, 1_000);
        let top = sketch.top(3);
        assert_eq!((top.len(), top[0].key), (1, 7));
        assert!(25_000 - top[0].count <= sketch.error());
    }
}
