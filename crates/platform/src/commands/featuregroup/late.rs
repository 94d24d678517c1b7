//! `platform featuregroup late`

use clap::Args;
use definitions::Duration;
use feature_store::dataset::{ChangedValues, changed_values};
use feature_store::{LateRow, Lateness, late_rows};
use serde_json::json;

use crate::applied::{self, Wanted};
use crate::commands::dataset::WantedDataset;
use crate::failure::{Failure, Outcome};
use crate::repository::Repository;
use crate::screen::Table;
use crate::{Context, datasets, screen};

/// Show which rows came late, how late, and what that changes in a dataset.
///
/// A row is late when an earlier ingestion had brought a row of the same entity with a later event time. A row with the entity and event
/// time of a row of an earlier ingestion is a correction.
#[derive(Args)]
pub struct Late {
    /// `server_metrics`, or `server_metrics:v1`.
    group: Wanted,
    /// Also join this dataset's rows with what is known now, and count the values that would change: `cpu_fv:v2/5`.
    #[arg(long, value_name = "DATASET")]
    dataset: Option<WantedDataset>,
    /// How many of the latest rows are shown.
    #[arg(long, value_name = "ROWS", default_value_t = 10)]
    limit: usize,
}

impl Late {
    /// Reads the whole group.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let group = applied::group(&registry, &self.group).await?.definition;
        let store = repository.store()?;
        feature_store::create_table(&store, &group).await?;
        let lateness = late_rows(&store, &group, self.limit).await?;
        let mut changed = None;
        if let Some(wanted) = &self.dataset {
            let dataset = wanted.find(&registry).await?;
            datasets::check_reproducible(&dataset)?;
            let manifest = datasets::recorded_manifest(&repository, &dataset)?;
            let reads = manifest.pins.iter().any(|pin| pin.group == group.reference());
            if !reads {
                let (dataset, group) = (&dataset.reference, group.reference());
                return Err(Failure::input(format!("`{dataset}` does not read `{group}`"))
                    .hint(format!("platform dataset show {dataset}")));
            }
            let staging = repository.staging()?;
            datasets::rejoin(&repository, &registry, &manifest, staging.path()).await?;
            let values = changed_values(&repository.storage.join(&dataset.path), staging.path())?;
            changed = Some((dataset.reference.to_string(), values));
        }
        if context.json {
            return screen::json(&json!({
                "lateness": lateness,
                "dataset": changed.as_ref().map(|(dataset, _)| dataset),
                "changed": changed.as_ref().map(|(_, values)| values),
            }));
        }
        print_lateness(&lateness)?;
        match changed {
            Some((dataset, values)) => print_changed(&dataset, &values),
            None => Ok(()),
        }
    }
}

fn print_lateness(lateness: &Lateness) -> Outcome {
    screen::line(format!(
        "{} at Delta version {}",
        lateness.group, lateness.delta_version
    ))?;
    let mut table = Table::new(&[
        "ingestion",
        "known at",
        "rows",
        "late",
        "corrections",
        "mean lateness",
        "longest",
    ]);
    for ingestion in &lateness.ingestions {
        let shown = |micros: Option<i64>| micros.map_or_else(|| "-".to_owned(), age);
        table.row(vec![
            ingestion.ingest_id.to_string(),
            ingestion.known_at.to_string(),
            screen::count(ingestion.rows),
            screen::count(ingestion.late),
            screen::count(ingestion.corrections),
            shown(ingestion.mean_micros),
            shown(ingestion.longest.map(Duration::micros)),
        ]);
    }
    table.print()?;
    if lateness.latest.is_empty() {
        return screen::line("no row came late");
    }
    let mut table = Table::new(&["late by", "entity", "event time", "ingestion"]);
    for LateRow {
        late_micros,
        key,
        event_time,
        ingest_id,
    } in &lateness.latest
    {
        table.row(vec![
            age(*late_micros),
            key.join(", "),
            event_time.to_string(),
            ingest_id.to_string(),
        ]);
    }
    table.print()
}

/// A length of time, to the second where it is long.
fn age(micros: i64) -> String {
    let whole = if micros >= 10_000_000 {
        micros - micros % 1_000_000
    } else {
        micros
    };
    Duration::from_micros(whole).map_or_else(|| micros.to_string(), |age| age.to_string())
}

fn print_changed(dataset: &str, values: &[ChangedValues]) -> Outcome {
    screen::line(format!(
        "values of {dataset} that would be others with what is known now"
    ))?;
    let mut table = Table::new(&["column", "changed", "of", "share"]);
    for ChangedValues { column, changed, rows } in values {
        table.row(vec![
            column.clone(),
            screen::count(*changed),
            screen::count(*rows),
            format!("{:.3} %", 100.0 * *changed as f64 / (*rows).max(1) as f64),
        ]);
    }
    table.print()
}
