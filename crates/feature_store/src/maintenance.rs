//! Looking after a group's files: merging small ones, and removing those that no version that matters needs.
//!
//! Neither loses a row. Compaction writes the rows of small files into one, in their order, with their hidden columns; the small files
//! stay on disk, so pins of earlier versions read as before. Vacuum is the only code that removes data files: it keeps what the
//! newest version, every pinned version, and every pinned list of files names, and whatever is younger than a grace period, because
//! an ingestion at work has files that no version names yet.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use definitions::{Duration, FeatureGroup, GroupRef, WallTime};
use deltalake::kernel::transaction::CommitProperties;
use deltalake::kernel::{Action, Add};
use deltalake::operations::vacuum::VacuumMode;
use deltalake::protocol::DeltaOperation;
use deltalake::{DeltaTable, DeltaTableError};
use futures::TryStreamExt;
use serde::Serialize;

use crate::StoreError;
use crate::error::{delta_error, file_error};
use crate::ingest::{
    COMMIT_ATTEMPTS, Earnest, back_off, commit_operation, discard_files, group_writer, ingestions_of, is_lost_race,
    statistics_of_others,
};
use crate::scan::scan_columns;
use crate::storage::{
    GroupPin, PinAt, PinnedFile, Store, open_group, order_columns, pin_group, pinned_file, table_schema,
};

/// Files larger than this are left as they are.
pub const COMPACTED_BYTES: u64 = 128 << 20;

/// What a compaction did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CompactionReceipt {
    /// The group.
    pub group: GroupRef,
    /// The newest Delta version now.
    pub delta_version: i64,
    /// Files that were merged; none where there was nothing to do.
    pub files_merged: u64,
    /// Files that their rows are in now.
    pub files_written: u64,
    /// Rows in them.
    pub rows: u64,
    /// The size of the files that were merged.
    pub bytes_before: u64,
    /// The size of the files that were written.
    pub bytes_after: u64,
}

/// Merges the small files of a group, in order.
///
/// # Errors
/// As [`pin_group`]; `Contended` when other writers always win.
pub async fn compact(store: &Store, group: &FeatureGroup) -> Result<CompactionReceipt, StoreError> {
    let reference = group.reference();
    for attempt in 0..COMMIT_ATTEMPTS {
        let pin = pin_group(store, group, PinAt::Newest).await?;
        let small = small_files(&pin);
        if small.is_empty() {
            let delta_version = pin.delta_version;
            return Ok(CompactionReceipt {
                group: reference,
                delta_version,
                files_merged: 0,
                files_written: 0,
                rows: 0,
                bytes_before: 0,
                bytes_after: 0,
            });
        }
        let table = open_group(store, &reference, u64::try_from(pin.delta_version).ok()).await?;
        let part = GroupPin { files: small, ..pin };
        let written = merge(store, group, &table, &part).await?;
        let replacement = Replacement {
            part: &part,
            written: &written,
            operation: DeltaOperation::Optimize {
                predicate: None,
                target_size: COMPACTED_BYTES as i64,
            },
            changes_data: false,
        };
        match replace(store, &table, group, replacement).await {
            Ok(delta_version) => return Ok(receipt(reference, delta_version, &part, &written)),
            Err(error) => {
                discard_files(&store.group_folder(&reference), &written).await;
                if !is_lost_race(&error) {
                    return Err(delta_error(&reference, "compacted")(error));
                }
                back_off(attempt).await;
            }
        }
    }
    Err(StoreError::Contended {
        table: reference.to_string(),
        attempts: COMMIT_ATTEMPTS,
    })
}

/// The files worth merging: at least two small ones, or any that is not in order.
fn small_files(pin: &GroupPin) -> Vec<PinnedFile> {
    let small: Vec<_> = pin
        .files
        .iter()
        .filter(|file| file.bytes < COMPACTED_BYTES || !file.sorted)
        .cloned()
        .collect();
    let is_worth_it = small.len() > 1 || small.iter().any(|file| !file.sorted);
    if is_worth_it { small } else { Vec::new() }
}

/// All columns of the table, also those that another program added.
async fn merge(
    store: &Store,
    group: &FeatureGroup,
    table: &DeltaTable,
    part: &GroupPin,
) -> Result<Vec<Add>, StoreError> {
    let reference = group.reference();
    let schema = plain_text(&table_schema(table, &reference)?);
    let mut rows = scan_columns(store, group, part, &schema, &schema, None).await?.batches;
    let mut writer = group_writer(table, &reference.to_string())?;
    while let Some(batch) = rows.try_next().await? {
        writer.write(batch).await?;
    }
    let mut written = writer.finish(Some(&order_columns(group))).await?;
    written.iter_mut().for_each(|file| file.data_change = false);
    Ok(written)
}

pub(crate) fn plain_text(schema: &Schema) -> SchemaRef {
    let field = |field: &arrow::datatypes::FieldRef| match field.data_type() {
        DataType::Utf8View | DataType::LargeUtf8 => Field::new(field.name(), DataType::Utf8, field.is_nullable()),
        other => Field::new(field.name(), other.clone(), field.is_nullable()),
    };
    std::sync::Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
}

/// Files of a version, and what comes in their place.
pub(crate) struct Replacement<'a> {
    /// The files that go.
    pub part: &'a GroupPin,
    /// The files that come.
    pub written: &'a [Add],
    /// What the log calls it.
    pub operation: DeltaOperation,
    /// Whether rows go with them.
    pub changes_data: bool,
}

/// Replaces files in one commit on top of exactly the version at which the table is loaded.
pub(crate) async fn replace(
    store: &Store,
    table: &DeltaTable,
    group: &FeatureGroup,
    replacement: Replacement<'_>,
) -> Result<i64, DeltaTableError> {
    let Replacement {
        part,
        written,
        operation,
        changes_data,
    } = replacement;
    let folder = store.group_folder(&group.reference());
    let state = table.snapshot()?;
    let mut actions: Vec<Action> = Vec::new();
    for view in state.log_data().iter() {
        let file =
            pinned_file(&part.group, &folder, &view).map_err(|error| DeltaTableError::Generic(error.to_string()))?;
        if part.files.contains(&file) {
            actions.push(Action::Remove(view.remove_action(changes_data)));
        }
    }
    actions.extend(written.iter().cloned().map(Action::Add));
    commit_operation(table, actions, CommitProperties::default(), operation).await
}

fn receipt(group: GroupRef, delta_version: i64, part: &GroupPin, written: &[Add]) -> CompactionReceipt {
    CompactionReceipt {
        group,
        delta_version,
        files_merged: part.files.len() as u64,
        files_written: written.len() as u64,
        rows: part.rows(),
        bytes_before: part.files.iter().map(|file| file.bytes).sum(),
        bytes_after: written
            .iter()
            .map(|file| u64::try_from(file.size).unwrap_or_default())
            .sum(),
    }
}

/// What a vacuum must keep, and what it may do.
#[derive(Debug, Clone)]
pub struct VacuumRequest<'a> {
    /// Everything that datasets, or anything else, pin of this group.
    pub pins: &'a [GroupPin],
    /// Files younger than this are kept; hours, because an ingestion at work has files that no version names yet.
    pub grace: Duration,
    /// When it is.
    pub now: WallTime,
    /// Whether files are removed, or only named.
    pub earnest: Earnest,
}

/// A file that a vacuum removed, or would.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RemovedFile {
    /// Its path within the table's folder.
    pub path: String,
    /// Its size.
    pub bytes: u64,
}

/// Removes the files of a group that neither its newest version nor a pin needs. Afterwards versions that are not pinned may be
/// unreadable; no version is made.
///
/// # Errors
/// As [`pin_group`]; `WrongPin` for a pin of another group; when a pinned version's log is gone, because then nobody knows what it needs.
pub async fn vacuum(
    store: &Store,
    group: &FeatureGroup,
    request: &VacuumRequest<'_>,
) -> Result<Vec<RemovedFile>, StoreError> {
    let reference = group.reference();
    if let Some(other) = request.pins.iter().find(|pin| pin.group != reference) {
        return Err(StoreError::WrongPin {
            wanted: reference,
            found: other.group.clone(),
        });
    }
    let newest = pin_group(store, group, PinAt::Newest).await?;
    let candidates = candidates(store, &reference, request).await?;
    let named: BTreeSet<&str> = request
        .pins
        .iter()
        .chain([&newest])
        .flat_map(|pin| &pin.files)
        .map(|file| file.path.as_str())
        .collect();
    let folder = store.group_folder(&reference);
    let mut removed = Vec::new();
    for path in candidates.iter().filter(|path| !named.contains(path.as_str())) {
        let full = folder.join(path);
        let Some(bytes) = old_file(&full, request)? else {
            continue;
        };
        if request.earnest == Earnest::Commit {
            tokio::fs::remove_file(&full).await.map_err(file_error(&full))?;
        }
        removed.push(RemovedFile {
            path: path.clone(),
            bytes,
        });
    }
    removed.sort();
    Ok(removed)
}

/// What the log has no use for, by delta-rs' own reckoning.
async fn candidates(store: &Store, group: &GroupRef, request: &VacuumRequest<'_>) -> Result<Vec<String>, StoreError> {
    let versions: BTreeSet<u64> = request
        .pins
        .iter()
        .filter_map(|pin| u64::try_from(pin.delta_version).ok())
        .collect();
    let versions: Vec<u64> = versions.into_iter().collect();
    let (_, found) = open_group(store, group, None)
        .await?
        .vacuum()
        .with_mode(VacuumMode::Full)
        .with_retention_period(chrono::Duration::microseconds(request.grace.micros()))
        .with_enforce_retention_duration(false)
        .with_keep_versions(&versions)
        .with_dry_run(true)
        .await
        .map_err(delta_error(group, "vacuumed"))?;
    let folder = store.group_folder(group);
    let mut candidates: Vec<String> = found.files_deleted.iter().map(|path| within(&folder, path)).collect();
    let table = open_group(store, group, None).await?;
    candidates.extend(statistics_of_others(&folder, &ingestions_of(&table, group).await?));
    Ok(candidates)
}

/// A file's path within the table's folder.
fn within(folder: &Path, path: &str) -> String {
    let full = PathBuf::from(path);
    full.strip_prefix(folder)
        .map_or_else(|_| path.to_owned(), |inner| inner.display().to_string())
}

/// The size of a file that is old enough to go.
fn old_file(path: &Path, request: &VacuumRequest<'_>) -> Result<Option<u64>, StoreError> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file_error(path)(error)),
    };
    let modified = metadata.modified().map_err(file_error(path))?;
    let micros = modified
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |age| age.as_micros());
    let micros = i64::try_from(micros).unwrap_or(i64::MAX);
    let is_old = micros.saturating_add(request.grace.micros()) <= request.now.0;
    Ok((is_old && metadata.is_file()).then_some(metadata.len()))
}
