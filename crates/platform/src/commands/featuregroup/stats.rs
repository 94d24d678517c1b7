//! `platform featuregroup stats`

use clap::Args;
use definitions::{FeatureGroup, GroupRef};
use feature_store::group_statistics;
use feature_store::ingest::{IngestReceipt, ingestion_statistics, ingestions};
use serde_json::json;

use crate::Context;
use crate::applied::{self, Wanted};
use crate::commands::dataset::print_statistics;
use crate::failure::{Failure, Outcome};
use crate::repository::Repository;
use crate::screen;

/// Show what a feature group holds: rows, entities, times, every column's values.
#[derive(Args)]
pub struct Stats {
    /// `server_metrics`, or `server_metrics:v1`.
    group: Wanted,
    /// Show what the rows of this ingestion held when they came, by its number in `history`.
    #[arg(long, value_name = "N")]
    ingestion: Option<i64>,
}

impl Stats {
    /// Reads the whole group, or what was kept of an ingestion.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let group = applied::group(&registry, &self.group).await?.definition;
        feature_store::create_table(&repository.store()?, &group).await?;
        match self.ingestion {
            Some(number) => of_ingestion(context, &repository, &group, number).await,
            None => of_group(context, &repository, &group).await,
        }
    }
}

async fn of_group(context: &Context, repository: &Repository, group: &FeatureGroup) -> Outcome {
    let statistics = group_statistics(&repository.store()?, group).await?;
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
    print_statistics(statistics.columns.iter().map(|column| (None, column)))
}

async fn of_ingestion(context: &Context, repository: &Repository, group: &FeatureGroup, number: i64) -> Outcome {
    let (store, reference) = (repository.store()?, group.reference());
    let receipts = ingestions(&store, group).await?;
    let receipt = receipt_numbered(&receipts, &reference, number)?;
    let columns = ingestion_statistics(&store, &reference, receipt)?.ok_or_else(|| {
        Failure::input(format!(
            "no statistics of ingestion {number} of `{reference}` are kept: of derived rows there are none, and others go with an entity that is forgotten"
        ))
        .hint(format!("platform featuregroup stats {reference} is about all rows"))
    })?;
    if context.json {
        return screen::json(
            &json!({ "group": reference, "ingestion": receipt.ingest_id, "rows": receipt.rows, "columns": columns }),
        );
    }
    let (at, rows) = (receipt.committed_at, screen::things(receipt.rows, "row"));
    screen::line(format!("{reference}, ingestion {number} of {at}: {rows}"))?;
    print_statistics(columns.iter().map(|column| (None, column)))
}

/// The receipt with this number.
pub fn receipt_numbered<'a>(
    receipts: &'a [IngestReceipt],
    group: &GroupRef,
    number: i64,
) -> Outcome<&'a IngestReceipt> {
    receipts
        .iter()
        .find(|receipt| receipt.ingest_id == number)
        .ok_or_else(|| {
            let found = match receipts.len() {
                0 => "nothing has been ingested".to_owned(),
                many => format!("there are {}", screen::things(many, "ingestion")),
            };
            Failure::input(format!("`{group}` has no ingestion {number}: {found}"))
                .hint(format!("platform featuregroup history {group}"))
        })
}
