//! The spine in memory: the rows of the label group that are asked for, in its total order.
//!
//! A row counts when its event time is in `[from, to)` and the platform knew of it by `as_known_at`. In an upsert group, of the rows
//! with one key and event time only the one known last is a row; the others are superseded. (Keys with a NULL are never the same.)
//! In an append group every row counts. One pass; memory: the rows in the range.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, TimestampMicrosecondArray};
use arrow::buffer::NullBuffer;
use arrow::compute::{BatchCoalescer, concat, filter_record_batch};
use arrow::datatypes::{Int64Type, SchemaRef, TimestampMicrosecondType};
use arrow::row::{OwnedRow, Row, RowConverter, SortField};
use definitions::IngestMode;
use futures::TryStreamExt;

use super::manifest::Arguments;
use super::plan::SpinePlan;
use super::{CHUNK_ROWS, Rows};
use crate::split::SplitRows;
use crate::{INGEST_ID, KNOWN_AT, ROW_NUMBER, StoreError};

/// The spine's rows.
pub(crate) struct Spine {
    /// The columns that are read, by name, whole.
    columns: Vec<(String, ArrayRef)>,
    /// The event times of all rows.
    pub times: Vec<i64>,
    /// Rows that a later one corrects.
    pub superseded: u64,
}

/// Reads a spine from the stream of its group.
pub(crate) async fn read_spine(
    plan: &SpinePlan,
    arguments: &Arguments,
    mut rows: Rows<'_>,
) -> Result<Spine, StoreError> {
    let mut reader: Option<SpineReader<'_>> = None;
    while let Some(batch) = rows.try_next().await? {
        match &mut reader {
            Some(reader) => reader.push(&batch)?,
            None => reader
                .insert(SpineReader::new(plan, *arguments, &batch.schema())?)
                .push(&batch)?,
        }
        tokio::task::yield_now().await;
    }
    match reader {
        Some(reader) => reader.finish(),
        None => Spine::new(plan, Vec::new(), 0),
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
    /// For each row that was kept, whether it counts.
    counts: Vec<bool>,
    superseded: u64,
    /// The last key and event time, and the row that stands for it so far.
    last_key: Option<OwnedRow>,
    standing: Option<(usize, Rank)>,
}

impl<'a> SpineReader<'a> {
    fn new(plan: &'a SpinePlan, arguments: Arguments, schema: &SchemaRef) -> Result<Self, StoreError> {
        let place = |name: &String| schema.index_of(name).map_err(|_| unknown(plan, name));
        let keys = plan.columns.iter().take(plan.keys).chain([&plan.event_time]);
        let key = |name| Ok::<_, StoreError>(SortField::new(schema.field(place(name)?).data_type().clone()));
        let converter = RowConverter::new(keys.map(key).collect::<Result<_, _>>()?)?;
        let read = plan.read().iter().map(place).collect::<Result<Vec<_>, _>>()?;
        let coalescer = BatchCoalescer::new(Arc::new(schema.project(&read)?), CHUNK_ROWS);
        let (counts, superseded, last_key, standing) = (Vec::new(), 0, None, None);
        Ok(Self {
            plan,
            arguments,
            converter,
            read,
            coalescer,
            counts,
            superseded,
            last_key,
            standing,
        })
    }

    fn push(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        let batch = filter_record_batch(batch, &self.asked_for(batch)?)?;
        let before = self.counts.len();
        self.counts.resize(before + batch.num_rows(), true);
        if self.plan.mode == IngestMode::Upsert {
            self.supersede(&batch, before)?;
        }
        Ok(self.coalescer.push_batch(batch.project(&self.read)?)?)
    }

    /// Finds the rows that do not count: all but the one known last of each key and event time.
    fn supersede(&mut self, batch: &RecordBatch, before: usize) -> Result<(), StoreError> {
        let names = self.plan.columns.iter().take(self.plan.keys);
        let mut columns = names
            .map(|name| column(self.plan, batch, name).cloned())
            .collect::<Result<Vec<_>, _>>()?;
        let nulls = columns
            .iter()
            .fold(None, |nulls, key| NullBuffer::union(nulls.as_ref(), key.nulls()));
        columns.push(column(self.plan, batch, &self.plan.event_time)?.clone());
        let keys = self.converter.convert_columns(&columns)?;
        let ranks = self.ranks(batch)?;
        let mut previous: Option<Row<'_>> = None;
        for ((row, key), rank) in keys.iter().enumerate().zip(ranks) {
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                continue;
            }
            let is_same = previous
                .or(self.last_key.as_ref().map(OwnedRow::row))
                .is_some_and(|last| last == key);
            previous = Some(key);
            let here = (before + row, rank);
            self.standing = match self.standing.take().filter(|_| is_same) {
                None => Some(here),
                Some(other) => {
                    let (winner, loser) = if here.1 >= other.1 {
                        (here, other)
                    } else {
                        (other, here)
                    };
                    if let Some(counts) = self.counts.get_mut(loser.0) {
                        *counts = false;
                    }
                    self.superseded += 1;
                    Some(winner)
                }
            };
        }
        let last_key = previous.map(|key| key.owned());
        self.last_key = last_key.or(self.last_key.take());
        Ok(())
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
        self.coalescer.finish_buffered_batch()?;
        if self.superseded == 0 {
            let chunks = std::iter::from_fn(|| self.coalescer.next_completed_batch()).collect();
            return Spine::new(self.plan, chunks, 0);
        }
        let mut left = BatchCoalescer::new(self.coalescer.schema(), CHUNK_ROWS);
        let mut counts = self.counts.into_iter();
        while let Some(chunk) = self.coalescer.next_completed_batch() {
            let counts: BooleanArray = counts.by_ref().take(chunk.num_rows()).map(Some).collect();
            left.push_batch(filter_record_batch(&chunk, &counts)?)?;
        }
        left.finish_buffered_batch()?;
        Spine::new(
            self.plan,
            std::iter::from_fn(|| left.next_completed_batch()).collect(),
            self.superseded,
        )
    }
}

impl Spine {
    /// A spine of these rows.
    pub(crate) fn new(plan: &SpinePlan, chunks: Vec<RecordBatch>, superseded: u64) -> Result<Self, StoreError> {
        let schema = chunks.first().map(RecordBatch::schema);
        let mut columns = Vec::new();
        for (at, field) in schema.iter().flat_map(|schema| schema.fields().iter().enumerate()) {
            let arrays: Vec<&dyn Array> = chunks.iter().map(|chunk| chunk.column(at).as_ref()).collect();
            let whole = match arrays.as_slice() {
                [_] => chunks.first().map(|chunk| chunk.column(at).clone()),
                _ => Some(concat(&arrays)?),
            };
            columns.extend(whole.map(|whole| (field.name().clone(), whole)));
        }
        let times = columns.iter().find(|(name, _)| *name == plan.event_time);
        let micros = times.map(|(_, column)| {
            let values = column.as_primitive_opt::<TimestampMicrosecondType>();
            let values = values.ok_or_else(|| wrong_type(&plan.event_time, column))?;
            Ok::<_, StoreError>(values.values().to_vec())
        });
        Ok(Self {
            times: micros.transpose()?.unwrap_or_default(),
            columns,
            superseded,
        })
    }

    /// Their number.
    pub(crate) fn rows(&self) -> usize {
        self.times.len()
    }

    /// A whole column of it.
    pub(crate) fn column(&self, plan: &SpinePlan, name: &str) -> Result<ArrayRef, StoreError> {
        let column = self.columns.iter().find(|(own, _)| own == name);
        column
            .map(|(_, column)| column.clone())
            .ok_or_else(|| unknown(plan, name))
    }

    /// The columns that it gives to the dataset, for some of its rows.
    pub(crate) fn columns_of(
        &self,
        plan: &SpinePlan,
        rows: std::ops::Range<usize>,
    ) -> Result<Vec<ArrayRef>, StoreError> {
        let cut = |name: &String| Ok(self.column(plan, name)?.slice(rows.start, rows.len()));
        plan.columns.iter().map(cut).collect()
    }

    /// All of its columns, as one batch without a copy.
    pub(crate) fn rows_of(&self) -> Result<RecordBatch, StoreError> {
        let columns = self.columns.iter();
        Ok(RecordBatch::try_from_iter_with_nullable(
            columns.map(|(name, column)| (name.as_str(), column.clone(), true)),
        )?)
    }

    /// How many columns it has.
    pub(crate) fn width(&self) -> usize {
        self.columns.len()
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
