//! Feature views: `feature_views/*.toml`.

use std::collections::BTreeMap;

use super::document::Content;
use super::feature::place_of;
use super::feature_group::version;
use super::split::split;
use super::table::{Field, Table};
use super::{Parsed, parse};
use crate::{
    Availability, Boundary, ColumnName, Duration, FeatureSelection, FeatureView, Fill, Forecast, Labels, Problems,
};

const KEYS: [&str; 11] = [
    "name",
    "version",
    "description",
    "owner",
    "tags",
    "labels",
    "features",
    "boundary",
    "availability",
    "split",
    "forecast",
];
const BOUNDARIES: [(&str, Boundary); 2] = [("inclusive", Boundary::Inclusive), ("exclusive", Boundary::Exclusive)];
const AVAILABILITIES: [(&str, Availability); 2] = [
    ("declared", Availability::Declared),
    ("ingested", Availability::Ingested),
];

/// Reads a feature view. `file` is its path relative to the repository, for messages.
///
/// # Errors
/// Every mistake in the file.
pub fn parse_feature_view(file: &str, text: &str) -> Result<Parsed<FeatureView>, Problems> {
    parse(file, text, "the feature view", view)
}

fn view(table: &Table<'_>) -> Option<FeatureView> {
    table.only(&KEYS);
    let name = table
        .require("name", "a name", "name = \"cpu_fv\"")
        .and_then(|field| field.parsed());
    let version = version(table);
    let labels = table.get("labels").map(|field| labels(&field));
    let forecast = table.get("forecast").map(|field| forecast(&field));
    if let (Some(_), Some(field)) = (&labels, table.get("forecast")) {
        let problem = field.problem("`[labels]` and `[forecast]` in one view");
        let problem = problem
            .wanted("one of the two: a view for forecasting names its targets in `[forecast]`")
            .found("both");
        table.notes.problem(problem.hint("remove `[labels]`".to_owned()));
    }
    let features = if forecast.is_some() && table.get("features").is_none() {
        Some(Vec::new())
    } else {
        selections(table)
    };
    let split = table.get("split").and_then(|field| split(&field));
    let boundary = table.get("boundary").and_then(|field| field.choice(&BOUNDARIES));
    let availability = table
        .get("availability")
        .and_then(|field| field.choice(&AVAILABILITIES));
    Some(FeatureView {
        description: table.text("description"),
        owner: table.text("owner"),
        tags: table.texts("tags"),
        boundary: boundary.unwrap_or(Boundary::Inclusive),
        availability: availability.unwrap_or(Availability::Declared),
        split,
        labels: labels.flatten(),
        forecast: forecast.flatten(),
        name: name?,
        version: version?,
        features: features?,
    })
}

fn labels(field: &Field<'_>) -> Option<Labels> {
    let table = field.table("`[labels]`")?;
    table.only(&["group", "columns", "helpers"]);
    let group = group_of(&table, "group = \"cpu_labels:v1\"");
    let columns = table.require(
        "columns",
        "at least one label column",
        "columns = [\"cpu_max_next_1h\"]",
    );
    let names = columns.as_ref().and_then(|field| field.distinct());
    if let (Some(field), Some([])) = (&columns, names.as_deref())
        && matches!(field.content(), Content::List(list) if list.is_empty())
    {
        field.bad(
            "at least one label column",
            "columns = [\"cpu_max_next_1h\"]".to_owned(),
        );
    }
    let labels = Labels {
        group: group?,
        columns: names?,
        helpers: table.distinct("helpers"),
    };
    check_helpers(&table, &labels.columns, &labels.helpers);
    Some(labels)
}

fn group_of(table: &Table<'_>, example: &str) -> Option<crate::GroupRef> {
    let field = table.require("group", "a feature group and its version", example)?;
    let Content::Text(text) = field.content() else {
        return field.parsed();
    };
    let reference = text.parse();
    if reference.is_err() {
        let newest = text
            .parse::<crate::Name>()
            .map(|name| format!("group = \"{name}:v1\""))
            .ok();
        field.bad("a feature group and its version, such as `server_metrics:v1`", newest);
    }
    reference.ok()
}

fn check_helpers(table: &Table<'_>, columns: &[ColumnName], helpers: &[ColumnName]) {
    for helper in helpers.iter().filter(|helper| columns.contains(helper)) {
        let problem = table.problem(
            "helpers",
            format!("`{helper}` is both a column and a helper in {}", table.place),
        );
        let problem = problem
            .wanted("one of the two: helpers are never model inputs")
            .found("both");
        table
            .notes
            .problem(problem.hint(format!("remove `{helper}` from `columns` or from `helpers`")));
    }
}

fn selections(table: &Table<'_>) -> Option<Vec<FeatureSelection>> {
    let example = "[[features]] group = \"server_metrics:v1\", columns = [\"cpu_percent\"]";
    let field = table.require("features", "at least one selection of features", example)?;
    let elements = field.list()?;
    if elements.is_empty() {
        field.bad(
            "at least one selection of features",
            "[[features]] group = \"server_metrics:v1\", columns = [\"*\"]".to_owned(),
        );
        return None;
    }
    let selections: Vec<_> = elements
        .iter()
        .enumerate()
        .map(|(at, field)| selection(field, at))
        .collect();
    selections.into_iter().collect()
}

fn selection(field: &Field<'_>, at: usize) -> Option<FeatureSelection> {
    let table = field.table(&place_of(field, at, "group"))?;
    table.only(&["group", "columns", "helpers", "max_age", "prefix", "on", "fill"]);
    let group = group_of(&table, "group = \"server_metrics:v1\"");
    let wanted = "the columns to join, or `[\"*\"]` for every feature of the group";
    let columns = table.require("columns", wanted, "columns = [\"*\"]");
    let all_columns = columns.as_ref().is_some_and(is_star);
    let names: Option<Vec<ColumnName>> = if all_columns {
        Some(Vec::new())
    } else {
        columns.as_ref().and_then(Field::distinct)
    };
    let helpers: Vec<ColumnName> = table.distinct("helpers");
    if let (Some(field), Some([]), false, true) = (&columns, names.as_deref(), all_columns, helpers.is_empty())
        && matches!(field.content(), Content::List(list) if list.is_empty())
    {
        field.bad(wanted, "columns = [\"*\"]".to_owned());
    }
    let selection = FeatureSelection {
        max_age: table.parsed::<Duration>("max_age"),
        prefix: table.get("prefix").and_then(|field| prefix(&field)),
        on: table.get("on").map(|field| on(&field)).unwrap_or_default(),
        fill: table.get("fill").map(|field| fill(&field)).unwrap_or_default(),
        group: group?,
        all_columns,
        columns: names?,
        helpers,
    };
    check_helpers(&table, &selection.columns, &selection.helpers);
    check_fill(&table, &selection);
    Some(selection)
}

/// `["*"]`
fn is_star(field: &Field<'_>) -> bool {
    let Content::List(list) = field.content() else {
        return false;
    };
    matches!(list.as_slice(), [only] if matches!(&only.content, Content::Text(text) if text == "*"))
}

fn prefix(field: &Field<'_>) -> Option<String> {
    let text = field.text()?;
    if text.parse::<ColumnName>().is_err() {
        let column = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
        let meant: String = text.chars().map(column).collect();
        let meant = meant
            .parse::<ColumnName>()
            .map_or_else(|_| "origin_".to_owned(), String::from);
        let hint = format!("prefix = \"{meant}\"");
        field.bad(
            "the start of a column name: letters, digits and `_`, not starting with a digit or `__`",
            hint,
        );
    }
    Some(text)
}

/// `on = { origin = "airport" }`
fn on(field: &Field<'_>) -> BTreeMap<ColumnName, ColumnName> {
    let Some(table) = field.table("`on`") else {
        return BTreeMap::new();
    };
    let pair = |(key, field): (&str, Field<'_>)| Some((column(&table, key)?, field.parsed()?));
    table.fields().filter_map(pair).collect()
}

/// `fill = { cpu_percent = "last_known" }`
fn fill(field: &Field<'_>) -> BTreeMap<ColumnName, Fill> {
    let Some(table) = field.table("`fill`") else {
        return BTreeMap::new();
    };
    let pair = |(key, field): (&str, Field<'_>)| {
        Some((column(&table, key)?, field.choice(&[("last_known", Fill::LastKnown)])?))
    };
    table.fields().filter_map(pair).collect()
}

/// A key that names a column.
fn column(table: &Table<'_>, key: &str) -> Option<ColumnName> {
    let column = key.parse().ok();
    if column.is_none() {
        table.unknown(key, "the name of a column", None);
    }
    column
}

fn check_fill(table: &Table<'_>, selection: &FeatureSelection) {
    let Some(fill) = table.get("fill").and_then(|field| field.table("`fill`")) else {
        return;
    };
    let selected = |column: &&ColumnName| selection.columns.contains(column) || selection.helpers.contains(column);
    for column in selection
        .fill
        .keys()
        .filter(|column| !selection.all_columns && !selected(column))
    {
        let chosen = selection
            .columns
            .iter()
            .chain(&selection.helpers)
            .map(ColumnName::as_str);
        let near = crate::nearest(column.as_str(), chosen).map(|near| format!("did you mean `{near}`?"));
        fill.unknown(column.as_str(), "a column of the selection", near);
    }
}

fn forecast(field: &Field<'_>) -> Option<Forecast> {
    let table = field.table("`[forecast]`")?;
    table.only(&[
        "group",
        "targets",
        "context",
        "horizon",
        "frequency",
        "static",
        "known_future",
    ]);
    let group = group_of(&table, "group = \"server_metrics:v1\"");
    let targets = table.require("targets", "the columns to forecast", "targets = [\"cpu_percent\"]");
    let targets: Option<Vec<ColumnName>> = targets.and_then(|field| {
        let names = field.distinct()?;
        if names.is_empty() {
            field.bad(
                "at least one column to forecast",
                "targets = [\"cpu_percent\"]".to_owned(),
            );
        }
        Some(names)
    });
    let steps = |key: &str, example: &str| {
        table
            .require(key, "a whole number from 1", example)
            .and_then(|field| field.whole::<u32>(1))
    };
    let (context, horizon) = (steps("context", "context = 288"), steps("horizon", "horizon = 96"));
    let frequency = table.require("frequency", "the length of a step", "frequency = \"5m\"");
    let frequency = frequency.and_then(|field| {
        let length = field.parsed::<Duration>()?;
        if length == Duration::ZERO {
            field.bad("the length of a step, more than zero", "frequency = \"5m\"".to_owned());
        }
        Some(length)
    });
    let (fixed, known) = (table.distinct("static"), table.distinct("known_future"));
    check_once(&table, "static", &fixed, targets.as_deref().unwrap_or_default());
    check_once(&table, "known_future", &known, targets.as_deref().unwrap_or_default());
    check_once(&table, "known_future", &known, &fixed);
    Some(Forecast {
        group: group?,
        targets: targets?,
        context: context?,
        horizon: horizon?,
        frequency: frequency?,
        static_columns: fixed,
        known_future: known,
    })
}

/// A column is a target, static, or known in advance: one of the three.
fn check_once(table: &Table<'_>, key: &str, names: &[ColumnName], others: &[ColumnName]) {
    for name in names.iter().filter(|name| others.contains(name)) {
        let problem = table.problem(key, format!("`{name}` is named twice in {}", table.place));
        let problem = problem
            .wanted("a column in one of `targets`, `static` and `known_future`")
            .found("two");
        table
            .notes
            .problem(problem.hint(format!("take `{name}` out of `{key}`")));
    }
}
