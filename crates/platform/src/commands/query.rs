//! `platform query`: SQL over every feature group.

use std::path::PathBuf;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use clap::Args;
use feature_store::StoreError;
use feature_store::export::{write_file, write_rows};
use feature_store::ingest::FileFormat;
use futures::TryStreamExt;

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
        if self.csv || self.to.is_some() {
            let rows = futures::executor::block_on_stream(answer.batches);
            return tokio::task::block_in_place(|| match &self.to {
                Some(path) => {
                    let format = format_of(path)?;
                    let rows = write_file::<Failure>(path, format, &schema, rows.map(|batch| Ok(batch?)))?;
                    screen::line(format!("{}: {} rows", path.display(), screen::count(rows)))
                }
                None => {
                    let stdout = std::io::BufWriter::new(std::io::stdout());
                    let place = PathBuf::from("stdout");
                    write_rows::<StoreError>(stdout, &place, FileFormat::Csv, &schema, rows)
                        .map(drop)
                        .or_else(closed)
                }
            });
        }
        let batches: Vec<RecordBatch> = answer.batches.try_collect().await?;
        if context.json {
            print_json(&schema, &batches)
        } else {
            print_table(&schema, &batches)
        }
    }
}

/// A reader that has gone away, such as `head`, is no failure.
fn closed(error: StoreError) -> Outcome {
    match &error {
        StoreError::File { source, .. } if source.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error.into()),
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

fn print_json(schema: &arrow::datatypes::SchemaRef, batches: &[RecordBatch]) -> Outcome {
    let mut rows = Vec::new();
    let place = PathBuf::from("stdout");
    write_rows::<StoreError>(
        &mut rows,
        &place,
        FileFormat::Jsonl,
        schema,
        batches.iter().cloned().map(Ok),
    )?;
    let text = String::from_utf8_lossy(&rows);
    let rows = text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<Vec<serde_json::Value>, _>>()?;
    let columns: Vec<_> = schema.fields().iter().map(|field| field.name()).collect();
    screen::json(&serde_json::json!({ "columns": columns, "rows": rows }))
}

fn print_table(schema: &arrow::datatypes::SchemaRef, batches: &[RecordBatch]) -> Outcome {
    let headings: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let mut table = Table::new(&headings);
    let options = FormatOptions::new()
        .with_null("NULL")
        .with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.fZ"));
    let total: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let mut shown = 0;
    for batch in batches {
        let formatters = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
        let formatters = formatters
            .collect::<Result<Vec<_>, _>>()
            .map_err(learning::LearningError::from)?;
        for row in (0..batch.num_rows()).take(SHOWN - shown) {
            table.row(formatters.iter().map(|formatter| formatter.value(row).to_string()));
            shown += 1;
        }
    }
    table.print()?;
    match total {
        _ if total > shown => screen::say(format!(
            "{shown} of {} rows shown; --csv prints all",
            screen::count(total as u64)
        )),
        1 => screen::say("1 row"),
        many => screen::say(format!("{} rows", screen::count(many as u64))),
    }
    Ok(())
}
