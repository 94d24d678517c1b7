//! `platform featuregroup materialize`

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use clap::Args;
use definitions::{EventTime, FeatureGroup, GroupRef, WallTime};
use feature_store::StoreError;
use feature_store::derive::{Extent, MaterializeProgress, MaterializeRequest, Materialized, materialize};
use registry::Registry;
use serde_json::json;

use super::ingest::warn_of_expectations;
use crate::applied::{self, Wanted};
use crate::failure::{Failure, Outcome};
use crate::ingestions::{self, WritingRight};
use crate::progress::Progress;
use crate::repository::Repository;
use crate::{Context, screen};

/// Compute a derived feature group, after the derived groups that it comes from.
#[derive(Args)]
pub struct Materialize {
    /// `server_features`, or `server_features:v1`.
    group: Wanted,
    /// Compute rows from this time on, whatever is new.
    #[arg(long, value_name = "TIME", conflicts_with = "full")]
    from: Option<EventTime>,
    /// Compute rows before this time, whatever is new.
    #[arg(long, value_name = "TIME", conflicts_with = "full")]
    to: Option<EventTime>,
    /// Compute every row again.
    #[arg(long)]
    full: bool,
}

impl Materialize {
    /// Materialises the group and what it comes from, sources first.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let group = applied::group(&registry, &self.group).await?.definition;
        if !group.is_derived() {
            return Err(StoreError::NotDerived {
                group: group.reference(),
            }
            .into());
        }
        let groups = applied::groups(&registry).await?;
        let mut done = Vec::new();
        for reference in in_order(&group, &groups) {
            let Some(next) = groups.get(&reference) else { continue };
            let extent = if reference == group.reference() {
                self.extent()
            } else {
                Extent::New
            };
            let outcome = one(context, &repository, &registry, next, &groups, extent).await?;
            report(context, &reference, &outcome)?;
            done.push((reference, outcome));
        }
        if context.json {
            let steps = done.iter().map(|(group, outcome)| match outcome {
                Materialized::UpToDate => json!({ "group": group, "outcome": "up_to_date" }),
                Materialized::Full(receipt) => json!({ "group": group, "outcome": "full", "receipt": receipt }),
                Materialized::Part(receipt) => json!({ "group": group, "outcome": "part", "receipt": receipt }),
            });
            return screen::json(&json!({ "materialized": steps.collect::<Vec<_>>() }));
        }
        Ok(())
    }

    fn extent(&self) -> Extent {
        match (self.full, self.from, self.to) {
            (true, ..) => Extent::Full,
            (false, None, None) => Extent::New,
            (false, from, to) => Extent::Between { from, to },
        }
    }
}

/// The derived groups that a group comes from, and itself, each after those that it comes from.
fn in_order(group: &FeatureGroup, groups: &BTreeMap<GroupRef, FeatureGroup>) -> Vec<GroupRef> {
    let mut order = Vec::new();
    let mut waiting = vec![(group.reference(), false)];
    while let Some((reference, is_ready)) = waiting.pop() {
        if order.contains(&reference) {
            continue;
        }
        let derive = groups.get(&reference).and_then(|group| group.derive.as_ref());
        let Some(derive) = derive else { continue };
        if is_ready {
            order.push(reference);
            continue;
        }
        waiting.push((reference, true));
        // What was applied leads nowhere back.
        waiting.extend(derive.from.iter().rev().map(|from| (from.clone(), false)));
    }
    order
}

async fn one(
    context: &Context,
    repository: &Repository,
    registry: &Registry,
    group: &FeatureGroup,
    groups: &BTreeMap<GroupRef, FeatureGroup>,
    extent: Extent,
) -> Outcome<Materialized> {
    let store = repository.store()?;
    let reference = group.reference();
    feature_store::create_table(&store, group).await?;
    let mut sources = Vec::new();
    for from in group.derive.iter().flat_map(|derive| &derive.from) {
        let source = groups.get(from).ok_or_else(|| {
            Failure::input(format!(
                "`{reference}` is derived from `{from}`, which has not been applied"
            ))
            .hint("platform apply")
        })?;
        sources.push(source.clone());
    }
    let right = WritingRight::acquire(registry, &reference).await?;
    let progress = Arc::new(Progress::start(&format!("{reference}: rows read"), 0));
    let told = progress.clone();
    let on_progress = move |at: MaterializeProgress| {
        told.at(at.read, at.to_read, &format!("{} written", screen::count(at.written)));
    };
    let request = MaterializeRequest {
        store: store.clone(),
        group: group.clone(),
        sources,
        groups: groups.clone(),
        extent,
        now: WallTime::now(),
        threads: NonZeroUsize::new(context.threads).unwrap_or(NonZeroUsize::MIN),
        memory: repository.means.memory,
        software: format!("platform {}", env!("CARGO_PKG_VERSION")),
        progress: Arc::new(on_progress),
    };
    let done = materialize(request).await;
    drop(progress);
    if done.is_ok() {
        ingestions::reconcile(&store, registry, group).await?;
    }
    right.release().await?;
    Ok(done?)
}

fn report(context: &Context, group: &GroupRef, outcome: &Materialized) -> Outcome {
    if context.json {
        return Ok(());
    }
    let (receipt, what) = match outcome {
        Materialized::UpToDate => {
            return screen::line(format!("{group}: up to date: nothing is new in what it comes from"));
        }
        Materialized::Full(receipt) => (receipt, "all computed"),
        Materialized::Part(receipt) => (receipt, "computed again or for the first time"),
    };
    let rows = screen::things(receipt.rows, "row");
    let (id, version) = (receipt.ingest_id, receipt.delta_version);
    screen::line(format!(
        "{group}: {rows} {what}, in ingestion {id}, Delta version {version}"
    ))?;
    for source in &receipt.sources {
        screen::line(format!("  from          {}", source.path))?;
    }
    if let (Some(first), Some(last)) = (receipt.min_event_time, receipt.max_event_time) {
        screen::line(format!("  event times   {first} to {last}"))?;
    }
    warn_of_expectations(receipt)
}
