//! The spine: the rows of the label group that are asked for, in its total order.
//!
//! A row counts when its event time is in `[from, to)` and the platform knew of it by `as_known_at`. In an upsert group, of the rows
//! with one key and event time only the one known last is a row; the others are superseded. (Keys with a NULL are never the same.)
//! In an append group every row counts. One pass: rows of one key and event time follow each other, so only the row that stands for
//! them so far has to wait for the next batch. Memory: the rows' times, and the rows themselves as long as they fit into a quarter of what
//! the work may take; else they lie in a temporary file.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, TimestampMicrosecondArray};
use arrow::buffer::NullBuffer;
use arrow::compute::{BatchCoalescer, concat_batches, filter_record_batch};
use arrow::datatypes::{Int64Type, Schema, SchemaRef, TimestampMicrosecondType};
use arrow::row::{OwnedRow, Row, RowConverter, SortField};
use datafusion::execution::TaskContext;
use definitions::IngestMode;
use futures::TryStreamExt;

use super::manifest::Arguments;
use super::plan::SpinePlan;
use super::{CHUNK_ROWS, Rows};
use crate::error::plan_error;
use crate::point_in_time::{Materialized, Materializer};
use crate::split::SplitRows;
use crate::{INGEST_ID, KNOWN_AT, ROW_NUMBER, StoreError};

const KEEPING: &str = "the rows of the spine could not be kept";

/// The spine's rows.
pub(crate) struct Spine {
    /// The columns that are read.
    rows: Arc<Materialized>,
    /// The event times of all rows.
    pub times: Vec<i64>,
    /// Rows that a later one corrects.
    pub superseded: u64,
    /// What did not fit into memory.
    pub spilled_bytes: u64,
}

/// Reads a spine from the stream of its group.
pub(crate) async fn read_spine(
    plan: &SpinePlan,
    arguments: &Arguments,
    mut rows: Rows<'_>,
    context: &Arc<TaskContext>,
) -> Result<Spine, StoreError> {
    let mut reader: Option<SpineReader<'_>> = None;
    while let Some(batch) = rows.try_next().await? {
        match &mut reader {
            Some(reader) => reader.push(&batch)?,
            None => {
                let taken = |schema| Materializer::new("the spine", schema, context);
                reader
                    .insert(SpineReader::new(plan, *arguments, &batch.schema(), taken)?)
                    .push(&batch)?;
            }
        }
        tokio::task::yield_now().await;
    }
    match reader {
        Some(reader) => reader.finish(),
        None => Spine::new(plan, Vec::new()),
    }
}

/// What decides among rows of one key and event time: declared `known_at` (a NULL is never known), then the ingestion.
type Rank = (Option<i64>, i64, i64, i64);

struct SpineReader<'a> {
    plan: &'a SpinePlan,
    arguments: Arguments,
    converter: RowConverter,
    read: Vec<usize>,
    coalescer: BatchCoalescer,
    taken: Materializer,
    times: Vec<i64>,
    superseded: u64,
    /// The last key and event time, and what stands for them so far.
    last: Option<(OwnedRow, Standing)>,
}

/// The row that stands for its key and event time, until a later batch has one that was known later.
struct Standing {
    row: RecordBatch,
    rank: Rank,
}

impl<'a> SpineReader<'a> {
    fn new(
        plan: &'a SpinePlan,
        arguments: Arguments,
        schema: &SchemaRef,
        taken: impl FnOnce(SchemaRef) -> Materializer,
    ) -> Result<Self, StoreError> {
        let place = |name: &String| schema.index_of(name).map_err(|_| unknown(plan, name));
        let keys = plan.columns.iter().take(plan.keys).chain([&plan.event_time]);
        let key = |name| Ok::<_, StoreError>(SortField::new(schema.field(place(name)?).data_type().clone()));
        let converter = RowConverter::new(keys.map(key).collect::<Result<_, _>>()?)?;
        let read = plan.read().iter().map(place).collect::<Result<Vec<_>, _>>()?;
        let fields = schema.project(&read)?;
        let nullable = fields
            .fields()
            .iter()
            .map(|field| field.as_ref().clone().with_nullable(true));
        let columns: SchemaRef = Arc::new(Schema::new(nullable.collect::<Vec<_>>()));
        Ok(Self {
            plan,
            arguments,
            converter,
            read,
            coalescer: BatchCoalescer::new(columns.clone(), CHUNK_ROWS),
            taken: taken(columns),
            times: Vec::new(),
            superseded: 0,
            last: None,
        })
    }

    fn push(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        let batch = filter_record_batch(batch, &self.asked_for(batch)?)?;
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let rows = RecordBatch::try_new(self.coalescer.schema(), batch.project(&self.read)?.columns().to_vec())?;
        if self.plan.mode == IngestMode::Upsert {
            let (before, counts) = self.supersede(&batch, &rows)?;
            if let Some(before) = before {
                self.coalescer.push_batch(before)?;
            }
            self.coalescer.push_batch(filter_record_batch(&rows, &counts)?)?;
        } else {
            self.coalescer.push_batch(rows)?;
        }
        self.take_in()
    }

    /// Takes in what is settled.
    fn take_in(&mut self) -> Result<(), StoreError> {
        while let Some(chunk) = self.coalescer.next_completed_batch() {
            let times = self.timestamps(&chunk, &self.plan.event_time)?.values().to_vec();
            self.times.extend(times);
            self.taken.push(chunk).map_err(plan_error(KEEPING))?;
        }
        Ok(())
    }

    /// Finds the rows that do not count: all but the one known last of each key and event time. What comes first is the row of an earlier
    /// batch, if it is settled now; the last key's row of this batch waits.
    fn supersede(
        &mut self,
        batch: &RecordBatch,
        rows: &RecordBatch,
    ) -> Result<(Option<RecordBatch>, BooleanArray), StoreError> {
        let names = self.plan.columns.iter().take(self.plan.keys);
        let mut columns = names
            .map(|name| column(self.plan, batch, name).cloned())
            .collect::<Result<Vec<_>, _>>()?;
        let nulls = columns
            .iter()
            .fold(None, |nulls, key| NullBuffer::union(nulls.as_ref(), key.nulls()));
        columns.push(column(self.plan, batch, &self.plan.event_time)?.clone());
        let keys = self.converter.convert_columns(&columns)?;
        let mut counts = vec![true; batch.num_rows()];
        let mut earlier = self.last.take();
        let mut settled = None;
        // The row that stands for the key of the row before, and its key.
        let mut standing: Option<(usize, Rank, Row<'_>)> = None;
        for ((row, key), rank) in keys.iter().enumerate().zip(self.ranks(batch)?) {
            let has_null = nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
            if let Some((last, held)) = earlier.take() {
                if has_null || last.row() != key {
                    settled = Some(held.row);
                } else if rank >= held.rank {
                    self.superseded += 1;
                } else {
                    set_false(&mut counts, row);
                    self.superseded += 1;
                    earlier = Some((last, held));
                    continue;
                }
            }
            standing = match standing.take().filter(|(_, _, last)| !has_null && *last == key) {
                _ if has_null => None,
                None => Some((row, rank, key)),
                Some(other) => {
                    let here = (row, rank, key);
                    let (winner, loser) = if here.1 >= other.1 {
                        (here, other)
                    } else {
                        (other, here)
                    };
                    set_false(&mut counts, loser.0);
                    self.superseded += 1;
                    Some(winner)
                }
            };
        }
        self.last = earlier;
        if let Some((row, rank, key)) = standing {
            set_false(&mut counts, row);
            let row = rows.slice(row, 1);
            self.last = Some((key.owned(), Standing { row, rank }));
        }
        Ok((settled, BooleanArray::from(counts)))
    }

    /// Which rows are in the range, and were known.
    fn asked_for(&self, batch: &RecordBatch) -> Result<BooleanArray, StoreError> {
        let times = self.timestamps(batch, &self.plan.event_time)?;
        let ingested = self.timestamps(batch, KNOWN_AT)?;
        let Arguments { from, to, as_known_at } = self.arguments;
        let is_asked_for = |row: usize| {
            let time = times.value(row);
            times.is_valid(row)
                && from.is_none_or(|from| time >= from.0)
                && to.is_none_or(|to| time < to.0)
                && as_known_at.is_none_or(|limit| ingested.value(row) <= limit.0)
        };
        Ok((0..batch.num_rows()).map(|row| Some(is_asked_for(row))).collect())
    }

    fn ranks(&self, batch: &RecordBatch) -> Result<Vec<Rank>, StoreError> {
        let declared = self
            .plan
            .known_at
            .as_ref()
            .map(|name| self.timestamps(batch, name))
            .transpose()?;
        let ingested = self.timestamps(batch, KNOWN_AT)?;
        let number = |name: &str| {
            let column = column(self.plan, batch, name)?;
            column
                .as_primitive_opt::<Int64Type>()
                .ok_or_else(|| wrong_type(name, column))
        };
        let (ingest_id, row_number) = (number(INGEST_ID)?, number(ROW_NUMBER)?);
        let rank = |row: usize| {
            let known = declared.and_then(|known| known.is_valid(row).then(|| known.value(row)));
            (known, ingested.value(row), ingest_id.value(row), row_number.value(row))
        };
        Ok((0..batch.num_rows()).map(rank).collect())
    }

    fn timestamps<'b>(&self, batch: &'b RecordBatch, name: &str) -> Result<&'b TimestampMicrosecondArray, StoreError> {
        let column = column(self.plan, batch, name)?;
        column
            .as_primitive_opt::<TimestampMicrosecondType>()
            .ok_or_else(|| wrong_type(name, column))
    }

    fn finish(mut self) -> Result<Spine, StoreError> {
        if let Some((_, held)) = self.last.take() {
            self.coalescer.push_batch(held.row)?;
        }
        self.coalescer.finish_buffered_batch()?;
        self.take_in()?;
        let (rows, spilled_bytes) = self.taken.finish().map_err(plan_error(KEEPING))?;
        Ok(Spine {
            rows: Arc::new(rows),
            times: self.times,
            superseded: self.superseded,
            spilled_bytes: spilled_bytes as u64,
        })
    }
}

impl Spine {
    /// A spine of these rows, in memory.
    pub(crate) fn new(plan: &SpinePlan, chunks: Vec<RecordBatch>) -> Result<Self, StoreError> {
        let schema = chunks
            .first()
            .map_or_else(|| Arc::new(Schema::empty()), RecordBatch::schema);
        let rows = concat_batches(&schema, &chunks)?;
        let times = rows.column_by_name(&plan.event_time);
        let micros = times.map(|column| {
            let values = column.as_primitive_opt::<TimestampMicrosecondType>();
            let values = values.ok_or_else(|| wrong_type(&plan.event_time, column))?;
            Ok::<_, StoreError>(values.values().to_vec())
        });
        Ok(Self {
            times: micros.transpose()?.unwrap_or_default(),
            rows: Arc::new(Materialized::of_batch(rows)),
            superseded: 0,
            spilled_bytes: 0,
        })
    }

    /// Their number.
    pub(crate) fn rows(&self) -> usize {
        self.times.len()
    }

    /// Whole columns of it.
    pub(crate) fn whole(&self, names: &[String]) -> Result<Vec<ArrayRef>, StoreError> {
        if self.rows() == 0 {
            return Ok(Vec::new());
        }
        let fields = names
            .iter()
            .map(|name| self.rows.schema().field_with_name(name).cloned());
        let columns = Arc::new(Schema::new(fields.collect::<Result<Vec<_>, _>>()?));
        let all = 0..self.rows();
        Ok(self.rows.read(&columns, std::slice::from_ref(&all))?.columns().to_vec())
    }

    /// Its rows, by place.
    pub(crate) fn by_place(&self) -> &Arc<Materialized> {
        &self.rows
    }

    /// How many columns it has.
    pub(crate) fn width(&self) -> usize {
        self.rows.schema().fields().len()
    }

    /// The rows as a split sees them.
    pub(crate) fn split_rows<'a>(&'a self, keys: &'a [ArrayRef]) -> SplitRows<'a> {
        SplitRows {
            times: &self.times,
            keys,
            stratify: None,
        }
    }
}

fn set_false(counts: &mut [bool], row: usize) {
    if let Some(counts) = counts.get_mut(row) {
        *counts = false;
    }
}

fn column<'b>(plan: &SpinePlan, batch: &'b RecordBatch, name: &str) -> Result<&'b ArrayRef, StoreError> {
    batch.column_by_name(name).ok_or_else(|| unknown(plan, name))
}

fn unknown(plan: &SpinePlan, name: &str) -> StoreError {
    StoreError::UnknownColumn {
        group: plan.group.to_string(),
        column: name.to_owned(),
    }
}

fn wrong_type(name: &str, column: &ArrayRef) -> StoreError {
    StoreError::UnsupportedType {
        column: name.to_owned(),
        found: column.data_type().to_string(),
    }
}
