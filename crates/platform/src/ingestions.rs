//! Ingestions in the registry: recorded after the table's own commit, and made up for when a process died in between.

use std::time::Duration as StdDuration;

use definitions::{Duration, FeatureGroup, GroupRef, WallTime};
use feature_store::Store;
use feature_store::ingest::{IngestReceipt, ingestions};
use registry::{Lease, LeaseRequest, NewIngestion, Registry, Waiting};

use crate::failure::{Failure, Outcome};
use crate::holder;

/// How long a lease stands without being renewed, in seconds.
const LEASE_SECONDS: u64 = 60;
/// How long to wait for another process that writes the same table.
const PATIENCE: StdDuration = StdDuration::from_secs(600);

/// Records the ingestions that the table has and the registry does not.
pub async fn reconcile(store: &Store, registry: &Registry, group: &FeatureGroup) -> Outcome {
    let known = registry
        .newest_ingestion(&group.reference())
        .await?
        .map_or(0, |newest| newest.ingest_id);
    for receipt in ingestions(store, group).await? {
        if receipt.ingest_id > known {
            record(registry, &receipt).await?;
        }
    }
    Ok(())
}

/// Records one ingestion; recording it again is harmless.
pub async fn record(registry: &Registry, receipt: &IngestReceipt) -> Outcome {
    let version = u64::try_from(receipt.delta_version);
    let new = NewIngestion {
        group: receipt.group.clone(),
        ingest_id: receipt.ingest_id,
        delta_version: version.map_err(|_| Failure::platform(format!("`{}` has a negative version", receipt.group)))?,
        content_hash: receipt.content_hash,
        sources: serde_json::to_value(&receipt.sources)?,
        mode: receipt.mode,
        rows: receipt.rows,
        duplicates: receipt.duplicates,
        nan_nulls: receipt.nan_nulls,
        quarantined: receipt.quarantined,
        superseded: None,
        known_at: receipt.known_at,
        min_event_time: receipt.min_event_time,
        max_event_time: receipt.max_event_time,
        started_at: receipt.started_at,
        committed_at: receipt.committed_at,
    };
    registry.record_ingestion(&new).await?;
    Ok(())
}

/// The right to write a group's table, renewed until it is given back.
pub struct WritingRight {
    registry: Registry,
    lease: Lease,
    renewal: tokio::task::JoinHandle<()>,
}

impl WritingRight {
    /// Waits for the right to write a group's table.
    pub async fn acquire(registry: &Registry, group: &GroupRef) -> Outcome<Self> {
        let ttl = Duration::from_micros(LEASE_SECONDS as i64 * 1_000_000).unwrap_or_default();
        let resource = format!("feature_groups/{}/{}", group.name, group.version);
        let request = LeaseRequest {
            resource,
            holder: holder::own(),
            ttl,
        };
        let waiting = Waiting {
            patience: PATIENCE,
            clock: &WallTime::now,
            is_gone: &holder::is_gone,
        };
        let lease = registry.acquire_waiting(&request, waiting).await?;
        let renewal = tokio::spawn(renew(registry.clone(), lease.clone(), ttl));
        Ok(Self {
            registry: registry.clone(),
            lease,
            renewal,
        })
    }

    /// Gives it back.
    pub async fn release(self) -> Outcome {
        self.renewal.abort();
        Ok(self.registry.release(&self.lease).await?)
    }
}

/// A lease that is lost is noticed by the table itself, where only one commit can win; so a failed renewal is no failure yet.
async fn renew(registry: Registry, mut lease: Lease, ttl: Duration) {
    loop {
        tokio::time::sleep(StdDuration::from_secs(LEASE_SECONDS / 3)).await;
        match registry.renew(&lease, ttl, WallTime::now()).await {
            Ok(renewed) => lease = renewed,
            Err(_) => return,
        }
    }
}
