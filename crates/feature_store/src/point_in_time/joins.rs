//! All the joins of a view at once, stretch by stretch of the spine, on as many threads as there are.
//!
//! A stretch is small enough for its rows, and the group rows that are looked at for it, to fit into a thread's share of the memory. Where
//! stretches end decides nothing: each one's rows depend on the spine and the groups alone.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use datafusion::execution::memory_pool::MemoryReservation;
use futures::stream::{self, BoxStream, StreamExt};

use super::gathered::{Gathered, Stretch, key_order, sorted};
use super::group::Group;
use super::work::WorkReport;
use super::{Outcome, OutcomeCounts};
use crate::StoreError;
use crate::error::plan_error;

/// How much is done at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Rows of the spine in a stretch.
    pub spine_rows: usize,
    /// Rows of one group that are looked at for a stretch, unless a single spine row needs more.
    pub group_rows: usize,
    /// Stretches that are worked on at the same time.
    pub threads: usize,
}

/// One group, and the spine's columns that are compared with its key.
pub(super) struct Member {
    /// The group.
    pub group: Group,
    /// For each key column of the group, in the group's order, the spine's column and its name.
    pub keys: Vec<(String, ArrayRef)>,
}

/// Joins that are ready to give rows.
#[derive(Debug)]
pub(super) struct Joins {
    times: Arc<Vec<i64>>,
    members: Vec<Ready>,
    limits: Limits,
}

#[derive(Debug)]
struct Ready {
    group: Arc<Group>,
    way: Way,
}

#[derive(Debug)]
enum Way {
    /// The spine is in the order of these keys.
    InOrder(Vec<ArrayRef>),
    /// It is not: everything has been matched.
    Gathered(Gathered),
}

/// What a stretch of the spine gets.
#[derive(Debug)]
pub(super) struct Joined {
    /// Which rows of the spine.
    pub rows: Range<usize>,
    /// The columns of every group, one after the other.
    pub columns: Vec<ArrayRef>,
    /// What became of the rows, by group.
    pub outcomes: Vec<Vec<Outcome>>,
    /// How often the order of equal event times decided, by group.
    pub tied: Vec<u64>,
}

impl Joins {
    /// Gets ready. Groups whose key is not the spine's order are matched here, in the order of their key.
    ///
    /// # Errors
    /// As [`Group::check_keys`] and [`Group::matches`].
    pub(super) async fn new(
        times: Arc<Vec<i64>>,
        members: Vec<Member>,
        limits: Limits,
        memory: &MemoryReservation,
    ) -> Result<Self, StoreError> {
        let mut ready = Vec::new();
        let mut orders: Vec<(Vec<String>, Arc<arrow::array::UInt32Array>)> = Vec::new();
        for member in members {
            let keys = member.group.check_keys(&member.keys, times.len())?;
            let group = Arc::new(member.group);
            if is_in_order(&group, &keys, &times)? {
                ready.push(Ready {
                    group,
                    way: Way::InOrder(keys),
                });
                continue;
            }
            let names: Vec<String> = member.keys.iter().map(|(name, _)| name.clone()).collect();
            let order = match orders.iter().find(|(known, _)| *known == names) {
                Some((_, order)) => order.clone(),
                None => {
                    let order = Arc::new(key_order(&keys, &times)?);
                    orders.push((names, order.clone()));
                    order
                }
            };
            let gathered = gather(&group, &keys, &times, &order, limits, memory).await?;
            ready.push(Ready {
                group,
                way: Way::Gathered(gathered),
            });
        }
        Ok(Self {
            times,
            members: ready,
            limits,
        })
    }

    /// The rows, stretch by stretch, in the spine's order.
    pub(super) fn rows(self: &Arc<Self>) -> Result<BoxStream<'static, Result<Joined, StoreError>>, StoreError> {
        let work = stretches(self.times.len(), self.limits, |rows| self.candidates(rows))?;
        let joins = Arc::clone(self);
        let threads = self.limits.threads.max(1);
        let start = move |rows: Range<usize>| {
            let joins = Arc::clone(&joins);
            in_background(move || joins.stretch(rows))
        };
        Ok(stream::iter(work).map(start).buffered(threads).boxed())
    }

    /// What was done so far, by group.
    pub(super) fn work(&self) -> Vec<WorkReport> {
        let report = |ready: &Ready| {
            let rows: usize = ready.group.runs.iter().map(super::run::Run::rows).sum();
            ready.group.work.report(rows as u64, ready.group.runs.len() as u64)
        };
        self.members.iter().map(report).collect()
    }

    /// The most rows of one group that are looked at for a stretch.
    fn candidates(&self, rows: Range<usize>) -> Result<usize, StoreError> {
        let mut most = 0;
        for Ready { group, way } in &self.members {
            if let Way::InOrder(keys) = way {
                let keys: Vec<ArrayRef> = keys.iter().map(|key| key.slice(rows.start, rows.len())).collect();
                let times = self.times.get(rows.clone()).unwrap_or_default();
                most = most.max(group.candidates(&group.spine_rows(&keys, times)?));
            }
        }
        Ok(most)
    }

    fn stretch(&self, rows: Range<usize>) -> Result<Joined, StoreError> {
        let (mut columns, mut outcomes, mut tied) = (Vec::new(), Vec::new(), Vec::new());
        for Ready { group, way } in &self.members {
            match way {
                Way::InOrder(keys) => {
                    let keys: Vec<ArrayRef> = keys.iter().map(|key| key.slice(rows.start, rows.len())).collect();
                    let times = self.times.get(rows.clone()).unwrap_or_default();
                    let matches = group
                        .work
                        .matching(|| group.matches(&group.spine_rows(&keys, times)?))?;
                    columns.extend(group.work.fetching(|| group.values_of(&matches))?);
                    outcomes.push(matches.outcomes);
                    tied.push(matches.tied);
                }
                Way::Gathered(gathered) => {
                    columns.extend(group.work.fetching(|| gathered.values_of(rows.clone()))?);
                    outcomes.push(gathered.outcomes.get(rows.clone()).unwrap_or_default().to_vec());
                    // Counted once, with the first stretch.
                    tied.push(if rows.start == 0 { gathered.counts.tied } else { 0 });
                }
            }
        }
        Ok(Joined {
            rows,
            columns,
            outcomes,
            tied,
        })
    }
}

/// Whether a spine is in the order of these keys, then of its times.
fn is_in_order(group: &Group, keys: &[ArrayRef], times: &[i64]) -> Result<bool, StoreError> {
    let rows = group.spine_rows(keys, times)?;
    let is_ascending = |at: usize| times.get(rows.stretches.rows(at)).is_none_or(|times| times.is_sorted());
    Ok(rows.stretches.are_ascending() && (0..rows.stretches.len()).all(is_ascending))
}

/// Matches a whole spine in the order of the group's key.
async fn gather(
    group: &Arc<Group>,
    keys: &[ArrayRef],
    times: &Arc<Vec<i64>>,
    order: &Arc<arrow::array::UInt32Array>,
    limits: Limits,
    memory: &MemoryReservation,
) -> Result<Gathered, StoreError> {
    let work = stretches(times.len(), limits, |rows| {
        let (keys, times) = sorted(keys, times, order, rows)?;
        Ok(group.candidates(&group.spine_rows(&keys, &times)?))
    })?;
    let start = |rows: Range<usize>| {
        let (group, keys, times, order) = (Arc::clone(group), keys.to_vec(), Arc::clone(times), Arc::clone(order));
        in_background(move || {
            let (keys, times) = sorted(&keys, &times, &order, rows.clone())?;
            let matches = group
                .work
                .matching(|| group.matches(&group.spine_rows(&keys, &times)?))?;
            Ok((rows, group.work.fetching(|| Stretch::new(&group, matches))?))
        })
    };
    let mut done = stream::iter(work).map(start).buffered(limits.threads.max(1));
    let mut gathered = Gathered::new(group, times.len())?;
    while let Some(stretch) = done.next().await {
        let (rows, stretch) = stretch?;
        memory
            .try_grow(stretch.bytes())
            .map_err(plan_error("the rows that a join keeps do not fit into its memory"))?;
        gathered.take_in(order.slice(rows.start, rows.len()).values(), stretch);
    }
    Ok(gathered)
}

/// Cuts so many rows into stretches within the limits.
fn stretches(
    rows: usize,
    limits: Limits,
    candidates: impl Fn(Range<usize>) -> Result<usize, StoreError>,
) -> Result<Vec<Range<usize>>, StoreError> {
    let step = limits.spine_rows.max(1);
    let mut left = Vec::new();
    for from in (0..rows).step_by(step) {
        let rows = from..rows.min(from + step);
        left.push((candidates(rows.clone())?, rows));
    }
    left.reverse();
    let mut cut = Vec::new();
    while let Some((needed, rows)) = left.pop() {
        if needed > limits.group_rows && rows.len() > 1 {
            let middle = rows.start + rows.len() / 2;
            let (first, second) = (rows.start..middle, middle..rows.end);
            let halves = (candidates(first.clone())?, candidates(second.clone())?);
            // Where both halves need nearly all of it, one entity has it all.
            if halves.0 + halves.1 < needed + needed / 2 {
                left.push((halves.1, second));
                left.push((halves.0, first));
                continue;
            }
        }
        cut.push(rows);
    }
    Ok(cut)
}

/// Runs work on a thread of its own.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let task = tokio::task::spawn_blocking(work);
    task.await.map_err(|error| StoreError::Task {
        detail: error.to_string(),
    })?
}

impl Joined {
    /// How many rows met which outcome, by group.
    pub(super) fn counts(&self) -> Vec<OutcomeCounts> {
        let count = |(outcomes, tied): (&Vec<Outcome>, &u64)| {
            let mut counts = OutcomeCounts {
                tied: *tied,
                ..OutcomeCounts::default()
            };
            outcomes.iter().for_each(|outcome| counts.add(*outcome));
            counts
        };
        self.outcomes.iter().zip(&self.tied).map(count).collect()
    }
}
