//! `platform registry search`

use clap::Args;
use definitions::Name;
use registry::{MetricFilter, ModelVersionSummary};
use serde_json::json;

use crate::Context;
use crate::failure::Outcome;
use crate::repository::Repository;
use crate::screen::{self, Table};

/// Find model versions by words, alias and metrics.
#[derive(Args)]
pub struct Search {
    /// Words that must all occur in names, descriptions, tags or owners.
    words: Vec<String>,
    /// Only versions that this alias points to.
    #[arg(long)]
    alias: Option<Name>,
    /// Only versions with this metric, such as `mae<3`; may be given several times.
    #[arg(long = "metric", value_name = "METRIC<VALUE")]
    metrics: Vec<MetricFilter>,
}

impl Search {
    /// Prints the versions found.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry_to_read().await?;
        let search = registry::Search {
            words: self.words,
            alias: self.alias,
            metrics: self.metrics,
        };
        print_versions(context, &registry.search(&search).await?)
    }
}

/// Prints model versions, one a line.
pub fn print_versions(context: &Context, versions: &[ModelVersionSummary]) -> Outcome {
    if context.json {
        return screen::json(&json!({ "versions": versions }));
    }
    let mut table = Table::new(&["model", "registered", "dataset", "learner", "metrics", "aliases"]);
    for version in versions {
        let aliases: Vec<_> = version.aliases.iter().map(ToString::to_string).collect();
        table.row([
            version.reference.to_string(),
            version.created_at.to_string(),
            version.dataset.to_string(),
            version.learner.clone(),
            metrics_in_short(version.metrics.as_ref()),
            aliases.join(" "),
        ]);
    }
    if table.is_empty() {
        screen::line("no model version fits")
    } else {
        table.print()
    }
}

/// `mae 2.31 rmse 4.05`
pub fn metrics_in_short(metrics: Option<&serde_json::Value>) -> String {
    let Some(metrics) = metrics.and_then(serde_json::Value::as_object) else {
        return String::new();
    };
    let numbers = metrics
        .iter()
        .filter_map(|(name, value)| Some(format!("{name} {}", screen::value(value.as_f64()?))));
    numbers.collect::<Vec<_>>().join(" ")
}
