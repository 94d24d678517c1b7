//! Writing a dataset's parts: Parquet files whose bytes depend on the rows only, hashed as they are written, on disk when done.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use definitions::{EventTime, Fingerprint};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use sha2::{Digest, Sha256};

use super::manifest::{DataFile, MANIFEST, Manifest, PartReport};
use super::statistics::{ColumnStatistics, StatisticsCollector};
use crate::StoreError;
use crate::error::file_error;
use crate::fingerprint::ContentHasher;
use crate::split::Part;

/// A part is cut into files of so many rows.
pub const ROWS_PER_FILE: u64 = 1_000_000;

const ROWS_PER_ROW_GROUP: usize = 131_072;
const ZSTD_LEVEL: i32 = 3;

/// Writes one part.
pub(super) struct PartWriter {
    name: &'static str,
    folder: PathBuf,
    schema: SchemaRef,
    event_time: usize,
    rows_per_file: u64,
    file: Option<OpenFile>,
    files: Vec<DataFile>,
    rows: u64,
    span: Option<(i64, i64)>,
    content: ContentHasher,
    statistics: StatisticsCollector,
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

struct OpenFile {
    path: PathBuf,
    name: String,
    rows: u64,
    writer: ArrowWriter<Hashed>,
}

/// A file that knows the hash of what was written to it.
struct Hashed {
    file: BufWriter<File>,
    sha256: Sha256,
    bytes: u64,
}

impl Write for Hashed {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = self.file.write(buf)?;
        self.sha256.update(buf.get(..written).unwrap_or_default());
        self.bytes += written as u64;
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Puts the file onto a Parquet error.
pub(super) fn parquet_error(path: &Path) -> impl FnOnce(ParquetError) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Parquet { path, source }
}

impl PartWriter {
    /// A writer for the part of that name of the dataset that is made in `staging`. `event_time` is the place of the spine's event time.
    pub(super) fn new(
        staging: &Path,
        name: &'static str,
        schema: &SchemaRef,
        event_time: usize,
        rows_per_file: u64,
    ) -> Result<Self, StoreError> {
        let folder = staging.join(name);
        std::fs::create_dir_all(&folder).map_err(file_error(folder.as_path()))?;
        Ok(Self {
            name,
            folder,
            content: ContentHasher::new(schema)?,
            statistics: StatisticsCollector::new(schema),
            schema: schema.clone(),
            event_time,
            rows_per_file,
            file: None,
            files: Vec::new(),
            rows: 0,
            span: None,
        })
    }

    /// Writes the part's next rows.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        self.content.update(batch)?;
        self.statistics.update(batch)?;
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
        let mut done = 0;
        while done < batch.num_rows() {
            let rows_per_file = self.rows_per_file;
            let file = self.open_file()?;
            let rows = (batch.num_rows() - done).min((rows_per_file - file.rows) as usize);
            file.writer
                .write(&batch.slice(done, rows))
                .map_err(parquet_error(&file.path))?;
            file.rows += rows as u64;
            done += rows;
            if file.rows == rows_per_file {
                self.close_file()?;
            }
        }
        Ok(())
    }

    /// Ends the part: everything is on disk. A part without rows has one file, with the schema.
    pub(super) fn finish(mut self) -> Result<Written, StoreError> {
        if self.files.is_empty() {
            self.open_file()?;
        }
        self.close_file()?;
        sync_folder(&self.folder)?;
        Ok(Written {
            rows: self.rows,
            span: self.span,
            fingerprint: self.content.finish(),
            files: self.files,
            statistics: self.statistics.finish(),
        })
    }

    fn open_file(&mut self) -> Result<&mut OpenFile, StoreError> {
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                let name = format!("part-{:05}.parquet", self.files.len());
                let path = self.folder.join(&name);
                let file = BufWriter::new(File::create_new(&path).map_err(file_error(path.as_path()))?);
                let hashed = Hashed {
                    file,
                    sha256: Sha256::new(),
                    bytes: 0,
                };
                let properties = properties().map_err(parquet_error(&path))?;
                let writer = ArrowWriter::try_new(hashed, self.schema.clone(), Some(properties))
                    .map_err(parquet_error(&path))?;
                OpenFile {
                    path,
                    name: format!("{}/{name}", self.name),
                    rows: 0,
                    writer,
                }
            }
        };
        Ok(self.file.insert(file))
    }

    fn close_file(&mut self) -> Result<(), StoreError> {
        let Some(OpenFile {
            path,
            name,
            rows,
            writer,
        }) = self.file.take()
        else {
            return Ok(());
        };
        let Hashed { file, sha256, bytes } = writer.into_inner().map_err(parquet_error(&path))?;
        let file = file
            .into_inner()
            .map_err(|error| file_error(path.as_path())(error.into_error()))?;
        file.sync_all().map_err(file_error(path.as_path()))?;
        self.files.push(DataFile {
            path: name,
            rows,
            bytes,
            sha256: Fingerprint::from_digest(sha256.finalize().into()),
        });
        Ok(())
    }
}

fn properties() -> Result<WriterProperties, ParquetError> {
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_max_row_group_row_count(Some(ROWS_PER_ROW_GROUP))
        .build())
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
