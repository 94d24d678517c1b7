//! What a view for forecasting means: which of its columns is known when.
//!
//! ```text
//!   static          one value an entity
//!   known_future    known for every step, also those ahead
//!   observed        known up to now: the targets, and every model input that is neither of the two above
//! ```
//!
//! `static` and `known_future` name columns of the dataset, or columns of the panel, which then become columns of the dataset.

use super::{Resolver, Role, Wanted, some_of};
use crate::{ColumnName, DataType, Derivation, Duration, FeatureGroup, Forecast, Split, nearest};

/// The panel of a view for forecasting, by the names of the dataset's columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedPanel {
    /// What is forecast.
    pub targets: Vec<ColumnName>,
    /// What never changes for an entity.
    pub static_columns: Vec<ColumnName>,
    /// What is known in advance.
    pub known_future: Vec<ColumnName>,
    /// What is known up to now, beside the targets, in the dataset's order.
    pub observed: Vec<ColumnName>,
    /// Steps looked back.
    pub context: u32,
    /// Steps looked ahead.
    pub horizon: u32,
    /// The length of a step.
    pub frequency: Duration,
}

impl Forecast {
    /// How far a window looks ahead.
    #[must_use]
    pub fn ahead(&self) -> Duration {
        self.frequency.times(self.horizon)
    }
    /// How far a window looks back.
    #[must_use]
    pub fn back(&self) -> Duration {
        self.frequency.times(self.context)
    }
}

impl ResolvedPanel {
    /// How far a window looks ahead.
    #[must_use]
    pub fn ahead(&self) -> Duration {
        self.frequency.times(self.horizon)
    }
    /// How far a window looks back.
    #[must_use]
    pub fn back(&self) -> Duration {
        self.frequency.times(self.context)
    }
}

impl<'a> Resolver<'a> {
    /// The columns of the panel that `static` and `known_future` name, and no selection gives.
    pub(super) fn panel_columns(&mut self, panel: &'a FeatureGroup) {
        let Some(forecast) = &self.view.forecast else { return };
        for (key, names) in kinds(forecast) {
            for (at, name) in names.iter().enumerate() {
                if panel.column_type(name.as_str()).is_some() && !self.is_selected(name) {
                    self.put(&Wanted {
                        group: panel,
                        column: name,
                        role: Role::Feature,
                        selection: None,
                        path: format!("forecast.{key}[{at}]"),
                    });
                }
            }
        }
    }

    /// Whether a selection gives a column of this name.
    fn is_selected(&self, name: &ColumnName) -> bool {
        let gives = |selection: &crate::FeatureSelection| {
            let all = self.groups.get(&selection.group).filter(|_| selection.all_columns);
            let every = all
                .iter()
                .flat_map(|group| &group.features)
                .map(|feature| &feature.name);
            let own = self
                .view
                .forecast
                .as_ref()
                .filter(|forecast| forecast.group == selection.group);
            let mut columns = selection.columns.iter().chain(&selection.helpers).chain(every);
            columns.any(|column| {
                let is_target = own.is_some_and(|forecast| selection.all_columns && forecast.targets.contains(column));
                !is_target && selection.output_name(column) == name.as_str()
            })
        };
        self.view.features.iter().any(gives)
    }

    /// What is known when, once every column is there.
    pub(super) fn panel(&mut self, panel: &'a FeatureGroup) -> Option<ResolvedPanel> {
        let forecast = self.view.forecast.as_ref()?;
        self.check_panel(forecast, panel);
        for (key, names) in kinds(forecast) {
            for (at, name) in names.iter().enumerate() {
                self.check_kind(panel, name, &format!("forecast.{key}[{at}]"));
            }
        }
        for (at, name) in forecast.known_future.iter().enumerate() {
            self.check_known(forecast, name, &format!("forecast.known_future[{at}]"));
        }
        let is_observed =
            |name: &&ColumnName| !forecast.static_columns.contains(name) && !forecast.known_future.contains(name);
        let inputs = self.columns.iter().filter(|column| column.role == Role::Feature);
        Some(ResolvedPanel {
            observed: inputs.map(|column| &column.name).filter(is_observed).cloned().collect(),
            targets: forecast.targets.clone(),
            static_columns: forecast.static_columns.clone(),
            known_future: forecast.known_future.clone(),
            context: forecast.context,
            horizon: forecast.horizon,
            frequency: forecast.frequency,
        })
    }

    fn check_panel(&mut self, forecast: &Forecast, panel: &FeatureGroup) {
        if panel.event_time.is_none() {
            let problem = self.problem(
                "forecast.group",
                format!("`{}` has no series to forecast", panel.reference()),
            );
            let problem = problem
                .wanted("a group with an event time")
                .found("a static feature group");
            self.problems
                .push(problem.hint("name the group whose rows are measurements over time".to_owned()));
        }
        if let Some(split @ Split::Random { .. }) = &self.view.split {
            let what = "the rows of a series cannot be drawn one by one";
            let problem = self.problem("split.strategy", what);
            let problem = problem.wanted("`time`, `walk_forward` or `group`");
            let found = format!("`{}`", split.strategy());
            self.problems
                .push(problem.found(found).hint("strategy = \"time\"".to_owned()));
        }
        for (at, target) in forecast.targets.iter().enumerate() {
            let Some(data_type) = panel.column_type(target.as_str()) else {
                continue;
            };
            use DataType::{Float32, Float64, Int32, Int64};
            if !matches!(data_type, Int32 | Int64 | Float32 | Float64) {
                let what = format!("`{}.{target}` cannot be forecast", panel.reference());
                let problem = self
                    .problem(&format!("forecast.targets[{at}]"), what)
                    .wanted("a number");
                let found = format!("type `{}`", data_type.word());
                self.problems.push(
                    problem
                        .found(found)
                        .hint("forecast how often or how much instead".to_owned()),
                );
            }
        }
    }

    /// `static` and `known_future` name model inputs.
    fn check_kind(&mut self, panel: &FeatureGroup, name: &ColumnName, path: &str) {
        let inputs = self.columns.iter().filter(|column| column.role == Role::Feature);
        let inputs: Vec<&str> = inputs.map(|column| column.name.as_str()).collect();
        if inputs.contains(&name.as_str()) || self.view.forecast.iter().any(|of| of.targets.contains(name)) {
            return;
        }
        let of_panel = panel.declared_columns().into_iter().map(ColumnName::as_str);
        let mut all = inputs.clone();
        all.extend(of_panel.filter(|column| !inputs.contains(column)));
        let near = nearest(name.as_str(), all.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        let problem = self.problem(path, format!("`{name}` is no model input of the view"));
        let problem = problem.wanted(some_of(&all)).found(format!("`{name}`"));
        let join = || format!("[[features]] group = \"GROUP:v1\", columns = [\"{name}\"]");
        self.problems.push(problem.hint(near.unwrap_or_else(join)));
    }

    /// What is computed from what happened is not known in advance: except the calendar, and what lags by the whole horizon.
    fn check_known(&mut self, forecast: &Forecast, name: &ColumnName, path: &str) {
        let Some(column) = self.columns.iter().find(|column| column.name == *name) else {
            return;
        };
        let feature = self
            .groups
            .get(&column.group)
            .and_then(|group| group.feature(column.column.as_str()));
        let computed = feature.and_then(|feature| feature.derivation.as_ref());
        let is_known = match computed {
            None | Some(Derivation::Calendar { .. }) => true,
            Some(Derivation::Lag { lag, .. }) => *lag >= forecast.ahead(),
            Some(_) => false,
        };
        if let (Some(computed), false) = (computed, is_known) {
            let what = format!("`{name}` is not known in advance");
            let wanted = format!(
                "the calendar, a lag of at least {}, or what is planned",
                forecast.ahead()
            );
            let problem = self.problem(path, what).wanted(wanted).found(computed.to_string());
            self.problems.push(problem.hint(format!(
                "take `{name}` out of `known_future`: then it is known up to now"
            )));
        }
    }
}

/// The two lists, with their keys.
fn kinds(forecast: &Forecast) -> [(&'static str, &Vec<ColumnName>); 2] {
    [
        ("static", &forecast.static_columns),
        ("known_future", &forecast.known_future),
    ]
}
