//! A dataset for other programs: one file per part, in their format.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::Schema;
use definitions::DataType;
use serde::Serialize;

use super::manifest::{Manifest, load_manifest};
use super::read::open_selection;
use super::selection::Selection;
use crate::StoreError;
use crate::error::file_error;
use crate::export::{ipc, npy, tfrecord, whole_file, write_csv, write_file};
use crate::ingest::FileFormat;
use crate::split::Part;

/// The format of an exported dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// Apache Parquet.
    Parquet,
    /// Comma separated values with a header.
    Csv,
    /// One JSON object a line.
    Jsonl,
    /// Apache Arrow's file format.
    Arrow,
    /// TensorFlow's records, each a `tf.train.Example`.
    Tfrecord,
    /// NumPy's structured array.
    Npy,
}

impl ExportFormat {
    /// Every format.
    pub const ALL: [Self; 6] = [
        Self::Parquet,
        Self::Csv,
        Self::Jsonl,
        Self::Arrow,
        Self::Tfrecord,
        Self::Npy,
    ];

    /// The word for it, and the ending of its files.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Arrow => "arrow",
            Self::Tfrecord => "tfrecord",
            Self::Npy => "npy",
        }
    }
}

impl std::str::FromStr for ExportFormat {
    type Err = definitions::ReferenceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|format| format.word() == text)
            .ok_or_else(|| definitions::ReferenceError {
                found: text.to_owned(),
                wanted: "a format: `parquet`, `csv`, `jsonl`, `arrow`, `tfrecord` or `npy`",
            })
    }
}

/// A part that was written for other programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExportedPart {
    /// The part.
    pub part: Part,
    /// The file.
    pub path: PathBuf,
    /// Its rows.
    pub rows: u64,
}

/// What is written for other programs.
#[derive(Debug, Clone)]
pub struct ExportRequest<'a> {
    /// The dataset's folder.
    pub folder: &'a Path,
    /// Where files go; made if need be.
    pub to: &'a Path,
    /// In which format.
    pub format: ExportFormat,
    /// Which parts; none: all of them.
    pub parts: &'a [Part],
    /// Which rows and columns of them.
    pub selection: Selection,
    /// What stands for NULL in CSV.
    pub null: &'a str,
}

/// Writes each part of a dataset to one file: `train.csv`, `test.csv`, … A file appears when it is whole.
///
/// # Errors
/// `FileThere` when there is a file of that name already (then nothing is written); `NoPart` for a part that the dataset does not have;
/// `UnknownColumn`; when the dataset cannot be read, or a file not be written.
pub fn export(request: &ExportRequest<'_>) -> Result<Vec<ExportedPart>, StoreError> {
    let ExportRequest {
        folder,
        to,
        format,
        selection,
        ..
    } = request;
    let manifest = load_manifest(folder)?;
    for column in selection.columns.iter().flatten() {
        if manifest.columns.iter().all(|there| there.name != *column) {
            return Err(StoreError::UnknownColumn {
                group: manifest.view.to_string(),
                column: column.clone(),
            });
        }
    }
    std::fs::create_dir_all(to).map_err(file_error(to))?;
    let place = |part: Part| (part, to.join(format!("{part}.{}", format.word())));
    let all: Vec<Part> = manifest.parts.iter().map(|report| report.part).collect();
    let parts = if request.parts.is_empty() { &all } else { request.parts };
    let places: Vec<(Part, PathBuf)> = parts.iter().map(|part| place(*part)).collect();
    if let Some((_, path)) = places.iter().find(|(_, path)| path.exists()) {
        return Err(StoreError::FileThere { path: path.clone() });
    }
    // A part that is not there is told before anything is written.
    let readers = places
        .iter()
        .map(|(part, _)| open_selection(folder, *part, selection))
        .collect::<Result<Vec<_>, _>>()?;
    let mut exported = Vec::new();
    for ((part, path), reader) in places.into_iter().zip(readers) {
        let schema = reader.schema().clone();
        let rows = match format {
            ExportFormat::Parquet => write_file(&path, FileFormat::Parquet, &schema, reader)?,
            ExportFormat::Csv => write_csv(&path, &schema, request.null, reader)?,
            ExportFormat::Jsonl => write_file(&path, FileFormat::Jsonl, &schema, reader)?,
            ExportFormat::Arrow => whole_file(&path, |writer| ipc::write(writer, &path, &schema, reader))?,
            ExportFormat::Tfrecord => whole_file(&path, |writer| tfrecord::write(writer, &path, &schema, reader))?,
            ExportFormat::Npy => {
                let layout = array_layout(request, &manifest, parts)?;
                let rows = row_count(request, &manifest, part)?;
                whole_file(&path, |writer| npy::write(writer, &path, &layout, rows, reader))?
            }
        };
        exported.push(ExportedPart { part, path, rows });
    }
    Ok(exported)
}

/// How many rows of a part are written: an array says so before its rows.
fn row_count(request: &ExportRequest<'_>, manifest: &Manifest, part: Part) -> Result<u64, StoreError> {
    let Some(condition) = &request.selection.condition else {
        return Ok(manifest.part(part).map_or(0, |report| report.rows));
    };
    let selection = Selection {
        columns: Some(condition.columns()),
        condition: Some(condition.clone()),
    };
    let mut rows = 0;
    for batch in open_selection(request.folder, part, &selection)? {
        rows += batch?.num_rows() as u64;
    }
    Ok(rows)
}

/// One layout for all parts: the widest text of any, and flags where any has a NULL.
fn array_layout(request: &ExportRequest<'_>, manifest: &Manifest, parts: &[Part]) -> Result<npy::Layout, StoreError> {
    let mut widths = npy::Widths::default();
    let columns = manifest
        .columns
        .iter()
        .filter(|column| request.selection.holds(&column.name));
    let texts = columns.filter(|column| column.data_type == DataType::Utf8);
    let selection = Selection {
        columns: Some(texts.map(|column| column.name.clone()).collect()),
        condition: request.selection.condition.clone(),
    };
    let has_texts = selection.columns.as_ref().is_some_and(|texts| !texts.is_empty());
    for part in parts.iter().filter(|_| has_texts) {
        for batch in open_selection(request.folder, *part, &selection)? {
            widths.add(request.folder, &batch?)?;
        }
    }
    let statistics = manifest.parts.iter().flat_map(|report| &report.statistics);
    let with_nulls: BTreeSet<&str> = statistics
        .filter(|column| column.nulls > 0)
        .map(|column| column.column.as_str())
        .collect();
    let schema = manifest.schema();
    let fields = schema
        .fields()
        .iter()
        .filter(|field| request.selection.holds(field.name()));
    let schema = Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()));
    npy::Layout::new(&schema, &widths, &with_nulls)
}
