//! CSV files: a header, then records, whose fields may be quoted and hold line breaks. The delimiter is told by the header.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use csv::{ByteRecord, ReaderBuilder};
use definitions::FeatureGroup;

use super::clock::Clock;
use super::column::{Cell, CellFault, CellKind, ColumnBuilder, Wanted};
use super::csv_records::CsvRecords;
use super::rows::{BATCH_BYTES, KEPT_BYTES, RowReader, TypedBatch, batch_rows, places, unasked};
use super::source::Source;
use super::violation::Reason;
use crate::StoreError;
use crate::error::file_error;

const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// A header is not longer than this.
const HEADER_BYTES: u64 = 1 << 20;

/// A CSV file being read.
pub(super) struct CsvRows {
    reader: CsvRecords,
    header: Vec<String>,
    wanted: Vec<Wanted>,
    places: Vec<usize>,
    null_values: Vec<Vec<u8>>,
    clock: Clock,
    records: Vec<ByteRecord>,
    filled: usize,
    bytes_read: Arc<AtomicU64>,
}

impl CsvRows {
    /// Opens a file and reads its header.
    pub(super) fn open(source: &Source, group: &FeatureGroup, wanted: &[Wanted]) -> Result<Self, StoreError> {
        let bytes_read = Arc::new(AtomicU64::new(0));
        let mut input = BufReader::new(source.open(bytes_read.clone())?);
        let head = first_line(&mut input).map_err(file_error(&source.name))?;
        let delimiter = sniff(&head, wanted);
        let whole: Box<dyn Read + Send> = Box::new(Cursor::new(head).chain(input));
        let mut reader = CsvRecords::new(&source.name, delimiter, whole);
        let mut header = ByteRecord::new();
        if reader.read(&mut header)?.is_none() {
            header.clear();
        }
        let header: Vec<String> = header
            .iter()
            .map(|name| String::from_utf8_lossy(name).trim().to_owned())
            .collect();
        Ok(Self {
            places: places(source, group, wanted, &header)?,
            reader,
            header,
            wanted: wanted.to_vec(),
            null_values: group.null_values.iter().map(|text| text.clone().into_bytes()).collect(),
            clock: Clock::of(group)?,
            records: Vec::new(),
            filled: 0,
            bytes_read,
        })
    }

    /// Reads records until the batch is full.
    fn fill(&mut self) -> Result<Vec<u64>, StoreError> {
        let limit = batch_rows(self.wanted.len());
        let mut lines = Vec::with_capacity(limit);
        let mut bytes = 0;
        self.filled = 0;
        while self.filled < limit && bytes < BATCH_BYTES {
            if self.records.len() == self.filled {
                self.records.push(ByteRecord::new());
            }
            let Some(record) = self.records.get_mut(self.filled) else {
                break;
            };
            if record.as_slice().len() > KEPT_BYTES {
                *record = ByteRecord::new();
            }
            let Some(line) = self.reader.read(record)? else {
                break;
            };
            lines.push(line);
            bytes += record.as_slice().len();
            self.filled += 1;
        }
        Ok(lines)
    }

    fn rows(&self) -> impl Iterator<Item = (usize, &ByteRecord)> {
        self.records.iter().take(self.filled).enumerate()
    }

    /// Records with fewer or more fields than the header.
    fn malformed(&self) -> Vec<CellFault> {
        let wanted = self.header.len();
        let fault = |(row, record): (usize, &ByteRecord)| {
            let detail = format!("{} fields, the header has {wanted}", record.len());
            CellFault {
                row,
                column: None,
                value: String::new(),
                reason: Reason::Malformed,
                detail,
            }
        };
        self.rows()
            .filter(|(_, record)| record.len() != wanted)
            .map(fault)
            .collect()
    }

    fn build(&self, at: usize, column: &Wanted, place: usize, faults: &mut Vec<CellFault>) -> arrow::array::ArrayRef {
        let mut builder = ColumnBuilder::new(column.data_type, CellKind::Csv, self.filled);
        for (row, record) in self.rows() {
            let field = record.get(place).unwrap_or_default();
            let is_null = field.is_empty() || self.null_values.iter().any(|null| null == field);
            let pushed = match std::str::from_utf8(field) {
                _ if is_null => builder.push(&Cell::Null, &self.clock),
                Ok(text) => builder.push(&Cell::Text(text), &self.clock),
                Err(_) => {
                    let pushed = builder.push(&Cell::Null, &self.clock);
                    pushed.and(Err((Reason::WrongType, "not UTF-8".to_owned())))
                }
            };
            if let Err((reason, detail)) = pushed {
                let value = String::from_utf8_lossy(field).into_owned();
                faults.push(CellFault {
                    row,
                    column: Some(at),
                    value,
                    reason,
                    detail,
                });
            }
        }
        builder.finish()
    }
}

impl RowReader for CsvRows {
    fn next_batch(&mut self) -> Result<Option<TypedBatch>, StoreError> {
        let lines = self.fill()?;
        if lines.is_empty() {
            return Ok(None);
        }
        let mut faults = self.malformed();
        let columns = self.wanted.iter().zip(&self.places).enumerate();
        let columns = columns
            .map(|(at, (column, place))| self.build(at, column, *place, &mut faults))
            .collect();
        Ok(Some(TypedBatch { columns, lines, faults }))
    }

    fn raw(&self, row: usize) -> String {
        let Some(record) = self.records.get(row).filter(|_| row < self.filled) else {
            return String::new();
        };
        let field = |(at, value): (usize, &[u8])| {
            let name = self
                .header
                .get(at)
                .cloned()
                .unwrap_or_else(|| format!("field_{}", at + 1));
            (
                name,
                serde_json::Value::String(String::from_utf8_lossy(value).into_owned()),
            )
        };
        serde_json::Value::Object(record.iter().enumerate().map(field).collect()).to_string()
    }

    fn ignored(&self) -> BTreeSet<String> {
        unasked(&self.wanted, &self.header)
    }

    fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }
}

/// The first line that is not blank, with its line break.
fn first_line(input: &mut dyn BufRead) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    loop {
        let before = head.len();
        let read = input.take(HEADER_BYTES).read_until(b'\n', &mut head)?;
        let is_blank = head
            .get(before..)
            .unwrap_or_default()
            .iter()
            .all(u8::is_ascii_whitespace);
        if read == 0 || !is_blank || head.len() as u64 > HEADER_BYTES {
            return Ok(head);
        }
    }
}

/// The delimiter under which the header names the most wanted columns; among equals, the one that gives the most columns.
fn sniff(head: &[u8], wanted: &[Wanted]) -> u8 {
    let score = |delimiter: u8| {
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .from_reader(head);
        let mut record = ByteRecord::new();
        let is_there = reader.read_byte_record(&mut record).unwrap_or(false);
        let names: Vec<_> = record
            .iter()
            .map(|name| String::from_utf8_lossy(name).trim().to_owned())
            .collect();
        let found = wanted
            .iter()
            .filter(|column| names.contains(&column.file_column))
            .count();
        (found, if is_there { names.len() } else { 0 })
    };
    // The last of equals is taken, so the comma comes last.
    DELIMITERS
        .into_iter()
        .rev()
        .max_by_key(|delimiter| score(*delimiter))
        .unwrap_or(b',')
}
