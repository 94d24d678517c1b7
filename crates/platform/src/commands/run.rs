//! `platform run`: every attempt to train, with its evidence.

use clap::{Args, Subcommand};
use definitions::Name;
use registry::{Evaluation, RunDetails, RunId, RunStatus};
use serde_json::{Value, json};

use crate::commands::registry::metrics_in_short;
use crate::failure::Outcome;
use crate::holder;
use crate::repository::Repository;
use crate::screen::{self, Table};
use crate::{Context, confusion, folds, forecasts};

/// Look at training runs, registered or not.
#[derive(Subcommand)]
pub enum Run {
    List(List),
    Show(Show),
    Compare(Compare),
}

/// List runs, the newest first.
#[derive(Args)]
pub struct List {
    /// Only those of this pipeline.
    #[arg(long)]
    pipeline: Option<Name>,
}

/// Show one run: metrics, gates, parameters.
#[derive(Args)]
pub struct Show {
    /// Its number.
    run: i64,
}

/// Compare two runs, metric by metric.
#[derive(Args)]
pub struct Compare {
    /// One run.
    one: i64,
    /// The other.
    other: i64,
}

impl Run {
    /// Runs the subcommand.
    pub async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::List(list) => list.run(context).await,
            Self::Show(show) => show.run(context).await,
            Self::Compare(compare) => compare.run(context).await,
        }
    }
}

/// The status as people read it: a run whose process is gone is not running.
fn status(run: &registry::Run) -> &'static str {
    match run.status {
        RunStatus::Running if holder::is_gone(&run.holder) => "interrupted",
        RunStatus::Running => "running",
        RunStatus::Registered => "registered",
        RunStatus::Refused => "refused",
        RunStatus::Failed => "failed",
    }
}

impl List {
    async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let runs = registry.runs(self.pipeline.as_ref()).await?;
        if context.json {
            return screen::json(&json!({ "runs": runs }));
        }
        let mut table = Table::new(&["run", "status", "started", "pipeline", "dataset", "metrics", "model"]);
        for run in runs {
            table.row([
                run.id.0.to_string(),
                status(&run).to_owned(),
                run.started_at.to_string(),
                run.pipeline.to_string(),
                run.dataset.to_string(),
                metrics_in_short(run.metrics.as_ref()),
                run.model.map(|model| model.to_string()).unwrap_or_default(),
            ]);
        }
        if table.is_empty() {
            screen::line("no runs yet; `platform train --view VIEW` makes one")
        } else {
            table.print()
        }
    }
}

impl Show {
    async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let details = repository.registry().await?.run(RunId(self.run)).await?;
        if context.json {
            return screen::json(&details);
        }
        let run = &details.run;
        screen::line(format!("run {}: {}", run.id.0, status(run)))?;
        screen::line(format!(
            "  pipeline   {} ({})",
            run.pipeline,
            run.pipeline_fingerprint.short()
        ))?;
        screen::line(format!("  dataset    {}", run.dataset))?;
        screen::line(format!("  learner    {}, seed {}", run.learner, run.seed))?;
        screen::line(format!("  parameters {}", run.parameters))?;
        if let Some(training) = details.report.as_ref().and_then(training) {
            screen::line(format!("  training   {training}"))?;
        }
        if let Some(model) = &run.model {
            screen::line(format!("  model      {model}"))?;
        }
        if let Some(error) = &run.error {
            screen::line(format!("  error      {error}"))?;
        }
        print_gates(&details)?;
        print_evaluations(&details.evaluations)?;
        if let Some(report) = details.report.as_ref().and_then(|report| report.get("folds")) {
            folds::print(report)?;
        }
        print_leaks(&details)?;
        print_confusion(&details)?;
        print_importance(&details)?;
        print_forecasts(&details)
    }
}

/// `2,305 rows, 20 rounds, the best is 18, fit 1.20 s`
fn training(report: &Value) -> Option<String> {
    let number = |name: &str| report.get(name)?.as_u64();
    let (rows, rounds) = (
        screen::things(number("train_rows")?, "row"),
        screen::things(report.get("history")?.as_array()?.len(), "round"),
    );
    let (best, seconds) = (number("best_iteration")?, report.get("fit_seconds")?.as_f64()?);
    Some(format!("{rows}, {rounds}, the best is {best}, fit {seconds:.2} s"))
}

fn print_gates(details: &RunDetails) -> Outcome {
    let mut table = Table::new(&["gate", "value", "limit", "passed", "detail"]);
    for check in &details.gate_checks {
        let passed = if check.passed { "yes" } else { "NO" };
        let value = screen::optional_value(check.value);
        table.row([
            check.gate.clone(),
            value,
            check.limit.clone(),
            passed.to_owned(),
            check.detail.clone(),
        ]);
    }
    if table.is_empty() {
        Ok(())
    } else {
        screen::print(&format!("\n{}", table.render()))
    }
}

fn print_evaluations(evaluations: &[Evaluation]) -> Outcome {
    let mut table = Table::new(&["part", "subject", "slice", "metric", "value", "rows"]);
    for evaluation in evaluations {
        table.row([
            evaluation.part.clone(),
            evaluation.subject.clone(),
            slice(evaluation),
            evaluation.metric.clone(),
            screen::optional_value(evaluation.value),
            screen::count(evaluation.rows),
        ]);
    }
    if table.is_empty() {
        Ok(())
    } else {
        screen::print(&format!("\n{}", table.render()))
    }
}

/// What each leak test found.
fn print_leaks(details: &RunDetails) -> Outcome {
    let all = details.report.as_ref().and_then(|report| report.get("leaks"));
    let mut table = Table::new(&["leak test", "finding", "in words"]);
    for check in all.and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| check.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        table.row([text("test"), text("finding").replace('_', " "), text("detail")]);
    }
    if table.is_empty() {
        Ok(())
    } else {
        screen::print(&format!("\n{}", table.render()))
    }
}

/// Of the part that gates look at: test, else validation, else train.
fn print_confusion(details: &RunDetails) -> Outcome {
    let all = details.report.as_ref().and_then(|report| report.get("confusion"));
    let judged = ["test", "validation", "train"].iter();
    let found = judged.filter_map(|part| Some((part, all?.get(part)?))).next();
    let Some((part, matrix)) = found else {
        return Ok(());
    };
    screen::line("")?;
    confusion::print(part, &serde_json::from_value(matrix.clone())?, details.run.id.0)
}

/// What the model goes by, the most important feature first.
pub fn print_importance(details: &RunDetails) -> Outcome {
    let all = details.report.as_ref().and_then(|report| report.get("importance"));
    let mut table = Table::new(&["feature", "gain", "splits", "mean |SHAP|"]);
    for of in all.and_then(Value::as_array).into_iter().flatten() {
        let number = |name: &str| screen::optional_value(of.get(name).and_then(Value::as_f64));
        let name = of.get("feature").and_then(Value::as_str).unwrap_or_default();
        let (gain, splits, shap) = (number("gain"), number("splits"), number("mean_absolute_contribution"));
        table.row([name.to_owned(), gain, splits, shap]);
    }
    if table.is_empty() {
        Ok(())
    } else {
        screen::print(&format!("\n{}", table.render()))
    }
}

/// Of forecasts: how good they are on each part, and what they rest on.
fn print_forecasts(details: &RunDetails) -> Outcome {
    let of = |name: &str| details.report.as_ref().and_then(|report| report.get(name));
    for part in ["validation", "test", "train"] {
        if let Some(found) = of("forecast").and_then(|parts| parts.get(part)) {
            forecasts::print(part, &serde_json::from_value(found.clone())?)?;
        }
    }
    match of("explanation").filter(|explanation| !explanation.is_null()) {
        Some(explanation) => forecasts::explain(&serde_json::from_value(explanation.clone())?),
        None => Ok(()),
    }
}

fn slice(evaluation: &Evaluation) -> String {
    match (&evaluation.slice_column, &evaluation.slice_value) {
        (None, _) => String::new(),
        (Some(column), Some(value)) => format!("{column}={value}"),
        (Some(column), None) => format!("{column} is NULL"),
    }
}

impl Compare {
    async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let (one, other) = (
            registry.run(RunId(self.one)).await?,
            registry.run(RunId(self.other)).await?,
        );
        if context.json {
            return screen::json(&json!({ "one": one, "other": other }));
        }
        let (first, second) = (format!("run {}", self.one), format!("run {}", self.other));
        let mut table = Table::new(&["", &first, &second]);
        let (one_facts, other_facts) = (facts(&one.run), facts(&other.run));
        for ((name, fact), (_, twin)) in one_facts.into_iter().zip(other_facts) {
            table.row([name.to_owned(), fact, twin]);
        }
        for evaluation in one
            .evaluations
            .iter()
            .filter(|evaluation| evaluation.slice_column.is_none())
        {
            let twin = other.evaluations.iter().find(|twin| {
                twin.slice_column.is_none()
                    && (&twin.part, &twin.subject, &twin.metric)
                        == (&evaluation.part, &evaluation.subject, &evaluation.metric)
            });
            let name = format!("{} {} {}", evaluation.part, evaluation.subject, evaluation.metric);
            let value = screen::optional_value(evaluation.value);
            table.row([name, value, screen::optional_value(twin.and_then(|twin| twin.value))]);
        }
        table.print()
    }
}

fn facts(run: &registry::Run) -> [(&'static str, String); 4] {
    [
        ("dataset", run.dataset.to_string()),
        ("learner", run.learner.clone()),
        ("parameters", run.parameters.to_string()),
        ("status", status(run).to_owned()),
    ]
}
