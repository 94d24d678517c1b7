//! How a feature group lies on disk: one Delta table per group and version, whose rows are never overwritten.
//!
//! ```text
//!   <root>/feature_groups/server_metrics/v1/      the group
//!   <root>/quarantine/server_metrics/v1/          rows that were kept out of it
//!   <root>/spill/                                 what does not fit into memory, while a command runs
//! ```
//!
//! Every row has three hidden columns: `__known_at` (when its ingestion was made, one value per ingestion, never below the table's
//! last), `__ingest_id` (1, 2, 3… per table) and `__row_number` (its place in its ingestion). Together with the key and the times
//! they give every row its place in one total order, in which files are sorted and scans deliver.

mod create;
mod log;
mod pin;
mod retry;
mod schema;
mod sort;
mod spill;
mod spool;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use definitions::GroupRef;
use deltalake::{DeltaTable, DeltaTableBuilder};
use object_store::local::LocalFileSystem;

pub use create::create_table;
pub use pin::{GroupPin, PinAt, PinnedFile, pin_group};
pub use schema::{arrow_type, group_schema};

pub(crate) use create::{create_with, table_schema, wanted_retention};
pub(crate) use log::{Commit, read_commits};
pub(crate) use pin::{check_files, pinned_file, rows_in_footer};
pub(crate) use retry::Patience;
pub(crate) use schema::{hidden_fields, order_columns, stored_schema, utc_micros};
pub(crate) use sort::{Sorting, sorted};
pub(crate) use spill::{SpillFolder, spilling_context};
pub(crate) use spool::Spool;

use self::retry::Retrying;
use crate::StoreError;
use crate::error::{delta_error, file_error};

/// The hidden column of when a row's ingestion was made.
pub const KNOWN_AT: &str = "__known_at";
/// The hidden column of a row's ingestion.
pub const INGEST_ID: &str = "__ingest_id";
/// The hidden column of a row's place in its ingestion.
pub const ROW_NUMBER: &str = "__row_number";

/// The tag in the Delta log of a file whose rows are in total order.
pub(crate) const SORTED_TAG: &str = "platform.sorted";

/// Where everything is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// The folder, absolute.
    pub root: PathBuf,
}

impl Store {
    /// The store in this folder, which need not exist yet.
    ///
    /// # Errors
    /// `RemoteRoot` for an object-store URL; `File` when the current folder cannot be told.
    pub fn new(root: &str) -> Result<Self, StoreError> {
        if root.contains("://") {
            return Err(StoreError::RemoteRoot { root: root.to_owned() });
        }
        Ok(Self {
            root: std::path::absolute(root).map_err(file_error(root))?,
        })
    }

    /// The folder of a group's table.
    #[must_use]
    pub fn group_folder(&self, group: &GroupRef) -> PathBuf {
        self.folder("feature_groups", group)
    }

    /// The folder of the table of rows that were kept out of a group.
    #[must_use]
    pub fn quarantine_folder(&self, group: &GroupRef) -> PathBuf {
        self.folder("quarantine", group)
    }

    /// The folder for what does not fit into memory.
    #[must_use]
    pub fn spill_folder(&self) -> PathBuf {
        self.root.join("spill")
    }

    fn folder(&self, kind: &str, group: &GroupRef) -> PathBuf {
        self.root
            .join(kind)
            .join(group.name.as_str())
            .join(group.version.to_string())
    }
}

/// The newest state of a group's table.
pub(crate) async fn open_group(
    store: &Store,
    group: &GroupRef,
    version: Option<u64>,
) -> Result<DeltaTable, StoreError> {
    let folder = store.group_folder(group);
    match open_table(&folder, group, version).await? {
        Some(table) => Ok(table),
        None => Err(StoreError::NoTable { group: group.clone() }),
    }
}

/// The table in a folder, at a version or the newest; `None` where there is none.
pub(crate) async fn open_table(
    folder: &Path,
    name: impl std::fmt::Display,
    version: Option<u64>,
) -> Result<Option<DeltaTable>, StoreError> {
    if !folder.join("_delta_log").is_dir() {
        return Ok(None);
    }
    let builder = table_in(folder, &name)?;
    let builder = match version {
        Some(version) => builder.with_version(version),
        None => builder,
    };
    match builder.load().await {
        Ok(table) => Ok(Some(table)),
        Err(error) if version.is_none() && is_not_a_table(&error) => Ok(None),
        Err(error) => Err(delta_error(&name, "opened")(error)),
    }
}

/// Whether an error says that a folder holds no table (yet).
fn is_not_a_table(error: &deltalake::DeltaTableError) -> bool {
    matches!(
        error,
        deltalake::DeltaTableError::NotATable(_) | deltalake::DeltaTableError::InvalidTableLocation(_)
    )
}

/// The table in a folder, which need not be there yet.
fn table_in(folder: &Path, name: impl std::fmt::Display) -> Result<DeltaTableBuilder, StoreError> {
    let url = table_url(folder, &name)?;
    let builder = DeltaTableBuilder::from_url(url.clone()).map_err(delta_error(&name, "opened"))?;
    let patient = Retrying::new(LocalFileSystem::new(), Patience::USUAL);
    Ok(builder.with_storage_backend(Arc::new(patient), url))
}

/// The `file://` URL of a table's folder.
pub(crate) fn table_url(folder: &Path, name: impl std::fmt::Display) -> Result<url::Url, StoreError> {
    url::Url::from_directory_path(folder).map_err(|()| {
        let source = deltalake::DeltaTableError::InvalidTableLocation(folder.display().to_string());
        delta_error(name, "opened")(source)
    })
}
