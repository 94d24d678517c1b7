//! One entity of a group: its key read from text, and its rows among others.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, Scalar, StringArray};
use arrow::compute::kernels::cmp::not_distinct;
use arrow::compute::{CastOptions, and, cast_with_options};
use definitions::{EntityColumn, FeatureGroup};

use crate::StoreError;
use crate::storage::arrow_type;

/// The key of one entity.
#[derive(Debug, Clone)]
pub struct Entity {
    /// One value per column of the key, in the group's order.
    columns: Vec<(EntityColumn, ArrayRef)>,
}

impl Entity {
    /// Reads a key from texts: `web-1` where the key has one column, else `host=web-1` for each of its columns.
    ///
    /// # Errors
    /// `EntityKey` when a column is missing, unknown, twice, or not of its type.
    pub fn parse(group: &FeatureGroup, texts: &[String]) -> Result<Self, StoreError> {
        let wrong = |found: String| StoreError::EntityKey {
            group: group.reference(),
            wanted: example(group),
            found,
        };
        let mut columns = Vec::with_capacity(group.entity.len());
        for column in &group.entity {
            let prefix = format!("{}=", column.name);
            let mut given = texts.iter().filter_map(|text| text.strip_prefix(&prefix));
            let text = match (given.next(), given.next(), group.entity.len(), texts) {
                (Some(_), Some(_), _, _) => return Err(wrong(format!("`{}` twice", column.name))),
                (Some(text), None, _, _) => text,
                (None, _, 1, [only]) => only.as_str(),
                _ => return Err(wrong(format!("`{}`", texts.join(" ")))),
            };
            columns.push((column.clone(), typed(column, text).map_err(wrong)?));
        }
        if texts.len() == columns.len() {
            return Ok(Self { columns });
        }
        Err(wrong(format!("`{}`", texts.join(" "))))
    }

    /// Its values, one per column of the key: arrays of one row.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&EntityColumn, &ArrayRef)> {
        self.columns.iter().map(|(column, value)| (column, value))
    }

    /// Which rows are of this entity; `columns` are those of the key, in the group's order.
    pub(crate) fn rows(&self, columns: &[ArrayRef]) -> Result<BooleanArray, StoreError> {
        let rows = columns.first().map_or(0, Array::len);
        let mut found = BooleanArray::from(vec![true; rows]);
        for ((_, value), column) in self.columns.iter().zip(columns) {
            // Other programs may write texts in another of Arrow's forms.
            let value = arrow::compute::cast(value, column.data_type())?;
            found = and(&found, &not_distinct(column, &Scalar::new(value))?)?;
        }
        Ok(found)
    }

    /// Whether these texts are its key, each read as a value of its column.
    pub(crate) fn is_of(&self, text: impl Fn(&definitions::ColumnName) -> Option<String>) -> bool {
        self.columns.iter().all(|(column, value)| {
            let found = text(&column.name).and_then(|text| typed(column, text.trim()).ok());
            found.is_some_and(|found| found.to_data() == value.to_data())
        })
    }

    /// Which rows of a batch that begins with the key are of this entity.
    pub(crate) fn rows_of(&self, batch: &RecordBatch) -> Result<BooleanArray, StoreError> {
        self.rows(batch.columns())
    }
}

/// How the key of a group is typed.
fn example(group: &FeatureGroup) -> String {
    let column = |column: &EntityColumn| format!("--entity {}=… ({})", column.name, column.data_type.word());
    group.entity.iter().map(column).collect::<Vec<_>>().join(" ")
}

fn typed(column: &EntityColumn, text: &str) -> Result<ArrayRef, String> {
    let texts: ArrayRef = Arc::new(StringArray::from(vec![text]));
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(&texts, &arrow_type(column.data_type), &strict)
        .map_err(|_| format!("`{text}` for `{}`", column.name))
}
