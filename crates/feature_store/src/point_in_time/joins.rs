//! All the joins of a view at once, stretch by stretch of the spine, on as many threads as there are.
//!
//! A stretch is small enough for its rows, and the group rows that are looked at for it, to fit into a thread's share of the memory. Where
//! a group's key is not the spine's order, the rows that are seen are kept for a *chunk* of the spine, many stretches long: all of it
//! where that fits, else one chunk after the other. Where stretches and chunks end decides nothing: what a row gets depends on the spine
//! and the groups alone.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use datafusion::execution::memory_pool::MemoryReservation;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use super::gathered::{Gathered, Stretch, key_order, sorted};
use super::group::Group;
use super::spine::Spine;
use super::work::WorkReport;
use super::{Outcome, OutcomeCounts};
use crate::StoreError;

/// How much is done at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Rows of the spine in a stretch.
    pub spine_rows: usize,
    /// Rows of the spine in a chunk, to begin with: where what is kept for it does not fit, it is halved.
    pub chunk_rows: usize,
    /// Rows of one group that are looked at for a stretch, unless a single spine row needs more.
    pub group_rows: usize,
    /// Stretches that are worked on at the same time.
    pub threads: usize,
}

/// One group, and the spine's columns that are compared with its key.
pub(super) struct Member {
    /// The group.
    pub group: Group,
    /// For each key column of the group, in the group's order, the spine's column.
    pub on: Vec<String>,
}

/// Joins that are ready to give rows.
#[derive(Debug)]
pub(super) struct Joins {
    spine: Spine,
    members: Vec<Ready>,
    limits: Limits,
    memory: MemoryReservation,
}

#[derive(Debug)]
struct Ready {
    group: Arc<Group>,
    on: Vec<String>,
    /// Whether the spine is in the order of the group's key.
    is_in_order: bool,
}

/// A part of the spine, with what is kept for it.
#[derive(Debug)]
struct Chunk {
    rows: Range<usize>,
    /// By group; `None` where the spine is in its order.
    gathered: Vec<Option<Gathered>>,
    /// The memory of what is kept, until the chunk is done.
    _memory: MemoryReservation,
}

/// What a stretch of the spine gets.
#[derive(Debug)]
pub(super) struct Joined {
    /// The rows of the spine, with its columns.
    pub spine: RecordBatch,
    /// Which they are.
    pub rows: Range<usize>,
    /// The columns of every group, one after the other.
    pub columns: Vec<ArrayRef>,
    /// What became of the rows, by group.
    pub outcomes: Vec<Vec<Outcome>>,
    /// How often the order of equal event times decided, by group.
    pub tied: Vec<u64>,
}

impl Joins {
    /// Gets ready.
    ///
    /// # Errors
    /// As [`Group::check_keys`]; when the spine cannot be read.
    pub(super) fn new(
        spine: Spine,
        members: Vec<Member>,
        limits: Limits,
        memory: MemoryReservation,
    ) -> Result<Self, StoreError> {
        let none = spine.read(0..0)?;
        let mut ready: Vec<Ready> = Vec::new();
        for Member { group, on } in members {
            group.check_keys(&none.keys(&on)?, 0)?;
            let known = ready.iter().find(|other| other.on == on);
            let is_in_order = match known {
                Some(other) => other.is_in_order,
                None => spine.is_in_order(&group, &on)?,
            };
            let group = Arc::new(group);
            ready.push(Ready { group, on, is_in_order });
        }
        Ok(Self {
            spine,
            members: ready,
            limits,
            memory,
        })
    }

    /// The rows, stretch by stretch, in the spine's order.
    pub(super) fn rows(self: &Arc<Self>) -> BoxStream<'static, Result<Joined, StoreError>> {
        let rows = self.spine.rows();
        let step = if self.members.iter().all(|ready| ready.is_in_order) {
            rows
        } else {
            self.limits.chunk_rows
        };
        let todo: VecDeque<Range<usize>> = steps(0..rows, step).collect();
        let chunks = stream::try_unfold((Arc::clone(self), todo), |(joins, mut todo)| async move {
            let chunk = joins.next_chunk(&mut todo).await?;
            Ok::<_, StoreError>(chunk.map(|chunk| (joins.stretches_of(chunk), (joins, todo))))
        });
        chunks.try_flatten().boxed()
    }

    /// What was done so far, by group.
    pub(super) fn work(&self) -> Vec<WorkReport> {
        let report = |ready: &Ready| {
            let rows: usize = ready.group.runs.iter().map(super::run::Run::rows).sum();
            ready.group.work.report(rows as u64, ready.group.runs.len() as u64)
        };
        self.members.iter().map(report).collect()
    }

    /// The next chunk, as large as fits.
    async fn next_chunk(self: &Arc<Self>, todo: &mut VecDeque<Range<usize>>) -> Result<Option<Chunk>, StoreError> {
        while let Some(rows) = todo.pop_front() {
            match self.chunk(rows.clone()).await {
                Err(error) if error.is_want_of_memory() && rows.len() > self.limits.spine_rows => {
                    let middle = rows.start + rows.len() / 2;
                    todo.push_front(middle..rows.end);
                    todo.push_front(rows.start..middle);
                }
                chunk => return chunk.map(Some),
            }
        }
        Ok(None)
    }

    /// Matches the groups whose key is not the spine's order, in the order of their key.
    async fn chunk(self: &Arc<Self>, rows: Range<usize>) -> Result<Chunk, StoreError> {
        let memory = self.memory.new_empty();
        let mut orders: Vec<(&[String], Arc<KeyOrder>)> = Vec::new();
        let mut gathered = Vec::new();
        for ready in &self.members {
            if ready.is_in_order {
                gathered.push(None);
                continue;
            }
            let order = match orders.iter().find(|(known, _)| *known == ready.on) {
                Some((_, order)) => Arc::clone(order),
                None => {
                    let order = Arc::new(KeyOrder::new(&self.spine, ready, rows.clone(), &memory)?);
                    orders.push((&ready.on, Arc::clone(&order)));
                    order
                }
            };
            gathered.push(Some(gather(&ready.group, order, self.limits, &memory).await?));
        }
        Ok(Chunk {
            rows,
            gathered,
            _memory: memory,
        })
    }

    /// The rows of a chunk.
    fn stretches_of(self: &Arc<Self>, chunk: Chunk) -> BoxStream<'static, Result<Joined, StoreError>> {
        let (cutter, worker, chunk) = (Arc::clone(self), Arc::clone(self), Arc::new(chunk));
        let work = steps(chunk.rows.clone(), self.limits.spine_rows)
            .flat_map(move |rows| cut(rows, cutter.limits, |rows| cutter.candidates(rows)));
        let start = move |rows: Result<Range<usize>, StoreError>| {
            let (joins, chunk) = (Arc::clone(&worker), Arc::clone(&chunk));
            in_background(move || joins.stretch(&chunk, rows?))
        };
        stream::iter(work)
            .map(start)
            .buffered(self.limits.threads.max(1))
            .boxed()
    }

    /// The most rows of one group that are looked at for a stretch.
    fn candidates(&self, rows: Range<usize>) -> Result<usize, StoreError> {
        let mut most = 0;
        let in_order = || self.members.iter().filter(|ready| ready.is_in_order);
        let names: Vec<String> = in_order().flat_map(|ready| ready.on.iter().cloned()).collect();
        if names.is_empty() {
            return Ok(0);
        }
        let piece = self.spine.read_keys(&names, rows)?;
        for Ready { group, on, .. } in in_order() {
            let keys = group.check_keys(&piece.keys(on)?, piece.rows())?;
            most = most.max(group.candidates(&group.spine_rows(&keys, piece.times()?)?));
        }
        Ok(most)
    }

    fn stretch(&self, chunk: &Chunk, rows: Range<usize>) -> Result<Joined, StoreError> {
        let (mut columns, mut outcomes, mut tied) = (Vec::new(), Vec::new(), Vec::new());
        let piece = self.spine.read(rows.clone())?;
        let in_chunk = rows.start - chunk.rows.start..rows.end - chunk.rows.start;
        for (Ready { group, on, .. }, gathered) in self.members.iter().zip(&chunk.gathered) {
            match gathered {
                None => {
                    let keys = group.check_keys(&piece.keys(on)?, piece.rows())?;
                    let matches = group
                        .work
                        .matching(|| group.matches(&group.spine_rows(&keys, piece.times()?)?))?;
                    columns.extend(group.work.fetching(|| group.values_of(&matches))?);
                    outcomes.push(matches.outcomes);
                    tied.push(matches.tied);
                }
                Some(gathered) => {
                    columns.extend(group.work.fetching(|| gathered.values_of(in_chunk.clone()))?);
                    outcomes.push(gathered.outcomes.get(in_chunk.clone()).unwrap_or_default().to_vec());
                    // Counted once, with the first stretch.
                    tied.push(if in_chunk.start == 0 { gathered.tied } else { 0 });
                }
            }
        }
        Ok(Joined {
            spine: piece.batch,
            rows,
            columns,
            outcomes,
            tied,
        })
    }
}

/// A chunk's keys and times, and the order in which a group matches them.
struct KeyOrder {
    keys: Vec<ArrayRef>,
    times: Vec<i64>,
    order: arrow::array::UInt32Array,
}

impl KeyOrder {
    fn new(spine: &Spine, ready: &Ready, rows: Range<usize>, memory: &MemoryReservation) -> Result<Self, StoreError> {
        let piece = spine.read_keys(&ready.on, rows)?;
        let keys = ready.group.check_keys(&piece.keys(&ready.on)?, piece.rows())?;
        let times = piece.times()?.to_vec();
        let row = size_of::<i64>() + size_of::<u32>();
        grow(memory, piece.batch.get_array_memory_size() + row * times.len())?;
        Ok(Self {
            order: key_order(&keys, &times)?,
            keys,
            times,
        })
    }
}

/// Matches the rows of a chunk in the order of a group's key.
async fn gather(
    group: &Arc<Group>,
    spine: Arc<KeyOrder>,
    limits: Limits,
    memory: &MemoryReservation,
) -> Result<Gathered, StoreError> {
    let rows = spine.times.len();
    let mut gathered = Gathered::new(group, rows)?;
    grow(memory, gathered.bytes())?;
    let (cutter, of_cutter) = (Arc::clone(group), Arc::clone(&spine));
    let work = steps(0..rows, limits.spine_rows).flat_map(move |rows| {
        cut(rows, limits, |rows| {
            let (keys, times) = sorted(&of_cutter.keys, &of_cutter.times, &of_cutter.order, rows)?;
            Ok(cutter.candidates(&cutter.spine_rows(&keys, &times)?))
        })
    });
    let of_start = Arc::clone(&spine);
    let start = |rows: Result<Range<usize>, StoreError>| {
        let (group, spine) = (Arc::clone(group), Arc::clone(&of_start));
        in_background(move || {
            let rows = rows?;
            let (keys, times) = sorted(&spine.keys, &spine.times, &spine.order, rows.clone())?;
            let matches = group
                .work
                .matching(|| group.matches(&group.spine_rows(&keys, &times)?))?;
            Ok((rows, group.work.fetching(|| Stretch::new(&group, matches))?))
        })
    };
    let mut done = stream::iter(work).map(start).buffered(limits.threads.max(1));
    while let Some(stretch) = done.next().await {
        let (rows, stretch) = stretch?;
        grow(memory, stretch.bytes())?;
        gathered.take_in(spine.order.slice(rows.start, rows.len()).values(), stretch);
    }
    Ok(gathered)
}

fn grow(memory: &MemoryReservation, bytes: usize) -> Result<(), StoreError> {
    let doing = "the rows that a join keeps do not fit into its memory";
    memory.try_grow(bytes).map_err(crate::error::plan_error(doing))
}

/// Cuts rows into steps of so many.
fn steps(rows: Range<usize>, step: usize) -> impl Iterator<Item = Range<usize>> + Send + 'static {
    let step = step.max(1);
    rows.clone()
        .step_by(step)
        .map(move |from| from..rows.end.min(from + step))
}

/// Cuts a step into stretches within the limits.
fn cut(
    rows: Range<usize>,
    limits: Limits,
    candidates: impl Fn(Range<usize>) -> Result<usize, StoreError>,
) -> Vec<Result<Range<usize>, StoreError>> {
    match try_cut(rows, limits, candidates) {
        Ok(stretches) => stretches.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(error)],
    }
}

fn try_cut(
    rows: Range<usize>,
    limits: Limits,
    candidates: impl Fn(Range<usize>) -> Result<usize, StoreError>,
) -> Result<Vec<Range<usize>>, StoreError> {
    let mut left = vec![(candidates(rows.clone())?, rows)];
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
