//! Rows for other programs: Parquet, CSV or JSON lines, to a file that appears when it is whole, or to a stream. Parts of datasets go
//! into more formats: `ipc`, `tfrecord`, `npy`.
//!
//! Times are written as RFC 3339 in UTC (`2026-01-31T12:00:00Z`), numbers with as many digits as it takes to read the same number
//! again, NULL as nothing in CSV and as `null` in JSON. An empty text is nothing in CSV, too; where that matters another text can stand for
//! NULL.

pub(crate) mod ipc;
pub(crate) mod npy;
pub(crate) mod tfrecord;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::csv::WriterBuilder as CsvBuilder;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::json::writer::{LineDelimited, WriterBuilder as JsonBuilder};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::StoreError;
use crate::error::file_error;
use crate::ingest::FileFormat;

const TIME: &str = "%Y-%m-%dT%H:%M:%S%.fZ";

/// Writes rows to a file. The file appears under its name when it is whole.
///
/// # Errors
/// What the rows give; when the file cannot be written.
pub fn write_file<E: From<StoreError>>(
    path: &Path,
    format: FileFormat,
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, E>>,
) -> Result<u64, E> {
    whole_file(path, |writer| write_rows(writer, path, format, schema, batches))
}

/// Writes rows to a CSV file, with a text that stands for NULL. The file appears under its name when it is whole.
///
/// # Errors
/// As [`write_file`].
pub(crate) fn write_csv<E: From<StoreError>>(
    path: &Path,
    schema: &SchemaRef,
    null: &str,
    batches: impl Iterator<Item = Result<RecordBatch, E>>,
) -> Result<u64, E> {
    whole_file(path, |writer| {
        let sink = Sink::csv(writer, schema, null).map_err(|error| E::from(failed(path, error)))?;
        write_to(sink, path, batches)
    })
}

/// Writes a file that appears under its name when it is whole.
pub(crate) fn whole_file<E: From<StoreError>>(
    path: &Path,
    write: impl FnOnce(BufWriter<File>) -> Result<u64, E>,
) -> Result<u64, E> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let half = path.with_file_name(format!(".{name}.{}.half", std::process::id()));
    let written = File::create(&half)
        .map_err(file_error(path))
        .map_err(E::from)
        .and_then(|file| write(BufWriter::new(file)));
    let done = written.and_then(|rows| {
        let moved = File::open(&half)
            .and_then(|file| file.sync_all())
            .and_then(|()| std::fs::rename(&half, path));
        moved.map(|()| rows).map_err(file_error(path)).map_err(E::from)
    });
    if done.is_err() {
        // The half file is of no use to anybody; that it stays is no news beside the failure.
        drop(std::fs::remove_file(&half));
    }
    done
}

/// Writes rows to a stream; `path` is what messages call it. Gives their number.
///
/// # Errors
/// What the rows give; when the stream cannot be written.
pub fn write_rows<E: From<StoreError>>(
    writer: impl Write + Send,
    path: &Path,
    format: FileFormat,
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, E>>,
) -> Result<u64, E> {
    let sink = Sink::open(writer, format, schema).map_err(|error| E::from(failed(path, error)))?;
    write_to(sink, path, batches)
}

fn write_to<W: Write + Send, E: From<StoreError>>(
    mut sink: Sink<W>,
    path: &Path,
    batches: impl Iterator<Item = Result<RecordBatch, E>>,
) -> Result<u64, E> {
    let mut rows = 0;
    for batch in batches {
        let batch = batch?;
        sink.write(&batch).map_err(|error| E::from(failed(path, error)))?;
        rows += batch.num_rows() as u64;
    }
    sink.close().map_err(|error| E::from(failed(path, error)))?;
    Ok(rows)
}

enum Sink<W: Write + Send> {
    Csv(Box<arrow::csv::Writer<W>>),
    Jsonl(Box<arrow::json::Writer<W, LineDelimited>>),
    Parquet(Box<ArrowWriter<W>>),
}

impl<W: Write + Send> Sink<W> {
    fn open(writer: W, format: FileFormat, schema: &SchemaRef) -> Result<Self, ArrowError> {
        Ok(match format {
            FileFormat::Csv => Self::csv(writer, schema, "")?,
            FileFormat::Jsonl => {
                let builder = JsonBuilder::new()
                    .with_explicit_nulls(true)
                    .with_timestamp_tz_format(TIME.to_owned());
                Self::Jsonl(Box::new(builder.build(writer)))
            }
            FileFormat::Parquet => {
                let level = ZstdLevel::try_new(3)?;
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(level))
                    .build();
                Self::Parquet(Box::new(ArrowWriter::try_new(
                    writer,
                    schema.clone(),
                    Some(properties),
                )?))
            }
        })
    }

    fn csv(writer: W, schema: &SchemaRef, null: &str) -> Result<Self, ArrowError> {
        let builder = CsvBuilder::new()
            .with_header(true)
            .with_null(null.to_owned())
            .with_timestamp_tz_format(TIME.to_owned());
        let mut writer = builder.build(writer);
        // The header is there even when no row is.
        writer.write(&RecordBatch::new_empty(schema.clone()))?;
        Ok(Self::Csv(Box::new(writer)))
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        match self {
            Self::Csv(writer) => writer.write(batch),
            Self::Jsonl(writer) => writer.write(batch),
            Self::Parquet(writer) => Ok(writer.write(batch)?),
        }
    }

    fn close(self) -> Result<(), ArrowError> {
        match self {
            Self::Csv(writer) => Ok(writer.into_inner().flush()?),
            Self::Jsonl(mut writer) => {
                writer.finish()?;
                Ok(writer.into_inner().flush()?)
            }
            Self::Parquet(writer) => Ok(writer.into_inner()?.flush()?),
        }
    }
}

pub(crate) fn failed(path: &Path, error: ArrowError) -> StoreError {
    let source = match error {
        ArrowError::IoError(_, source) => source,
        ArrowError::ParquetError(text) => std::io::Error::other(ParquetError::General(text)),
        other => std::io::Error::other(other),
    };
    file_error(path)(source)
}
