//! `platform`: metrics files in, a gated, registered, reproducible model out.
//!
//! This crate is the composition root: it reads the user's definitions, calls the steps (each a function of definitions
//! and pinned inputs), records their receipts in the registry, and prints. No step calls another; none writes the registry.
//!
//! Reading order: this file, `repository` (what lies where), `applied` (definitions that count), then `commands`, one
//! file per command; `screen`, `progress` and `failure` are how it talks.

mod applied;
mod card;
mod commands;
mod confusion;
mod datasets;
mod drift;
mod failure;
mod folds;
mod forecasts;
mod holder;
mod ingestions;
mod interrupt;
mod kept;
mod memory;
mod poison;
mod progress;
mod report;
mod repository;
mod screen;
mod software;
mod threads;
mod training;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Outcome;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A feature-store-centric ML platform: metrics files in, a gated, registered, reproducible model out.
#[derive(Parser)]
#[command(name = "platform", version, max_term_width = 100, disable_help_subcommand = true)]
struct Cli {
    /// Print one JSON document instead of text.
    #[arg(long, global = true)]
    json: bool,
    /// Work in this repository instead of the nearest one upwards.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = ".",
        hide_default_value = true
    )]
    repository: PathBuf,
    /// Threads to use; results never depend on it. [default: all cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Init(commands::init::Init),
    Plan(commands::plan::Plan),
    Apply(commands::apply::Apply),
    #[command(subcommand)]
    Featuregroup(commands::featuregroup::Featuregroup),
    #[command(subcommand)]
    Featureview(commands::featureview::Featureview),
    #[command(subcommand)]
    Dataset(commands::dataset::Dataset),
    Query(commands::query::Query),
    Train(commands::train::Train),
    #[command(subcommand)]
    Run(commands::run::Run),
    #[command(subcommand)]
    Registry(commands::registry::Registry),
    #[command(subcommand)]
    Model(commands::model::Model),
    Predict(commands::predict::Predict),
    Reproduce(commands::reproduce::Reproduce),
    Gc(commands::gc::Gc),
    Doctor(commands::doctor::Doctor),
    #[command(subcommand)]
    Simulate(commands::simulate::Simulate),
}

/// What every command is told besides its own arguments.
pub struct Context {
    /// Whether to print one JSON document.
    pub json: bool,
    /// Where to look for the repository.
    pub start: PathBuf,
    /// Threads to use.
    pub threads: usize,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => return say_usage(&usage),
    };
    if matches!(
        cli.command,
        Command::Train(_) | Command::Reproduce(_) | Command::Predict(_)
    ) {
        threads::spin_briefly();
    }
    let threads = threads::count(cli.threads);
    let context = Context {
        json: cli.json,
        start: cli.repository,
        threads,
    };
    match threads::runtime(threads).and_then(|runtime| runtime.block_on(until_interrupted(cli.command, &context))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            screen::say(failure.to_string());
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Help and version are answers (stdout, 0); anything else is input that says no (stderr, 1).
fn say_usage(usage: &clap::Error) -> ExitCode {
    let said = usage.print();
    if usage.use_stderr() || said.is_err() {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    }
}

/// Runs the command beside a watch for Ctrl-C, which must be heard while the command computes.
async fn until_interrupted(command: Command, context: &Context) -> Outcome {
    let start = context.start.clone();
    let watch = tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if interrupt::ask() {
                screen::say("interrupted: stopping after this step; Ctrl-C again stops at once");
                continue;
            }
            screen::say("interrupted: nothing half-done was recorded; type the same command again to start over");
            repository::remove_own_staging(&start);
            std::process::exit(130)
        }
    });
    let outcome = run(command, context).await;
    watch.abort();
    outcome
}

async fn run(command: Command, context: &Context) -> Outcome {
    match command {
        Command::Init(init) => init.run(context).await,
        Command::Plan(plan) => plan.run(context).await,
        Command::Apply(apply) => apply.run(context).await,
        Command::Featuregroup(featuregroup) => featuregroup.run(context).await,
        Command::Featureview(featureview) => featureview.run(context).await,
        Command::Dataset(dataset) => dataset.run(context).await,
        Command::Query(query) => query.run(context).await,
        Command::Train(train) => train.run(context).await,
        Command::Run(run) => run.run(context).await,
        Command::Registry(registry) => registry.run(context).await,
        Command::Model(model) => model.run(context).await,
        Command::Predict(predict) => predict.run(context).await,
        Command::Reproduce(reproduce) => reproduce.run(context).await,
        Command::Gc(gc) => gc.run(context).await,
        Command::Doctor(doctor) => doctor.run(context).await,
        Command::Simulate(simulate) => simulate.run(context),
    }
}
