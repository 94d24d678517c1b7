//! A dataset for other programs: one file per part, in their format.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::manifest::load_manifest;
use super::read::open_part;
use crate::StoreError;
use crate::error::file_error;
use crate::export::write_file;
use crate::ingest::FileFormat;
use crate::split::Part;

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
pub fn export(folder: &Path, to: &Path, format: FileFormat) -> Result<Vec<ExportedPart>, StoreError> {
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
        let rows = write_file(&path, format, &schema, reader)?;
        exported.push(ExportedPart { part, path, rows });
    }
    Ok(exported)
}
