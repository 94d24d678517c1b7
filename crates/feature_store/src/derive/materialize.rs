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
use std::path::Path;
use std::sync::Arc;

use definitions::{EventTime, FeatureGroup, GroupRef, WallTime};
use deltalake::DeltaTable;
use futures::StreamExt;
use tokio::sync::mpsc;

use super::columns::Columns;
use super::commit::{Seeing, commit_materialization};
use super::encoded::{Encoding, beside, encoded};
use super::features::Features;
use super::joined::rows_with_others;
use super::kernel::Reach;
use super::query::{Query, check_query, frame_of_query, reach_of_query};
use super::receipt::{Materialization, receipt};
use super::rows::{Rows, key_converter};
use super::seen::Seen;
use super::source::{Source, Whom};
use super::stretch::{Cut, Stretch, Stretcher, read};
use super::touched::{Frame, Span, Touched, needed_for};
use super::writer::DerivedWriter;
use crate::ingest::{IngestReceipt, discard_files, next_ingestion};
use crate::storage::{Sorting, SpillFolder, Store, open_group, wanted_retention};
use crate::{PinAt, StoreError, pin_group};

/// Rows of a stretch, about; few in tests, so that rows wait and are kept there too.
const STRETCH_ROWS: usize = if cfg!(test) { 7 } else { 1 << 15 };
/// Stretches that wait to be computed, and derived rows that wait to be written.
const IN_FLIGHT: usize = 1;
/// Rows of a batch of what is sorted for target encodings.
const SORTED_ROWS: usize = 8_192;

/// Which rows are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Those that what is new in the sources touches; all of them the first time.
    New,
    /// All of them.
    Full,
    /// All of them, in place of all that the table holds, revisions of before included.
    Anew,
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
    /// The definitions of all that they are derived from in turn; there may be more.
    pub groups: BTreeMap<GroupRef, FeatureGroup>,
    /// Which rows.
    pub extent: Extent,
    /// When it is.
    pub now: WallTime,
    /// Threads to compute with.
    pub threads: NonZeroUsize,
    /// What the sorts of a query, or of target encodings, may hold in memory, in bytes.
    pub memory: u64,
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

/// Materialises a derived group.
///
/// # Errors
/// `NotDerived` and `NotComputed` for a group that nothing computes; `Queried` where its query does not give its rows; `Unmet` where rows are not
/// what the group expects; whatever reading and writing give. After any error the group is as it was.
pub async fn materialize(request: MaterializeRequest) -> Result<Materialized, StoreError> {
    let group = &request.group;
    let reference = group.reference();
    let how = How::of(&request).await?;
    let table = open_group(&request.store, &reference, None).await?;
    wanted_retention(&table, &reference)?;
    let mut sources = Vec::with_capacity(request.sources.len());
    for source in &request.sources {
        sources.push(Source::open(&request.store, source).await?);
    }
    let before = Seen::last(&table, &reference).await?;
    for (source, before) in sources.iter_mut().zip(before.iter().flat_map(|before| &before.sources)) {
        source.remember(before);
    }
    let seen = Seen {
        sources: sources.iter().map(Source::seen).collect(),
    };
    let (touched, is_full) = match (request.extent, &before) {
        (Extent::Full | Extent::Anew, _) | (Extent::New, None) => (Touched::every(Span::ALL), true),
        (Extent::Between { from, to }, _) => (Touched::every(between(from, to)), false),
        (Extent::New, Some(before)) => (how.touched_since(&request.store, &sources, before).await?, false),
    };
    if touched.is_empty() && before.is_some() {
        return Ok(Materialized::UpToDate);
    }
    let work = Work {
        request: &request,
        table: &table,
        sources: &sources,
        how,
    };
    let receipt = work.run(touched, &seen).await?;
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

/// How a group's rows are made.
enum How {
    /// By declared functions.
    Features(Features),
    /// By a query that reaches so far.
    Query(Reach),
}

impl How {
    async fn of(request: &MaterializeRequest) -> Result<Self, StoreError> {
        let group = &request.group;
        match &group.derive {
            Some(derive) if derive.sql.is_some() => {
                check_query(group, &request.sources).await?;
                Ok(Self::Query(reach_of_query(group)))
            }
            Some(_) if !request.sources.is_empty() => {
                Ok(Self::Features(Features::of(group, &request.sources, &request.groups)?))
            }
            _ => Err(StoreError::NotDerived {
                group: group.reference(),
            }),
        }
    }

    fn encodings(&self) -> &[Encoding] {
        match self {
            Self::Features(features) => &features.encodings,
            Self::Query(_) => &[],
        }
    }

    /// The derived rows that what is new in the sources touches.
    async fn touched_since(&self, store: &Store, sources: &[Source], before: &Seen) -> Result<Touched, StoreError> {
        let mut touched = Touched::default();
        for (at, source) in sources.iter().enumerate() {
            let (frames, whom) = match self {
                Self::Query(reach) => (vec![frame_of_query(*reach)], Whom::Every),
                Self::Features(features) if at == 0 => (features.frames(), Whom::Own),
                // A row stands in all later rows of its entity, until another one does.
                Self::Features(features) => {
                    let upto = features.reach().ahead.micros();
                    (vec![Frame { after: None, upto }], Whom::Own)
                }
            };
            let before = before.sources.get(at);
            touched.add_all(source.touched_since(store, before, &frames, whom).await?);
            let labels = self.encodings().iter().map(Encoding::frame).collect::<Vec<_>>();
            if !labels.is_empty() {
                touched.add_all(source.touched_since(store, before, &labels, Whom::Every).await?);
            }
        }
        Ok(touched)
    }
}

/// A materialisation on its way.
struct Work<'a> {
    request: &'a MaterializeRequest,
    table: &'a DeltaTable,
    sources: &'a [Source],
    how: How,
}

impl Work<'_> {
    async fn run(self, touched: Touched, seen: &Seen) -> Result<IngestReceipt, StoreError> {
        let request = self.request;
        let reference = request.group.reference();
        let next = next_ingestion(self.table, &reference, request.now).await?;
        let spill = SpillFolder::new(&request.store)?;
        let mut writer = DerivedWriter::new(&request.store, self.table, &request.group, next.ingest_id, spill.path())?;
        if request.extent == Extent::Anew {
            writer.takes_the_place_of_all();
        }
        let read = match self.write(&mut writer, touched, spill.path()).await {
            Ok(read) => read,
            Err(error) => {
                writer.discard().await;
                return Err(error);
            }
        };
        let (written, mut held) = writer.finish(request.now, request.memory).await?;
        let made = Materialization {
            written: &written,
            held: &held,
            read: &read,
            ingest_id: next.ingest_id,
        };
        let receipt = receipt(request, self.sources, &made)?;
        // As an ingestion's: what is set aside of one that was never committed is seen by nobody.
        if let Err(error) = held
            .aside
            .commit(&request.store, &request.group, &receipt.ingestion)
            .await
        {
            discard_files(&request.store.group_folder(&reference), &written.files).await;
            return Err(error);
        }
        let seeing = Seeing {
            seen,
            extent: request.extent,
        };
        commit_materialization(&request.store, &request.group, &written.files, receipt, seeing).await
    }

    /// Reads, computes and writes; gives the number of rows read of each source.
    async fn write(
        &self,
        writer: &mut DerivedWriter<'_>,
        touched: Touched,
        spill: &Path,
    ) -> Result<Vec<u64>, StoreError> {
        let request = self.request;
        match &self.how {
            How::Features(features) => self.write_features(writer, touched, features, spill).await,
            How::Query(_) => {
                let mut present = pin_group(&request.store, &request.group, PinAt::Newest).await?;
                if request.extent == Extent::Anew {
                    present.files.clear();
                }
                let query = Query {
                    store: &request.store,
                    group: &request.group,
                    sources: self.sources,
                    memory: request.memory,
                };
                let progress = |read, written| {
                    (request.progress)(MaterializeProgress {
                        read,
                        to_read: read,
                        written,
                    });
                };
                query.write(writer, &touched, &present, progress).await
            }
        }
    }

    /// Reading, computing and writing go on at the same time.
    async fn write_features(
        &self,
        writer: &mut DerivedWriter<'_>,
        touched: Touched,
        features: &Features,
        spill: &Path,
    ) -> Result<Vec<u64>, StoreError> {
        let (request, reach) = (self.request, features.reach());
        let Some((source, others)) = self.sources.split_first() else {
            return Ok(Vec::new());
        };
        let rows = self.rows_with_encodings(features, &touched, spill).await?;
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
            features.clone(),
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
        let to_read = source.pin.rows();
        while let Some((rows, read)) = derived.recv().await {
            writer.write(&rows).await?;
            let written = writer.rows();
            (request.progress)(MaterializeProgress { read, to_read, written });
        }
        drop(derived);
        let died = |error: tokio::task::JoinError| StoreError::Task {
            detail: error.to_string(),
        };
        computing.await.map_err(died)??;
        let read = reading.await.map_err(died)??;
        Ok(std::iter::once(read)
            .chain(others.iter().map(|other| other.pin.rows()))
            .collect())
    }

    /// The rows of the first source that touched ones are made of, with the columns that are read and their encodings.
    async fn rows_with_encodings(
        &self,
        features: &Features,
        touched: &Touched,
        spill: &Path,
    ) -> Result<Rows, StoreError> {
        let Some((source, others)) = self.sources.split_first() else {
            return Ok(futures::stream::empty().boxed());
        };
        let store = &self.request.store;
        // Encodings are of all rows, one for each, so all rows are read.
        let from = match features.encodings.is_empty() {
            true => needed_for(touched.hull(), features.reach()).begin(),
            false => None,
        };
        let sorting = Sorting {
            memory: self.request.memory / features.encodings.len().max(1) as u64,
            rows: SORTED_ROWS,
            folder: spill,
        };
        let mut encodings = Vec::with_capacity(features.encodings.len());
        for encoding in &features.encodings {
            let read = [encoding.category.clone(), encoding.label.clone()];
            let rows = rows_with_others(store, source, others, &read, None).await?;
            encodings.push(encoded(rows, &source.group, encoding, sorting)?);
        }
        let rows = rows_with_others(store, source, others, &features.columns, from).await?;
        Ok(beside(rows, encodings))
    }
}
