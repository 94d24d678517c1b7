//! What can go wrong in the feature store, and whose fault it is.

mod advice;
mod cause;

use std::io;
use std::path::PathBuf;

use definitions::{Duration, GroupRef};

use crate::expect::ExpectationResult;

pub(crate) use cause::{delta_error, external, file_error, parquet_error, plan_error};

pub use crate::ingest::violation::{Location, Reason, Violation, Violations};

/// Why the feature store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The storage root is not a folder.
    #[error("the storage root `{root}` is an object-store URL; this version stores in a folder")]
    RemoteRoot {
        /// The root as given.
        root: String,
    },
    /// A file could not be read or written.
    #[error("`{path}`: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A JSON document could not be read or written.
    #[error("`{path}` is not the JSON document it should be", path = path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A Parquet file could not be read or written.
    #[error("the Parquet file `{path}` could not be read or written", path = path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// Why.
        source: parquet::errors::ParquetError,
    },
    /// Arrow could not do it.
    #[error("columns could not be computed")]
    Arrow(#[from] arrow::error::ArrowError),
    /// DataFusion could not do it.
    #[error("{doing}")]
    Plan {
        /// What was tried.
        doing: String,
        /// Why it failed.
        source: Box<datafusion::error::DataFusionError>,
    },
    /// delta-rs could not do it.
    #[error("the table of `{table}` could not be {doing}")]
    Delta {
        /// The group, or its quarantine.
        table: String,
        /// Read, written, …
        doing: &'static str,
        /// Why it failed.
        source: Box<deltalake::DeltaTableError>,
    },
    /// A background task died.
    #[error("a background task failed: {detail}")]
    Task {
        /// What it said.
        detail: String,
    },

    /// There is no table.
    #[error("`{group}` has no table: it has not been applied")]
    NoTable {
        /// The group.
        group: GroupRef,
    },
    /// The table is not what the definition says.
    #[error("the table of `{group}` does not fit its definition: {found}, wanted {wanted}")]
    TableShape {
        /// The group.
        group: GroupRef,
        /// What the table has.
        found: String,
        /// What the definition asks for.
        wanted: String,
    },
    /// The table lost the properties that keep pinned versions readable.
    #[error(
        "the table of `{group}` has `{property}` = `{found}`, wanted `{wanted}`: pinned versions could be cleaned away"
    )]
    Retention {
        /// The group.
        group: GroupRef,
        /// The Delta table property.
        property: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// The version asked for is not there.
    #[error("`{group}` has no version {wanted}; the newest is {newest}")]
    NoVersion {
        /// The group.
        group: GroupRef,
        /// The Delta version asked for.
        wanted: i64,
        /// The newest.
        newest: i64,
    },
    /// The time asked for lies before the table.
    #[error("`{group}` did not exist at {wanted}; it was created at {created}")]
    BeforeCreation {
        /// The group.
        group: GroupRef,
        /// The time asked for.
        wanted: definitions::WallTime,
        /// When the table was created.
        created: definitions::WallTime,
    },
    /// The files of the version asked for were cleaned up, and its rows cannot be told from those of later versions.
    #[error(
        "version {wanted} of `{group}` cannot be read: a clean-up (`platform gc`) removed files of it, and another program has written to the table; versions that can be read: {}",
        ranges(readable)
    )]
    VersionRemoved {
        /// The group.
        group: GroupRef,
        /// The Delta version asked for.
        wanted: i64,
        /// Those that are there, ascending.
        readable: Vec<i64>,
    },
    /// A pinned file is not there any more.
    #[error("`{path}`, which version {version} of `{group}` consists of, is missing", path = path.display())]
    PinnedFileMissing {
        /// The group.
        group: GroupRef,
        /// The pinned version.
        version: i64,
        /// The file.
        path: PathBuf,
    },
    /// A pinned file is not what it was.
    #[error("`{path}`, which version {version} of `{group}` consists of, has {found} {unit}, wanted {wanted}", path = path.display())]
    PinnedFileChanged {
        /// The group.
        group: GroupRef,
        /// The pinned version.
        version: i64,
        /// The file; the table's folder when the rows of all files together are wrong.
        path: PathBuf,
        /// What is counted: bytes or rows.
        unit: &'static str,
        /// How many there are.
        found: u64,
        /// How many there were.
        wanted: u64,
    },
    /// A pin is used with another group.
    #[error("the pin of `{found}` was used to read `{wanted}`")]
    WrongPin {
        /// The group to read.
        wanted: GroupRef,
        /// The group that was pinned.
        found: GroupRef,
    },
    /// Other writers won every time.
    #[error("the table of `{table}` changed under every one of {attempts} attempts to commit")]
    Contended {
        /// The group, or its quarantine.
        table: String,
        /// How often it was tried.
        attempts: u32,
    },

    /// Nothing to read.
    #[error("`{pattern}` names no file")]
    NoFile {
        /// The path or pattern.
        pattern: String,
    },
    /// The pattern cannot be read.
    #[error("`{pattern}` is not a file name pattern: {detail}")]
    BadPattern {
        /// The pattern.
        pattern: String,
        /// Why.
        detail: String,
    },
    /// The format is not known.
    #[error("`{path}` does not say its format")]
    UnknownFormat {
        /// The file.
        path: String,
    },
    /// The file is of a kind that is not read.
    #[error("`{path}` is {found}, which is not read; wanted {wanted}")]
    UnreadableFormat {
        /// The file.
        path: String,
        /// What it is.
        found: String,
        /// What can be read.
        wanted: &'static str,
        /// What to do about it.
        hint: String,
    },
    /// The file is broken.
    #[error("`{path}` cannot be read as {format}{}: {detail}", line.map(|line| format!(" (line {line})")).unwrap_or_default())]
    BrokenFile {
        /// The file.
        path: String,
        /// What it should be.
        format: &'static str,
        /// Where, if known.
        line: Option<u64>,
        /// Why.
        detail: String,
    },
    /// A CSV record or a JSON line does not end.
    #[error("`{path}` (line {line}): wanted {wanted}, found {found}")]
    EndlessRecord {
        /// The file.
        path: String,
        /// The line that it begins on.
        line: u64,
        /// What should be there.
        wanted: &'static str,
        /// What is there.
        found: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// The file changed while it was read.
    #[error("`{path}` changed while it was read")]
    FileChanged {
        /// The file.
        path: String,
    },
    /// A column of the definition is not in the file.
    #[error("`{path}` has no column `{wanted}`, which `{group}` needs; it has `{}`", found.join("`, `"))]
    MissingFileColumn {
        /// The file.
        path: String,
        /// The group.
        group: GroupRef,
        /// The group's column.
        column: String,
        /// The column that was looked for.
        wanted: String,
        /// The columns that are there.
        found: Vec<String>,
        /// Those of them that no other column of the group comes from.
        free: Vec<String>,
    },
    /// A header names a column twice.
    #[error("`{path}` has the column `{column}` twice")]
    RepeatedFileColumn {
        /// The file.
        path: String,
        /// The column.
        column: String,
    },
    /// A column of the file has a type that does not become the declared one.
    #[error("`{path}`: the column `{column}` holds {found}, `{group}` declares {wanted}")]
    FileColumnType {
        /// The file.
        path: String,
        /// The file's column.
        column: String,
        /// What it holds.
        found: String,
        /// The group.
        group: GroupRef,
        /// What is declared.
        wanted: &'static str,
        /// What to do about it.
        hint: String,
    },
    /// The group's time zone is not one.
    #[error("`{zone}`, the time zone of `{group}`, is not an IANA time zone")]
    BadTimeZone {
        /// The group.
        group: GroupRef,
        /// The zone.
        zone: String,
    },
    /// Rows break the definition.
    #[error("{0}")]
    Violations(Box<Violations>),
    /// An ingestion as a whole is not what its group expects.
    #[error("nothing was ingested: not what `{group}` expects{}", crate::expect::listed(unmet))]
    Unmet {
        /// The group.
        group: GroupRef,
        /// What does not hold.
        unmet: Vec<ExpectationResult>,
    },
    /// A group that is derived cannot be ingested into.
    #[error("`{group}` is derived from other groups: nothing can be ingested into it")]
    DerivedGroup {
        /// The group.
        group: GroupRef,
    },
    /// A declared feature has no type.
    #[error("the feature `{column}` of `{group}` has no type")]
    NoType {
        /// The group.
        group: GroupRef,
        /// The feature.
        column: String,
    },

    /// A column cannot be handled.
    #[error("the column `{column}` holds {found}, which no declared type can hold")]
    UnsupportedType {
        /// The column.
        column: String,
        /// What it holds.
        found: String,
    },
    /// A column is not there.
    #[error("`{group}` has no column `{column}`")]
    UnknownColumn {
        /// The group.
        group: String,
        /// The column.
        column: String,
    },
    /// Rows came out of order.
    #[error("the rows of `{group}` are not in the order that its table promises")]
    OrderBroken {
        /// The group.
        group: String,
    },
    /// No batch, so no schema.
    #[error("the rows of `{group}` came without a schema")]
    NoSchema {
        /// The group.
        group: String,
    },
    /// A key has another type than the spine's.
    #[error("the key `{key}` of `{group}` is {wanted}; the spine's column `{spine_column}` is {found}")]
    KeyType {
        /// The group.
        group: String,
        /// Its key column.
        key: String,
        /// Its type.
        wanted: String,
        /// The spine's column.
        spine_column: String,
        /// The spine column's type.
        found: String,
    },
    /// The spine has too few or too many key columns.
    #[error("the spine gives {keys} key columns, `{group}` has {wanted}")]
    SpineShape {
        /// The group.
        group: String,
        /// What was given.
        keys: usize,
        /// What is needed.
        wanted: usize,
    },
    /// A join lost or doubled rows.
    #[error("joining `{group}` turned {spine} rows into {joined}")]
    RowsLost {
        /// The group.
        group: String,
        /// Rows in.
        spine: u64,
        /// Rows out.
        joined: u64,
    },
    /// A part of a fold gets no row.
    #[error("no row is in `{part}` of fold {fold}, of {rows} rows")]
    EmptyFold {
        /// The fold, from 1.
        fold: u32,
        /// The part.
        part: &'static str,
        /// Rows of the spine.
        rows: u64,
    },
    /// A column has too many values for a draw by each of them.
    #[error("`{column}` has more than {most} different values: rows cannot be drawn by each of them")]
    TooManyStrata {
        /// The column.
        column: String,
        /// How many values may be.
        most: u64,
    },
    /// A part of a split has no rows.
    #[error("the split leaves no rows for `{part}`: {rows} rows in all, {in_gap} of them in gaps")]
    EmptyPart {
        /// The part.
        part: &'static str,
        /// All rows.
        rows: u64,
        /// Rows in gaps.
        in_gap: u64,
    },
    /// Parts of a time split overlap, though the gap is long enough.
    #[error("labels of `{before}` look as far as the features of `{after}` look back")]
    PartsOverlap {
        /// The part that ends.
        before: &'static str,
        /// The part that begins.
        after: &'static str,
    },
    /// Test begins before validation.
    #[error("validation begins at {validation}, test at {test}: wanted validation first")]
    CutsOutOfOrder {
        /// Where validation begins.
        validation: definitions::EventTime,
        /// Where test begins.
        test: definitions::EventTime,
    },
    /// Nothing would be left for train.
    #[error(
        "validation = {validation} and test = {test} are not shares that leave rows for train: wanted 0 or more each, below 1 together"
    )]
    SharesTooLarge {
        /// The share of validation.
        validation: f64,
        /// The share of test.
        test: f64,
    },
    /// A file would be overwritten.
    #[error("`{path}` is there already: nothing was written", path = path.display())]
    FileThere {
        /// The file.
        path: PathBuf,
    },
    /// The view does not fit its groups.
    #[error("{0}")]
    Definitions(#[from] definitions::Problems),
    /// A group's definition was not given.
    #[error("the definition of `{group}` is not there")]
    UnknownGroup {
        /// The group.
        group: GroupRef,
    },
    /// A group's pin was not given.
    #[error("`{group}` is not pinned")]
    NotPinned {
        /// The group.
        group: GroupRef,
    },
    /// The rows of a dataset would have no time.
    #[error("`{group}` is static: its rows have no event time, so they cannot be the rows of a dataset")]
    StaticSpine {
        /// The group of the labels.
        group: GroupRef,
    },
    /// A key of an entity is not one of the group's.
    #[error("the entity of `{group}`: wanted {wanted}, found {found}")]
    EntityKey {
        /// The group.
        group: GroupRef,
        /// How its key is typed.
        wanted: String,
        /// What was given.
        found: String,
    },
    /// Entities do not have a column that the join needs.
    #[error("the entities' column `{column}`: wanted {wanted}, found {found}")]
    EntityColumn {
        /// The column.
        column: String,
        /// Its type.
        wanted: &'static str,
        /// What is there.
        found: String,
    },
    /// A gap is too short.
    #[error("the gap of {gap} is too short: {needed} is needed ({sum})")]
    GapTooShort {
        /// What the view says.
        gap: Duration,
        /// What is needed.
        needed: Duration,
        /// Why.
        sum: String,
    },
    /// A dataset has no such part.
    #[error("the dataset has no part `{part}`; it has `{parts}`")]
    NoPart {
        /// The part asked for.
        part: &'static str,
        /// The parts that are there.
        parts: String,
    },
    /// The manifest is of another format.
    #[error("`{path}` has format {found}, wanted {wanted}", path = path.display())]
    ManifestFormat {
        /// The manifest.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The format that is read.
        wanted: u32,
    },

    /// A file of rows that are not what they should be.
    #[error("{} of {} rows of `{path}` cannot be read: {}", wrong.rows, wrong.rows_read, wrong.listed())]
    WrongRows {
        /// The file.
        path: String,
        /// The rows.
        wrong: Violations,
    },

    /// A computation of a derived group does not fit the rows.
    #[error("`{computation}` (computation {at}): {found}, wanted {wanted}")]
    Computation {
        /// Its place in the list.
        at: usize,
        /// Its name.
        computation: &'static str,
        /// What it has.
        found: String,
        /// What it needs.
        wanted: &'static str,
    },

    /// Rows that features are computed from are not what they should be.
    #[error("features cannot be computed: {problem}")]
    DerivedRows {
        /// What is wrong with them.
        problem: String,
    },
    /// A group is not derived, so nothing computes it.
    #[error("`{group}` is not derived: its rows are ingested")]
    NotDerived {
        /// The group.
        group: GroupRef,
    },
    /// Nothing computes a feature of a derived group.
    #[error("nothing computes `{column}` of `{group}`")]
    NotComputed {
        /// The group.
        group: GroupRef,
        /// The feature.
        column: String,
    },

    /// The query of a derived group gives what cannot be the group's rows.
    #[error("the query of `{group}` gives {problem}")]
    Queried {
        /// The group.
        group: GroupRef,
        /// What it gives.
        problem: String,
        /// What to write instead.
        hint: String,
    },
    /// The SQL of a derived group may give other rows from the same ones.
    #[error("a derived group must give the same rows each time: `{found}` {why}")]
    Indeterminate {
        /// What in it.
        found: String,
        /// Why.
        why: &'static str,
        /// What to write instead.
        hint: &'static str,
    },

    /// The query is not one.
    #[error("{message}")]
    Query {
        /// What is wrong with it.
        message: String,
        /// What was meant, perhaps.
        hint: Option<String>,
    },
}

/// `1, 4 to 7`
fn ranges(ascending: &[i64]) -> String {
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for &number in ascending {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let run = |&(first, last): &(i64, i64)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first} to {last}"),
    };
    runs.iter().map(run).collect::<Vec<_>>().join(", ")
}
