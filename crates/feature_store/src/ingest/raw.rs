//! A row as a JSON object, for the quarantine.

use arrow::array::RecordBatch;
use arrow::json::writer::{LineDelimited, WriterBuilder};

use crate::StoreError;

/// One row of a batch as a JSON object, NULLs included.
pub(crate) fn json_object(batch: &RecordBatch, row: usize) -> Result<String, StoreError> {
    let mut text = Vec::new();
    let builder = WriterBuilder::new()
        .with_explicit_nulls(true)
        .with_timestamp_tz_format("%Y-%m-%dT%H:%M:%S%.fZ".to_owned());
    let mut writer = builder.build::<_, LineDelimited>(&mut text);
    writer.write(&batch.slice(row, 1))?;
    writer.finish()?;
    drop(writer);
    Ok(String::from_utf8_lossy(text.trim_ascii()).into_owned())
}
