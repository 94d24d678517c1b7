//! A pinned group as runs: its sorted files as they are; those of other writers sorted first, into a file that nobody else sees.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;
use definitions::FeatureGroup;
use futures::TryStreamExt;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;

use super::{read_schema, scan_columns};
use crate::StoreError;
use crate::error::file_error;
use crate::ingest::file_properties;
use crate::point_in_time::{GroupColumns, Run};
use crate::storage::{GroupPin, Store, check_files};

/// The rows of a pin as runs, with columns in the types of this schema.
///
/// # Errors
/// As [`crate::scan_group`].
pub(crate) async fn group_runs(
    store: &Store,
    group: &FeatureGroup,
    pin: &GroupPin,
    schema: &SchemaRef,
    columns: &GroupColumns,
) -> Result<Vec<Run>, StoreError> {
    let paths = check_files(store, pin)?;
    let (mut runs, mut unsorted) = (Vec::new(), Vec::new());
    for (file, path) in pin.files.iter().zip(&paths) {
        if file.sorted {
            let run = Run::of_file(path, schema, columns)?;
            check_rows(pin, path, file.rows, run.rows() as u64)?;
            runs.push(run);
        } else {
            unsorted.push(file.clone());
        }
    }
    if !unsorted.is_empty() {
        let part = GroupPin {
            files: unsorted,
            ..pin.clone()
        };
        runs.push(sorted_run(store, group, &part, schema, columns).await?);
    }
    Ok(runs)
}

fn check_rows(pin: &GroupPin, path: &Path, wanted: u64, found: u64) -> Result<(), StoreError> {
    if wanted == found {
        return Ok(());
    }
    Err(StoreError::PinnedFileChanged {
        group: pin.group.clone(),
        version: pin.delta_version,
        path: path.to_owned(),
        unit: "rows",
        found,
        wanted,
    })
}

/// Files in no order, sorted into one file. It is unlinked while it is open, so that it is gone with the work, however that ends.
async fn sorted_run(
    store: &Store,
    group: &FeatureGroup,
    part: &GroupPin,
    schema: &SchemaRef,
    columns: &GroupColumns,
) -> Result<Run, StoreError> {
    let declared = group.declared_columns().into_iter().cloned();
    let wanted: Vec<_> = declared
        .filter(|name| schema.field_with_name(name.as_str()).is_ok())
        .collect();
    let read = read_schema(group, &wanted)?;
    let mut rows = scan_columns(store, group, part, &read, &read, None).await?.batches;
    let folder = store.spill_folder();
    std::fs::create_dir_all(&folder).map_err(file_error(&folder))?;
    let path = folder.join(format!("sorted-{}.parquet", uuid::Uuid::new_v4()));
    let removed = Removed(path.clone());
    let file = File::create_new(&path).map_err(file_error(&path))?;
    let broken = |source: ParquetError| StoreError::Parquet {
        path: path.clone(),
        source,
    };
    let mut writer = ArrowWriter::try_new(file, read.clone(), Some(file_properties())).map_err(broken)?;
    while let Some(batch) = rows.try_next().await? {
        writer.write(&batch).map_err(broken)?;
    }
    writer.close().map_err(broken)?;
    let run = Run::of_file(&path, schema, columns);
    drop(removed);
    run
}

/// A file that is removed when this is.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        // What cannot be removed is left for `gc`.
        let _left = std::fs::remove_file(&self.0);
    }
}
