//! The rows that a table has already, walked along with those of a query, so that none is left behind that the query no longer gives.

use std::cmp::Ordering;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::row::{Row, RowConverter, Rows as EncodedRows, SortField};
use definitions::FeatureGroup;
use futures::TryStreamExt;

use super::super::rows::Rows;
use super::super::touched::Touched;
use super::{identity_of, row_text};
use crate::{StoreError, group_schema};

/// A table's rows, in order.
pub(super) struct Present {
    identity: Vec<String>,
    converter: RowConverter,
    rows: Rows,
    batch: Option<(RecordBatch, EncodedRows, Vec<i64>)>,
    next: usize,
}

impl Present {
    pub fn new(group: &FeatureGroup, rows: Rows) -> Result<Self, StoreError> {
        let schema = group_schema(group)?;
        let identity = identity_of(group);
        let field = |name: &String| Ok(SortField::new(schema.field_with_name(name)?.data_type().clone()));
        let fields = identity.iter().map(field).collect::<Result<_, StoreError>>()?;
        Ok(Self {
            identity,
            converter: RowConverter::new(fields)?,
            rows,
            batch: None,
            next: 0,
        })
    }

    /// The key and event time of each row, in which their order is that of their bytes.
    pub fn keys(&self, batch: &RecordBatch) -> Result<EncodedRows, StoreError> {
        let columns = self
            .identity
            .iter()
            .filter_map(|name| batch.column_by_name(name).cloned());
        Ok(self.converter.convert_columns(&columns.collect::<Vec<_>>())?)
    }

    /// Walks up to a key, this one included, or to the end; gives the first touched row on the way that has another key.
    pub async fn pass(&mut self, key: Option<Row<'_>>, touched: &Touched) -> Result<Option<String>, StoreError> {
        loop {
            let Some((batch, keys, times)) = &self.batch else {
                let Some(batch) = self.rows.try_next().await? else {
                    return Ok(None);
                };
                let times = self.identity.last().and_then(|name| batch.column_by_name(name));
                let times = times.and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>());
                let times = times.map(|times| times.values().to_vec()).unwrap_or_default();
                (self.batch, self.next) = (Some((batch.clone(), self.keys(&batch)?, times)), 0);
                continue;
            };
            if self.next >= batch.num_rows() {
                self.batch = None;
                continue;
            }
            let order = key.map(|key| keys.row(self.next).cmp(&key));
            if order == Some(Ordering::Greater) {
                return Ok(None);
            }
            let row = self.next;
            self.next += 1;
            if order == Some(Ordering::Equal) {
                return Ok(None);
            }
            if times.get(row).is_some_and(|time| touched.holds(*time)) {
                return Ok(Some(row_text(&self.identity, batch, row)?));
            }
        }
    }
}
