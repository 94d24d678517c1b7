//! What the rows of an ingestion hold, kept beside its table.
//!
//! ```text
//!   <table>/_statistics/<ingestion>.json     written before the commit, under the ingestion's own id
//! ```
//!
//! It is a file of its own, because every reader of the log reads all commits, and statistics of a thousand columns are long. A file whose
//! ingestion was never committed says nothing to anybody; an ingestion of before has none.

use std::path::{Path, PathBuf};

use definitions::GroupRef;
use serde::{Deserialize, Serialize};

use super::receipt::IngestReceipt;
use crate::StoreError;
use crate::dataset::ColumnStatistics;
use crate::error::file_error;
use crate::storage::Store;

/// In the table's folder; no program takes a folder of such a name for data.
const FOLDER: &str = "_statistics";
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    columns: Vec<ColumnStatistics>,
}

fn path(table: &Path, ingestion: &str) -> PathBuf {
    table.join(FOLDER).join(format!("{ingestion}.json"))
}

fn json(path: &Path) -> impl FnOnce(serde_json::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Json { path, source }
}

/// Keeps the statistics of an ingestion that is about to be committed.
pub(super) fn keep(table: &Path, ingestion: &str, columns: Vec<ColumnStatistics>) -> Result<(), StoreError> {
    let path = path(table, ingestion);
    let bytes = serde_json::to_vec(&Kept {
        format: FORMAT,
        columns,
    });
    let folder = table.join(FOLDER);
    std::fs::create_dir_all(&folder).map_err(file_error(&folder))?;
    std::fs::write(&path, bytes.map_err(json(&path))?).map_err(file_error(&path))?;
    std::fs::File::open(&path)
        .and_then(|file| file.sync_all())
        .map_err(file_error(&path))
}

/// Forgets the statistics of an ingestion that was not committed, or whose rows are forgotten.
pub(crate) fn forget(table: &Path, ingestion: &str) {
    // What cannot be removed says nothing to anybody.
    let _left = std::fs::remove_file(path(table, ingestion));
}

/// The files of ingestions that are not among these, as paths within the table's folder.
pub(crate) fn statistics_of_others(table: &Path, ingestions: &[IngestReceipt]) -> Vec<String> {
    // Without the folder there are none.
    let files = std::fs::read_dir(table.join(FOLDER)).into_iter().flatten().flatten();
    let names = files.filter_map(|file| file.file_name().into_string().ok());
    let is_known = |name: &String| {
        let id = name.strip_suffix(".json");
        ingestions.iter().any(|receipt| Some(receipt.ingestion.as_str()) == id)
    };
    names
        .filter(|name| !is_known(name))
        .map(|name| format!("{FOLDER}/{name}"))
        .collect()
}

/// What the rows of an ingestion hold, in the order of the group's columns; `None` where it was not kept, because a version of before made
/// the ingestion.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn ingestion_statistics(
    store: &Store,
    group: &GroupRef,
    receipt: &IngestReceipt,
) -> Result<Option<Vec<ColumnStatistics>>, StoreError> {
    let path = path(&store.group_folder(group), &receipt.ingestion);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file_error(&path)(error)),
    };
    let kept: Kept = serde_json::from_slice(&bytes).map_err(json(&path))?;
    if kept.format != FORMAT {
        return Err(StoreError::ManifestFormat {
            path,
            found: kept.format,
            wanted: FORMAT,
        });
    }
    Ok(Some(kept.columns))
}
