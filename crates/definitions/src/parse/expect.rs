//! `expect`: of a feature, one table or a list of them; of the group, `[[expect]]`.

use super::document::Content;
use super::feature_group::on_violation;
use super::spelling::one_of;
use super::table::{Field, Table};
use crate::{Check, DataType, Duration, Expect, FeatureGroup, GroupExpect, Level, Monotonic, OnViolation};

const LEVELS: [(&str, Level); 3] = [
    ("refuse", Level::Refuse),
    ("quarantine", Level::Quarantine),
    ("warn", Level::Warn),
];
const WAYS: [(&str, Monotonic); 4] = [
    ("increasing", Monotonic::Increasing),
    ("strictly_increasing", Monotonic::StrictlyIncreasing),
    ("decreasing", Monotonic::Decreasing),
    ("strictly_decreasing", Monotonic::StrictlyDecreasing),
];
const OF_A_FEATURE: [&str; 10] = [
    "min",
    "max",
    "max_null_fraction",
    "one_of",
    "regex",
    "unique",
    "monotonic",
    "max_mean_drift",
    "max_std_drift",
    "on_violation",
];
const OF_A_GROUP: [&str; 6] = ["sql", "max_gap", "freshness", "min_rows", "max_rows", "on_violation"];

/// `expect` of a feature, and the `on_violation` beside it. In the form of one table, `refuse` or `quarantine` inside it is the same as
/// beside it; in a list, every table has its own.
pub(super) fn of_feature(table: &Table<'_>, data_type: Option<DataType>) -> (Vec<Expect>, Option<OnViolation>) {
    let outer = on_violation(table);
    let place = format!("`expect` of {}", table.place);
    let Some(field) = table.get("expect") else {
        return (Vec::new(), outer);
    };
    if matches!(field.content(), Content::List(_)) {
        let tables = field.list().unwrap_or_default();
        let tables = tables.iter().filter_map(|element| element.table(&place));
        let all = tables.map(|inner| feature_table(&inner, data_type)).collect();
        return (all, outer);
    }
    let Some(inner) = field.table(&place) else {
        return (Vec::new(), outer);
    };
    let mut expect = feature_table(&inner, data_type);
    let said = match expect.on_violation {
        Some(Level::Refuse) => Some(OnViolation::Refuse),
        Some(Level::Quarantine) => Some(OnViolation::Quarantine),
        _ => None,
    };
    if said.is_some() {
        expect.on_violation = None;
    }
    if let (Some(outer), Some(said)) = (outer, said)
        && outer != said
    {
        let problem = inner.problem(
            "on_violation",
            format!("two different `on_violation` in {}", table.place),
        );
        table.notes.problem(
            problem
                .wanted("one")
                .found("one in `expect` and another beside it")
                .hint("remove one".to_owned()),
        );
    }
    (vec![expect], outer.or(said))
}

fn feature_table(table: &Table<'_>, data_type: Option<DataType>) -> Expect {
    table.only(&OF_A_FEATURE);
    let number = |key: &str| table.get(key).and_then(|field| field.number());
    let expect = Expect {
        min: number("min"),
        max: number("max"),
        max_null_fraction: number("max_null_fraction"),
        one_of: table.get("one_of").map(|field| allowed(&field, data_type)),
        regex: table.get("regex").and_then(|field| pattern(&field)),
        unique: table.flag("unique"),
        monotonic: table.get("monotonic").and_then(|field| field.choice(&WAYS)),
        max_mean_drift: number("max_mean_drift"),
        max_std_drift: number("max_std_drift"),
        on_violation: table.get("on_violation").and_then(|field| field.choice(&LEVELS)),
    };
    check_numbers(table, &expect);
    check_type(table, data_type);
    check_level(table, &expect.checks(), expect.on_violation);
    expect
}

/// Texts, or for a column of integers whole numbers.
fn allowed(field: &Field<'_>, data_type: Option<DataType>) -> Vec<String> {
    let elements = field.list().unwrap_or_default();
    if elements.is_empty() && matches!(field.content(), Content::List(_)) {
        field.bad("at least one text", "remove `one_of`".to_owned());
    }
    let is_whole = matches!(data_type, Some(DataType::Int32 | DataType::Int64));
    let value = |element: &Field<'_>| match element.content() {
        Content::Integer(number) if is_whole => Some(number.to_string()),
        _ if is_whole => element.mistyped("a whole number", Some("one_of = [1, 2]".to_owned())),
        _ => element.text(),
    };
    elements.iter().filter_map(value).collect()
}

fn pattern(field: &Field<'_>) -> Option<String> {
    let text = field.text()?;
    match regex::Regex::new(&text) {
        Ok(_) => Some(text),
        Err(error) => {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
            field.bad(
                format!("a regular expression ({reason})"),
                "regex = \"^[a-z]+-[0-9]+$\"".to_owned(),
            );
            None
        }
    }
}

fn check_numbers(table: &Table<'_>, expect: &Expect) {
    if let (Some(min), Some(max)) = (expect.min, expect.max)
        && min > max
    {
        let problem = table.problem("min", format!("nothing fits {}", table.place));
        let hint = format!("min = {max:?}, max = {min:?}");
        table.notes.problem(
            problem
                .wanted("`min` no larger than `max`")
                .found(format!("{min:?} and {max:?}"))
                .hint(hint),
        );
    }
    let share = expect.max_null_fraction.filter(|share| !(0.0..=1.0).contains(share));
    if let (Some(share), Some(field)) = (share, table.get("max_null_fraction")) {
        let percent = (1.0..=100.0).contains(&share);
        field.bad(
            "a share from 0 to 1",
            percent.then(|| format!("max_null_fraction = {}", share / 100.0)),
        );
    }
    if let (Some(_), Some(field)) = (
        expect.max_mean_drift.filter(|limit| *limit <= 0.0),
        table.get("max_mean_drift"),
    ) {
        field.bad(
            "a number of standard deviations above 0",
            "max_mean_drift = 3.0".to_owned(),
        );
    }
    if let (Some(_), Some(field)) = (
        expect.max_std_drift.filter(|limit| *limit < 1.0),
        table.get("max_std_drift"),
    ) {
        field.bad("a factor of at least 1", "max_std_drift = 2.0".to_owned());
    }
}

fn check_type(table: &Table<'_>, data_type: Option<DataType>) {
    let Some(data_type) = data_type else { return };
    let is_number = data_type.is_number();
    let is_text = data_type == DataType::Utf8;
    let has_order = is_number || matches!(data_type, DataType::Date | DataType::Timestamp);
    let is_countable = is_text || matches!(data_type, DataType::Int32 | DataType::Int64);
    let applies = [
        ("min", is_number, "a column of numbers"),
        ("max", is_number, "a column of numbers"),
        ("one_of", is_countable, "a column of text or integers"),
        ("regex", is_text, "a column of text"),
        ("monotonic", has_order, "a column of numbers, dates or times"),
        ("max_mean_drift", is_number, "a column of numbers"),
        ("max_std_drift", is_number, "a column of numbers"),
    ];
    for (key, _, wanted) in applies
        .into_iter()
        .filter(|(key, fits, _)| !fits && table.get(key).is_some())
    {
        let problem = table.problem(key, format!("`{key}` does not apply in {}", table.place));
        let hint = match key {
            "min" | "max" if is_text => "use `one_of = [\"…\"]`".to_owned(),
            "one_of" if is_number => "use `min = 0, max = 10`".to_owned(),
            _ => format!("remove `{key}`"),
        };
        let found = format!("type `{}`", data_type.word());
        table.notes.problem(problem.wanted(wanted).found(found).hint(hint));
    }
}

/// What is about an ingestion has no row to set aside.
fn check_level(table: &Table<'_>, checks: &[Check], level: Option<Level>) {
    let Some(check) = checks.iter().find(|check| !check.is_about_a_row()) else {
        return;
    };
    if level != Some(Level::Quarantine) {
        return;
    }
    let text = check.to_string();
    let key = text.split(' ').next().unwrap_or_default();
    let problem = table.problem(
        "on_violation",
        format!(
            "`{key}` in {} cannot set rows aside: it is about a whole ingestion",
            table.place
        ),
    );
    let hint = if table.place.starts_with("`[[expect]]`") {
        format!("[[expect]] {text}, on_violation = \"refuse\"")
    } else {
        format!("in a list, each has its own: expect = [{{ {text}, on_violation = \"refuse\" }}, {{ … }}]")
    };
    table
        .notes
        .problem(problem.wanted("`refuse` or `warn`").found("`quarantine`").hint(hint));
}

/// `[[expect]]`
pub(super) fn of_group(table: &Table<'_>) -> Vec<GroupExpect> {
    let elements = table.get("expect").and_then(|field| field.list()).unwrap_or_default();
    let tables = elements.iter().filter_map(|element| element.table("`[[expect]]`"));
    tables.map(|table| group_table(&table)).collect()
}

fn group_table(table: &Table<'_>) -> GroupExpect {
    table.only(&OF_A_GROUP);
    let span = |key: &str| {
        let field = table.get(key)?;
        let span: Duration = field.parsed()?;
        if span <= Duration::ZERO {
            field.bad("a duration above zero", format!("{key} = \"1h\""));
        }
        Some(span)
    };
    let rows = |key: &str| table.get(key).and_then(|field| field.whole::<u64>(0));
    let expect = GroupExpect {
        sql: table.text("sql"),
        max_gap: span("max_gap"),
        freshness: span("freshness"),
        min_rows: rows("min_rows"),
        max_rows: rows("max_rows"),
        on_violation: table.get("on_violation").and_then(|field| field.choice(&LEVELS)),
    };
    let keys: Vec<&str> = OF_A_GROUP.into_iter().filter(|key| *key != "on_violation").collect();
    if keys.iter().all(|key| table.get(key).is_none()) {
        let problem = table.problem("sql", "nothing is expected in `[[expect]]`");
        let hint = "sql = \"cpu_percent + idle_percent <= 100.5\"".to_owned();
        table
            .notes
            .problem(problem.wanted(one_of(&keys)).found("none of them").hint(hint));
    }
    if let (Some(min), Some(max)) = (expect.min_rows, expect.max_rows)
        && min > max
    {
        let problem = table.problem("min_rows", "no number of rows fits `[[expect]]`");
        table.notes.problem(
            problem
                .wanted("`min_rows` no larger than `max_rows`")
                .found(format!("{min} and {max}"))
                .hint(format!("min_rows = {max}, max_rows = {min}")),
        );
    }
    check_level(table, &expect.checks(), expect.on_violation);
    expect
}

/// What needs event times has none in a static group.
pub(super) fn check_static(table: &Table<'_>, group: &FeatureGroup) {
    if group.event_time.is_some() || !group.is_static {
        return;
    }
    let needs_times = |check: &Check| matches!(check, Check::Monotonic(_) | Check::MaxGap(_) | Check::Freshness(_));
    for expectation in group
        .expectations()
        .iter()
        .filter(|expectation| needs_times(&expectation.check))
    {
        let problem = table.problem("static", format!("{expectation} needs event times"));
        table.notes.problem(
            problem
                .wanted("a group with `event_time`")
                .found("`static = true`")
                .hint("remove the expectation".to_owned()),
        );
    }
}
