//! What baselines say of every row: they look back over all parts, as they would in production.

use std::collections::{BTreeSet, HashMap};

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use arrow::row::{RowConverter, SortField};
use definitions::{Baseline, Rival, Role};
use evaluation::{RivalInput, Task, baseline_outputs};
use feature_store::split::Part;
use learning::{Observations, baseline};

use super::Lesson;
use super::parts::Ready;
use crate::failure::{Failure, Outcome};

/// For each part in turn, what every baseline says of its rows.
pub fn forecasts(lesson: &Lesson<'_>, task: Task, classes: usize, parts: &[Ready]) -> Outcome<Vec<Vec<RivalInput>>> {
    let kinds = wanted(lesson);
    let mut forecasts: Vec<Vec<RivalInput>> = parts.iter().map(|_| Vec::new()).collect();
    if kinds.is_empty() {
        return Ok(forecasts);
    }
    let seen = Seen::new(lesson, parts)?;
    let train: Vec<f64> = parts
        .iter()
        .filter(|part| part.part == Part::Train)
        .flat_map(|part| &part.labels)
        .copied()
        .collect();
    let share =
        |class: usize| train.iter().filter(|label| **label == class as f64).count() as f64 / train.len().max(1) as f64;
    let shares: Vec<f64> = (0..classes).map(share).collect();
    let mut sum = evaluation::Sum::default();
    train.iter().for_each(|label| sum.add(*label));
    // Among several classes a mean names none: the shares stand for it.
    let mean = if task == Task::Multiclass {
        f64::NAN
    } else {
        sum.value() / train.len().max(1) as f64
    };
    for kind in kinds {
        let observations = Observations {
            entities: &seen.entities,
            times: &seen.times,
            labels: &seen.labels,
            horizon: lesson.manifest.gap.horizon,
            mean,
        };
        let mut values = baseline(kind, &observations).into_iter();
        for (part, forecasts) in parts.iter().zip(&mut forecasts) {
            let of_part: Vec<f64> = values.by_ref().take(part.labels.len()).collect();
            forecasts.push(RivalInput {
                rival: Rival::Baseline(kind),
                model_version: None,
                predictions: Some(baseline_outputs(task, of_part, &shares)),
            });
        }
    }
    Ok(forecasts)
}

/// Those to evaluate, and those that gates name.
fn wanted(lesson: &Lesson<'_>) -> Vec<Baseline> {
    let mut seen = BTreeSet::new();
    let gated = lesson.pipeline.gate.beats.iter().filter_map(|rival| match rival {
        Rival::Baseline(baseline) => Some(*baseline),
        Rival::Alias(_) => None,
    });
    let all = lesson.pipeline.evaluate.baselines.iter().copied().chain(gated);
    all.filter(|baseline| seen.insert(*baseline)).collect()
}

/// Entity, time and label of every labelled row, part after part.
struct Seen {
    entities: Vec<u64>,
    times: Vec<i64>,
    labels: Vec<Option<f64>>,
}

impl Seen {
    fn new(lesson: &Lesson<'_>, parts: &[Ready]) -> Outcome<Self> {
        let keys: Vec<&str> = lesson
            .manifest
            .columns_with(Role::Key)
            .map(|column| column.name.as_str())
            .collect();
        let time = lesson
            .manifest
            .columns_with(Role::EventTime)
            .map(|column| column.name.as_str())
            .next();
        let mut seen = Self {
            entities: Vec::new(),
            times: Vec::new(),
            labels: Vec::new(),
        };
        let mut numbers: HashMap<Box<[u8]>, u64> = HashMap::new();
        for part in parts.iter().filter(|part| !part.labels.is_empty()) {
            let columns: Vec<ArrayRef> = keys.iter().map(|key| required(part, key)).collect::<Outcome<_>>()?;
            let fields = columns
                .iter()
                .map(|column| SortField::new(column.data_type().clone()))
                .collect();
            let converter = RowConverter::new(fields).map_err(learning::LearningError::from)?;
            let rows = converter
                .convert_columns(&columns)
                .map_err(learning::LearningError::from)?;
            for row in &rows {
                let next = numbers.len() as u64;
                seen.entities.push(*numbers.entry(row.as_ref().into()).or_insert(next));
            }
            match time {
                Some(time) => {
                    let times =
                        cast(&required(part, time)?, &DataType::Int64).map_err(learning::LearningError::from)?;
                    seen.times.extend(times.as_primitive::<Int64Type>().values());
                }
                None => seen.times.extend(part.labels.iter().map(|_| 0)),
            }
            seen.labels.extend(part.labels.iter().copied().map(Some));
        }
        Ok(seen)
    }
}

fn required(part: &Ready, name: &str) -> Outcome<ArrayRef> {
    part.other(name)?
        .ok_or_else(|| Failure::platform(format!("the dataset has lost its column `{name}`")))
}
