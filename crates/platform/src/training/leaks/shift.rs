//! What inputs say later: **an input that sees no further than its row knows more of the label when it is taken later.**
//!
//! ```text
//!   label of t looks at      (t ───────────────── t + h]
//!   honest input at t      ●                                 knows some of it
//!   the same, at t + h/2              ●                      knows more: it lies in what the label looks at
//!   leaking input at t     ├────────────────────┤            knows nearly all of it
//!   the same, at t + h/2              ├────────────────────┤ knows less: it has moved past
//! ```
//!
//! So for each input that explains half of the label or more, the share that it explains alone is compared with that of its own values half a
//! horizon and a whole horizon later, of the same entity. An input whose share falls both times by more than the margin is suspicious. (An honest one
//! may be too: the label of a season ago, where the horizon is long beside the season.) The rows are the first of train, in the spine's
//! order, so that entities are whole; half of them teach, half measure.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use arrow::row::{RowConverter, SortField};
use definitions::{Duration, Role};
use evaluation::{Beside, LeakCheck, LeakFinding, LeakTest, explained_alone};
use feature_store::dataset::{Column, open_part};
use feature_store::split::Part;
use learning::LearningError;

use super::{Suspects, among, numbers};
use crate::failure::{Failure, Outcome};
use crate::training::parts::column_of;

/// Rows that are looked at.
const ROWS: usize = 50_000;
/// What an input must explain before its falling says anything.
const LEAST_SHARE: f64 = 0.5;
/// A fall that is worth a word.
const MARGIN: f64 = 0.05;

/// Whether an input knows of the label what only later ones should.
pub(super) fn time_shift(suspects: &Suspects<'_>) -> Outcome<LeakCheck> {
    const TEST: LeakTest = LeakTest::TimeShift;
    let horizon = suspects.lesson.manifest.gap.horizon;
    if horizon == Duration::ZERO {
        return Ok(LeakCheck::not_applicable(TEST, "the label has no horizon"));
    }
    if suspects.lesson.manifest.columns_with(Role::EventTime).next().is_none() {
        return Ok(LeakCheck::not_applicable(TEST, "the rows have no time"));
    }
    let rows = Rows::read(suspects)?;
    let inputs: Vec<&Column> = suspects
        .asked
        .inputs
        .iter()
        .filter(|input| !input.categorical && input.data_type.is_number())
        .collect();
    let classes = suspects.fitted.target.classes().map_or(0, <[String]>::len);
    let (mut found, mut columns, mut looked_at) = (Vec::new(), Vec::new(), 0_usize);
    for input in inputs {
        let values = numbers(&required(&rows.batches, &input.name)?)?;
        let mut falls = Vec::new();
        for shift in [horizon.micros() / 2, horizon.micros()] {
            falls.extend(rows.shares(&values, shift, classes));
        }
        looked_at += usize::from(!falls.is_empty());
        let is_suspicious = |(now, later): &(f64, f64)| *now >= LEAST_SHARE && later + MARGIN < *now;
        if falls.len() == 2 && falls.iter().all(is_suspicious) {
            let (now, later) = falls.first().copied().unwrap_or_default();
            let name = &input.name;
            found.push(format!(
                "`{name}` explains {:.1} % as it is, {:.1} % when taken half a horizon later",
                100.0 * now,
                100.0 * later.max(0.0)
            ));
            columns.push(input.name.clone());
        }
    }
    if looked_at == 0 {
        return Ok(LeakCheck::not_applicable(
            TEST,
            format!("no entity has rows within the label's horizon of {horizon}"),
        ));
    }
    if found.is_empty() {
        return Ok(LeakCheck::nothing(TEST, "no input knows less when it is taken later"));
    }
    let detail = format!("inputs seem to see beyond their time: {}", among(&found));
    Ok(LeakCheck::of(TEST, LeakFinding::Suspicion, columns, detail))
}

/// The first rows of train, and where one's entity is later.
struct Rows {
    batches: Vec<RecordBatch>,
    /// The number of each row's entity.
    entities: Vec<u64>,
    times: Vec<i64>,
    labels: Vec<f64>,
}

impl Rows {
    fn read(suspects: &Suspects<'_>) -> Outcome<Self> {
        let manifest = suspects.lesson.manifest;
        let named = |role| manifest.columns_with(role).map(|column| column.name.clone());
        let keys: Vec<String> = named(Role::Key).collect();
        let event_time = named(Role::EventTime).next().unwrap_or_default();
        let mut wanted = keys.clone();
        wanted.extend([event_time.clone(), suspects.asked.label.name.clone()]);
        wanted.extend(suspects.asked.inputs.iter().map(|input| input.name.clone()));
        let (mut batches, mut rows) = (Vec::new(), 0);
        for batch in open_part(suspects.lesson.folder, Part::Train, Some(&wanted))? {
            let batch = batch?;
            let taken = batch.slice(0, batch.num_rows().min(ROWS - rows));
            rows += taken.num_rows();
            batches.push(taken);
            if rows >= ROWS {
                break;
            }
        }
        let label = required(&batches, &suspects.asked.label.name)?;
        let labels = suspects.fitted.target.apply(&[label])?;
        let times = cast(&required(&batches, &event_time)?, &DataType::Int64).map_err(LearningError::from)?;
        Ok(Self {
            entities: entities(&batches, &keys)?,
            times: times.as_primitive::<Int64Type>().values().to_vec(),
            labels: labels.into_iter().map(|label| label.unwrap_or(f64::NAN)).collect(),
            batches,
        })
    }

    /// What an input explains as it is, and when it is taken later, over the rows that have both; `None`: too few have.
    fn shares(&self, values: &[f64], shift: i64, classes: usize) -> Option<(f64, f64)> {
        let mut pairs: Vec<(f64, f64, f64)> = Vec::new();
        let mut later = 0;
        for (row, (time, label)) in self.times.iter().zip(&self.labels).enumerate() {
            later = later.max(row);
            // The last row of the entity that is no later than asked for.
            while self.is_within(row, later + 1, time.saturating_add(shift)) {
                later += 1;
            }
            let reached = self.times.get(later).copied().unwrap_or(*time);
            if label.is_nan() || reached.saturating_sub(*time) < shift / 2 || later == row {
                continue;
            }
            if let (Some(now), Some(then)) = (values.get(row), values.get(later)) {
                pairs.push((*now, *then, *label));
            }
        }
        let half = |which: usize, of: fn(&(f64, f64, f64)) -> f64| -> Vec<f64> {
            pairs.iter().skip(which).step_by(2).map(of).collect()
        };
        let (label_one, label_other) = (half(0, |pair| pair.2), half(1, |pair| pair.2));
        let share = |of: fn(&(f64, f64, f64)) -> f64| {
            let (one, other) = (half(0, of), half(1, of));
            let learned = Beside {
                input: &one,
                label: &label_one,
            };
            let measured = Beside {
                input: &other,
                label: &label_other,
            };
            explained_alone(learned, measured, classes, false)
        };
        Some((share(|pair| pair.0)?, share(|pair| pair.1)?))
    }

    fn is_within(&self, row: usize, other: usize, limit: i64) -> bool {
        self.entities.get(row) == self.entities.get(other) && self.times.get(other).is_some_and(|time| *time <= limit)
    }
}

/// Numbers of entities, equal where and only where neighbours are of one.
fn entities(batches: &[RecordBatch], keys: &[String]) -> Outcome<Vec<u64>> {
    let columns = keys
        .iter()
        .map(|key| required(batches, key))
        .collect::<Outcome<Vec<_>>>()?;
    let fields = columns.iter().map(|column| SortField::new(column.data_type().clone()));
    let converter = RowConverter::new(fields.collect()).map_err(LearningError::from)?;
    let rows = converter.convert_columns(&columns).map_err(LearningError::from)?;
    let (mut number, mut last) = (0, None);
    let numbered = rows.iter().map(|row| {
        number += u64::from(last.is_some_and(|last| last != row));
        last = Some(row);
        number
    });
    Ok(numbered.collect())
}

fn required(rows: &[RecordBatch], name: &str) -> Outcome<arrow::array::ArrayRef> {
    column_of(rows, name)?.ok_or_else(|| Failure::platform(format!("the dataset has lost its column `{name}`")))
}
