//! Leak tests: whether the model was told the answer. Every training runs them; `[gate] leaks` says what becomes of what they find.
//!
//! They look at samples where samples are enough, so they cost little beside the training: rows evenly spread over train and the judged
//! part for what one input says alone, the first entities of train for what it says later, and every row only where a single one counts
//! (entities of a group split, duplicates).
//!
//! Reading order: this file (which tests, and samples), `columns` (what inputs are), `rows` (who is in which part), `shift` (what inputs say later).

mod columns;
mod rows;
mod shift;

use arrow::array::{Array, AsArray};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Float64Type};
use evaluation::LeakCheck;
use feature_store::split::Part;
use learning::LearningError;

use super::parts::Ready;
use super::{Asked, Fitted, Lesson};
use crate::failure::Outcome;

/// Rows of a part that are looked at.
const SAMPLED_ROWS: usize = 20_000;

/// What is looked at.
struct Suspects<'a> {
    lesson: &'a Lesson<'a>,
    asked: &'a Asked<'a>,
    fitted: &'a Fitted,
    train: Option<&'a Ready>,
    /// The part that gates look at, where it is not train.
    judged: Option<&'a Ready>,
}

/// Runs every leak test. `judged` names the part that gates look at.
pub fn examine(
    lesson: &Lesson<'_>,
    asked: &Asked<'_>,
    fitted: &Fitted,
    ready: &[Ready],
    judged: &str,
) -> Outcome<Vec<LeakCheck>> {
    let of = |wanted: &str| ready.iter().find(|part| part.part.name() == wanted);
    let suspects = Suspects {
        lesson,
        asked,
        fitted,
        train: of(Part::Train.name()),
        judged: of(judged).filter(|part| part.part != Part::Train),
    };
    Ok(vec![
        columns::label_among_inputs(&suspects)?,
        columns::helpers_among_inputs(&suspects),
        rows::entities_apart(&suspects)?,
        rows::duplicates_apart(&suspects)?,
        columns::single_input(&suspects)?,
        shift::time_shift(&suspects)?,
    ])
}

/// Rows of a part as numbers: each input, and the label.
struct Sample {
    inputs: Vec<Vec<f64>>,
    labels: Vec<f64>,
}

impl Sample {
    /// At most so many rows, evenly spread over the part.
    fn of(part: &Ready, most: usize) -> Outcome<Self> {
        let step = part.matrix.rows().div_ceil(most.max(1)).max(1);
        let matrix = part.spread(most)?;
        let mut inputs = Vec::new();
        for at in 0..matrix.schema().fields().len() {
            let arrays: Vec<&dyn Array> = matrix.batches().iter().map(|batch| batch.column(at).as_ref()).collect();
            if arrays.is_empty() {
                inputs.push(Vec::new());
                continue;
            }
            let column = concat(&arrays).map_err(LearningError::from)?;
            inputs.push(numbers(&column)?);
        }
        Ok(Self {
            inputs,
            labels: part.labels.iter().step_by(step).copied().collect(),
        })
    }
}

/// A column as numbers, NaN for NULL.
fn numbers(column: &arrow::array::ArrayRef) -> Outcome<Vec<f64>> {
    let column = cast(column, &DataType::Float64).map_err(LearningError::from)?;
    let values = column.as_primitive::<Float64Type>().iter();
    Ok(values.map(|value| value.unwrap_or(f64::NAN)).collect())
}

/// Names for a sentence: the first few, and how many more there are.
fn among(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = names.iter().take(SHOWN).cloned().collect();
    let shown = shown.join(", ");
    if names.len() > SHOWN {
        format!("{shown} and {} more", names.len() - SHOWN)
    } else {
        shown
    }
}
