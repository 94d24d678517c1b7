//! What a file is: its format and its compression, by name and by its first bytes.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::seems::what_it_seems;
use crate::StoreError;
use crate::error::file_error;

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileFormat {
    /// Comma, semicolon or tab separated values with a header; `.csv`, `.tsv`, `.txt`.
    Csv,
    /// Apache Parquet; `.parquet`, `.pq`.
    Parquet,
    /// One JSON object per line; `.jsonl`, `.ndjson`, `.json`.
    Jsonl,
}

impl FileFormat {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Csv, Self::Parquet, Self::Jsonl];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Jsonl => "jsonl",
        }
    }

    /// The format that a file name's ending says, after `.gz` or `.zst`.
    fn of_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let plain = [".gz", ".gzip", ".zst", ".zstd"]
            .iter()
            .find_map(|end| name.strip_suffix(end))
            .unwrap_or(&name);
        match plain.rsplit_once('.')?.1 {
            "csv" | "tsv" | "txt" => Some(Self::Csv),
            "parquet" | "pq" => Some(Self::Parquet),
            "jsonl" | "ndjson" | "json" => Some(Self::Jsonl),
            _ => None,
        }
    }
}

impl std::str::FromStr for FileFormat {
    type Err = definitions::ReferenceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|format| format.word() == text)
            .ok_or_else(|| definitions::ReferenceError {
                found: text.to_owned(),
                wanted: "a format: `csv`, `parquet` or `jsonl`",
            })
    }
}

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl Compression {
    fn of_bytes(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    /// Reads through the compression.
    pub(super) fn open(self, reader: Box<dyn Read + Send>) -> std::io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::None => reader,
            Self::Gzip => Box::new(flate2::read::MultiGzDecoder::new(reader)),
            Self::Zstd => Box::new(zstd::stream::read::Decoder::new(reader)?),
        })
    }
}

/// What a file is.
pub(super) struct Recognised {
    /// Its format.
    pub format: FileFormat,
    /// Its compression.
    pub compression: Compression,
}

/// Recognises a file by what the caller said, its name, and its first bytes.
pub(super) fn recognise(name: &str, head: &[u8], said: Option<FileFormat>) -> Result<Recognised, StoreError> {
    let compression = Compression::of_bytes(head);
    let inner = inner_head(head, compression);
    let is_parquet = inner.starts_with(b"PAR1");
    if let Some(seems) = what_it_seems(&inner).filter(|_| !is_parquet) {
        return Err(StoreError::UnreadableFormat {
            path: name.to_owned(),
            found: seems.what.to_owned(),
            wanted: "CSV or JSON lines in UTF-8, or Parquet",
            hint: seems.hint.replace("FILE", name),
        });
    }
    let by_content = || {
        let first = inner
            .iter()
            .find(|byte| !byte.is_ascii_whitespace() && ![0xef, 0xbb, 0xbf].contains(*byte));
        match first {
            _ if is_parquet => Some(FileFormat::Parquet),
            Some(b'{') => Some(FileFormat::Jsonl),
            _ if name == "-" => Some(FileFormat::Csv),
            _ => None,
        }
    };
    let format = said.or_else(|| FileFormat::of_name(name)).or_else(by_content);
    let format = format.ok_or_else(|| StoreError::UnknownFormat { path: name.to_owned() })?;
    let unreadable = |found: &str, wanted, hint: String| {
        Err(StoreError::UnreadableFormat {
            path: name.to_owned(),
            found: found.to_owned(),
            wanted,
            hint,
        })
    };
    match (format, is_parquet, compression) {
        (FileFormat::Parquet, _, Compression::Gzip | Compression::Zstd) => unreadable(
            "a compressed Parquet file",
            "the Parquet file itself, which is compressed inside",
            "decompress it first: gunzip or unzstd".to_owned(),
        ),
        (FileFormat::Csv | FileFormat::Jsonl, true, _) => {
            unreadable("a Parquet file", "text in UTF-8", "--format parquet".to_owned())
        }
        (FileFormat::Parquet, false, _) => unreadable(
            "not a Parquet file",
            "one that starts with `PAR1`",
            "if it is text: --format csv (or jsonl)".to_owned(),
        ),
        _ => Ok(Recognised { format, compression }),
    }
}

/// The first bytes behind the compression, as far as they can be told.
fn inner_head(head: &[u8], compression: Compression) -> Vec<u8> {
    let mut inner = Vec::new();
    let reader: Box<dyn Read + Send> = Box::new(std::io::Cursor::new(head.to_vec()));
    if let Ok(reader) = compression.open(reader) {
        // The head is cut off somewhere, so an error at its end says nothing.
        let _cut_off = reader.take(512).read_to_end(&mut inner);
    }
    inner
}

/// The first bytes of a file.
pub(super) fn head_of(path: &Path) -> Result<Vec<u8>, StoreError> {
    let file = File::open(path).map_err(file_error(path))?;
    let mut head = Vec::new();
    BufReader::new(file)
        .take(4096)
        .read_to_end(&mut head)
        .map_err(file_error(path))?;
    Ok(head)
}
