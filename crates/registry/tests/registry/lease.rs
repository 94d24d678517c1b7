use std::time;

use definitions::Duration;
use registry::{Lease, LeaseOutcome, LeaseRequest, RegistryError, Waiting};

use crate::fixture::{Place, at};

pub fn request(holder: &str, ttl_seconds: i64) -> LeaseRequest {
    let ttl = Duration::from_micros(ttl_seconds * 1_000_000).unwrap();
    LeaseRequest {
        resource: "feature_groups/metrics/v1".to_owned(),
        holder: holder.to_owned(),
        ttl,
    }
}

fn held(outcome: LeaseOutcome) -> Lease {
    match outcome {
        LeaseOutcome::Held(lease) => lease,
        LeaseOutcome::Busy(lease) => panic!("{lease:?}"),
    }
}

#[tokio::test]
async fn lease_is_held_by_one_until_it_is_given_back() {
    let place = Place::fresh().await;
    let registry = &place.registry;
    let first = held(registry.acquire(&request("a", 60), at(100)).await.unwrap());
    assert_eq!((first.acquired_at, first.expires_at), (at(100), at(160)));
    assert_eq!(
        registry.acquire(&request("b", 60), at(159)).await.unwrap(),
        LeaseOutcome::Busy(first.clone())
    );
    assert_eq!(registry.leases().await.unwrap(), std::slice::from_ref(&first));
    registry.release(&first).await.unwrap();
    let second = held(registry.acquire(&request("b", 60), at(101)).await.unwrap());
    assert!(second.token > first.token);
    let mut other = request("c", 60);
    other.resource = "feature_groups/hosts/v1".to_owned();
    held(registry.acquire(&other, at(101)).await.unwrap());
}

#[tokio::test]
async fn lease_that_ended_is_taken_over_and_its_old_holder_can_touch_nothing() {
    let place = Place::fresh().await;
    let registry = &place.registry;
    let old = held(registry.acquire(&request("a", 60), at(100)).await.unwrap());
    let new = held(registry.acquire(&request("b", 60), at(160)).await.unwrap());
    let error = registry.renew(&old, Duration::ZERO, at(161)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the lease on `feature_groups/metrics/v1` was lost: it is held by `b`"
    );
    registry.release(&old).await.unwrap();
    assert_eq!(registry.leases().await.unwrap(), [new]);
}

#[tokio::test]
async fn renewed_lease_stands_longer_and_a_lost_one_is_not_renewed() {
    let place = Place::fresh().await;
    let registry = &place.registry;
    let lease = held(registry.acquire(&request("a", 60), at(100)).await.unwrap());
    // It had ended, but nobody took it.
    let renewed = registry.renew(&lease, request("a", 60).ttl, at(170)).await.unwrap();
    assert_eq!(renewed.expires_at, at(230));
    assert!(matches!(
        registry.acquire(&request("b", 60), at(229)).await.unwrap(),
        LeaseOutcome::Busy(_)
    ));
    registry.release(&renewed).await.unwrap();
    let error = registry.renew(&renewed, Duration::ZERO, at(231)).await.unwrap_err();
    assert!(error.to_string().ends_with("it is held by nobody"), "{error}");
}

#[tokio::test]
async fn lease_of_a_holder_that_is_gone_is_taken_over_at_once_but_only_that_one() {
    let place = Place::fresh().await;
    let registry = &place.registry;
    let dead = held(registry.acquire(&request("dead", 60), at(100)).await.unwrap());
    let taken = held(registry.take_over(&request("b", 60), &dead, at(101)).await.unwrap());
    // A third process saw the same dead holder, too late.
    assert_eq!(
        registry.take_over(&request("c", 60), &dead, at(102)).await.unwrap(),
        LeaseOutcome::Busy(taken)
    );
}

#[tokio::test]
async fn waiting_ends_with_the_patience_and_says_who_holds_it() {
    let place = Place::fresh().await;
    held(place.registry.acquire(&request("a", 60), at(100)).await.unwrap());
    let (clock, is_gone) = (|| at(101), |_: &str| false);
    let waiting = Waiting {
        patience: time::Duration::from_millis(120),
        clock: &clock,
        is_gone: &is_gone,
    };
    let error = place
        .registry
        .acquire_waiting(&request("b", 60), waiting)
        .await
        .unwrap_err();
    assert!(matches!(error, RegistryError::LeaseBusy { .. }));
    assert_eq!(
        error.to_string(),
        "`feature_groups/metrics/v1` is being written by `a`, whose lease ends at 1970-01-01T00:02:40Z"
    );
}

#[tokio::test]
async fn waiting_ends_when_the_lease_is_given_back_or_its_holder_is_gone() {
    let place = Place::fresh().await;
    let registry = &place.registry;
    let lease = held(registry.acquire(&request("a", 60), at(100)).await.unwrap());
    let clock = || at(101);
    let (alive, gone) = (|_: &str| false, |holder: &str| holder == "b");
    let patience = time::Duration::from_secs(20);
    let (b, c) = (request("b", 60), request("c", 60));
    let waiting = registry.acquire_waiting(
        &b,
        Waiting {
            patience,
            clock: &clock,
            is_gone: &alive,
        },
    );
    let later = async {
        tokio::time::sleep(time::Duration::from_millis(100)).await;
        registry.release(&lease).await.unwrap();
    };
    let (lease, ()) = tokio::join!(waiting, later);
    assert_eq!(lease.unwrap().holder, "b");
    let lease = registry
        .acquire_waiting(
            &c,
            Waiting {
                patience,
                clock: &clock,
                is_gone: &gone,
            },
        )
        .await
        .unwrap();
    assert_eq!(lease.holder, "c");
}
