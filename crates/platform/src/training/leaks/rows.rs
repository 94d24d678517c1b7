//! Who is in which part: no entity of a group split in two, and no row of the judged part that train has too.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet};
use std::hash::Hasher;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use arrow::row::{RowConverter, SortField};
use definitions::{Role, Split};
use evaluation::{LeakCheck, LeakFinding, LeakTest};
use feature_store::dataset::open_part;
use feature_store::split::Part;
use learning::LearningError;

use super::{Ready, SAMPLED_ROWS, Sample, Suspects, among};
use crate::failure::Outcome;

/// More rows of train are not compared one by one.
const MOST_COMPARED: usize = 5_000_000;

/// A share of duplicates that is worth a word.
const SUSPICIOUS_SHARE: f64 = 0.01;

/// Whether every entity of a group split is in one part, by the dataset's own rows.
pub(super) fn entities_apart(suspects: &Suspects<'_>) -> Outcome<LeakCheck> {
    const TEST: LeakTest = LeakTest::EntitiesApart;
    let manifest = suspects.lesson.manifest;
    if !matches!(manifest.split, Some(Split::Group { .. })) {
        return Ok(LeakCheck::not_applicable(TEST, "the split is not by entity"));
    }
    let keys: Vec<String> = manifest
        .columns_with(Role::Key)
        .map(|column| column.name.clone())
        .collect();
    let mut entities = Entities::default();
    for report in &manifest.parts {
        for batch in open_part(suspects.lesson.folder, report.part, Some(&keys))? {
            entities.add(report.part, &batch?)?;
        }
    }
    Ok(entities.check())
}

/// Which part each entity was first seen in.
#[derive(Default)]
struct Entities {
    seen: HashMap<Box<[u8]>, Part>,
    /// Those of two parts, for people, and so that each is named once.
    twice: Vec<String>,
    named: HashSet<Box<[u8]>>,
}

impl Entities {
    /// Takes in keys of a part.
    fn add(&mut self, part: Part, keys: &RecordBatch) -> Outcome {
        let fields = keys
            .columns()
            .iter()
            .map(|column| SortField::new(column.data_type().clone()));
        let converter = RowConverter::new(fields.collect()).map_err(LearningError::from)?;
        let rows = converter.convert_columns(keys.columns()).map_err(LearningError::from)?;
        for (at, row) in rows.iter().enumerate() {
            let first = *self.seen.entry(row.as_ref().into()).or_insert(part);
            if first != part && self.named.insert(row.as_ref().into()) {
                self.twice.push(shown(&keys.slice(at, 1)));
            }
        }
        Ok(())
    }

    fn check(&self) -> LeakCheck {
        const TEST: LeakTest = LeakTest::EntitiesApart;
        if self.twice.is_empty() {
            return LeakCheck::nothing(TEST, format!("{} entities, each in one part", self.seen.len()));
        }
        let many = match self.twice.len() {
            1 => "1 entity is".to_owned(),
            many => format!("{many} entities are"),
        };
        let detail = format!("{many} in two parts: {}", among(&self.twice));
        LeakCheck::of(TEST, LeakFinding::Leak, Vec::new(), detail)
    }
}

/// The key of a row, for people.
fn shown(row: &RecordBatch) -> String {
    let cell = |column: &arrow::array::ArrayRef| arrow::util::display::array_value_to_string(column, 0);
    let cells: Vec<String> = row.columns().iter().filter_map(|column| cell(column).ok()).collect();
    format!("`{}`", cells.join(" "))
}

/// Whether rows of the judged part stand in train too, inputs and label together. Where no input tells rows apart, equal rows are no wonder.
pub(super) fn duplicates_apart(suspects: &Suspects<'_>) -> Outcome<LeakCheck> {
    const TEST: LeakTest = LeakTest::DuplicatesApart;
    let (Some(train), Some(judged)) = (suspects.train, suspects.judged) else {
        return Ok(LeakCheck::not_applicable(TEST, "there is no part besides train"));
    };
    if train.labels.len() > MOST_COMPARED {
        let why = format!("more than {MOST_COMPARED} rows in train");
        return Ok(LeakCheck::not_applicable(TEST, why));
    }
    if !tells_rows_apart(train)? {
        return Ok(LeakCheck::not_applicable(TEST, "no input tells rows apart"));
    }
    let in_train: HashSet<u64> = hashes(train).into_iter().collect();
    let shared = hashes(judged).iter().filter(|hash| in_train.contains(hash)).count();
    let share = shared as f64 / judged.labels.len().max(1) as f64;
    let detail = format!(
        "{shared} rows of {} ({:.1} %) stand in train too, inputs and label",
        judged.part,
        100.0 * share
    );
    if share > SUSPICIOUS_SHARE {
        return Ok(LeakCheck::of(TEST, LeakFinding::Suspicion, Vec::new(), detail));
    }
    Ok(LeakCheck::nothing(TEST, detail))
}

/// Whether some input has about as many values as there are rows, copies of rows aside.
fn tells_rows_apart(part: &Ready) -> Outcome<bool> {
    let sample = Sample::of(part, SAMPLED_ROWS)?;
    let distinct = |values: &Vec<f64>| {
        let distinct: HashSet<u64> = values.iter().map(|value| value.to_bits()).collect();
        distinct.len()
    };
    let most = sample.inputs.iter().map(distinct).max().unwrap_or_default();
    Ok(4 * most > sample.labels.len())
}

/// A hash of each row: the bits of its inputs and label.
fn hashes(part: &Ready) -> Vec<u64> {
    let mut hashers: Vec<DefaultHasher> = Vec::with_capacity(part.labels.len());
    for batch in part.matrix.batches() {
        let first = hashers.len();
        hashers.resize(first + batch.num_rows(), DefaultHasher::new());
        for column in batch.columns() {
            let Ok(column) = cast(column, &DataType::Float64) else {
                continue;
            };
            let column = column.as_primitive::<Float64Type>();
            for (row, hasher) in hashers.iter_mut().skip(first).enumerate() {
                let bits = if column.is_null(row) {
                    u64::MAX
                } else {
                    column.value(row).to_bits()
                };
                hasher.write_u64(bits);
            }
        }
    }
    let with_label = hashers.into_iter().zip(&part.labels).map(|(mut hasher, label)| {
        hasher.write_u64(label.to_bits());
        hasher.finish()
    });
    with_label.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may")]

    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int32Array, StringArray};

    use super::*;

    fn keys(hosts: &[&str], disks: &[i32]) -> RecordBatch {
        let hosts: ArrayRef = Arc::new(StringArray::from(hosts.to_vec()));
        let disks: ArrayRef = Arc::new(Int32Array::from(disks.to_vec()));
        RecordBatch::try_from_iter([("host", hosts), ("disk", disks)]).unwrap()
    }

    #[test]
    fn entity_in_two_parts_is_named_once() {
        let mut entities = Entities::default();
        entities.add(Part::Train, &keys(&["a", "a", "b"], &[1, 2, 1])).unwrap();
        entities.add(Part::Test, &keys(&["b", "c"], &[2, 1])).unwrap();
        assert_eq!(entities.check().finding, LeakFinding::Nothing);
        entities.add(Part::Test, &keys(&["a", "a"], &[2, 2])).unwrap();
        let check = entities.check();
        assert_eq!(check.finding, LeakFinding::Leak);
        assert_eq!(check.detail, "1 entity is in two parts: `a 2`");
    }
}
