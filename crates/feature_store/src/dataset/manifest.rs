//! `manifest.json`: everything that a dataset is and came from, so that it can be checked, and built again from its pins.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use definitions::{
    DataType, Duration, EventTime, FeatureGroup, FeatureView, Fingerprint, GapSum, GroupRef, KnownAt, Role, Split,
    ViewRef, WallTime,
};
use serde::{Deserialize, Serialize};

use super::panel::PanelReport;
use super::statistics::ColumnStatistics;
use crate::point_in_time::OutcomeCounts;
use crate::split::{Certificate, Part, PartCounts};
use crate::{GroupPin, StoreError, arrow_type};

/// The manifest's name in a dataset's folder.
pub const MANIFEST: &str = "manifest.json";

/// The format of the manifests that are written.
pub const FORMAT: u32 = 1;

/// What a dataset was asked for, besides its view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Arguments {
    /// Spine rows from this event time on; `None`: from the first.
    pub from: Option<EventTime>,
    /// Spine rows before this event time; `None`: to the last.
    pub to: Option<EventTime>,
    /// Rows that the platform learnt of later are not there, in any group.
    pub as_known_at: Option<KnownAt>,
}

impl fmt::Display for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.from, self.to) {
            (None, None) => f.write_str("every time")?,
            (Some(from), None) => write!(f, "from {from}")?,
            (None, Some(to)) => write!(f, "to {to}")?,
            (Some(from), Some(to)) => write!(f, "from {from} to {to}")?,
        }
        self.as_known_at
            .map_or(Ok(()), |limit| write!(f, ", as known at {limit}"))
    }
}

/// A definition as it was when the dataset was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorded<T> {
    /// The fingerprint of its canonical form.
    pub fingerprint: Fingerprint,
    /// The definition, in full.
    pub definition: T,
}

/// The definitions that a dataset was made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedDefinitions {
    /// The view.
    pub view: Recorded<FeatureView>,
    /// The groups it reads.
    pub groups: BTreeMap<GroupRef, Recorded<FeatureGroup>>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Role", rename_all = "snake_case")]
enum RoleWord {
    Key,
    EventTime,
    Label,
    LabelHelper,
    Feature,
    Helper,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "GapSum")]
struct GapTerms {
    horizon: Duration,
    horizon_of: Option<String>,
    lookback: Duration,
    lookback_of: Option<String>,
}

/// A column of the dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name in the dataset.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub data_type: DataType,
    /// What it is for.
    #[serde(with = "RoleWord")]
    pub role: Role,
    /// Whether learners treat the values as categories.
    pub categorical: bool,
    /// The group it comes from.
    pub group: GroupRef,
    /// Its name there.
    pub source: String,
}

/// One group's join to the spine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinReport {
    /// The group.
    pub group: GroupRef,
    /// The prefix under which its columns stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// What became of the spine rows; it sums to them.
    #[serde(flatten)]
    pub outcomes: OutcomeCounts,
}

/// The spine, before it was divided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpineReport {
    /// The group whose rows are the dataset's rows.
    pub group: GroupRef,
    /// Its rows in the range that was asked for: as many as all joins report.
    pub rows: u64,
    /// Rows of an upsert group that are no spine rows, because a later one corrects them.
    pub superseded: u64,
}

/// A file of a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// Where it lies in the dataset's folder, with `/`.
    pub path: String,
    /// Its rows.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// The SHA-256 of its bytes.
    pub sha256: Fingerprint,
}

/// A part of the dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartReport {
    /// Which.
    pub part: Part,
    /// Its rows.
    pub rows: u64,
    /// Its first event time.
    pub first_event_time: Option<EventTime>,
    /// Its last event time.
    pub last_event_time: Option<EventTime>,
    /// The fingerprint of its content.
    pub fingerprint: Fingerprint,
    /// Its files, in the order of its rows.
    pub files: Vec<DataFile>,
    /// What its columns hold, in the order of the columns.
    pub statistics: Vec<ColumnStatistics>,
}

/// The rows that lie in a gap, and in no part: their keys, times and labels, which baselines look back on as a deployed one would.
/// No learner sees them, and the dataset's fingerprint does not cover them. Where the split walks forward, rows of folds before the last
/// are among them, with every column; then learners do see them, and the fingerprint does cover them. So it is where the view forecasts: windows
/// look back at them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapReport {
    /// Its rows.
    pub rows: u64,
    /// Its columns, in the dataset's order: those with the roles key, event time and label, or all.
    pub columns: Vec<String>,
    /// The fingerprint of its content.
    pub fingerprint: Fingerprint,
    /// Its files, in the order of its rows.
    pub files: Vec<DataFile>,
}

/// Everything that a dataset is and came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The manifest's own format.
    pub format: u32,
    /// The view.
    pub view: ViewRef,
    /// The fingerprint of the content: of all parts together.
    pub fingerprint: Fingerprint,
    /// The fingerprint of everything that determines the content (see [`super::pins_key`]).
    pub pins_key: Fingerprint,
    /// What was asked for.
    pub arguments: Arguments,
    /// Rows per part, and in gaps.
    pub rows: PartCounts,
    /// The spine.
    pub spine: SpineReport,
    /// The columns, in order.
    pub columns: Vec<Column>,
    /// What is forecast, in a dataset of a view for forecasting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub panel: Option<PanelReport>,
    /// How each selection of the view was joined, in the view's order.
    pub joins: Vec<JoinReport>,
    /// How the view says to divide the rows.
    pub split: Option<Split>,
    /// The seed of what was drawn at random; 0 where nothing was.
    pub seed: u64,
    /// The gap that the definitions need, and where it comes from.
    #[serde(with = "GapTerms")]
    pub gap: GapSum,
    /// The proof that the parts are apart.
    pub certificate: Certificate,
    /// The parts, in order.
    pub parts: Vec<PartReport>,
    /// The rows in gaps; `None` where there are none, and where the dataset is older than their being kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap_rows: Option<GapReport>,
    /// What there is to say about it.
    pub warnings: Vec<String>,
    /// What was read, exactly: every group once.
    pub pins: Vec<GroupPin>,
    /// The definitions.
    pub definitions: RecordedDefinitions,
    /// What did not fit into memory while it was made, and went to disk for a while.
    #[serde(default)]
    pub spilled_bytes: u64,
    /// The programs that made it, with their versions.
    pub software: BTreeMap<String, String>,
    /// When it was made. It is part of no fingerprint of content.
    pub created_at: WallTime,
}

impl Manifest {
    /// Rows in all parts.
    #[must_use]
    pub fn rows_in_parts(&self) -> u64 {
        self.rows.all() - self.rows.gap
    }

    /// The columns as every file of the dataset has them.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        let field = |column: &Column| Field::new(&column.name, arrow_type(column.data_type), true);
        Arc::new(Schema::new(self.columns.iter().map(field).collect::<Vec<_>>()))
    }

    /// The groups' definitions, as a request to make the dataset again wants them.
    #[must_use]
    pub fn groups(&self) -> BTreeMap<GroupRef, FeatureGroup> {
        let recorded = self.definitions.groups.iter();
        recorded
            .map(|(reference, group)| (reference.clone(), group.definition.clone()))
            .collect()
    }

    /// What there is to know of a part; `None`: the dataset has no such part.
    #[must_use]
    pub fn part(&self, part: Part) -> Option<&PartReport> {
        self.parts.iter().find(|report| report.part == part)
    }

    /// Whether there are rows in gaps that were not kept: datasets of before did not keep them.
    #[must_use]
    pub fn has_lost_its_gap(&self) -> bool {
        self.rows.gap > 0 && self.gap_rows.is_none()
    }

    /// What the fingerprint of the content is of, by name: the parts, and what folds have beside them.
    #[must_use]
    pub fn contents(&self) -> Vec<(&'static str, Fingerprint)> {
        contents(&self.parts, self.gap_rows.as_ref(), self.is_gap_learned())
    }

    /// Whether learners see rows in gaps: those of folds before the last, and those that windows look back at.
    #[must_use]
    pub fn is_gap_learned(&self) -> bool {
        is_gap_learned(&self.certificate, self.panel.as_ref())
    }

    /// Every data file, those of the gap included.
    pub fn files(&self) -> impl Iterator<Item = &DataFile> {
        let of_parts = self.parts.iter().flat_map(|report| &report.files);
        of_parts.chain(self.gap_rows.iter().flat_map(|gap| &gap.files))
    }

    /// The columns with a role, in order.
    pub fn columns_with(&self, role: Role) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(move |column| column.role == role)
    }

    /// The bytes of `manifest.json`.
    ///
    /// # Errors
    /// When it cannot be written as JSON; that holds for no manifest.
    pub fn to_json(&self) -> Result<Vec<u8>, StoreError> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|source| StoreError::Json {
            path: MANIFEST.into(),
            source,
        })?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// What the fingerprint of the content is of, by name.
pub(super) fn contents(
    parts: &[PartReport],
    gap: Option<&GapReport>,
    is_gap_learned: bool,
) -> Vec<(&'static str, Fingerprint)> {
    let of_parts = parts.iter().map(|report| (report.part.name(), report.fingerprint));
    let of_gap = gap.filter(|_| is_gap_learned);
    of_parts
        .chain(of_gap.map(|gap| (super::gap::GAP, gap.fingerprint)))
        .collect()
}

/// Whether learners see rows in gaps.
pub(super) fn is_gap_learned(certificate: &Certificate, panel: Option<&PanelReport>) -> bool {
    !certificate.folds().is_empty() || panel.is_some()
}

/// Reads the manifest of the dataset in a folder.
///
/// # Errors
/// When there is none, or it is not a manifest of a format that this version reads.
pub fn load_manifest(folder: &Path) -> Result<Manifest, StoreError> {
    let path = folder.join(MANIFEST);
    let bytes = std::fs::read(&path).map_err(|source| StoreError::File {
        path: path.clone(),
        source,
    })?;
    parse_manifest(path, &bytes)
}

fn parse_manifest(path: PathBuf, bytes: &[u8]) -> Result<Manifest, StoreError> {
    #[derive(Deserialize)]
    struct Versioned {
        format: u32,
    }
    let json = |source| StoreError::Json {
        path: path.clone(),
        source,
    };
    let Versioned { format } = serde_json::from_slice(bytes).map_err(json)?;
    if format != FORMAT {
        return Err(StoreError::ManifestFormat {
            path,
            found: format,
            wanted: FORMAT,
        });
    }
    serde_json::from_slice(bytes).map_err(json)
}
