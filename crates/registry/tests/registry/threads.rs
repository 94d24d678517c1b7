//! Eight threads, each with its own handle on the same file, as eight processes would have.

use std::path::Path;
use std::sync::Barrier;

use registry::{Expected, LeaseOutcome, Registry, RegistryError};

use crate::alias::change;
use crate::fixture::{Place, at, model_files, name, new_model, new_run, register, version};
use crate::lease::request;

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// What eight threads got, all started at once.
fn eight<T: Send>(file: &Path, work: impl AsyncFn(Registry, u32) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(8);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|number| {
                let (barrier, work) = (&barrier, &work);
                scope.spawn(move || {
                    block_on(async {
                        let registry = Registry::open_existing(file).await.unwrap();
                        barrier.wait();
                        work(registry, number).await
                    })
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn racing_compare_and_swap_of_an_alias_is_won_by_one() {
    let place = block_on(async {
        let place = Place::with_definitions().await;
        for _ in 0..9 {
            register(&place.registry, "cpu", 3.0).await.unwrap();
        }
        place.registry.set_alias(&change(None), version(9)).await.unwrap();
        place
    });
    let moved = eight(&place.file(), async |registry, number| {
        let expect = Some(Expected::Version(version(9)));
        registry.set_alias(&change(expect), version(number + 1)).await
    });
    let winners: Vec<_> = moved.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
    assert_eq!(winners.len(), 1);
    for lost in moved.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert!(
            matches!(lost, RegistryError::AliasConflict { found, .. } if *found == winners[0].to),
            "{lost}"
        );
    }
    let history = block_on(place.registry.alias_history(&name("cpu"), None)).unwrap();
    assert_eq!((history.len(), history[0].to), (2, winners[0].to));
}

#[test]
fn racing_registrations_get_dense_numbers() {
    let place = block_on(Place::with_definitions());
    block_on(crate::fixture::dataset(&place.registry, "pins"));
    let registered = eight(&place.file(), async |registry, number| {
        let mut numbers = Vec::new();
        for _ in 0..10 {
            let mut run = new_run();
            run.holder = number.to_string();
            let run = registry.start_run(&run).await.unwrap();
            let publish = |version| Ok(model_files(format!("models/cpu/{version}")));
            let registered = registry
                .register_model(&new_model("cpu", run, 3.0), publish)
                .await
                .unwrap();
            numbers.push(registered.reference.version.number());
        }
        numbers
    });
    let mut numbers: Vec<u32> = registered.concat();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=80).collect::<Vec<_>>());
    assert!(block_on(place.registry.check()).unwrap().is_whole());
}

#[test]
fn racing_requests_for_a_lease_are_granted_once() {
    let place = block_on(Place::fresh());
    for round in 0..10 {
        let outcomes = eight(&place.file(), async |registry, number| {
            registry
                .acquire(&request(&number.to_string(), 60), at(100 * round))
                .await
                .unwrap()
        });
        let held: Vec<_> = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, LeaseOutcome::Held(_)))
            .collect();
        assert_eq!(held.len(), 1, "{outcomes:?}");
    }
}

#[test]
fn racing_datasets_with_the_same_pins_are_one() {
    let place = block_on(Place::with_definitions());
    let datasets = eight(&place.file(), async |registry, _| {
        crate::fixture::dataset(&registry, "pins").await
    });
    assert!(datasets.iter().all(|dataset| dataset.reference.number == 1));
}

#[test]
fn tasks_of_one_process_may_share_a_handle() {
    let place = block_on(Place::with_definitions());
    block_on(async {
        let registry = &place.registry;
        crate::fixture::dataset(registry, "pins").await;
        let (new, other) = (new_run(), new_run());
        let start = |run| async move { registry.start_run(run).await.unwrap() };
        let ids = tokio::join!(
            start(&new),
            start(&other),
            start(&new),
            start(&other),
            start(&new),
            start(&other)
        );
        let mut ids: Vec<_> = <[_; 6]>::from(ids).iter().map(|id| id.0).collect();
        ids.sort_unstable();
        assert_eq!(ids, [1, 2, 3, 4, 5, 6]);
    });
}
