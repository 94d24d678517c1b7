//! What was derived from an entity's rows: which groups, and which of their pinned versions still hold it.
//!
//! ```text
//!   metrics ─ features (windows of a host)        rows of the entity are made of its own rows, and go with them
//!      └───── encoded (labels of all hosts)       any row may be made of the entity's rows, so all rows are computed anew
//!                └── after (windows of `encoded`) and so are those that are made of such
//! ```
//!
//! A declared feature looks at its own entity's rows alone, unless it is a target encoding, so of a group of such features the rows of the entity
//! are removed, and everybody else's rows and revisions stay as they were. A query may read anything, and so may an encoding; where
//! the entity is in another source than the first, its rows stay and what stood in them goes. There all is computed anew, in place of what there
//! was, revisions included: nobody can tell which of those hold something of the entity.
//!
//! Whether a version holds something is told by what its materialisations read: [`SeenSource`](crate::derive::SeenSource).

use std::collections::BTreeMap;

use definitions::{Derivation, FeatureGroup, GroupRef};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::rows_of_entity;
use crate::StoreError;
use crate::derive::{materializations, removals};
use crate::entity::Entity;
use crate::storage::{GroupPin, PinAt, Store, open_group, pin_group};

/// How far forgetting an entity reaches in a derived group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForgetReach {
    /// The entity's rows are made of its own rows, and of nobody else's.
    Rows,
    /// Any row may be made of the entity's rows.
    Values,
}

/// The groups that are derived from a group, directly or not, sources first, each with what of it was made of an entity's rows.
#[must_use]
pub fn derived_from(root: &GroupRef, groups: &BTreeMap<GroupRef, FeatureGroup>) -> Vec<(GroupRef, ForgetReach)> {
    let mut reached: Vec<(GroupRef, ForgetReach)> = Vec::new();
    // Each round reaches the groups whose sources are settled, so as many rounds as groups in a row are enough.
    loop {
        let is_settled = |reference: &GroupRef| {
            !groups.get(reference).is_some_and(FeatureGroup::is_derived)
                || reference == root
                || reached.iter().any(|(other, _)| other == reference)
                || !leads_to(root, reference, groups)
        };
        let next: Vec<_> = groups
            .values()
            .filter(|group| group.reference() != *root && !reached.iter().any(|(other, _)| *other == group.reference()))
            .filter(|group| leads_to(root, &group.reference(), groups))
            .filter(|group| group.derive.iter().flat_map(|derive| &derive.from).all(is_settled))
            .filter_map(|group| Some((group.reference(), reach(group, root, &reached)?)))
            .collect();
        if next.is_empty() {
            return reached;
        }
        reached.extend(next);
    }
}

/// Whether a group is derived from another, directly or not.
fn leads_to(root: &GroupRef, group: &GroupRef, groups: &BTreeMap<GroupRef, FeatureGroup>) -> bool {
    let from = groups.get(group).and_then(|group| group.derive.as_ref());
    from.is_some_and(|derive| {
        derive
            .from
            .iter()
            .any(|from| from == root || leads_to(root, from, groups))
    })
}

/// What of a group was made of an entity's rows in its sources; `None`: nothing.
fn reach(group: &FeatureGroup, root: &GroupRef, reached: &[(GroupRef, ForgetReach)]) -> Option<ForgetReach> {
    let derive = group.derive.as_ref()?;
    let of_source = |from: &GroupRef| match reached.iter().find(|(other, _)| other == from) {
        Some((_, reach)) => Some(*reach),
        None => (from == root).then_some(ForgetReach::Rows),
    };
    let sources: Vec<_> = derive.from.iter().map(of_source).collect();
    sources.iter().find(|reach| reach.is_some())?;
    let is_encoding = |how: &Derivation| matches!(how, Derivation::TargetEncoding { .. });
    let looks_at_others = derive.sql.is_some()
        || group
            .features
            .iter()
            .filter_map(|feature| feature.derivation.as_ref())
            .any(is_encoding)
        || sources.contains(&Some(ForgetReach::Values));
    let is_in_the_first = sources.first() == Some(&Some(ForgetReach::Rows));
    Some(match is_in_the_first && !looks_at_others {
        true => ForgetReach::Rows,
        false => ForgetReach::Values,
    })
}

/// Whether rows of a derived group were computed from versions of its sources in which rows were that are gone since.
///
/// # Errors
/// `Delta` when a log cannot be read.
pub async fn is_behind_removals(store: &Store, group: &FeatureGroup) -> Result<bool, StoreError> {
    let reference = group.reference();
    let table = open_group(store, &reference, None).await?;
    let made = materializations(&table, &reference).await?;
    for seen in made.first().iter().flat_map(|made| &made.sources) {
        let source = open_group(store, &seen.group, None).await?;
        let removals = removals(&source, &seen.group).await?;
        if removals.last().is_some_and(|removal| *removal > seen.delta_version) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Where an entity is looked for.
#[derive(Clone, Copy)]
pub struct Traced<'a> {
    /// Where everything is stored.
    pub store: &'a Store,
    /// All groups.
    pub groups: &'a BTreeMap<GroupRef, FeatureGroup>,
    /// The group that the entity is of.
    pub root: &'a GroupRef,
    /// The entity.
    pub entity: &'a Entity,
}

impl Traced<'_> {
    /// Whether values of a derived group at a version were made of the entity's rows, or may have been: where files are gone that would tell,
    /// they may.
    ///
    /// # Errors
    /// `Delta` when a log cannot be read.
    pub async fn values_hold(&self, pin: &GroupPin) -> Result<bool, StoreError> {
        self.holds(&pin.group, pin.delta_version).await
    }

    fn holds<'b>(&'b self, group: &'b GroupRef, version: i64) -> BoxFuture<'b, Result<bool, StoreError>> {
        async move {
            let table = open_group(self.store, group, u64::try_from(version).ok()).await?;
            let made = materializations(&table, group).await?;
            let (Some(first), Some(last)) = (made.first(), made.last()) else {
                return Ok(false);
            };
            for (first, last) in first.sources.iter().zip(&last.sources) {
                if self
                    .source_held(&last.group, first.delta_version, last.delta_version)
                    .await?
                {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        .boxed()
    }

    /// Whether any version of a source between two, both included, had rows of the entity, or values made of them.
    async fn source_held(&self, source: &GroupRef, first: i64, last: i64) -> Result<bool, StoreError> {
        let Some(group) = self.groups.get(source) else {
            return Ok(false);
        };
        let is_root = source == self.root;
        if !is_root && !leads_to(self.root, source, self.groups) {
            return Ok(false);
        }
        let table = open_group(self.store, source, u64::try_from(last).ok()).await?;
        if removals(&table, source).await?.iter().any(|removal| *removal > first) {
            return Ok(true);
        }
        if !is_root {
            return self.holds(source, last).await;
        }
        let pin = pin_group(self.store, group, PinAt::Version(last)).await?;
        match rows_of_entity(self.store, group, &pin, self.entity).await {
            Ok(rows) => Ok(rows > 0),
            Err(StoreError::PinnedFileMissing { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }
}
