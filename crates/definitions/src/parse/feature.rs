//! One feature of a feature group: `[[features]]`, with what is expected of its values.

use super::derivation::{self, derivation};
use super::feature_group::on_violation;
use super::spelling::one_of;
use super::table::{Field, Table};
use crate::{DataType, Duration, Expect, Feature, OnViolation, nearest};

const KEYS: [&str; 9] = [
    "name",
    "type",
    "unit",
    "description",
    "categorical",
    "expect",
    "on_violation",
    "lookback",
    "horizon",
];
/// What other systems call the types.
const SYNONYMS: [(&str, DataType); 24] = [
    ("string", DataType::Utf8),
    ("str", DataType::Utf8),
    ("text", DataType::Utf8),
    ("varchar", DataType::Utf8),
    ("category", DataType::Utf8),
    ("object", DataType::Utf8),
    ("double", DataType::Float64),
    ("float", DataType::Float64),
    ("f64", DataType::Float64),
    ("number", DataType::Float64),
    ("decimal", DataType::Float64),
    ("f32", DataType::Float32),
    ("int", DataType::Int64),
    ("integer", DataType::Int64),
    ("long", DataType::Int64),
    ("bigint", DataType::Int64),
    ("i64", DataType::Int64),
    ("i32", DataType::Int32),
    ("int8", DataType::Int32),
    ("int16", DataType::Int32),
    ("boolean", DataType::Bool),
    ("datetime", DataType::Timestamp),
    ("time", DataType::Timestamp),
    ("date32", DataType::Date),
];

/// Every feature of the group.
pub(super) fn features(table: &Table<'_>, is_derived: bool) -> Option<Vec<Feature>> {
    let example = "[[features]] name = \"cpu_percent\", type = \"float64\"";
    let field = table.require("features", "at least one feature", example)?;
    let elements = field.list()?;
    if elements.is_empty() {
        field.bad(
            "at least one feature",
            "[[features]] name = \"cpu_percent\", type = \"float64\"".to_owned(),
        );
        return None;
    }
    let features: Vec<Option<Feature>> = elements
        .iter()
        .enumerate()
        .map(|(at, field)| feature(field, at, is_derived))
        .collect();
    features.into_iter().collect()
}

/// How messages call an element of `[[features]]`.
pub(super) fn place_of(field: &Field<'_>, at: usize, key: &str) -> String {
    let super::document::Content::Table(entries) = field.content() else {
        return "`[[features]]`".to_owned();
    };
    let name = entries
        .iter()
        .find(|entry| entry.key == key)
        .map(|entry| &entry.node.content);
    match name {
        Some(super::document::Content::Text(name)) => format!("`[[features]]` `{name}`"),
        _ => format!("`[[features]]` number {}", at + 1),
    }
}

fn feature(field: &Field<'_>, at: usize, is_derived: bool) -> Option<Feature> {
    let table = field.table(&place_of(field, at, "name"))?;
    let keys: Vec<&str> = KEYS.into_iter().chain(derivation::KEYS).collect();
    table.only(&keys);
    let name = table
        .require("name", "a column name", "name = \"cpu_percent\"")
        .and_then(|field| field.parsed());
    let derivation = derivation(&table);
    let type_field = if is_derived || derivation.is_some() {
        table.get("type")
    } else {
        table.require(
            "type",
            &one_of(&DataType::ALL.map(DataType::word)),
            "type = \"float64\"",
        )
    };
    let has_type = type_field.is_some();
    let data_type = type_field.and_then(|field| type_of(&field));
    let (expect, violation) = expectation(&table, data_type);
    check_categorical(&table, data_type);
    let feature = Feature {
        data_type,
        unit: table.text("unit"),
        description: table.text("description"),
        categorical: table.flag("categorical"),
        expect,
        on_violation: violation,
        lookback: span(&table, "lookback"),
        horizon: span(&table, "horizon"),
        derivation,
        name: name?,
    };
    (data_type.is_some() || !has_type).then_some(feature)
}

/// A duration of a feature, which may be missing. Nothing is said by a duration of zero, so it is the same as none.
pub(super) fn span(table: &Table<'_>, key: &str) -> Option<Duration> {
    table.parsed::<Duration>(key).filter(|span| *span > Duration::ZERO)
}

/// The type that a word names.
pub(super) fn type_of(field: &Field<'_>) -> Option<DataType> {
    let text = field.text()?;
    let found = DataType::ALL.into_iter().find(|data_type| data_type.word() == text);
    if found.is_none() {
        let words = DataType::ALL.map(DataType::word);
        let folded = text.to_lowercase();
        let synonym = SYNONYMS
            .iter()
            .find(|(word, _)| *word == folded)
            .map(|(_, data_type)| data_type.word());
        let near = synonym.or_else(|| nearest(&text, words));
        field.bad(one_of(&words), format!("type = \"{}\"", near.unwrap_or("utf8")));
    }
    found
}

fn check_categorical(table: &Table<'_>, data_type: Option<DataType>) {
    let (Some(field), Some(data_type)) = (table.get("categorical"), data_type) else {
        return;
    };
    let said = matches!(field.content(), super::document::Content::Bool(true));
    let word = data_type.word();
    match data_type {
        DataType::Date | DataType::Timestamp if said => {
            field.bad(
                format!("nothing: a {word} is never categorical"),
                "remove `categorical`".to_owned(),
            );
        }
        DataType::Utf8 | DataType::Bool if !said => {
            field.bad(
                format!("nothing: a {word} is always categorical"),
                "remove `categorical`".to_owned(),
            );
        }
        _ => {}
    }
}

/// `expect`, and `on_violation` beside it or inside it.
fn expectation(table: &Table<'_>, data_type: Option<DataType>) -> (Option<Expect>, Option<OnViolation>) {
    let outer = on_violation(table);
    let place = format!("`expect` of {}", table.place);
    let Some(inner) = table.get("expect").and_then(|field| field.table(&place)) else {
        return (None, outer);
    };
    inner.only(&["min", "max", "max_null_fraction", "one_of", "on_violation"]);
    let violation = on_violation(&inner);
    if let (Some(outer), Some(violation)) = (outer, violation)
        && outer != violation
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
    let number = |key: &str| inner.get(key).and_then(|field| field.number());
    let expect = Expect {
        min: number("min"),
        max: number("max"),
        max_null_fraction: number("max_null_fraction"),
        one_of: inner.get("one_of").map(|_| inner.texts("one_of")),
    };
    check_expectation(&inner, &expect, data_type);
    (Some(expect), outer.or(violation))
}

fn check_expectation(table: &Table<'_>, expect: &Expect, data_type: Option<DataType>) {
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
    if let Some(field) = table
        .get("max_null_fraction")
        .filter(|_| expect.max_null_fraction.is_some_and(|f| !(0.0..=1.0).contains(&f)))
    {
        let percent = expect
            .max_null_fraction
            .filter(|fraction| (1.0..=100.0).contains(fraction));
        field.bad(
            "a share from 0 to 1",
            percent.map(|percent| format!("max_null_fraction = {}", percent / 100.0)),
        );
    }
    if let Some(field) = table
        .get("one_of")
        .filter(|_| expect.one_of.as_ref().is_some_and(Vec::is_empty))
    {
        field.bad("at least one text", "remove `one_of`".to_owned());
    }
    let Some(data_type) = data_type else { return };
    let applies = [
        ("min", data_type.is_number(), "a column of numbers", "one_of = [\"…\"]"),
        ("max", data_type.is_number(), "a column of numbers", "one_of = [\"…\"]"),
        (
            "one_of",
            data_type == DataType::Utf8,
            "a column of text",
            "min = 0, max = 10",
        ),
    ];
    for (key, fits, wanted, instead) in applies {
        if table.get(key).is_some() && !fits {
            let problem = table
                .problem(key, format!("`{key}` does not apply in {}", table.place))
                .wanted(wanted);
            let fits_other = (key == "one_of") == data_type.is_number();
            let hint = if fits_other {
                format!("use `{instead}`")
            } else {
                format!("remove `{key}`")
            };
            table
                .notes
                .problem(problem.found(format!("type `{}`", data_type.word())).hint(hint));
        }
    }
}
