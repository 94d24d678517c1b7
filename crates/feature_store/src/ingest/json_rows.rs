//! JSON lines: one object per line; fields by name, a missing one is NULL.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use definitions::FeatureGroup;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::clock::Clock;
use super::column::{Cell, CellFault, CellKind, ColumnBuilder, Wanted};
use super::rows::{BATCH_BYTES, KEPT_BYTES, RECORD_BYTES, RowReader, TypedBatch, batch_rows, missing};
use super::source::Source;
use super::violation::Reason;
use crate::StoreError;
use crate::error::file_error;

/// So many names of fields that nobody asked for are remembered.
const IGNORED_NAMES: usize = 100;

/// A file of JSON lines being read.
pub(super) struct JsonRows {
    source: String,
    group: FeatureGroup,
    reader: BufReader<Box<dyn Read + Send>>,
    wanted: Vec<Wanted>,
    /// The wanted columns by the names of their fields; one field may be several columns.
    fields: HashMap<String, Vec<usize>>,
    /// Which wanted columns have been seen in any line.
    seen: Vec<bool>,
    clock: Clock,
    lines: Vec<Vec<u8>>,
    filled: usize,
    line: u64,
    rows: u64,
    ignored: BTreeSet<String>,
    bytes_read: Arc<AtomicU64>,
}

impl JsonRows {
    /// Opens a file.
    pub(super) fn open(source: &Source, group: &FeatureGroup, wanted: &[Wanted]) -> Result<Self, StoreError> {
        let bytes_read = Arc::new(AtomicU64::new(0));
        let reader = BufReader::with_capacity(1 << 18, source.open(bytes_read.clone())?);
        let mut fields: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, column) in wanted.iter().enumerate() {
            fields.entry(column.file_column.clone()).or_default().push(at);
        }
        Ok(Self {
            source: source.name.clone(),
            group: group.clone(),
            reader,
            wanted: wanted.to_vec(),
            fields,
            seen: vec![false; wanted.len()],
            clock: Clock::of(group)?,
            lines: Vec::new(),
            filled: 0,
            line: 0,
            rows: 0,
            ignored: BTreeSet::new(),
            bytes_read,
        })
    }

    /// Reads lines until the batch is full; blank ones are passed over.
    fn fill(&mut self) -> Result<Vec<u64>, StoreError> {
        let limit = batch_rows(self.wanted.len());
        let mut numbers = Vec::with_capacity(limit);
        let mut bytes = 0;
        self.filled = 0;
        while self.filled < limit && bytes < BATCH_BYTES {
            if self.lines.len() == self.filled {
                self.lines.push(Vec::new());
            }
            let Some(line) = self.lines.get_mut(self.filled) else {
                break;
            };
            if line.capacity() > KEPT_BYTES {
                *line = Vec::new();
            }
            line.clear();
            let mut bounded = self.reader.by_ref().take(RECORD_BYTES as u64 + 1);
            if bounded.read_until(b'\n', line).map_err(file_error(&self.source))? == 0 {
                break;
            }
            self.line += 1;
            if line.len() > RECORD_BYTES {
                return Err(endless(&self.source, self.line));
            }
            if self.line == 1 && line.starts_with(&[0xef, 0xbb, 0xbf]) {
                line.drain(..3);
            }
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            if self.rows == 0 && self.filled == 0 && line.trim_ascii_start().starts_with(b"[") {
                return Err(StoreError::BrokenFile {
                    path: self.source.clone(),
                    format: "JSON lines",
                    line: Some(self.line),
                    detail: "an array, wanted one object per line (`jq -c '.[]'` makes them)".to_owned(),
                });
            }
            numbers.push(self.line);
            bytes += line.len();
            self.filled += 1;
        }
        Ok(numbers)
    }

    /// At the end of a file: a column that no line had is missing.
    fn check_seen(&self) -> Result<(), StoreError> {
        let unseen = self.seen.iter().zip(&self.wanted).find(|(seen, _)| !**seen);
        match unseen {
            Some((_, column)) if self.rows > 0 => {
                let seen = self.wanted.iter().zip(&self.seen).filter(|(_, seen)| **seen);
                let names = seen
                    .map(|(column, _)| column.file_column.clone())
                    .chain(self.ignored.iter().cloned())
                    .collect();
                Err(missing(&self.source, &self.group, column, names))
            }
            _ => Ok(()),
        }
    }
}

impl RowReader for JsonRows {
    fn next_batch(&mut self) -> Result<Option<TypedBatch>, StoreError> {
        let lines = self.fill()?;
        if lines.is_empty() {
            self.check_seen()?;
            return Ok(None);
        }
        self.rows += lines.len() as u64;
        let mut builders: Vec<_> = self
            .wanted
            .iter()
            .map(|column| ColumnBuilder::new(column.data_type, CellKind::Json, lines.len()))
            .collect();
        let mut faults = Vec::new();
        for (row, line) in self.lines.iter().take(self.filled).enumerate() {
            let mut cells: Vec<Value<'_>> = vec![Value::Null; self.wanted.len()];
            let seed = Row {
                fields: &self.fields,
                cells: &mut cells,
                seen: &mut self.seen,
                ignored: &mut self.ignored,
            };
            let mut json = serde_json::Deserializer::from_slice(line);
            if let Err(error) = seed.deserialize(&mut json).and_then(|()| json.end()) {
                let detail = format!("not a JSON object: {error}");
                faults.push(CellFault {
                    row,
                    column: None,
                    value: String::new(),
                    reason: Reason::Malformed,
                    detail,
                });
                cells.fill(Value::Null);
            }
            for (at, (builder, cell)) in builders.iter_mut().zip(&cells).enumerate() {
                if let Err((reason, detail)) = builder.push(&cell.as_cell(), &self.clock) {
                    faults.push(CellFault {
                        row,
                        column: Some(at),
                        value: cell.to_string(),
                        reason,
                        detail,
                    });
                }
            }
        }
        let columns = builders.into_iter().map(ColumnBuilder::finish).collect();
        Ok(Some(TypedBatch { columns, lines, faults }))
    }

    fn raw(&self, row: usize) -> String {
        let line = self.lines.get(row).filter(|_| row < self.filled);
        String::from_utf8_lossy(line.map(|line| line.trim_ascii()).unwrap_or_default()).into_owned()
    }

    fn ignored(&self) -> BTreeSet<String> {
        self.ignored.clone()
    }

    fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }
}

fn endless(path: &str, line: u64) -> StoreError {
    StoreError::EndlessRecord {
        path: path.to_owned(),
        line,
        wanted: "a line that ends",
        found: format!("one that is not over after {} MiB", RECORD_BYTES >> 20),
        hint: "JSON lines have one object per line: `jq -c .` writes them so, `jq -c '.[]'` those of an array",
    }
}

/// A value of a line.
#[derive(Debug, Clone)]
enum Value<'a> {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(Cow<'a, str>),
    Nested,
}

impl Value<'_> {
    fn as_cell(&self) -> Cell<'_> {
        match self {
            Self::Null => Cell::Null,
            Self::Bool(value) => Cell::Bool(*value),
            Self::Int(value) => Cell::Int(*value),
            Self::Float(value) => Cell::Float(*value),
            Self::Text(text) => Cell::Text(text),
            Self::Nested => Cell::Nested,
        }
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Text(text) => write!(f, "\"{text}\""),
            Self::Nested => f.write_str("[…]"),
        }
    }
}

/// Reads one line: the wanted fields into their cells, all others passed over.
struct Row<'r, 'de> {
    fields: &'r HashMap<String, Vec<usize>>,
    cells: &'r mut [Value<'de>],
    seen: &'r mut [bool],
    ignored: &'r mut BTreeSet<String>,
}

impl<'de> DeserializeSeed<'de> for Row<'_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Row<'_, 'de> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(FieldName)? {
            let Some(places) = self.fields.get(name.as_ref()) else {
                if self.ignored.len() < IGNORED_NAMES && !self.ignored.contains(name.as_ref()) {
                    self.ignored.insert(name.into_owned());
                }
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = map.next_value_seed(AnyValue)?;
            for place in places {
                if let (Some(cell), Some(seen)) = (self.cells.get_mut(*place), self.seen.get_mut(*place)) {
                    *cell = value.clone();
                    *seen = true;
                }
            }
        }
        Ok(())
    }
}

struct FieldName;

impl<'de> DeserializeSeed<'de> for FieldName {
    type Value = Cow<'de, str>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for FieldName {
    type Value = Cow<'de, str>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

struct AnyValue;

impl<'de> DeserializeSeed<'de> for AnyValue {
    type Value = Value<'de>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value<'de>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Value::Int(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Value::Int(value.into()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Value::Float(value))
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Nested)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Nested)
    }
}
