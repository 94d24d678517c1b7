//! Files that the platform keeps for itself, and the hash that was recorded when they were written.
//!
//! One that is gone or changed is a failure of the platform (exit code 2) and not of who asked: nothing that they could type
//! differently would help. Commands that are asked whether everything is as it was (`verify`, `doctor`, `reproduce`) answer no instead.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use definitions::Fingerprint;

use crate::failure::{Failure, Outcome};

/// A file that is kept.
pub struct Kept {
    /// Where it lies.
    pub path: PathBuf,
    /// How its place is written in messages.
    pub shown: String,
    /// The SHA-256 that was recorded.
    pub sha256: Fingerprint,
    /// What to type where it is not what was recorded.
    pub hint: String,
}

impl Kept {
    /// Its bytes, if they are those that were recorded.
    pub fn read(&self) -> Outcome<Vec<u8>> {
        let bytes = std::fs::read(&self.path).map_err(|error| self.unreadable(&error))?;
        self.expect(Fingerprint::of(&bytes)).map(|()| bytes)
    }

    /// Whether its bytes are those that were recorded; a large file is not taken into memory.
    pub fn check(&self) -> Outcome {
        let found = File::open(&self.path).and_then(Fingerprint::of_reader);
        let (found, _) = found.map_err(|error| self.unreadable(&error))?;
        self.expect(found)
    }

    fn unreadable(&self, error: &io::Error) -> Failure {
        Failure::platform(format!("`{}`: {error}", self.shown)).hint(self.hint.clone())
    }

    fn expect(&self, found: Fingerprint) -> Outcome {
        if found == self.sha256 {
            return Ok(());
        }
        let (shown, wanted) = (&self.shown, self.sha256);
        let message = format!("`{shown}` is not what was recorded: wanted sha256 {wanted}, found {found}");
        Err(Failure::platform(message).hint(self.hint.clone()))
    }
}
