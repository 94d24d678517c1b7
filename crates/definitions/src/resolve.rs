//! What a view means once its groups are known: the dataset's columns in order, each with its source, type and role, and for
//! each selection the columns it is joined on. The join, training and the model's signature all read this.
//!
//! The order: the spine's key, its event time, the labels or targets, the labels' helpers, what a view for forecasting takes of its panel
//! besides, then each selection's columns and helpers.

use std::collections::BTreeMap;

use crate::gap::{horizon_of, lookback_of};
use crate::parse::problem_at;
use crate::{
    ColumnName, DataType, Duration, FeatureGroup, FeatureSelection, FeatureView, Fill, GroupRef, Problem, Problems,
    ViewRef, nearest,
};

mod checks;
mod forecast;
mod keys;
mod selection;

pub use forecast::ResolvedPanel;

/// What a column of a dataset is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// A column of the spine's key.
    Key,
    /// The spine's event time: the time as of which features are joined.
    EventTime,
    /// What is learned.
    Label,
    /// A column of the label's group that is carried along, never a model input.
    LabelHelper,
    /// A model input.
    Feature,
    /// A joined column for slices and bias tests, never a model input.
    Helper,
}

/// A column of a dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedColumn {
    /// Its name in the dataset.
    pub name: ColumnName,
    /// Its type; a computed column is float64 unless its group says otherwise.
    pub data_type: DataType,
    /// What it is for.
    pub role: Role,
    /// Whether learners treat its values as categories.
    pub is_categorical: bool,
    /// The group it comes from.
    pub group: GroupRef,
    /// Its name in that group.
    pub column: ColumnName,
    /// The selection that joins it, by its place in the view; `None` for columns of the spine.
    pub selection: Option<usize>,
    /// What stands for NULLs in the row that was chosen.
    pub fill: Option<Fill>,
    /// How far ahead of its event time it looks.
    pub horizon: Duration,
    /// How far back from its event time it looks.
    pub lookback: Duration,
}

/// A pair of columns that a join compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// The column of the spine's group. It need not be part of the spine's key, nor of the dataset.
    pub spine: ColumnName,
    /// The column of the joined group's key.
    pub key: ColumnName,
    /// The type of both.
    pub data_type: DataType,
}

/// How one selection is joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedSelection {
    /// The group.
    pub group: GroupRef,
    /// What is compared, in the order of the group's key.
    pub keys: Vec<KeyPair>,
    /// Whether it is joined on the key alone.
    pub is_static: bool,
    /// The oldest row that still counts, inclusive.
    pub max_age: Option<Duration>,
}

/// A view whose every name has been looked up.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedView {
    /// The view.
    pub view: ViewRef,
    /// The group whose rows are the dataset's rows.
    pub spine: GroupRef,
    /// The dataset's columns, in order.
    pub columns: Vec<ResolvedColumn>,
    /// The joins, in the view's order.
    pub selections: Vec<ResolvedSelection>,
    /// What is known when, in a view for forecasting.
    pub panel: Option<ResolvedPanel>,
}

impl ResolvedView {
    /// The column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ResolvedColumn> {
        self.columns.iter().find(|column| column.name.as_str() == name)
    }
    /// The columns with a role, in the dataset's order.
    pub fn with_role(&self, role: Role) -> impl Iterator<Item = &ResolvedColumn> {
        self.columns.iter().filter(move |column| column.role == role)
    }
    /// The model's inputs, in the dataset's order.
    #[must_use]
    pub fn inputs(&self) -> Vec<&ResolvedColumn> {
        self.with_role(Role::Feature).collect()
    }
    /// The labels, in the dataset's order.
    #[must_use]
    pub fn labels(&self) -> Vec<&ResolvedColumn> {
        self.with_role(Role::Label).collect()
    }
    /// The spine's event time; `None` where the spine is static.
    #[must_use]
    pub fn event_time(&self) -> Option<&ResolvedColumn> {
        self.with_role(Role::EventTime).next()
    }
    /// The columns that a selection joins, in the dataset's order.
    pub fn of_selection(&self, selection: usize) -> impl Iterator<Item = &ResolvedColumn> {
        self.columns
            .iter()
            .filter(move |column| column.selection == Some(selection))
    }
}

/// Looks up every name of a view in its groups. Problems name the view in place of a file.
///
/// # Errors
/// A group or column is not there, keys do not fit, names clash, or a feature would look into the future.
pub fn resolve_view(view: &FeatureView, groups: &BTreeMap<GroupRef, FeatureGroup>) -> Result<ResolvedView, Problems> {
    resolve(view, groups, &view.reference().to_string(), &BTreeMap::new())
}

/// Looks up every name of a view in its groups; `file` and `lines` are for messages.
pub(crate) fn resolve(
    view: &FeatureView,
    groups: &BTreeMap<GroupRef, FeatureGroup>,
    file: &str,
    lines: &BTreeMap<String, usize>,
) -> Result<ResolvedView, Problems> {
    let mut resolver = Resolver {
        view,
        groups,
        file,
        lines,
        problems: Vec::new(),
        columns: Vec::new(),
        names: BTreeMap::new(),
    };
    let resolved = resolver.view();
    Problems::none_of(resolver.problems)?;
    resolved.ok_or_else(|| {
        Problems(vec![Problem::new(
            file,
            format!("`{}` reads no feature group", view.reference()),
        )])
    })
}

struct Resolver<'a> {
    view: &'a FeatureView,
    groups: &'a BTreeMap<GroupRef, FeatureGroup>,
    file: &'a str,
    lines: &'a BTreeMap<String, usize>,
    problems: Vec<Problem>,
    columns: Vec<ResolvedColumn>,
    /// The names in the dataset, in lower case, and where they are in `columns`.
    names: BTreeMap<String, usize>,
}

/// A column to put into the dataset, and where the view names it.
struct Wanted<'a> {
    group: &'a FeatureGroup,
    column: &'a ColumnName,
    role: Role,
    selection: Option<(usize, &'a FeatureSelection)>,
    path: String,
}

impl<'a> Resolver<'a> {
    fn view(&mut self) -> Option<ResolvedView> {
        let view = self.view;
        let spine_path = match (&view.labels, &view.forecast) {
            (Some(_), _) => "labels.group",
            (None, Some(_)) => "forecast.group",
            (None, None) => "features[0].group",
        };
        let reference = view.spine()?;
        let spine = self.group(reference, spine_path);
        if let Some(spine) = spine {
            self.spine_columns(spine);
        }
        let mut selections = Vec::new();
        for (at, selection) in view.features.iter().enumerate() {
            let path = format!("features[{at}]");
            // The spine of an unsupervised view has been looked up already.
            let group = match spine_path {
                "features[0].group" if at == 0 => spine,
                _ => self.group(&selection.group, &format!("{path}.group")),
            };
            if let (Some(group), Some(spine)) = (group, spine) {
                selections.push(self.selection(at, selection, group, spine));
            }
        }
        self.check_stratify();
        let panel = spine.and_then(|spine| self.panel(spine));
        let columns = std::mem::take(&mut self.columns);
        Some(ResolvedView {
            view: view.reference(),
            spine: reference.clone(),
            columns,
            selections,
            panel,
        })
    }

    fn problem(&self, path: &str, what: impl Into<String>) -> Problem {
        problem_at(self.file, self.lines, path, what)
    }

    fn group(&mut self, reference: &GroupRef, path: &str) -> Option<&'a FeatureGroup> {
        let group = self.groups.get(reference);
        if group.is_none() {
            let problem = self.problem(path, format!("unknown feature group `{reference}`"));
            self.problems.push(unknown_reference(
                problem,
                reference,
                self.groups.keys(),
                "feature_groups",
            ));
        }
        group
    }

    fn spine_columns(&mut self, spine: &'a FeatureGroup) {
        let wanted = |column, role, path: String| Wanted {
            group: spine,
            column,
            role,
            selection: None,
            path,
        };
        for column in &spine.entity {
            self.put(&wanted(&column.name, Role::Key, String::new()));
        }
        if let Some(event_time) = &spine.event_time {
            self.put(&wanted(event_time, Role::EventTime, String::new()));
        }
        let labels = self.view.labels.iter().flat_map(|labels| &labels.columns);
        for (at, column) in labels.enumerate() {
            self.put(&wanted(column, Role::Label, format!("labels.columns[{at}]")));
        }
        let targets = self.view.forecast.iter().flat_map(|forecast| &forecast.targets);
        for (at, column) in targets.enumerate() {
            self.put(&wanted(column, Role::Label, format!("forecast.targets[{at}]")));
        }
        let helpers = self.view.labels.iter().flat_map(|labels| &labels.helpers);
        for (at, column) in helpers.enumerate() {
            self.put(&wanted(column, Role::LabelHelper, format!("labels.helpers[{at}]")));
        }
        self.panel_columns(spine);
    }

    /// Puts a column into the dataset, or says why not.
    fn put(&mut self, wanted: &Wanted<'_>) {
        let Wanted {
            group,
            column,
            role,
            selection,
            path,
        } = wanted;
        let feature = group.feature(column.as_str());
        // The type of a derived feature stays open where its own definition is at fault, which is said there.
        let open = feature.filter(|_| group.is_derived()).map(|_| DataType::Float64);
        let Some(data_type) = group.column_type(column.as_str()).or(open) else {
            return self.unknown_column(group, column, path);
        };
        let name = selection.map_or_else(|| column.to_string(), |(_, selection)| selection.output_name(column));
        let Ok(name) = name.parse::<ColumnName>() else {
            let problem = self.problem(path, format!("`{name}` is not a column name"));
            self.problems.push(
                problem
                    .wanted("at most 128 letters, with the prefix")
                    .found(format!("{}", name.len())),
            );
            return;
        };
        let resolved = ResolvedColumn {
            data_type,
            role: *role,
            is_categorical: feature.map_or(
                matches!(data_type, DataType::Utf8 | DataType::Bool),
                crate::Feature::is_categorical,
            ),
            group: group.reference(),
            column: (*column).clone(),
            selection: selection.map(|(at, _)| at),
            fill: selection.and_then(|(_, selection)| selection.fill.get(*column).copied()),
            horizon: horizon_of(group, column, self.groups),
            lookback: lookback_of(group, column, self.groups),
            name,
        };
        self.check_future(&resolved, path);
        self.check_label(&resolved, path);
        if self.check_clash(&resolved, path) {
            self.names
                .insert(resolved.name.as_str().to_lowercase(), self.columns.len());
            self.columns.push(resolved);
        }
    }

    fn unknown_column(&mut self, group: &FeatureGroup, column: &ColumnName, path: &str) {
        let names: Vec<&str> = group.declared_columns().into_iter().map(ColumnName::as_str).collect();
        let near = nearest(column.as_str(), names.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        let reference = group.reference();
        let problem = self.problem(path, format!("unknown column `{column}` of `{reference}`"));
        let problem = problem.wanted(some_of(&names)).found(format!("`{column}`"));
        let other = || format!("platform featuregroup show {}", group.name);
        self.problems.push(problem.hint(near.unwrap_or_else(other)));
    }
}

/// At most eight names, for messages.
pub(crate) fn some_of(names: &[&str]) -> String {
    match names.get(..8) {
        Some(first) if names.len() > 8 => format!("{}, …", crate::parse::one_of(first)),
        _ => crate::parse::one_of(names),
    }
}

/// Completes a problem about a reference to something that is not there.
pub(crate) fn unknown_reference<'a>(
    problem: Problem,
    reference: &GroupRef,
    known: impl Iterator<Item = &'a GroupRef> + Clone,
    folder: &str,
) -> Problem {
    let newest: BTreeMap<&str, &GroupRef> = known.map(|other| (other.name.as_str(), other)).collect();
    let name = reference.name.as_str();
    let meant = newest
        .get(name)
        .or_else(|| nearest(name, newest.keys().copied()).and_then(|near| newest.get(near)));
    let hint = match meant {
        Some(other) => format!("did you mean `{other}`?"),
        None => format!("write `{folder}/{name}.toml`"),
    };
    let names: Vec<String> = newest.values().map(ToString::to_string).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let wanted = if names.is_empty() {
        "one that is declared or applied".to_owned()
    } else {
        some_of(&names)
    };
    problem.wanted(wanted).found(format!("`{reference}`")).hint(hint)
}
