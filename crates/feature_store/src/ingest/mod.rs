//! Ingestion: from files to rows of a group, all of them or none.
//!
//! ```text
//!   files ─ read, type, check ─ sort ─ identical rows, conflicts ─ one sorted file ─ commit
//!               │                              │                                       │ rows, receipt, content hash:
//!               └── rows at fault ─────────────┴── refuse, or to the quarantine        └ one Delta version
//! ```
//!
//! Memory does not grow with the files: batches are read, typed and checked one at a time, the sort spills what it may not hold,
//! and the file is written as the sorted rows come. The content hash of the files is taken first and stands in the same commit as the
//! rows, so the same files twice change nothing, whatever dies in between.
//!
//! Reading order: `source`, `format` and `seems` find the files and what they are, `rows` and the `*_rows` files read them, `column`, `clock` and `cast` type
//! them, `check` holds them against the definition, `feed` drives all that, then `sort`, `dedupe`, `write`, `commit`; `violation`,
//! `ledger` and `quarantine` are about rows at fault, `crate::expect` is what a group expects, `receipt` and `statistics` are what remains.

mod cast;
mod check;
mod clock;
mod column;
mod commit;
mod csv_records;
mod csv_rows;
mod dedupe;
mod feed;
mod format;
mod json_rows;
mod ledger;
mod origin;
mod parquet_rows;
mod quarantine;
mod raw;
mod receipt;
mod rows;
mod seems;
mod sort;
mod source;
mod statistics;
mod typed_file;
pub(crate) mod violation;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use definitions::{Check, ColumnName, EventTime, FeatureGroup, Fingerprint, KnownAt, WallTime};
use deltalake::DeltaTable;
use deltalake::kernel::Add;
use futures::TryStreamExt;

use check::Rules;
use commit::{Staged, commit_ingestion};
use dedupe::Dedupe;
use feed::{Feed, SharedLedger};
use ledger::Ledger;
use receipt::{Next, ingestion_of_content, next};
use rows::wanted_columns;
use source::{Source, content_hash, find_sources};
use write::{discard, stamp, table_writer};

use crate::StoreError;
use crate::dataset::{ColumnStatistics, StatisticsCollector};
use crate::error::plan_error;
use crate::expect::{Against, ExpectationResult, Moments, Watch, asks};
use crate::storage::{SpillFolder, Store, group_schema, open_group, order_columns, wanted_retention};

pub use commit::Repeat;
pub use format::FileFormat;
pub use receipt::{IngestOutcome, IngestReceipt, ingestions};
pub use source::SourceReceipt;
pub use statistics::ingestion_statistics;
pub use typed_file::{read_typed_file, sample_file};

pub(crate) use check::nan_to_null;
pub(crate) use origin::line_of_row;
pub(crate) use quarantine::{INGESTION, QuarantineSpool, QuarantinedRow, commit_quarantine, quarantine_schema};
pub(crate) use raw::json_object;
pub(crate) use receipt::{INGEST_TXN, KNOWN_AT_TXN, RECEIPT, ingestions_of, next as next_ingestion, receipt_of};
pub(crate) use statistics::{forget as forget_statistics, statistics_of_others};
pub(crate) use write::{
    COMMIT_ATTEMPTS, back_off, commit_actions, commit_operation, discard as discard_files, file_properties,
    is_lost_race, table_writer as group_writer,
};

/// What the sort may hold in memory unless told otherwise.
pub const DEFAULT_MEMORY: u64 = 256 << 20;

/// How far an ingestion has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IngestProgress {
    /// Rows read.
    pub rows: u64,
    /// Bytes read, of the files as they lie there.
    pub bytes: u64,
    /// Bytes of all files.
    pub bytes_total: u64,
}

/// Is told how far an ingestion has come.
pub type OnProgress = Arc<dyn Fn(IngestProgress) + Send + Sync>;

/// Whether an ingestion is made, or only tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Earnest {
    /// Rows are written.
    Commit,
    /// Everything is read and checked, nothing is written.
    DryRun,
}

/// What to ingest, into which group.
#[derive(Clone)]
pub struct IngestRequest {
    /// Where everything is stored.
    pub store: Store,
    /// The group, which has been applied.
    pub group: FeatureGroup,
    /// Files, patterns such as `data/*.csv.gz`, and `-` for standard input.
    pub sources: Vec<String>,
    /// The format of all of them, where their names do not say it.
    pub format: Option<FileFormat>,
    /// Whether content that is there already is ingested again.
    pub repeat: Repeat,
    /// Whether it is made, or only tried.
    pub earnest: Earnest,
    /// When it is.
    pub now: WallTime,
    /// What the sort may hold in memory, in bytes.
    pub memory: u64,
    /// The program, with its version, for the receipt.
    pub software: String,
    /// Is told how far it has come.
    pub progress: OnProgress,
}

/// Ingests files into a group.
///
/// # Errors
/// `Violations` when rows break the definition and it says to refuse; errors of reading name the file, and the line where there is
/// one. After any error the group is as it was.
pub async fn ingest(request: IngestRequest) -> Result<IngestReceipt, StoreError> {
    let reference = request.group.reference();
    if request.group.derive.is_some() {
        return Err(StoreError::DerivedGroup { group: reference });
    }
    let table = open_group(&request.store, &reference, None).await?;
    wanted_retention(&table, &reference)?;
    let (names, format, spill) = (request.sources.clone(), request.format, request.store.spill_folder());
    let sources = blocking(move || find_sources(&names, format, &spill)).await?;
    let content = content_hash(&sources);
    if request.repeat == Repeat::Skip
        && let Some(earlier) = ingestion_of_content(&table, &reference, &content).await?
    {
        return Ok(IngestReceipt {
            outcome: IngestOutcome::AlreadyThere,
            ..earlier
        });
    }
    Ingestion::new(request, sources, content)?.run(&table).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| StoreError::Task {
            detail: error.to_string(),
        })?
}

/// An ingestion on its way.
struct Ingestion {
    request: IngestRequest,
    id: String,
    content: Fingerprint,
    sources: Arc<Vec<Source>>,
    ledger: SharedLedger,
    spill: SpillFolder,
}

/// What was written.
struct Written {
    files: Vec<Add>,
    rows: u64,
    event_times: Option<(i64, i64)>,
    statistics: Vec<ColumnStatistics>,
    watch: Option<Watch>,
}

/// What became of what the group expects.
#[derive(Default)]
struct Judged {
    results: Vec<ExpectationResult>,
    moments: BTreeMap<ColumnName, Moments>,
}

impl Ingestion {
    fn new(request: IngestRequest, sources: Vec<Source>, content: Fingerprint) -> Result<Self, StoreError> {
        let id = uuid::Uuid::new_v4().to_string();
        let spill = SpillFolder::new(&request.store)?;
        let expectations = request.group.expectations().len();
        let ledger = SharedLedger::new(Ledger::new(sources.len(), expectations, spill.path()));
        Ok(Self {
            request,
            id,
            content,
            sources: Arc::new(sources),
            ledger,
            spill,
        })
    }

    async fn run(self, table: &DeltaTable) -> Result<IngestReceipt, StoreError> {
        let group = &self.request.group;
        let reference = group.reference();
        let folder = self.request.store.group_folder(&reference);
        let next = next(table, &reference, self.request.now).await?;
        let mut written = self.write(table, next).await?;
        if self.ledger.lock().is_refused() {
            discard(&folder, &written.files).await;
            let violations = self.ledger.lock().violations(reference);
            return Err(StoreError::Violations(Box::new(violations)));
        }
        let judged = match written.watch.take() {
            Some(watch) => self.judge(watch, table).await,
            None => Ok(Judged::default()),
        };
        let judged = match judged {
            Ok(judged) => judged,
            Err(error) => {
                discard(&folder, &written.files).await;
                return Err(error);
            }
        };
        let receipt = self.receipt(&written, next, table, judged);
        if self.request.earnest == Earnest::DryRun {
            return Ok(receipt);
        }
        let waiting = self.ledger.lock().quarantine_file()?;
        if let Some(waiting) = waiting {
            quarantine::commit_quarantine(&self.request.store, group, &self.id, &waiting).await?;
        }
        let staged = Staged {
            files: written.files,
            stamp: next,
        };
        statistics::keep(&folder, &self.id, written.statistics)?;
        let done = commit_ingestion(&self.request.store, group, staged, receipt, self.request.repeat).await;
        if !done.as_ref().is_ok_and(|receipt| receipt.ingestion == self.id) {
            statistics::forget(&folder, &self.id);
        }
        done
    }

    /// Holds the ingestion against what its group expects.
    async fn judge(&self, watch: Watch, table: &DeltaTable) -> Result<Judged, StoreError> {
        let group = &self.request.group;
        let expectations = group.expectations();
        let drifts = |check: &Check| matches!(check, Check::MaxMeanDrift(_) | Check::MaxStdDrift(_));
        let before: Vec<_> = if asks(&expectations, drifts) {
            let earlier = receipt::ingestions_of(table, &group.reference()).await?;
            earlier.into_iter().map(|receipt| receipt.moments).collect()
        } else {
            Vec::new()
        };
        let against = Against {
            now: self.request.now,
            memory: self.request.memory,
            before: &before,
        };
        let verdict = watch.finish(&against).await?;
        let mut results = self.ledger.lock().row_results(&expectations);
        results.extend(verdict.results);
        let results: Vec<ExpectationResult> = results.into_values().collect();
        let unmet: Vec<_> = results.iter().filter(|result| result.refuses()).cloned().collect();
        if unmet.is_empty() {
            let moments = verdict.moments;
            return Ok(Judged { results, moments });
        }
        Err(StoreError::Unmet {
            group: group.reference(),
            unmet,
        })
    }

    /// Reads, sorts and writes all rows; as soon as one row refuses the ingestion, nothing more is written, but all rows are read, so
    /// that all that is wrong can be said.
    async fn write(&self, table: &DeltaTable, next: Next) -> Result<Written, StoreError> {
        let group = &self.request.group;
        let wanted = wanted_columns(group);
        let rules = Arc::new(Rules::of(group, &wanted)?);
        let feed = Feed {
            group: group.clone(),
            wanted: wanted.clone(),
            sources: self.sources.clone(),
            rules: rules.clone(),
            ledger: self.ledger.clone(),
            progress: self.request.progress.clone(),
        };
        let name = group.reference().to_string();
        let mut rows = sort::sorted_rows(feed, self.request.memory, self.spill.path())?;
        let schema = rows.schema();
        let mut dedupe = Dedupe::new(
            group,
            &wanted,
            self.sources.clone(),
            rules,
            self.ledger.clone(),
            &schema,
        )?;
        let mut output = Output::new(self, table, next)?;
        loop {
            let batch = match rows.try_next().await {
                Ok(batch) => batch,
                Err(error) => {
                    output.discard(self).await;
                    return Err(plan_error(format!("the rows for `{name}` could not be sorted"))(error));
                }
            };
            let decided = match &batch {
                Some(batch) => dedupe.push(batch)?,
                None => dedupe.finish().into_iter().collect(),
            };
            for rows in decided {
                output.take(rows).await?;
            }
            if batch.is_none() {
                return output.finish().await;
            }
        }
    }

    fn receipt(&self, written: &Written, next: Next, table: &DeltaTable, judged: Judged) -> IngestReceipt {
        let ledger = self.ledger.lock();
        let is_dry = self.request.earnest == Earnest::DryRun;
        let source = |(source, rows): (&Source, &u64)| SourceReceipt {
            path: source.name.clone(),
            format: source.format,
            bytes: source.bytes,
            sha256: source.sha256,
            rows: *rows,
        };
        IngestReceipt {
            group: self.request.group.reference(),
            outcome: if is_dry {
                IngestOutcome::DryRun
            } else {
                IngestOutcome::Committed
            },
            ingestion: self.id.clone(),
            ingest_id: next.ingest_id,
            delta_version: table.version().unwrap_or_default() as i64,
            content_hash: self.content,
            mode: self.request.group.mode,
            rows_read: ledger.rows_read(),
            rows: written.rows,
            duplicates: ledger.duplicates,
            nan_nulls: ledger.nan_nulls,
            quarantined: ledger.quarantined,
            known_at: KnownAt(next.known_at),
            min_event_time: written.event_times.map(|(first, _)| EventTime(first)),
            max_event_time: written.event_times.map(|(_, last)| EventTime(last)),
            sources: self.sources.iter().zip(&ledger.rows_by_source).map(source).collect(),
            ignored_columns: ledger.ignored.iter().cloned().collect(),
            bytes: self.sources.iter().map(|source| source.bytes).sum(),
            bytes_written: written
                .files
                .iter()
                .map(|file| u64::try_from(file.size).unwrap_or_default())
                .sum(),
            expectations: judged.results,
            moments: judged.moments,
            software: self.request.software.clone(),
            started_at: self.request.now,
            committed_at: self.request.now,
        }
    }
}

/// Where decided rows go.
struct Output {
    writer: Option<write::TableWriter>,
    order: Vec<String>,
    event_time: Option<String>,
    ledger: SharedLedger,
    next: Next,
    rows: u64,
    event_times: Option<(i64, i64)>,
    /// The declared columns, and what they hold.
    declared: SchemaRef,
    statistics: StatisticsCollector,
    watch: Watch,
}

impl Output {
    fn new(ingestion: &Ingestion, table: &DeltaTable, next: Next) -> Result<Self, StoreError> {
        let group = &ingestion.request.group;
        let name = group.reference().to_string();
        let declared = group_schema(group)?;
        let writer = match ingestion.request.earnest {
            Earnest::Commit => Some(table_writer(table, &name)?),
            Earnest::DryRun => None,
        };
        Ok(Self {
            writer,
            order: order_columns(group),
            event_time: group.event_time.as_ref().map(ToString::to_string),
            ledger: ingestion.ledger.clone(),
            next,
            rows: 0,
            event_times: None,
            statistics: StatisticsCollector::new(&declared),
            declared,
            watch: Watch::new(group, ingestion.spill.path()),
        })
    }

    async fn take(&mut self, rows: RecordBatch) -> Result<(), StoreError> {
        self.rows += rows.num_rows() as u64;
        let times = self.event_time.as_ref().and_then(|name| rows.column_by_name(name));
        if let Some(times) = times.map(|times| times.as_primitive::<TimestampMicrosecondType>())
            && let (Some(first), Some(last)) = (arrow::compute::min(times), arrow::compute::max(times))
        {
            let (known_first, known_last) = self.event_times.unwrap_or((first, last));
            self.event_times = Some((known_first.min(first), known_last.max(last)));
        }
        if self.ledger.lock().is_refused() {
            return Ok(());
        }
        self.watch.see(&rows)?;
        match &mut self.writer {
            Some(writer) => {
                let columns = self
                    .declared
                    .fields()
                    .iter()
                    .map(|field| rows.schema().index_of(field.name()));
                self.statistics
                    .update(&rows.project(&columns.collect::<Result<Vec<_>, _>>()?)?)?;
                writer
                    .write(stamp(&rows, self.next.known_at, self.next.ingest_id)?)
                    .await
            }
            _ => Ok(()),
        }
    }

    async fn finish(self) -> Result<Written, StoreError> {
        let files = match self.writer {
            Some(writer) => writer.finish(Some(&self.order)).await?,
            None => Vec::new(),
        };
        Ok(Written {
            files,
            rows: self.rows,
            event_times: self.event_times,
            statistics: self.statistics.finish(),
            watch: Some(self.watch),
        })
    }

    /// Forgets what has been written, after reading failed.
    async fn discard(self, ingestion: &Ingestion) {
        let folder = ingestion
            .request
            .store
            .group_folder(&ingestion.request.group.reference());
        if let Ok(written) = self.finish().await {
            discard(&folder, &written.files).await;
        }
    }
}
