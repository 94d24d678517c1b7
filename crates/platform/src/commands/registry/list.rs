//! `platform registry list`

use clap::Args;
use definitions::Name;
use serde_json::json;

use crate::Context;
use crate::failure::Outcome;
use crate::repository::Repository;
use crate::screen::{self, Table};

/// List the models, or the versions of one.
#[derive(Args)]
pub struct List {
    /// The model whose versions to list.
    model: Option<Name>,
}

impl List {
    /// Prints a table, or JSON.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        if !repository.registry_file.exists() {
            return if context.json {
                screen::json(&json!({ "models": [] }))
            } else {
                nothing()
            };
        }
        let registry = repository.registry_to_read().await?;
        if let Some(model) = self.model {
            return super::search::print_versions(context, &registry.model_versions(&model).await?);
        }
        let models = registry.models().await?;
        if context.json {
            return screen::json(&json!({ "models": models }));
        }
        let mut table = Table::new(&["model", "newest", "versions", "registered", "aliases"]);
        for model in models {
            let aliases = model
                .aliases
                .iter()
                .map(|(alias, version)| format!("{alias}={version}"));
            table.row([
                model.model.to_string(),
                model.newest.to_string(),
                screen::count(model.versions),
                model.newest_at.to_string(),
                aliases.collect::<Vec<_>>().join(" "),
            ]);
        }
        if table.is_empty() { nothing() } else { table.print() }
    }
}

fn nothing() -> Outcome {
    screen::line("no models yet; `platform train --view VIEW` registers one when its gates pass")
}
