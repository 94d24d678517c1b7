//! What a materialisation has seen of its sources. It stands in the commit that makes its rows visible, so that the next one knows
//! what is new, whatever died in between.

use definitions::GroupRef;
use deltalake::DeltaTable;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::statistics::Statistics;
use serde::{Deserialize, Serialize};

use crate::error::{file_error, parquet_error};
use crate::storage::{Commit, INGEST_ID, Store, check_files, read_commits};
use crate::{GroupPin, PinnedFile, StoreError};

/// Under this key a commit's information holds what was seen.
pub(super) const SEEN: &str = "platform.materialization";
/// Under this one, where only a range of time was computed: it says nothing of what is new.
pub(super) const SEEN_IN_PART: &str = "platform.materialization_of_a_range";
/// Stands beside it where all rows were computed in place of those before.
pub(super) const ANEW: &str = "platform.materialized_anew";

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

/// One materialisation of a table, and what it read.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    /// What was read, in the order of `from`.
    pub sources: Vec<SeenSource>,
}

/// The materialisations whose rows a table at a version may hold: the last one that took the place of all before, and those since.
pub(crate) async fn materializations(table: &DeltaTable, group: &GroupRef) -> Result<Vec<Made>, StoreError> {
    let mut made = Vec::new();
    for commit in read_commits(table, table.version().unwrap_or_default(), &group.to_string()).await? {
        if commit.info.contains_key(ANEW) {
            made.clear();
        }
        let seen = commit.info.get(SEEN).or_else(|| commit.info.get(SEEN_IN_PART));
        let seen = seen.and_then(|seen| serde_json::from_value::<Seen>(seen.clone()).ok());
        made.extend(seen.map(|seen| Made { sources: seen.sources }));
    }
    Ok(made)
}

/// The versions of a group's table, up to the one at which it is loaded, in which rows went away that were there before.
pub(crate) async fn removals(table: &DeltaTable, group: &GroupRef) -> Result<Vec<i64>, StoreError> {
    let commits = read_commits(table, table.version().unwrap_or_default(), &group.to_string()).await?;
    let removes = |commit: &&Commit| commit.operation == "DELETE" || commit.info.contains_key(ANEW);
    Ok(commits
        .iter()
        .filter(removes)
        .map(|commit| commit.version as i64)
        .collect())
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
