//! Feature groups: `feature_groups/*.toml`.

use std::collections::BTreeMap;

use super::document::Content;
use super::feature::{features, type_of};
use super::spelling::one_of;
use super::table::{Field, Table};
use super::{Parsed, derivation, expect, parse};
use crate::{
    Ambiguous, ColumnName, DataType, EntityColumn, Feature, FeatureGroup, History, IngestMode, OnViolation, Problems,
    Version, nearest,
};

const KEYS: [&str; 20] = [
    "name",
    "version",
    "description",
    "owner",
    "tags",
    "entity",
    "event_time",
    "known_at",
    "time_zone",
    "ambiguous",
    "truncate",
    "static",
    "history",
    "mode",
    "on_violation",
    "columns",
    "null_values",
    "expect",
    "features",
    "derive",
];
pub(super) const ON_VIOLATION: [(&str, OnViolation); 2] =
    [("refuse", OnViolation::Refuse), ("quarantine", OnViolation::Quarantine)];
const MODES: [(&str, IngestMode); 2] = [("upsert", IngestMode::Upsert), ("append", IngestMode::Append)];
const AMBIGUOUS: [(&str, Ambiguous); 2] = [("earliest", Ambiguous::Earliest), ("latest", Ambiguous::Latest)];

/// Reads a feature group. `file` is its path relative to the repository, for messages.
///
/// # Errors
/// Every mistake in the file.
pub fn parse_feature_group(file: &str, text: &str) -> Result<Parsed<FeatureGroup>, Problems> {
    parse(file, text, "the feature group", group)
}

fn group(table: &Table<'_>) -> Option<FeatureGroup> {
    table.only(&KEYS);
    let name = table
        .require("name", "a name", "name = \"server_metrics\"")
        .and_then(|field| field.parsed());
    let version = version(table);
    let entity = table
        .require("entity", "the columns of the key", "entity = [\"host\"]")
        .and_then(|field| entity(&field));
    let derive = table.get("derive").and_then(|field| derivation::derive(&field));
    let is_derived = table.get("derive").is_some();
    let features = features(table, is_derived);
    let group = FeatureGroup {
        description: table.text("description"),
        owner: table.text("owner"),
        tags: table.texts("tags"),
        event_time: table.parsed("event_time"),
        known_at: table.parsed("known_at"),
        time_zone: table.get("time_zone").and_then(|field| time_zone(&field)),
        ambiguous: table.get("ambiguous").and_then(|field| field.choice(&AMBIGUOUS)),
        truncate: table.flag("truncate"),
        is_static: table.flag("static"),
        history: table
            .get("history")
            .and_then(|field| field.choice(&[("scd2", History::Scd2)])),
        mode: table
            .get("mode")
            .and_then(|field| field.choice(&MODES))
            .unwrap_or(IngestMode::Upsert),
        on_violation: on_violation(table).unwrap_or(OnViolation::Refuse),
        columns: table.get("columns").map(|field| renames(&field)).unwrap_or_default(),
        null_values: table.texts("null_values"),
        name: name?,
        version: version?,
        entity: entity?,
        expect: expect::of_group(table),
        features: features?,
        derive,
    };
    check_times(table, &group);
    check_columns(table, &group);
    check_history(table, &group);
    check_renames(table, &group);
    expect::check_static(table, &group);
    derivation::check_group(table, &group);
    Some(group)
}

/// The version of a group or a view.
pub(super) fn version(table: &Table<'_>) -> Option<Version> {
    let field = table.require("version", "a whole number from 1", "version = 1")?;
    field.whole::<u32>(1).and_then(Version::new)
}

pub(super) fn on_violation(table: &Table<'_>) -> Option<OnViolation> {
    let field = table.get("on_violation")?;
    if matches!(field.content(), Content::Text(word) if word == "warn") {
        field.bad(
            one_of(&ON_VIOLATION.map(|(word, _)| word)),
            "in `expect`: expect = { max = 100.0, on_violation = \"warn\" }".to_owned(),
        );
        return None;
    }
    field.choice(&ON_VIOLATION)
}

fn entity(field: &Field<'_>) -> Option<Vec<EntityColumn>> {
    let elements = field.list()?;
    if elements.is_empty() {
        field.bad("at least one column", "entity = [\"host\"]".to_owned());
        return None;
    }
    elements.iter().map(entity_column).collect()
}

fn entity_column(field: &Field<'_>) -> Option<EntityColumn> {
    if !matches!(field.content(), Content::Table(_)) {
        return Some(EntityColumn {
            name: field.parsed()?,
            data_type: DataType::Utf8,
        });
    }
    let table = field.table("`entity`")?;
    table.only(&["name", "type"]);
    let name = table
        .require("name", "a column name", "name = \"host\"")
        .and_then(|field| field.parsed());
    let data_type = table.get("type").map_or(Some(DataType::Utf8), |field| {
        let data_type = type_of(&field)?;
        let is_key = !matches!(data_type, DataType::Float32 | DataType::Float64 | DataType::Timestamp);
        if !is_key {
            let hint = "a key has to be equal exactly: use `int64` or `utf8`".to_owned();
            field.bad("one of `bool`, `int32`, `int64`, `utf8`, `date`", hint);
        }
        is_key.then_some(data_type)
    });
    Some(EntityColumn {
        name: name?,
        data_type: data_type?,
    })
}

fn time_zone(field: &Field<'_>) -> Option<String> {
    let text = field.text()?;
    if text.parse::<chrono_tz::Tz>().is_ok() {
        return Some(text);
    }
    let zones = || chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
    let same_city = || {
        zones().find(|zone| {
            zone.rsplit('/')
                .next()
                .is_some_and(|city| city.eq_ignore_ascii_case(&text))
        })
    };
    let near = nearest(&text, zones())
        .or_else(same_city)
        .map(|zone| format!("did you mean `{zone}`?"));
    field.bad(
        "an IANA time zone, such as `America/New_York`",
        near.unwrap_or_else(|| "time_zone = \"UTC\"".to_owned()),
    );
    None
}

/// `columns = { ts = "timestamp" }`
fn renames(field: &Field<'_>) -> BTreeMap<ColumnName, String> {
    let Some(table) = field.table("`columns`") else {
        return BTreeMap::new();
    };
    let rename = |(key, field): (&str, Field<'_>)| {
        let source = field.text()?;
        if source.is_empty() {
            field.bad("the name of a column of the file", format!("{key} = \"{key}\""));
        }
        let column: Option<ColumnName> = key.parse().ok();
        if column.is_none() {
            table.unknown(key, "a column of the feature group", None);
        }
        Some((column?, source))
    };
    table.fields().filter_map(rename).collect()
}

/// Revisions are of rows that later ones supersede, and their periods need two names.
fn check_history(table: &Table<'_>, group: &FeatureGroup) {
    if group.history.is_none() {
        return;
    }
    if group.mode == IngestMode::Append {
        let problem = table.problem(
            "history",
            "`history` in the feature group needs rows that supersede others",
        );
        let problem = problem
            .wanted("`mode = \"upsert\"`")
            .found("`mode = \"append\"`, where every row counts");
        table.notes.problem(problem.hint("remove `history`".to_owned()));
    }
    for period in ["valid_from", "valid_to"] {
        let clash = group
            .declared_columns()
            .into_iter()
            .find(|name| name.as_str().eq_ignore_ascii_case(period));
        if let Some(column) = clash {
            let problem = table.problem(
                "history",
                format!("`history` and the column `{column}` have the same name for two things"),
            );
            let problem = problem
                .wanted("other names than `valid_from` and `valid_to`")
                .found(format!("`{column}`"));
            let hint = format!("rename it: columns = {{ {column}_in_source = \"{column}\" }}");
            table.notes.problem(problem.hint(hint));
        }
    }
}

/// Event time, static, time zone and `ambiguous` have to fit together.
fn check_times(table: &Table<'_>, group: &FeatureGroup) {
    if table.get("event_time").is_none()
        && !group.is_static
        && table
            .get("static")
            .is_none_or(|field| matches!(field.content(), Content::Bool(false)))
    {
        let problem = table.problem("event_time", "missing key `event_time` in the feature group");
        let problem = problem
            .wanted("the column that says when a row's values were true")
            .found("no such key");
        let hint = "add `event_time = \"ts\"`, or `static = true` for one row per entity that holds for all time";
        table.notes.problem(problem.hint(hint.to_owned()));
    }
    if let (true, Some(event_time)) = (group.is_static, &group.event_time) {
        let problem = table.problem("static", "a static feature group has no event time");
        let problem = problem
            .wanted("`static = true` or `event_time`")
            .found(format!("both, with event time `{event_time}`"));
        table.notes.problem(problem.hint("remove `static = true`".to_owned()));
    }
    if group.ambiguous.is_some() && table.get("time_zone").is_none() {
        let problem = table.problem("ambiguous", "`ambiguous` in the feature group needs a time zone");
        let problem = problem.wanted("`time_zone` beside it").found("no such key");
        table
            .notes
            .problem(problem.hint("add `time_zone = \"America/New_York\"`".to_owned()));
    }
}

/// Every column once, ignoring case, because many readers of tables do.
fn check_columns(table: &Table<'_>, group: &FeatureGroup) {
    let entity = group
        .entity
        .iter()
        .enumerate()
        .map(|(at, column)| (format!("entity[{at}]"), &column.name, "in the key"));
    let event_time = group
        .event_time
        .iter()
        .map(|column| ("event_time".to_owned(), column, "as the event time"));
    let known_at = group
        .known_at
        .iter()
        .map(|column| ("known_at".to_owned(), column, "as `known_at`"));
    let feature = |(at, feature): (usize, &'_ Feature)| (at, feature.name.as_str().to_lowercase());
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for (path, column, role) in entity.chain(event_time).chain(known_at) {
        if let Some(before) = seen.insert(column.as_str().to_lowercase(), role) {
            let key = path.split('[').next().unwrap_or_default();
            duplicate(table, table.problem(key, duplicate_title(column)), before, role);
        }
    }
    let fields = table.get("features").and_then(|field| field.list()).unwrap_or_default();
    for ((at, folded), field) in group.features.iter().enumerate().map(feature).zip(&fields) {
        if let (Some(before), Some(feature)) = (seen.insert(folded, "as a feature"), group.features.get(at)) {
            duplicate(
                table,
                field.problem(duplicate_title(&feature.name)),
                before,
                "as a feature",
            );
        }
    }
}

fn duplicate_title(column: &ColumnName) -> String {
    format!("duplicate column `{column}` in the feature group")
}

fn duplicate(table: &Table<'_>, problem: crate::Problem, before: &str, role: &str) {
    let found = if before == role {
        format!("it twice {role}")
    } else {
        format!("it {before} and {role}")
    };
    table.notes.problem(
        problem
            .wanted("every column once, in whatever case")
            .found(found)
            .hint("rename one of them".to_owned()),
    );
}

/// `columns` maps the group's columns, not the file's.
fn check_renames(table: &Table<'_>, group: &FeatureGroup) {
    let Some(renames) = table.get("columns").and_then(|field| field.table("`columns`")) else {
        return;
    };
    let declared: Vec<String> = group.declared_columns().iter().map(ToString::to_string).collect();
    for (column, source) in &group.columns {
        if declared.iter().any(|name| name == column.as_str()) {
            continue;
        }
        let swapped = declared
            .contains(source)
            .then(|| format!("columns = {{ {source} = \"{column}\" }}"));
        let near = || {
            nearest(column.as_str(), declared.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"))
        };
        renames.unknown(column.as_str(), "a column of the feature group", swapped.or_else(near));
    }
}
