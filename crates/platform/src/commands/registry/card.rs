//! `platform registry card`

use clap::Args;
use definitions::ModelRef;
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
        let card = repository.registry_to_read().await?.card(&self.model).await?;
        if context.json {
            screen::json(&json!({ "card": card }))
        } else {
            screen::print(&card)
        }
    }
}
