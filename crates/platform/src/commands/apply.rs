//! `platform apply`: makes the definitions count, all of them or none.

use clap::Args;
use definitions::WallTime;
use registry::DefinitionKind;
use serde_json::json;

use super::plan::{Action, steps};
use crate::Context;
use crate::applied;
use crate::failure::Outcome;
use crate::repository::Repository;
use crate::screen;

/// Apply the definitions: from then on groups and views never change under their version.
#[derive(Args)]
pub struct Apply {}

impl Apply {
    /// Applies everything in one transaction, then makes the tables of new groups.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let steps = steps(&repository).await?;
        if let Some(step) = steps.iter().find(|step| step.action == Action::Refuse) {
            return Err(step.refusal());
        }
        let new: Vec<_> = steps.iter().map(|step| step.new.clone()).collect();
        let registry = repository.registry().await?;
        let done = registry.apply_definitions(&new, WallTime::now()).await?;
        make_tables(&repository, &registry).await?;
        if context.json {
            return screen::json(&json!({ "applied": done }));
        }
        let changed: Vec<_> = steps.iter().filter(|step| step.action != Action::Keep).collect();
        for step in &changed {
            let word = if step.action == Action::Add { "added" } else { "changed" };
            screen::line(format!("{word} {}", step.title()))?;
        }
        if changed.is_empty() {
            return screen::line("nothing to change");
        }
        let new = changed.iter().rev().map(|step| &step.new);
        let mut groups: Vec<_> = new.filter(|new| new.kind == DefinitionKind::FeatureGroup).collect();
        // What is derived follows what is ingested.
        groups.sort_by_key(|new| new.canonical.get("derive").is_some());
        match groups.first() {
            Some(new) if new.canonical.get("derive").is_some() => {
                screen::line(format!("next: platform featuregroup materialize {}", new.name))
            }
            Some(new) => screen::line(format!("next: platform featuregroup ingest {} --from FILE", new.name)),
            None => Ok(()),
        }
    }
}

/// Makes the tables of applied groups that have none yet.
pub async fn make_tables(repository: &Repository, registry: &registry::Registry) -> Outcome {
    let store = repository.store()?;
    for group in applied::groups(registry).await?.values() {
        feature_store::create_table(&store, group).await?;
    }
    Ok(())
}
