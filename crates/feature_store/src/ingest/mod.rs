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
//! `ledger` and `quarantine` are about rows at fault, `receipt` is what remains.

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
mod parquet_rows;
mod quarantine;
mod raw;
mod receipt;
mod rows;
mod seems;
mod sort;
mod source;
mod typed_file;
pub(crate) mod violation;
mod write;

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use definitions::{EventTime, FeatureGroup, Fingerprint, KnownAt, WallTime};
use deltalake::DeltaTable;
use deltalake::kernel::Add;
use futures::TryStreamExt;

use check::{Rules, null_excesses};
use commit::{Staged, commit_ingestion};
use dedupe::Dedupe;
use feed::{Feed, SharedLedger};
use ledger::Ledger;
use receipt::{Next, ingestion_of_content, next};
use rows::wanted_columns;
use source::{Source, content_hash, find_sources};
use write::{discard, stamp, table_writer};

use crate::StoreError;
use crate::error::plan_error;
use crate::storage::{Store, open_group, order_columns, wanted_retention};

pub use commit::Repeat;
pub use format::FileFormat;
pub use receipt::{IngestOutcome, IngestReceipt, ingestions};
pub use source::SourceReceipt;
pub use typed_file::{read_typed_file, sample_file};

pub(crate) use quarantine::{INGESTION, quarantine_schema};
pub(crate) use receipt::{INGEST_TXN, KNOWN_AT_TXN, RECEIPT, next as next_ingestion, receipt_of};
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

/// A folder that goes away with its owner.
struct SpillFolder(PathBuf);

impl Drop for SpillFolder {
    fn drop(&mut self) {
        // What cannot be removed is left for `gc`.
        let _left = std::fs::remove_dir_all(&self.0);
    }
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
}

impl Ingestion {
    fn new(request: IngestRequest, sources: Vec<Source>, content: Fingerprint) -> Result<Self, StoreError> {
        let id = uuid::Uuid::new_v4().to_string();
        let spill = SpillFolder(request.store.spill_folder().join(&id));
        std::fs::create_dir_all(&spill.0).map_err(crate::error::file_error(&spill.0))?;
        let columns = request.group.stored_columns().len();
        let ledger = SharedLedger::new(Ledger::new(sources.len(), columns, &spill.0));
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
        let written = self.write(table, next).await?;
        if self.ledger.lock().is_refused() {
            discard(&folder, &written.files).await;
            let violations = self.ledger.lock().violations(reference);
            return Err(StoreError::Violations(Box::new(violations)));
        }
        let excesses = null_excesses(group, &self.ledger.lock());
        if !excesses.is_empty() {
            discard(&folder, &written.files).await;
            return Err(StoreError::TooManyNulls {
                group: reference,
                excesses,
            });
        }
        let receipt = self.receipt(&written, next, table);
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
        commit_ingestion(&self.request.store, group, staged, receipt, self.request.repeat).await
    }

    /// Reads, sorts and writes all rows; as soon as one row refuses the ingestion, nothing more is written, but all rows are read, so
    /// that all that is wrong can be said.
    async fn write(&self, table: &DeltaTable, next: Next) -> Result<Written, StoreError> {
        let group = &self.request.group;
        let wanted = wanted_columns(group);
        let rules = Arc::new(Rules::of(group, &wanted));
        let feed = Feed {
            group: group.clone(),
            wanted: wanted.clone(),
            sources: self.sources.clone(),
            rules: rules.clone(),
            ledger: self.ledger.clone(),
            progress: self.request.progress.clone(),
        };
        let name = group.reference().to_string();
        let mut rows = sort::sorted_rows(feed, self.request.memory, &self.spill.0)?;
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

    fn receipt(&self, written: &Written, next: Next, table: &DeltaTable) -> IngestReceipt {
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
}

impl Output {
    fn new(ingestion: &Ingestion, table: &DeltaTable, next: Next) -> Result<Self, StoreError> {
        let group = &ingestion.request.group;
        let name = group.reference().to_string();
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
        let is_refused = self.ledger.lock().is_refused();
        match &mut self.writer {
            Some(writer) if !is_refused => {
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
