//! Aliases: names that move between versions of a model, by compare-and-swap, with their history.

use definitions::{Name, Version, WallTime};
use serde::Serialize;

use crate::{Registry, RegistryError};

/// Where the caller believes an alias to point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// To this version.
    Version(Version),
    /// Nowhere: it does not exist.
    Absent,
}

/// A change of an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasChange {
    /// The model.
    pub model: Name,
    /// The alias.
    pub alias: Name,
    /// Refused unless the alias is there; `None`: wherever it is.
    pub expect: Option<Expected>,
    /// Who asks.
    pub by: String,
    /// Why, for people.
    pub reason: Option<String>,
    /// When.
    pub at: WallTime,
}

/// What a change did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct AliasMove {
    /// Where the alias pointed; `None`: it did not exist.
    pub from: Option<Version>,
    /// Where it points; `None`: it is gone.
    pub to: Option<Version>,
}

/// One change in the history of a model's aliases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AliasHistoryEntry {
    /// The alias.
    pub alias: Name,
    /// Where it pointed; `None`: it did not exist.
    pub from: Option<Version>,
    /// Where it pointed from then on; `None`: it was removed.
    pub to: Option<Version>,
    /// Who asked.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub at: WallTime,
}

impl Registry {
    /// Points an alias to a version of its model. Pointing it to where it points already changes nothing and leaves no history.
    ///
    /// # Errors
    /// `AliasConflict` when it is not where the caller expected; `UnknownModel`, `UnknownModelVersion`.
    pub async fn set_alias(&self, change: &AliasChange, to: Version) -> Result<AliasMove, RegistryError> {
        todo!()
    }

    /// Removes an alias.
    ///
    /// # Errors
    /// `AliasConflict` when it is not where the caller expected; `UnknownModel`, `UnknownAlias`.
    pub async fn remove_alias(&self, change: &AliasChange) -> Result<AliasMove, RegistryError> {
        todo!()
    }

    /// The changes of a model's aliases, or of one of them, the newest first.
    ///
    /// # Errors
    /// `UnknownModel`.
    pub async fn alias_history(
        &self,
        model: &Name,
        alias: Option<&Name>,
    ) -> Result<Vec<AliasHistoryEntry>, RegistryError> {
        todo!()
    }
}
