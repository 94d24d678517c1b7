//! Many series of the same variables, on a regular grid of steps, in memory once.
//!
//! ```text
//!     entity      a a a a a b b b             starts = [0, 5, 8]
//!     step        3 4 5 6 7 4 5 6             first step of a: 3, of b: 4
//!     cpu         . . NaN . . . . .           a column a variable; NaN: missing
//! ```
//!
//! Where a series has no row for a step, a row is put in of which everything is missing: so a window is an offset, and nothing else.

use crate::TftError;
use crate::model::UNKNOWN;

/// Columns of some variables, of the same length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Block {
    /// Continuous variables; NaN: missing.
    pub continuous: Vec<Vec<f32>>,
    /// Categorical variables, as rows of their tables; row 0: unknown.
    pub categorical: Vec<Vec<u32>>,
}

/// Rows as they come: those of an entity together, from its first step on.
#[derive(Debug, Clone)]
pub struct Rows {
    /// The entity of each row, as its place among `names`.
    pub entities: Vec<u32>,
    /// The step of each row: any numbering with 1 between steps.
    pub steps: Vec<i64>,
    /// The name of each entity.
    pub names: Vec<String>,
    /// Static variables: a row an entity.
    pub fixed: Block,
    /// Known variables: a row a row.
    pub known: Block,
    /// Observed variables, targets first: a row a row.
    pub observed: Block,
}

/// The panel.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// The name of each entity.
    names: Vec<String>,
    /// Where the rows of each entity begin, and, last, how many there are.
    starts: Vec<usize>,
    /// The step of each entity's first row.
    first_steps: Vec<i64>,
    fixed: Block,
    known: Block,
    observed: Block,
}

impl Block {
    /// Every column's length with a word for it.
    fn lengths(&self) -> impl Iterator<Item = (String, usize)> {
        let continuous = self.continuous.iter().map(Vec::len).enumerate();
        let categorical = self.categorical.iter().map(Vec::len).enumerate();
        let continuous = continuous.map(|(at, length)| (format!("continuous variable {at}"), length));
        continuous.chain(categorical.map(|(at, length)| (format!("categorical variable {at}"), length)))
    }
    /// The same columns with rows elsewhere: row `i` of these is row `places[i]` of `length` rows; the others are missing.
    fn spread(&self, places: &[usize], length: usize) -> Self {
        Self {
            continuous: self
                .continuous
                .iter()
                .map(|column| spread(column, places, length, f32::NAN))
                .collect(),
            categorical: self
                .categorical
                .iter()
                .map(|column| spread(column, places, length, UNKNOWN))
                .collect(),
        }
    }
}

fn spread<T: Copy>(column: &[T], places: &[usize], length: usize, missing: T) -> Vec<T> {
    let mut spread = vec![missing; length];
    for (value, place) in column.iter().zip(places) {
        if let Some(there) = spread.get_mut(*place) {
            *there = *value;
        }
    }
    spread
}

impl Panel {
    /// Puts rows onto the grid of steps.
    ///
    /// # Errors
    /// `Panel` for columns of different lengths, and for rows that are not grouped by entity in the order of `names`, or whose steps do
    /// not ascend within an entity.
    pub fn new(rows: Rows) -> Result<Self, TftError> {
        let count = rows.steps.len();
        let wrong = |column: String, wanted, found| Err(TftError::Panel { column, wanted, found });
        if rows.entities.len() != count {
            return wrong("entities".to_owned(), count, rows.entities.len());
        }
        let changing = rows
            .known
            .lengths()
            .chain(rows.observed.lengths())
            .map(|length| (length, count));
        for ((column, found), wanted) in changing.chain(rows.fixed.lengths().map(|length| (length, rows.names.len()))) {
            if found != wanted {
                return wrong(column, wanted, found);
            }
        }
        let (mut starts, mut first_steps, mut places) = (vec![0], Vec::new(), Vec::with_capacity(count));
        let mut at = 0;
        for entity in 0..rows.names.len() {
            let start = starts.last().copied().unwrap_or_default();
            let first = rows.steps.get(at).copied().unwrap_or_default();
            let mut end = start;
            while let (Some(step), true) = (rows.steps.get(at), rows.entities.get(at) == Some(&(entity as u32))) {
                let place = start + usize::try_from(step.saturating_sub(first)).unwrap_or(usize::MAX / 2);
                if place < end || place - start > usize::MAX / 4 {
                    return wrong(format!("steps of `{}`", name(&rows.names, entity)), at, at + 1);
                }
                places.push(place);
                (end, at) = (place + 1, at + 1);
            }
            starts.push(end);
            first_steps.push(first);
        }
        if at != count {
            return wrong("entities".to_owned(), count, at);
        }
        let length = starts.last().copied().unwrap_or_default();
        Ok(Self {
            known: rows.known.spread(&places, length),
            observed: rows.observed.spread(&places, length),
            names: rows.names,
            fixed: rows.fixed,
            starts,
            first_steps,
        })
    }
    /// The same series with other variables, of as many rows.
    pub(crate) fn with(&self, fixed: Block, known: Block, observed: Block) -> Self {
        Self {
            names: self.names.clone(),
            starts: self.starts.clone(),
            first_steps: self.first_steps.clone(),
            fixed,
            known,
            observed,
        }
    }
    /// The name of each entity.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }
    /// Rows, those put in included.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.starts.last().copied().unwrap_or_default()
    }
    /// The rows of an entity, and the step of its first.
    #[must_use]
    pub fn series(&self, entity: usize) -> (std::ops::Range<usize>, i64) {
        let start = self.starts.get(entity).copied().unwrap_or_default();
        let end = self.starts.get(entity + 1).copied().unwrap_or(start);
        (start..end, self.first_steps.get(entity).copied().unwrap_or_default())
    }
    /// Static variables, a row an entity.
    #[must_use]
    pub fn fixed(&self) -> &Block {
        &self.fixed
    }
    /// Known variables, a row a row.
    #[must_use]
    pub fn known(&self) -> &Block {
        &self.known
    }
    /// Observed variables, targets first, a row a row.
    #[must_use]
    pub fn observed(&self) -> &Block {
        &self.observed
    }
}

fn name(names: &[String], at: usize) -> &str {
    names.get(at).map_or("", String::as_str)
}
