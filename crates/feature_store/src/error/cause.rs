//! Errors of the libraries below, with what was being done.

use std::fmt;
use std::io;
use std::path::PathBuf;

use datafusion::error::DataFusionError;
use parquet::errors::ParquetError;

use super::StoreError;

/// Puts what was tried onto a DataFusion error; an error of ours that travelled through DataFusion comes out as it went in.
pub(crate) fn plan_error(doing: impl fmt::Display) -> impl FnOnce(DataFusionError) -> StoreError {
    move |source| match own_error(source) {
        Ok(own) => own,
        Err(source) => StoreError::Plan {
            doing: doing.to_string(),
            source,
        },
    }
}

/// The error of ours that a DataFusion error carries, or the DataFusion error.
fn own_error(error: DataFusionError) -> Result<StoreError, Box<DataFusionError>> {
    match error {
        DataFusionError::External(inner) => match inner.downcast::<StoreError>() {
            Ok(own) => Ok(*own),
            Err(other) => Err(Box::new(DataFusionError::External(other))),
        },
        DataFusionError::Context(context, inner) => {
            own_error(*inner).map_err(|inner| Box::new(DataFusionError::Context(context, inner)))
        }
        other => Err(Box::new(other)),
    }
}

/// An error of ours on its way through DataFusion; [`plan_error`] takes it out again.
pub(crate) fn external(error: StoreError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// Puts the file onto a Parquet error.
pub(crate) fn parquet_error(path: impl Into<PathBuf>) -> impl FnOnce(ParquetError) -> StoreError {
    move |source| StoreError::Parquet {
        path: path.into(),
        source,
    }
}

/// Puts the table and what was tried onto a delta-rs error.
pub(crate) fn delta_error(
    table: impl fmt::Display,
    doing: &'static str,
) -> impl FnOnce(deltalake::DeltaTableError) -> StoreError {
    move |source| StoreError::Delta {
        table: table.to_string(),
        doing,
        source: Box::new(source),
    }
}

/// Puts the file onto an I/O error.
pub(crate) fn file_error(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> StoreError {
    move |source| StoreError::File {
        path: path.into(),
        source,
    }
}
