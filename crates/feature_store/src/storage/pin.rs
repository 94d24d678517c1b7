//! A pin: one version of a group, down to its files. What is pinned can be read again for as long as its files are there, whatever
//! becomes of the table's log; and it is noticed when they are not what they were.

use std::path::{Path, PathBuf};

use definitions::{FeatureGroup, GroupRef, WallTime};
use deltalake::DeltaTable;
use deltalake::kernel::LogicalFileView;
use serde::{Deserialize, Serialize};

use super::log::{commit_time, read_commits};
use super::{SORTED_TAG, Store, open_group, wanted_retention};
use crate::StoreError;
use crate::error::{delta_error, file_error, parquet_error};

/// Which version of a group is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinAt {
    /// The newest.
    Newest,
    /// This Delta version.
    Version(i64),
    /// The version that was the newest at this time.
    Time(WallTime),
}

/// A data file of a pinned version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PinnedFile {
    /// Its path within the table's folder.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Its rows.
    pub rows: u64,
    /// Whether its rows are in total order. Files of other writers may not be, and are sorted when they are read.
    pub sorted: bool,
}

/// A version of a group, down to its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupPin {
    /// The group.
    pub group: GroupRef,
    /// The id of its Delta table.
    pub table_id: String,
    /// The Delta version.
    pub delta_version: i64,
    /// When that version was committed.
    pub committed_at: WallTime,
    /// Its files, sorted by path.
    pub files: Vec<PinnedFile>,
}

impl GroupPin {
    /// The rows of all files.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }
}

/// Pins a version of a group, after checking that the table still keeps what is pinned.
///
/// # Errors
/// `NoTable` when the group has not been applied; `NoVersion` or `BeforeCreation` when there is no such version; `Retention` when
/// the table lost the properties that keep old versions.
pub async fn pin_group(store: &Store, group: &FeatureGroup, at: PinAt) -> Result<GroupPin, StoreError> {
    let reference = group.reference();
    let newest = open_group(store, &reference, None).await?;
    wanted_retention(&newest, &reference)?;
    let newest_version = version_of(&newest, &reference)?;
    let wanted = match at {
        PinAt::Newest => newest_version,
        PinAt::Version(version) => u64::try_from(version)
            .ok()
            .filter(|version| *version <= newest_version)
            .ok_or_else(|| StoreError::NoVersion {
                group: reference.clone(),
                wanted: version,
                newest: newest_version as i64,
            })?,
        PinAt::Time(time) => version_at(&newest, &reference, newest_version, time).await?,
    };
    let table = if wanted == newest_version {
        newest
    } else {
        open_group(store, &reference, Some(wanted)).await?
    };
    let found = version_of(&table, &reference)?;
    if found != wanted {
        return Err(StoreError::NoVersion {
            group: reference,
            wanted: wanted as i64,
            newest: found as i64,
        });
    }
    pin_table(store, &reference, &table, wanted).await
}

/// The version of a loaded table.
fn version_of(table: &DeltaTable, group: &GroupRef) -> Result<u64, StoreError> {
    table
        .version()
        .ok_or_else(|| StoreError::NoTable { group: group.clone() })
}

async fn version_at(table: &DeltaTable, group: &GroupRef, newest: u64, time: WallTime) -> Result<u64, StoreError> {
    let commits = read_commits(table, newest, &group.to_string()).await?;
    match commits.iter().rev().find(|commit| commit.at <= time.0) {
        Some(commit) => Ok(commit.version),
        None => {
            let created = WallTime(commits.first().map_or(0, |commit| commit.at));
            Err(StoreError::BeforeCreation {
                group: group.clone(),
                wanted: time,
                created,
            })
        }
    }
}

/// Pins the version at which a table is loaded.
async fn pin_table(store: &Store, group: &GroupRef, table: &DeltaTable, version: u64) -> Result<GroupPin, StoreError> {
    let state = table.snapshot().map_err(delta_error(group, "read"))?;
    if let Some(column) = state.metadata().partition_columns().first() {
        return Err(StoreError::TableShape {
            group: group.clone(),
            found: format!("partitions by `{column}`"),
            wanted: "no partitions".to_owned(),
        });
    }
    let folder = store.group_folder(group);
    let mut files = Vec::new();
    for view in state.log_data().iter() {
        files.push(pinned_file(group, &folder, &view)?);
    }
    files.sort();
    let committed_at = WallTime(
        commit_time(table, version, &group.to_string())
            .await?
            .unwrap_or_default(),
    );
    let table_id = state.metadata().id().to_owned();
    Ok(GroupPin {
        group: group.clone(),
        table_id,
        delta_version: version as i64,
        committed_at,
        files,
    })
}

/// One file of a snapshot.
pub(crate) fn pinned_file(group: &GroupRef, folder: &Path, view: &LogicalFileView) -> Result<PinnedFile, StoreError> {
    let path = view.path().into_owned();
    let shape = |found: &str| StoreError::TableShape {
        group: group.clone(),
        found: format!("{found} (`{path}`)"),
        wanted: "plain files in the table's own folder".to_owned(),
    };
    if view.deletion_vector_descriptor().is_some() {
        return Err(shape("a deletion vector"));
    }
    if path.contains("://") || path.starts_with('/') || path.split('/').any(|part| part == "..") {
        return Err(shape("a file elsewhere"));
    }
    let rows = match view.num_records() {
        Some(rows) => rows as u64,
        None => rows_in_footer(&folder.join(&path))?,
    };
    #[expect(deprecated, reason = "the tags of a file are reachable in no other way")]
    let tags = view.add_action().tags;
    let sorted = tags.is_some_and(|tags| tags.contains_key(SORTED_TAG));
    let bytes = u64::try_from(view.size()).unwrap_or_default();
    Ok(PinnedFile {
        path,
        bytes,
        rows,
        sorted,
    })
}

/// How many rows a file says that it has.
pub(crate) fn rows_in_footer(path: &Path) -> Result<u64, StoreError> {
    use parquet::file::reader::FileReader;
    let file = std::fs::File::open(path).map_err(file_error(path))?;
    let reader = parquet::file::reader::SerializedFileReader::new(file).map_err(parquet_error(path))?;
    Ok(u64::try_from(reader.metadata().file_metadata().num_rows()).unwrap_or_default())
}

/// That the pinned files are there, with their sizes; gives their full paths, in the pin's order.
pub(crate) fn check_files(store: &Store, pin: &GroupPin) -> Result<Vec<PathBuf>, StoreError> {
    let folder = store.group_folder(&pin.group);
    let (group, version) = (&pin.group, pin.delta_version);
    let mut paths = Vec::with_capacity(pin.files.len());
    for file in &pin.files {
        let path = folder.join(&file.path);
        let found = match std::fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(StoreError::PinnedFileMissing {
                    group: group.clone(),
                    version,
                    path,
                });
            }
            Err(error) => return Err(file_error(path)(error)),
        };
        if found != file.bytes {
            let (group, wanted) = (group.clone(), file.bytes);
            return Err(StoreError::PinnedFileChanged {
                group,
                version,
                path,
                unit: "bytes",
                found,
                wanted,
            });
        }
        paths.push(path);
    }
    Ok(paths)
}
