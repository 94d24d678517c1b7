//! The line of a row in a file that was ingested, where the file still lies there with the same bytes.

use std::path::Path;

use definitions::FeatureGroup;

use super::rows::{open_rows, wanted_columns};
use super::source::{SourceReceipt, find_sources};

/// The line of a row, by its place in the file from 0; `None` where the file is gone, changed, or was standard input.
pub(crate) fn line_of_row(source: &SourceReceipt, group: &FeatureGroup, row: u64, spill: &Path) -> Option<u64> {
    let path = Path::new(&source.path);
    // A pattern or a pipe is never opened: only the very file.
    if source.path == "-" || std::fs::metadata(path).ok()?.len() != source.bytes || !path.is_file() {
        return None;
    }
    let found = find_sources(std::slice::from_ref(&source.path), Some(source.format), spill).ok()?;
    let file = found.first().filter(|file| file.sha256 == source.sha256)?;
    let mut reader = open_rows(file, group, &wanted_columns(group)).ok()?;
    let mut before = 0;
    while let Some(batch) = reader.next_batch().ok()? {
        let within = usize::try_from(row.checked_sub(before)?).ok()?;
        if let Some(line) = batch.lines.get(within) {
            return Some(*line);
        }
        before += batch.lines.len() as u64;
    }
    None
}
