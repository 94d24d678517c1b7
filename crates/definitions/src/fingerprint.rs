//! Fingerprints: SHA-256, written as 64 hexadecimal digits.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ReferenceError;

/// Bytes that are read at once.
const READ_AT_ONCE: usize = 1 << 20;

/// The SHA-256 of something's content: equal content, equal fingerprint.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
    /// The fingerprint of everything that can be read, and how many bytes that is; no more than a buffer of it is in memory.
    ///
    /// # Errors
    /// When it cannot be read to its end.
    pub fn of_reader(mut reader: impl Read) -> io::Result<(Self, u64)> {
        let (mut sha256, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; READ_AT_ONCE]);
        loop {
            let read = match reader.read(&mut buffer) {
                Ok(0) => return Ok((Self(sha256.finalize().into()), bytes)),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            bytes += read as u64;
            sha256.update(buffer.get(..read).unwrap_or_default());
        }
    }
    /// A fingerprint made elsewhere.
    #[must_use]
    pub fn from_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }
    /// The 32 bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
    /// The first 12 digits, for people.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string().chars().take(12).collect()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Fingerprint {
    type Err = ReferenceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ReferenceError {
            found: text.to_owned(),
            wanted: "a fingerprint: 64 hexadecimal digits",
        };
        if text.len() != 64 || !text.is_ascii() {
            return Err(error());
        }
        let mut digest = [0; 32];
        for (byte, at) in digest.iter_mut().zip((0..64).step_by(2)) {
            *byte = text
                .get(at..at + 2)
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
                .ok_or_else(error)?;
        }
        Ok(Self(digest))
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = ReferenceError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> String {
        fingerprint.to_string()
    }
}

/// A value as JSON whose bytes depend on nothing but its content: keys sorted, no white space. Comments, layout and the
/// order of keys in the file it came from leave no trace.
///
/// # Errors
/// The value cannot be written as JSON; that holds for no definition.
pub fn canonical<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    serde_json::to_string(&sorted(serde_json::to_value(value)?))
}

/// The fingerprint of a value: of its canonical JSON.
///
/// # Errors
/// The value cannot be written as JSON; that holds for no definition.
pub fn fingerprint<T: Serialize>(value: &T) -> Result<Fingerprint, serde_json::Error> {
    canonical(value).map(|text| Fingerprint::of(text.as_bytes()))
}

fn sorted(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Array(values) => values.into_iter().map(sorted).collect(),
        serde_json::Value::Object(entries) => {
            let entries: std::collections::BTreeMap<_, _> = entries.into_iter().collect();
            entries.into_iter().map(|(key, value)| (key, sorted(value))).collect()
        }
        plain => plain,
    }
}
