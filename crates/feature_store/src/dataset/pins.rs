//! Pins of a whole view, and the key by which "nothing changed" is known.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use definitions::{FeatureGroup, FeatureView, Fingerprint, GroupRef, canonical, fingerprint};
use futures::{StreamExt, TryStreamExt, stream};
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};

use super::build::Means;
use super::manifest::{Arguments, MANIFEST};
use super::read::open_file;
use crate::error::{file_error, parquet_error};
use crate::threads::each;
use crate::{GroupPin, INGEST_ID, PinAt, Store, StoreError, pin_group};

/// Pins the newest state of every group that a view reads, the spine first.
///
/// # Errors
/// As [`pin_group`]; `UnknownGroup` for a group without a definition.
pub async fn pin_view(
    store: &Store,
    view: &FeatureView,
    groups: &BTreeMap<GroupRef, FeatureGroup>,
) -> Result<Vec<GroupPin>, StoreError> {
    pin_all(store, view.groups(), groups).await
}

/// Pins the newest state of the groups that a view's features come from: what [`super::join_entities`] reads. The labels' group need
/// not have a table.
///
/// # Errors
/// As [`pin_view`].
pub async fn pin_features(
    store: &Store,
    view: &FeatureView,
    groups: &BTreeMap<GroupRef, FeatureGroup>,
) -> Result<Vec<GroupPin>, StoreError> {
    let references: BTreeSet<&GroupRef> = view.features.iter().map(|selection| &selection.group).collect();
    pin_all(store, references, groups).await
}

/// So many tables are opened at once.
const TABLES_AT_ONCE: usize = 8;

async fn pin_all(
    store: &Store,
    references: impl IntoIterator<Item = &GroupRef>,
    groups: &BTreeMap<GroupRef, FeatureGroup>,
) -> Result<Vec<GroupPin>, StoreError> {
    let died = |error: tokio::task::JoinError| StoreError::Task {
        detail: error.to_string(),
    };
    let pins = references.into_iter().map(|reference| {
        let unknown = || StoreError::UnknownGroup {
            group: reference.clone(),
        };
        let group = groups.get(reference).cloned().ok_or_else(unknown);
        let store = store.clone();
        let pin = async move { pin_group(&store, &group?, PinAt::Newest).await };
        async move { tokio::spawn(pin).await.map_err(died)? }
    });
    stream::iter(pins).buffered(TABLES_AT_ONCE).try_collect().await
}

/// The fingerprint of everything that determines a dataset's content: the view's and its groups' definitions, of each group the
/// table, its rows and the last ingestion that is visible, and the arguments. Compaction and vacuum change files and versions, and
/// not this.
///
/// # Errors
/// `UnknownGroup` for a group of the view without a definition; `NotPinned` for one without a pin; when a pinned file cannot be read.
pub fn pins_key(
    store: &Store,
    view: &FeatureView,
    groups: &BTreeMap<GroupRef, FeatureGroup>,
    pins: &[GroupPin],
    arguments: &Arguments,
) -> Result<Fingerprint, StoreError> {
    let state = |group: &GroupRef| {
        let definition = groups
            .get(group)
            .ok_or_else(|| StoreError::UnknownGroup { group: group.clone() })?;
        let pin = pins.iter().find(|pin| pin.group == *group);
        let pin = pin.ok_or_else(|| StoreError::NotPinned { group: group.clone() })?;
        let state = (
            fingerprint(definition).map_err(json)?,
            &pin.table_id,
            pin.rows(),
            last_ingest_id(store, pin)?,
        );
        Ok((group.to_string(), state))
    };
    let wanted: Vec<&GroupRef> = view.groups().into_iter().collect();
    let states = each(&wanted, Means::default().threads, |_, group| state(group));
    let states = states.into_iter().collect::<Result<BTreeMap<_, _>, StoreError>>()?;
    let key = ("pins 1", fingerprint(view).map_err(json)?, states, arguments);
    Ok(Fingerprint::of(canonical(&key).map_err(json)?.as_bytes()))
}

/// Names the manifest as what could not be written as JSON.
pub(super) fn json(source: serde_json::Error) -> StoreError {
    StoreError::Json {
        path: MANIFEST.into(),
        source,
    }
}

/// The last ingestion of which a pinned version holds rows; 0 where it holds none. Read from the files' footers.
fn last_ingest_id(store: &Store, pin: &GroupPin) -> Result<i64, StoreError> {
    let folder = store.group_folder(&pin.group);
    let mut of_files = pin.files.iter().map(|file| last_ingest_id_of(&folder.join(&file.path)));
    of_files.try_fold(0, |last, of_file| Ok(last.max(of_file?)))
}

fn last_ingest_id_of(path: &Path) -> Result<i64, StoreError> {
    let file = File::open(path).map_err(file_error(path))?;
    let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::default()).map_err(parquet_error(path))?;
    let schema = metadata.parquet_schema();
    let converter = StatisticsConverter::try_new(INGEST_ID, metadata.schema(), schema).map_err(parquet_error(path))?;
    let largest = converter
        .row_group_maxes(metadata.metadata().row_groups())
        .map_err(parquet_error(path))?;
    let largest = largest
        .as_primitive_opt::<Int64Type>()
        .filter(|largest| largest.iter().all(|one| one.is_some()));
    match largest {
        Some(largest) => Ok(largest.iter().flatten().max().unwrap_or_default()),
        None => largest_value(path),
    }
}

/// Reads the column, in a file of a writer that left no statistics.
fn largest_value(path: &Path) -> Result<i64, StoreError> {
    let mut last = 0;
    for batch in open_file(path, Some(&[INGEST_ID.to_owned()]))? {
        let batch = batch?;
        let values = batch
            .columns()
            .first()
            .and_then(|column| column.as_primitive_opt::<Int64Type>());
        last = last.max(
            values
                .and_then(|values| values.iter().flatten().max())
                .unwrap_or_default(),
        );
    }
    Ok(last)
}
