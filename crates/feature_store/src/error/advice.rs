//! Whose fault a failure is, and what to type next.

use std::io;

use datafusion::error::DataFusionError;
use definitions::Fault;

use super::StoreError;
use crate::expect::ExpectationResult;

impl StoreError {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::File { source, .. } => match source.kind() {
                io::ErrorKind::NotFound
                | io::ErrorKind::PermissionDenied
                | io::ErrorKind::IsADirectory
                | io::ErrorKind::UnexpectedEof
                | io::ErrorKind::InvalidInput
                | io::ErrorKind::InvalidData => Fault::Input,
                _ => Fault::Platform,
            },
            Self::Plan { source, .. } if is_want_of_memory(source) => Fault::Input,
            Self::Json { .. }
            | Self::Parquet { .. }
            | Self::Arrow(_)
            | Self::Plan { .. }
            | Self::Delta { .. }
            | Self::Task { .. }
            | Self::Retention { .. }
            | Self::TableShape { .. }
            | Self::PinnedFileMissing { .. }
            | Self::PinnedFileChanged { .. }
            | Self::WrongPin { .. }
            | Self::Contended { .. }
            | Self::OrderBroken { .. }
            | Self::NoSchema { .. }
            | Self::RowsLost { .. }
            | Self::PartsOverlap { .. }
            | Self::UnknownGroup { .. }
            | Self::NotPinned { .. }
            | Self::SpineShape { .. }
            | Self::DerivedRows { .. } => Fault::Platform,
            _ => Fault::Input,
        }
    }

    /// Whether the memory that work may take was too little for it.
    pub(crate) fn is_want_of_memory(&self) -> bool {
        matches!(self, Self::Plan { source, .. } if is_want_of_memory(source))
    }

    /// Whether a disk had no room for it.
    fn is_full_disk(&self) -> bool {
        let first: &(dyn std::error::Error + 'static) = self;
        let causes = std::iter::successors(Some(first), |error| error.source());
        // Libraries on the way may keep the text alone.
        causes
            .into_iter()
            .any(|error| error.to_string().contains("No space left on device"))
    }

    /// What to type or do next.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        if self.is_full_disk() {
            return Some(
                "make room on the disk of `[storage] root`, or platform gc; nothing half-written counts".to_owned(),
            );
        }
        Some(match self {
            Self::RemoteRoot { .. } => "in platform.toml: [storage] root = \".platform\"".to_owned(),
            Self::NoTable { .. } | Self::Retention { .. } => "platform apply".to_owned(),
            Self::NoVersion { group, .. } | Self::BeforeCreation { group, .. } => {
                format!("platform featuregroup history {group}")
            }
            Self::VersionRemoved { group, readable, .. } => match readable.last() {
                Some(version) => format!("at('{group}', {version})"),
                None => format!("platform featuregroup history {group}"),
            },
            Self::PinnedFileMissing { .. } | Self::PinnedFileChanged { .. } => "platform doctor".to_owned(),
            Self::UnknownFormat { .. } => "--format csv (or parquet, jsonl)".to_owned(),
            Self::MissingFileColumn { found, .. } if is_unseparated(found) => ONE_COLUMN.to_owned(),
            Self::MissingFileColumn { column, free, .. } => missing_column_hint(column, free),
            Self::FileColumnType { hint, .. } | Self::UnreadableFormat { hint, .. } => hint.clone(),
            Self::EndlessRecord { hint, .. } => (*hint).to_owned(),
            Self::Violations(violations) => return violations.hint(),
            Self::Unmet { unmet, .. } => return unmet.first().map(ExpectationResult::hint),
            Self::DerivedGroup { group } => format!("platform featuregroup materialize {}", group.name),
            Self::NotDerived { group } => format!("platform featuregroup ingest {} --from FILE", group.name),
            Self::BadTimeZone { .. } => "time_zone = \"Europe/Berlin\"".to_owned(),
            Self::GapTooShort { .. } => "gap = \"auto\"".to_owned(),
            Self::EmptyPart { part, in_gap, .. } => empty_part_hint(part, *in_gap),
            Self::EmptyFold { .. } => {
                "fewer folds, a shorter `test`, `validation` or gap in `[split]`, or more data".to_owned()
            }
            Self::TooManyStrata { .. } => "stratify = a column with few values, such as a class".to_owned(),
            Self::CutsOutOfOrder { test, .. } => format!("validation = a time before \"{test}\""),
            Self::SharesTooLarge { .. } => "validation = 0.15, test = 0.15".to_owned(),
            Self::Definitions(problems) => return problems.hint(),
            Self::StaticSpine { .. } => "event_time = \"ts\" in the group of the labels".to_owned(),
            Self::EntityKey { wanted, .. } => wanted.split(" (").next().unwrap_or_default().to_owned(),
            Self::NoPart { .. } => "platform dataset show".to_owned(),
            Self::Query { hint, .. } => return hint.clone(),
            Self::Queried { hint, .. } => hint.clone(),
            Self::Indeterminate { hint, .. } => (*hint).to_owned(),
            Self::Plan { source, .. } if is_want_of_memory(source) => {
                "--memory 4GB, or in platform.toml: [engine] memory = \"4GB\"".to_owned()
            }
            _ => return None,
        })
    }
}

/// Whether the memory that work may take was too little for what cannot go to disk.
fn is_want_of_memory(error: &DataFusionError) -> bool {
    matches!(error.find_root(), DataFusionError::ResourcesExhausted(_))
}

/// Whether a header comes as one column that was probably meant to be several.
fn is_unseparated(found: &[String]) -> bool {
    let is_separator = |letter: char| !letter.is_alphanumeric() && letter != '_';
    matches!(found, [only] if only.contains(is_separator))
}

const ONE_COLUMN: &str =
    "the whole first line is one column: wanted a header with names that commas, semicolons, tabs or `|` separate";

fn empty_part_hint(part: &str, in_gap: u64) -> String {
    match (part, in_gap) {
        ("train", _) => "smaller shares or later cuts for validation and test, or more data".to_owned(),
        (part, 0) => format!("a larger share for `{part}` or an earlier cut, or more data"),
        (part, _) => format!("a larger share for `{part}` or an earlier cut, a shorter gap, or more data"),
    }
}

fn missing_column_hint(column: &str, free: &[String]) -> String {
    let alike = |name: &String| {
        datafusion::common::utils::datafusion_strsim::normalized_levenshtein(
            &name.to_lowercase(),
            &column.to_lowercase(),
        )
    };
    let nearest = free.iter().max_by(|a, b| alike(a).total_cmp(&alike(b)));
    let guess = nearest.map_or("its_name_in_the_file", String::as_str);
    format!("if it goes by another name in the file: columns = {{ {column} = \"{guess}\" }}")
}
