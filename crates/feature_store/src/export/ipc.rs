//! Arrow IPC, the file format: rows as Arrow holds them in memory, not compressed, so that readers may map the file.

use std::io::Write;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_ipc::writer::FileWriter;

use super::failed;
use crate::StoreError;

/// Writes rows as an Arrow file; `path` is what messages call it. Gives their number.
///
/// # Errors
/// What the rows give; when the stream cannot be written.
pub(crate) fn write(
    writer: impl Write,
    path: &Path,
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, StoreError>>,
) -> Result<u64, StoreError> {
    let mut file = FileWriter::try_new(writer, schema).map_err(|error| failed(path, error))?;
    let mut rows = 0;
    for batch in batches {
        let batch = batch?;
        file.write(&batch).map_err(|error| failed(path, error))?;
        rows += batch.num_rows() as u64;
    }
    file.finish().map_err(|error| failed(path, error))?;
    Ok(rows)
}
