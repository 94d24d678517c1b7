//! `platform query`: SQL over every feature group.

use std::path::PathBuf;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use clap::Args;
use feature_store::export::{write_file, write_rows};
use feature_store::ingest::FileFormat;

use crate::failure::{Failure, Outcome};
use crate::repository::Repository;
use crate::screen::{self, Table};
use crate::{Context, applied};

/// Rows printed as a table; more are counted, not shown.
const SHOWN: usize = 1_000;

/// Ask the feature groups in SQL: server_metrics, "server_metrics:v1", at('server_metrics:v1', 417 or a time).
#[derive(Args)]
pub struct Query {
    /// The query, or - to read it from stdin.
    sql: String,
    /// Print CSV.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Write to a file (.csv, .parquet or .jsonl) instead.
    #[arg(long, value_name = "FILE", conflicts_with = "csv")]
    to: Option<PathBuf>,
}

impl Query {
    /// Prints the answer.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let groups = applied::groups(&repository.registry().await?).await?;
        let sql = if self.sql == "-" {
            std::io::read_to_string(std::io::stdin()).map_err(|error| Failure::input(format!("stdin: {error}")))?
        } else {
            self.sql
        };
        let answer = feature_store::query::query(&repository.store()?, &groups, &sql).await?;
        let schema = answer.schema.clone();
        let rows = futures::executor::block_on_stream(answer.batches);
        let rows = rows.map(|batch| Ok::<_, Failure>(batch?));
        tokio::task::block_in_place(|| match &self.to {
            Some(path) => {
                let rows = write_file::<Failure>(path, format_of(path)?, &schema, rows)?;
                screen::line(format!("{}: {}", path.display(), screen::things(rows, "row")))
            }
            None if self.csv => {
                let place = PathBuf::from("stdout");
                write_rows::<Failure>(Screen, &place, FileFormat::Csv, &schema, rows).map(drop)
            }
            None if context.json => print_json(&schema, rows),
            None => print_table(&schema, rows),
        })
    }
}

/// Stdout as the rest of the program writes it: a reader that has gone away, such as `head`, ends the program quietly.
struct Screen;

impl std::io::Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        screen::print_bytes(bytes).map_err(|failure| std::io::Error::other(failure.message))?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The format that a file's name says.
pub fn format_of(path: &std::path::Path) -> Outcome<FileFormat> {
    let ending = path
        .extension()
        .map(|ending| ending.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    let format = ending.parse::<FileFormat>();
    format.map_err(|_| {
        Failure::input(format!(
            "`{}`: wanted a name that ends in .csv, .parquet or .jsonl",
            path.display()
        ))
    })
}

/// One document, written row by row, so that a large answer is never held.
fn print_json(schema: &SchemaRef, batches: impl Iterator<Item = Outcome<RecordBatch>>) -> Outcome {
    let columns: Vec<_> = schema.fields().iter().map(|field| field.name()).collect();
    let place = PathBuf::from("stdout");
    let mut separator = "\n";
    screen::print(&format!(
        "{{\n  \"columns\": {},\n  \"rows\": [",
        serde_json::to_string(&columns)?
    ))?;
    for batch in batches {
        let mut lines = Vec::new();
        write_rows::<Failure>(&mut lines, &place, FileFormat::Jsonl, schema, std::iter::once(batch))?;
        let mut text = String::new();
        for line in String::from_utf8_lossy(&lines).lines() {
            text.push_str(separator);
            text.push_str("    ");
            text.push_str(line);
            separator = ",\n";
        }
        screen::print(&text)?;
    }
    screen::print("\n  ]\n}\n")
}

fn print_table(schema: &SchemaRef, batches: impl Iterator<Item = Outcome<RecordBatch>>) -> Outcome {
    let headings: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let mut table = Table::new(&headings);
    let options = FormatOptions::new()
        .with_null("NULL")
        .with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.fZ"));
    let (mut shown, mut total) = (0, 0);
    for batch in batches {
        let batch = batch?;
        total += batch.num_rows();
        let formatters = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
        let formatters = formatters
            .collect::<Result<Vec<_>, _>>()
            .map_err(learning::LearningError::from)?;
        for row in (0..batch.num_rows()).take(SHOWN - shown) {
            table.row(
                formatters
                    .iter()
                    .map(|formatter| on_one_line(&formatter.value(row).to_string())),
            );
            shown += 1;
        }
    }
    table.print()?;
    match total {
        _ if total > shown => screen::say(format!(
            "{shown} of {} rows shown; --csv prints all",
            screen::count(total as u64)
        )),
        all => screen::say(screen::things(all, "row")),
    }
    Ok(())
}

/// A cell without line breaks and other control characters, which would break the table.
fn on_one_line(text: &str) -> String {
    let shown = text.chars().map(|letter| match letter.is_control() {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    });
    shown.collect()
}
