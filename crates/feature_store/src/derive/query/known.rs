//! When rows became known that a query's row may be made of: the latest of all sources' rows with an event time within its reach, of
//! whatever entity.
//!
//! A maximum over any span of times, from a tree over the distinct event times: a node is the latest of the two below it. Time: a
//! logarithm per asked time. Memory: 24 bytes per distinct event time.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::TimestampMicrosecondType;
use futures::TryStreamExt;

use super::super::rows::{current_rows, read_columns};
use super::super::source::Source;
use super::super::touched::Span;
use crate::StoreError;
use crate::storage::{KNOWN_AT, Store, utc_micros};

/// The latest known times.
#[derive(Debug, Default)]
pub(super) struct LatestKnown {
    times: Vec<i64>,
    /// The leaves, one per time, stand in the second half.
    tree: Vec<i64>,
    /// Of rows that hold for all time.
    always: Option<i64>,
}

impl LatestKnown {
    /// Reads all sources, where they have event times from this one on; gives the rows read of each, too.
    pub async fn read(store: &Store, sources: &[Source], from: Option<i64>) -> Result<(Self, Vec<u64>), StoreError> {
        let (mut by_time, mut always, mut read) = (BTreeMap::new(), None, Vec::new());
        for source in sources {
            let columns = read_columns(&source.group, &[]);
            let event_time = source.group.event_time.as_ref().map(|name| name.as_str());
            let mut rows = current_rows(store, &source.group, &source.pin, &columns, from).await?;
            let mut count = 0;
            while let Some(batch) = rows.try_next().await? {
                count += batch.num_rows() as u64;
                let micros = |name: &str| -> Result<Option<Vec<i64>>, StoreError> {
                    let Some(column) = batch.column_by_name(name) else {
                        return Ok(None);
                    };
                    let column = cast(column, &utc_micros())?;
                    Ok(Some(
                        column.as_primitive::<TimestampMicrosecondType>().values().to_vec(),
                    ))
                };
                let known = micros(KNOWN_AT)?.unwrap_or_default();
                let times = event_time.map(micros).transpose()?.flatten();
                match times {
                    Some(times) => {
                        for (time, known) in times.into_iter().zip(known) {
                            let latest = by_time.entry(time).or_insert(known);
                            *latest = known.max(*latest);
                        }
                    }
                    None => always = always.max(known.into_iter().max()),
                }
            }
            read.push(count);
        }
        Ok((Self::new(by_time, always), read))
    }

    fn new(by_time: BTreeMap<i64, i64>, always: Option<i64>) -> Self {
        let times: Vec<i64> = by_time.keys().copied().collect();
        let mut tree = vec![i64::MIN; times.len()];
        tree.extend(by_time.into_values());
        for node in (1..times.len()).rev() {
            let below = tree.get(2 * node..2 * node + 2).and_then(|below| below.iter().max());
            if let (Some(latest), Some(node)) = (below.copied(), tree.get_mut(node)) {
                *node = latest;
            }
        }
        Self { times, tree, always }
    }

    /// The latest in a span; where there is no row in it, the latest of all.
    pub fn within(&self, span: Span) -> Option<i64> {
        let first = self.times.partition_point(|time| *time < span.first);
        let after = self.times.partition_point(|time| *time <= span.last);
        let found = self.latest(first, after).max(self.always);
        found.or_else(|| self.latest(0, self.times.len()))
    }

    /// The latest of the times at these places.
    fn latest(&self, first: usize, after: usize) -> Option<i64> {
        let (mut low, mut high) = (first + self.times.len(), after + self.times.len());
        let mut latest = None;
        while low < high {
            if low % 2 == 1 {
                latest = latest.max(self.tree.get(low).copied());
                low += 1;
            }
            if high % 2 == 1 {
                high -= 1;
                latest = latest.max(self.tree.get(high).copied());
            }
            (low, high) = (low / 2, high / 2);
        }
        latest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn latest_of_any_span_is_what_looking_at_all_times_finds(
            by_time in prop::collection::btree_map(0_i64..60, 0_i64..9, 0..40), first in -5_i64..65, length in 0_i64..70,
            always in prop::option::of(0_i64..9),
        ) {
            let span = Span { first, last: first + length };
            let within = by_time.iter().filter(|(time, _)| span.holds(**time)).map(|(_, known)| *known).max();
            let naive = within.max(always).or(by_time.values().copied().max());
            prop_assert_eq!(LatestKnown::new(by_time, always).within(span), naive);
        }
    }
}
