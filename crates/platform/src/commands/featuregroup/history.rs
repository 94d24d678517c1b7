//! `platform featuregroup history`

use clap::Args;
use feature_store::ingest::ingestions as ingestions_of;
use serde_json::json;

use crate::applied::{self, Wanted};
use crate::failure::Outcome;
use crate::repository::Repository;
use crate::screen::{self, Table};
use crate::{Context, ingestions};

/// Show what came into a feature group, and when.
#[derive(Args)]
pub struct History {
    /// `server_metrics`, or `server_metrics:v1`.
    group: Wanted,
}

impl History {
    /// Prints one line an ingestion, then what else happened to the table.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let group = applied::group(&registry, &self.group).await?.definition;
        let store = repository.store()?;
        feature_store::create_table(&store, &group).await?;
        ingestions::reconcile(&store, &registry, &group).await?;
        let receipts = ingestions_of(&store, &group).await?;
        let changes = feature_store::history(&store, &group).await?;
        if context.json {
            return screen::json(&json!({ "group": group.reference(), "ingestions": receipts, "changes": changes }));
        }
        let mut table = Table::new(&[
            "ingestion",
            "Delta version",
            "at",
            "rows",
            "from",
            "to",
            "identical",
            "quarantined",
            "files",
        ]);
        for receipt in receipts {
            let time =
                |time: Option<definitions::EventTime>| time.map_or_else(|| "-".to_owned(), |time| time.to_string());
            let files: Vec<_> = receipt.sources.iter().map(|source| source.path.clone()).collect();
            table.row([
                receipt.ingest_id.to_string(),
                receipt.delta_version.to_string(),
                receipt.committed_at.to_string(),
                screen::count(receipt.rows),
                time(receipt.min_event_time),
                time(receipt.max_event_time),
                screen::count(receipt.duplicates),
                screen::count(receipt.quarantined),
                files.join(" "),
            ]);
        }
        if table.is_empty() {
            screen::line("nothing has been ingested yet")
        } else {
            table.print()
        }
    }
}
