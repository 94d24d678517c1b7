//! Writing a dataset's parts: Parquet files whose bytes depend on the rows only, hashed as they are written, on disk when done.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::BatchCoalescer;
use arrow::datatypes::{DataType, Schema, SchemaRef, TimestampMicrosecondType};
use definitions::{EventTime, Fingerprint};
use parquet::arrow::arrow_writer::ArrowRowGroupWriterFactory;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};

use super::columns::{ColumnError, Columns};
use super::file::{OnDisk, PartFile};
use super::manifest::{DataFile, MANIFEST, Manifest, PartReport};
use super::statistics::ColumnStatistics;
use crate::StoreError;
use crate::encoding::{Saving, chosen};
use crate::error::{file_error, parquet_error};
use crate::split::Part;

/// A part is cut into files of so many rows, or fewer if they are wide.
pub const ROWS_PER_FILE: u64 = 1 << 22;
/// The size of a file before it is encoded, at most.
const FILE_BYTES: usize = 512 << 20;

/// A row group holds so many rows, or fewer if they are wide.
const ROWS_PER_ROW_GROUP: usize = 131_072;
/// The size of a row group before it is encoded, where rows are wide.
const ROW_GROUP_BYTES: usize = 128 << 20;
/// Columns work on so many blocks for a row group: what is handed to them at once.
const BLOCKS_PER_ROW_GROUP: usize = 4;
/// Pages are small, so that a reader that wants few rows reads little.
const ROWS_PER_PAGE: usize = 8_192;
/// A column with more different values than fit is written as it is: the attempt is cheap, and gives up early.
const DICTIONARY_BYTES: usize = 64 << 10;
const ZSTD_LEVEL: i32 = 1;

/// Writes one part.
pub(super) struct PartWriter {
    name: &'static str,
    folder: PathBuf,
    schema: SchemaRef,
    event_time: usize,
    rows_per_file: u64,
    rows_per_group: u64,
    /// Chosen by the first block.
    properties: Option<WriterProperties>,
    file: Option<OpenFile>,
    /// The one before it, on its way to disk.
    closed: Option<OpenFile>,
    /// Files so far.
    opened: usize,
    /// Those that are on disk.
    files: Vec<DataFile>,
    rows: u64,
    span: Option<(i64, i64)>,
    /// Blocks of one size, whatever the batches, because a file's bytes depend on how it is fed.
    blocks: BatchCoalescer,
    columns: Columns,
}

/// What was written.
pub(super) struct Written {
    /// Its rows.
    pub rows: u64,
    /// Its files.
    pub files: Vec<DataFile>,
    /// The fingerprint of its content.
    pub fingerprint: Fingerprint,
    span: Option<(i64, i64)>,
    statistics: Vec<ColumnStatistics>,
}

impl Written {
    /// It is this part.
    pub(super) fn into_part(self, part: Part) -> PartReport {
        PartReport {
            part,
            rows: self.rows,
            first_event_time: self.span.map(|(first, _)| EventTime(first)),
            last_event_time: self.span.map(|(_, last)| EventTime(last)),
            fingerprint: self.fingerprint,
            files: self.files,
            statistics: self.statistics,
        }
    }
}

/// The file that rows go to.
struct OpenFile {
    file: PartFile,
    name: String,
    rows: u64,
    /// Rows in the row group that is not ended yet.
    rows_in_group: u64,
    row_groups: usize,
    encoders: ArrowRowGroupWriterFactory,
}

fn column_error(path: &Path) -> impl FnOnce(ColumnError) -> StoreError {
    let path = path.to_owned();
    move |error| match error {
        ColumnError::Values(error) => error,
        ColumnError::Encoding(source) => StoreError::Parquet { path, source },
    }
}

/// How a part is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// The place of the spine's event time.
    pub event_time: usize,
    /// Rows in a file.
    pub rows_per_file: u64,
    /// Columns that are worked on at once.
    pub threads: usize,
}

impl PartWriter {
    /// A writer for the part of that name of the dataset that is made in `staging`.
    pub(super) fn new(
        staging: &Path,
        name: &'static str,
        schema: &SchemaRef,
        manner: Manner,
    ) -> Result<Self, StoreError> {
        let folder = staging.join(name);
        std::fs::create_dir_all(&folder).map_err(file_error(folder.as_path()))?;
        let rows_per_group = rows_within(schema, ROW_GROUP_BYTES, ROWS_PER_ROW_GROUP);
        Ok(Self {
            name,
            folder,
            columns: Columns::new(schema, manner.threads)?,
            blocks: BatchCoalescer::new(schema.clone(), rows_per_group / BLOCKS_PER_ROW_GROUP),
            schema: schema.clone(),
            event_time: manner.event_time,
            rows_per_file: manner.rows_per_file.clamp(1, rows_per_file(schema)),
            rows_per_group: rows_per_group as u64,
            properties: None,
            file: None,
            closed: None,
            opened: 0,
            files: Vec::new(),
            rows: 0,
            span: None,
        })
    }

    /// Writes the part's next rows.
    pub(super) fn write(&mut self, batch: RecordBatch) -> Result<(), StoreError> {
        self.rows += batch.num_rows() as u64;
        if let Some(times) = batch
            .column(self.event_time)
            .as_primitive_opt::<TimestampMicrosecondType>()
        {
            for time in times.iter().flatten() {
                let (first, last) = self.span.unwrap_or((time, time));
                self.span = Some((first.min(time), last.max(time)));
            }
        }
        self.blocks.push_batch(batch)?;
        self.write_blocks()
    }

    fn write_blocks(&mut self) -> Result<(), StoreError> {
        while let Some(block) = self.blocks.next_completed_batch() {
            if self.properties.is_none() {
                let usual = properties().map_err(parquet_error(&self.folder))?;
                self.properties = Some(chosen(usual, &block, Saving::TwoThirds));
            }
            let mut done = 0;
            while done < block.num_rows() {
                let left = self.room()?;
                let rows = (block.num_rows() - done).min(usize::try_from(left).unwrap_or(usize::MAX));
                self.encode(&block.slice(done, rows))?;
                done += rows;
            }
        }
        Ok(())
    }

    /// How many rows fit into the open row group; begins one where there is none.
    fn room(&mut self) -> Result<u64, StoreError> {
        let (rows_per_file, rows_per_group) = (self.rows_per_file, self.rows_per_group);
        if self.file.is_none() {
            self.file = Some(self.new_file()?);
        }
        let Some(file) = &mut self.file else { return Ok(0) };
        if file.rows_in_group == 0 {
            let writers = file.encoders.create_column_writers(file.row_groups);
            self.columns.begin(writers.map_err(parquet_error(&file.file.path))?);
        }
        Ok((rows_per_file - file.rows).min(rows_per_group - file.rows_in_group))
    }

    fn encode(&mut self, rows: &RecordBatch) -> Result<(), StoreError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        self.columns.update(rows).map_err(column_error(&file.file.path))?;
        file.rows += rows.num_rows() as u64;
        file.rows_in_group += rows.num_rows() as u64;
        if file.rows == self.rows_per_file {
            return self.close_file();
        }
        if file.rows_in_group == self.rows_per_group {
            file.end_group(&mut self.columns)?;
        }
        Ok(())
    }

    /// Ends the part: everything is on disk. A part without rows has one file, with the schema.
    pub(super) fn finish(mut self) -> Result<Written, StoreError> {
        self.blocks.finish_buffered_batch()?;
        self.write_blocks()?;
        if self.opened == 0 {
            self.file = Some(self.new_file()?);
        }
        self.close_file()?;
        // While the last file goes to disk.
        let (fingerprint, statistics) = self.columns.finish();
        self.await_closed()?;
        sync_folder(&self.folder)?;
        Ok(Written {
            rows: self.rows,
            span: self.span,
            fingerprint,
            files: self.files,
            statistics,
        })
    }

    fn new_file(&mut self) -> Result<OpenFile, StoreError> {
        let name = format!("part-{:05}.parquet", self.opened);
        self.opened += 1;
        let path = self.folder.join(&name);
        let properties = match &self.properties {
            Some(properties) => properties.clone(),
            None => properties().map_err(parquet_error(&path))?.build(),
        };
        let (file, encoders) = PartFile::create(path, self.schema.clone(), properties)?;
        Ok(OpenFile {
            file,
            name: format!("{}/{name}", self.name),
            rows: 0,
            rows_in_group: 0,
            row_groups: 0,
            encoders,
        })
    }

    /// Ends the open file. It goes to disk while the next one is written; the one before it is there.
    fn close_file(&mut self) -> Result<(), StoreError> {
        let Some(mut open) = self.file.take() else {
            return Ok(());
        };
        if open.rows_in_group > 0 {
            open.end_group(&mut self.columns)?;
        }
        open.file.end();
        self.await_closed()?;
        self.closed = Some(open);
        Ok(())
    }

    /// Waits until the file that was ended last is on disk.
    fn await_closed(&mut self) -> Result<(), StoreError> {
        let Some(OpenFile { file, name, rows, .. }) = self.closed.take() else {
            return Ok(());
        };
        let OnDisk { bytes, sha256 } = file.finish()?;
        self.files.push(DataFile {
            path: name,
            rows,
            bytes,
            sha256,
        });
        Ok(())
    }
}

impl OpenFile {
    fn end_group(&mut self, columns: &mut Columns) -> Result<(), StoreError> {
        let chunks = columns.end().map_err(column_error(&self.file.path))?;
        self.file.append(chunks)?;
        self.rows_in_group = 0;
        self.row_groups += 1;
        Ok(())
    }
}

/// How many rows of these columns fit into so many bytes: a power of two, at most `most`.
pub(super) fn rows_within(schema: &Schema, bytes: usize, most: usize) -> usize {
    let width = |data_type: &DataType| data_type.primitive_width().unwrap_or(16);
    let row: usize = schema.fields().iter().map(|field| width(field.data_type())).sum();
    let fit = bytes / row.max(1);
    let power = if fit < 2 { 1 } else { 1 << fit.ilog2() };
    power.clamp(1_024, most.max(1_024))
}

fn rows_per_file(schema: &Schema) -> u64 {
    let most = usize::try_from(ROWS_PER_FILE).unwrap_or(usize::MAX);
    rows_within(schema, FILE_BYTES, most) as u64
}

fn properties() -> Result<WriterPropertiesBuilder, ParquetError> {
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_data_page_row_count_limit(ROWS_PER_PAGE))
}

/// Writes the manifest, last of all, and makes the folder durable.
pub(super) fn write_manifest(staging: &Path, manifest: &Manifest) -> Result<Fingerprint, StoreError> {
    let bytes = manifest.to_json()?;
    let path = staging.join(MANIFEST);
    let mut file = File::create_new(&path).map_err(file_error(path.as_path()))?;
    file.write_all(&bytes)
        .and_then(|()| file.sync_all())
        .map_err(file_error(path.as_path()))?;
    sync_folder(staging)?;
    Ok(Fingerprint::of(&bytes))
}

fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(file_error(folder))
}
