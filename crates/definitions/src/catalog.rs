//! All definitions of a repository, and what must hold between them.

use std::collections::BTreeMap;

mod derived;
mod pipelines;
mod sources;

use crate::parse::{parse_feature_group, parse_feature_view, parse_pipeline};
use crate::resolve::resolve;
use crate::{
    FeatureGroup, FeatureView, Gap, GroupRef, Parsed, Pipeline, Problem, Problems, ResolvedView, Split, ViewRef,
};

/// The definitions of a repository's files.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// Its feature groups.
    pub groups: Vec<Parsed<FeatureGroup>>,
    /// Its feature views.
    pub views: Vec<Parsed<FeatureView>>,
    /// Its pipelines.
    pub pipelines: Vec<Parsed<Pipeline>>,
}

impl Catalog {
    /// Reads files, given as path relative to the repository and text. The folder says the kind: `feature_groups/…`,
    /// `feature_views/…` or `pipelines/…`.
    ///
    /// # Errors
    /// Every mistake in every file.
    pub fn parse(files: &[(String, String)]) -> Result<Self, Problems> {
        let mut catalog = Self::default();
        let mut problems = Vec::new();
        for (file, text) in files {
            let folders = file.rsplit(['/', '\\']).skip(1);
            let kind = folders
                .into_iter()
                .find(|folder| matches!(*folder, "feature_groups" | "feature_views" | "pipelines"));
            let result = match kind {
                Some("feature_groups") => parse_feature_group(file, text).map(|group| catalog.groups.push(group)),
                Some("feature_views") => parse_feature_view(file, text).map(|view| catalog.views.push(view)),
                Some(_) => parse_pipeline(file, text).map(|pipeline| catalog.pipelines.push(pipeline)),
                None => {
                    let problem = Problem::new(file, "not in a folder of definitions");
                    let folders = "`feature_groups/`, `feature_views/` or `pipelines/`";
                    let problem = problem.wanted(folders).found(format!("`{file}`"));
                    Err(Problems(vec![
                        problem.hint("move it to the folder of its kind".to_owned()),
                    ]))
                }
            };
            problems.extend(result.err().into_iter().flat_map(|Problems(problems)| problems));
        }
        Problems::none_of(problems).map(|()| catalog)
    }

    /// Gives derived features their types, which follow from those of the columns that they are computed from, also from groups
    /// that have been applied before. A type that cannot be told stays open; `check` says why.
    ///
    /// # Errors
    /// A group has no canonical form; that holds for none.
    pub fn complete(&mut self, applied_groups: &BTreeMap<GroupRef, FeatureGroup>) -> Result<(), Problems> {
        derived::complete(self, applied_groups)
    }

    /// Checks the definitions against each other, and against what has been applied before, which may be referred to too.
    ///
    /// # Errors
    /// A name twice, a reference to nothing, a cycle, keys that do not fit, columns that clash, a gap that is too short, …
    pub fn check(
        &self,
        applied_groups: &BTreeMap<GroupRef, FeatureGroup>,
        applied_views: &BTreeMap<ViewRef, FeatureView>,
    ) -> Result<(), Problems> {
        let mut problems = Vec::new();
        check_duplicates(&self.groups, FeatureGroup::reference, "feature group", &mut problems);
        check_duplicates(&self.views, FeatureView::reference, "feature view", &mut problems);
        self.check_pipeline_names(&mut problems);
        let groups = self.all_groups(applied_groups);
        let views = self.all_views(applied_views);
        self.check_sources(&groups, &mut problems);
        for view in &self.views {
            match resolve(&view.definition, &groups, &view.file, &view.lines) {
                Ok(resolved) => check_split(view, &resolved, &mut problems),
                Err(Problems(found)) => problems.extend(found),
            }
        }
        for pipeline in &self.pipelines {
            self.check_pipeline(pipeline, &groups, &views, &mut problems);
        }
        Problems::none_of(problems)
    }

    /// What the definitions ask for and the platform does not do yet, each with what to do instead.
    #[must_use]
    pub fn not_yet(&self) -> Vec<Problem> {
        let groups = self.groups.iter().flat_map(|group| &group.not_yet);
        let views = self.views.iter().flat_map(|view| &view.not_yet);
        let pipelines = self.pipelines.iter().flat_map(|pipeline| &pipeline.not_yet);
        groups.chain(views).chain(pipelines).cloned().collect()
    }

    /// Every group that can be referred to: those of the files, and those applied before.
    #[must_use]
    pub fn all_groups(&self, applied: &BTreeMap<GroupRef, FeatureGroup>) -> BTreeMap<GroupRef, FeatureGroup> {
        let declared = self.groups.iter().rev().map(|group| &group.definition);
        applied
            .values()
            .chain(declared)
            .map(|group| (group.reference(), group.clone()))
            .collect()
    }

    /// Every view that can be referred to: those of the files, and those applied before.
    #[must_use]
    pub fn all_views(&self, applied: &BTreeMap<ViewRef, FeatureView>) -> BTreeMap<ViewRef, FeatureView> {
        let declared = self.views.iter().rev().map(|view| &view.definition);
        applied
            .values()
            .chain(declared)
            .map(|view| (view.reference(), view.clone()))
            .collect()
    }

    fn check_pipeline_names(&self, problems: &mut Vec<Problem>) {
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        for pipeline in &self.pipelines {
            let name = pipeline.definition.name.as_str();
            if let Some(other) = seen.insert(name, &pipeline.file) {
                let problem = pipeline.problem("name", format!("pipeline `{name}` is declared twice"));
                let problem = problem
                    .wanted("one pipeline of each name")
                    .found(format!("another in `{other}`"));
                problems.push(problem.hint(format!("name = \"{name}_2\"")));
            }
        }
    }
}

fn check_duplicates<T>(
    definitions: &[Parsed<T>],
    reference: impl Fn(&T) -> crate::Versioned,
    kind: &str,
    problems: &mut Vec<Problem>,
) {
    let mut seen: BTreeMap<crate::Versioned, &str> = BTreeMap::new();
    for parsed in definitions {
        let reference = reference(&parsed.definition);
        let newest = seen
            .keys()
            .filter(|other| other.name == reference.name)
            .map(|other| other.version.number())
            .max();
        if let Some(other) = seen.insert(reference.clone(), &parsed.file) {
            let problem = parsed.problem("version", format!("{kind} `{reference}` is declared twice"));
            let problem = problem
                .wanted("one definition of each version")
                .found(format!("another in `{other}`"));
            problems.push(problem.hint(format!("version = {}", newest.unwrap_or_default() + 1)));
        }
    }
}

/// A time split needs times, and a gap that keeps its parts apart.
fn check_split(view: &Parsed<FeatureView>, resolved: &ResolvedView, problems: &mut Vec<Problem>) {
    let Some((gap, allow_overlap)) = view.definition.split.as_ref().and_then(Split::gap) else {
        return;
    };
    if resolved.event_time().is_none() {
        let problem = view.problem("split.strategy", "a time split of rows without time in `[split]`");
        let problem = problem
            .wanted("a spine with an event time")
            .found(format!("`{}`, which is static", resolved.spine));
        problems.push(problem.hint("strategy = \"random\"".to_owned()));
    }
    let sum = resolved.gap();
    if let Gap::Of(gap) = gap
        && gap < sum.total()
        && !allow_overlap
    {
        let problem = view.problem("split.gap", "the gap in `[split]` is too short");
        let problem = problem
            .wanted(format!("at least {}: {sum}", sum.total()))
            .found(format!("`{gap}`"));
        problems.push(problem.hint("gap = \"auto\"".to_owned()));
    }
}
