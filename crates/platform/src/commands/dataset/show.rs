//! `platform dataset show`

use clap::Args;
use definitions::Role;
use feature_store::dataset::{JoinReport, Manifest, load_manifest};
use registry::Unreproducible;

use super::{WantedDataset, print_statistics};
use crate::Context;
use crate::failure::Outcome;
use crate::repository::Repository;
use crate::screen::{self, Table};

/// Show a dataset's parts, joins, split, pins and columns.
#[derive(Args)]
pub struct Show {
    /// `cpu_fv:v2/5`, or `cpu_fv:v2` for the newest.
    dataset: WantedDataset,
    /// Also the statistics of every column, part by part.
    #[arg(long)]
    statistics: bool,
}

impl Show {
    /// Prints it.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let dataset = self.dataset.find(&registry).await?;
        let manifest = load_manifest(&repository.storage.join(&dataset.path))?;
        if context.json {
            return screen::json(&manifest);
        }
        screen::line(format!("{}  {}", dataset.reference, dataset.fingerprint))?;
        screen::line(format!(
            "  made {} in {}",
            dataset.created_at,
            repository.shown(&repository.storage.join(&dataset.path))
        ))?;
        if let Some(Unreproducible { reason, since }) = &dataset.unreproducible {
            screen::line(format!("  NO LONGER REPRODUCIBLE since {since}: {reason}"))?;
        }
        part_table(&manifest).print()?;
        print_joins(&manifest.joins)?;
        screen::line(format!("gap needed: {}", manifest.gap))?;
        for sentence in manifest.certificate.sentences() {
            screen::line(format!("  {sentence}"))?;
        }
        for pin in &manifest.pins {
            let (rows, files) = (
                screen::things(pin.rows(), "row"),
                screen::things(pin.files.len(), "file"),
            );
            screen::line(format!(
                "pinned {} at Delta version {}: {rows} in {files}",
                pin.group, pin.delta_version
            ))?;
        }
        for warning in &manifest.warnings {
            screen::line(format!("warning: {warning}"))?;
        }
        if self.statistics {
            print_part_statistics(&manifest)
        } else {
            print_columns(&manifest)
        }
    }
}

/// Part, rows, first and last event time.
pub fn part_table(manifest: &Manifest) -> Table {
    let mut table = Table::new(&["part", "rows", "from", "to", "content"]);
    let time = |time: Option<definitions::EventTime>| time.map_or_else(|| "-".to_owned(), |time| time.to_string());
    for part in &manifest.parts {
        let (from, to) = (time(part.first_event_time), time(part.last_event_time));
        table.row([
            part.part.to_string(),
            screen::count(part.rows),
            from,
            to,
            part.fingerprint.short(),
        ]);
    }
    if manifest.rows.gap > 0 {
        let (rows, kept) = (screen::count(manifest.rows.gap), manifest.gap_rows.as_ref());
        let content = kept.map_or_else(|| "not kept".to_owned(), |gap| gap.fingerprint.short());
        table.row(["(gap)".to_owned(), rows, String::new(), String::new(), content]);
    }
    table
}

/// One line a join: what became of the rows that it was to find something for.
pub fn print_joins(joins: &[JoinReport]) -> Outcome {
    let mut table = Table::new(&[
        "joined",
        "matched",
        "unknown entity",
        "before first",
        "expired",
        "not yet known",
        "by tie rule",
    ]);
    for join in joins {
        let prefix = join
            .prefix
            .as_ref()
            .map(|prefix| format!(" as {prefix}"))
            .unwrap_or_default();
        let counts = &join.outcomes;
        table.row([
            format!("{}{prefix}", join.group),
            screen::count(counts.matched),
            screen::count(counts.unknown_entity),
            screen::count(counts.before_first),
            screen::count(counts.expired),
            screen::count(counts.not_yet_known),
            screen::count(counts.tied),
        ]);
    }
    if table.is_empty() { Ok(()) } else { table.print() }
}

fn print_columns(manifest: &Manifest) -> Outcome {
    let mut table = Table::new(&["column", "type", "role", "from"]);
    for column in &manifest.columns {
        let role = role_word(column.role).to_owned();
        let from = format!("{}.{}", column.group, column.source);
        table.row([column.name.clone(), column.data_type.word().to_owned(), role, from]);
    }
    table.print()
}

fn print_part_statistics(manifest: &Manifest) -> Outcome {
    let columns = manifest.parts.iter().flat_map(|part| {
        part.statistics
            .iter()
            .map(|column| (Some(part.part.to_string()), column))
    });
    print_statistics(columns)
}

/// What a column is for, in words.
pub fn role_word(role: Role) -> &'static str {
    match role {
        Role::Key => "key",
        Role::EventTime => "event time",
        Role::Label => "label",
        Role::LabelHelper => "label helper",
        Role::Feature => "feature",
        Role::Helper => "helper",
    }
}
