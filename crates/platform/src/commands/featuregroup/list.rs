//! `platform featuregroup list`

use clap::Args;
use registry::DefinitionKind;
use serde_json::json;

use crate::failure::Outcome;
use crate::repository::Repository;
use crate::screen::{self, Table};
use crate::{Context, applied, ingestions};

/// List the applied feature groups.
#[derive(Args)]
pub struct List {}

impl List {
    /// Prints them.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let store = repository.store()?;
        let records = registry.definitions(Some(DefinitionKind::FeatureGroup)).await?;
        let mut table = Table::new(&["group", "key", "features", "ingestions", "rows", "to", "description"]);
        let mut documents = Vec::new();
        for record in records {
            let group: definitions::FeatureGroup = applied::definition_of(&record)?;
            feature_store::create_table(&store, &group).await?;
            ingestions::reconcile(&store, &registry, &group).await?;
            let reference = group.reference();
            let all = registry.ingestions(&reference).await?;
            let rows: u64 = all.iter().map(|ingestion| ingestion.rows).sum();
            let last = all.iter().filter_map(|ingestion| ingestion.max_event_time).max();
            documents.push(json!({
                "group": reference, "fingerprint": record.fingerprint, "applied_at": record.applied_at,
                "ingestions": all.len(), "rows": rows, "last_event_time": last, "definition": record.canonical,
            }));
            let key: Vec<_> = group.entity.iter().map(|column| column.name.to_string()).collect();
            table.row([
                reference.to_string(),
                key.join(", "),
                group.features.len().to_string(),
                all.len().to_string(),
                screen::count(rows),
                last.map_or_else(|| "-".to_owned(), |last| last.to_string()),
                group.description.unwrap_or_default(),
            ]);
        }
        if context.json {
            return screen::json(&json!({ "groups": documents }));
        }
        if table.is_empty() {
            screen::line("no feature groups applied yet; next: platform apply")
        } else {
            table.print()
        }
    }
}
