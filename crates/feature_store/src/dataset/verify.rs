//! Checking a dataset against its manifest: every byte, every value, every count, and what the split's certificate says of the rows.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::path::Path;

use definitions::{Fingerprint, Versioned};
use serde::Serialize;

use super::gap::GAP;
use super::manifest::{DataFile, MANIFEST, Manifest, load_manifest};
use super::read::open_file;
use super::witness::Witness;
use crate::StoreError;
use crate::error::file_error;
use crate::fingerprint::{ContentHasher, combine};

/// One thing that is not as the manifest says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Where: a file, a part, or the whole.
    pub place: String,
    /// What of it: `bytes`, `sha256`, `rows`, `content`, `file`, …
    pub what: String,
    /// What the manifest says.
    pub wanted: String,
    /// What is there.
    pub found: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}`: {}: wanted {}, found {}",
            self.place, self.what, self.wanted, self.found
        )
    }
}

/// What a check looked at, and what was not as the manifest says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Files that were read.
    pub files: u64,
    /// Rows that were read.
    pub rows: u64,
    /// The fingerprint that the manifest gives to the content.
    pub fingerprint: Fingerprint,
    /// Everything that differs; empty: the dataset is what it was.
    pub differences: Vec<Difference>,
}

/// Checks the dataset in a folder: file hashes, row counts, the content's fingerprints, the split's certificate, files that are missing
/// or too many.
///
/// # Errors
/// When the manifest cannot be read. A data file that cannot be read is a difference.
pub fn verify(folder: &Path) -> Result<Verification, StoreError> {
    let manifest = load_manifest(folder)?;
    let mut check = Check {
        folder,
        files: 0,
        rows: 0,
        differences: Vec::new(),
        is_whole: true,
        witness: Witness::new(&manifest),
    };
    let mut contents = manifest.contents();
    let mut found = |name: &str, content: Option<Fingerprint>| {
        let slot = contents.iter_mut().find(|(of, _)| *of == name);
        if let (Some((_, stated)), Some(content)) = (slot, content) {
            *stated = content;
        }
    };
    for report in &manifest.parts {
        check.witness.turn_to(Some(report.part));
        let content = check.rows(report.part.name(), report.rows, report.fingerprint, &report.files);
        found(report.part.name(), content);
    }
    if let Some(gap) = &manifest.gap_rows {
        check.witness.turn_to(None);
        let content = check.rows(GAP, gap.rows, gap.fingerprint, &gap.files);
        found(GAP, content);
        check.expect(MANIFEST, "rows of the gap", manifest.rows.gap, gap.rows);
    }
    check.expect("dataset", "content", manifest.fingerprint, combine(contents));
    check.certificate(&manifest);
    check.counts(&manifest);
    check.definitions(&manifest);
    check.strangers(&manifest)?;
    let Check {
        files,
        rows,
        differences,
        ..
    } = check;
    Ok(Verification {
        files,
        rows,
        fingerprint: manifest.fingerprint,
        differences,
    })
}

struct Check<'a> {
    folder: &'a Path,
    files: u64,
    rows: u64,
    differences: Vec<Difference>,
    /// Whether every row could be read.
    is_whole: bool,
    witness: Witness,
}

impl Check<'_> {
    fn expect<T: PartialEq + fmt::Display>(&mut self, place: &str, what: &str, wanted: T, found: T) {
        if wanted != found {
            let (wanted, found) = (wanted.to_string(), found.to_string());
            self.differences.push(Difference {
                place: place.to_owned(),
                what: what.to_owned(),
                wanted,
                found,
            });
        }
    }

    /// Checks the files of a part or of the gap, and gives the fingerprint of what is in them, if they can be read.
    fn rows(&mut self, name: &str, wanted: u64, fingerprint: Fingerprint, files: &[DataFile]) -> Option<Fingerprint> {
        let mut hasher = None;
        let mut found = 0;
        let mut is_whole = true;
        for file in files {
            match self.file(file, &mut hasher) {
                Ok(rows) => {
                    found += rows;
                    self.expect(&file.path, "rows", file.rows, rows);
                }
                Err(error) => {
                    is_whole = false;
                    let (wanted, found) = ("a readable file".to_owned(), error.to_string());
                    let place = file.path.clone();
                    self.differences.push(Difference {
                        place,
                        what: "file".to_owned(),
                        wanted,
                        found,
                    });
                }
            }
        }
        self.rows += found;
        self.is_whole &= is_whole;
        if !is_whole {
            return None;
        }
        self.expect(name, "rows", wanted, found);
        let content = hasher.map(ContentHasher::finish)?;
        self.expect(name, "content", fingerprint, content);
        Some(content)
    }

    /// Checks a file's bytes, takes its rows into the part's fingerprint, and counts them.
    fn file(&mut self, file: &DataFile, hasher: &mut Option<ContentHasher>) -> Result<u64, StoreError> {
        let path = self.folder.join(&file.path);
        let (bytes, sha256) = hash_file(&path)?;
        self.files += 1;
        self.expect(&file.path, "bytes", file.bytes, bytes);
        self.expect(&file.path, "sha256", file.sha256, sha256);
        let reader = open_file(&path, None)?;
        let schema = arrow::array::RecordBatchReader::schema(&reader);
        let mut content = match hasher.take() {
            Some(content) => content,
            None => ContentHasher::new(&schema)?,
        };
        let mut rows = 0;
        for batch in reader {
            let batch = batch?;
            rows += batch.num_rows() as u64;
            content.update(&batch)?;
            self.witness.see(&batch)?;
        }
        *hasher = Some(content);
        Ok(rows)
    }

    /// The certificate must be what the rows themselves say, all of them.
    fn certificate(&mut self, manifest: &Manifest) {
        if !self.is_whole {
            return;
        }
        for (what, wanted, found) in self.witness.contradictions(manifest) {
            self.expect(&format!("{MANIFEST}: certificate"), &what, wanted, found);
        }
    }

    fn counts(&mut self, manifest: &Manifest) {
        let of_parts: u64 = manifest.parts.iter().map(|report| report.rows).sum();
        self.expect(MANIFEST, "rows of the parts", manifest.rows_in_parts(), of_parts);
        self.expect(MANIFEST, "rows of the spine", manifest.spine.rows, manifest.rows.all());
        for join in &manifest.joins {
            let place = format!(
                "{MANIFEST}: join of {}{}",
                join.prefix.as_deref().unwrap_or_default(),
                join.group
            );
            self.expect(&place, "rows", manifest.spine.rows, join.outcomes.rows());
        }
    }

    fn definitions(&mut self, manifest: &Manifest) {
        let view = &manifest.definitions.view;
        self.definition(&manifest.view, &view.definition, view.fingerprint);
        for (reference, group) in &manifest.definitions.groups {
            self.definition(reference, &group.definition, group.fingerprint);
        }
    }

    fn definition<T: Serialize>(&mut self, reference: &Versioned, definition: &T, wanted: Fingerprint) {
        let found =
            definitions::fingerprint(definition).map_or_else(|error| error.to_string(), |found| found.to_string());
        self.expect(
            &format!("{MANIFEST}: {reference}"),
            "definition",
            wanted.to_string(),
            found,
        );
    }

    /// Files that the manifest does not know.
    fn strangers(&mut self, manifest: &Manifest) -> Result<(), StoreError> {
        let known: BTreeSet<String> = manifest.files().map(|file| file.path.clone()).collect();
        let mut found = BTreeSet::new();
        for entry in read_folder(self.folder)? {
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_dir() {
                let inner = read_folder(&entry.path())?;
                found.extend(
                    inner
                        .iter()
                        .map(|inner| format!("{name}/{}", inner.file_name().to_string_lossy())),
                );
            } else if name != MANIFEST {
                found.insert(name);
            }
        }
        for stranger in found.difference(&known) {
            self.expect(stranger, "file", "none", "one that the manifest does not know");
        }
        Ok(())
    }
}

fn read_folder(folder: &Path) -> Result<Vec<std::fs::DirEntry>, StoreError> {
    let error = |source| StoreError::File {
        path: folder.to_owned(),
        source,
    };
    std::fs::read_dir(folder).and_then(Iterator::collect).map_err(error)
}

/// The size and SHA-256 of a file.
fn hash_file(path: &Path) -> Result<(u64, Fingerprint), StoreError> {
    let hashed = File::open(path).and_then(Fingerprint::of_reader);
    let (fingerprint, bytes) = hashed.map_err(file_error(path))?;
    Ok((bytes, fingerprint))
}
