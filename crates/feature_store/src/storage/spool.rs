//! Rows that wait on disk: a Parquet file that is made with the first rows, and goes away with what holds it.

use std::fs::File;
use std::path::PathBuf;

use arrow::array::RecordBatch;
use parquet::arrow::ArrowWriter;

use crate::StoreError;
use crate::error::{file_error, parquet_error};
use crate::ingest::file_properties;

/// The file in which rows wait.
pub(crate) struct Spool {
    path: PathBuf,
    writer: Option<ArrowWriter<File>>,
}

impl Spool {
    /// Waiting rows will be in this file, whose folder is made if need be.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, writer: None }
    }

    /// Takes in rows, all of one schema.
    pub(crate) fn write(&mut self, rows: &RecordBatch) -> Result<(), StoreError> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => {
                if let Some(folder) = self.path.parent() {
                    std::fs::create_dir_all(folder).map_err(file_error(folder))?;
                }
                let file = File::create(&self.path).map_err(file_error(&self.path))?;
                let properties = Some(file_properties().build());
                none.insert(ArrowWriter::try_new(file, rows.schema(), properties).map_err(parquet_error(&self.path))?)
            }
        };
        writer.write(rows).map_err(parquet_error(&self.path))
    }

    /// Completes the file; `None` where no row waits.
    pub(crate) fn finish(&mut self) -> Result<Option<PathBuf>, StoreError> {
        let Some(writer) = self.writer.take() else {
            return Ok(None);
        };
        writer.close().map_err(parquet_error(&self.path))?;
        Ok(Some(self.path.clone()))
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // It may never have been made.
        let _gone = std::fs::remove_file(&self.path);
    }
}
