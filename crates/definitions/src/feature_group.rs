//! A feature group as declared: its key, its times, its columns and what is expected of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ColumnName, Derivation, Duration, Expect, GroupExpect, GroupRef, Name, Version, Versioned};

/// The type of a column, as users write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataType {
    /// True or false.
    Bool,
    /// A signed 32-bit integer.
    Int32,
    /// A signed 64-bit integer.
    Int64,
    /// A 32-bit float.
    Float32,
    /// A 64-bit float.
    Float64,
    /// Text; categorical by itself.
    Utf8,
    /// A calendar day.
    Date,
    /// A point in time, stored as UTC microseconds.
    Timestamp,
}

impl DataType {
    /// Every type, in the order in which messages list them.
    pub const ALL: [Self; 8] = [
        Self::Bool,
        Self::Int32,
        Self::Int64,
        Self::Float32,
        Self::Float64,
        Self::Utf8,
        Self::Date,
        Self::Timestamp,
    ];
    /// The word for it in a definition.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Utf8 => "utf8",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
        }
    }
    /// Whether values are integers or floats.
    #[must_use]
    pub fn is_number(self) -> bool {
        matches!(self, Self::Int32 | Self::Int64 | Self::Float32 | Self::Float64)
    }
}

/// One column of the key. `entity = ["host"]` makes it text; `entity = [{ name = "vm_id", type = "int32" }]` gives its type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntityColumn {
    /// The column.
    pub name: ColumnName,
    /// Its type: bool, int32, int64, utf8 or date.
    pub data_type: DataType,
}

/// What an ingestion does with a key and event time that are there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IngestMode {
    /// The later ingestion wins at read time; two different rows of one ingestion with the same key and time are refused.
    Upsert,
    /// Every row counts; equal keys and times are ordered by ingestion, then by place in the file.
    Append,
}

/// What is promised of revisions that later ones supersede.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum History {
    /// Every revision of a row is kept, with its period of validity (a slowly changing dimension of type 2).
    Scd2,
}

/// What happens to rows that break an expectation, a type or the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnViolation {
    /// The whole ingestion is refused.
    Refuse,
    /// The good rows are kept, the others go to the quarantine table with the reason.
    Quarantine,
}

/// Which of two instants a local time means when the clocks went back; or, for a local time that the clocks jumped
/// over, which side of the jump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ambiguous {
    /// The earlier instant.
    Earliest,
    /// The later instant.
    Latest,
}

/// One feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    /// The column.
    pub name: ColumnName,
    /// Its type; in a derived group it may be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_type: Option<DataType>,
    /// Its unit, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// What it says, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether a number is a category. Text always is.
    #[serde(default, skip_serializing_if = "crate::is_false")]
    pub categorical: bool,
    /// What is expected of its values.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        with = "crate::expectation::one_or_many"
    )]
    pub expect: Vec<Expect>,
    /// What happens when the expectation is broken; without it, what the group says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_violation: Option<OnViolation>,
    /// How far back the value looks from its event time, when it was computed outside the platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookback: Option<Duration>,
    /// How far ahead of its event time the value looks, when it is a label computed outside the platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon: Option<Duration>,
    /// How the value is computed, in a derived group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derivation: Option<Derivation>,
}

impl Feature {
    /// Whether learners treat the values as categories: texts, bools, hashes, and numbers that are said to be.
    #[must_use]
    pub fn is_categorical(&self) -> bool {
        self.categorical
            || matches!(self.data_type, Some(DataType::Utf8 | DataType::Bool))
            || matches!(self.derivation, Some(Derivation::Hash { .. }))
    }
}

/// Where a derived group comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Derive {
    /// The groups it reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<GroupRef>,
    /// The query, where SQL says it better than features.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// How far back the query looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookback: Option<Duration>,
}

/// A feature group: a Delta table of one row per entity and event time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureGroup {
    /// Its name.
    pub name: Name,
    /// Its version.
    pub version: Version,
    /// What it holds, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The key, never empty; together with the event time it identifies a row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entity: Vec<EntityColumn>,
    /// When a row's values were true; `None` only where `is_static`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_time: Option<ColumnName>,
    /// The column that says when a row became known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_at: Option<ColumnName>,
    /// The IANA zone of timestamps that come without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// What an ambiguous or non-existent local time means; without it, an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ambiguous: Option<Ambiguous>,
    /// Whether times finer than a microsecond are cut; without it, they are refused.
    #[serde(default, skip_serializing_if = "crate::is_false")]
    pub truncate: bool,
    /// No event time: one row per entity, joined on the key alone.
    #[serde(default, skip_serializing_if = "crate::is_false")]
    pub is_static: bool,
    /// What is promised of superseded revisions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
    /// What an ingestion does with rows that are there already.
    pub mode: IngestMode,
    /// What happens to rows that break the definition.
    pub on_violation: OnViolation,
    /// Where a column's values come from: column of the group -> column of the file, where the names differ.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<ColumnName, String>,
    /// Texts that mean NULL in CSV files, besides the empty one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub null_values: Vec<String>,
    /// What is expected of its rows together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<GroupExpect>,
    /// Its features, in declared order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<Feature>,
    /// Where it comes from, if it is derived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derive: Option<Derive>,
}

impl FeatureGroup {
    /// `server_metrics:v1`
    #[must_use]
    pub fn reference(&self) -> GroupRef {
        Versioned {
            name: self.name.clone(),
            version: self.version,
        }
    }
    /// Whether its rows are computed from other groups.
    #[must_use]
    pub fn is_derived(&self) -> bool {
        self.derive.is_some()
    }
    /// The feature of that name.
    #[must_use]
    pub fn feature(&self, name: &str) -> Option<&Feature> {
        self.features.iter().find(|feature| feature.name.as_str() == name)
    }
    /// The type of any declared column: key, event time, `known_at` or feature.
    #[must_use]
    pub fn column_type(&self, name: &str) -> Option<DataType> {
        if let Some(column) = self.entity.iter().find(|column| column.name.as_str() == name) {
            return Some(column.data_type);
        }
        let is_time = [&self.event_time, &self.known_at]
            .into_iter()
            .flatten()
            .any(|time| time.as_str() == name);
        if is_time {
            Some(DataType::Timestamp)
        } else {
            self.feature(name).and_then(|feature| feature.data_type)
        }
    }
    /// The name of every declared column, in stored order: key, event time, `known_at`, features.
    #[must_use]
    pub fn declared_columns(&self) -> Vec<&ColumnName> {
        let times = [&self.event_time, &self.known_at].into_iter().flatten();
        let entity = self.entity.iter().map(|column| &column.name);
        entity
            .chain(times)
            .chain(self.features.iter().map(|feature| &feature.name))
            .collect()
    }
    /// Every declared column once, in stored order: key, event time, `known_at`, features; with its type.
    #[must_use]
    pub fn stored_columns(&self) -> Vec<(ColumnName, DataType)> {
        let times = [&self.event_time, &self.known_at].into_iter().flatten();
        let mut columns: Vec<_> = self
            .entity
            .iter()
            .map(|column| (column.name.clone(), column.data_type))
            .collect();
        columns.extend(times.map(|time| (time.clone(), DataType::Timestamp)));
        for feature in &self.features {
            if let Some(data_type) = feature.data_type {
                columns.push((feature.name.clone(), data_type));
            }
        }
        columns
    }
}
