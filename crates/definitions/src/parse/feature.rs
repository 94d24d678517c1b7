//! One feature of a feature group: `[[features]]`, with what is expected of its values.

use super::derivation::{self, derivation};
use super::expect;
use super::spelling::one_of;
use super::table::{Field, Table};
use crate::{DataType, Duration, Feature, nearest};

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
    let (expect, violation) = expect::of_feature(&table, data_type);
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
