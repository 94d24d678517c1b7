//! Threads that gather batches ahead of the step.
//!
//! A thread takes a free buffer, then the number of the next batch, gathers, and hands it over; the step takes batches by number. What a
//! batch holds depends on its number alone, so the number of threads changes nothing. Buffers go round: after the first few, nothing is
//! allocated, and threads that are too far ahead wait for one. A thread has its buffer before it has its number, so the batch that the
//! step waits for is always on its way.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};

use super::batch::{Batch, Gathering};
use super::windows::Window;
use crate::TftError;

/// What is loaded.
#[derive(Debug, Clone)]
pub struct Loading<'a> {
    /// Where from.
    pub gathering: &'a Gathering<'a>,
    /// The windows.
    pub windows: &'a [Window],
    /// The places of the windows of the epoch, batch after batch (`Sampling::order`).
    pub order: &'a [u32],
    /// Windows of a batch, at least 1; the last may have fewer.
    pub batch: usize,
    /// Which batches of the epoch.
    pub batches: Range<usize>,
    /// The number in the run of the epoch's first batch.
    pub draw: u64,
    /// Threads beside the one that takes the batches; 0: it gathers itself.
    pub threads: usize,
}

impl Loading<'_> {
    fn gather(&self, number: usize, windows: &mut Vec<Window>, batch: &mut Batch) {
        let places = self.order.iter().skip(number * self.batch).take(self.batch);
        windows.clear();
        windows.extend(places.filter_map(|place| self.windows.get(*place as usize)));
        self.gathering.gather(windows, self.draw + number as u64, batch);
    }
}

/// Gives `take` every batch in order, until it breaks.
///
/// # Errors
/// What `take` says; `Loader` when a thread stopped.
pub fn load(
    loading: &Loading<'_>,
    mut take: impl FnMut(usize, &Batch) -> Result<ControlFlow<()>, TftError>,
) -> Result<(), TftError> {
    if loading.threads == 0 {
        let (mut windows, mut batch) = (Vec::new(), Batch::default());
        for number in loading.batches.clone() {
            loading.gather(number, &mut windows, &mut batch);
            if take(number, &batch)?.is_break() {
                break;
            }
        }
        return Ok(());
    }
    let next = AtomicUsize::new(loading.batches.start);
    let (give_back, free) = mpsc::channel();
    let (hand_over, ready) = mpsc::channel();
    for _ in 0..loading.threads + 2 {
        give_back.send(Batch::default()).map_err(|_| TftError::Loader)?;
    }
    let free = Mutex::new(free);
    std::thread::scope(|scope| {
        for _ in 0..loading.threads {
            let (hand_over, free, next) = (hand_over.clone(), &free, &next);
            scope.spawn(move || {
                let mut windows = Vec::new();
                loop {
                    let buffer = free.lock().map(|free| free.recv());
                    let Ok(Ok(mut batch)) = buffer else { break };
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= loading.batches.end {
                        break;
                    }
                    loading.gather(number, &mut windows, &mut batch);
                    if hand_over.send((number, batch)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(hand_over);
        // Dropped at the end of this closure, before the threads are waited for: those without a buffer stop.
        let (give_back, ready) = (give_back, ready);
        let mut early: BTreeMap<usize, Batch> = BTreeMap::new();
        for wanted in loading.batches.clone() {
            let batch = loop {
                if let Some(batch) = early.remove(&wanted) {
                    break batch;
                }
                let (number, batch) = ready.recv().map_err(|_| TftError::Loader)?;
                early.insert(number, batch);
            };
            let control = take(wanted, &batch)?;
            // A thread that is done no longer takes buffers.
            let _ = give_back.send(batch);
            if control.is_break() {
                break;
            }
        }
        Ok(())
    })
}
