//! What a view asks of its groups, column by column, before any row is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use definitions::{
    ColumnName, DataType, FeatureGroup, FeatureView, Fill, GapSum, GroupRef, IngestMode, KeyPair, KnownAt,
    ResolvedColumn, ResolvedView, Role, resolve_view,
};

use crate::point_in_time::{GroupColumns, JoinRule};
use crate::{INGEST_ID, KNOWN_AT, ROW_NUMBER, StoreError, arrow_type};

/// The spine: which columns are read, and how rows become spine rows.
#[derive(Debug, Clone)]
pub(crate) struct SpinePlan {
    /// The group, or what stands for it in messages.
    pub group: GroupRef,
    /// The columns of the dataset that the spine gives, by their names in the group; the key first.
    pub columns: Vec<String>,
    /// How many of them are the key.
    pub keys: usize,
    /// The event time.
    pub event_time: String,
    /// The declared `known_at` column.
    pub known_at: Option<String>,
    /// Columns that joins compare and the dataset does not hold.
    pub only_compared: Vec<String>,
    /// Whether a later row corrects an earlier one with the same key and event time.
    pub mode: IngestMode,
}

impl SpinePlan {
    /// Every declared column that is read, each once.
    pub(crate) fn read(&self) -> Vec<String> {
        let mut read = self.columns.clone();
        let more = self.only_compared.iter().chain(&self.known_at);
        for column in more {
            if !read.contains(column) {
                read.push(column.clone());
            }
        }
        read
    }
}

/// One selection of the view.
#[derive(Debug, Clone)]
pub(crate) struct JoinPlan {
    /// The group.
    pub group: GroupRef,
    /// The prefix of its columns in the dataset.
    pub prefix: Option<String>,
    /// What is compared, in the order of the group's key.
    pub keys: Vec<KeyPair>,
    /// Which columns play which part.
    pub columns: GroupColumns,
    /// What is read, with the hidden columns: the columns of a stream without rows.
    pub schema: SchemaRef,
    /// The rule.
    pub rule: JoinRule,
}

/// Everything that a view asks for.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The view, looked up.
    pub resolved: ResolvedView,
    /// The spine.
    pub spine: SpinePlan,
    /// The joins, in the view's order.
    pub joins: Vec<JoinPlan>,
    /// The gap that the definitions need.
    pub gap: GapSum,
}

impl Plan {
    /// Plans a dataset.
    ///
    /// # Errors
    /// `Definitions` when the view does not fit its groups; `StaticSpine` when the rows of the dataset would have no time.
    pub(crate) fn new(
        view: &FeatureView,
        groups: &BTreeMap<GroupRef, FeatureGroup>,
        as_known_at: Option<KnownAt>,
    ) -> Result<Self, StoreError> {
        let resolved = resolve_view(view, groups)?;
        let spine = spine_plan(&resolved, find(groups, &resolved.spine)?)?;
        let mut joins = Vec::new();
        for (at, selection) in view.features.iter().enumerate() {
            let rule = JoinRule {
                boundary: view.boundary,
                max_age: selection.max_age,
                availability: view.availability,
                as_known_at,
            };
            joins.push(join_plan(
                &resolved,
                at,
                find(groups, &selection.group)?,
                selection.prefix.clone(),
                rule,
            )?);
        }
        let gap = resolved.gap();
        Ok(Self {
            resolved,
            spine,
            joins,
            gap,
        })
    }

    /// The dataset's columns; all of them nullable, so that every file of it has one schema.
    pub(crate) fn schema(&self) -> SchemaRef {
        let field = |column: &ResolvedColumn| Field::new(column.name.as_str(), arrow_type(column.data_type), true);
        Arc::new(Schema::new(self.resolved.columns.iter().map(field).collect::<Vec<_>>()))
    }

    /// Where the event time stands in the dataset.
    pub(crate) fn event_time_at(&self) -> usize {
        self.spine
            .columns
            .iter()
            .position(|column| *column == self.spine.event_time)
            .unwrap_or_default()
    }
}

fn find<'a>(groups: &'a BTreeMap<GroupRef, FeatureGroup>, group: &GroupRef) -> Result<&'a FeatureGroup, StoreError> {
    groups
        .get(group)
        .ok_or_else(|| StoreError::UnknownGroup { group: group.clone() })
}

fn spine_plan(resolved: &ResolvedView, group: &FeatureGroup) -> Result<SpinePlan, StoreError> {
    let event_time = group.event_time.as_ref().ok_or_else(|| StoreError::StaticSpine {
        group: group.reference(),
    })?;
    let own = resolved.columns.iter().filter(|column| column.selection.is_none());
    let columns: Vec<String> = own.map(|column| column.column.to_string()).collect();
    let compared = resolved
        .selections
        .iter()
        .flat_map(|selection| &selection.keys)
        .map(|pair| pair.spine.to_string());
    let mut only_compared: Vec<String> = compared.filter(|column| !columns.contains(column)).collect();
    only_compared.sort();
    only_compared.dedup();
    Ok(SpinePlan {
        group: group.reference(),
        keys: resolved.with_role(Role::Key).count(),
        columns,
        event_time: event_time.to_string(),
        known_at: group.known_at.as_ref().map(ColumnName::to_string),
        only_compared,
        mode: group.mode,
    })
}

fn join_plan(
    resolved: &ResolvedView,
    at: usize,
    group: &FeatureGroup,
    prefix: Option<String>,
    rule: JoinRule,
) -> Result<JoinPlan, StoreError> {
    let selection = resolved.selections.get(at).ok_or_else(|| StoreError::UnknownGroup {
        group: group.reference(),
    })?;
    let columns: Vec<_> = resolved.of_selection(at).collect();
    let last_known = columns.iter().filter(|column| column.fill == Some(Fill::LastKnown));
    Ok(JoinPlan {
        schema: read_schema(group, &selection.keys, &columns),
        group: group.reference(),
        prefix,
        keys: selection.keys.clone(),
        columns: GroupColumns {
            group: group.reference().to_string(),
            keys: selection.keys.iter().map(|pair| pair.key.to_string()).collect(),
            event_time: group
                .event_time
                .as_ref()
                .filter(|_| !selection.is_static)
                .map(ColumnName::to_string),
            known_at: group.known_at.as_ref().map(ColumnName::to_string),
            values: columns.iter().map(|column| column.column.to_string()).collect(),
            last_known: last_known.map(|column| column.column.to_string()).collect(),
        },
        rule,
    })
}

/// The schema of what a join reads of its group.
fn read_schema(group: &FeatureGroup, keys: &[KeyPair], columns: &[&ResolvedColumn]) -> SchemaRef {
    let times = [&group.event_time, &group.known_at].into_iter().flatten();
    let mut types: BTreeMap<String, DataType> = columns
        .iter()
        .map(|column| (column.column.to_string(), column.data_type))
        .collect();
    types.extend(keys.iter().map(|pair| (pair.key.to_string(), pair.data_type)));
    types.extend(times.map(|time| (time.to_string(), DataType::Timestamp)));
    types.extend([(KNOWN_AT.to_owned(), DataType::Timestamp)]);
    types.extend([INGEST_ID, ROW_NUMBER].map(|hidden| (hidden.to_owned(), DataType::Int64)));
    let field = |(name, data_type): (&String, &DataType)| Field::new(name, arrow_type(*data_type), true);
    Arc::new(Schema::new(types.iter().map(field).collect::<Vec<_>>()))
}
