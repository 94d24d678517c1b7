//! Exponentially weighted means over frames.
//!
//! A value of time s weighs `2^((s - t) / half-life)`. The mean divides by the sum of the weights, so the factor `2^(-t / half-life)` falls out
//! and each row has a weight of its own, the same for all frames that hold it: with `s = k * half-life + r`, it is `2^k * 2^(r / half-life)`,
//! a power of two times a number from 1 to 2 that is rounded once. So the sums are exact and differences of sums from the start, as in
//! [`moments`](super::moments). The power grows by one bit per half-life, so sums start anew every so many of them; a frame holds 64 at most.

use super::exact::{Parts, Span, Width};
use super::output::Output;
use super::piece::Piece;
use super::rows::at;
use super::wide::Wide;

/// How many half-lives the asked rows of one stretch span at most.
const STRETCH: i64 = 64;

/// What is kept between pieces for its memory.
#[derive(Debug, Default)]
pub(super) struct Decay {
    values: Vec<Option<Parts>>,
    weights: Vec<Option<Parts>>,
    narrow: (Vec<Wide<2>>, Vec<Wide<2>>),
    middle: (Vec<Wide<4>>, Vec<Wide<4>>),
    full: (Vec<Wide<36>>, Vec<Wide<36>>),
}

/// Rows whose sums start together.
struct Stretch<'a> {
    /// The frames of its asked rows.
    bounds: &'a [(u32, u32)],
    /// The place of the first row of a frame.
    first: usize,
    /// After the last row of a frame.
    end: usize,
}

impl Decay {
    /// One value per row; `half_life` in microseconds, more than zero.
    pub(super) fn emit(&mut self, piece: &Piece<'_>, half_life: i64, output: usize, outputs: &mut [Output]) {
        let Some(output) = outputs.get_mut(output) else { return };
        let mut asked = 0;
        while let Some(bounds) = piece.bounds.get(asked..).filter(|bounds| !bounds.is_empty()) {
            let times = piece.times.get(piece.asked.start + asked..).unwrap_or_default();
            let start = at(times, 0).div_euclid(half_life);
            let length = times.partition_point(|time| time.div_euclid(half_life).saturating_sub(start) <= STRETCH);
            let bounds = bounds.get(..length).unwrap_or(bounds);
            let stretch = Stretch {
                bounds,
                first: bounds.first().map_or(0, |(first, _)| *first as usize),
                end: bounds.last().map_or(0, |(_, end)| *end as usize),
            };
            self.emit_stretch(piece, &stretch, half_life, output);
            asked += bounds.len();
        }
    }

    fn emit_stretch(&mut self, piece: &Piece<'_>, stretch: &Stretch<'_>, half_life: i64, output: &mut Output) {
        let rows = stretch.first..stretch.end.max(stretch.first);
        let times = piece.times.get(rows.clone()).unwrap_or_default();
        let numbers = piece.numbers.get(rows).unwrap_or_default();
        let start = at(times, 0).div_euclid(half_life);
        let weigh = |(time, number): (&i64, &f64)| {
            let power = time.div_euclid(half_life).saturating_sub(start);
            // Half of it, so that no product is too large.
            let weight = 0.5 * libm::exp2(time.rem_euclid(half_life) as f64 / half_life as f64);
            let raised = |parts: Parts| Parts {
                exponent: parts.exponent + power,
                ..parts
            };
            let weight_of = (!number.is_nan()).then_some(weight).and_then(Parts::of);
            (Parts::of(number * weight).map(raised), weight_of.map(raised))
        };
        self.values.clear();
        self.weights.clear();
        for (value, weight) in times.iter().zip(numbers).map(weigh) {
            self.values.push(value);
            self.weights.push(weight);
        }
        let span = Span::of(self.values.iter().chain(&self.weights).flatten().copied());
        let (values, weights) = (&self.values, &self.weights);
        match span.width(numbers.len()) {
            Width::Narrow => add_up(values, weights, span, &mut self.narrow),
            Width::Middle => add_up(values, weights, span, &mut self.middle),
            Width::Full => add_up(values, weights, span, &mut self.full),
        }
        let infinite = numbers.iter().any(|number| number.is_infinite());
        for (start, end) in stretch.bounds {
            let (start, end) = (*start as usize - stretch.first, *end as usize - stretch.first);
            let infinity: f64 = match infinite {
                true => numbers
                    .get(start..end)
                    .unwrap_or_default()
                    .iter()
                    .filter(|number| number.is_infinite())
                    .sum(),
                false => 0.0,
            };
            output.number(match span.width(numbers.len()) {
                _ if infinity != 0.0 => infinity,
                Width::Narrow => mean(&self.narrow, start, end),
                Width::Middle => mean(&self.middle, start, end),
                Width::Full => mean(&self.full, start, end),
            });
        }
    }
}

fn add_up<const N: usize>(
    values: &[Option<Parts>],
    weights: &[Option<Parts>],
    span: Span,
    sums: &mut (Vec<Wide<N>>, Vec<Wide<N>>),
) {
    let integer = |parts: &Option<Parts>| {
        parts.map(|parts| {
            (
                Wide::shifted(parts.mantissa.into(), parts.shift(span)),
                parts.is_negative,
            )
        })
    };
    Wide::running(&mut sums.0, values.iter().map(integer));
    Wide::running(&mut sums.1, weights.iter().map(integer));
}

fn mean<const N: usize>((values, weights): &(Vec<Wide<N>>, Vec<Wide<N>>), start: usize, end: usize) -> f64 {
    let weight = at(weights, end).minus(at(weights, start)).rounded();
    let value = at(values, end).minus(at(values, start)).rounded();
    value.over(weight.mantissa, -weight.exponent).value()
}
