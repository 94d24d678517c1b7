//! Rows that are kept and read by place: in memory, in a group's file, or in a temporary file where they do not fit into memory.

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use datafusion::common::{Result, internal_err};
use datafusion::execution::SpillFile;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryReservation};
use parquet::arrow::ArrowWriter;

use super::as_declared;
use super::file::SortedFile;
use crate::StoreError;
use crate::error::external;

/// Rows that can be read by place.
#[derive(Debug)]
pub(crate) struct Materialized {
    schema: SchemaRef,
    source: Source,
    rows: usize,
    /// What their memory counts as, until they are dropped; `None`: nobody has counted it.
    counted: Option<MemoryReservation>,
}

#[derive(Debug)]
pub(super) enum Source {
    Memory(RecordBatch),
    File(SortedFile),
}

impl Materialized {
    /// The rows of a batch, whose memory nobody has counted.
    pub(crate) fn of_batch(batch: RecordBatch) -> Self {
        Self {
            schema: batch.schema(),
            rows: batch.num_rows(),
            source: Source::Memory(batch),
            counted: None,
        }
    }

    /// The rows of a Parquet file whose columns are to come in the types of this schema.
    pub(in crate::point_in_time) fn of_file(path: &Path, schema: &SchemaRef) -> std::result::Result<Self, StoreError> {
        let file = SortedFile::open(path, schema)?;
        Ok(Self {
            schema: schema.clone(),
            rows: file.rows(),
            source: Source::File(file),
            counted: None,
        })
    }

    /// Their number.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Their columns.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The memory that they take and nobody has counted.
    pub(in crate::point_in_time) fn uncounted_bytes(&self) -> usize {
        match (&self.source, &self.counted) {
            (Source::Memory(batch), None) => batch.get_array_memory_size(),
            _ => 0,
        }
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    /// These columns of these stretches of rows, which are in order and apart, as one batch.
    pub(crate) fn read(
        &self,
        columns: &SchemaRef,
        stretches: &[Range<usize>],
    ) -> std::result::Result<RecordBatch, StoreError> {
        match (&self.source, stretches) {
            (Source::File(file), _) => file.read(columns, stretches),
            (Source::Memory(batch), [rows]) => as_declared(&batch.slice(rows.start, rows.len()), columns),
            (Source::Memory(batch), _) => {
                let slices: Vec<_> = stretches
                    .iter()
                    .map(|rows| batch.slice(rows.start, rows.len()))
                    .collect();
                as_declared(&concat_batches(&batch.schema(), &slices)?, columns)
            }
        }
    }
}

/// Memory for work where the task's pool has no limit.
const UNLIMITED: usize = 1 << 30;

/// The memory that a task may take.
pub(in crate::point_in_time) fn memory_of(context: &TaskContext) -> usize {
    match context.memory_pool().memory_limit() {
        MemoryLimit::Finite(bytes) => bytes,
        MemoryLimit::Infinite | MemoryLimit::Unknown => UNLIMITED,
    }
}

/// Takes rows in: into memory, and into a temporary file once they are more than their share of it.
pub(crate) struct Materializer {
    schema: SchemaRef,
    context: Arc<TaskContext>,
    memory: MemoryReservation,
    share: usize,
    held: Vec<RecordBatch>,
    /// The open file, and what removes it.
    file: Option<(ArrowWriter<File>, Arc<dyn SpillFile>)>,
}

impl Materializer {
    /// For rows with these columns, which may take a quarter of the context's memory. `what` they are is said where that is not there.
    pub(crate) fn new(what: &str, schema: SchemaRef, context: &Arc<TaskContext>) -> Self {
        Self {
            schema,
            memory: MemoryConsumer::new(what).register(context.memory_pool()),
            share: memory_of(context) / 4,
            context: Arc::clone(context),
            held: Vec::new(),
            file: None,
        }
    }

    /// Takes in the next rows.
    ///
    /// # Errors
    /// When they go to disk and cannot be written.
    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<()> {
        if let Some((writer, _)) = &mut self.file {
            return Ok(writer.write(&batch)?);
        }
        // Twice: the batches, and the one that they become.
        let bytes = 2 * batch.get_array_memory_size();
        let fits = self.memory.size() + bytes <= self.share && self.memory.try_grow(bytes).is_ok();
        self.held.push(batch);
        if fits { Ok(()) } else { self.spill() }
    }

    fn spill(&mut self) -> Result<()> {
        let disk = &self.context.runtime_env().disk_manager;
        let spill = disk.create_tmp_file("a point-in-time join")?;
        let Some(path) = spill.path() else {
            return internal_err!("a spill file without a path");
        };
        let file = File::options().write(true).truncate(true).create(true).open(path)?;
        let properties = crate::ingest::file_properties();
        let properties = match self.held.first() {
            Some(first) => crate::encoding::chosen(properties, first, crate::encoding::Saving::TwoThirds, 1),
            None => properties.build(),
        };
        let mut writer = ArrowWriter::try_new(file, self.schema.clone(), Some(properties))?;
        for batch in self.held.drain(..) {
            writer.write(&batch)?;
        }
        self.memory.free();
        self.file = Some((writer, spill));
        Ok(())
    }

    /// The rows, and how many bytes of them went to disk. The file is gone with them.
    ///
    /// # Errors
    /// When what goes to disk cannot be written.
    pub(crate) fn finish(mut self) -> Result<(Materialized, usize)> {
        if let Some((mut writer, spill)) = self.file.take() {
            writer.finish()?;
            let bytes = writer.bytes_written();
            let Some(path) = spill.path() else {
                return internal_err!("a spill file without a path");
            };
            // The rows hold the file open: its name may go.
            return Ok((Materialized::of_file(path, &self.schema).map_err(external)?, bytes));
        }
        let batch = concat_batches(&self.schema, &self.held)?;
        drop(std::mem::take(&mut self.held));
        self.memory.try_resize(batch.get_array_memory_size())?;
        let mut rows = Materialized::of_batch(batch);
        rows.counted = Some(self.memory);
        Ok((rows, 0))
    }
}
