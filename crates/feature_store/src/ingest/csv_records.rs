//! The records of a CSV file, none of them endless.
//!
//! A quote that is never closed takes in everything that follows. So the reader is given the file through a watch: it hands out no
//! more than [`RECORD_BYTES`] from where a record began, and at the end of the file one more record, the end mark. An end mark that
//! comes alone ends the file; one that comes inside another record was taken in by an open quote.

use std::io::{self, Read};

use csv::{ByteRecord, ReaderBuilder};

use super::rows::RECORD_BYTES;
use crate::StoreError;

/// A line break, for a last line without one, and a record of one field.
const END_MARK: &[u8] = b"\n\0";

/// Reads records, the header being the first.
pub(super) struct CsvRecords {
    path: String,
    reader: csv::Reader<Watched>,
}

/// A file on its way to the reader.
struct Watched {
    input: Box<dyn Read + Send>,
    /// So many bytes were given to the reader; the last ones were these.
    given: u64,
    last: Vec<u8>,
    /// Up to here the reader may ask.
    allowed: u64,
    is_crossed: bool,
    /// Where the file ends, once that is known, and what is left of the end mark.
    end: u64,
    end_mark: &'static [u8],
    /// Line breaks between the last record and the next one, and whether more may come.
    breaks: u64,
    is_between: bool,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given >= self.allowed {
            self.is_crossed = true;
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut read = self.input.read(buffer)?;
        if read == 0 {
            self.end = self.end.min(self.given);
            read = self.end_mark.read(buffer)?;
        }
        self.last.clear();
        self.last.extend(buffer.iter().take(read));
        self.given += read as u64;
        self.pass_breaks(0);
        Ok(read)
    }
}

impl Watched {
    /// A record begins at this byte, or behind the line breaks that stand there.
    fn begin(&mut self, at: u64) {
        self.allowed = at.saturating_add(RECORD_BYTES as u64);
        (self.breaks, self.is_between) = (0, true);
        let left = self.given.saturating_sub(at) as usize;
        self.pass_breaks(self.last.len().saturating_sub(left));
    }

    fn pass_breaks(&mut self, from: usize) {
        if !self.is_between {
            return;
        }
        let rest = self.last.get(from..).unwrap_or_default();
        let breaks = || rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
        self.is_between = breaks().count() == rest.len();
        self.breaks += breaks().filter(|byte| **byte == b'\n').count() as u64;
    }
}

impl CsvRecords {
    /// The records of a file that is read through `input`.
    pub(super) fn new(path: &str, delimiter: u8, input: Box<dyn Read + Send>) -> Self {
        let watched = Watched {
            input,
            given: 0,
            last: Vec::new(),
            allowed: 0,
            is_crossed: false,
            end: u64::MAX,
            end_mark: END_MARK,
            breaks: 0,
            is_between: true,
        };
        let mut builder = ReaderBuilder::new();
        builder.delimiter(delimiter).flexible(true).has_headers(false);
        Self {
            path: path.to_owned(),
            reader: builder.from_reader(watched),
        }
    }

    /// Reads the next record, and gives the line that it begins on; `None` at the end.
    ///
    /// # Errors
    /// `EndlessRecord` for one that is too long or runs to the end of the file inside a quote; `BrokenFile` when the file cannot be read.
    pub(super) fn read(&mut self, record: &mut ByteRecord) -> Result<Option<u64>, StoreError> {
        let (begin, line) = (self.reader.position().byte(), self.reader.position().line());
        self.reader.get_mut().begin(begin);
        let read = self.reader.read_byte_record(record);
        let watched = self.reader.get_ref();
        let line = line + watched.breaks;
        if !read.map_err(|error| self.failed(line, &error))? {
            return Ok(None);
        }
        let is_past_the_end = self.reader.position().byte() > watched.end.saturating_add(1);
        let is_end_mark = record.len() == 1 && record.get(0) == END_MARK.get(1..);
        match (is_past_the_end, is_end_mark) {
            (false, _) => Ok(Some(line)),
            (true, true) => Ok(None),
            (true, false) => Err(self.endless(line, "the end of the file inside a quote".to_owned())),
        }
    }

    fn failed(&self, line: u64, error: &csv::Error) -> StoreError {
        if self.reader.get_ref().is_crossed {
            let found = format!("one that is not over after {} MiB", RECORD_BYTES >> 20);
            return self.endless(line, found);
        }
        StoreError::BrokenFile {
            path: self.path.clone(),
            format: "CSV",
            line: error.position().map(csv::Position::line),
            detail: error.to_string(),
        }
    }

    fn endless(&self, line: u64, found: String) -> StoreError {
        StoreError::EndlessRecord {
            path: self.path.clone(),
            line,
            wanted: "a record that ends",
            found,
            hint: "a quote that opens there may never be closed: close it; inside a quoted field, write a quote twice: \"5\"\" disk\"",
        }
    }
}
