//! Names, versions, and the references made of them: `server_metrics:v1`, `cpu_fv:v2/5`, `cpu_forecaster@champion`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not the name, version or reference it was meant to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not {wanted}")]
pub struct ReferenceError {
    /// The text as it was given.
    pub found: String,
    /// What it should have been, with an example.
    pub wanted: &'static str,
}

fn refuse<T>(found: &str, wanted: &'static str) -> Result<T, ReferenceError> {
    Err(ReferenceError {
        found: found.to_owned(),
        wanted,
    })
}

macro_rules! text_newtype {
    ($type:ident) => {
        impl $type {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl TryFrom<String> for $type {
            type Error = ReferenceError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }
    };
}

/// The name of a feature group, view, pipeline, model or alias: lower case letters, digits and underscores, at most 64.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);
text_newtype!(Name);

impl FromStr for Name {
    type Err = ReferenceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let first = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        let rest = text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if first && rest && text.len() <= 64 {
            return Ok(Self(text.to_owned()));
        }
        refuse(
            text,
            "a name: lower case letters, digits and `_`, starting with a letter, at most 64, such as `server_metrics`",
        )
    }
}

/// The name of a column: letters, digits and underscores, at most 128; names that start with `__` are the platform's own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ColumnName(String);
text_newtype!(ColumnName);

impl FromStr for ColumnName {
    type Err = ReferenceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let first = text
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        let rest = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if first && rest && !text.starts_with("__") && text.len() <= 128 {
            return Ok(Self(text.to_owned()));
        }
        refuse(
            text,
            "a column name: letters, digits and `_`, not starting with a digit or `__`, at most 128, such as `cpu_percent`",
        )
    }
}

/// A version, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Version(u32);

impl Version {
    /// The version with this number; `None` for 0.
    #[must_use]
    pub fn new(number: u32) -> Option<Self> {
        (number > 0).then_some(Self(number))
    }
    /// Its number, at least 1.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Version {
    type Error = ReferenceError;
    fn try_from(number: u32) -> Result<Self, Self::Error> {
        Self::new(number).map_or_else(|| refuse("0", "a version: a whole number from 1"), Ok)
    }
}

impl From<Version> for u32 {
    fn from(version: Version) -> u32 {
        version.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

impl FromStr for Version {
    type Err = ReferenceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text
            .strip_prefix('v')
            .filter(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()));
        match digits.and_then(|d| d.parse().ok()).and_then(Self::new) {
            Some(version) => Ok(version),
            None => refuse(text, "a version, such as `v1`"),
        }
    }
}

/// A feature group, view or model, and its version: `server_metrics:v1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Versioned {
    /// The name.
    pub name: Name,
    /// The version.
    pub version: Version,
}

/// A feature group at a version.
pub type GroupRef = Versioned;
/// A feature view at a version.
pub type ViewRef = Versioned;

impl fmt::Display for Versioned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.version)
    }
}

impl FromStr for Versioned {
    type Err = ReferenceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text
            .split_once(':')
            .map(|(name, version)| (name.parse(), version.parse()));
        match parts {
            Some((Ok(name), Ok(version))) => Ok(Self { name, version }),
            _ => refuse(text, "a name and a version, such as `server_metrics:v1`"),
        }
    }
}

impl TryFrom<String> for Versioned {
    type Error = ReferenceError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Versioned> for String {
    fn from(reference: Versioned) -> String {
        reference.to_string()
    }
}

/// Training dataset 5 of view `cpu_fv`, version 2: `cpu_fv:v2/5`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatasetRef {
    /// The view that made it.
    pub view: ViewRef,
    /// Its number within the view, from 1.
    pub number: u32,
}

impl fmt::Display for DatasetRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.view, self.number)
    }
}

impl FromStr for DatasetRef {
    type Err = ReferenceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text
            .split_once('/')
            .map(|(view, number)| (view.parse(), number.parse::<u32>()));
        match parts {
            Some((Ok(view), Ok(number))) if number > 0 => Ok(Self { view, number }),
            _ => refuse(text, "a training dataset, such as `cpu_fv:v2/5`"),
        }
    }
}

/// How a user points at a model: by version, by alias, or by name alone (the newest version).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelRef {
    /// `cpu_forecaster`
    Newest(Name),
    /// `cpu_forecaster:v3`
    Version(Versioned),
    /// `cpu_forecaster@champion`
    Alias {
        /// The model.
        model: Name,
        /// The alias, without `@`.
        alias: Name,
    },
}

impl ModelRef {
    /// The model's name.
    #[must_use]
    pub fn model(&self) -> &Name {
        match self {
            Self::Newest(model) | Self::Alias { model, .. } => model,
            Self::Version(versioned) => &versioned.name,
        }
    }
}

impl fmt::Display for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newest(name) => write!(f, "{name}"),
            Self::Version(versioned) => write!(f, "{versioned}"),
            Self::Alias { model, alias } => write!(f, "{model}@{alias}"),
        }
    }
}

impl FromStr for ModelRef {
    type Err = ReferenceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = "a model, such as `cpu_forecaster`, `cpu_forecaster:v3` or `cpu_forecaster@champion`";
        let parsed = if let Some((model, alias)) = text.split_once('@') {
            model.parse().and_then(|model| {
                Ok(Self::Alias {
                    model,
                    alias: alias.parse()?,
                })
            })
        } else if text.contains(':') {
            text.parse().map(Self::Version)
        } else {
            text.parse().map(Self::Newest)
        };
        parsed.or_else(|_| refuse(text, wanted))
    }
}
