//! `platform registry alias`: move an alias by compare-and-swap.

use std::str::FromStr;

use clap::{Args, Subcommand};
use definitions::{ModelRef, Name, ReferenceError, Version, WallTime};
use registry::{AliasChange, AliasMove, Expected};
use serde_json::json;

use crate::Context;
use crate::failure::{Failure, Outcome};
use crate::holder;
use crate::repository::Repository;
use crate::screen;

/// Set or remove an alias.
#[derive(Subcommand)]
pub enum Alias {
    Set(Set),
    Remove(Remove),
}

/// Point an alias at a version.
#[derive(Args)]
pub struct Set {
    /// The alias, such as `cpu_forecaster@champion`.
    #[arg(value_name = "MODEL@ALIAS")]
    alias: ModelRef,
    /// The version it shall point to, such as `v3`.
    version: Version,
    #[command(flatten)]
    condition: Condition,
}

/// Remove an alias.
#[derive(Args)]
pub struct Remove {
    /// The alias, such as `cpu_forecaster@champion`.
    #[arg(value_name = "MODEL@ALIAS")]
    alias: ModelRef,
    #[command(flatten)]
    condition: Condition,
}

#[derive(Args)]
struct Condition {
    /// Refuse unless the alias points there now: a version such as `v2`, or `none`.
    #[arg(long, value_name = "VERSION")]
    expect: Option<Expect>,
    /// Why, for the history.
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Clone)]
struct Expect(Expected);

impl FromStr for Expect {
    type Err = ReferenceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = if text == "none" {
            Expected::Absent
        } else {
            Expected::Version(text.parse()?)
        };
        Ok(Self(expected))
    }
}

impl Alias {
    /// Moves the alias and says from where to where.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry_to_read().await?;
        match self {
            Self::Set(set) => {
                let change = change(set.alias, set.condition)?;
                let moved = registry.set_alias(&change, set.version).await?;
                report(context, &change, moved)
            }
            Self::Remove(remove) => {
                let change = change(remove.alias, remove.condition)?;
                let moved = registry.remove_alias(&change).await?;
                report(context, &change, moved)
            }
        }
    }
}

fn change(reference: ModelRef, condition: Condition) -> Outcome<AliasChange> {
    let (model, alias) = model_and_alias(reference)?;
    let expect = condition.expect.map(|Expect(expected)| expected);
    let by = holder::person();
    Ok(AliasChange {
        model,
        alias,
        expect,
        by,
        reason: condition.reason,
        at: WallTime::now(),
    })
}

fn model_and_alias(reference: ModelRef) -> Outcome<(Name, Name)> {
    match reference {
        ModelRef::Alias { model, alias } => Ok((model, alias)),
        other => Err(
            Failure::input(format!("`{other}` is not an alias: wanted a model and an alias"))
                .hint("platform registry list names the models; an alias is written `cpu_forecaster@champion`"),
        ),
    }
}

fn report(context: &Context, change: &AliasChange, moved: AliasMove) -> Outcome {
    if context.json {
        return screen::json(
            &json!({ "model": change.model, "alias": change.alias, "from": moved.from, "to": moved.to }),
        );
    }
    let name = format!("{}@{}", change.model, change.alias);
    screen::line(match (moved.from, moved.to) {
        (from, to) if from == to => format!("{name} already points to {}", shown(to)),
        (from, Some(to)) => format!("{name} points to {to}, before: {}", shown(from)),
        (from, None) => format!("{name} is removed, before: {}", shown(from)),
    })
}

/// A version, or `none`.
pub fn shown(version: Option<Version>) -> String {
    version.map_or_else(|| "none".to_owned(), |version| version.to_string())
}
