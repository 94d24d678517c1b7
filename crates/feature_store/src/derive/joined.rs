//! Columns of other sources beside the rows of the first: **as they stood at that row's time.**
//!
//! ```text
//!   first source     r1       r2   r3        its rows stay as they are
//!   other source   s1    s2           s3     r1 gets the values of s1, r2 and r3 those of s2
//! ```
//!
//! The rule is that of the point-in-time join: of the other source's rows with the same key, not after the row's time and, where the
//! source declares it, known by then, the last one. A static source has one row per key. Both come in the order of the key, so one walk
//! over both is enough. A joined row is known when all rows are that it was made of. Where a row was corrected, the other source gives both, and
//! the correction is seen once it is known.
//!
//! Memory: one batch of each source, and the rows of one key that are not known yet.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, TimestampMicrosecondArray, new_null_array};
use arrow::compute::{cast, interleave};
use arrow::datatypes::{Field, Schema, TimestampMicrosecondType};
use arrow::row::{RowConverter, Rows as EncodedRows};
use definitions::{ColumnName, FeatureGroup};
use futures::{StreamExt, TryStreamExt};

use super::rows::{Rows, current_rows, key_columns, key_converter, known_rows, read_columns};
use super::source::Source;
use crate::StoreError;
use crate::storage::{KNOWN_AT, Store, arrow_type, utc_micros};

/// The rows of the first source, from an event time on, with the columns that are read of all sources.
pub(super) async fn rows_with_others(
    store: &Store,
    first: &Source,
    others: &[Source],
    columns: &[ColumnName],
    from: Option<i64>,
) -> Result<Rows, StoreError> {
    let of = |source: &Source| -> Vec<ColumnName> {
        let is_feature = |name: &&ColumnName| source.group.feature(name.as_str()).is_some();
        columns.iter().filter(is_feature).cloned().collect()
    };
    let rows = current_rows(
        store,
        &first.group,
        &first.pin,
        &read_columns(&first.group, &of(first)),
        from,
    )
    .await?;
    let mut beside = Vec::new();
    for other in others {
        let wanted = of(other);
        if wanted.is_empty() {
            continue;
        }
        // Whatever stood before a row may stand in it, also what was corrected since.
        let rows = known_rows(
            store,
            &other.group,
            &other.pin,
            &read_columns(&other.group, &wanted),
            None,
        )
        .await?;
        beside.push(Other::new(&other.group, wanted, rows)?);
    }
    if beside.is_empty() {
        return Ok(rows);
    }
    joined(rows, &first.group, beside)
}

/// Another source: its rows, in order.
pub(super) struct Other {
    group: FeatureGroup,
    /// The columns that the first source's rows get.
    columns: Vec<ColumnName>,
    rows: Rows,
    converter: RowConverter,
    batch: Option<Batch>,
    has_ended: bool,
    /// Rows of the current key that are old enough, the last one known first.
    waiting: VecDeque<Seen>,
    key: Vec<u8>,
}

/// Rows of another source, with what is looked at.
struct Batch {
    rows: Arc<RecordBatch>,
    keys: EncodedRows,
    times: Option<Vec<i64>>,
    declared: Option<Vec<i64>>,
    known: Vec<i64>,
    next: usize,
}

/// A row of another source.
#[derive(Clone)]
struct Seen {
    rows: Arc<RecordBatch>,
    row: usize,
    /// When it may be seen, where the source says so.
    declared: Option<i64>,
    known: i64,
}

impl Other {
    pub fn new(group: &FeatureGroup, columns: Vec<ColumnName>, rows: Rows) -> Result<Self, StoreError> {
        Ok(Self {
            converter: key_converter(group)?,
            group: group.clone(),
            columns,
            rows,
            batch: None,
            has_ended: false,
            waiting: VecDeque::new(),
            key: Vec::new(),
        })
    }

    /// The row that a row with this key sees at this time.
    async fn seen(&mut self, key: &[u8], time: i64) -> Result<Option<Seen>, StoreError> {
        if self.key != key {
            self.key = key.to_vec();
            self.waiting.clear();
        }
        while self.fill().await? {
            let Some(batch) = &mut self.batch else { break };
            let row = batch.next;
            let is_later = match batch.keys.row(row).as_ref().cmp(key) {
                std::cmp::Ordering::Less => {
                    batch.next += 1;
                    continue;
                }
                std::cmp::Ordering::Greater => true,
                std::cmp::Ordering::Equal => batch
                    .times
                    .as_ref()
                    .and_then(|times| times.get(row))
                    .is_some_and(|of| *of > time),
            };
            if is_later {
                break;
            }
            batch.next += 1;
            self.waiting.push_back(Seen {
                rows: batch.rows.clone(),
                row,
                declared: batch.declared.as_ref().and_then(|known| known.get(row)).copied(),
                known: batch.known.get(row).copied().unwrap_or_default(),
            });
        }
        let is_known = |seen: &Seen| seen.declared.is_none_or(|known| known <= time);
        let Some(last) = self.waiting.iter().rposition(is_known) else {
            return Ok(None);
        };
        self.waiting.drain(..last);
        Ok(self.waiting.front().cloned())
    }

    /// Makes sure that there is a next row; not at the end.
    async fn fill(&mut self) -> Result<bool, StoreError> {
        while self
            .batch
            .as_ref()
            .is_none_or(|batch| batch.next >= batch.rows.num_rows())
        {
            if self.has_ended {
                return Ok(false);
            }
            self.batch = match self.rows.try_next().await? {
                Some(rows) => Some(self.looked_at(rows)?),
                None => None,
            };
            self.has_ended = self.batch.is_none();
        }
        Ok(true)
    }

    fn looked_at(&self, rows: RecordBatch) -> Result<Batch, StoreError> {
        let micros = |name: &str| micros_of(&rows, name);
        let named = |name: &Option<ColumnName>| name.as_ref().map(|name| micros(name.as_str())).transpose();
        Ok(Batch {
            keys: self.converter.convert_columns(&key_columns(&rows, &self.group))?,
            times: named(&self.group.event_time)?,
            declared: named(&self.group.known_at)?,
            known: micros(KNOWN_AT)?,
            rows: Arc::new(rows),
            next: 0,
        })
    }

    /// The columns, row by row as they were seen.
    fn values(&self, seen: &[Option<Seen>]) -> Result<Vec<(String, ArrayRef)>, StoreError> {
        let mut batches: Vec<Arc<RecordBatch>> = Vec::new();
        let mut places = Vec::with_capacity(seen.len());
        for seen in seen {
            places.push(match seen {
                None => (0, 0),
                Some(seen) => {
                    // Rows come in order, so a batch is the last one or a new one.
                    if !batches.last().is_some_and(|last| Arc::ptr_eq(last, &seen.rows)) {
                        batches.push(seen.rows.clone());
                    }
                    (batches.len(), seen.row)
                }
            });
        }
        let value = |name: &ColumnName| {
            let declared = self.group.column_type(name.as_str()).map(arrow_type);
            let nothing = new_null_array(&declared.unwrap_or(arrow::datatypes::DataType::Null), 1);
            let columns: Vec<ArrayRef> = batches
                .iter()
                .filter_map(|batch| batch.column_by_name(name.as_str()).cloned())
                .collect();
            let arrays: Vec<&dyn Array> = std::iter::once(&nothing).chain(&columns).map(AsRef::as_ref).collect();
            Ok((name.to_string(), interleave(&arrays, &places)?))
        };
        self.columns.iter().map(value).collect()
    }
}

fn micros_of(rows: &RecordBatch, name: &str) -> Result<Vec<i64>, StoreError> {
    let column = rows.column_by_name(name).ok_or_else(|| StoreError::UnknownColumn {
        group: "the rows that are joined".to_owned(),
        column: name.to_owned(),
    })?;
    let column = cast(column, &utc_micros())?;
    Ok(column.as_primitive::<TimestampMicrosecondType>().values().to_vec())
}

/// The first source's rows, with the other sources' columns.
pub(super) fn joined(first: Rows, group: &FeatureGroup, others: Vec<Other>) -> Result<Rows, StoreError> {
    let state = (first, key_converter(group)?, group.clone(), others);
    let step = |(mut first, converter, group, mut others): (Rows, RowConverter, FeatureGroup, Vec<Other>)| async move {
        let Some(batch) = first.try_next().await? else {
            return Ok::<_, StoreError>(None);
        };
        let batch = beside(&batch, &converter, &group, &mut others).await?;
        Ok(Some((batch, (first, converter, group, others))))
    };
    Ok(futures::stream::try_unfold(state, step).boxed())
}

async fn beside(
    batch: &RecordBatch,
    converter: &RowConverter,
    group: &FeatureGroup,
    others: &mut [Other],
) -> Result<RecordBatch, StoreError> {
    let keys = converter.convert_columns(&key_columns(batch, group))?;
    let event_time = group.event_time.as_ref().map_or("", ColumnName::as_str);
    let times = micros_of(batch, event_time)?;
    let mut known = micros_of(batch, KNOWN_AT)?;
    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    for other in others {
        let mut seen = Vec::with_capacity(times.len());
        for (row, (time, known)) in times.iter().zip(&mut known).enumerate() {
            let found = other.seen(keys.row(row).as_ref(), *time).await?;
            *known = found.as_ref().map_or(*known, |found| found.known.max(*known));
            seen.push(found);
        }
        columns.extend(other.values(&seen)?);
    }
    let own = batch.schema();
    let own = own.fields().iter().zip(batch.columns()).map(|(field, column)| {
        let column = match field.name().as_str() {
            KNOWN_AT => Arc::new(TimestampMicrosecondArray::from(known.clone()).with_timezone("UTC")),
            _ => column.clone(),
        };
        (field.name().clone(), column)
    });
    let all: Vec<(String, ArrayRef)> = own.chain(columns).collect();
    let fields = all
        .iter()
        .map(|(name, column)| Field::new(name, column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    Ok(RecordBatch::try_new(
        schema,
        all.into_iter().map(|(_, column)| column).collect(),
    )?)
}
