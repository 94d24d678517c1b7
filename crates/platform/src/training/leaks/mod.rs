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
use learning::{LearningError, Matrix};

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
    /// Rows of train.
    of_train: Option<Sample>,
    /// Rows of the judged part.
    of_judged: Option<Sample>,
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
    let train = of(Part::Train.name());
    let judged = of(judged).filter(|part| part.part != Part::Train);
    let sample = |part: Option<&Ready>| part.map(|part| Sample::of(part, SAMPLED_ROWS)).transpose();
    let suspects = Suspects {
        lesson,
        asked,
        fitted,
        train,
        judged,
        of_train: sample(train)?,
        of_judged: sample(judged)?,
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

/// Some rows of a part, as numbers where they are looked at.
struct Sample {
    inputs: Matrix,
    labels: Vec<f64>,
}

impl Sample {
    /// At most so many rows, evenly spread over the part.
    fn of(part: &Ready, most: usize) -> Outcome<Self> {
        let step = part.matrix.rows().div_ceil(most.max(1)).max(1);
        Ok(Self {
            inputs: part.spread(most)?,
            labels: part.labels.iter().step_by(step).copied().collect(),
        })
    }

    /// The values of an input, NaN for NULL; none where there are no rows.
    fn input(&self, at: usize) -> Outcome<Vec<f64>> {
        let batches = self.inputs.batches();
        let arrays: Vec<&dyn Array> = batches.iter().map(|batch| batch.column(at).as_ref()).collect();
        if arrays.is_empty() {
            return Ok(Vec::new());
        }
        numbers(&concat(&arrays).map_err(LearningError::from)?)
    }

    /// How many inputs there are.
    fn width(&self) -> usize {
        self.inputs.schema().fields().len()
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
