//! One selection of a view: its columns and how it is joined.

use super::{ResolvedSelection, Resolver, Role, Wanted};
use crate::{ColumnName, Duration, FeatureGroup, FeatureSelection};

impl<'a> Resolver<'a> {
    pub(super) fn selection(
        &mut self,
        at: usize,
        selection: &'a FeatureSelection,
        group: &'a FeatureGroup,
        spine: &'a FeatureGroup,
    ) -> ResolvedSelection {
        let path = format!("features[{at}]");
        self.check_time(selection, group, spine, &path);
        let keys = self.keys(selection, group, spine, &path);
        let wanted = |column, role, path| Wanted {
            group,
            column,
            role,
            selection: Some((at, selection)),
            path,
        };
        if selection.all_columns {
            for column in self.every_column(selection, group) {
                self.put(&wanted(column, Role::Feature, format!("{path}.columns[0]")));
            }
        }
        for (place, column) in selection.columns.iter().enumerate() {
            self.put(&wanted(column, Role::Feature, format!("{path}.columns[{place}]")));
        }
        for (place, column) in selection.helpers.iter().enumerate() {
            self.put(&wanted(column, Role::Helper, format!("{path}.helpers[{place}]")));
        }
        if selection.all_columns {
            self.check_fill(selection, group, &path);
        }
        let is_static = group.event_time.is_none();
        ResolvedSelection {
            group: selection.group.clone(),
            keys,
            is_static,
            max_age: selection.max_age,
        }
    }

    /// `columns = ["*"]`: every feature that the view does not use otherwise.
    fn every_column(&self, selection: &'a FeatureSelection, group: &'a FeatureGroup) -> Vec<&'a ColumnName> {
        let labels = self
            .view
            .labels
            .as_ref()
            .filter(|labels| labels.group == selection.group);
        let panel = self
            .view
            .forecast
            .as_ref()
            .filter(|panel| panel.group == selection.group);
        let otherwise = |column: &ColumnName| {
            selection.helpers.contains(column)
                || panel.is_some_and(|panel| panel.targets.contains(column))
                || labels.is_some_and(|labels| labels.columns.contains(column) || labels.helpers.contains(column))
        };
        group
            .features
            .iter()
            .map(|feature| &feature.name)
            .filter(|column| !otherwise(column))
            .collect()
    }

    fn check_fill(&mut self, selection: &FeatureSelection, group: &FeatureGroup, path: &str) {
        for column in selection
            .fill
            .keys()
            .filter(|column| group.feature(column.as_str()).is_none())
        {
            self.unknown_column(group, column, &format!("{path}.fill.{column}"));
        }
    }

    /// A group with an event time needs a spine that has one; one without has no age.
    fn check_time(&mut self, selection: &FeatureSelection, group: &FeatureGroup, spine: &FeatureGroup, path: &str) {
        if group.event_time.is_some() && spine.event_time.is_none() {
            let (reference, spine) = (group.reference(), spine.reference());
            let problem = self.problem(
                &format!("{path}.group"),
                format!("`{reference}` cannot be joined to the spine `{spine}`"),
            );
            let problem = problem
                .wanted("a spine with an event time, as of which its rows count")
                .found("a static feature group");
            self.problems
                .push(problem.hint("name a group with an event time in `[labels]`".to_owned()));
        }
        if let (None, Some(max_age)) = (&group.event_time, selection.max_age) {
            let what = format!("`max_age` of `{}`, which is static", group.reference());
            let problem = self
                .problem(&format!("{path}.max_age"), what)
                .wanted("no `max_age`: its rows have no age");
            self.problems.push(
                problem
                    .found(format!("`{max_age}`"))
                    .hint("remove `max_age`".to_owned()),
            );
        } else if selection.max_age == Some(Duration::ZERO) && self.view.boundary == crate::Boundary::Exclusive {
            let problem = self.problem(&format!("{path}.max_age"), "no row can qualify".to_owned());
            let problem = problem
                .wanted("a `max_age` above zero with `boundary = \"exclusive\"`")
                .found("`0s`");
            self.problems.push(problem.hint("remove `max_age`".to_owned()));
        }
    }
}
