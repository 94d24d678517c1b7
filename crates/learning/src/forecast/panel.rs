//! The rows of a dataset as series on a grid of steps.
//!
//! ```text
//!     entity      a a a a a b b b             starts = [0, 5, 8]
//!     step        3 4 5 6 7 4 5 6             first steps: 3, 4
//!     part        1 1 0 4 2 1 1 1             0: there was no row for the step
//! ```
//!
//! A step of an entity that has no row gets one of which everything is missing. Of a static column that changes nevertheless, the first
//! value counts: a later one was not known before. Of several rows in one step, the last counts. Rows
//! whose key has a NULL are left out. Cost: one sort of the rows; memory: four bytes a value.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{cast, concat, take};
use arrow::datatypes::{DataType as Arrow, Field, Schema, TimeUnit, TimestampMicrosecondType};
use arrow::row::{RowConverter, SortField};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::grid::Grid;
use super::variables::{Variable, Variables};
use super::windows::PartNumber;
use crate::LearningError;

/// Which columns make the panel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PanelColumns {
    /// The columns of the key.
    pub keys: Vec<String>,
    /// The time of a row.
    pub event_time: String,
    /// What is forecast.
    pub targets: Vec<String>,
    /// What never changes for an entity.
    pub fixed: Vec<String>,
    /// What is known in advance.
    pub known: Vec<String>,
    /// What is known up to now, beside the targets.
    pub observed: Vec<String>,
    /// Those of them whose values are categories.
    pub categorical: Vec<String>,
    /// The length of a step, in microseconds.
    pub frequency: i64,
    /// The grid to lie on; `None`: the one that the rows lie on.
    pub grid: Option<Grid>,
}

/// What became of the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct PanelNotes {
    /// Rows that were given.
    pub rows: u64,
    /// Rows left out because their key has a NULL.
    pub without_key: u64,
    /// Rows left out because a later one lies in the same step.
    pub in_one_step: u64,
    /// Steps between an entity's first and last row that have no row.
    pub holes: u64,
    /// Entities of which a static column has several values: the first counts.
    pub changing: u64,
}

/// Many series of the same variables.
#[derive(Debug, Clone)]
pub struct Panel {
    /// The key of each entity: a row an entity.
    pub keys: RecordBatch,
    /// The name of each entity, made of its key.
    pub names: Vec<String>,
    /// The grid.
    pub grid: Grid,
    /// What is known when.
    pub variables: Variables,
    /// How many of the observed variables are targets.
    pub targets: usize,
    /// The part of each row; 0: there was none.
    pub parts: Vec<PartNumber>,
    /// What became of the rows.
    pub notes: PanelNotes,
    pub(super) starts: Vec<usize>,
    pub(super) first_steps: Vec<i64>,
}

/// The rows, concatenated, and their order in the panel.
struct Sorted {
    /// The row of each place of the panel; `None`: a hole.
    places: Vec<Option<usize>>,
    /// A row of each entity.
    samples: Vec<usize>,
    starts: Vec<usize>,
    first_steps: Vec<i64>,
    notes: PanelNotes,
}

impl Panel {
    /// Puts rows of several parts onto the grid. Rows may come in any order.
    ///
    /// # Errors
    /// `Input` for columns that are missing; `Column` for a type that cannot be learned from; `Label` for a target that is no number.
    pub fn new(rows: &[(PartNumber, RecordBatch)], columns: &PanelColumns) -> Result<Self, LearningError> {
        let parts = rows
            .iter()
            .flat_map(|(part, batch)| std::iter::repeat_n(*part, batch.num_rows()));
        let batches: Vec<RecordBatch> = rows.iter().map(|(_, batch)| batch.clone()).collect();
        Self::numbered(&batches, &parts.collect::<Vec<_>>(), columns)
    }

    /// Puts rows onto the grid, each of the part with its number.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn numbered(rows: &[RecordBatch], parts: &[PartNumber], columns: &PanelColumns) -> Result<Self, LearningError> {
        let times = times(rows, &columns.event_time)?;
        let grid = columns
            .grid
            .unwrap_or_else(|| Grid::of(columns.frequency, times.iter().flatten().copied()));
        let keys = columns.keys.iter().map(|name| column(rows, name));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let sorted = sort(&keys, &times, grid)?;
        let is_categorical = |name: &String| columns.categorical.contains(name);
        let variable = |name: &String| Variable::new(name, &arrays(rows, name)?, is_categorical(name));
        let variables = |names: &[String]| -> Result<Vec<Variable>, LearningError> {
            let mut variables = names.iter().map(variable).collect::<Result<Vec<_>, _>>()?;
            variables.sort_by_key(Variable::is_categorical);
            Ok(variables)
        };
        let spread = |variables: Vec<Variable>| variables.iter().map(|of| of.at(&sorted.places)).collect();
        let mut observed = variables(&columns.targets)?;
        if let Some(target) = observed.iter().find(|target| target.is_categorical()) {
            return Err(LearningError::Label {
                label: target.name.clone(),
                reason: "it is no number".to_owned(),
            });
        }
        observed.extend(variables(&columns.observed)?);
        let names = names(&keys, &sorted.samples)?;
        let fixed = variables(&columns.fixed)?;
        let fixed: Vec<(Variable, u64)> = fixed.iter().map(|of| of_entities(of, &sorted)).collect();
        let notes = PanelNotes {
            changing: fixed.iter().map(|(_, changing)| changing).sum(),
            ..sorted.notes
        };
        Ok(Self {
            keys: key_rows(columns, &keys, &sorted.samples)?,
            names,
            grid,
            variables: Variables {
                fixed: fixed.into_iter().map(|(variable, _)| variable).collect(),
                known: spread(variables(&columns.known)?),
                observed: spread(observed),
            },
            targets: columns.targets.len(),
            parts: sorted
                .places
                .iter()
                .map(|place| place.and_then(|row| parts.get(row)).copied().unwrap_or_default())
                .collect(),
            notes,
            starts: sorted.starts,
            first_steps: sorted.first_steps,
        })
    }

    /// The rows of an entity, and the step of its first.
    #[must_use]
    pub fn series(&self, entity: usize) -> (Range<usize>, i64) {
        let start = self.starts.get(entity).copied().unwrap_or_default();
        let end = self.starts.get(entity + 1).copied().unwrap_or(start);
        (start..end, self.first_steps.get(entity).copied().unwrap_or_default())
    }

    /// The row of an entity's step; `None`: outside of its series.
    #[must_use]
    pub fn row(&self, entity: usize, step: i64) -> Option<usize> {
        let (rows, first) = self.series(entity);
        let at = usize::try_from(step.checked_sub(first)?).ok()?;
        (at < rows.len()).then_some(rows.start + at)
    }

    /// Which entities have a row in a part.
    #[must_use]
    pub fn entities_with(&self, part: PartNumber) -> Vec<bool> {
        let has = |entity: usize| {
            let (rows, _) = self.series(entity);
            self.parts.get(rows).unwrap_or_default().contains(&part)
        };
        (0..self.names.len()).map(has).collect()
    }

    /// An entity's name for people.
    #[must_use]
    pub fn shown(&self, entity: usize) -> String {
        shown(self.names.get(entity).map_or("", String::as_str))
    }

    /// The value of a target at an entity's step; NaN where there is none.
    #[must_use]
    pub fn target(&self, entity: usize, step: i64, target: usize) -> f32 {
        let of = self.variables.observed.get(target);
        self.row(entity, step)
            .zip(of)
            .map_or(f32::NAN, |(row, variable)| variable.number(row))
    }
}

pub(super) fn missing(name: &str) -> LearningError {
    LearningError::Input {
        problems: vec![format!("`{name}` is missing")],
    }
}

fn arrays(rows: &[RecordBatch], name: &str) -> Result<Vec<ArrayRef>, LearningError> {
    let of = |batch: &RecordBatch| batch.column_by_name(name).cloned().ok_or_else(|| missing(name));
    rows.iter().map(of).collect()
}

fn column(rows: &[RecordBatch], name: &str) -> Result<ArrayRef, LearningError> {
    let arrays = arrays(rows, name)?;
    let all: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
    Ok(concat(&all)?)
}

fn times(rows: &[RecordBatch], name: &str) -> Result<Vec<Option<i64>>, LearningError> {
    let wanted = Arrow::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let mut times = Vec::new();
    for array in arrays(rows, name)? {
        let array = cast(&array, &wanted)?;
        times.extend(array.as_primitive::<TimestampMicrosecondType>().iter());
    }
    Ok(times)
}

/// By key, step and time; the last of each step.
fn sort(keys: &[ArrayRef], times: &[Option<i64>], grid: Grid) -> Result<Sorted, LearningError> {
    let fields = keys.iter().map(|key| SortField::new(key.data_type().clone()));
    let converter = RowConverter::new(fields.collect())?;
    let bytes = converter.convert_columns(keys)?;
    let has_key = |row: &usize| keys.iter().all(|key| key.is_valid(*row));
    let mut order: Vec<(usize, i64)> = Vec::with_capacity(times.len());
    for row in (0..times.len()).filter(has_key) {
        if let Some(time) = times.get(row).copied().flatten() {
            order.push((row, time));
        }
    }
    let mut notes = PanelNotes {
        rows: times.len() as u64,
        without_key: (times.len() - order.len()) as u64,
        ..PanelNotes::default()
    };
    order.sort_by(|one, other| {
        let by_key = bytes.row(one.0).cmp(&bytes.row(other.0));
        by_key.then(one.1.cmp(&other.1)).then(one.0.cmp(&other.0))
    });
    let (mut places, mut samples, mut starts, mut first_steps) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut last: Option<(usize, i64)> = None;
    for (row, time) in order {
        let step = grid.step(time);
        match last.filter(|(before, _)| bytes.row(*before) == bytes.row(row)) {
            Some((_, before)) if before == step => {
                notes.in_one_step += 1;
                places.pop();
            }
            Some((_, before)) => {
                let holes = usize::try_from(step - before - 1).unwrap_or_default();
                notes.holes += holes as u64;
                places.extend(std::iter::repeat_n(None, holes));
            }
            None => {
                samples.push(row);
                starts.push(places.len());
                first_steps.push(step);
            }
        }
        places.push(Some(row));
        last = Some((row, step));
    }
    starts.push(places.len());
    Ok(Sorted {
        places,
        samples,
        starts,
        first_steps,
        notes,
    })
}

/// The one value of each entity, the first that is known; and how many entities have others later.
fn of_entities(variable: &Variable, sorted: &Sorted) -> (Variable, u64) {
    let (mut rows, mut changing) = (Vec::new(), 0);
    for pair in sorted.starts.windows(2) {
        let [start, end] = pair else { continue };
        let series = sorted.places.get(*start..*end).unwrap_or_default();
        let mut known = series.iter().flatten().copied().filter(|row| variable.is_known(*row));
        let first = known.next();
        changing += u64::from(first.is_some_and(|first| known.any(|row| !variable.is_same(first, row))));
        rows.push(first);
    }
    (variable.at(&rows), changing)
}

/// Between the values of a key that has several columns.
const BETWEEN: char = '\u{1f}';

/// An entity's name for people.
fn shown(name: &str) -> String {
    name.replace(BETWEEN, "/")
}

fn names(keys: &[ArrayRef], samples: &[usize]) -> Result<Vec<String>, LearningError> {
    let options = FormatOptions::default();
    let formatters = keys.iter().map(|key| ArrayFormatter::try_new(key, &options));
    let formatters = formatters.collect::<Result<Vec<_>, _>>()?;
    let name = |row: &usize| {
        let values: Vec<String> = formatters.iter().map(|of| of.value(*row).to_string()).collect();
        values.join(&BETWEEN.to_string())
    };
    Ok(samples.iter().map(name).collect())
}

fn key_rows(columns: &PanelColumns, keys: &[ArrayRef], samples: &[usize]) -> Result<RecordBatch, LearningError> {
    let places = UInt32Array::from_iter_values(samples.iter().map(|row| *row as u32));
    let taken = keys.iter().map(|key| take(key, &places, None));
    let taken = taken.collect::<Result<Vec<_>, _>>()?;
    let fields = columns.keys.iter().zip(&taken);
    let fields: Vec<Field> = fields
        .map(|(name, key)| Field::new(name, key.data_type().clone(), true))
        .collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), taken)?)
}

impl PanelColumns {
    /// Every column that is read, each once.
    #[must_use]
    pub fn read(&self) -> Vec<String> {
        let mut all: BTreeMap<&String, ()> = BTreeMap::new();
        let times = [&self.event_time];
        let lists = [&self.keys, &self.targets, &self.fixed, &self.known, &self.observed];
        for name in lists.into_iter().flatten().chain(times) {
            all.insert(name, ());
        }
        all.into_keys().cloned().collect()
    }
}
