//! A feature group as it is now, held against a dataset that was made of it.

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::{and, filter_record_batch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use definitions::{ColumnName, EventTime, FeatureGroup, IngestMode};
use futures::TryStreamExt;
use sketches::drift::Thresholds;

use super::sample::is_compared;
use super::{COLUMNS_AT_ONCE, ColumnProfile, DriftReport, Profilers, Sample, Wanted};
use crate::dataset::load_manifest;
use crate::query::superseded::Superseded;
use crate::storage::{GroupPin, INGEST_ID, Store};
use crate::{StoreError, scan_group};

/// Which rows of a group are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupRows {
    /// From this event time on.
    pub from: Option<EventTime>,
    /// Before this event time.
    pub to: Option<EventTime>,
    /// Those of this ingestion, superseded ones included; `None`: those that readers see.
    pub ingestion: Option<i64>,
}

/// What is held against what.
pub struct GroupDriftRequest<'a> {
    /// Where the group is stored.
    pub store: &'a Store,
    /// The group.
    pub group: &'a FeatureGroup,
    /// Its version.
    pub pin: &'a GroupPin,
    /// Its rows.
    pub rows: GroupRows,
    /// The baseline.
    pub against: &'a Sample,
    /// From where on a column has drifted.
    pub thresholds: Thresholds,
}

/// A column of the dataset, and where it comes from in the group.
struct Source {
    /// The dataset's name for it.
    name: String,
    /// The group's.
    column: ColumnName,
    is_categorical: bool,
}

/// How far the columns that a dataset took from a group have drifted since. The report names them as the dataset does.
///
/// # Errors
/// `NoPart` when the dataset has no such part; as [`scan_group`] when the group cannot be read.
pub async fn group_drift(request: &GroupDriftRequest<'_>) -> Result<DriftReport, StoreError> {
    let manifest = load_manifest(&request.against.folder)?;
    let reference = request.group.reference();
    let mut sources = Vec::new();
    let mut not_compared = Vec::new();
    for column in &manifest.columns {
        if column.group != reference || !is_compared(column.role) {
            continue;
        }
        match column.source.parse() {
            Ok(source) => sources.push(Source {
                name: column.name.clone(),
                column: source,
                is_categorical: column.categorical,
            }),
            Err(_) => not_compared.push(column.name.clone()),
        }
    }
    let mut columns = Vec::new();
    for some in sources.chunks(COLUMNS_AT_ONCE) {
        let wanted: Vec<Wanted> = some
            .iter()
            .map(|source| (source.name.clone(), source.is_categorical))
            .collect();
        let baseline = request.against.profile(&manifest, &wanted)?;
        let candidate = profile(request, some).await?;
        for (a, b) in baseline.iter().zip(&candidate) {
            match a.drift_to(b, &request.thresholds) {
                Some(drift) => columns.push(drift),
                None => not_compared.push(a.column.clone()),
            }
        }
    }
    Ok(DriftReport {
        thresholds: request.thresholds,
        columns,
        not_compared,
    })
}

/// What the columns look like in the group.
async fn profile(request: &GroupDriftRequest<'_>, sources: &[Source]) -> Result<Vec<ColumnProfile>, StoreError> {
    let group = request.group;
    let mut columns: Vec<ColumnName> = group.entity.iter().map(|entity| entity.name.clone()).collect();
    columns.extend(group.event_time.clone());
    let identity = columns.len();
    for source in sources {
        if !columns.contains(&source.column) {
            columns.push(source.column.clone());
        }
    }
    let mut scan = scan_group(request.store, group, request.pin, &columns, None).await?;
    let wanted: Vec<Wanted> = sources
        .iter()
        .map(|source| (source.column.to_string(), source.is_categorical))
        .collect();
    let mut profilers = Profilers::new(&wanted, &scan.schema)?;
    let is_current = group.mode == IngestMode::Upsert && request.rows.ingestion.is_none();
    let mut superseded = is_current.then(|| Superseded::new((0..identity).collect()));
    let time = group.event_time.as_ref().map(ColumnName::as_str);
    loop {
        let batch = scan.batches.try_next().await?;
        let visible = match (&mut superseded, &batch) {
            (Some(superseded), Some(batch)) => superseded.push(batch)?,
            (Some(superseded), None) => superseded.finish().into_iter().collect(),
            (None, batch) => batch.iter().cloned().collect(),
        };
        for rows in visible {
            profilers.update(&chosen(&rows, time, &request.rows)?)?;
        }
        if batch.is_none() {
            return Ok(profilers.finish());
        }
    }
}

/// The rows of a batch that are looked at.
fn chosen(batch: &RecordBatch, time: Option<&str>, rows: &GroupRows) -> Result<RecordBatch, StoreError> {
    let mut keep = BooleanArray::from(vec![true; batch.num_rows()]);
    if let Some(times) = time.and_then(|time| batch.column_by_name(time)) {
        let (from, to) = (
            rows.from.map_or(i64::MIN, |time| time.0),
            rows.to.map_or(i64::MAX, |time| time.0),
        );
        let times = times.as_primitive::<TimestampMicrosecondType>();
        let is_within = |time: i64| from <= time && (rows.to.is_none() || time < to);
        keep = and(&keep, &BooleanArray::from_unary(times, is_within))?;
    }
    if let (Some(wanted), Some(ids)) = (rows.ingestion, batch.column_by_name(INGEST_ID)) {
        let ids = ids.as_primitive::<Int64Type>();
        keep = and(&keep, &BooleanArray::from_unary(ids, |id| id == wanted))?;
    }
    Ok(filter_record_batch(batch, &keep)?)
}
