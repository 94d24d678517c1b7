//! A dataset for other programs: one file per part, in their format.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use definitions::DataType;
use serde::Serialize;

use super::manifest::{Manifest, load_manifest};
use super::read::open_part;
use crate::StoreError;
use crate::error::file_error;
use crate::export::{ipc, npy, tfrecord, whole_file, write_file};
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

/// Writes each part of the dataset in a folder to one file under `to`, which is made if need be: `train.csv`, `test.csv`, … A file
/// appears when it is whole.
///
/// # Errors
/// `FileThere` when there is a file of that name already (then nothing is written); when the dataset cannot be read, or a file not be
/// written.
pub fn export(folder: &Path, to: &Path, format: ExportFormat) -> Result<Vec<ExportedPart>, StoreError> {
    std::fs::create_dir_all(to).map_err(file_error(to))?;
    let manifest = load_manifest(folder)?;
    let place = |part: Part| (part, to.join(format!("{part}.{}", format.word())));
    let places: Vec<(Part, PathBuf)> = manifest.parts.iter().map(|report| place(report.part)).collect();
    if let Some((_, path)) = places.iter().find(|(_, path)| path.exists()) {
        return Err(StoreError::FileThere { path: path.clone() });
    }
    let mut exported = Vec::new();
    for (part, path) in places {
        let reader = open_part(folder, part, None)?;
        let schema = reader.schema().clone();
        let rows = match format {
            ExportFormat::Parquet => write_file(&path, FileFormat::Parquet, &schema, reader)?,
            ExportFormat::Csv => write_file(&path, FileFormat::Csv, &schema, reader)?,
            ExportFormat::Jsonl => write_file(&path, FileFormat::Jsonl, &schema, reader)?,
            ExportFormat::Arrow => whole_file(&path, |writer| ipc::write(writer, &path, &schema, reader))?,
            ExportFormat::Tfrecord => whole_file(&path, |writer| tfrecord::write(writer, &path, &schema, reader))?,
            ExportFormat::Npy => {
                let layout = array_layout(folder, &manifest)?;
                let rows = manifest.part(part).map_or(0, |report| report.rows);
                whole_file(&path, |writer| npy::write(writer, &path, &layout, rows, reader))?
            }
        };
        exported.push(ExportedPart { part, path, rows });
    }
    Ok(exported)
}

/// One layout for all parts: the widest text of any, and flags where any has a NULL.
fn array_layout(folder: &Path, manifest: &Manifest) -> Result<npy::Layout, StoreError> {
    let mut widths = npy::Widths::default();
    let texts = manifest
        .columns
        .iter()
        .filter(|column| column.data_type == DataType::Utf8);
    let texts: Vec<String> = texts.map(|column| column.name.clone()).collect();
    for report in manifest.parts.iter().filter(|_| !texts.is_empty()) {
        for batch in open_part(folder, report.part, Some(&texts))? {
            widths.add(folder, &batch?)?;
        }
    }
    let statistics = manifest.parts.iter().flat_map(|report| &report.statistics);
    let with_nulls: BTreeSet<&str> = statistics
        .filter(|column| column.nulls > 0)
        .map(|column| column.column.as_str())
        .collect();
    npy::Layout::new(&manifest.schema(), &widths, &with_nulls)
}
