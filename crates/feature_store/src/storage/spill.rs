//! Work in bounded memory: what does not fit goes to disk, and is removed with the work.

use std::path::Path;
use std::sync::Arc;

use datafusion::config::SpillCompression;
use datafusion::execution::TaskContext;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::SessionConfig;

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
