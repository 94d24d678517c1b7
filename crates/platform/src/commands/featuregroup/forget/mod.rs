//! `platform featuregroup forget`

mod derived;
mod holders;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use definitions::{ColumnName, FeatureGroup, GroupRef, WallTime};
use feature_store::dataset::Manifest;
use feature_store::{
    Entity, ForgetReceipt, GroupPin, Traced, derived_from, forget, forget_in_file, forget_in_quarantine,
};
use registry::{Dataset, Registry};
use serde_json::json;

use derived::{DerivedReceipt, Forgetting};
use holders::{Held, Holder, Pinned};

use crate::Context;
use crate::applied::{self, Wanted};
use crate::failure::{Failure, Outcome};
use crate::ingestions::WritingRight;
use crate::repository::Repository;
use crate::screen::{self, Table};

/// Remove an entity's rows from every version that no dataset pins, and name the datasets and models that still hold them.
///
/// It reaches the groups that are derived from this one: rows of the entity go, and where any row may be made of them, all are computed
/// anew.
///
/// With --everywhere they go from those datasets too. Then neither these nor the models trained on them can be made again, and the registry
/// says so, with the reason. Killed at any moment, the same command finishes the work.
#[derive(Args)]
pub struct Forget {
    /// `server_metrics`, or `server_metrics:v1`.
    group: Wanted,
    /// The entity: `web-1` where the key has one column, else `host=web-1 disk=sda`.
    #[arg(long, value_name = "KEY", num_args = 1.., required = true)]
    entity: Vec<String>,
    /// Also remove them from the datasets that pin them, and mark those and their models as no longer reproducible.
    #[arg(long)]
    everywhere: bool,
    /// Why, for the registry. It is kept: do not name the entity. [default: an entity of the group was forgotten]
    #[arg(long, value_name = "TEXT", requires = "everywhere", value_parser = NonEmptyStringValueParser::new())]
    reason: Option<String>,
}

/// What was done, and what was left.
struct Done {
    receipt: ForgetReceipt,
    derived: Vec<DerivedReceipt>,
    /// Datasets that pin rows of the entity, not counting those that were marked before.
    holders: Vec<Holder>,
    /// Rows taken out of datasets' files.
    of_datasets: u64,
    /// Rows taken out of the quarantine.
    of_quarantine: u64,
}

impl Forget {
    /// Forgets, one writer per table at a time.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let group = applied::group(&registry, &self.group).await?.definition;
        if let Some(from) = group.derive.as_ref().and_then(|derive| derive.from.first()) {
            let what = format!(
                "`{}` is derived: its rows are made of those of others",
                group.reference()
            );
            return Err(Failure::input(what).hint(format!(
                "platform featuregroup forget {from} --entity …, which reaches what is derived from it"
            )));
        }
        let entity = Entity::parse(&group, &self.entity)?;
        feature_store::create_table(&repository.store()?, &group).await?;
        let right = WritingRight::acquire(&registry, &group.reference()).await?;
        let done = self.forget(context, &repository, &registry, &group, &entity).await;
        right.release().await?;
        let done = done?;
        if context.json {
            let (marked, holding): (&[Holder], &[Holder]) = if self.everywhere {
                (&done.holders, &[])
            } else {
                (&[], &done.holders)
            };
            return screen::json(&json!({
                "receipt": done.receipt, "derived": done.derived, "still_held_by": holding, "no_longer_reproducible": marked,
                "dataset_rows": done.of_datasets, "quarantine_rows": done.of_quarantine,
            }));
        }
        self.print(&done)
    }

    async fn forget(
        &self,
        context: &Context,
        repository: &Repository,
        registry: &Registry,
        group: &FeatureGroup,
        entity: &Entity,
    ) -> Outcome<Done> {
        let (store, reference) = (repository.store()?, group.reference());
        let groups = applied::groups(registry).await?;
        let derived = derived_from(&reference, &groups);
        let traced = Traced {
            store: &store,
            groups: &groups,
            root: &reference,
            entity,
        };
        let pinned = match self.everywhere {
            true => Pinned::GivenUp,
            false => Pinned::Kept,
        };
        let held = Held::of(repository, registry, &traced, &derived, pinned).await?;
        // What is about to become untrue is said first: a kill leaves no dataset that silently is not what it was.
        if !held.to_mark.is_empty() {
            let reason = self.reason.clone();
            let reason = reason.unwrap_or_else(|| format!("an entity of {reference} was forgotten"));
            registry
                .mark_unreproducible(&held.to_mark, &reason, WallTime::now())
                .await?;
        }
        let own: Vec<GroupPin> = held.kept.iter().filter(|pin| pin.group == reference).cloned().collect();
        let receipt = forget(&store, group, entity, &own, WallTime::now()).await?;
        let of_quarantine = forget_in_quarantine(&store, group, entity).await?;
        let forgetting = Forgetting {
            context,
            repository,
            registry,
            groups: &groups,
            entity,
            kept: &held.kept,
        };
        let receipts = forgetting.forget_in(&derived).await?;
        let mut of_datasets = 0;
        if self.everywhere {
            let reached = derived.iter().filter_map(|(derived, _)| groups.get(derived));
            // A query may give its rows another key.
            let keyed: Vec<&FeatureGroup> = reached.filter(|derived| derived.entity == group.entity).collect();
            for (dataset, manifest) in &held.marked {
                for group in keyed.iter().copied().chain([group]) {
                    of_datasets += forget_in_dataset(repository, dataset, manifest, group, entity)?;
                }
            }
        }
        Ok(Done {
            receipt,
            derived: receipts,
            holders: held.holders,
            of_datasets,
            of_quarantine,
        })
    }

    fn print(&self, done: &Done) -> Outcome {
        let Done { receipt, holders, .. } = done;
        let group = &receipt.group;
        screen::line(format!(
            "{group}: {} of `{}` forgotten at Delta version {}; {} removed",
            screen::things(receipt.rows, "row"),
            self.entity.join(" "),
            receipt.delta_version,
            screen::things(receipt.files_removed.len(), "file")
        ))?;
        done.derived.iter().try_for_each(DerivedReceipt::print)?;
        for (rows, place) in [(done.of_quarantine, "the quarantine"), (done.of_datasets, "datasets")] {
            if rows > 0 {
                screen::line(format!("{} removed from {place}", screen::things(rows, "row")))?;
            }
        }
        if holders.is_empty() {
            return screen::line("no dataset holds any more of them");
        }
        screen::line(if self.everywhere {
            "no longer reproducible:"
        } else {
            "still held by what is pinned:"
        })?;
        let mut table = Table::new(&["dataset", "rows pinned", "models trained on it"]);
        for holder in holders {
            let models: Vec<String> = holder.models.iter().map(ToString::to_string).collect();
            let models = if models.is_empty() {
                "-".to_owned()
            } else {
                models.join(", ")
            };
            table.row([holder.dataset.clone(), holder.held(), models]);
        }
        table.print()?;
        if self.everywhere {
            return screen::line("a model keeps what it learnt: train again without the entity, and move the aliases");
        }
        screen::line("--everywhere removes them there too; those can then never be made again")
    }
}

/// Takes an entity's rows out of a dataset's files: those whose key leads to it, directly or as the view maps it.
fn forget_in_dataset(
    repository: &Repository,
    dataset: &Dataset,
    manifest: &Manifest,
    group: &FeatureGroup,
    entity: &Entity,
) -> Outcome<u64> {
    let staging = repository.staging()?;
    let folder = repository.storage.join(&dataset.path);
    let mut removed = 0;
    for columns in key_columns(manifest, group)? {
        for file in manifest.files() {
            let path = folder.join(&file.path);
            // A part that somebody has removed holds nothing.
            if path.exists() {
                removed += forget_in_file(&path, entity, &columns, staging.path())?;
            }
        }
    }
    Ok(removed)
}

/// The dataset's columns that hold the group's key, once for each way in which the view reads it.
fn key_columns(manifest: &Manifest, group: &FeatureGroup) -> Outcome<Vec<Vec<String>>> {
    let reference: GroupRef = group.reference();
    let view = definitions::resolve_view(&manifest.definitions.view.definition, &manifest.groups())?;
    let mut ways = Vec::new();
    let key = |name: &ColumnName| name.to_string();
    if view.spine == reference {
        ways.push(group.entity.iter().map(|column| key(&column.name)).collect());
    }
    for selection in view.selections.iter().filter(|selection| selection.group == reference) {
        let mapped = |column: &definitions::EntityColumn| {
            let pair = selection.keys.iter().find(|pair| pair.key == column.name);
            pair.map_or_else(|| key(&column.name), |pair| key(&pair.spine))
        };
        ways.push(group.entity.iter().map(mapped).collect());
    }
    ways.dedup();
    Ok(ways)
}
