//! `platform featureview`: the views that have been applied, and applying one.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use definitions::{FeatureView, Split, WallTime, derive_gap, resolve_view};
use registry::DefinitionKind;
use serde_json::json;

use super::plan::{Action, steps};
use crate::Context;
use crate::applied::{self, Wanted};
use crate::failure::{Failure, Outcome};
use crate::repository::Repository;
use crate::screen::{self, Table};

/// Create, list and show feature views.
#[derive(Subcommand)]
pub enum Featureview {
    Create(Create),
    List(List),
    Show(Show),
}

/// Apply one view, and what it needs that has not been applied yet.
#[derive(Args)]
pub struct Create {
    /// Its file, or its name: `feature_views/cpu_fv.toml` or `cpu_fv`.
    #[arg(value_name = "FILE|NAME")]
    view: PathBuf,
}

/// List the applied views.
#[derive(Args)]
pub struct List {}

/// Show a view: its columns, where they come from, its split.
#[derive(Args)]
pub struct Show {
    /// `cpu_fv:v2`, or `cpu_fv` for the newest version.
    view: Wanted,
}

impl Featureview {
    /// Runs the subcommand.
    pub async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Create(create) => create.run(context).await,
            Self::List(list) => list.run(context).await,
            Self::Show(show) => show.run(context).await,
        }
    }
}

impl Create {
    async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let steps = steps(&repository).await?;
        let wanted = file_stem(&self.view);
        let is_wanted =
            |name: &str, file: &str| name == self.view.to_string_lossy() || file_stem(Path::new(file)) == wanted;
        let view = steps.iter().rev().find(|step| {
            step.new.kind == DefinitionKind::FeatureView && is_wanted(step.new.name.as_str(), &step.new.file)
        });
        let view = view.ok_or_else(|| {
            Failure::input(format!("no feature view `{}` in `feature_views/`", self.view.display()))
                .hint("write `feature_views/NAME.toml`, or see those there are: platform plan")
        })?;
        if view.action == Action::Refuse {
            return Err(view.refusal());
        }
        let definition: FeatureView = serde_json::from_value(view.new.canonical.clone())?;
        let mut new = Vec::new();
        for group in definition.groups() {
            let step = steps.iter().find(|step| {
                step.new.kind == DefinitionKind::FeatureGroup
                    && step.new.name == group.name
                    && step.new.version == Some(group.version)
            });
            match step {
                Some(step) if step.action == Action::Refuse => return Err(step.refusal()),
                Some(step) => new.push(step.new.clone()),
                // Applied before, and its file has gone or has a newer version.
                None => {}
            }
        }
        new.push(view.new.clone());
        let registry = repository.registry().await?;
        let done = registry.apply_definitions(&new, WallTime::now()).await?;
        super::apply::make_tables(&repository, &registry).await?;
        if context.json {
            return screen::json(&json!({ "applied": done }));
        }
        let reference = definition.reference();
        let word = if view.action == Action::Keep {
            "was applied before"
        } else {
            "applied"
        };
        screen::line(format!("feature view {reference} {word}"))?;
        screen::line(format!("next: platform dataset create {reference}"))
    }
}

fn file_stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

impl List {
    async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let records = registry.definitions(Some(DefinitionKind::FeatureView)).await?;
        if context.json {
            let views = records.iter().map(|record| {
                json!({ "name": record.name, "version": record.version, "fingerprint": record.fingerprint, "applied_at": record.applied_at, "definition": record.canonical })
            });
            return screen::json(&json!({ "views": views.collect::<Vec<_>>() }));
        }
        let mut table = Table::new(&["view", "spine", "features", "datasets", "description"]);
        for record in records {
            let view: FeatureView = applied::definition_of(&record)?;
            let reference = view.reference();
            let datasets = registry.datasets(Some(&view.name)).await?;
            let of_version = datasets
                .iter()
                .filter(|dataset| dataset.reference.view == reference)
                .count();
            table.row([
                reference.to_string(),
                view.spine().map(ToString::to_string).unwrap_or_default(),
                view.features
                    .iter()
                    .map(|selection| selection.columns.len())
                    .sum::<usize>()
                    .to_string(),
                of_version.to_string(),
                view.description.unwrap_or_default(),
            ]);
        }
        if table.is_empty() {
            screen::line("no feature views applied yet; next: platform apply")
        } else {
            table.print()
        }
    }
}

impl Show {
    async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let view = applied::view(&registry, &self.view).await?;
        let groups = applied::groups_of(&registry, &view.definition).await?;
        let resolved = resolve_view(&view.definition, &groups)?;
        let gap = derive_gap(&view.definition, &groups)?;
        if context.json {
            return screen::json(&json!({
                "view": view.definition.reference(), "fingerprint": view.fingerprint, "definition": view.definition,
                "gap": { "total": gap.total(), "horizon": gap.horizon, "lookback": gap.lookback, "sum": gap.to_string() },
            }));
        }
        screen::line(format!("{}  {}", view.definition.reference(), view.fingerprint.short()))?;
        if let Some(description) = &view.definition.description {
            screen::line(format!("  {description}"))?;
        }
        let mut table = Table::new(&["column", "type", "role", "from"]);
        for column in &resolved.columns {
            let role = super::dataset::role_word(column.role).to_owned();
            let from = format!("{}.{}", column.group, column.column);
            table.row([column.name.to_string(), column.data_type.word().to_owned(), role, from]);
        }
        table.print()?;
        match &view.definition.split {
            None => screen::line("no split: one part, `train`"),
            Some(Split::Time { .. }) => screen::line(format!("split by time; gap: {gap}")),
            Some(Split::WalkForward { folds, train, .. }) => {
                let window = if train.is_some() { "sliding" } else { "expanding" };
                screen::line(format!("{folds} folds that walk forward, {window}; gap: {gap}"))
            }
            Some(Split::Random { seed, stratify, .. }) => {
                let by = stratify.as_ref().map(|column| format!(", by the values of {column}"));
                screen::line(format!("split at random, seed {seed}{}", by.unwrap_or_default()))
            }
            Some(Split::Group { seed, .. }) => screen::line(format!("split by entity, seed {seed}")),
        }
    }
}
