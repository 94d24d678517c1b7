//! The groups that are derived from one whose entity is forgotten: its rows go from them, or all is computed anew.

use std::collections::BTreeMap;

use definitions::{Duration, FeatureGroup, GroupRef, WallTime};
use feature_store::derive::{Extent, Materialized};
use feature_store::ingest::Earnest;
use feature_store::{
    Entity, ForgetReach, GroupPin, Store, VacuumRequest, create_table, forget, forget_in_quarantine, forget_quarantine,
    is_behind_removals, vacuum,
};
use registry::Registry;
use serde::Serialize;

use super::super::materialize;
use crate::Context;
use crate::failure::Outcome;
use crate::ingestions::WritingRight;
use crate::repository::Repository;
use crate::screen;

/// What became of a derived group.
#[derive(Debug, Serialize)]
pub(super) struct DerivedReceipt {
    group: GroupRef,
    /// Rows of the entity that were removed, or, where all was computed anew, rows that were computed; `None`: there was nothing to do.
    rows: Option<u64>,
    is_computed_anew: bool,
    files_removed: usize,
    quarantine_rows: u64,
}

/// Where and whom.
pub(super) struct Forgetting<'a> {
    pub context: &'a Context,
    pub repository: &'a Repository,
    pub registry: &'a Registry,
    pub groups: &'a BTreeMap<GroupRef, FeatureGroup>,
    pub entity: &'a Entity,
    /// The versions that datasets keep.
    pub kept: &'a [GroupPin],
}

impl Forgetting<'_> {
    /// Forgets in derived groups, sources first. A kill leaves some of them as they were; the same call does those.
    pub(super) async fn forget_in(&self, derived: &[(GroupRef, ForgetReach)]) -> Outcome<Vec<DerivedReceipt>> {
        let store = self.repository.store()?;
        let mut done = Vec::new();
        for (reference, reach) in derived {
            let Some(group) = self.groups.get(reference) else {
                continue;
            };
            create_table(&store, group).await?;
            let pins: Vec<GroupPin> = self
                .kept
                .iter()
                .filter(|pin| pin.group == *reference)
                .cloned()
                .collect();
            done.push(match reach {
                ForgetReach::Rows => self.forget_rows(&store, group, &pins).await?,
                ForgetReach::Values => self.compute_anew(&store, group, &pins).await?,
            });
        }
        Ok(done)
    }

    async fn forget_rows(&self, store: &Store, group: &FeatureGroup, pins: &[GroupPin]) -> Outcome<DerivedReceipt> {
        let right = WritingRight::acquire(self.registry, &group.reference()).await?;
        let receipt = forget(store, group, self.entity, pins, WallTime::now()).await?;
        let quarantine_rows = forget_in_quarantine(store, group, self.entity).await?;
        right.release().await?;
        Ok(DerivedReceipt {
            group: receipt.group,
            rows: Some(receipt.rows),
            is_computed_anew: false,
            files_removed: receipt.files_removed.len(),
            quarantine_rows,
        })
    }

    async fn compute_anew(&self, store: &Store, group: &FeatureGroup, pins: &[GroupPin]) -> Outcome<DerivedReceipt> {
        let reference = group.reference();
        let right = WritingRight::acquire(self.registry, &reference).await?;
        let is_behind = is_behind_removals(store, group).await?;
        if is_behind {
            forget_quarantine(store, group)?;
        }
        right.release().await?;
        let rows = match is_behind {
            true => Some(self.computed_rows(group).await?),
            false => None,
        };
        let right = WritingRight::acquire(self.registry, &reference).await?;
        // Files that a kill has left behind go too.
        let request = VacuumRequest {
            pins,
            grace: Duration::ZERO,
            now: WallTime::now(),
            earnest: Earnest::Commit,
        };
        let removed = vacuum(store, group, &request).await?;
        right.release().await?;
        Ok(DerivedReceipt {
            group: reference,
            rows,
            is_computed_anew: true,
            files_removed: removed.len(),
            quarantine_rows: 0,
        })
    }

    async fn computed_rows(&self, group: &FeatureGroup) -> Outcome<u64> {
        let anew = materialize::one(
            self.context,
            self.repository,
            self.registry,
            group,
            self.groups,
            Extent::Anew,
        );
        Ok(match anew.await? {
            Materialized::Full(receipt) | Materialized::Part(receipt) => receipt.rows,
            Materialized::UpToDate => 0,
        })
    }
}

impl DerivedReceipt {
    /// What was done, in a line.
    pub(super) fn print(&self) -> Outcome {
        let group = &self.group;
        let files = screen::things(self.files_removed, "file");
        screen::line(match (self.rows, self.is_computed_anew) {
            (None, _) => {
                format!("{group}, derived from it: nothing in it is made of rows that are gone; {files} removed")
            }
            (Some(rows), false) => {
                format!(
                    "{group}, derived from it: {} forgotten; {files} removed",
                    screen::things(rows, "row")
                )
            }
            (Some(rows), true) => {
                format!(
                    "{group}, derived from it: computed anew, {}; {files} removed",
                    screen::things(rows, "row")
                )
            }
        })?;
        if self.quarantine_rows > 0 {
            let rows = screen::things(self.quarantine_rows, "row");
            screen::line(format!("{rows} removed from the quarantine of {group}"))?;
        }
        Ok(())
    }
}
