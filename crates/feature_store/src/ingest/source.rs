//! Where rows come from: files, patterns and standard input; what they are, how large, and the hash of their bytes.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use definitions::Fingerprint;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::format::{Compression, FileFormat, head_of, recognise};
use crate::StoreError;
use crate::error::file_error;

/// One file that was read, for the receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceReceipt {
    /// The file, as it was named; `-` is standard input.
    pub path: String,
    /// Its format.
    pub format: FileFormat,
    /// Its size.
    pub bytes: u64,
    /// The SHA-256 of its bytes.
    pub sha256: Fingerprint,
    /// Rows that were read from it.
    pub rows: u64,
}

/// One file to read.
#[derive(Debug)]
pub(super) struct Source {
    /// As it was named.
    pub name: String,
    /// Its format.
    pub format: FileFormat,
    /// Its size.
    pub bytes: u64,
    /// The SHA-256 of its bytes.
    pub sha256: Fingerprint,
    compression: Compression,
    place: PathBuf,
    modified: Option<SystemTime>,
    /// Standard input, kept in a file while it is read.
    _spool: Option<Spool>,
}

/// A file that goes away with its owner.
#[derive(Debug)]
pub(super) struct Spool(pub PathBuf);

impl Drop for Spool {
    fn drop(&mut self) {
        // It may never have been made.
        let _gone = std::fs::remove_file(&self.0);
    }
}

/// Finds the files that are named, and looks at each: format, size, hash. Standard input is copied to a file under `spill`, since its
/// hash must be known before it is known whether to read it.
///
/// # Errors
/// `NoFile`, `BadPattern`, `UnknownFormat`, `UnreadableFormat`; `File` when one cannot be read.
pub(super) fn find_sources(
    names: &[String],
    format: Option<FileFormat>,
    spill: &Path,
) -> Result<Vec<Source>, StoreError> {
    let mut sources = Vec::new();
    for name in names {
        if name == "-" {
            sources.push(spooled(name, &mut io::stdin().lock(), format, spill)?);
            continue;
        }
        for path in matching(name)? {
            let name = path.display().to_string();
            // A pipe can be read only once, and its hash must be known before it is known whether to read it.
            let source = if path.is_file() {
                look_at(name, path, format, None)
            } else {
                spooled(&name, &mut File::open(&path).map_err(file_error(&path))?, format, spill)
            };
            sources.push(source?);
        }
    }
    if sources.is_empty() {
        return Err(StoreError::NoFile {
            pattern: names.join(" "),
        });
    }
    Ok(sources)
}

/// The hash of everything: of the one file, or of the hashes of all files in their order.
pub(super) fn content_hash(sources: &[Source]) -> Fingerprint {
    match sources {
        [only] => only.sha256,
        many => {
            let mut hash = Sha256::new();
            hash.update(b"sources 1\n");
            many.iter().for_each(|source| hash.update(source.sha256.bytes()));
            Fingerprint::from_digest(hash.finalize().into())
        }
    }
}

fn matching(name: &str) -> Result<Vec<PathBuf>, StoreError> {
    let path = PathBuf::from(name);
    if path.is_file() {
        return Ok(vec![path]);
    }
    if path.is_dir() {
        let source = io::Error::new(
            io::ErrorKind::IsADirectory,
            "a folder; name the files in it, such as with `*.csv`",
        );
        return Err(StoreError::File { path, source });
    }
    let no_file = || StoreError::NoFile {
        pattern: name.to_owned(),
    };
    if !name.contains(['*', '?', '[']) {
        // Neither file nor folder, such as a named pipe: there all the same, or missing.
        return if path.exists() { Ok(vec![path]) } else { Err(no_file()) };
    }
    let bad = |error: glob::PatternError| StoreError::BadPattern {
        pattern: name.to_owned(),
        detail: error.msg.to_owned(),
    };
    let mut paths = Vec::new();
    for path in glob::glob(name).map_err(bad)? {
        let path = path.map_err(|error| StoreError::File {
            path: error.path().to_owned(),
            source: error.into(),
        })?;
        if path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() { Err(no_file()) } else { Ok(paths) }
}

fn spooled(name: &str, reader: &mut dyn Read, format: Option<FileFormat>, spill: &Path) -> Result<Source, StoreError> {
    std::fs::create_dir_all(spill).map_err(file_error(spill))?;
    let spool = Spool(spill.join(format!("stdin-{}", uuid::Uuid::new_v4())));
    let mut file = File::create(&spool.0).map_err(file_error(&spool.0))?;
    io::copy(reader, &mut file).map_err(file_error(name))?;
    let place = spool.0.clone();
    look_at(name.to_owned(), place, format, Some(spool))
}

fn look_at(name: String, place: PathBuf, said: Option<FileFormat>, spool: Option<Spool>) -> Result<Source, StoreError> {
    let head = head_of(&place)?;
    let recognised = recognise(&name, &head, said)?;
    let (bytes, modified) = size_and_age(&place)?;
    let sha256 = hash_file(&place)?;
    let (format, compression) = (recognised.format, recognised.compression);
    Ok(Source {
        name,
        format,
        bytes,
        sha256,
        compression,
        place,
        modified,
        _spool: spool,
    })
}

fn size_and_age(path: &Path) -> Result<(u64, Option<SystemTime>), StoreError> {
    let metadata = std::fs::metadata(path).map_err(file_error(path))?;
    Ok((metadata.len(), metadata.modified().ok()))
}

fn hash_file(path: &Path) -> Result<Fingerprint, StoreError> {
    let mut file = File::open(path).map_err(file_error(path))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer).map_err(file_error(path))?;
        if read == 0 {
            return Ok(Fingerprint::from_digest(hash.finalize().into()));
        }
        hash.update(buffer.get(..read).unwrap_or_default());
    }
}

impl Source {
    /// The bytes behind the compression, read through a counter of those in front of it.
    pub(super) fn open(&self, bytes_read: Arc<AtomicU64>) -> Result<Box<dyn Read + Send>, StoreError> {
        let file = Counted {
            file: BufReader::with_capacity(1 << 18, self.open_file()?),
            bytes_read,
        };
        let inner = self.compression.open(Box::new(file)).map_err(file_error(&self.name))?;
        Ok(Box::new(BufReader::with_capacity(1 << 18, inner)))
    }

    /// The file itself.
    pub(super) fn open_file(&self) -> Result<File, StoreError> {
        File::open(&self.place).map_err(file_error(&self.name))
    }

    /// That the file is what it was when its hash was taken.
    pub(super) fn check_unchanged(&self) -> Result<(), StoreError> {
        if size_and_age(&self.place)? == (self.bytes, self.modified) {
            return Ok(());
        }
        Err(StoreError::FileChanged {
            path: self.name.clone(),
        })
    }
}

struct Counted {
    file: BufReader<File>,
    bytes_read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.bytes_read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
