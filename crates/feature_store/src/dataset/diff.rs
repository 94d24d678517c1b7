//! What differs between two datasets: what they were made from, what they hold, and which rows.
//!
//! A row is known by its key and event time. Rows of equal key and time are compared as a bag: those of equal content are the same
//! row, of the rest as many as both sides have are changed, and what is left over was added or removed. Content is compared over the
//! columns that both datasets have with the same type. Cost: 32 bytes of memory per row of both, and a sort.

mod text;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::path::Path;

use arrow::array::ArrayRef;
use definitions::{DataType, Fingerprint, GroupRef, Role, WallTime};
use serde::Serialize;

use super::manifest::{Arguments, Column, Manifest, load_manifest};
use super::read::open_part;
use super::statistics::ColumnStatistics;
use crate::StoreError;
use crate::fingerprint::{plain, put_value};
use crate::split::{Part, PartCounts};

/// Something on both sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sides<T> {
    /// In the first dataset.
    pub a: T,
    /// In the second.
    pub b: T,
}

impl<T: PartialEq> Sides<T> {
    fn differ(a: T, b: T) -> Option<Self> {
        (a != b).then_some(Self { a, b })
    }
}

/// What was read of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PinnedState {
    /// The Delta version.
    pub delta_version: i64,
    /// When it was committed.
    pub committed_at: WallTime,
    /// Its rows.
    pub rows: u64,
    /// The fingerprint of the group's definition.
    pub definition: Option<Fingerprint>,
}

/// A column that is not the same in both.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnDiff {
    /// The column.
    pub column: String,
    /// Its type on each side; `None`: it is not there.
    #[serde(flatten)]
    pub sides: Sides<Option<DataType>>,
}

/// A column whose values are not the same in a part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drift {
    /// The part.
    pub part: Part,
    /// The column.
    pub column: String,
    /// How far the mean moved, in standard deviations of the first dataset.
    pub mean_shift: Option<f64>,
    /// The statistics on each side.
    #[serde(flatten)]
    pub sides: Sides<ColumnStatistics>,
}

/// Rows, by key and event time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct RowsDiff {
    /// In both, with the same values, in the same part.
    pub same: u64,
    /// In both, with the same values, in another part.
    pub moved: u64,
    /// In both, with other values.
    pub changed: u64,
    /// In the second only.
    pub added: u64,
    /// In the first only.
    pub removed: u64,
}

/// Everything that differs between two datasets; what is empty or `None` is the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DatasetDiff {
    /// Whether the content is the same: equal fingerprints.
    pub same_content: bool,
    /// The fingerprints of the content.
    pub fingerprint: Sides<Fingerprint>,
    /// The view's definition.
    pub view: Option<Sides<Fingerprint>>,
    /// What was asked for.
    pub arguments: Option<Sides<Arguments>>,
    /// The groups that were read in another state, by name.
    pub pins: BTreeMap<GroupRef, Sides<Option<PinnedState>>>,
    /// Columns that are not the same.
    pub columns: Vec<ColumnDiff>,
    /// Rows per part.
    pub counts: Option<Sides<PartCounts>>,
    /// Columns whose statistics moved, by part.
    pub statistics: Vec<Drift>,
    /// The rows.
    pub rows: RowsDiff,
}

/// Compares the datasets in two folders.
///
/// # Errors
/// When a dataset cannot be read.
pub fn diff(a: &Path, b: &Path) -> Result<DatasetDiff, StoreError> {
    let (first, second) = (load_manifest(a)?, load_manifest(b)?);
    let same_content = first.fingerprint == second.fingerprint;
    let rows = if same_content {
        RowsDiff {
            same: first.rows_in_parts(),
            ..RowsDiff::default()
        }
    } else {
        let names = compared_columns(&first, &second);
        compare(
            Fingerprints::read(a, &first, &names)?,
            Fingerprints::read(b, &second, &names)?,
        )
    };
    Ok(DatasetDiff {
        same_content,
        view: Sides::differ(first.definitions.view.fingerprint, second.definitions.view.fingerprint),
        arguments: Sides::differ(first.arguments, second.arguments),
        pins: pins(&first, &second),
        columns: columns(&first, &second),
        counts: Sides::differ(first.rows, second.rows),
        statistics: statistics(&first, &second),
        rows,
        fingerprint: Sides {
            a: first.fingerprint,
            b: second.fingerprint,
        },
    })
}

fn pins(a: &Manifest, b: &Manifest) -> BTreeMap<GroupRef, Sides<Option<PinnedState>>> {
    let states = |manifest: &Manifest| -> BTreeMap<GroupRef, PinnedState> {
        let state = |pin: &crate::GroupPin| {
            let definition = manifest
                .definitions
                .groups
                .get(&pin.group)
                .map(|group| group.fingerprint);
            let (delta_version, committed_at, rows) = (pin.delta_version, pin.committed_at, pin.rows());
            (
                pin.group.clone(),
                PinnedState {
                    delta_version,
                    committed_at,
                    rows,
                    definition,
                },
            )
        };
        manifest.pins.iter().map(state).collect()
    };
    let (a, b) = (states(a), states(b));
    let groups = a.keys().chain(b.keys().filter(|group| !a.contains_key(*group)));
    let side = |group: &GroupRef| Sides::differ(a.get(group).cloned(), b.get(group).cloned());
    groups.filter_map(|group| Some((group.clone(), side(group)?))).collect()
}

fn columns(a: &Manifest, b: &Manifest) -> Vec<ColumnDiff> {
    let side = |manifest: &Manifest, name: &str| {
        manifest
            .columns
            .iter()
            .find(|column| column.name == name)
            .map(|column| column.data_type)
    };
    let is_new = |column: &&Column| side(a, &column.name).is_none();
    let all = a.columns.iter().chain(b.columns.iter().filter(is_new));
    all.filter_map(|column| {
        let sides = Sides::differ(side(a, &column.name), side(b, &column.name))?;
        Some(ColumnDiff {
            column: column.name.clone(),
            sides,
        })
    })
    .collect()
}

fn statistics(a: &Manifest, b: &Manifest) -> Vec<Drift> {
    let mut drifts = Vec::new();
    let both = a.parts.iter().filter_map(|first| Some((first, b.part(first.part)?)));
    // Of equal content, only what is counted can differ: other versions of the platform count more or less.
    for (first, second) in both.filter(|(first, second)| first.fingerprint != second.fingerprint) {
        for before in &first.statistics {
            let after = second.statistics.iter().find(|after| after.column == before.column);
            let Some(sides) = after.and_then(|after| Sides::differ(before.clone(), after.clone())) else {
                continue;
            };
            let shift = |std: f64| Some((sides.b.mean? - sides.a.mean?) / std);
            let mean_shift = sides.a.std.filter(|std| *std > 0.0).and_then(shift);
            drifts.push(Drift {
                part: first.part,
                column: before.column.clone(),
                mean_shift,
                sides,
            });
        }
    }
    drifts
}

/// The columns that both have, with the same type: first those that say which row it is, then the others.
fn compared_columns(a: &Manifest, b: &Manifest) -> (Vec<String>, Vec<String>) {
    let in_both = |column: &&Column| {
        b.columns
            .iter()
            .any(|other| other.name == column.name && other.data_type == column.data_type)
    };
    let says_which = |column: &&Column| matches!(column.role, Role::Key | Role::EventTime);
    let (which, what): (Vec<&Column>, Vec<&Column>) = a.columns.iter().filter(in_both).partition(says_which);
    let names = |columns: Vec<&Column>| columns.into_iter().map(|column| column.name.clone()).collect();
    (names(which), names(what))
}

/// Every row of a dataset as (which row, its values, its part), sorted.
struct Fingerprints(Vec<(u128, u64, Part)>);

impl Fingerprints {
    fn read(
        folder: &Path,
        manifest: &Manifest,
        (which, what): &(Vec<String>, Vec<String>),
    ) -> Result<Self, StoreError> {
        let wanted: Vec<String> = which.iter().chain(what).cloned().collect();
        let mut rows = Vec::with_capacity(manifest.rows_in_parts() as usize);
        let mut bytes = Vec::new();
        for part in manifest.parts.iter().map(|report| report.part) {
            for batch in open_part(folder, part, Some(&wanted))? {
                let batch = batch?;
                let find = |names: &[String]| -> Result<Vec<ArrayRef>, StoreError> {
                    let arrays = names.iter().filter_map(|name| batch.column_by_name(name));
                    arrays.map(plain).filter_map(Result::transpose).collect()
                };
                let (which, what) = (find(which)?, find(what)?);
                for row in 0..batch.num_rows() {
                    rows.push((
                        wide_hash(&which, row, &mut bytes),
                        hash(1, &what, row, &mut bytes),
                        part,
                    ));
                }
            }
        }
        rows.sort_unstable();
        Ok(Self(rows))
    }
}

fn wide_hash(columns: &[ArrayRef], row: usize, bytes: &mut Vec<u8>) -> u128 {
    u128::from(hash(2, columns, row, bytes)) << 64 | u128::from(hash(3, columns, row, bytes))
}

fn hash(salt: u8, columns: &[ArrayRef], row: usize, bytes: &mut Vec<u8>) -> u64 {
    bytes.clear();
    bytes.push(salt);
    columns.iter().for_each(|column| put_value(bytes, column, row));
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

fn compare(a: Fingerprints, b: Fingerprints) -> RowsDiff {
    let mut rows = RowsDiff::default();
    let (mut a, mut b) = (a.0.as_slice(), b.0.as_slice());
    while let Some(row) = [a.first(), b.first()].into_iter().flatten().map(|(row, ..)| *row).min() {
        let (mine, rest) = a.split_at(a.iter().take_while(|(which, ..)| *which == row).count());
        a = rest;
        let (theirs, rest) = b.split_at(b.iter().take_while(|(which, ..)| *which == row).count());
        b = rest;
        compare_bags(mine, theirs, &mut rows);
    }
    rows
}

/// Compares the rows of one key and time; both sides are sorted by content, then part.
fn compare_bags(mine: &[(u128, u64, Part)], theirs: &[(u128, u64, Part)], rows: &mut RowsDiff) {
    let bag = |side: &[(u128, u64, Part)]| {
        side.iter()
            .fold(BTreeMap::<u64, PartCounts>::new(), |mut bag, (_, content, part)| {
                let counts = PartCounts::of([Some(*part)]);
                bag.entry(*content).or_default().absorb(&counts);
                bag
            })
    };
    let (a, b) = (bag(mine), bag(theirs));
    let mut in_both = 0;
    for (content, mine) in &a {
        let Some(theirs) = b.get(content) else { continue };
        let both = mine.all().min(theirs.all());
        let stayed: u64 = Part::ALL
            .iter()
            .map(|part| mine.of_part(*part).min(theirs.of_part(*part)))
            .sum();
        in_both += both;
        rows.same += stayed;
        rows.moved += both - stayed;
    }
    let (left, right) = (mine.len() as u64 - in_both, theirs.len() as u64 - in_both);
    rows.changed += left.min(right);
    rows.removed += left.saturating_sub(right);
    rows.added += right.saturating_sub(left);
}
