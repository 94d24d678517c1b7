//! The group's batches as the merge needs them: cut down to the columns that count, and cut up into keys.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{Int64Type, Schema, SchemaRef, TimestampMicrosecondType};
use definitions::Availability;

use super::keys::Keys;
use super::sweep::Moment;
use super::{GroupColumns, JoinRule};
use crate::{INGEST_ID, KNOWN_AT, ROW_NUMBER, StoreError};

/// Where a group's columns stand in its batches.
pub(super) struct Layout {
    pub schema: SchemaRef,
    pub keys: Vec<usize>,
    pub event_time: Option<usize>,
    pub known_at: Option<usize>,
    pub ingested_at: usize,
    pub ingest_id: usize,
    pub row_number: usize,
    pub values: Vec<usize>,
}

/// Rows of the group that are looked at together: whole keys, but for the last one.
pub(super) struct Window {
    pub batch: RecordBatch,
    pub keys: Keys,
    pub event_time: Option<TimestampMicrosecondArray>,
    pub known_at: Option<TimestampMicrosecondArray>,
    pub ingested_at: TimestampMicrosecondArray,
    pub ingest_id: Int64Array,
    pub row_number: Int64Array,
}

impl Layout {
    /// Finds the columns; batches are cut down to these, in this order, by `project`.
    pub(super) fn new(schema: &Schema, group: &GroupColumns) -> Result<Self, StoreError> {
        let place = |name: &str, all: &mut Vec<String>| match all.iter().position(|known| known == name) {
            Some(at) => at,
            None => {
                all.push(name.to_owned());
                all.len() - 1
            }
        };
        let mut all = Vec::new();
        let keys = group.keys.iter().map(|name| place(name, &mut all)).collect();
        let event_time = group.event_time.as_ref().map(|name| place(name, &mut all));
        let known_at = group.known_at.as_ref().map(|name| place(name, &mut all));
        let [ingested_at, ingest_id, row_number] = [KNOWN_AT, INGEST_ID, ROW_NUMBER].map(|name| place(name, &mut all));
        let values = group.values.iter().map(|name| place(name, &mut all)).collect();
        let schema = Arc::new(schema.project(&columns_of(schema, &all, &group.group)?)?);
        Ok(Self {
            schema,
            keys,
            event_time,
            known_at,
            ingested_at,
            ingest_id,
            row_number,
            values,
        })
    }

    /// The places among the values of the columns that are filled.
    pub(super) fn filled<'a>(&self, group: &'a GroupColumns) -> impl Iterator<Item = usize> + 'a {
        group
            .values
            .iter()
            .enumerate()
            .filter(|(_, name)| group.last_known.contains(name))
            .map(|(at, _)| at)
    }

    /// The columns of a batch that count, in the layout's order.
    pub(super) fn project(&self, batch: &RecordBatch) -> Result<RecordBatch, StoreError> {
        let columns = self.schema.fields().iter().map(|field| {
            let column = batch
                .column_by_name(field.name())
                .filter(|column| column.data_type() == field.data_type());
            column.cloned().ok_or_else(|| StoreError::UnsupportedType {
                column: field.name().clone(),
                found: "another type than the group's schema says".to_owned(),
            })
        });
        Ok(RecordBatch::try_new(
            self.schema.clone(),
            columns.collect::<Result<Vec<ArrayRef>, _>>()?,
        )?)
    }

    pub(super) fn window(&self, batch: RecordBatch, keys: Keys) -> Result<Window, StoreError> {
        let times = |at: usize| -> Result<TimestampMicrosecondArray, StoreError> {
            batch
                .column(at)
                .as_primitive_opt::<TimestampMicrosecondType>()
                .cloned()
                .ok_or_else(|| wrong_type(&batch, at))
        };
        let numbers = |at: usize| -> Result<Int64Array, StoreError> {
            batch
                .column(at)
                .as_primitive_opt::<Int64Type>()
                .cloned()
                .ok_or_else(|| wrong_type(&batch, at))
        };
        Ok(Window {
            keys,
            event_time: self.event_time.map(times).transpose()?,
            known_at: self.known_at.map(times).transpose()?,
            ingested_at: times(self.ingested_at)?,
            ingest_id: numbers(self.ingest_id)?,
            row_number: numbers(self.row_number)?,
            batch,
        })
    }
}

fn wrong_type(batch: &RecordBatch, at: usize) -> StoreError {
    let schema = batch.schema();
    let field = schema.field(at);
    StoreError::UnsupportedType {
        column: field.name().clone(),
        found: field.data_type().to_string(),
    }
}

fn columns_of(schema: &Schema, names: &[String], group: &str) -> Result<Vec<usize>, StoreError> {
    let find = |name: &String| {
        schema.index_of(name).map_err(|_| StoreError::UnknownColumn {
            group: group.to_owned(),
            column: name.clone(),
        })
    };
    names.iter().map(find).collect()
}

impl Window {
    /// The stretches of rows with one key each; rows with a NULL in the key are in none.
    pub(super) fn runs(&self, group: &str) -> Result<Vec<Range<usize>>, StoreError> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        let mut before: Option<usize> = None;
        for row in 0..self.keys.len() {
            let Some(key) = self.keys.get(row) else { continue };
            let previous = before.and_then(|before| Some((before, self.keys.get(before)?)));
            before = Some(row);
            match (previous, runs.last_mut()) {
                (Some((last, same)), Some(run)) if same == key && last + 1 == row => {
                    if self.is_after(last, row) {
                        return Err(StoreError::OrderBroken {
                            group: group.to_owned(),
                        });
                    }
                    run.end = row + 1;
                }
                (Some((_, larger)), _) if larger >= key => {
                    return Err(StoreError::OrderBroken {
                        group: group.to_owned(),
                    });
                }
                _ => runs.push(row..row + 1),
            }
        }
        Ok(runs)
    }

    /// What time says of a row.
    pub(super) fn moment(&self, row: usize, rule: &JoinRule) -> Moment {
        let has_time = self.event_time.as_ref().is_none_or(|times| times.is_valid(row));
        let event_time = self.event_time.as_ref().map_or(i64::MIN, |times| times.value(row));
        let ingested_at = self.ingested_at.value(row);
        let mut known_from = Some(i64::MIN);
        if let Some(declared) = &self.known_at {
            known_from = declared.is_valid(row).then(|| declared.value(row));
        }
        if rule.availability == Availability::Ingested {
            known_from = known_from.map(|known| known.max(ingested_at));
        }
        if rule.as_known_at.is_some_and(|limit| ingested_at > limit.0) {
            known_from = None;
        }
        // Ingest refuses rows without event time; one that is there all the same is never seen.
        if has_time {
            Moment { event_time, known_from }
        } else {
            Moment {
                event_time: i64::MAX,
                known_from: None,
            }
        }
    }

    /// Whether a row belongs after the next one of the same key.
    fn is_after(&self, row: usize, next: usize) -> bool {
        let event_time = |row: usize| self.event_time.as_ref().map(|times| times.value(row));
        let declared = |row: usize| {
            self.known_at
                .as_ref()
                .map(|known| known.is_valid(row).then(|| known.value(row)))
        };
        let ingestion = |row: usize| {
            (
                self.ingested_at.value(row),
                self.ingest_id.value(row),
                self.row_number.value(row),
            )
        };
        match event_time(row).cmp(&event_time(next)) {
            Ordering::Less => false,
            Ordering::Greater => true,
            // A NULL is never known, so it does not matter on which side of the others it stands.
            Ordering::Equal => match (declared(row), declared(next)) {
                (Some(None), Some(Some(_))) | (Some(Some(_)), Some(None)) => false,
                (a, b) => (a, ingestion(row)) > (b, ingestion(next)),
            },
        }
    }
}
