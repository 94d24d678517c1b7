//! How many threads work.

use tokio::runtime::{Builder, Runtime};

use crate::failure::{Failure, Outcome};

/// As many as asked for, else one per core.
pub fn count(asked: Option<u16>) -> usize {
    asked.map_or_else(
        || std::thread::available_parallelism().map_or(1, usize::from),
        usize::from,
    )
}

/// The runtime that I/O runs on.
pub fn runtime(threads: usize) -> Outcome<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(|error| Failure::platform(format!("cannot start {threads} threads: {error}")))
}
