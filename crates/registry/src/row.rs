//! Columns into types: a value that this program did not write is an error that names the column, never a guess.

use std::fmt::Display;
use std::str::FromStr;

use definitions::{DatasetRef, Version, Versioned, WallTime};
use serde::Serializer;
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{Decode, Row, Type};

use crate::RegistryError;

/// A row of a query, read by column name.
pub(crate) struct Columns<'r>(pub(crate) &'r SqliteRow);

impl<'r> Columns<'r> {
    pub(crate) fn get<T: Decode<'r, Sqlite> + Type<Sqlite>>(&self, column: &str) -> Result<T, RegistryError> {
        self.0
            .try_get(column)
            .map_err(|error| corrupt(column, "a value", error))
    }

    pub(crate) fn time(&self, column: &str) -> Result<WallTime, RegistryError> {
        self.get(column).map(WallTime)
    }

    pub(crate) fn count(&self, column: &str) -> Result<u64, RegistryError> {
        whole(column, self.get::<i64>(column)?)
    }

    pub(crate) fn count_if_any(&self, column: &str) -> Result<Option<u64>, RegistryError> {
        self.get::<Option<i64>>(column)?
            .map(|number| whole(column, number))
            .transpose()
    }

    /// A seed: the bits of an unsigned number.
    pub(crate) fn seed(&self, column: &str) -> Result<u64, RegistryError> {
        self.get::<i64>(column).map(i64::cast_unsigned)
    }

    pub(crate) fn parsed<T: FromStr<Err: Display>>(&self, column: &str) -> Result<T, RegistryError> {
        parse(column, self.get(column)?)
    }

    pub(crate) fn parsed_if_any<T: FromStr<Err: Display>>(&self, column: &str) -> Result<Option<T>, RegistryError> {
        self.get::<Option<&str>>(column)?
            .map(|text| parse(column, text))
            .transpose()
    }

    /// The names of a comma-separated list, sorted.
    pub(crate) fn names<T: FromStr<Err: Display> + Ord>(&self, column: &str) -> Result<Vec<T>, RegistryError> {
        let text: Option<&str> = self.get(column)?;
        let mut names = text
            .unwrap_or_default()
            .split(',')
            .filter(|name| !name.is_empty())
            .map(|name| parse(column, name));
        let mut names: Vec<T> = names.by_ref().collect::<Result<_, _>>()?;
        names.sort();
        Ok(names)
    }

    pub(crate) fn json(&self, column: &str) -> Result<serde_json::Value, RegistryError> {
        self.parsed(column)
    }

    pub(crate) fn json_if_any(&self, column: &str) -> Result<Option<serde_json::Value>, RegistryError> {
        self.parsed_if_any(column)
    }

    pub(crate) fn version(&self, column: &str) -> Result<Version, RegistryError> {
        version(column, self.get(column)?)
    }

    pub(crate) fn version_if_any(&self, column: &str) -> Result<Option<Version>, RegistryError> {
        self.get::<Option<i64>>(column)?
            .map(|number| version(column, number))
            .transpose()
    }

    /// The reference in columns `<prefix>_name` and `<prefix>_version`.
    pub(crate) fn versioned(&self, prefix: &str) -> Result<Versioned, RegistryError> {
        let name = self.parsed(&format!("{prefix}_name"))?;
        Ok(Versioned {
            name,
            version: self.version(&format!("{prefix}_version"))?,
        })
    }

    /// The dataset in columns `view_name`, `view_version` and `number`.
    pub(crate) fn dataset(&self) -> Result<DatasetRef, RegistryError> {
        let number = self.get::<i64>("number")?;
        let number = u32::try_from(number).map_err(|_| corrupt("number", "a dataset's number", number))?;
        Ok(DatasetRef {
            view: self.versioned("view")?,
            number,
        })
    }
}

/// A count as SQLite holds it.
pub(crate) fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Writes a reference as users write it.
pub(crate) fn as_text<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn parse<T: FromStr<Err: Display>>(column: &str, text: &str) -> Result<T, RegistryError> {
    text.parse().map_err(|error: T::Err| RegistryError::Corrupt {
        column: column.to_owned(),
        found: text.to_owned(),
        wanted: format!("readable ({error})"),
    })
}

fn whole(column: &str, number: i64) -> Result<u64, RegistryError> {
    u64::try_from(number).map_err(|_| corrupt(column, "a count", number))
}

fn version(column: &str, number: i64) -> Result<Version, RegistryError> {
    u32::try_from(number)
        .ok()
        .and_then(Version::new)
        .ok_or_else(|| corrupt(column, "a version", number))
}

fn corrupt(column: &str, wanted: &str, found: impl Display) -> RegistryError {
    RegistryError::Corrupt {
        column: column.to_owned(),
        found: found.to_string(),
        wanted: wanted.to_owned(),
    }
}
