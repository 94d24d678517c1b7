//! Writing derived rows, which come in total order, into files of the group's table: one after the other, each sorted, none so large
//! that it weighs on memory. Two are written at once: while one is compressed, the next begins.

use std::collections::VecDeque;
use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use definitions::{FeatureGroup, WallTime};
use deltalake::DeltaTable;
use deltalake::kernel::Add;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::columns::numbered;
use super::expected::{Expected, Held};
use crate::StoreError;
use crate::ingest::{discard_files, group_writer};
use crate::storage::{KNOWN_AT, Store, order_columns};

/// Rows of a file, about.
const FILE_ROWS: usize = 1 << 20;
/// Files that are written at once.
const AT_ONCE: usize = 2;
/// Batches that wait for a file's writer.
const IN_FLIGHT: usize = 4;

/// What was written.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// The files.
    pub files: Vec<Add>,
    /// Their rows.
    pub rows: u64,
    /// The first and the last event time.
    pub event_times: Option<(i64, i64)>,
    /// The latest time at which a row became known.
    pub known_at: Option<i64>,
}

/// A file on its way.
struct OpenFile {
    batches: mpsc::Sender<RecordBatch>,
    rows: usize,
    task: JoinHandle<Result<Vec<Add>, StoreError>>,
}

/// Writes rows into files.
pub(super) struct DerivedWriter<'a> {
    store: &'a Store,
    table: &'a DeltaTable,
    group: &'a FeatureGroup,
    ingest_id: i64,
    file_rows: usize,
    open: Option<OpenFile>,
    closing: VecDeque<JoinHandle<Result<Vec<Add>, StoreError>>>,
    written: Written,
    expected: Expected<'a>,
}

impl<'a> DerivedWriter<'a> {
    /// Files of a table, for a materialisation with this number; the folder is for what its expectations put on disk.
    pub fn new(
        store: &'a Store,
        table: &'a DeltaTable,
        group: &'a FeatureGroup,
        ingest_id: i64,
        folder: &Path,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            expected: Expected::new(store, table, group, folder)?,
            store,
            table,
            group,
            ingest_id,
            // Files of many columns have fewer rows.
            file_rows: (FILE_ROWS * 16 / group.features.len().max(16)).max(1 << 16),
            open: None,
            closing: VecDeque::new(),
            written: Written::default(),
        })
    }

    /// The rows take the place of all that the table holds.
    pub fn takes_the_place_of_all(&mut self) {
        self.expected.takes_the_place_of_all();
    }

    /// How many rows were written.
    pub fn rows(&self) -> u64 {
        self.written.rows
    }

    /// Writes the next rows.
    pub async fn write(&mut self, rows: &RecordBatch) -> Result<(), StoreError> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        self.see(rows);
        let rows = &self.expected.hold(rows)?;
        let first = i64::try_from(self.written.rows).unwrap_or(i64::MAX);
        let batch = numbered(rows, self.ingest_id, first)?;
        self.written.rows += rows.num_rows() as u64;
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin().await?,
        };
        open.rows += rows.num_rows();
        if open.batches.send(batch).await.is_err() {
            // The writer ended early: it says why.
            self.closed(open.task).await?;
            return Err(StoreError::Task {
                detail: "a file was closed too early".to_owned(),
            });
        }
        if open.rows >= self.file_rows {
            drop(open.batches);
            self.closing.push_back(open.task);
        } else {
            self.open = Some(open);
        }
        Ok(())
    }

    async fn begin(&mut self) -> Result<OpenFile, StoreError> {
        while self.closing.len() >= AT_ONCE {
            if let Some(oldest) = self.closing.pop_front() {
                self.closed(oldest).await?;
            }
        }
        let mut writer = group_writer(self.table, &self.group.reference().to_string())?;
        let order = order_columns(self.group);
        let (batches, mut waiting) = mpsc::channel::<RecordBatch>(IN_FLIGHT);
        let task = tokio::spawn(async move {
            while let Some(batch) = waiting.recv().await {
                writer.write(batch).await?;
            }
            writer.finish(Some(&order)).await
        });
        Ok(OpenFile { batches, rows: 0, task })
    }

    async fn closed(&mut self, task: JoinHandle<Result<Vec<Add>, StoreError>>) -> Result<(), StoreError> {
        let files = task.await.map_err(|error| StoreError::Task {
            detail: error.to_string(),
        })??;
        self.written.files.extend(files);
        Ok(())
    }

    fn see(&mut self, rows: &RecordBatch) {
        let range = |name: &str| {
            let times = rows
                .column_by_name(name)?
                .as_primitive_opt::<TimestampMicrosecondType>()?;
            Some((arrow::compute::min(times)?, arrow::compute::max(times)?))
        };
        let event_time = self.group.event_time.as_ref();
        if let Some((first, last)) = event_time.and_then(|name| range(name.as_str())) {
            let (before, after) = self.written.event_times.unwrap_or((first, last));
            self.written.event_times = Some((before.min(first), after.max(last)));
        }
        let known = range(KNOWN_AT).map(|(_, last)| last);
        self.written.known_at = self.written.known_at.max(known);
    }

    /// Completes the files, if their rows are what the group expects.
    pub async fn finish(mut self, now: WallTime, memory: u64) -> Result<(Written, Held), StoreError> {
        let closed = self.close().await;
        let Self {
            store,
            table,
            group,
            expected,
            written,
            ..
        } = self;
        let judged = match closed {
            Ok(()) => expected.finish(table, &written.files, now, memory).await,
            Err(error) => Err(error),
        };
        let failed = match judged {
            Ok(held) => {
                let unmet = held.unmet();
                if unmet.is_empty() {
                    return Ok((written, held));
                }
                let group = group.reference();
                StoreError::Unmet { group, unmet }
            }
            Err(error) => error,
        };
        discard_files(&store.group_folder(&group.reference()), &written.files).await;
        Err(failed)
    }

    async fn close(&mut self) -> Result<(), StoreError> {
        let open = self.open.take().map(|open| open.task);
        let mut failed = None;
        for task in std::mem::take(&mut self.closing).into_iter().chain(open) {
            if let Err(error) = self.closed(task).await {
                failed.get_or_insert(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Forgets what was written.
    pub async fn discard(mut self) {
        // What failed to be written is not there to be removed.
        let _closed = self.close().await;
        discard_files(&self.store.group_folder(&self.group.reference()), &self.written.files).await;
    }
}
