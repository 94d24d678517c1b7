//! `platform featuregroup blame`

use clap::Args;
use definitions::{EventTime, KnownAt};
use feature_store::{Entity, Origin, Revision, blame};
use serde_json::json;

use crate::Context;
use crate::applied::{self, Wanted};
use crate::failure::{Failure, Outcome};
use crate::repository::Repository;
use crate::screen::{self, Table};

/// Name the ingestion, file and time that set each value of a row, and its superseded revisions.
#[derive(Args)]
pub struct Blame {
    /// `server_metrics`, or `server_metrics:v1`.
    group: Wanted,
    /// The entity: `web-1` where the key has one column, else `host=web-1 disk=sda`.
    #[arg(long, value_name = "KEY", num_args = 1.., required = true)]
    entity: Vec<String>,
    /// The row's event time; of several rows, the last one up to it. [default: the newest row]
    #[arg(long, value_name = "TIME")]
    time: Option<EventTime>,
}

impl Blame {
    /// Reads the whole group.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let group = applied::group(&registry, &self.group).await?.definition;
        let reference = group.reference();
        if let (Some(time), true) = (self.time, group.is_static) {
            return Err(Failure::input(format!(
                "`{reference}` is static: its rows have no time, found --time {time}"
            ))
            .hint("leave --time out"));
        }
        let store = repository.store()?;
        feature_store::create_table(&store, &group).await?;
        let entity = Entity::parse(&group, &self.entity)?;
        let Some(blame) = blame(&store, &group, &entity, self.time).await? else {
            let upto = self.time.map_or_else(String::new, |time| format!(" up to {time}"));
            let message = format!("`{reference}` has no row of `{}`{upto}", self.entity.join(" "));
            return Err(Failure::input(message).hint(format!("platform featuregroup stats {reference}")));
        };
        if context.json {
            return screen::json(&json!({ "entity": self.entity, "blame": blame }));
        }
        let time = blame.event_time.map_or_else(String::new, |time| format!(" at {time}"));
        screen::line(format!("{reference}: `{}`{time}", self.entity.join(" ")))?;
        let mut table = Table::new(&["value", "is", "set by", "known at", "came from"]);
        for value in &blame.values {
            let Some(revision) = blame.revisions.get(value.set_by) else {
                continue;
            };
            table.row([
                value.column.to_string(),
                value.value.clone().unwrap_or_else(|| "NULL".to_owned()),
                setter(revision),
                revision.valid_from.to_string(),
                place(revision.origin.as_ref()),
            ]);
        }
        table.print()?;
        let columns: Vec<String> = blame.values.iter().map(|value| value.column.to_string()).collect();
        print_revisions(&columns, &blame.revisions)
    }
}

fn print_revisions(columns: &[String], revisions: &[Revision]) -> Outcome {
    if revisions.len() < 2 {
        return screen::line("no revision was superseded");
    }
    screen::line(format!(
        "{}, the last one counts",
        screen::things(revisions.len(), "revision")
    ))?;
    let mut headings = vec!["by", "stood from", "to", "came from"];
    headings.extend(columns.iter().map(String::as_str));
    let mut table = Table::new(&headings);
    for revision in revisions {
        let until = match revision.valid_to {
            Some(until) if until == revision.valid_from => "never stood".to_owned(),
            until => until.map_or_else(|| "now".to_owned(), |until: KnownAt| until.to_string()),
        };
        let values = revision
            .values
            .iter()
            .map(|value| value.clone().unwrap_or_else(|| "NULL".to_owned()));
        let place = place(revision.origin.as_ref());
        table.row(
            [setter(revision), revision.valid_from.to_string(), until, place]
                .into_iter()
                .chain(values),
        );
    }
    table.print()
}

fn setter(revision: &Revision) -> String {
    match revision.committed_at {
        Some(_) => format!("ingestion {}", revision.ingest_id),
        None => "another program".to_owned(),
    }
}

/// `metrics.csv:7`, or `row 6 of metrics.csv` where the file is not there any more to say which line that was, or `computed from
/// server_metrics:v1 at Delta version 3`.
fn place(origin: Option<&Origin>) -> String {
    match origin {
        Some(Origin {
            file, line: Some(line), ..
        }) => format!("{file}:{line}"),
        Some(Origin {
            file, row: Some(row), ..
        }) => format!("row {row} of {file}"),
        Some(Origin { file, row: None, .. }) => format!("computed from {file}"),
        None => "-".to_owned(),
    }
}
