//! Leases: one writer of a resource at a time, among all processes, and none for ever.
//!
//! A lease is a row with an end. Whoever asks while it stands is told who holds it; once it has ended, or its holder is known to be
//! gone, the next one takes it over. Every lease has a token that no other lease ever had: a holder that slept through its end
//! cannot renew or release what has become somebody else's.

use std::time;

use definitions::{Duration, WallTime};
use serde::Serialize;
use sqlx::SqliteConnection;

use crate::error::sql;
use crate::open::commit;
use crate::row::Columns;
use crate::{Registry, RegistryError};

/// How often a waiting process looks again.
const PAUSE: time::Duration = time::Duration::from_millis(50);

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
        // Looking first keeps those that wait out of the way of those that write.
        let mut look = self.read().await?;
        if let Some(lease) = standing(&mut look, &request.resource, now).await? {
            return Ok(LeaseOutcome::Busy(lease));
        }
        drop(look);
        self.grant(request, None, now).await
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
        self.grant(request, Some(from.token), now).await
    }

    /// Takes a lease, waiting for its holder to give it back, to let it run out, or to be gone.
    ///
    /// # Errors
    /// `LeaseBusy` when the patience is at an end.
    pub async fn acquire_waiting(&self, request: &LeaseRequest, waiting: Waiting<'_>) -> Result<Lease, RegistryError> {
        let start = time::Instant::now();
        loop {
            let now = (waiting.clock)();
            let lease = match self.acquire(request, now).await? {
                LeaseOutcome::Held(lease) => return Ok(lease),
                LeaseOutcome::Busy(lease) => lease,
            };
            if (waiting.is_gone)(&lease.holder)
                && let LeaseOutcome::Held(lease) = self.take_over(request, &lease, now).await?
            {
                return Ok(lease);
            }
            let left = waiting.patience.saturating_sub(start.elapsed());
            if left.is_zero() {
                let Lease {
                    resource,
                    holder,
                    expires_at,
                    ..
                } = lease;
                return Err(RegistryError::LeaseBusy {
                    resource,
                    holder,
                    until: expires_at,
                });
            }
            tokio::time::sleep(PAUSE.min(left)).await;
        }
    }

    /// Lets a lease stand for its time to live from now on. One that has ended may be renewed while nobody has taken it.
    ///
    /// # Errors
    /// `LeaseLost` when somebody has.
    pub async fn renew(&self, lease: &Lease, ttl: Duration, now: WallTime) -> Result<Lease, RegistryError> {
        let expires_at = end_of(ttl, now);
        let mut tx = self.write().await?;
        let renewed = sqlx::query("update leases set expires_at = ? where token = ? and resource = ?")
            .bind(expires_at.0)
            .bind(lease.token)
            .bind(&lease.resource)
            .execute(&mut *tx)
            .await
            .map_err(sql("renew a lease"))?;
        if renewed.rows_affected() == 0 {
            let holder = find(&mut tx, &lease.resource).await?.map(|lease| lease.holder);
            return Err(RegistryError::LeaseLost {
                resource: lease.resource.clone(),
                holder,
            });
        }
        commit(tx).await?;
        Ok(Lease {
            expires_at,
            ..lease.clone()
        })
    }

    /// Gives a lease back. Giving back one that was lost changes nothing.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn release(&self, lease: &Lease) -> Result<(), RegistryError> {
        let mut tx = self.write().await?;
        sqlx::query("delete from leases where token = ? and resource = ?")
            .bind(lease.token)
            .bind(&lease.resource)
            .execute(&mut *tx)
            .await
            .map_err(sql("give back a lease"))?;
        commit(tx).await
    }

    /// Every lease there is, also those that have ended and not been taken since.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn leases(&self) -> Result<Vec<Lease>, RegistryError> {
        let mut tx = self.read().await?;
        let rows = sqlx::query("select * from leases order by resource")
            .fetch_all(&mut *tx)
            .await;
        rows.map_err(sql("list the leases"))?
            .iter()
            .map(|row| lease(&Columns(row)))
            .collect()
    }
}

impl Registry {
    /// Gives the lease to the caller, unless one stands that is not the one to be replaced.
    async fn grant(
        &self,
        request: &LeaseRequest,
        replaced: Option<i64>,
        now: WallTime,
    ) -> Result<LeaseOutcome, RegistryError> {
        let mut tx = self.write().await?;
        if let Some(lease) = standing(&mut tx, &request.resource, now).await?
            && replaced != Some(lease.token)
        {
            return Ok(LeaseOutcome::Busy(lease));
        }
        let failed = sql("take a lease");
        sqlx::query("delete from leases where resource = ?")
            .bind(&request.resource)
            .execute(&mut *tx)
            .await
            .map_err(&failed)?;
        let expires_at = end_of(request.ttl, now);
        let inserted =
            sqlx::query("insert into leases (resource, holder, acquired_at, expires_at) values (?, ?, ?, ?)")
                .bind(&request.resource)
                .bind(&request.holder)
                .bind(now.0)
                .bind(expires_at.0)
                .execute(&mut *tx)
                .await
                .map_err(&failed)?;
        commit(tx).await?;
        Ok(LeaseOutcome::Held(Lease {
            resource: request.resource.clone(),
            holder: request.holder.clone(),
            token: inserted.last_insert_rowid(),
            acquired_at: now,
            expires_at,
        }))
    }
}

fn end_of(ttl: Duration, now: WallTime) -> WallTime {
    WallTime(now.0.saturating_add(ttl.micros()))
}

/// The lease on a resource, if it has not ended.
async fn standing(
    connection: &mut SqliteConnection,
    resource: &str,
    now: WallTime,
) -> Result<Option<Lease>, RegistryError> {
    Ok(find(connection, resource).await?.filter(|lease| lease.expires_at > now))
}

async fn find(connection: &mut SqliteConnection, resource: &str) -> Result<Option<Lease>, RegistryError> {
    let row = sqlx::query("select * from leases where resource = ?")
        .bind(resource)
        .fetch_optional(connection)
        .await;
    row.map_err(sql("look up a lease"))?
        .map(|row| lease(&Columns(&row)))
        .transpose()
}

fn lease(row: &Columns<'_>) -> Result<Lease, RegistryError> {
    Ok(Lease {
        resource: row.get("resource")?,
        holder: row.get("holder")?,
        token: row.get("token")?,
        acquired_at: row.time("acquired_at")?,
        expires_at: row.time("expires_at")?,
    })
}
