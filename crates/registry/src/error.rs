//! What the registry says when it cannot do what it was asked.

use std::error::Error;
use std::path::PathBuf;

use definitions::{DatasetRef, Fault, GroupRef, Name, Version, Versioned, WallTime};

use crate::{DefinitionKind, RunId, RunStatus};

/// Why the registry refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The file cannot be opened as a database.
    #[error("cannot open the registry `{}`", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// There is no registry yet, and the caller only wanted to read.
    #[error("no registry at `{}`", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A database, but not a registry.
    #[error("`{}` is a SQLite database, but not a registry of this platform", path.display())]
    NotARegistry {
        /// The file.
        path: PathBuf,
    },
    /// Written by a newer program.
    #[error("the registry `{}` has schema {found}, this program knows schemas up to {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema of the file.
        found: i64,
        /// The newest schema that this program knows.
        known: i64,
    },
    /// The file system cannot hold a database that several processes use at once.
    #[error("the registry `{}` cannot keep a write-ahead log: wanted journal mode `wal`, found `{found}`", path.display())]
    NoWriteAheadLog {
        /// The file.
        path: PathBuf,
        /// The journal mode that SQLite fell back to.
        found: String,
    },
    /// Another process held the write lock for longer than anybody should.
    #[error("the registry was being written by another process for more than {seconds} s")]
    Busy {
        /// How long this one waited.
        seconds: u64,
    },
    /// SQLite failed.
    #[error("the registry failed to {doing}")]
    Sql {
        /// What was being done.
        doing: &'static str,
        /// What SQLite said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A stored value is not what this program wrote.
    #[error("the registry holds `{found}` in column `{column}`, which is not {wanted}")]
    Corrupt {
        /// The column.
        column: String,
        /// The value.
        found: String,
        /// What it should be.
        wanted: String,
    },
    /// Other text was applied before under the same name and version.
    #[error(
        "{kind} `{reference}` in `{file}` differs from what was applied as `{reference}`: an applied definition is immutable"
    )]
    ImmutableDefinition {
        /// Feature group or view.
        kind: DefinitionKind,
        /// Its name and version.
        reference: Versioned,
        /// The file of the new text.
        file: String,
        /// The text as it was applied.
        old_text: String,
        /// The text that was refused.
        new_text: String,
    },
    /// No such definition has been applied.
    #[error("{kind} `{reference}` has not been applied")]
    UnknownDefinition {
        /// What was looked for.
        kind: DefinitionKind,
        /// Its name, with or without version.
        reference: String,
        /// What there is that it may have meant.
        near: Vec<String>,
    },
    /// No ingestion of that number.
    #[error("feature group `{group}` has no ingestion {ingest_id}")]
    UnknownIngestion {
        /// The group.
        group: GroupRef,
        /// The number that was looked for.
        ingest_id: i64,
    },
    /// The same ingestion was recorded before, differently.
    #[error("ingestion {ingest_id} of `{group}` is recorded with {what} `{recorded}`, found `{found}`")]
    IngestionConflict {
        /// The group.
        group: GroupRef,
        /// The ingestion.
        ingest_id: i64,
        /// What differs.
        what: &'static str,
        /// As it is recorded.
        recorded: String,
        /// As it was to be recorded now.
        found: String,
    },
    /// No such dataset.
    #[error("no dataset `{reference}`")]
    UnknownDataset {
        /// What was looked for.
        reference: DatasetRef,
        /// The newest dataset of that view, if there is one.
        newest: Option<DatasetRef>,
    },
    /// No such run.
    #[error("no run `{run}`")]
    UnknownRun {
        /// What was looked for.
        run: RunId,
        /// The newest run, if there is one.
        newest: Option<RunId>,
    },
    /// The run has ended already.
    #[error("run `{run}` is {status} already: wanted `running`")]
    RunEnded {
        /// The run.
        run: RunId,
        /// How it ended.
        status: RunStatus,
    },
    /// A model version was to be registered although a gate had said no.
    #[error("run `{run}` did not pass gate `{gate}`: it cannot be registered")]
    GateNotPassed {
        /// The run.
        run: RunId,
        /// The first gate that failed.
        gate: String,
    },
    /// No model of that name.
    #[error("no model `{model}`")]
    UnknownModel {
        /// What was looked for.
        model: Name,
        /// What there is that it may have meant.
        near: Vec<String>,
    },
    /// The model has no such version.
    #[error("no model version `{reference}`: the newest is `{newest}`")]
    UnknownModelVersion {
        /// What was looked for.
        reference: Versioned,
        /// The newest version there is.
        newest: Version,
    },
    /// The model has no such alias.
    #[error("model `{model}` has no alias `{alias}`: it has {}", listed(existing))]
    UnknownAlias {
        /// The model.
        model: Name,
        /// What was looked for.
        alias: Name,
        /// Those it has.
        existing: Vec<Name>,
    },
    /// The alias is not where the caller expected it.
    #[error("alias `{model}@{alias}`: wanted {}, found {}", place(*expected), place(*found))]
    AliasConflict {
        /// The model.
        model: Name,
        /// The alias.
        alias: Name,
        /// Where it should have pointed; `None`: nowhere.
        expected: Option<Version>,
        /// Where it points; `None`: nowhere.
        found: Option<Version>,
    },
    /// Somebody else holds the lease and did not give it back in time.
    #[error("`{resource}` is being written by `{holder}`, whose lease ends at {until}")]
    LeaseBusy {
        /// What is leased.
        resource: String,
        /// Who holds it.
        holder: String,
        /// When it ends, unless renewed.
        until: WallTime,
    },
    /// The lease ran out and somebody else took it.
    #[error("the lease on `{resource}` was lost: it is held by {}", holder.as_deref().map_or_else(|| "nobody".to_owned(), |holder| format!("`{holder}`")))]
    LeaseLost {
        /// What was leased.
        resource: String,
        /// Who holds it now.
        holder: Option<String>,
    },
    /// The finished artefacts could not be moved to their place; nothing was recorded.
    #[error("cannot put `{reference}` into its place")]
    Publish {
        /// The dataset or model version that was not recorded.
        reference: String,
        /// What the file system said.
        source: std::io::Error,
    },
}

fn listed(names: &[Name]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

fn place(version: Option<Version>) -> String {
    version.map_or_else(|| "no such alias".to_owned(), |version| format!("`{version}`"))
}

impl RegistryError {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Open { .. }
            | Self::NoWriteAheadLog { .. }
            | Self::Busy { .. }
            | Self::Sql { .. }
            | Self::Corrupt { .. }
            | Self::IngestionConflict { .. }
            | Self::RunEnded { .. }
            | Self::LeaseLost { .. }
            | Self::Publish { .. } => Fault::Platform,
            _ => Fault::Input,
        }
    }

    /// What to type next.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => Some("platform apply".to_owned()),
            Self::NotARegistry { .. } => {
                Some("[registry] url = \"sqlite:.platform/registry.db\" in `platform.toml`".to_owned())
            }
            Self::Newer { .. } => {
                Some("use the newer `platform` that wrote it; `platform --version` says which this is".to_owned())
            }
            Self::NoWriteAheadLog { .. } => {
                Some("put the registry on a local disk: [registry] url in `platform.toml`".to_owned())
            }
            Self::ImmutableDefinition { kind, reference, .. } => {
                let next = reference.version.number().saturating_add(1);
                Some(format!("version = {next} in the {kind}, then `platform apply`"))
            }
            Self::UnknownDefinition { near, .. } if near.is_empty() => Some("platform apply".to_owned()),
            Self::UnknownDefinition { near, .. } => Some(did_you_mean(near)),
            Self::UnknownDataset {
                newest: Some(newest), ..
            } => Some(format!("platform dataset show {newest}")),
            Self::UnknownDataset {
                reference,
                newest: None,
            } => Some(format!("platform dataset create {}", reference.view)),
            Self::UnknownRun {
                newest: Some(newest), ..
            } => Some(format!("platform run show {newest}")),
            Self::UnknownModel { near, .. } if near.is_empty() => Some("platform registry list".to_owned()),
            Self::UnknownModel { near, .. } => Some(did_you_mean(near)),
            Self::UnknownModelVersion { reference, newest } => {
                Some(format!("platform registry show {}:{newest}", reference.name))
            }
            Self::UnknownAlias { model, alias, existing } if existing.is_empty() => {
                Some(format!("platform registry alias set {model}@{alias} v1"))
            }
            Self::UnknownAlias { model, existing, .. } => existing
                .first()
                .map(|alias| format!("platform registry show {model}@{alias}")),
            Self::AliasConflict { model, .. } => Some(format!("platform registry history {model}")),
            Self::UnknownIngestion { group, .. } => Some(format!("platform featuregroup history {group}")),
            Self::UnknownRun { newest: None, .. }
            | Self::LeaseBusy { .. }
            | Self::LeaseLost { .. }
            | Self::Busy { .. } => None,
            Self::Corrupt { .. } | Self::IngestionConflict { .. } => Some("platform doctor".to_owned()),
            Self::GateNotPassed { run, .. } | Self::RunEnded { run, .. } => Some(format!("platform run show {run}")),
            Self::Open { .. } | Self::Sql { .. } | Self::Publish { .. } => Some("platform doctor".to_owned()),
        }
    }
}

fn did_you_mean(near: &[String]) -> String {
    let near: Vec<_> = near.iter().map(|name| format!("`{name}`")).collect();
    format!("did you mean {}?", near.join(" or "))
}

/// What went wrong inside SQLite, told apart only where a caller can act on it.
pub(crate) fn sql(doing: &'static str) -> impl Fn(sqlx::Error) -> RegistryError {
    move |source| {
        if is_busy(&source) {
            return RegistryError::Busy {
                seconds: crate::open::PATIENCE.as_secs(),
            };
        }
        RegistryError::Sql {
            doing,
            source: Box::new(source),
        }
    }
}

/// Whether SQLite gave up because another connection held a lock. The low byte of an extended code is the plain code: 5 is
/// `SQLITE_BUSY`, 15 is `SQLITE_PROTOCOL` (too many races for a place in the write-ahead log).
pub(crate) fn is_busy(error: &sqlx::Error) -> bool {
    let code = error
        .as_database_error()
        .and_then(|error| error.code())
        .and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, 5 | 15))
}
