//! Expectations about an ingestion, watched while its sorted rows go by.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType as Arrow, Float32Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use definitions::{Check, ColumnName, Duration, EventTime, Expectation, FeatureGroup, IngestMode, WallTime};

use super::moments::Moments;
use super::sequence::{Entities, Gaps, Way};
use super::unique::Unique;
use super::{ExpectationResult, Finding, asks};
use crate::StoreError;
use crate::query::superseded::Superseded;

/// What is remembered of rows that went by.
pub(crate) struct Watch {
    expectations: Vec<Expectation>,
    entities: Entities,
    superseded: Option<Superseded>,
    time: Option<usize>,
    rows: u64,
    newest: Option<i64>,
    watched: Vec<Watched>,
}

/// What is remembered for one expectation.
enum Watched {
    /// It is about rows, or about what is counted anyway.
    Nothing,
    Nulls {
        column: usize,
        nulls: u64,
    },
    Unique(Box<Unique>),
    Way(Way),
    Gaps(Gaps),
    Moments {
        column: usize,
        moments: Moments,
    },
}

/// What an ingestion is judged by.
pub(crate) struct Against<'a> {
    /// When it started.
    pub now: WallTime,
    /// What a sort may hold in memory, in bytes.
    pub memory: u64,
    /// The moments of the ingestions before, in their order.
    pub before: &'a [BTreeMap<ColumnName, Moments>],
}

/// The verdict on an ingestion.
pub(crate) struct Verdict {
    /// One result per expectation that is not about rows, by its place among the group's expectations.
    pub results: BTreeMap<usize, ExpectationResult>,
    /// The moments of the columns whose drift is watched.
    pub moments: BTreeMap<ColumnName, Moments>,
}

impl Watch {
    /// For rows that are a group's stored columns, in their order, and perhaps more behind them. What does not fit into memory goes to the
    /// folder.
    pub(crate) fn new(group: &FeatureGroup, folder: &Path) -> Self {
        let expectations = group.expectations();
        let stored = group.stored_columns();
        let place = |name: &ColumnName| stored.iter().position(|(column, _)| column == name);
        let time = group.event_time.as_ref().and_then(place);
        let watched = expectations.iter().map(|expectation| {
            let column = expectation
                .column
                .as_ref()
                .and_then(|name| Some((place(name)?, name.to_string())));
            match (&expectation.check, column, time) {
                (Check::MaxNullFraction(_), Some((column, _)), _) => Watched::Nulls { column, nulls: 0 },
                (Check::Unique, Some((column, name)), _) => {
                    Watched::Unique(Box::new(Unique::new(column, name, folder.to_owned())))
                }
                (Check::Monotonic(way), Some((column, name)), _) => Watched::Way(Way::new(*way, column, name)),
                (Check::MaxGap(limit), _, Some(time)) => Watched::Gaps(Gaps::new(*limit, time)),
                (Check::MaxMeanDrift(_) | Check::MaxStdDrift(_), Some((column, _)), _) => Watched::Moments {
                    column,
                    moments: Moments::default(),
                },
                _ => Watched::Nothing,
            }
        });
        let identity = group.entity.len() + usize::from(group.event_time.is_some());
        let is_ordered = |check: &Check| matches!(check, Check::Unique | Check::Monotonic(_) | Check::MaxGap(_));
        let superseded = (group.mode == IngestMode::Upsert && asks(&expectations, is_ordered))
            .then(|| Superseded::new((0..identity).collect()));
        Self {
            entities: Entities::of(group),
            superseded,
            time,
            rows: 0,
            newest: None,
            watched: watched.collect(),
            expectations,
        }
    }

    /// Takes in the next rows.
    pub(crate) fn see(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        self.rows += batch.num_rows() as u64;
        let times = self.time.and_then(|time| batch.columns().get(time));
        let times = times.and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>());
        self.newest = self.newest.max(times.and_then(arrow::compute::max));
        for watched in &mut self.watched {
            match watched {
                Watched::Nulls { column, nulls } => *nulls += batch.column(*column).null_count() as u64,
                Watched::Moments { column, moments } => add_numbers(moments, batch.column(*column)),
                _ => {}
            }
        }
        match &mut self.superseded {
            Some(superseded) => {
                for counting in superseded.push(batch)? {
                    self.see_counting(&counting)?;
                }
                Ok(())
            }
            None => self.see_counting(batch),
        }
    }

    /// Takes in rows that none of their key and time supersedes.
    fn see_counting(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        let is_sequence = |watched: &Watched| matches!(watched, Watched::Way(_) | Watched::Gaps(_));
        let stretches = if self.watched.iter().any(is_sequence) {
            self.entities.stretches(batch)?
        } else {
            Vec::new()
        };
        for watched in &mut self.watched {
            match watched {
                Watched::Unique(unique) => unique.see(batch)?,
                Watched::Way(way) => {
                    for stretch in &stretches {
                        way.see(batch, stretch, &self.entities)?;
                    }
                }
                Watched::Gaps(gaps) => {
                    for stretch in &stretches {
                        gaps.see(batch, stretch, &self.entities)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The verdict, once all rows have gone by.
    pub(crate) async fn finish(mut self, against: &Against<'_>) -> Result<Verdict, StoreError> {
        if let Some(last) = self.superseded.as_mut().and_then(Superseded::finish) {
            self.see_counting(&last)?;
        }
        let facts = Facts {
            rows: self.rows,
            newest: self.newest,
            now: against.now,
        };
        let mut verdict = Verdict {
            results: BTreeMap::new(),
            moments: BTreeMap::new(),
        };
        for (at, (expectation, watched)) in self.expectations.iter().zip(self.watched).enumerate() {
            if expectation.check.is_about_a_row() {
                continue;
            }
            let finding = match watched {
                Watched::Unique(unique) => unique.finish(against.memory).await?,
                Watched::Way(way) => way.finish(),
                Watched::Gaps(gaps) => gaps.finish(),
                Watched::Nulls { nulls, .. } => facts.nulls(expectation, nulls),
                Watched::Moments { moments, .. } => {
                    let column = expectation.column.clone();
                    let of_column = |earlier: &BTreeMap<ColumnName, Moments>| earlier.get(column.as_ref()?).copied();
                    let before = against.before.iter().filter_map(of_column);
                    let before = before.fold(Moments::default(), Moments::with);
                    // What is beyond floats says nothing, and JSON cannot hold it.
                    let is_finite = moments.mean.is_finite() && moments.squares.is_finite();
                    if let Some(column) = column.filter(|_| is_finite) {
                        verdict.moments.insert(column, moments);
                    }
                    drift(expectation, moments, before)
                }
                Watched::Nothing => facts.counts(expectation),
            };
            verdict
                .results
                .insert(at, ExpectationResult::of_ingestion(expectation, finding));
        }
        Ok(verdict)
    }
}

/// NaN is no value.
fn add_numbers(moments: &mut Moments, column: &ArrayRef) {
    let mut add = |value: f64| {
        if !value.is_nan() {
            moments.add(value);
        }
    };
    match column.data_type() {
        Arrow::Float64 => column.as_primitive::<Float64Type>().iter().flatten().for_each(add),
        Arrow::Float32 => column
            .as_primitive::<Float32Type>()
            .iter()
            .flatten()
            .for_each(|value| add(value.into())),
        Arrow::Int64 => column
            .as_primitive::<Int64Type>()
            .iter()
            .flatten()
            .for_each(|value| add(value as f64)),
        Arrow::Int32 => column
            .as_primitive::<Int32Type>()
            .iter()
            .flatten()
            .for_each(|value| add(value.into())),
        _ => {}
    }
}

/// What is counted of every ingestion.
struct Facts {
    rows: u64,
    newest: Option<i64>,
    now: WallTime,
}

impl Facts {
    fn nulls(&self, expectation: &Expectation, nulls: u64) -> Option<Finding> {
        const STEPS: f64 = 10_000.0;
        let (Check::MaxNullFraction(limit), Some(column)) = (&expectation.check, &expectation.column) else {
            return None;
        };
        let share = nulls as f64 / self.rows.max(1) as f64;
        // Rounded up: a limit of so much would let it pass.
        let shown = (share * STEPS).ceil() / STEPS;
        let rows = self.rows;
        (share > *limit).then(|| Finding {
            found: format!(
                "`{column}` is NULL in {nulls} of {rows} rows: wanted a fraction of at most {limit}, found {shown}"
            ),
            instead: Some(format!("max_null_fraction = {shown}")),
        })
    }

    fn counts(&self, expectation: &Expectation) -> Option<Finding> {
        let rows = self.rows;
        match expectation.check {
            Check::MinRows(least) if rows < least => Some(Finding {
                found: format!("too few rows: wanted at least {least}, found {rows}"),
                instead: Some(format!("min_rows = {rows}")),
            }),
            Check::MaxRows(most) if rows > most => Some(Finding {
                found: format!("too many rows: wanted at most {most}, found {rows}"),
                instead: Some(format!("max_rows = {rows}")),
            }),
            Check::Freshness(limit) => self.age(limit),
            _ => None,
        }
    }

    /// Without rows nothing is old.
    fn age(&self, limit: Duration) -> Option<Finding> {
        let newest = self.newest?;
        let age = Duration::from_micros(self.now.0.saturating_sub(newest)).filter(|age| *age > limit)?;
        let (newest, now) = (EventTime(newest), self.now);
        Some(Finding {
            found: format!(
                "not fresh: wanted the newest event time at most {limit} before {now}, found {newest}, {age} before"
            ),
            instead: None,
        })
    }
}

/// How far an ingestion has drifted from those before; nothing is said of the first one.
fn drift(expectation: &Expectation, now: Moments, before: Moments) -> Option<Finding> {
    let column = expectation.column.as_ref()?;
    match expectation.check {
        Check::MaxMeanDrift(limit) => {
            let drift = now.mean_drift(before).filter(|drift| *drift > limit)?;
            let (mean, then, spread) = (now.mean, before.mean, before.deviation().unwrap_or_default());
            let found = format!(
                "the mean of `{column}` has drifted: {mean:.6} after {then:.6} with standard deviation {spread:.6}: wanted at most {limit} of these, found {drift:.3}"
            );
            Some(Finding { found, instead: None })
        }
        Check::MaxStdDrift(limit) => {
            let drift = now.deviation_drift(before).filter(|drift| *drift > limit)?;
            let spread = |moments: Moments| moments.deviation().unwrap_or_default();
            let found = format!(
                "the standard deviation of `{column}` has drifted: {:.6} after {:.6}: wanted a factor of at most {limit}, found {drift:.3}",
                spread(now),
                spread(before)
            );
            Some(Finding { found, instead: None })
        }
        _ => None,
    }
}
