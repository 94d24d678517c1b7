//! Mean, sum, standard deviation, variance, slope and z-score over frames, exactly.
//!
//! For each row of a piece the sum of all values before it is kept, and where wanted that of their squares and of their products with the
//! time; a frame's sum is the difference of two. All are integers ([`exact`](super::exact)), so a frame's sums are those of its rows and
//! of nothing else, in whatever order; what is left of rounding happens once, at the end:
//!
//! ```text
//! mean     = sum / n
//! variance = (n * sum of squares - sum^2) / (n * (n - 1))             the numerator exact: no cancellation
//! slope    = (n * sum of t x - sum of t * sum of x) / (n * sum of t^2 - (sum of t)^2)
//! ```

use super::column::is_value;
use super::exact::{Parts, Span, Width};
use super::output::Output;
use super::piece::{Emit, Piece};
use super::rows::at;
use super::wide::{Scaled, Wide};

/// What is wanted of a frame's moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Mean,
    Sum,
    Std,
    Var,
    Slope,
    Zscore,
}

/// The sums before each row, kept between pieces for their memory.
#[derive(Debug, Default)]
pub(super) struct Sums {
    narrow: Limbs<2, 4>,
    middle: Limbs<4, 8>,
    full: Limbs<34, 68>,
    times: Times,
    /// How many values before each row are infinite, up and down; empty where none is.
    infinite: Vec<(u32, u32)>,
    span: Option<(Span, Width)>,
}

#[derive(Debug, Default)]
struct Limbs<const N: usize, const M: usize> {
    sums: Vec<Wide<N>>,
    squares: Vec<Wide<M>>,
    products: Vec<Wide<M>>,
}

/// Sums of the times of the rows that have a value, in microseconds since the piece's first row.
#[derive(Debug, Default)]
struct Times {
    sums: Vec<i128>,
    squares: Vec<Wide<4>>,
}

/// A number per hour for one per microsecond.
const MICROS_PER_HOUR: f64 = 3_600_000_000.0;

impl Sums {
    /// Sums the values of a piece, as far as these moments need it.
    pub(super) fn add_up(&mut self, piece: &Piece<'_>, wanted: &[Moment]) {
        let values = || piece.numbers.iter().filter_map(|number| Parts::of(*number));
        let span = Span::of(values());
        let width = span.width(piece.numbers.len());
        self.span = Some((span, width));
        let slope = wanted.contains(&Moment::Slope);
        let squares = wanted.iter().any(|moment| moment.needs_squares());
        match width {
            Width::Narrow => self.narrow.add_up(piece, span, squares, slope),
            Width::Middle => self.middle.add_up(piece, span, squares, slope),
            Width::Full => self.full.add_up(piece, span, squares, slope),
        }
        self.times.clear();
        if slope {
            self.times.add_up(piece);
        }
        self.infinite.clear();
        if piece.numbers.iter().any(|number| number.is_infinite()) {
            self.infinite.push((0, 0));
            self.infinite
                .extend(piece.numbers.iter().scan((0, 0), |(up, down), number| {
                    *up += u32::from(*number == f64::INFINITY);
                    *down += u32::from(*number == f64::NEG_INFINITY);
                    Some((*up, *down))
                }));
        }
    }

    /// One value per row and moment.
    pub(super) fn emit(&self, piece: &Piece<'_>, moments: &[Emit<Moment>], outputs: &mut [Output]) {
        match self.span {
            Some((span, Width::Narrow)) => self.emit_limbs(&self.narrow, span, piece, moments, outputs),
            Some((span, Width::Middle)) => self.emit_limbs(&self.middle, span, piece, moments, outputs),
            Some((span, Width::Full)) => self.emit_limbs(&self.full, span, piece, moments, outputs),
            None => {}
        }
    }

    fn emit_limbs<const N: usize, const M: usize>(
        &self,
        limbs: &Limbs<N, M>,
        span: Span,
        piece: &Piece<'_>,
        moments: &[Emit<Moment>],
        outputs: &mut [Output],
    ) {
        let squares = moments.iter().any(|moment| moment.what.needs_squares());
        for (asked, (start, end)) in piece
            .bounds
            .iter()
            .map(|(start, end)| (*start as usize, *end as usize))
            .enumerate()
        {
            let count = at(piece.counts, end) - at(piece.counts, start);
            let infinite = self.infinity(start, end);
            let sum = at(&limbs.sums, end).minus(at(&limbs.sums, start));
            let sums = Total { count, sum, span };
            let variance = match squares && count > 1 && infinite.is_none() {
                true => sums.variance(at(&limbs.squares, end).minus(at(&limbs.squares, start))),
                false => NOTHING,
            };
            for moment in moments {
                let value = match (moment.what, infinite) {
                    _ if count == 0 => f64::NAN,
                    (Moment::Mean | Moment::Sum, Some(infinite)) => infinite,
                    (_, Some(_)) => f64::NAN,
                    (Moment::Sum, None) => sums.sum().value(),
                    (Moment::Mean, None) => sums.mean().value(),
                    (Moment::Var, None) => variance.value(),
                    (Moment::Std, None) => variance.root().value(),
                    (Moment::Zscore, None) => {
                        let value = at(piece.numbers, piece.asked.start + asked);
                        let deviation = variance.root().value();
                        match deviation > 0.0 {
                            true => (value - sums.mean().value()) / deviation,
                            false => f64::NAN,
                        }
                    }
                    (Moment::Slope, None) => {
                        let products = at(&limbs.products, end).minus(at(&limbs.products, start));
                        self.times.slope(sums, products, start, end)
                    }
                };
                if let Some(output) = outputs.get_mut(moment.output) {
                    output.number(value);
                }
            }
        }
    }

    /// The sum of the infinite values among these rows: infinite, NaN if they are of both signs; `None` if there is none.
    #[inline]
    fn infinity(&self, start: usize, end: usize) -> Option<f64> {
        if self.infinite.is_empty() {
            return None;
        }
        let ((up, down), (up_before, down_before)) = (at(&self.infinite, end), at(&self.infinite, start));
        match (up > up_before, down > down_before) {
            (true, true) => Some(f64::NAN),
            (true, false) => Some(f64::INFINITY),
            (false, true) => Some(f64::NEG_INFINITY),
            (false, false) => None,
        }
    }
}

impl Moment {
    fn needs_squares(self) -> bool {
        matches!(self, Self::Std | Self::Var | Self::Zscore)
    }
}

const NOTHING: Scaled = Scaled {
    mantissa: f64::NAN,
    exponent: 0,
};

/// The sum of a frame's finite values, in units.
#[derive(Clone, Copy)]
struct Total<const N: usize> {
    count: u32,
    sum: Wide<N>,
    span: Span,
}

impl<const N: usize> Total<N> {
    #[inline]
    fn sum(self) -> Scaled {
        self.sum.rounded().over(1.0, self.span.unit)
    }

    #[inline]
    fn mean(self) -> Scaled {
        self.sum.rounded().over(self.count.into(), self.span.unit)
    }

    #[inline]
    fn variance<const M: usize>(self, squares: Wide<M>) -> Scaled {
        let numerator = squares.times_count(self.count.into()).minus(self.sum.times(self.sum));
        let divisor = f64::from(self.count) * f64::from(self.count - 1);
        numerator.rounded_unsigned().over(divisor, 2 * self.span.unit)
    }
}

impl<const N: usize, const M: usize> Limbs<N, M> {
    fn add_up(&mut self, piece: &Piece<'_>, span: Span, squares: bool, products: bool) {
        let values = || piece.numbers.iter().map(|number| Parts::of(*number));
        let sum = |parts: Parts| Wide::shifted(parts.mantissa.into(), parts.shift(span));
        Wide::running(
            &mut self.sums,
            values().map(|parts| parts.map(|parts| (sum(parts), parts.is_negative))),
        );
        self.squares.clear();
        if squares {
            let square = |parts: Parts| {
                let mantissa = u128::from(parts.mantissa);
                (Wide::shifted(mantissa * mantissa, 2 * parts.shift(span)), false)
            };
            Wide::running(&mut self.squares, values().map(|parts| parts.map(square)));
        }
        self.products.clear();
        if products {
            let product = |(parts, time): (Option<Parts>, &i64)| {
                parts.map(|parts| {
                    let product = u128::from(parts.mantissa) * u128::from(piece.since_first(*time));
                    (Wide::shifted(product, parts.shift(span)), parts.is_negative)
                })
            };
            Wide::running(&mut self.products, values().zip(piece.times).map(product));
        }
    }
}

impl Times {
    fn clear(&mut self) {
        self.sums.clear();
        self.squares.clear();
    }

    fn add_up(&mut self, piece: &Piece<'_>) {
        let times = || {
            let time = |(place, time): (usize, &i64)| is_value(piece.counts, place).then(|| piece.since_first(*time));
            piece.times.iter().enumerate().map(time)
        };
        self.sums.push(0);
        self.sums.extend(times().scan(0, |sum, time| {
            *sum += i128::from(time.unwrap_or(0));
            Some(*sum)
        }));
        let square = |time: u64| (Wide::shifted(u128::from(time) * u128::from(time), 0), false);
        Wide::running(&mut self.squares, times().map(|time| time.map(square)));
    }

    /// The least-squares slope per hour.
    fn slope<const N: usize, const M: usize>(
        &self,
        sums: Total<N>,
        products: Wide<M>,
        start: usize,
        end: usize,
    ) -> f64 {
        let time = at(&self.sums, end) - at(&self.sums, start);
        let squares = at(&self.squares, end).minus(at(&self.squares, start));
        let wide_time = Wide::<2>::from_i128(time);
        let divisor = squares.times_count(sums.count.into()).minus(wide_time.times(wide_time));
        if divisor.is_zero() {
            return f64::NAN;
        }
        let numerator = products
            .times_count(sums.count.into())
            .minus(Wide::from_i128(time).times(sums.sum));
        let divisor = divisor.rounded_unsigned();
        let slope = numerator
            .rounded()
            .over(divisor.mantissa, sums.span.unit - divisor.exponent);
        slope.times(MICROS_PER_HOUR).value()
    }
}
