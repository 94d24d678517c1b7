//! `platform featuregroup stats`

use clap::Args;
use feature_store::group_statistics;

use crate::Context;
use crate::applied::{self, Wanted};
use crate::commands::dataset::statistics_table;
use crate::failure::Outcome;
use crate::repository::Repository;
use crate::screen;

/// Show what a feature group holds: rows, entities, times, every column's values.
#[derive(Args)]
pub struct Stats {
    /// `server_metrics`, or `server_metrics:v1`.
    group: Wanted,
}

impl Stats {
    /// Reads the whole group.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let group = applied::group(&registry, &self.group).await?.definition;
        let store = repository.store()?;
        feature_store::create_table(&store, &group).await?;
        let statistics = group_statistics(&store, &group).await?;
        if context.json {
            return screen::json(&statistics);
        }
        screen::line(format!(
            "{} at Delta version {}",
            statistics.group, statistics.delta_version
        ))?;
        let superseded = match statistics.superseded {
            0 => String::new(),
            rows => format!(" and {} superseded", screen::count(rows)),
        };
        let (rows, entities) = (
            screen::things(statistics.rows, "row"),
            screen::things(statistics.entities, "entity"),
        );
        screen::line(format!("  {rows}{superseded}, {entities}"))?;
        if let (Some(first), Some(last)) = (statistics.first_event_time, statistics.last_event_time) {
            screen::line(format!("  event times {first} to {last}"))?;
        }
        screen::line(format!(
            "  {}, {}",
            screen::things(statistics.files, "file"),
            screen::bytes(statistics.bytes)
        ))?;
        let columns = statistics.columns.iter().map(|column| (String::new(), column));
        statistics_table(columns)?.print()
    }
}
