//! `platform registry history`

use clap::Args;
use definitions::ModelRef;
use serde_json::json;

use super::alias::shown;
use crate::Context;
use crate::failure::Outcome;
use crate::repository::Repository;
use crate::screen::{self, Table};

/// Show how a model's aliases moved, the newest first.
#[derive(Args)]
pub struct History {
    /// A model, or one alias of it: `cpu_forecaster@champion`.
    model: ModelRef,
}

impl History {
    /// Prints the moves.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry_to_read().await?;
        let alias = match &self.model {
            ModelRef::Alias { alias, .. } => Some(alias),
            ModelRef::Newest(_) | ModelRef::Version(_) => None,
        };
        let history = registry.alias_history(self.model.model(), alias).await?;
        if context.json {
            return screen::json(&json!({ "history": history }));
        }
        let mut table = Table::new(&["at", "alias", "from", "to", "by", "reason"]);
        for entry in history {
            let reason = entry.reason.unwrap_or_default();
            let (from, to) = (shown(entry.from), shown(entry.to));
            table.row([
                entry.at.to_string(),
                entry.alias.to_string(),
                from,
                to,
                entry.by,
                reason,
            ]);
        }
        if table.is_empty() {
            screen::line("no alias has moved yet")
        } else {
            table.print()
        }
    }
}
