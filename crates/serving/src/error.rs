//! What can be wrong between a model and the rows it is given.

use arrow::error::ArrowError;
use definitions::Fault;
use learning::LearningError;

/// Why nothing was predicted.
#[derive(Debug, thiserror::Error)]
pub enum ServingError {
    /// A file of the model does not hold what it should.
    #[error("`{file}` of the model cannot be read")]
    File {
        /// Its name.
        file: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The files of a model do not belong together.
    #[error("the files of the model do not belong together: {of}: wanted {wanted}, found {found}")]
    Mismatch {
        /// What differs.
        of: &'static str,
        /// What one file says.
        wanted: String,
        /// What another says.
        found: String,
    },
    /// A key column of the rows has the name of an output.
    #[error("the key column `{column}` has the name of one of the model's outputs")]
    Clash {
        /// The column.
        column: String,
    },
    /// An entity of which nothing is known up to now.
    #[error("`{entity}` has no row to look back at")]
    NoHistory {
        /// The entity.
        entity: String,
    },
    /// What must be known in advance, and is not.
    #[error("{count} values must be known in advance, and are not: {}{}", named.join(", "), if *count > named.len() { ", …" } else { "" })]
    NotKnown {
        /// The first of them: column, entity and time.
        named: Vec<String>,
        /// How many there are.
        count: usize,
        /// The columns that must be known.
        columns: Vec<String>,
    },
    /// Rows that do not fit the model, or a model that failed.
    #[error(transparent)]
    Learning(#[from] LearningError),
    /// Columns that cannot be put together.
    #[error("cannot put the predictions together")]
    Arrow(#[from] ArrowError),
}

impl ServingError {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Clash { .. } | Self::NoHistory { .. } | Self::NotKnown { .. } => Fault::Input,
            Self::Learning(error) => error.fault(),
            Self::File { .. } | Self::Mismatch { .. } | Self::Arrow(_) => Fault::Platform,
        }
    }
    /// What can be typed to go on.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Learning(error) => error.hint(),
            Self::File { .. } | Self::Mismatch { .. } => Some("platform doctor".to_owned()),
            Self::Clash { column } => Some(format!(
                "entity = [\"{column}_id\"] in the group's definition, under a new version"
            )),
            Self::NoHistory { .. } => Some("leave it out, or ask for a later time: --at".to_owned()),
            Self::NotKnown { columns, .. } => Some(format!(
                "--known FILE, with the key, the event time and `{}` of every step ahead",
                columns.join("`, `")
            )),
            Self::Arrow(_) => None,
        }
    }
}
