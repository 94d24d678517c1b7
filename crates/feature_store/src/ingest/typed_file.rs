//! A file read by column types, without a group: rows to predict, and a look at a file that has no definition yet.

use std::collections::BTreeSet;
use std::io::{BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema};
use definitions::{ColumnName, DataType, EntityColumn, Feature, FeatureGroup, IngestMode, OnViolation, Version};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::column::Wanted;
use super::format::FileFormat;
use super::rows::open_rows;
use super::source::{Source, find_sources};
use super::violation::{Location, Tally, Violation};
use crate::StoreError;
use crate::error::file_error;
use crate::storage::arrow_type;

/// The bytes of a text file from which its types are guessed.
const SAMPLE_BYTES: u64 = 8 << 20;

/// Reads those of the columns that the file has, each as its type, by the rules of ingestion. Rows and columns keep their order.
///
/// # Errors
/// Values that are not of their column's type, with the first lines; a file that cannot be read.
pub fn read_typed_file(path: &str, columns: &[(ColumnName, DataType)]) -> Result<Vec<RecordBatch>, StoreError> {
    let spool = tempfile_folder();
    let sources = find_sources(&[path.to_owned()], None, &spool)?;
    let group = untyped_group(columns)?;
    let mut batches = Vec::new();
    let mut refused = Tally::default();
    let mut rows = 0;
    for (file, source) in sources.iter().enumerate() {
        let there = header(source, &group)?;
        let wanted: Vec<Wanted> = columns
            .iter()
            .filter(|(name, _)| there.contains(name.as_str()))
            .map(|(name, data_type)| Wanted {
                name: name.clone(),
                data_type: *data_type,
                file_column: name.to_string(),
            })
            .collect();
        let fields = wanted
            .iter()
            .map(|column| Field::new(column.name.as_str(), arrow_type(column.data_type), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let mut reader = open_rows(source, &group, &wanted)?;
        while let Some(batch) = reader.next_batch()? {
            let mut rows_at_fault = BTreeSet::new();
            for fault in &batch.faults {
                // One violation a row, its first.
                if !rows_at_fault.insert(fault.row) {
                    continue;
                }
                let line = batch.lines.get(fault.row).copied().unwrap_or_default();
                let column = fault
                    .column
                    .and_then(|at| wanted.get(at))
                    .map(|column| column.name.clone());
                let location = Location {
                    file: source.name.clone(),
                    line,
                };
                let (value, detail) = (fault.value.clone(), fault.detail.clone());
                refused.add(
                    file,
                    Violation {
                        location,
                        column,
                        value,
                        reason: fault.reason,
                        detail,
                    },
                );
            }
            rows += batch.lines.len() as u64;
            let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.lines.len()));
            batches.push(RecordBatch::try_new_with_options(
                schema.clone(),
                batch.columns,
                &options,
            )?);
        }
        if batches.is_empty() {
            batches.push(RecordBatch::new_empty(schema));
        }
    }
    if refused.rows() > 0 {
        return Err(StoreError::WrongRows {
            path: path.to_owned(),
            wrong: refused.finish(group.reference(), rows),
        });
    }
    Ok(batches)
}

/// The first rows of a file, typed as they look.
///
/// # Errors
/// A file that cannot be read, or holds no rows.
pub fn sample_file(path: &Path, rows: usize) -> Result<RecordBatch, StoreError> {
    let sources = find_sources(&[path.display().to_string()], None, &tempfile_folder())?;
    let source = sources.first().ok_or_else(|| StoreError::NoFile {
        pattern: path.display().to_string(),
    })?;
    let mut batches: Box<dyn Iterator<Item = Result<RecordBatch, arrow::error::ArrowError>>> = match source.format {
        FileFormat::Parquet => {
            let builder = ParquetRecordBatchReaderBuilder::try_new(source.open_file()?).map_err(arrow_error)?;
            Box::new(builder.with_batch_size(rows).build().map_err(arrow_error)?)
        }
        FileFormat::Csv => {
            let head = head(source)?;
            let delimiter = delimiter(&head);
            let format = arrow::csv::reader::Format::default()
                .with_header(true)
                .with_delimiter(delimiter);
            let (schema, _) = format.infer_schema(Cursor::new(&head), Some(rows))?;
            let schema = times_as_text(&schema);
            let builder = arrow::csv::ReaderBuilder::new(Arc::new(schema))
                .with_format(format)
                .with_batch_size(rows);
            Box::new(builder.build(Cursor::new(head))?)
        }
        FileFormat::Jsonl => {
            let head = head(source)?;
            let (schema, _) = arrow::json::reader::infer_json_schema(Cursor::new(&head), Some(rows))?;
            let builder = arrow::json::ReaderBuilder::new(Arc::new(schema)).with_batch_size(rows);
            Box::new(builder.build(Cursor::new(head))?)
        }
    };
    let first = batches.next().transpose()?;
    first.ok_or_else(|| StoreError::NoFile {
        pattern: format!("{} (it has no rows)", path.display()),
    })
}

/// Times stay as they are written, so that it can be seen whether they have a zone.
fn times_as_text(schema: &Schema) -> Schema {
    let plain = |field: &Arc<Field>| match field.data_type() {
        arrow::datatypes::DataType::Timestamp(_, _) => {
            field.as_ref().clone().with_data_type(arrow::datatypes::DataType::Utf8)
        }
        _ => field.as_ref().clone(),
    };
    Schema::new(schema.fields().iter().map(plain).collect::<Vec<_>>())
}

fn arrow_error(error: parquet::errors::ParquetError) -> StoreError {
    StoreError::Arrow(error.into())
}

/// The first bytes of a text file, up to the end of a line.
fn head(source: &Source) -> Result<Vec<u8>, StoreError> {
    let mut head = Vec::new();
    let reader = source.open(Arc::new(AtomicU64::new(0)))?;
    BufReader::new(reader)
        .take(SAMPLE_BYTES)
        .read_to_end(&mut head)
        .map_err(file_error(&source.name))?;
    if head.len() as u64 == SAMPLE_BYTES
        && let Some(end) = head.iter().rposition(|byte| *byte == b'\n')
    {
        head.truncate(end + 1);
    }
    if head.starts_with(&[0xef, 0xbb, 0xbf]) {
        head.drain(..3);
    }
    Ok(head)
}

/// The separator that the header holds most of.
fn delimiter(head: &[u8]) -> u8 {
    let header = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |separator: &u8| header.iter().filter(|byte| *byte == separator).count();
    [b',', b';', b'\t', b'|']
        .into_iter()
        .max_by_key(|separator| (count(separator), *separator == b','))
        .unwrap_or(b',')
}

fn tempfile_folder() -> std::path::PathBuf {
    std::env::temp_dir()
}

/// The names of the columns that a file has.
fn header(source: &Source, group: &FeatureGroup) -> Result<BTreeSet<String>, StoreError> {
    let mut reader = open_rows(source, group, &[])?;
    if source.format == FileFormat::Jsonl {
        // Each line has names of its own.
        while reader.next_batch()?.is_some() {}
    }
    Ok(reader.ignored())
}

/// A group of nothing but column types, for the readers.
fn untyped_group(columns: &[(ColumnName, DataType)]) -> Result<FeatureGroup, StoreError> {
    let name = "rows"
        .parse()
        .map_err(|error: definitions::ReferenceError| StoreError::Query {
            message: error.to_string(),
            hint: None,
        })?;
    let Some(version) = Version::new(1) else {
        return Err(StoreError::Query {
            message: "no version".to_owned(),
            hint: None,
        });
    };
    let feature = |(name, data_type): &(ColumnName, DataType)| Feature {
        name: name.clone(),
        data_type: Some(*data_type),
        unit: None,
        description: None,
        categorical: false,
        expect: Vec::new(),
        on_violation: None,
        lookback: None,
        horizon: None,
        derivation: None,
    };
    Ok(FeatureGroup {
        name,
        version,
        description: None,
        owner: None,
        tags: Vec::new(),
        entity: Vec::<EntityColumn>::new(),
        event_time: None,
        known_at: None,
        time_zone: None,
        ambiguous: None,
        truncate: false,
        is_static: true,
        history: None,
        mode: IngestMode::Append,
        on_violation: OnViolation::Refuse,
        columns: std::collections::BTreeMap::new(),
        null_values: Vec::new(),
        expect: Vec::new(),
        features: columns.iter().map(feature).collect(),
        derive: None,
    })
}
