//! What a column of a dataset must not be.

use super::{ResolvedColumn, Resolver, Role};
use crate::{Availability, Boundary, DataType, Duration, Split};

impl Resolver<'_> {
    /// A label must be something that can be learned.
    pub(super) fn check_label(&mut self, column: &ResolvedColumn, path: &str) {
        if column.role == Role::Label && matches!(column.data_type, DataType::Date | DataType::Timestamp) {
            let problem = self.problem(path, format!("`{}.{}` cannot be a label", column.group, column.column));
            let problem = problem
                .wanted("a number, a bool or text")
                .found(format!("type `{}`", column.data_type.word()));
            self.problems
                .push(problem.hint("store the time until then as a number".to_owned()));
        }
    }

    /// Rows are drawn before anything is joined to them, value by value of a column of the spine.
    pub(super) fn check_stratify(&mut self) {
        let Some(Split::Random {
            stratify: Some(wanted), ..
        }) = &self.view.split
        else {
            return;
        };
        let own = |column: &&ResolvedColumn| column.selection.is_none() && column.role != Role::EventTime;
        let column = self.columns.iter().filter(own).find(|column| column.name == *wanted);
        let is_class = |data_type| {
            use DataType::{Bool, Date, Int32, Int64, Utf8};
            matches!(data_type, Bool | Int32 | Int64 | Utf8 | Date)
        };
        let problem = self.problem(
            "split.stratify",
            format!("rows cannot be drawn by the values of `{wanted}`"),
        );
        let problem = match column {
            Some(column) if is_class(column.data_type) => return,
            Some(column) => problem
                .wanted("a column with few values: bool, a whole number, text or a date")
                .found(format!("type `{}`", column.data_type.word()))
                .hint("remove `stratify`, or keep a class of it in the group of the labels".to_owned()),
            None => problem
                .wanted("a key, a label or a helper of `[labels]`")
                .found("no such column in the spine")
                .hint(format!("[labels] helpers = [\"{wanted}\"]")),
        };
        self.problems.push(problem);
    }

    /// A model input must be known at the row's time. Where availability is known, the join sees to that.
    pub(super) fn check_future(&mut self, column: &ResolvedColumn, path: &str) {
        let declares = self
            .groups
            .get(&column.group)
            .is_some_and(|group| group.known_at.is_some());
        if column.role != Role::Feature || declares || self.view.availability == Availability::Ingested {
            return;
        }
        let labels = self.view.labels.as_ref().filter(|labels| labels.group == column.group);
        let is_label = labels.is_some_and(|labels| labels.columns.contains(&column.column));
        if column.horizon > Duration::ZERO {
            let what = format!(
                "`{}.{}` looks ahead, so it cannot be a model input",
                column.group, column.column
            );
            let problem = self
                .problem(path, what)
                .wanted("a column that is known at the row's time");
            let hint = format!(
                "take it out of `[[features]]`, or declare `known_at` in `{}`",
                column.group.name
            );
            self.problems
                .push(problem.found(format!("horizon {}", column.horizon)).hint(hint));
        } else if is_label && self.view.boundary == Boundary::Inclusive {
            let what = format!("the label `{}.{}` is its own model input", column.group, column.column);
            let problem = self.problem(path, what).wanted("a value from before the row's time");
            let hint = "boundary = \"exclusive\"".to_owned();
            self.problems.push(problem.found("the value at that time").hint(hint));
        }
    }

    /// Whether the name is free, ignoring case, because many readers of tables do.
    pub(super) fn check_clash(&mut self, column: &ResolvedColumn, path: &str) -> bool {
        let same = self.names.get(&column.name.as_str().to_lowercase());
        let Some(other) = same.and_then(|at| self.columns.get(*at)) else {
            return true;
        };
        let found = format!(
            "`{}.{}` and `{}.{}`",
            other.group, other.column, column.group, column.column
        );
        let problem = self.problem(path, format!("two columns `{}` in the dataset", column.name));
        let hint = match column.selection {
            Some(at) => format!("prefix = \"{}\"", self.free_prefix(at)),
            None => format!("take `{}` out", column.column),
        };
        self.problems
            .push(problem.wanted("one column of each name").found(found).hint(hint));
        false
    }

    /// A prefix that no selection has yet.
    fn free_prefix(&self, selection: usize) -> String {
        let name = self
            .view
            .features
            .get(selection)
            .map(|selection| selection.group.name.to_string())
            .unwrap_or_default();
        let numbered = (2..).map(|number| format!("{name}_{number}_"));
        let taken = |prefix: &String| {
            self.view
                .features
                .iter()
                .any(|other| other.prefix.as_ref() == Some(prefix))
        };
        std::iter::once(format!("{name}_"))
            .chain(numbered)
            .find(|prefix| !taken(prefix))
            .unwrap_or_default()
    }
}
