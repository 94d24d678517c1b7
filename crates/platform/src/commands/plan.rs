//! `platform plan`: what `apply` would change, as a diff a person can read.

use std::collections::BTreeMap;

use clap::Args;
use definitions::{Catalog, FeatureGroup, FeatureView, GroupRef, Name, Parsed, Problem, Problems, Version};
use registry::{DefinitionKind, DefinitionRecord, NewDefinition};
use serde::Serialize;
use serde_json::json;

use crate::Context;
use crate::applied;
use crate::failure::{Failure, Outcome};
use crate::repository::Repository;
use crate::screen;
use crate::training::wrong_parameter;

/// Show what applying the definitions would change, and change nothing.
#[derive(Args)]
pub struct Plan {}

/// What applying one definition would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is new.
    Add,
    /// A pipeline's text changes.
    Change,
    /// It is applied already, the same.
    Keep,
    /// It was applied with another meaning, and cannot change.
    Refuse,
}

/// One line of the plan.
pub struct Step {
    /// What would happen.
    pub action: Action,
    /// The definition to apply.
    pub new: NewDefinition,
    /// The text that was applied before, where it differs.
    pub before: Option<DefinitionRecord>,
}

impl Step {
    /// `feature group server_metrics:v1`
    pub fn title(&self) -> String {
        let kind = match self.new.kind {
            DefinitionKind::FeatureGroup => "feature group",
            DefinitionKind::FeatureView => "feature view",
            DefinitionKind::Pipeline => "pipeline",
        };
        let version = self
            .new
            .version
            .map_or_else(String::new, |version| format!(":{version}"));
        format!("{kind} {}{version}", self.new.name)
    }

    fn render(&self) -> String {
        let sign = match self.action {
            Action::Add => "+",
            Action::Change => "~",
            Action::Keep => "=",
            Action::Refuse => "!",
        };
        let mut text = format!("{sign} {}  ({})\n", self.title(), self.new.file);
        if let Some(before) = &self.before {
            for line in definitions::diff_definitions(&before.text, &self.new.text).lines() {
                text.push_str(&format!("    {line}\n"));
            }
        }
        text
    }

    /// Why it cannot be applied.
    pub fn refusal(&self) -> Failure {
        let next = self.new.version.map_or(2, |version| version.number() + 1);
        let diff = self.render();
        Failure::input(format!(
            "{}: {} was applied with another meaning, and an applied definition never changes\n{diff}",
            self.new.file,
            self.title()
        ))
        .hint(format!("give the new text a new version: `version = {next}`"))
    }
}

impl Plan {
    /// Prints the plan.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let steps = steps(&repository).await?;
        if context.json {
            let steps = steps.iter().map(|step| {
                let (kind, name, version) = (step.new.kind, &step.new.name, step.new.version);
                json!({
                    "action": step.action, "kind": kind, "name": name, "version": version,
                    "file": step.new.file, "fingerprint": step.new.fingerprint,
                })
            });
            return screen::json(&json!({ "steps": steps.collect::<Vec<_>>() }));
        }
        for step in &steps {
            screen::print(&step.render())?;
        }
        let of = |action| steps.iter().filter(|step| step.action == action).count();
        let (add, change, keep, refuse) = (
            of(Action::Add),
            of(Action::Change),
            of(Action::Keep),
            of(Action::Refuse),
        );
        screen::line(format!(
            "{add} to add, {change} to change, {keep} unchanged, {refuse} refused"
        ))?;
        match steps.iter().find(|step| step.action == Action::Refuse) {
            Some(step) => Err(step.refusal()),
            None if add + change > 0 => screen::line("next: platform apply"),
            None => Ok(()),
        }
    }
}

/// What applying the repository's definitions would do, groups first, then views, then pipelines.
pub async fn steps(repository: &Repository) -> Outcome<Vec<Step>> {
    let mut catalog = repository.catalog()?;
    let applied = applied_records(repository).await?;
    let (mut groups, mut views) = (BTreeMap::new(), BTreeMap::new());
    for record in &applied {
        match record.kind {
            DefinitionKind::FeatureGroup => {
                let group: FeatureGroup = applied::definition_of(record)?;
                groups.insert(group.reference(), group);
            }
            DefinitionKind::FeatureView => {
                let view: FeatureView = applied::definition_of(record)?;
                views.insert(view.reference(), view);
            }
            DefinitionKind::Pipeline => {}
        }
    }
    catalog.complete(&groups)?;
    catalog.check(&groups, &views)?;
    check_what_is_built(&catalog, &groups).await?;
    let mut steps = Vec::new();
    for group in &catalog.groups {
        let (name, version) = (&group.definition.name, group.definition.version);
        steps.push(step(
            DefinitionKind::FeatureGroup,
            name,
            Some(version),
            group,
            &applied,
        )?);
    }
    for view in &catalog.views {
        let (name, version) = (&view.definition.name, view.definition.version);
        steps.push(step(DefinitionKind::FeatureView, name, Some(version), view, &applied)?);
    }
    for pipeline in &catalog.pipelines {
        steps.push(step(
            DefinitionKind::Pipeline,
            &pipeline.definition.name,
            None,
            pipeline,
            &applied,
        )?);
    }
    Ok(steps)
}

/// Checks definitions, given as path and text, that stand alone: nothing has been applied before.
///
/// # Errors
/// What `platform plan` would refuse.
pub async fn check_alone(files: &[(String, String)]) -> Outcome {
    let mut catalog = Catalog::parse(files)?;
    catalog.complete(&BTreeMap::new())?;
    catalog.check(&BTreeMap::new(), &BTreeMap::new())?;
    check_what_is_built(&catalog, &BTreeMap::new()).await
}

async fn applied_records(repository: &Repository) -> Outcome<Vec<DefinitionRecord>> {
    if !repository.registry_file.exists() {
        return Ok(Vec::new());
    }
    Ok(repository.registry().await?.definitions(None).await?)
}

/// What the definitions crate cannot know: what is not built yet, what a query gives, and what the learner makes of its parameters.
async fn check_what_is_built(catalog: &Catalog, applied: &BTreeMap<GroupRef, FeatureGroup>) -> Outcome {
    let mut problems = catalog.not_yet();
    let groups = catalog.all_groups(applied);
    for group in &catalog.groups {
        problems.extend(problem_of_query(group, &groups).await);
    }
    for group in &catalog.groups {
        for wrong in feature_store::expect::wrong_predicates(&group.definition) {
            let key = format!("expect[{}].sql", wrong.place);
            let example = "sql = \"cpu_percent <= 100.0\"".to_owned();
            let problem = group
                .problem(&key, wrong.what)
                .wanted("a condition over the group's columns");
            problems.push(problem.hint(example));
        }
    }
    for pipeline in &catalog.pipelines {
        if let Err(error) = trees::Parameters::from_declared(&pipeline.definition.train.lightgbm) {
            let key = format!("train.lightgbm.{}", error.key());
            problems.push(pipeline.problem(&key, error.to_string()).hint(error.hint()));
        }
        if let Some((key, what, hint)) = wrong_parameter(&pipeline.definition) {
            problems.push(pipeline.problem(&key, what).hint(hint));
        }
    }
    Ok(Problems::none_of(problems)?)
}

/// What is wrong with the SQL of a derived group.
async fn problem_of_query(group: &Parsed<FeatureGroup>, groups: &BTreeMap<GroupRef, FeatureGroup>) -> Option<Problem> {
    let derive = group.definition.derive.as_ref()?;
    let sources = derive.from.iter().map(|from| groups.get(from).cloned());
    let sources: Vec<FeatureGroup> = sources.collect::<Option<_>>()?;
    let error = feature_store::check_query(&group.definition, &sources).await.err()?;
    let problem = group.problem("derive.sql", error.to_string());
    Some(problem.hint(error.hint().unwrap_or_else(|| "select …".to_owned())))
}

fn step<T: Serialize>(
    kind: DefinitionKind,
    name: &Name,
    version: Option<Version>,
    parsed: &Parsed<T>,
    applied: &[DefinitionRecord],
) -> Outcome<Step> {
    let new = NewDefinition {
        kind,
        name: name.clone(),
        version,
        fingerprint: parsed.fingerprint,
        text: parsed.text.clone(),
        canonical: serde_json::to_value(&parsed.definition)?,
        file: parsed.file.clone(),
    };
    let same_name = applied
        .iter()
        .find(|record| record.kind == kind && record.name == *name && record.version == version);
    let (action, before) = match same_name {
        None => (Action::Add, None),
        Some(before) if before.fingerprint == parsed.fingerprint => (Action::Keep, None),
        Some(before) if kind == DefinitionKind::Pipeline => (Action::Change, Some(before.clone())),
        Some(before) => (Action::Refuse, Some(before.clone())),
    };
    Ok(Step { action, new, before })
}
