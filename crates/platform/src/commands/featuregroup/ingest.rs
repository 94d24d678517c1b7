//! `platform featuregroup ingest`

use std::sync::Arc;

use clap::Args;
use definitions::{Level, WallTime};
use feature_store::expect::ExpectationResult;
use feature_store::ingest::{
    DEFAULT_MEMORY, Earnest, FileFormat, IngestOutcome, IngestProgress, IngestReceipt, IngestRequest, Repeat, ingest,
};

use crate::applied::{self, Wanted};
use crate::failure::Outcome;
use crate::ingestions::{self, WritingRight};
use crate::progress::Progress;
use crate::repository::Repository;
use crate::{Context, screen};

/// How many rows are shown that break an expectation and are let through.
const SHOWN_WARNINGS: usize = 3;

/// Bring files into a feature group: all of their rows, or none.
#[derive(Args)]
pub struct Ingest {
    /// `server_metrics`, or `server_metrics:v1`.
    group: Wanted,
    /// CSV, Parquet or JSON lines, also .gz and .zst; patterns such as `data/*.csv`; - for stdin.
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    from: Vec<String>,
    /// csv, parquet or jsonl, where the names do not say it.
    #[arg(long)]
    format: Option<FileFormat>,
    /// Ingest again what has been ingested before.
    #[arg(long)]
    force: bool,
    /// Read and check everything, write nothing.
    #[arg(long)]
    dry_run: bool,
}

impl Ingest {
    /// Ingests, one writer per table at a time.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let group = applied::group(&registry, &self.group).await?.definition;
        let store = repository.store()?;
        feature_store::create_table(&store, &group).await?;
        let right = WritingRight::acquire(&registry, &group.reference()).await?;
        let progress = Arc::new(Progress::start("rows", 0));
        let told = progress.clone();
        let on_progress = move |at: IngestProgress| {
            let share = (at.bytes * 100).checked_div(at.bytes_total).unwrap_or(0).min(100);
            let total = (at.rows * at.bytes_total)
                .checked_div(at.bytes)
                .unwrap_or(0)
                .max(at.rows);
            told.at(at.rows, total, &format!("{share} % read"));
        };
        let request = IngestRequest {
            store: store.clone(),
            group: group.clone(),
            sources: self.from,
            format: self.format,
            repeat: if self.force { Repeat::Again } else { Repeat::Skip },
            earnest: if self.dry_run { Earnest::DryRun } else { Earnest::Commit },
            now: WallTime::now(),
            memory: DEFAULT_MEMORY,
            software: format!("platform {}", env!("CARGO_PKG_VERSION")),
            progress: Arc::new(on_progress),
        };
        let done = ingest(request).await;
        drop(progress);
        if done.is_ok() {
            ingestions::reconcile(&store, &registry, &group).await?;
        }
        right.release().await?;
        report(context, &done?)
    }
}

fn report(context: &Context, receipt: &IngestReceipt) -> Outcome {
    if context.json {
        return screen::json(receipt);
    }
    let (group, rows) = (&receipt.group, screen::things(receipt.rows, "row"));
    match receipt.outcome {
        IngestOutcome::AlreadyThere => {
            let (id, at) = (receipt.ingest_id, receipt.committed_at);
            return screen::line(format!(
                "{group}: nothing to do: the same content is there since ingestion {id} of {at} (--force repeats it)"
            ));
        }
        IngestOutcome::DryRun => screen::line(format!(
            "{group}: {rows} checked, nothing is wrong; nothing was written"
        ))?,
        IngestOutcome::Committed => {
            let (id, version) = (receipt.ingest_id, receipt.delta_version);
            screen::line(format!("{group}: {rows} in ingestion {id}, Delta version {version}"))?;
        }
    }
    if let (Some(first), Some(last)) = (receipt.min_event_time, receipt.max_event_time) {
        screen::line(format!("  event times   {first} to {last}"))?;
    }
    let notes = [
        ("identical", receipt.duplicates, "identical row", " left out"),
        ("NaN", receipt.nan_nulls, "NaN value", " became NULL"),
        ("quarantine", receipt.quarantined, "row", " went to quarantine"),
    ];
    for (name, number, one, what) in notes {
        if number > 0 {
            screen::line(format!("  {name:<13} {}{what}", screen::things(number, one)))?;
        }
    }
    if receipt.quarantined > 0 {
        screen::line(format!(
            "  see them      platform query 'select * from quarantine.\"{group}\"'"
        ))?;
    }
    warn_of_expectations(receipt)?;
    if !receipt.ignored_columns.is_empty() {
        screen::line(format!("  not declared  {}", receipt.ignored_columns.join(", ")))?;
    }
    Ok(())
}

/// Says what is not as it is expected and was let through.
pub(super) fn warn_of_expectations(receipt: &IngestReceipt) -> Outcome {
    let warns = |result: &&ExpectationResult| !result.holds && result.level == Level::Warn;
    for result in receipt.expectations.iter().filter(warns) {
        screen::line(format!("  warning       {result}"))?;
        for violation in result.first.iter().take(SHOWN_WARNINGS) {
            screen::line(format!("                {violation}"))?;
        }
    }
    Ok(())
}
