//! Leases: one writer of a resource at a time, among all processes, and none for ever.
//!
//! A lease is a row with an end. Whoever asks while it stands is told who holds it; once it has ended, or its holder is known to be
//! gone, the next one takes it over. Every lease has a token that no other lease ever had: a holder that slept through its end
//! cannot renew or release what has become somebody else's.

use std::time;

use definitions::{Duration, WallTime};
use serde::Serialize;

use crate::{Registry, RegistryError};

/// What is to be leased, by whom, for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRequest {
    /// What is leased: `feature_groups/server_metrics/v1`.
    pub resource: String,
    /// Who asks.
    pub holder: String,
    /// How long it stands without being renewed.
    pub ttl: Duration,
}

/// A lease that is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lease {
    /// What is leased.
    pub resource: String,
    /// Who holds it.
    pub holder: String,
    /// Told to nobody else; larger than every token before it.
    pub token: i64,
    /// When it was taken.
    pub acquired_at: WallTime,
    /// When it ends, unless renewed.
    pub expires_at: WallTime,
}

/// What asking for a lease gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseOutcome {
    /// The caller holds it.
    Held(Lease),
    /// Somebody else does.
    Busy(Lease),
}

/// How to wait for a lease.
#[derive(Clone, Copy)]
pub struct Waiting<'a> {
    /// How long to try.
    pub patience: time::Duration,
    /// The wall clock.
    pub clock: &'a (dyn Fn() -> WallTime + Sync),
    /// Whether a holder is certainly gone, so that its lease need not run out first.
    pub is_gone: &'a (dyn Fn(&str) -> bool + Sync),
}

impl Registry {
    /// Takes a lease that is free or has ended.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn acquire(&self, request: &LeaseRequest, now: WallTime) -> Result<LeaseOutcome, RegistryError> {
        todo!()
    }

    /// Takes a lease away from a holder that is known to be gone: granted if that very lease still stands, or none does.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn take_over(
        &self,
        request: &LeaseRequest,
        from: &Lease,
        now: WallTime,
    ) -> Result<LeaseOutcome, RegistryError> {
        todo!()
    }

    /// Takes a lease, waiting for its holder to give it back, to let it run out, or to be gone.
    ///
    /// # Errors
    /// `LeaseBusy` when the patience is at an end.
    pub async fn acquire_waiting(&self, request: &LeaseRequest, waiting: Waiting<'_>) -> Result<Lease, RegistryError> {
        todo!()
    }

    /// Lets a lease stand for its time to live from now on. One that has ended may be renewed while nobody has taken it.
    ///
    /// # Errors
    /// `LeaseLost` when somebody has.
    pub async fn renew(&self, lease: &Lease, ttl: Duration, now: WallTime) -> Result<Lease, RegistryError> {
        todo!()
    }

    /// Gives a lease back. Giving back one that was lost changes nothing.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn release(&self, lease: &Lease) -> Result<(), RegistryError> {
        todo!()
    }

    /// Every lease there is, also those that have ended and not been taken since.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn leases(&self) -> Result<Vec<Lease>, RegistryError> {
        todo!()
    }
}
