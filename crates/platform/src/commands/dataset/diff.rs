//! `platform dataset diff`

use clap::Args;
use feature_store::dataset::diff;

use super::WantedDataset;
use crate::Context;
use crate::failure::Outcome;
use crate::repository::Repository;
use crate::screen;

/// Compare two datasets: pins, columns, rows, statistics.
#[derive(Args)]
pub struct Diff {
    /// One dataset.
    one: WantedDataset,
    /// The other.
    other: WantedDataset,
}

impl Diff {
    /// Prints what differs.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let (one, other) = (self.one.find(&registry).await?, self.other.find(&registry).await?);
        let difference = diff(
            &repository.storage.join(&one.path),
            &repository.storage.join(&other.path),
        )?;
        if context.json {
            return screen::json(&difference);
        }
        screen::line(format!("{} -> {}", one.reference, other.reference))?;
        screen::print(&difference.to_string())
    }
}
