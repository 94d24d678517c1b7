//! `platform model`: what registered models go by.

use clap::{Args, Subcommand};
use definitions::ModelRef;
use learning::Explanation;
use serde_json::{Value, json};

use super::run::print_importance;
use crate::failure::Outcome;
use crate::repository::Repository;
use crate::{Context, forecasts, screen};

/// Look into models.
#[derive(Subcommand)]
pub enum Model {
    Explain(Explain),
}

/// Show what a model goes by: the importance of features, or of variables and attention over time where it forecasts.
#[derive(Args)]
pub struct Explain {
    /// `cpu_forecaster@champion`, `cpu_forecaster:v3`, or `cpu_forecaster` for the newest version.
    model: ModelRef,
}

impl Model {
    /// Runs the subcommand.
    pub async fn run(self, context: &Context) -> Outcome {
        let Self::Explain(explain) = self;
        explain.run(context).await
    }
}

impl Explain {
    async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry_to_read().await?;
        let record = registry.resolve(&self.model).await?;
        let details = registry.run(record.run).await?;
        let of = |name: &str| {
            details
                .report
                .as_ref()
                .and_then(|report| report.get(name))
                .cloned()
                .unwrap_or(Value::Null)
        };
        let (importance, explanation) = (of("importance"), of("explanation"));
        if context.json {
            return screen::json(&json!({
                "model": record.reference, "learner": record.learner, "importance": importance, "explanation": explanation,
            }));
        }
        screen::line(format!("{}: learner {}", record.reference, record.learner))?;
        print_importance(&details)?;
        let explanation: Option<Explanation> = serde_json::from_value(explanation)?;
        let says_something = explanation.as_ref().is_some_and(|of| !of.past.is_empty());
        if !says_something && importance.as_array().is_none_or(Vec::is_empty) {
            return screen::line("the learner does not say what its models go by");
        }
        explanation.as_ref().map_or(Ok(()), forecasts::explain)
    }
}
