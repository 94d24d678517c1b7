//! Any number of threads loads the same batches in the same order.

use std::ops::ControlFlow;

use super::panels::rows;
use crate::TftError;
use crate::data::{Batch, Gathering, Loading, Panel, Sampling, Scalers, Scaling, Shape, load, windows};

const SHAPE: Shape = Shape { context: 6, horizon: 3 };

fn loaded(threads: usize, batches: std::ops::Range<usize>, stop_after: usize) -> Vec<(usize, Batch)> {
    let panel = Panel::new(rows(1)).unwrap();
    let scalers = Scalers::fit(&panel, 18, Scaling::Entity);
    let windows = windows(&panel, SHAPE, &(0..100), 1).unwrap();
    let gathering = Gathering::new(&panel, &scalers, SHAPE, 2).forgetting(0.3, 1);
    let sampling = Sampling {
        seed: 3,
        batch: 4,
        limit: None,
    };
    let order = sampling.order(2, windows.len());
    let loading = Loading {
        gathering: &gathering,
        windows: &windows,
        order: &order,
        batch: 4,
        batches,
        draw: 100,
        threads,
    };
    let mut found = Vec::new();
    let taken = load(&loading, |number, batch| {
        found.push((number, batch.clone()));
        Ok(if found.len() == stop_after {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    });
    taken.unwrap();
    found
}

#[test]
fn batches_are_the_same_for_any_number_of_threads() {
    let wanted = loaded(0, 0..9, 100);
    assert_eq!(
        wanted.iter().map(|(number, _)| *number).collect::<Vec<_>>(),
        (0..9).collect::<Vec<_>>()
    );
    for threads in [1, 2, 5] {
        assert_eq!(loaded(threads, 0..9, 100), wanted, "{threads}");
        assert_eq!(loaded(threads, 4..9, 100), wanted[4..], "{threads}");
        assert_eq!(loaded(threads, 0..9, 3), wanted[..3], "{threads}");
    }
}

#[test]
fn error_of_a_step_ends_the_loading() {
    let panel = Panel::new(rows(1)).unwrap();
    let scalers = Scalers::fit(&panel, 18, Scaling::Entity);
    let windows = windows(&panel, SHAPE, &(0..100), 1).unwrap();
    let gathering = Gathering::new(&panel, &scalers, SHAPE, 2);
    let order: Vec<u32> = (0..windows.len() as u32).collect();
    let loading = Loading {
        gathering: &gathering,
        windows: &windows,
        order: &order,
        batch: 1,
        batches: 0..order.len(),
        draw: 0,
        threads: 3,
    };
    assert!(matches!(
        load(&loading, |_, _| Err(TftError::Loader)),
        Err(TftError::Loader)
    ));
}

#[test]
fn epoch_holds_every_window_at_most_once_in_full_batches() {
    let sampling = Sampling {
        seed: 1,
        batch: 4,
        limit: None,
    };
    for (windows, wanted) in [(0, 0), (3, 3), (4, 4), (11, 8), (12, 12)] {
        let mut order = sampling.order(7, windows);
        assert_eq!(order.len(), wanted);
        order.sort_unstable();
        order.dedup();
        assert_eq!(order.len(), wanted);
    }
    assert_ne!(sampling.order(1, 100), sampling.order(2, 100));
    let limited = Sampling {
        limit: Some(8),
        ..sampling
    };
    assert_eq!((limited.order(1, 100).len(), limited.batches(100)), (8, 2));
}
