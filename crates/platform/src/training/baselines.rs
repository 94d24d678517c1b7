//! What baselines say of every row: they look back over all parts and the gaps between them, as they would in production.

use std::collections::{BTreeSet, HashMap};

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use arrow::row::{RowConverter, SortField};
use definitions::{Baseline, Rival, Role};
use evaluation::{RivalInput, Task, baseline_outputs};
use feature_store::dataset::open_gap;
use feature_store::split::Part;
use learning::{Observations, Target, baseline};

use super::Lesson;
use super::parts::{Ready, column_of};
use crate::failure::{Failure, Outcome};

/// For each part in turn, what every baseline says of its rows.
pub fn forecasts(lesson: &Lesson<'_>, task: Task, target: &Target, parts: &[Ready]) -> Outcome<Vec<Vec<RivalInput>>> {
    let (kinds, classes) = (wanted(lesson), target.classes().map_or(0, <[String]>::len));
    let mut forecasts: Vec<Vec<RivalInput>> = parts.iter().map(|_| Vec::new()).collect();
    if kinds.is_empty() {
        return Ok(forecasts);
    }
    let mut seen = Seen::new(lesson);
    for part in parts.iter().filter(|part| !part.labels.is_empty()) {
        seen.add(&part.others, part.labels.iter().copied().map(Some))?;
    }
    seen.add_gap(lesson, target)?;
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

/// Entity, time and label of every labelled row, part after part, and then those of the gap.
struct Seen {
    keys: Vec<String>,
    event_time: Option<String>,
    numbers: HashMap<Box<[u8]>, u64>,
    entities: Vec<u64>,
    times: Vec<i64>,
    labels: Vec<Option<f64>>,
}

impl Seen {
    fn new(lesson: &Lesson<'_>) -> Self {
        let names = |role| lesson.manifest.columns_with(role).map(|column| column.name.clone());
        Self {
            keys: names(Role::Key).collect(),
            event_time: names(Role::EventTime).next(),
            numbers: HashMap::new(),
            entities: Vec::new(),
            times: Vec::new(),
            labels: Vec::new(),
        }
    }

    /// Rows, and the label of each.
    fn add(&mut self, rows: &[RecordBatch], labels: impl Iterator<Item = Option<f64>>) -> Outcome {
        let error = learning::LearningError::from;
        let keys: Vec<ArrayRef> = self
            .keys
            .iter()
            .map(|key| required(rows, key))
            .collect::<Outcome<_>>()?;
        let fields = keys.iter().map(|key| SortField::new(key.data_type().clone()));
        let converter = RowConverter::new(fields.collect()).map_err(error)?;
        for key in &converter.convert_columns(&keys).map_err(error)? {
            let next = self.numbers.len() as u64;
            let number = self.numbers.entry(key.as_ref().into()).or_insert(next);
            self.entities.push(*number);
        }
        self.labels.extend(labels);
        match &self.event_time {
            Some(time) => {
                let times = cast(&required(rows, time)?, &DataType::Int64).map_err(error)?;
                self.times.extend(times.as_primitive::<Int64Type>().values());
            }
            None => self.times.resize(self.labels.len(), 0),
        }
        Ok(())
    }

    /// Rows that are in no part: nothing is asked of them, but their labels are known by and by.
    fn add_gap(&mut self, lesson: &Lesson<'_>, target: &Target) -> Outcome {
        if lesson.manifest.gap_rows.is_none() {
            return Ok(());
        }
        for batch in open_gap(lesson.folder, None)?.into_iter().flatten() {
            let batch = batch?;
            let labels = target.apply(&[required(std::slice::from_ref(&batch), &target.column)?])?;
            self.add(&[batch], labels.into_iter())?;
        }
        Ok(())
    }
}

fn required(rows: &[RecordBatch], name: &str) -> Outcome<ArrayRef> {
    column_of(rows, name)?.ok_or_else(|| Failure::platform(format!("the dataset has lost its column `{name}`")))
}
