//! Materialisation: from rows of sources to rows of a derived group, all that are new or none.
//!
//! ```text
//!   what was seen ─ what is new ─ touched rows ─┐
//!   source, as pinned ─ rows that count ────────┴─ stretches ─ kernel ─ files ─ commit with what was seen
//! ```
//!
//! The first materialisation computes every row. A later one reads which rows the sources got since, computes the derived rows that
//! they touch, and appends them: a row that is computed again takes the place of the one before, as any correction. That gives the
//! rows that computing everything again would give: a row is a function of the rows within its reach, and all rows whose reach holds a
//! new one are touched.
//!
//! Memory does not grow with the rows: see `stretch` for what is held, `writer` for what is written at once. Reading, computing and
//! writing go on at the same time.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::TimestampMicrosecondType;
use definitions::{Duration, EventTime, FeatureGroup, Fingerprint, KnownAt, WallTime, fingerprint};
use deltalake::DeltaTable;
use futures::TryStreamExt;
use tokio::sync::mpsc;

use super::columns::Columns;
use super::commit::commit_materialization;
use super::features::Features;
use super::kernel::Reach;
use super::rows::{current_rows, key_columns, key_converter, read_columns, rows_after};
use super::seen::{FileEnds, Seen, SeenSource, file_ends};
use super::stretch::{Cut, Stretch, Stretcher};
use super::touched::{Span, Touched, needed_for, touched_by};
use super::writer::{DerivedWriter, Written};
use crate::ingest::{FileFormat, IngestOutcome, IngestReceipt, SourceReceipt, next_ingestion};
use crate::storage::{Store, open_group, wanted_retention};
use crate::{GroupPin, PinAt, StoreError, pin_group};

/// Rows of a stretch, about; few in tests, so that rows wait and are kept there too.
const STRETCH_ROWS: usize = if cfg!(test) { 7 } else { 1 << 17 };
/// Stretches that wait to be computed, and derived rows that wait to be written.
const IN_FLIGHT: usize = 1;

/// Which rows are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Those that what is new in the sources touches; all of them the first time.
    New,
    /// All of them.
    Full,
    /// Those with event times in `[from, to)`, whatever is new.
    Between {
        /// The first event time; `None`: from the beginning.
        from: Option<EventTime>,
        /// The end; `None`: to the end.
        to: Option<EventTime>,
    },
}

/// How far a materialisation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaterializeProgress {
    /// Rows of the first source that were read.
    pub read: u64,
    /// Rows that there are to read, at most.
    pub to_read: u64,
    /// Derived rows that were written.
    pub written: u64,
}

/// Is told how far a materialisation has come.
pub type OnMaterializeProgress = Arc<dyn Fn(MaterializeProgress) + Send + Sync>;

/// What to materialise.
#[derive(Clone)]
pub struct MaterializeRequest {
    /// Where everything is stored.
    pub store: Store,
    /// The group, which is derived and has been applied.
    pub group: FeatureGroup,
    /// Its sources, in the order of `from`.
    pub sources: Vec<FeatureGroup>,
    /// Which rows.
    pub extent: Extent,
    /// When it is.
    pub now: WallTime,
    /// Threads to compute with.
    pub threads: NonZeroUsize,
    /// The program, with its version, for the receipt.
    pub software: String,
    /// Is told how far it has come.
    pub progress: OnMaterializeProgress,
}

/// What became of a materialisation.
#[derive(Debug, Clone, PartialEq)]
pub enum Materialized {
    /// Nothing is new in the sources.
    UpToDate,
    /// Every row was computed.
    Full(Box<IngestReceipt>),
    /// Some rows were computed.
    Part(Box<IngestReceipt>),
}

/// A source at the version that is read.
struct Source {
    group: FeatureGroup,
    pin: GroupPin,
    files: Vec<FileEnds>,
}

impl Source {
    async fn open(store: &Store, group: &FeatureGroup) -> Result<Self, StoreError> {
        let pin = pin_group(store, group, PinAt::Newest).await?;
        let event_time = group.event_time.as_ref().map(|name| name.as_str());
        let files = file_ends(store, &pin, event_time)?;
        Ok(Self {
            group: group.clone(),
            pin,
            files,
        })
    }

    fn seen(&self) -> SeenSource {
        SeenSource {
            group: self.group.reference(),
            table_id: self.pin.table_id.clone(),
            delta_version: self.pin.delta_version,
            ingest_id: self
                .files
                .iter()
                .filter_map(|file| file.ingest_id)
                .max()
                .unwrap_or_default(),
            newest_event_time: self.newest(),
        }
    }

    fn newest(&self) -> Option<i64> {
        self.files.iter().filter_map(|file| file.event_time).max()
    }

    /// The files that may hold rows of ingestions after this one.
    fn after(&self, ingest_id: i64) -> GroupPin {
        let is_new = |file: &&FileEnds| file.ingest_id.is_none_or(|last| last > ingest_id);
        GroupPin {
            files: self.files.iter().filter(is_new).map(|file| file.file.clone()).collect(),
            ..self.pin.clone()
        }
    }
}

/// Materialises a derived group.
///
/// # Errors
/// `NotDerived` and `NotComputed` for a group that is not computed from features; whatever reading and writing give. After any error the
/// group is as it was.
pub async fn materialize(request: MaterializeRequest) -> Result<Materialized, StoreError> {
    let group = &request.group;
    let reference = group.reference();
    let [first] = request.sources.as_slice() else {
        return Err(StoreError::NotDerived { group: reference });
    };
    let features = Features::of(group)?;
    let table = open_group(&request.store, &reference, None).await?;
    wanted_retention(&table, &reference)?;
    let source = Source::open(&request.store, first).await?;
    let seen = Seen {
        sources: vec![source.seen()],
    };
    let before = Seen::last(&table, &reference).await?;
    let before = before.and_then(|before| before.sources.into_iter().next());
    let (touched, is_full) = match (request.extent, &before) {
        (Extent::Full, _) | (Extent::New, None) => (Touched::every(Span::ALL), true),
        (Extent::Between { from, to }, _) => (Touched::every(between(from, to)), false),
        (Extent::New, Some(before)) => (
            touched_since(&request.store, &source, before, features.reach()).await?,
            false,
        ),
    };
    if touched.is_empty() && before.is_some() {
        return Ok(Materialized::UpToDate);
    }
    let is_partial = matches!(request.extent, Extent::Between { .. });
    let work = Work {
        request: &request,
        table: &table,
        source: &source,
        features,
    };
    let receipt = work.run(touched, (!is_partial).then_some(&seen)).await?;
    Ok(if is_full {
        Materialized::Full(Box::new(receipt))
    } else {
        Materialized::Part(Box::new(receipt))
    })
}

fn between(from: Option<EventTime>, to: Option<EventTime>) -> Span {
    Span {
        first: from.map_or(i64::MIN, |from| from.0),
        last: to.map_or(i64::MAX, |to| to.0.saturating_sub(1)),
    }
}

/// The derived rows that a source's new rows touch.
async fn touched_since(
    store: &Store,
    source: &Source,
    before: &SeenSource,
    reach: Reach,
) -> Result<Touched, StoreError> {
    if before.table_id != source.pin.table_id {
        return Ok(Touched::every(Span::ALL));
    }
    let mut touched = Touched::default();
    let pin = source.after(before.ingest_id);
    let converter = key_converter(&source.group)?;
    let keys = source.group.entity.len();
    let mut rows = rows_after(store, &source.group, &pin, before.ingest_id).await?;
    while let Some(batch) = rows.try_next().await? {
        let encoded = converter.convert_columns(&key_columns(&batch, &source.group))?;
        let times = batch.columns().get(keys);
        let times = times.and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>());
        for (key, time) in encoded
            .iter()
            .zip(times.into_iter().flat_map(|times| times.values().iter()))
        {
            touched.add(key.as_ref(), touched_by(*time, reach));
        }
    }
    // Labels that were not over are, now that time has gone on.
    let (old, new) = (before.newest_event_time, source.newest());
    if reach.ahead > Duration::ZERO
        && let Some(new) = new.filter(|new| old.is_none_or(|old| *new > old))
    {
        let first = old.map_or(i64::MIN, |old| {
            old.saturating_sub(reach.ahead.micros()).saturating_add(1)
        });
        touched.add_every(Span { first, last: new });
    }
    Ok(touched)
}

/// A materialisation on its way.
struct Work<'a> {
    request: &'a MaterializeRequest,
    table: &'a DeltaTable,
    source: &'a Source,
    features: Features,
}

impl Work<'_> {
    async fn run(self, touched: Touched, seen: Option<&Seen>) -> Result<IngestReceipt, StoreError> {
        let request = self.request;
        let reference = request.group.reference();
        let next = next_ingestion(self.table, &reference, request.now).await?;
        let (id, started) = (uuid::Uuid::new_v4().to_string(), request.now);
        let mut writer = DerivedWriter::new(&request.store, self.table, &request.group, next.ingest_id);
        let read = match self.write(&mut writer, touched).await {
            Ok(read) => read,
            Err(error) => {
                writer.discard().await;
                return Err(error);
            }
        };
        let written = writer.finish().await?;
        let receipt = self.receipt(&written, read, id, started, next.ingest_id)?;
        commit_materialization(&request.store, &request.group, &written.files, receipt, seen).await
    }

    /// Reads, computes and writes at the same time; gives the number of rows read.
    async fn write(&self, writer: &mut DerivedWriter<'_>, touched: Touched) -> Result<u64, StoreError> {
        let (request, source) = (self.request, self.source);
        let reach = self.features.reach();
        let from = touched
            .earliest()
            .map(|first| needed_for(Span { first, last: first }, reach).first)
            .filter(|first| *first > i64::MIN);
        let columns = read_columns(&source.group, &self.features.columns);
        let rows = current_rows(&request.store, &source.group, &source.pin, &columns, from).await?;
        let cut = Cut {
            keys: source.group.entity.len(),
            reach,
            touched,
            rows: STRETCH_ROWS,
        };
        let stretcher = Stretcher::new(cut, key_converter(&source.group)?);
        let observed_until = source.newest().unwrap_or(i64::MAX);
        let computing = Columns::new(
            &request.group,
            &source.group,
            self.features.clone(),
            observed_until,
            request.threads,
        )?;
        let (give, mut stretches) = mpsc::channel::<(Stretch, u64)>(IN_FLIGHT);
        let reading = tokio::spawn(read(rows, stretcher, give));
        let (compute, mut derived) = mpsc::channel(IN_FLIGHT);
        let computing = tokio::task::spawn_blocking(move || {
            while let Some((stretch, read)) = stretches.blocking_recv() {
                if compute.blocking_send((computing.of(&stretch)?, read)).is_err() {
                    break;
                }
            }
            Ok::<_, StoreError>(())
        });
        let (to_read, mut written) = (source.pin.rows(), 0);
        while let Some((rows, read)) = derived.recv().await {
            written += rows.num_rows() as u64;
            writer.write(&rows).await?;
            (request.progress)(MaterializeProgress { read, to_read, written });
        }
        drop(derived);
        let died = |error: tokio::task::JoinError| StoreError::Task {
            detail: error.to_string(),
        };
        computing.await.map_err(died)??;
        reading.await.map_err(died)?
    }

    fn receipt(
        &self,
        written: &Written,
        read: u64,
        ingestion: String,
        started: WallTime,
        ingest_id: i64,
    ) -> Result<IngestReceipt, StoreError> {
        let group = &self.request.group;
        let json = |source| StoreError::Json {
            path: "pin".into(),
            source,
        };
        let pin = &self.source.pin;
        let sha256: Fingerprint = fingerprint(pin).map_err(json)?;
        let bytes = pin.files.iter().map(|file| file.bytes).sum();
        let source = SourceReceipt {
            path: format!("{} at Delta version {}", pin.group, pin.delta_version),
            format: FileFormat::Parquet,
            bytes,
            sha256,
            rows: read,
        };
        Ok(IngestReceipt {
            group: group.reference(),
            outcome: IngestOutcome::Committed,
            content_hash: fingerprint(&(&sha256, &ingestion)).map_err(json)?,
            ingestion,
            ingest_id,
            delta_version: 0,
            mode: group.mode,
            rows_read: read,
            rows: written.rows,
            duplicates: 0,
            nan_nulls: 0,
            quarantined: 0,
            known_at: KnownAt(written.known_at.unwrap_or(started.0)),
            min_event_time: written.event_times.map(|(first, _)| EventTime(first)),
            max_event_time: written.event_times.map(|(_, last)| EventTime(last)),
            sources: vec![source],
            ignored_columns: Vec::new(),
            bytes,
            bytes_written: written
                .files
                .iter()
                .map(|file| u64::try_from(file.size).unwrap_or_default())
                .sum(),
            expectations: Vec::new(),
            moments: BTreeMap::new(),
            software: self.request.software.clone(),
            started_at: started,
            committed_at: started,
        })
    }
}

/// Reads rows and cuts them into stretches, each with the number of rows read so far.
async fn read(
    mut rows: super::rows::Rows,
    mut stretcher: Stretcher,
    give: mpsc::Sender<(Stretch, u64)>,
) -> Result<u64, StoreError> {
    let mut read = 0;
    while let Some(batch) = rows.try_next().await? {
        read += batch.num_rows() as u64;
        if let Some(stretch) = stretcher.push(&batch)?
            && give.send((stretch, read)).await.is_err()
        {
            return Ok(read);
        }
    }
    if let Some(stretch) = stretcher.finish()? {
        // Who computes has failed, and says why.
        let _gone = give.send((stretch, read)).await;
    }
    Ok(read)
}
