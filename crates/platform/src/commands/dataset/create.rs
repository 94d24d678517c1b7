//! `platform dataset create`

use clap::Args;
use definitions::{EventTime, KnownAt};
use feature_store::dataset::{Arguments, Work, load_manifest};
use registry::{CreatedDataset, IfUnchanged};
use serde_json::json;

use super::part_table;
use crate::applied::{self, Wanted};
use crate::failure::{Failure, Outcome};
use crate::memory::Memory;
use crate::repository::Repository;
use crate::screen::Table;
use crate::{Context, datasets, screen};

/// Join, split and pin a training dataset.
#[derive(Args)]
pub struct Create {
    /// `cpu_fv:v2`, or `cpu_fv` for the newest version.
    view: Wanted,
    #[command(flatten)]
    range: Range,
    /// Make a new version even if nothing changed.
    #[arg(long)]
    force: bool,
    /// What the join may hold in memory, such as `512MB`; the rest goes to disk. Default: `[engine] memory` of `platform.toml`, or 1 GiB.
    #[arg(long, value_name = "SIZE")]
    memory: Option<Memory>,
    /// Print the join's plan, what was read for it, and where the time went.
    #[arg(long)]
    explain: bool,
}

/// Which rows.
#[derive(Args)]
pub struct Range {
    /// Only label rows from this event time on: `2026-01-31` or `2026-01-31T12:00:00Z`.
    #[arg(long, value_name = "TIME")]
    from: Option<EventTime>,
    /// Only label rows before this event time.
    #[arg(long, value_name = "TIME")]
    to: Option<EventTime>,
    /// As if made at this time: rows ingested later are not there.
    #[arg(long, value_name = "TIME")]
    as_known_at: Option<KnownAt>,
}

impl From<Range> for Arguments {
    fn from(range: Range) -> Self {
        Self {
            from: range.from,
            to: range.to,
            as_known_at: range.as_known_at,
        }
    }
}

impl Create {
    /// Makes it, or says that nothing has changed.
    pub async fn run(self, context: &Context) -> Outcome {
        if let (Some(from), Some(to)) = (self.range.from, self.range.to)
            && from >= to
        {
            return Err(Failure::input(format!(
                "no time lies in the range: wanted --from before --to, found {from} and {to}"
            ))
            .hint(format!("--from {to} --to {from}")));
        }
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let view = applied::view(&registry, &self.view).await?.definition;
        let if_unchanged = if self.force {
            IfUnchanged::CreateAgain
        } else {
            IfUnchanged::Reuse
        };
        let mut means = repository.means;
        if let Some(memory) = self.memory {
            means.memory = memory.0;
        }
        let made = datasets::create(&repository, &registry, &view, self.range.into(), if_unchanged, means).await?;
        report(context, &repository, &made.0)?;
        match made.1.filter(|_| self.explain && !context.json) {
            Some(work) => explain(&repository, made.0.dataset(), &work),
            None => Ok(()),
        }
    }
}

/// Says what there is now.
pub fn report(context: &Context, repository: &Repository, created: &CreatedDataset) -> Outcome {
    let dataset = created.dataset();
    let outcome = match created {
        CreatedDataset::Created(_) => "created",
        CreatedDataset::Unchanged(_) => "unchanged",
    };
    let manifest = load_manifest(&repository.storage.join(&dataset.path))?;
    if context.json {
        return screen::json(&json!({
            "outcome": outcome,
            "dataset": dataset.reference.to_string(),
            "fingerprint": dataset.fingerprint,
            "rows": manifest.spine.rows,
            "parts": manifest.rows,
            "path": repository.shown(&repository.storage.join(&dataset.path)),
            "warnings": manifest.warnings,
        }));
    }
    let reference = &dataset.reference;
    if outcome == "unchanged" {
        return screen::line(format!(
            "nothing has changed since {reference}: no new version (--force makes one)"
        ));
    }
    screen::line(format!(
        "created {reference}: {}, {}",
        screen::things(dataset.rows, "row"),
        dataset.fingerprint.short()
    ))?;
    part_table(&manifest).print()?;
    super::show::print_joins(&manifest.joins)?;
    for warning in &manifest.warnings {
        screen::say(format!("warning: {warning}"));
    }
    screen::line(format!("next: platform train --view {}", reference.view))
}

/// Says how the work was done.
fn explain(repository: &Repository, dataset: &registry::Dataset, work: &Work) -> Outcome {
    let manifest = load_manifest(&repository.storage.join(&dataset.path))?;
    screen::line(work.plan.trim_end())?;
    let mut table = Table::new(&[
        "joined",
        "rows",
        "looked at",
        "fetched",
        "files",
        "read",
        "reading",
        "matching",
        "fetching",
    ]);
    for (join, work) in manifest.joins.iter().zip(&work.joins) {
        table.row(vec![
            join.group.to_string(),
            screen::count(work.rows),
            screen::count(work.rows_looked_at),
            screen::count(work.rows_fetched),
            screen::count(work.files),
            screen::count(work.files_read),
            seconds(work.reading_micros),
            seconds(work.matching_micros),
            seconds(work.fetching_micros),
        ]);
    }
    table.print()?;
    screen::line(format!(
        "spine {}, joining and writing {}; {} bytes went to disk for a while (times of joins are of all threads together)",
        seconds(work.spine_micros),
        seconds(work.join_micros),
        screen::count(work.spilled_bytes)
    ))
}

fn seconds(micros: u64) -> String {
    screen::seconds(std::time::Duration::from_micros(micros))
}

/// One line, for commands that make a dataset on their way.
pub fn say(created: &CreatedDataset) -> Outcome {
    match created {
        CreatedDataset::Created(dataset) => screen::line(format!(
            "created {}: {}",
            dataset.reference,
            screen::things(dataset.rows, "row")
        )),
        CreatedDataset::Unchanged(dataset) => {
            screen::line(format!("using {}: nothing has changed since", dataset.reference))
        }
    }
}
