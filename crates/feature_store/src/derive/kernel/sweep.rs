//! One pass over the asked rows of some entities, piece by piece, for all computations together.

use std::ops::Range;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::DataType;

use super::column::Column;
use super::decay::Decay;
use super::elementwise::{arithmetic, bucket, calendar, fill, hash, number, ratio, text};
use super::extremes::{Hand, ends, extremes};
use super::moments::Sums;
use super::output::{NO_ROW, Output, output_of};
use super::piece::Piece;
use super::plan::{ColumnPlan, FramePlan};
use super::ranks::{Ranks, different};
use super::rows::at;
use super::{Computation, Filling, Operand, OrderedRows, Segment};
use crate::StoreError;

/// All that a pass reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sweep<'a> {
    pub computations: &'a [Computation],
    /// The results' types.
    pub types: &'a [DataType],
    pub plan: &'a [ColumnPlan],
    pub rows: &'a OrderedRows<'a>,
    pub columns: &'a [Column],
    /// How many asked rows a piece has, unless its frames reach back further.
    pub piece: usize,
}

/// What a pass keeps between pieces for its memory.
#[derive(Debug, Default)]
struct Scratch {
    numbers: Vec<f64>,
    integers: Vec<i64>,
    counts: Vec<u32>,
    codes: Vec<u32>,
    /// Those of each frame.
    bounds: Vec<Vec<(u32, u32)>>,
    beside: Vec<u32>,
    sums: Sums,
    ranks: Ranks,
    decay: Decay,
}

impl Sweep<'_> {
    /// One array per computation, with a value for each asked row of these segments.
    pub(super) fn run(&self, segments: &[Segment]) -> Result<Vec<ArrayRef>, StoreError> {
        let asked = segments.iter().map(|segment| segment.asked.len()).sum();
        let output =
            |(computation, kind): (&Computation, &DataType)| output_of(kind, takes_rows(computation, kind), asked);
        let mut outputs: Vec<Output> = self.computations.iter().zip(self.types).map(output).collect();
        let mut scratch = Scratch::default();
        for segment in segments {
            let mut start = segment.asked.start;
            while start < segment.asked.end {
                let length = self.piece.max(self.reaches_back(segment, start));
                let end = segment.asked.end.min(start + length);
                for column in self.plan {
                    self.piece(column, segment, start..end, &mut scratch, &mut outputs);
                }
                start = end;
            }
        }
        self.finish(segments, outputs)
    }

    /// How many rows before this one its frames reach.
    fn reaches_back(&self, segment: &Segment, row: usize) -> usize {
        let times = self.times(&segment.rows);
        let place = row - segment.rows.start;
        let here = (place, at(times, place));
        let starts = self.plan.iter().map(|column| column.reached(times, here, here).0);
        starts.min().map_or(0, |start| place - start)
    }

    fn times(&self, rows: &Range<usize>) -> &[i64] {
        self.rows.times.get(rows.clone()).unwrap_or_default()
    }

    /// All that is made of one column, for some asked rows.
    fn piece(
        &self,
        plan: &ColumnPlan,
        segment: &Segment,
        asked: Range<usize>,
        scratch: &mut Scratch,
        outputs: &mut [Output],
    ) {
        let Some(column) = self.columns.get(plan.of) else {
            return;
        };
        let first = segment.rows.start;
        let times = self.times(&segment.rows);
        let place = |row: usize| (row - first, at(times, row - first));
        let (start, end) = plan.reached(times, place(asked.start), place(asked.end - 1));
        let rows = first + start..first + end;
        column.numbers(rows.clone(), &mut scratch.numbers);
        column.counts(rows.clone(), &mut scratch.counts);
        let piece = Piece {
            first: rows.start,
            times: self.times(&rows),
            numbers: &scratch.numbers,
            counts: &scratch.counts,
            asked: asked.start - rows.start..asked.end - rows.start,
            bounds: &[],
        };
        let ts = piece.times.get(piece.asked.clone()).unwrap_or_default();
        scratch.bounds.resize(plan.frames.len(), Vec::new());
        for (frame, bounds) in plan.frames.iter().zip(&mut scratch.bounds) {
            let over = frame.over(ts, self.rows.observed_until);
            frame
                .frame
                .bounds(piece.times, ts.get(..over).unwrap_or_default(), bounds);
        }
        if column.is_integer() {
            column.integers(rows.clone(), &mut scratch.integers);
        }
        for best in plan.extremes() {
            let frames = best.frames.iter();
            let hand = |(frame, output): &(usize, usize)| Some(Hand::new(scratch.bounds.get(*frame)?, *output));
            let mut hands: Vec<Hand<'_>> = frames.filter_map(hand).collect();
            if column.is_integer() {
                let emit = |output: usize, best: Option<(i64, u32)>| row(outputs, output, best.map(|(_, row)| row));
                extremes(&piece, &scratch.integers, best.pick, &mut hands, emit);
            } else {
                let emit = |output, best| number_or_row(outputs, output, best);
                extremes(&piece, piece.numbers, best.pick, &mut hands, emit);
            }
        }
        let moments = plan.moments();
        if !moments.is_empty() {
            scratch.sums.add_up(&piece, &moments);
        }
        if plan.frames.iter().any(|frame| !frame.quantiles.is_empty()) {
            scratch.ranks.sort(&piece);
        }
        let mut known = 0;
        if plan.frames.iter().any(|frame| !frame.different.is_empty()) {
            known = column.codes(rows, &mut scratch.codes);
        }
        for (frame, bounds) in plan.frames.iter().zip(&scratch.bounds) {
            let piece = Piece {
                bounds,
                ..piece.clone()
            };
            scratch.sums.emit(&piece, &frame.moments, outputs);
            if !frame.quantiles.is_empty() {
                scratch.ranks.emit(&piece, &frame.quantiles, outputs);
            }
            for output in &frame.different {
                different(&piece, &scratch.codes, known, *output, outputs);
            }
            for decay in &frame.decays {
                scratch.decay.emit(&piece, decay.what, decay.output, outputs);
            }
            for output in &frame.counts {
                count(&piece, *output, outputs);
            }
            for pick in frame.picks.iter().filter(|pick| !pick.what.is_extreme()) {
                ends(&piece, *pick, &mut scratch.beside, outputs);
            }
            pad(frame, ts.len() - bounds.len(), outputs);
        }
    }

    /// The arrays: outputs as they are, and what is computed from asked rows and earlier arrays.
    fn finish(&self, segments: &[Segment], outputs: Vec<Output>) -> Result<Vec<ArrayRef>, StoreError> {
        let asked = Asked::new(segments);
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(outputs.len());
        for (place, (computation, output)) in self.computations.iter().zip(outputs).enumerate() {
            let column = |at: usize| self.rows.columns.get(at).ok_or_else(|| missing(place, computation));
            let operand = |operand: Operand| match operand {
                Operand::Column(at) => asked.rows_of(column(at)?),
                Operand::Computed(at) => arrays.get(at).cloned().ok_or_else(|| missing(place, computation)),
            };
            let array = match computation {
                Computation::Difference { left, right } => {
                    arithmetic(&operand(*left)?, &operand(*right)?, |a, b| a - b)?
                }
                Computation::Interaction { left, right } => {
                    arithmetic(&operand(*left)?, &operand(*right)?, |a, b| a * b)?
                }
                Computation::Ratio { left, right } => arithmetic(&operand(*left)?, &operand(*right)?, ratio)?,
                Computation::Bucket { of, edges } => bucket(&operand(*of)?, edges)?,
                Computation::Hash { of, bits } => {
                    let of = of.iter().map(|of| operand(*of)).collect::<Result<Vec<_>, _>>()?;
                    hash(&of, *bits)?
                }
                Computation::Calendar { part } => {
                    let rows = segments.iter().flat_map(|segment| self.times(&segment.asked));
                    calendar(rows.copied(), *part)
                }
                Computation::Fill {
                    of,
                    with: Filling::Number(with),
                } => fill(&asked.rows_of(column(*of)?)?, &number(*with))?,
                Computation::Fill {
                    of,
                    with: Filling::Text(with),
                } => fill(&asked.rows_of(column(*of)?)?, &text(with))?,
                Computation::Window { of, .. }
                | Computation::Lead { of, .. }
                | Computation::Lag { of, .. }
                | Computation::Zscore { of, .. }
                | Computation::Fill { of, .. } => output.finish(column(*of)?)?,
            };
            arrays.push(array);
        }
        Ok(arrays)
    }
}

fn row(outputs: &mut [Output], output: usize, row: Option<u32>) {
    if let Some(output) = outputs.get_mut(output) {
        output.row(row.unwrap_or(NO_ROW));
    }
}

fn number_or_row(outputs: &mut [Output], output: usize, best: Option<(f64, u32)>) {
    match outputs.get_mut(output) {
        Some(Output::Numbers(numbers)) => numbers.push(best.map_or(f64::NAN, |(number, _)| number)),
        Some(output) => output.row(best.map_or(NO_ROW, |(_, row)| row)),
        None => {}
    }
}

/// Whether the result is one of the column's own values, and not simply the number.
fn takes_rows(computation: &Computation, kind: &DataType) -> bool {
    use super::Aggregate::{First, Last, Max, Min};
    match computation {
        Computation::Window { aggregate, .. } | Computation::Lead { aggregate, .. } => {
            matches!(aggregate, First | Last) || (matches!(aggregate, Max | Min) && kind != &DataType::Float64)
        }
        Computation::Lag { .. } => true,
        Computation::Fill { with, .. } => matches!(with, Filling::LastKnown { .. }),
        _ => false,
    }
}

/// How many values each frame has.
fn count(piece: &Piece<'_>, output: usize, outputs: &mut [Output]) {
    let Some(output) = outputs.get_mut(output) else { return };
    for (start, end) in piece.bounds {
        let count = at(piece.counts, *end as usize) - at(piece.counts, *start as usize);
        output.count(count.into());
    }
}

/// NULLs for the rows whose frame is not over.
fn pad(frame: &FramePlan, rows: usize, outputs: &mut [Output]) {
    let made = frame.moments.iter().map(|moment| moment.output);
    let made = made.chain(frame.picks.iter().map(|pick| pick.output));
    let made = made.chain(frame.quantiles.iter().map(|quantile| quantile.output));
    let made = made.chain(frame.decays.iter().map(|decay| decay.output));
    for output in made
        .chain(frame.counts.iter().copied())
        .chain(frame.different.iter().copied())
    {
        if let Some(output) = outputs.get_mut(output) {
            output.nulls(rows);
        }
    }
}

/// The asked rows of some segments.
enum Asked {
    /// All in a row.
    Slice(Range<usize>),
    Rows(UInt32Array),
}

impl Asked {
    fn new(segments: &[Segment]) -> Self {
        let mut ranges = segments
            .iter()
            .map(|segment| segment.asked.clone())
            .filter(|asked| !asked.is_empty());
        let first = ranges.next().unwrap_or(0..0);
        let joined = ranges.try_fold(first, |all, next| {
            (all.end == next.start).then_some(all.start..next.end)
        });
        let rows = || segments.iter().flat_map(|segment| segment.asked.clone());
        joined.map_or_else(|| Self::Rows(rows().map(|row| row as u32).collect()), Self::Slice)
    }

    fn rows_of(&self, column: &ArrayRef) -> Result<ArrayRef, StoreError> {
        match self {
            Self::Slice(rows) => Ok(column.slice(rows.start, rows.len())),
            Self::Rows(rows) => Ok(take(column, rows, None)?),
        }
    }
}

fn missing(place: usize, computation: &Computation) -> StoreError {
    StoreError::Computation {
        at: place,
        computation: computation.name(),
        found: "no such column".to_owned(),
        wanted: "a column that is there",
    }
}
