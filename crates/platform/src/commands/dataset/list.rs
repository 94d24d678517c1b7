//! `platform dataset list`

use clap::Args;
use definitions::Name;
use serde_json::json;

use crate::Context;
use crate::failure::Outcome;
use crate::repository::Repository;
use crate::screen::{self, Table};

/// List training datasets.
#[derive(Args)]
pub struct List {
    /// Only those of this view.
    view: Option<Name>,
}

impl List {
    /// Prints them.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let datasets = registry.datasets(self.view.as_ref()).await?;
        if context.json {
            return screen::json(&json!({ "datasets": datasets }));
        }
        let mut table = Table::new(&["dataset", "rows", "created", "content", "groups"]);
        for dataset in datasets {
            let groups = dataset
                .groups
                .iter()
                .map(|pin| format!("{}@{}", pin.group, pin.delta_version));
            table.row([
                dataset.reference.to_string(),
                screen::count(dataset.rows),
                dataset.created_at.to_string(),
                dataset.fingerprint.short(),
                groups.collect::<Vec<_>>().join(" "),
            ]);
        }
        if table.is_empty() {
            screen::line("no datasets yet; next: platform dataset create VIEW")
        } else {
            table.print()
        }
    }
}
