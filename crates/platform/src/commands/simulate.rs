//! `platform simulate`: data to try things on.

use std::path::PathBuf;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use clap::{Args, Subcommand};
use feature_store::export::write_file;
use feature_store::ingest::FileFormat;
use serde_json::json;
use simulation::{Fleet as SimulatedFleet, START};

use crate::Context;
use crate::failure::{Failure, Outcome, at_path};
use crate::screen;

/// Write simulated data to try things on.
#[derive(Subcommand)]
pub enum Simulate {
    Fleet(Fleet),
}

/// A fleet of servers: metrics, late rows, hosts and labels; the same bytes for the same seed.
#[derive(Args)]
pub struct Fleet {
    /// The folder to write to.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Hosts.
    #[arg(long, default_value_t = 60)]
    hosts: u32,
    /// Days, at a row every five minutes.
    #[arg(long, default_value_t = 30)]
    days: u32,
    /// The seed of everything drawn at random.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// csv, parquet or jsonl.
    #[arg(long, default_value = "csv")]
    format: FileFormat,
}

impl Simulate {
    /// Writes the files, each visible when it is whole.
    pub fn run(self, context: &Context) -> Outcome {
        let Self::Fleet(options) = self;
        let fleet = SimulatedFleet {
            hosts: options.hosts,
            days: options.days,
            seed: options.seed,
            start: START,
        };
        let fleet = fleet.checked().map_err(|error| Failure {
            hint: error.hint(),
            ..Failure::input(error.to_string())
        })?;
        std::fs::create_dir_all(&options.out).map_err(at_path(&options.out))?;
        let tables = [
            ("metrics", fleet.metrics()),
            ("late_metrics", fleet.late_metrics()),
            ("hosts", fleet.hosts()),
            ("labels", fleet.labels()),
        ];
        let mut files = Vec::new();
        for (name, batches) in tables {
            let path = options.out.join(format!("{name}.{}", options.format.word()));
            let mut batches = batches.peekable();
            let schema = batches
                .peek()
                .map_or_else(|| Schema::empty().into(), RecordBatch::schema);
            let rows = write_file(&path, options.format, &schema, batches.map(Ok::<_, Failure>))?;
            if !context.json {
                screen::line(format!("{}: {}", path.display(), screen::things(rows, "row")))?;
            }
            files.push(json!({ "path": path, "rows": rows }));
        }
        if context.json {
            screen::json(&json!({ "files": files }))
        } else {
            Ok(())
        }
    }
}
