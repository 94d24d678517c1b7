//! `platform featuregroup compact`

use clap::Args;
use feature_store::compact;

use crate::applied::{self, Wanted};
use crate::failure::Outcome;
use crate::ingestions::WritingRight;
use crate::repository::Repository;
use crate::{Context, screen};

/// Merge a group's small files; no row changes, and every pinned version stays readable.
#[derive(Args)]
pub struct Compact {
    /// `server_metrics`, or `server_metrics:v1`.
    group: Wanted,
}

impl Compact {
    /// Merges the files.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let group = applied::group(&registry, &self.group).await?.definition;
        let right = WritingRight::acquire(&registry, &group.reference()).await?;
        let done = compact(&repository.store()?, &group).await;
        right.release().await?;
        let receipt = done?;
        if context.json {
            return screen::json(&receipt);
        }
        if receipt.files_merged == 0 {
            return screen::line(format!("{}: nothing to merge", receipt.group));
        }
        screen::line(format!(
            "{}: {} became {} ({}, {} became {}), Delta version {}",
            receipt.group,
            screen::things(receipt.files_merged, "file"),
            receipt.files_written,
            screen::things(receipt.rows, "row"),
            screen::bytes(receipt.bytes_before),
            screen::bytes(receipt.bytes_after),
            receipt.delta_version
        ))?;
        screen::line("the files before stay for the datasets that pin them; `platform gc` removes those nobody needs")
    }
}
