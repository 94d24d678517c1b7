//! One graph at a time in a process.
//!
//! A backward pass of Burn 0.21 looks through the graphs of all threads for nodes that nobody holds, and may free some of a graph that another
//! thread is still building: that thread's gradients then silently miss a part. So whoever builds a graph and goes back through it holds
//! this lock meanwhile. Kernels use as many threads as there are inside of it.

use std::sync::{Mutex, MutexGuard, PoisonError};

static GRAPH: Mutex<()> = Mutex::new(());

/// Waits until no other thread builds a graph, and keeps others from it until it is dropped.
///
/// Two runs may not share a pool of threads: one that waits for the pool within the lock could be given the other's work.
pub fn one_graph() -> MutexGuard<'static, ()> {
    GRAPH.lock().unwrap_or_else(PoisonError::into_inner)
}
