//! Cutting a source's rows into stretches that are computed one after the other, in bounded memory.
//!
//! ```text
//!   rows of a      a a a a a a a a a a b b b b b c c c c c …
//!   stretch 1      └──── asked ───┘                            the last rows of a wait: rows within their reach may follow
//!   stretch 2                 ├ kept ┤└─ asked ──┘ …           rows within reach of those that waited are kept
//! ```
//!
//! Only rows within reach of touched ones are kept. A derived row is computed when a row of its entity beyond its reach has been seen,
//! or the next entity begins. Of several rows with one event time (of a source in append mode) the last one counts.
//!
//! Memory: a stretch's rows, and the rows within reach of its end. Where a function looks back as far as there are rows, all rows of an
//! entity: its stretch ends with it.

use std::ops::Range;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, UInt64Array};
use arrow::compute::concat_batches;
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use arrow::row::RowConverter;
use futures::TryStreamExt;
use tokio::sync::mpsc;

use super::kernel::{Reach, Segment};
use super::rows::Rows;
use super::touched::{Span, Touched, merged, needed_for};
use crate::StoreError;

/// Rows, and those of them whose values are asked for.
pub(super) struct Stretch {
    /// The rows, in order.
    pub rows: RecordBatch,
    /// Their event times.
    pub times: Vec<i64>,
    /// The entities, and the asked rows of each.
    pub segments: Vec<Segment>,
    /// For each asked row, whether it is a derived row to write.
    pub written: BooleanArray,
    /// The places of the asked rows.
    pub asked: UInt64Array,
}

/// How rows are cut.
pub(super) struct Cut {
    /// The columns of the key, which come first, and then the event time.
    pub keys: usize,
    /// Which rows a derived row is made of.
    pub reach: Reach,
    /// The derived rows to compute.
    pub touched: Touched,
    /// Rows of a stretch, about.
    pub rows: usize,
}

/// Gathers rows until there are enough of them for a stretch.
pub(super) struct Stretcher {
    cut: Cut,
    converter: RowConverter,
    schema: Option<SchemaRef>,
    buffer: Vec<RecordBatch>,
    times: Vec<i64>,
    open: Vec<OpenSegment>,
    key: Option<Vec<u8>>,
    /// How many of the rows were kept of the stretch before.
    kept: usize,
    /// The rows that are needed of the current entity, and the touched ones among them.
    needed: Vec<(Span, Vec<Span>)>,
}

/// Rows of one entity within reach of touched ones.
struct OpenSegment {
    rows: Range<usize>,
    /// Where those begin that have not been asked for yet.
    next: usize,
    touched: Vec<Span>,
    is_closed: bool,
}

impl Stretcher {
    pub fn new(cut: Cut, converter: RowConverter) -> Self {
        Self {
            cut,
            converter,
            schema: None,
            buffer: Vec::new(),
            times: Vec::new(),
            open: Vec::new(),
            key: None,
            kept: 0,
            needed: Vec::new(),
        }
    }

    /// Takes the next rows; gives a stretch when there is enough for one.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<Option<Stretch>, StoreError> {
        self.schema.get_or_insert_with(|| batch.schema());
        let keys: Vec<ArrayRef> = batch.columns().iter().take(self.cut.keys).cloned().collect();
        let keys = self.converter.convert_columns(&keys)?;
        let Some(times) = batch
            .columns()
            .get(self.cut.keys)
            .and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>())
        else {
            return Ok(None);
        };
        let mut start = 0;
        while start < batch.num_rows() {
            let key = keys.row(start);
            let end = (start + 1..batch.num_rows())
                .find(|row| keys.row(*row) != key)
                .unwrap_or(batch.num_rows());
            if self.key.as_deref() != Some(key.as_ref()) {
                self.begin(key.as_ref());
            }
            let run = times.values().get(start..end).unwrap_or_default();
            self.take(batch, start, run);
            start = end;
        }
        // No row is copied often, however many are kept.
        if self.times.len() - self.kept < self.cut.rows.max(self.kept) {
            return Ok(None);
        }
        self.stretch(false)
    }

    /// The last stretch.
    pub fn finish(&mut self) -> Result<Option<Stretch>, StoreError> {
        self.close();
        self.stretch(true)
    }

    fn close(&mut self) {
        for segment in &mut self.open {
            segment.is_closed = true;
        }
    }

    /// The next entity begins.
    fn begin(&mut self, key: &[u8]) {
        self.close();
        self.key = Some(key.to_vec());
        let touched = self.cut.touched.of(key);
        let needed = touched.iter().map(|span| needed_for(*span, self.cut.reach)).collect();
        self.needed = merged(needed)
            .into_iter()
            .map(|needed| {
                let within = |span: &&Span| needed.holds(span.first);
                (needed, touched.iter().filter(within).copied().collect())
            })
            .collect();
    }

    /// Keeps what is needed of rows of the current entity, which begin at a row of the batch.
    fn take(&mut self, batch: &RecordBatch, start: usize, times: &[i64]) {
        for (needed, touched) in &self.needed {
            let first = times.partition_point(|time| *time < needed.first);
            let after = times.partition_point(|time| *time <= needed.last);
            let Some(kept) = times.get(first..after).filter(|kept| !kept.is_empty()) else {
                continue;
            };
            let from = self.times.len();
            self.times.extend_from_slice(kept);
            self.buffer.push(batch.slice(start + first, kept.len()));
            match self.open.last_mut() {
                // Segments of an entity are apart, so one that touches the same times is the same one.
                Some(last) if !last.is_closed && last.touched == *touched => last.rows.end = self.times.len(),
                _ => {
                    if let Some(before) = self.open.last_mut() {
                        before.is_closed = true;
                    }
                    self.open.push(OpenSegment {
                        rows: from..self.times.len(),
                        next: from,
                        touched: touched.clone(),
                        is_closed: false,
                    });
                }
            }
        }
    }

    /// What can be computed now.
    fn stretch(&mut self, is_last: bool) -> Result<Option<Stretch>, StoreError> {
        let (mut segments, mut asked, mut written) = (Vec::new(), Vec::new(), Vec::new());
        for segment in &mut self.open {
            let end = ready_end(segment, &self.times, self.cut.reach);
            let from = (segment.next..end).find(|row| is_touched(segment, &self.times, *row));
            let upto = (segment.next..end)
                .rev()
                .find(|row| is_touched(segment, &self.times, *row));
            segment.next = end;
            let (Some(from), Some(upto)) = (from, upto) else {
                continue;
            };
            for row in from..=upto {
                asked.push(row as u64);
                let is_followed = row + 1 < segment.rows.end && self.times.get(row) == self.times.get(row + 1);
                written.push(is_touched(segment, &self.times, row) && !is_followed);
            }
            segments.push(Segment {
                rows: segment.rows.clone(),
                asked: from..upto + 1,
            });
        }
        let Some(schema) = self.schema.clone() else {
            return Ok(None);
        };
        if segments.is_empty() && !is_last && self.open.iter().all(|segment| !segment.is_closed) {
            return Ok(None);
        }
        let rows = concat_batches(&schema, &self.buffer)?;
        let stretch = Stretch {
            times: self.times.clone(),
            segments,
            written: written.into(),
            asked: asked.into(),
            rows: rows.clone(),
        };
        self.keep(&rows);
        Ok((!stretch.segments.is_empty()).then_some(stretch))
    }

    /// Keeps what rows that are not computed yet may look back to.
    fn keep(&mut self, rows: &RecordBatch) {
        let reach = self.cut.reach;
        let last = self.open.pop().filter(|last| !last.is_closed);
        self.open.clear();
        self.buffer.clear();
        self.kept = 0;
        let Some(mut last) = last else {
            return self.times.clear();
        };
        let first_needed = match (self.times.get(last.next), reach.back) {
            (Some(next), Some(back)) => next.saturating_sub((back.micros() - 1).max(0)),
            (Some(_), None) => i64::MIN,
            // Every row so far is computed; the next one may look back from the last one's time.
            (None, Some(back)) => self
                .times
                .last()
                .map_or(i64::MIN, |last| last.saturating_sub(back.micros())),
            (None, None) => i64::MIN,
        };
        let own = self.times.get(last.rows.clone()).unwrap_or_default();
        let from = last.rows.start + own.partition_point(|time| *time < first_needed);
        let kept = last.rows.end - from;
        self.kept = kept;
        if kept > 0 {
            self.buffer.push(rows.slice(from, kept));
        }
        self.times = self.times.get(from..last.rows.end).unwrap_or_default().to_vec();
        last.next -= from;
        last.rows = 0..kept;
        self.open.push(last);
    }
}

/// Where those rows of a segment end that can be computed: nothing that follows is within their reach.
fn ready_end(segment: &OpenSegment, times: &[i64], reach: Reach) -> usize {
    if segment.is_closed {
        return segment.rows.end;
    }
    let Some(last) = times.get(segment.rows.clone()).and_then(<[i64]>::last) else {
        return segment.next;
    };
    // What looks back as far as there are rows is computed once, with its entity's last row.
    if reach.back.is_none() {
        return segment.next;
    }
    let waiting = times.get(segment.next..segment.rows.end).unwrap_or_default();
    let is_over = |time: &i64| time.saturating_add(reach.ahead.micros()) < *last;
    segment.next + waiting.partition_point(is_over)
}

fn is_touched(segment: &OpenSegment, times: &[i64], row: usize) -> bool {
    let Some(time) = times.get(row) else { return false };
    let at = segment.touched.partition_point(|span| span.last < *time);
    segment.touched.get(at).is_some_and(|span| span.holds(*time))
}

/// Reads rows and cuts them into stretches, each with the number of rows read so far.
pub(super) async fn read(
    mut rows: Rows,
    mut stretcher: Stretcher,
    give: mpsc::Sender<(Stretch, u64)>,
) -> Result<u64, StoreError> {
    let mut read = 0;
    while let Some(batch) = rows.try_next().await? {
        read += batch.num_rows() as u64;
        if let Some(stretch) = stretcher.push(&batch)?
            && give.send((stretch, read)).await.is_err()
        {
            return Ok(read);
        }
    }
    if let Some(stretch) = stretcher.finish()? {
        // Who computes has failed, and says why.
        let _gone = give.send((stretch, read)).await;
    }
    Ok(read)
}
