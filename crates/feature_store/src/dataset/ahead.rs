//! Reading ahead: while a batch is worked on, the next ones are read and decoded on a thread of their own, also those of the next row group
//! or file.
//!
//! ```text
//!   reading thread     │ batch 2 │ batch 3 │ … waits
//!   who works          │ batch 1           │ batch 2
//! ```
//!
//! Memory: one batch waits and one is being read, beside the one that is worked on. The thread ends with the rows, with the first error, or
//! when nobody takes more.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use crate::StoreError;

/// Items that wait.
const WAITING: usize = 1;

/// Gives what another iterator gives, which runs ahead of it.
pub(super) struct Ahead<T> {
    waiting: Option<Receiver<Result<T, StoreError>>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Ahead<T> {
    /// Begins to read.
    pub(super) fn of(items: impl Iterator<Item = Result<T, StoreError>> + Send + 'static) -> Self {
        let (give, waiting) = sync_channel(WAITING);
        let thread = std::thread::spawn(move || {
            for item in items {
                let is_last = item.is_err();
                if give.send(item).is_err() || is_last {
                    return;
                }
            }
        });
        Self {
            waiting: Some(waiting),
            thread: Some(thread),
        }
    }

    fn died(&mut self) -> Option<StoreError> {
        let ended = self.thread.take()?.join();
        ended.err().map(|_| StoreError::Task {
            detail: "reading rows ended in a panic".to_owned(),
        })
    }
}

impl<T: Send + 'static> Iterator for Ahead<T> {
    type Item = Result<T, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.waiting.as_ref()?.recv() {
            Ok(item) => Some(item),
            Err(_) => self.died().map(Err),
        }
    }
}

impl<T> Drop for Ahead<T> {
    fn drop(&mut self) {
        // Nobody takes more: a reader that waits to give ends.
        self.waiting = None;
        if let Some(thread) = self.thread.take() {
            // What went wrong is of no use to anybody any more.
            let _ended = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may")]

    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    use super::*;

    fn counted(upto: usize) -> (impl Iterator<Item = Result<usize, StoreError>> + Send, Arc<AtomicUsize>) {
        let made = Arc::new(AtomicUsize::new(0));
        let counter = made.clone();
        let items = (0..upto).map(move |item| {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(item)
        });
        (items, made)
    }

    #[test]
    fn next_items_are_read_while_one_is_worked_on_and_no_more() {
        let (items, made) = counted(100);
        let mut ahead = Ahead::of(items);
        assert_eq!(ahead.next().unwrap().unwrap(), 0);
        // One is worked on, one waits, one is in the reader's hands.
        let begun = Instant::now();
        while made.load(Ordering::SeqCst) < 3 && begun.elapsed() < Duration::from_secs(10) {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(made.load(Ordering::SeqCst), 3);
        assert_eq!(
            ahead.map(Result::unwrap).collect::<Vec<_>>(),
            (1..100).collect::<Vec<_>>()
        );
    }

    #[test]
    fn reader_ends_when_nobody_takes_more_and_at_the_first_error() {
        let (items, made) = counted(1_000_000);
        drop(Ahead::of(items));
        assert!(made.load(Ordering::SeqCst) < 10);
        let failing = (0..5).map(|item| match item {
            2 => Err(StoreError::Task {
                detail: "two".to_owned(),
            }),
            item => Ok(item),
        });
        let given: Vec<_> = Ahead::of(failing).map(|item| item.is_ok()).collect();
        assert_eq!(given, [true, true, false]);
    }

    #[test]
    fn panic_of_the_reader_is_an_error() {
        let panics = (0..3).map(|item| {
            assert!(item < 1, "a bug");
            Ok(item)
        });
        let given: Vec<_> = Ahead::of(panics).map(|item| item.is_ok()).collect();
        assert_eq!(given, [true, false]);
    }
}
