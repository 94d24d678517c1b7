//! What a materialisation has seen of its sources. It stands in the commit that makes its rows visible, so that the next one knows
//! what is new, whatever died in between.

use definitions::GroupRef;
use deltalake::DeltaTable;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::statistics::Statistics;
use serde::{Deserialize, Serialize};

use crate::error::{file_error, parquet_error};
use crate::storage::{INGEST_ID, Store, check_files, read_commits};
use crate::{GroupPin, PinnedFile, StoreError};

/// Under this key a commit's information holds what was seen.
pub(super) const SEEN: &str = "platform.materialization";

/// What was seen of one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenSource {
    /// The group.
    pub group: GroupRef,
    /// The id of its Delta table.
    pub table_id: String,
    /// The Delta version that was read.
    pub delta_version: i64,
    /// The last ingestion that was read; 0: none.
    pub ingest_id: i64,
    /// The newest event time that was read, in microseconds.
    pub newest_event_time: Option<i64>,
}

/// What was seen of all sources, in the order of `from`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// The sources.
    pub sources: Vec<SeenSource>,
}

impl Seen {
    /// What the newest materialisation of a table has seen; `None` where there is none.
    pub async fn last(table: &DeltaTable, group: &GroupRef) -> Result<Option<Self>, StoreError> {
        let commits = read_commits(table, table.version().unwrap_or_default(), &group.to_string()).await?;
        let seen = commits.iter().rev().find_map(|commit| commit.info.get(SEEN));
        Ok(seen.and_then(|seen| serde_json::from_value(seen.clone()).ok()))
    }
}

/// A source's file, with what its rows say at most.
#[derive(Debug, Clone)]
pub(super) struct FileEnds {
    /// The file.
    pub file: PinnedFile,
    /// The last ingestion with rows in it; `None`: its footer does not say.
    pub ingest_id: Option<i64>,
    /// The newest event time in it; `None`: its footer does not say.
    pub event_time: Option<i64>,
}

/// What the footers of a pinned source's files say.
pub(super) fn file_ends(store: &Store, pin: &GroupPin, event_time: Option<&str>) -> Result<Vec<FileEnds>, StoreError> {
    let paths = check_files(store, pin)?;
    let ends = |(file, path): (&PinnedFile, &std::path::PathBuf)| {
        let opened = std::fs::File::open(path).map_err(file_error(path))?;
        let reader = SerializedFileReader::new(opened).map_err(parquet_error(path))?;
        Ok(FileEnds {
            file: file.clone(),
            ingest_id: greatest(&reader, INGEST_ID),
            event_time: event_time.and_then(|name| greatest(&reader, name)),
        })
    };
    pin.files.iter().zip(&paths).map(ends).collect()
}

/// The greatest value of a column of 64-bit integers, from its statistics; `None` where one is missing.
fn greatest(reader: &SerializedFileReader<std::fs::File>, column: &str) -> Option<i64> {
    let metadata = reader.metadata();
    let columns = metadata.file_metadata().schema_descr().columns();
    let at = columns.iter().position(|found| found.path().string() == column)?;
    let of_group = |group: &parquet::file::metadata::RowGroupMetaData| match group.column(at).statistics() {
        Some(Statistics::Int64(statistics)) => statistics.max_opt().copied(),
        _ => None,
    };
    let all: Option<Vec<i64>> = metadata.row_groups().iter().map(of_group).collect();
    all?.into_iter().max()
}
