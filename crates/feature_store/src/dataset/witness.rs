//! What the rows of a dataset say of the certificate of its split, found again from the rows alone.
//!
//! | strategy | what must hold |
//! |---|---|
//! | `time` | in time order, the ends of neighbouring stretches of different parts are those of the certificate, and further apart than the gap and the embargo |
//! | `walk_forward` | the same in each fold, whose parts hold as many rows as it says |
//! | `group` | no entity is in two parts |
//! | `random` | the rows per part, and per value of the column that they were drawn by |
//!
//! Memory: 9 bytes a row, and the entities of a group split.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::util::display::array_value_to_string;
use definitions::{Duration, Role};

use super::manifest::Manifest;
use crate::StoreError;
use crate::fingerprint::{plain, put_value};
use crate::split::{Certificate, Fold, Part, PartCounts, TimeBorder};

/// What was wanted of the rows, and what was found: what, wanted, found.
type Contradiction = (String, String, String);

/// Collects what a certificate can be checked against.
pub(super) struct Witness {
    event_time: Option<String>,
    keys: Vec<String>,
    stratify: Option<String>,
    part: Option<Part>,
    /// Event time and part of every row.
    times: Vec<(i64, Option<Part>)>,
    /// Entities, the part of each, and whether a second part was seen.
    entities: HashMap<Vec<u8>, (Option<Part>, bool)>,
    strata: BTreeMap<Option<String>, PartCounts>,
}

impl Witness {
    /// One for the rows of a dataset.
    pub(super) fn new(manifest: &Manifest) -> Self {
        let named = |role| manifest.columns_with(role).map(|column| column.name.clone());
        let is_grouped = matches!(manifest.certificate, Certificate::Group { .. });
        let stratify = match &manifest.certificate {
            Certificate::Random { stratified, .. } => stratified.as_ref().map(|by| by.column.clone()),
            _ => None,
        };
        Self {
            event_time: named(Role::EventTime).next(),
            keys: if is_grouped {
                named(Role::Key).collect()
            } else {
                Vec::new()
            },
            stratify,
            part: None,
            times: Vec::new(),
            entities: HashMap::new(),
            strata: BTreeMap::new(),
        }
    }

    /// The part of the rows that come next; `None`: they are in a gap.
    pub(super) fn turn_to(&mut self, part: Option<Part>) {
        self.part = part;
    }

    /// Takes rows of the part in.
    pub(super) fn see(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        let times = self.event_time.as_ref().and_then(|name| batch.column_by_name(name));
        if let Some(times) = times.and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>()) {
            self.times.extend(times.values().iter().map(|time| (*time, self.part)));
        }
        if self.part.is_none() {
            return Ok(());
        }
        let keys: Vec<&ArrayRef> = self.keys.iter().filter_map(|name| batch.column_by_name(name)).collect();
        if !keys.is_empty() {
            let keys = keys.into_iter().map(plain).collect::<Result<Vec<_>, _>>()?;
            for row in 0..batch.num_rows() {
                let mut key = Vec::new();
                keys.iter()
                    .flatten()
                    .for_each(|column| put_value(&mut key, column, row));
                let (first, twice) = self.entities.entry(key).or_insert((self.part, false));
                *twice |= *first != self.part;
            }
        }
        let strata = self.stratify.as_ref().and_then(|name| batch.column_by_name(name));
        if let Some(values) = strata {
            for row in 0..batch.num_rows() {
                let value = values.is_valid(row).then(|| array_value_to_string(values, row));
                let counts = PartCounts::of([self.part]);
                self.strata.entry(value.transpose()?).or_default().absorb(&counts);
            }
        }
        Ok(())
    }

    /// What the certificate says and the rows do not.
    pub(super) fn contradictions(&mut self, manifest: &Manifest) -> Vec<Contradiction> {
        match &manifest.certificate {
            Certificate::Whole { rows } => differ("rows", *rows, self.counts().all()),
            Certificate::Time {
                gap,
                embargo,
                allow_overlap,
                borders,
                ..
            } => {
                let apart = (!allow_overlap).then(|| gap.plus(*embargo));
                let rows = self.times.iter().filter_map(|(time, part)| Some((*time, (*part)?)));
                in_time("", rows.collect(), borders, apart)
            }
            Certificate::WalkForward {
                gap,
                embargo,
                allow_overlap,
                folds,
                ..
            } => {
                let apart = (!allow_overlap).then(|| gap.plus(*embargo));
                folds.iter().flat_map(|fold| self.of_fold(fold, apart)).collect()
            }
            Certificate::Group {
                entities_in_two_parts, ..
            } => {
                let found = self.entities.values().filter(|(_, twice)| *twice).count() as u64;
                differ("entities in two parts", *entities_in_two_parts, found)
            }
            Certificate::Random { rows, stratified, .. } => {
                let mut found = differ("rows", *rows, self.counts());
                for stratum in stratified.iter().flat_map(|by| &by.strata) {
                    let counts = self.strata.get(&stratum.value).copied().unwrap_or_default();
                    let value = stratum.value.as_deref().unwrap_or("NULL");
                    found.extend(differ(&format!("rows of `{value}`"), stratum.rows, counts));
                }
                found
            }
        }
    }

    fn counts(&self) -> PartCounts {
        PartCounts::of(self.times.iter().map(|(_, part)| *part))
    }

    fn of_fold(&self, fold: &Fold, apart: Option<Duration>) -> Vec<Contradiction> {
        let place = format!("fold {}: ", fold.number);
        let mut rows = Vec::new();
        let mut found = Vec::new();
        for part in &fold.parts {
            let own = self.times.iter().filter(|(time, _)| part.holds(*time));
            let before = rows.len();
            rows.extend(own.map(|(time, _)| (*time, part.part)));
            let what = format!("{place}rows of {}", part.part);
            found.extend(differ(&what, part.rows, (rows.len() - before) as u64));
        }
        found.extend(in_time(&place, rows, &fold.borders, apart));
        found
    }
}

/// Compares the ends of neighbouring stretches of different parts with those that borders state.
fn in_time(
    place: &str,
    mut rows: Vec<(i64, Part)>,
    stated: &[TimeBorder],
    apart: Option<Duration>,
) -> Vec<Contradiction> {
    rows.sort_unstable();
    let ends = rows.windows(2).filter_map(|pair| match pair {
        [(last, before), (first, after)] if before != after => Some((*before, *after, *last, *first)),
        _ => None,
    });
    let found: Vec<(Part, Part, i64, i64)> = ends.collect();
    let of_border = |border: &TimeBorder| {
        let (last, first) = (border.last_event_time.0, border.first_event_time.0);
        (border.before, border.after, last, first)
    };
    let wanted: Vec<(Part, Part, i64, i64)> = stated.iter().map(of_border).collect();
    let shown = |ends: &[(Part, Part, i64, i64)]| {
        let one = |(before, after, last, first): &(Part, Part, i64, i64)| {
            let (last, first) = (definitions::EventTime(*last), definitions::EventTime(*first));
            format!("{before} to {last}, {after} from {first}")
        };
        ends.iter().map(one).collect::<Vec<_>>().join("; ")
    };
    let mut contradictions = differ(&format!("{place}borders"), shown(&wanted), shown(&found));
    let nearest = found.iter().map(|(_, _, last, first)| first - last).min();
    if let (Some(apart), Some(nearest)) = (apart, nearest)
        && nearest <= apart.micros()
    {
        let found = Duration::from_micros(nearest).unwrap_or_default().to_string();
        contradictions.push((format!("{place}parts apart"), format!("more than {apart}"), found));
    }
    contradictions
}

fn differ<T: PartialEq + std::fmt::Display>(what: &str, wanted: T, found: T) -> Vec<Contradiction> {
    if wanted == found {
        return Vec::new();
    }
    vec![(what.to_owned(), wanted.to_string(), found.to_string())]
}
