//! `platform registry card`

use clap::Args;
use definitions::ModelRef;
use registry::Unreproducible;
use serde_json::json;

use crate::Context;
use crate::failure::Outcome;
use crate::repository::Repository;
use crate::screen;

/// Print the model card, in Markdown.
#[derive(Args)]
pub struct Card {
    /// `cpu_forecaster@champion`, `cpu_forecaster:v3` or `cpu_forecaster`.
    model: ModelRef,
}

impl Card {
    /// Prints it.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry_to_read().await?;
        let mut card = registry.card(&self.model).await?;
        if let Some(Unreproducible { reason, since }) = registry.resolve(&self.model).await?.unreproducible {
            // The card itself is as it was registered.
            card = format!("> **No longer reproducible** since {since}: {reason}\n\n{card}");
        }
        if context.json {
            screen::json(&json!({ "card": card }))
        } else {
            screen::print(&card)
        }
    }
}
