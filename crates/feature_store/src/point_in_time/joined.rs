//! What a join gives: for each spine row the columns of its match, cut out as they are asked for.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::UInt64Array;
use arrow::array::{Array, ArrayRef, RecordBatch, new_null_array};
use arrow::compute::{concat_batches, interleave, take_record_batch};
use arrow::datatypes::{Field, Schema, SchemaRef};

use super::{Outcome, OutcomeCounts};
use crate::StoreError;

/// Matched rows are put together to chunks of about so many.
const CHUNK_ROWS: usize = 65_536;

/// Where a row lies among the kept ones: chunk, row. Chunk 0 is one row of NULLs, for the spine rows without a match.
pub(super) type Place = (u32, u32);

/// The place of a row of NULLs.
pub(super) const NOTHING: Place = (0, 0);

/// The rows of a group that were matched, each once.
pub(super) struct Kept {
    schema: SchemaRef,
    chunks: Vec<RecordBatch>,
    pending: Vec<RecordBatch>,
    pending_rows: usize,
}

impl Kept {
    /// Nothing yet.
    pub(super) fn new(schema: &SchemaRef) -> Result<Self, StoreError> {
        let nullable = schema
            .fields()
            .iter()
            .map(|field| Field::new(field.name(), field.data_type().clone(), true));
        let schema = Arc::new(Schema::new(nullable.collect::<Vec<_>>()));
        let nulls = schema
            .fields()
            .iter()
            .map(|field| new_null_array(field.data_type(), 1))
            .collect();
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(1));
        let nothing = RecordBatch::try_new_with_options(schema.clone(), nulls, &options)?;
        Ok(Self {
            schema,
            chunks: vec![nothing],
            pending: Vec::new(),
            pending_rows: 0,
        })
    }

    /// Where the next rows that are kept will lie.
    pub(super) fn next(&self, further: usize) -> Place {
        (self.chunks.len() as u32, (self.pending_rows + further) as u32)
    }

    /// Keeps these rows of a batch, in this order.
    pub(super) fn keep(&mut self, batch: &RecordBatch, rows: Vec<u64>) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.pending_rows += rows.len();
        let rows = take_record_batch(batch, &UInt64Array::from(rows))?;
        self.pending.push(rows.with_schema(self.schema.clone())?);
        if self.pending_rows >= CHUNK_ROWS {
            self.close_chunk()
        } else {
            Ok(())
        }
    }

    /// Puts what is pending together.
    pub(super) fn close_chunk(&mut self) -> Result<(), StoreError> {
        if self.pending_rows > 0 {
            self.chunks.push(concat_batches(&self.schema, &self.pending)?);
            self.pending.clear();
            self.pending_rows = 0;
        }
        Ok(())
    }
}

/// The result of joining one group to a spine.
pub struct Joined {
    pub(super) kept: Kept,
    pub(super) places: Vec<Place>,
    /// For each filled column (by its place among the values), where each spine row's value lies.
    pub(super) filled: Vec<(usize, Vec<Place>)>,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) counts: OutcomeCounts,
}

impl Joined {
    /// The columns that spine rows get, all of them nullable.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.kept.schema
    }

    /// How many spine rows met which outcome.
    #[must_use]
    pub fn counts(&self) -> OutcomeCounts {
        self.counts
    }

    /// What became of each spine row, in the spine's order.
    #[must_use]
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// The columns for these spine rows, in the spine's order.
    ///
    /// # Errors
    /// When Arrow cannot put the values together.
    pub fn rows(&self, spine: Range<usize>) -> Result<RecordBatch, StoreError> {
        let rows = spine.len();
        let column = |at: usize| {
            let filled = self
                .filled
                .iter()
                .find(|(column, _)| *column == at)
                .map(|(_, places)| places);
            let places = filled.unwrap_or(&self.places).get(spine.clone()).unwrap_or_default();
            self.column(at, places)
        };
        let columns = (0..self.kept.schema.fields().len())
            .map(column)
            .collect::<Result<Vec<_>, _>>()?;
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(
            self.kept.schema.clone(),
            columns,
            &options,
        )?)
    }

    fn column(&self, at: usize, places: &[Place]) -> Result<ArrayRef, StoreError> {
        // Only the chunks that are needed: interleaving looks at each one it is given.
        let mut needed: Vec<u32> = places.iter().map(|(chunk, _)| *chunk).collect();
        needed.sort_unstable();
        needed.dedup();
        let arrays: Vec<&dyn Array> = needed
            .iter()
            .filter_map(|chunk| self.kept.chunks.get(*chunk as usize))
            .map(|chunk| chunk.column(at).as_ref())
            .collect();
        let places: Vec<(usize, usize)> = places
            .iter()
            .map(|(chunk, row)| (needed.binary_search(chunk).unwrap_or_default(), *row as usize))
            .collect();
        match self.kept.schema.fields().get(at) {
            Some(field) if places.is_empty() => Ok(new_null_array(field.data_type(), 0)),
            _ => Ok(interleave(&arrays, &places)?),
        }
    }
}
