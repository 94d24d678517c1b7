//! `platform dataset create`

use clap::Args;
use definitions::{EventTime, KnownAt};
use feature_store::dataset::{Arguments, load_manifest};
use registry::{CreatedDataset, IfUnchanged};
use serde_json::json;

use super::part_table;
use crate::applied::{self, Wanted};
use crate::failure::{Failure, Outcome};
use crate::repository::Repository;
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
        let created = datasets::create(&repository, &registry, &view, self.range.into(), if_unchanged).await?;
        report(context, &repository, &created)
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
        "created {reference}: {} rows, {}",
        screen::count(dataset.rows),
        dataset.fingerprint.short()
    ))?;
    part_table(&manifest).print()?;
    super::show::print_joins(&manifest)?;
    for warning in &manifest.warnings {
        screen::say(format!("warning: {warning}"));
    }
    screen::line(format!("next: platform train --view {}", reference.view))
}

/// One line, for commands that make a dataset on their way.
pub fn say(created: &CreatedDataset) -> Outcome {
    match created {
        CreatedDataset::Created(dataset) => screen::line(format!(
            "created {}: {} rows",
            dataset.reference,
            screen::count(dataset.rows)
        )),
        CreatedDataset::Unchanged(dataset) => {
            screen::line(format!("using {}: nothing has changed since", dataset.reference))
        }
    }
}
