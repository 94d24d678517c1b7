//! Versions whose files a clean-up has removed, because neither the newest version nor a dataset needed them.
//!
//! Their rows are still there: nothing but ingestions adds rows, every ingestion has a higher `__ingest_id` than those before it, and
//! compaction writes the same rows with the same ids into other files. So the rows of such a version are those of the newest one up to
//! the version's last `__ingest_id`. That holds while no other program has written to the table, and the counts in its log say so;
//! where they do not, there is an error that says what can be read. The rows come in other batches than before, so a sum of floats may
//! differ in its last bit.

use arrow::array::{Int64Array, RecordBatch, Scalar};
use arrow::compute::filter_record_batch;
use arrow::compute::kernels::cmp::lt_eq;
use definitions::FeatureGroup;
use futures::{StreamExt, TryStreamExt};

use crate::history::{Change, history};
use crate::storage::INGEST_ID;
use crate::{GroupPin, GroupScan, PinAt, Store, StoreError, pin_group};

/// What a version's log entry says was done, where it removes no row and adds none that has no receipt.
const ROWS_STAY: [&str; 6] = [
    "CREATE TABLE",
    "OPTIMIZE",
    "SET TBLPROPERTIES",
    "ADD COLUMN",
    "VACUUM START",
    "VACUUM END",
];
/// How many versions are looked at, newest first, to say which can be read.
const LOOKED_AT: usize = 100;

/// What to read for a version: the pin's files, and of them the rows up to an ingestion.
#[derive(Debug, Clone)]
pub(super) struct Readable {
    /// The files.
    pub(super) pin: GroupPin,
    /// The last `__ingest_id`; `None`: every row.
    pub(super) upto: Option<i64>,
}

/// How a version can be read: from its own files, or where they were cleaned up from those of the newest version.
pub(super) async fn readable(store: &Store, group: &FeatureGroup, at: PinAt) -> Result<Readable, StoreError> {
    let pin = pin_group(store, group, at).await?;
    if at == PinAt::Newest || is_there(store, &pin) {
        return Ok(Readable { pin, upto: None });
    }
    let newest = pin_group(store, group, PinAt::Newest).await?;
    let is_damage = |path: &str| newest.files.iter().any(|file| file.path == path);
    if missing(store, &pin).any(is_damage) {
        // Reading it names the file.
        return Ok(Readable { pin, upto: None });
    }
    let mut changes = history(store, group).await?;
    // Others may have committed since.
    changes.retain(|change| change.version <= newest.delta_version);
    match last_ingestion(&changes, &pin, &newest) {
        Some(last) => Ok(Readable {
            pin: newest,
            upto: Some(last),
        }),
        None => Err(StoreError::VersionRemoved {
            group: group.reference(),
            wanted: pin.delta_version,
            readable: readable_versions(store, group, &changes).await?,
        }),
    }
}

/// The last `__ingest_id` of a version, where the newest version has exactly its rows up to there.
fn last_ingestion(changes: &[Change], pin: &GroupPin, newest: &GroupPin) -> Option<i64> {
    let is_known = |change: &Change| change.ingestion.is_some() || ROWS_STAY.contains(&change.operation.as_str());
    let is_whole = usize::try_from(newest.delta_version).is_ok_and(|newest| changes.len() == newest + 1);
    if !is_whole || !changes.iter().all(is_known) {
        return None;
    }
    let ingestions = changes
        .iter()
        .filter_map(|change| Some((change.version, change.ingestion.as_ref()?)));
    let (before, after): (Vec<_>, Vec<_>) = ingestions.partition(|(version, _)| *version <= pin.delta_version);
    let rows =
        |part: &[(i64, &crate::ingest::IngestReceipt)]| part.iter().map(|(_, receipt)| receipt.rows).sum::<u64>();
    let is_exact = rows(&before) == pin.rows() && rows(&before) + rows(&after) == newest.rows();
    let last = before.iter().map(|(_, receipt)| receipt.ingest_id).max().unwrap_or(0);
    is_exact.then_some(last)
}

/// The versions whose own files are all there, ascending.
async fn readable_versions(store: &Store, group: &FeatureGroup, changes: &[Change]) -> Result<Vec<i64>, StoreError> {
    let mut found = Vec::new();
    for change in changes.iter().rev().take(LOOKED_AT) {
        if let Ok(pin) = pin_group(store, group, PinAt::Version(change.version)).await
            && is_there(store, &pin)
        {
            found.push(change.version);
        }
    }
    found.reverse();
    Ok(found)
}

fn is_there(store: &Store, pin: &GroupPin) -> bool {
    missing(store, pin).next().is_none()
}

/// The paths of a pin that lead nowhere.
fn missing<'a>(store: &Store, pin: &'a GroupPin) -> impl Iterator<Item = &'a str> {
    let folder = store.group_folder(&pin.group);
    let is_missing = move |path: &&str| matches!(folder.join(path).try_exists(), Ok(false));
    pin.files.iter().map(|file| file.path.as_str()).filter(is_missing)
}

/// The rows up to an ingestion.
pub(super) fn rows_upto(scan: GroupScan, last: i64) -> GroupScan {
    let upto = move |batch: RecordBatch| -> Result<RecordBatch, StoreError> {
        let Some(ids) = batch.column_by_name(INGEST_ID) else {
            return Ok(batch);
        };
        let early = lt_eq(ids, &Scalar::new(Int64Array::from(vec![last])))?;
        Ok(filter_record_batch(&batch, &early)?)
    };
    let batches = scan.batches.and_then(move |batch| std::future::ready(upto(batch)));
    GroupScan {
        schema: scan.schema,
        batches: batches
            .try_filter(|batch| std::future::ready(batch.num_rows() > 0))
            .boxed(),
    }
}
