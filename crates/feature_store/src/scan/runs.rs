//! A pinned group as runs: each of its sorted files by itself; those of other writers together, sorted as they are read.

use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::datasource::physical_plan::FileGroup;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use definitions::FeatureGroup;

use super::{SourceFile, lex_ordering, parquet_source};
use crate::StoreError;
use crate::error::plan_error;
use crate::point_in_time::RunExec;
use crate::storage::{GroupPin, Store, check_files, rows_in_footer};

/// Plans that read a pin as runs, with columns in the types of this schema; at least one.
///
/// # Errors
/// `PinnedFileMissing` or `PinnedFileChanged` when the files are not what was pinned.
pub(crate) fn group_runs(
    store: &Store,
    group: &FeatureGroup,
    pin: &GroupPin,
    schema: &SchemaRef,
) -> Result<Vec<Arc<dyn ExecutionPlan>>, StoreError> {
    let doing = format!("`{}` could not be read", pin.group);
    let order = lex_ordering(group, schema).map_err(plan_error(&doing))?;
    let paths = check_files(store, pin)?;
    let (mut runs, mut unsorted): (Vec<Arc<dyn ExecutionPlan>>, Vec<_>) = (Vec::new(), Vec::new());
    for (file, path) in pin.files.iter().zip(&paths) {
        check_rows(pin, path, file.rows)?;
        let source = SourceFile::new(file, path)?.file;
        if file.sorted {
            let input = parquet_source(schema, vec![FileGroup::new(vec![source])], Some(order.clone()), None);
            runs.push(Arc::new(RunExec::new(path.clone(), input)));
        } else {
            unsorted.push(source);
        }
    }
    if !unsorted.is_empty() {
        let input = parquet_source(schema, vec![FileGroup::new(unsorted)], None, None);
        runs.push(Arc::new(SortExec::new(order, input)));
    }
    if runs.is_empty() {
        runs.push(Arc::new(EmptyExec::new(schema.clone())));
    }
    Ok(runs)
}

/// A plan that reads one file, in no declared order.
#[cfg(test)]
pub(crate) fn parquet_run(path: &Path, schema: &SchemaRef) -> Result<Arc<dyn ExecutionPlan>, StoreError> {
    let file = crate::PinnedFile {
        path: String::new(),
        bytes: std::fs::metadata(path).map_err(crate::error::file_error(path))?.len(),
        rows: 0,
        sorted: true,
    };
    let source = SourceFile::new(&file, path)?.file;
    Ok(parquet_source(schema, vec![FileGroup::new(vec![source])], None, None))
}

fn check_rows(pin: &GroupPin, path: &Path, wanted: u64) -> Result<(), StoreError> {
    let found = rows_in_footer(path)?;
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
