//! The datasets that hold something of an entity, and what becomes of them.

use definitions::{DatasetRef, GroupRef, Versioned};
use feature_store::dataset::Manifest;
use feature_store::{ForgetReach, GroupPin, Traced, rows_of_entity};
use registry::{Dataset, Registry};
use serde::Serialize;

use crate::failure::Outcome;
use crate::repository::Repository;
use crate::{datasets, screen};

/// A dataset that holds rows of the entity, and what was trained on it.
#[derive(Debug, Serialize)]
pub(super) struct Holder {
    pub dataset: String,
    rows: u64,
    /// Whether other rows have values that were, or may have been, made of the entity's rows.
    values: bool,
    pub models: Vec<Versioned>,
}

/// What becomes of what is pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pinned {
    /// It stays.
    Kept,
    /// Datasets that hold something give it up.
    GivenUp,
}

/// What datasets hold of an entity.
#[derive(Default)]
pub(super) struct Held {
    /// Those that hold something, not counting those that were marked before.
    pub holders: Vec<Holder>,
    /// The pins that stay.
    pub kept: Vec<GroupPin>,
    /// Those whose rows of the entity go.
    pub marked: Vec<(Dataset, Manifest)>,
    /// Those of them that are not marked yet.
    pub to_mark: Vec<DatasetRef>,
}

impl Holder {
    /// What it holds, in a few words.
    pub(super) fn held(&self) -> String {
        match (self.rows, self.values) {
            (0, true) => "values made of them".to_owned(),
            (rows, true) => format!("{}, and values made of them", screen::count(rows)),
            (rows, false) => screen::count(rows),
        }
    }
}

impl Held {
    /// Looks at the pins of all datasets.
    pub(super) async fn of(
        repository: &Repository,
        registry: &Registry,
        traced: &Traced<'_>,
        derived: &[(GroupRef, ForgetReach)],
        what: Pinned,
    ) -> Outcome<Self> {
        let mut held = Self::default();
        let reach = |pin: &GroupPin| match derived.iter().find(|(group, _)| *group == pin.group) {
            Some((_, reach)) => Some(*reach),
            None => (pin.group == *traced.root).then_some(ForgetReach::Rows),
        };
        for dataset in registry.datasets(None).await? {
            let manifest = datasets::recorded_manifest(repository, &dataset)?;
            let reached = |pin: &GroupPin| Some((pin.clone(), reach(pin)?));
            let pins: Vec<(GroupPin, ForgetReach)> = manifest.pins.iter().filter_map(reached).collect();
            if pins.is_empty() {
                continue;
            }
            if dataset.unreproducible.is_some() {
                held.marked.push((dataset, manifest));
                continue;
            }
            let holder = holder(registry, traced, &dataset, &pins).await?;
            if holder.is_some() && what == Pinned::GivenUp {
                held.to_mark.push(dataset.reference.clone());
                held.marked.push((dataset, manifest));
            } else {
                held.kept.extend(pins.into_iter().map(|(pin, _)| pin));
            }
            held.holders.extend(holder);
        }
        Ok(held)
    }
}

/// What a dataset's pins hold; `None`: nothing.
async fn holder(
    registry: &Registry,
    traced: &Traced<'_>,
    dataset: &Dataset,
    pins: &[(GroupPin, ForgetReach)],
) -> Outcome<Option<Holder>> {
    let (mut rows, mut values) = (0, false);
    for (pin, reach) in pins {
        match (reach, traced.groups.get(&pin.group)) {
            (ForgetReach::Values, _) => values |= traced.values_hold(pin).await?,
            (ForgetReach::Rows, Some(group)) => rows += rows_of_entity(traced.store, group, pin, traced.entity).await?,
            (ForgetReach::Rows, None) => {}
        }
    }
    if rows == 0 && !values {
        return Ok(None);
    }
    Ok(Some(Holder {
        dataset: dataset.reference.to_string(),
        rows,
        values,
        models: registry.models_from_dataset(&dataset.reference).await?,
    }))
}
