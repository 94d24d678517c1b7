//! Work in bounded memory: what does not fit goes to disk, and is removed with the work.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::config::SpillCompression;
use datafusion::execution::TaskContext;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::SessionConfig;

use super::Store;
use crate::StoreError;
use crate::error::file_error;

/// A folder for what work puts on disk, which goes away with it. Its name begins with the process, so that what a killed one left behind
/// can be told from what is in use.
#[derive(Debug)]
pub(crate) struct SpillFolder(PathBuf);

impl SpillFolder {
    /// A new one.
    pub(crate) fn new(store: &Store) -> Result<Self, StoreError> {
        let name = format!("{}-{}", std::process::id(), uuid::Uuid::new_v4());
        let folder = store.spill_folder().join(name);
        std::fs::create_dir_all(&folder).map_err(file_error(folder.as_path()))?;
        Ok(Self(folder))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SpillFolder {
    fn drop(&mut self) {
        // What cannot be removed is left for `gc`.
        let _left = std::fs::remove_dir_all(&self.0);
    }
}

/// The share of the memory that a sort keeps back for merging what it spilled.
const MERGE_SHARE: u64 = 4;

/// A context for work that holds so many bytes in memory, in batches of so many rows, and spills the rest to a folder.
pub(crate) fn spilling_context(
    memory: u64,
    threads: usize,
    rows: usize,
    folder: &Path,
) -> datafusion::error::Result<TaskContext> {
    let disk = DiskManagerBuilder::default()
        .with_mode(DiskManagerMode::Directories(vec![folder.to_owned()]))
        .with_max_temp_directory_size(u64::MAX);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(
            usize::try_from(memory).unwrap_or(usize::MAX),
        )))
        .with_disk_manager_builder(disk)
        .build_arc()?;
    let mut config = SessionConfig::new()
        .with_batch_size(rows)
        .with_target_partitions(threads.max(1));
    let reservation = usize::try_from(memory / MERGE_SHARE).unwrap_or(usize::MAX);
    config.options_mut().execution.sort_spill_reservation_bytes = reservation;
    config.options_mut().execution.spill_compression = SpillCompression::Lz4Frame;
    Ok(TaskContext::default().with_session_config(config).with_runtime(runtime))
}
