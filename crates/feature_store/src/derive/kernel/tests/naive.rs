//! The definitions, written down as they stand: for each row all rows of its entity are looked at, and sums are made of integers without bound.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use num_bigint::{BigInt, Sign};

use super::super::{Aggregate, Computation, Filling, OrderedRows, Segment};

/// A value as it is compared.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    Number(u64),
    Count(i64),
    /// The value of that row of the column.
    Row(usize),
}

/// The value of a computation over frames for one row of an entity.
pub(super) fn cell(computation: &Computation, rows: &OrderedRows<'_>, segment: &Segment, row: usize) -> Cell {
    let micros = |span: &definitions::Duration| i128::from(span.micros());
    let entity = Entity { rows, segment, row };
    match computation {
        Computation::Window { of, window, aggregate } => entity.aggregate(*of, -micros(window), 0, *aggregate),
        Computation::Lead { of, lead, aggregate } => {
            let is_over = entity.time(row) + micros(lead) <= i128::from(rows.observed_until);
            match is_over || rows.observed_until == i64::MAX {
                true => entity.aggregate(*of, 0, micros(lead), *aggregate),
                false => Cell::Null,
            }
        }
        Computation::Lag { of, lag, max_age } => {
            entity.aggregate(*of, -micros(lag) - micros(max_age), -micros(lag), Aggregate::Last)
        }
        Computation::Fill {
            of,
            with: Filling::LastKnown { max_age },
        } => match has_value(&rows.columns[*of], row) {
            true => Cell::Row(row),
            false => entity.aggregate(*of, -micros(max_age), 0, Aggregate::Last),
        },
        Computation::Zscore { of, window } => {
            let after = window.as_ref().map_or(i128::MIN / 2, |window| -micros(window));
            entity.zscore(*of, after)
        }
        other => panic!("{} reads no frame", other.name()),
    }
}

struct Entity<'a> {
    rows: &'a OrderedRows<'a>,
    segment: &'a Segment,
    row: usize,
}

impl Entity<'_> {
    fn time(&self, row: usize) -> i128 {
        self.rows.times[row].into()
    }

    /// The rows in `(t + after, t + until]` that have a value.
    fn frame(&self, of: usize, after: i128, until: i128) -> Vec<usize> {
        let t = self.time(self.row);
        let inside = |row: &usize| t + after < self.time(*row) && self.time(*row) <= t + until;
        let rows = self.segment.rows.clone().filter(inside);
        rows.filter(|row| has_value(&self.rows.columns[of], *row)).collect()
    }

    fn aggregate(&self, of: usize, after: i128, until: i128, aggregate: Aggregate) -> Cell {
        let column = &self.rows.columns[of];
        let frame = self.frame(of, after, until);
        let numbers: Vec<f64> = frame.iter().map(|row| number(column, *row)).collect();
        match aggregate {
            Aggregate::Count => Cell::Count(frame.len() as i64),
            Aggregate::Nunique => {
                let different: HashSet<String> = frame.iter().map(|row| key(column, *row)).collect();
                Cell::Count(different.len() as i64)
            }
            _ if frame.is_empty() => Cell::Null,
            Aggregate::First => Cell::Row(frame[0]),
            Aggregate::Last => Cell::Row(frame[frame.len() - 1]),
            Aggregate::Min => Cell::Row(best(column, &frame, |old, new| new <= old)),
            Aggregate::Max => Cell::Row(best(column, &frame, |old, new| new >= old)),
            Aggregate::Mean => moment(&numbers, |sum| sum.mean()),
            Aggregate::Sum => moment(&numbers, |sum| scaled(sum.sum(), 0)),
            Aggregate::Var => finite(&numbers, |sum| {
                sum.variance().map_or(f64::NAN, |(m, e)| scaled((m, e), 0))
            }),
            Aggregate::Std => finite(&numbers, |sum| sum.deviation()),
            Aggregate::Median => quantile(numbers, 0.5),
            Aggregate::Quantile(q) => quantile(numbers, q),
            Aggregate::Ewm(half_life) => self.ewm(of, after, until, half_life.micros()),
            Aggregate::Slope => {
                let times: Vec<i128> = frame.iter().map(|row| self.time(*row)).collect();
                finite(&numbers, |_| slope(&times, &numbers))
            }
        }
    }

    fn zscore(&self, of: usize, after: i128) -> Cell {
        let column = &self.rows.columns[of];
        let past: Vec<f64> = self
            .frame(of, after, -1)
            .iter()
            .map(|row| number(column, *row))
            .collect();
        if !has_value(column, self.row) {
            return Cell::Null;
        }
        let value = number(column, self.row);
        finite(&past, |sum| match sum.deviation() {
            deviation if deviation > 0.0 => (value - sum.mean()) / deviation,
            _ => f64::NAN,
        })
    }

    fn ewm(&self, of: usize, after: i128, until: i128, half_life: i64) -> Cell {
        let column = &self.rows.columns[of];
        let frame = self.frame(of, after.max(until - 64 * i128::from(half_life)), until);
        let numbers: Vec<f64> = frame.iter().map(|row| number(column, *row)).collect();
        if frame.is_empty() {
            return Cell::Null;
        }
        if numbers.iter().any(|number| number.is_infinite()) {
            return number_cell(infinite_sum(&numbers));
        }
        let first = self.rows.times[frame[0]].div_euclid(half_life);
        let (mut values, mut weights) = (BigInt::ZERO, BigInt::ZERO);
        for row in &frame {
            let time = self.rows.times[*row];
            let power = (i128::from(time.div_euclid(half_life)) - i128::from(first)) as usize;
            let weight = 0.5 * libm::exp2(time.rem_euclid(half_life) as f64 / half_life as f64);
            values += integer(number(column, *row) * weight) << power;
            weights += integer(weight) << power;
        }
        let ((value, exponent), (weight, weight_exponent)) = (rounded(&values), rounded(&weights));
        number_cell(scaled((value / weight, exponent - weight_exponent), 1_074))
    }
}

/// Sums of finite numbers in units of the least positive float64.
struct Sum<'a>(&'a [f64]);

impl Sum<'_> {
    fn total(&self) -> BigInt {
        self.0.iter().map(|number| integer(*number)).sum()
    }

    fn sum(&self) -> (f64, i64) {
        rounded(&self.total())
    }

    fn mean(&self) -> f64 {
        let (mantissa, exponent) = self.sum();
        scaled((mantissa / self.0.len() as f64, exponent), 0)
    }

    /// Its mantissa and exponent, without a unit.
    fn variance(&self) -> Option<(f64, i64)> {
        let count = self.0.len();
        let squares: BigInt = self.0.iter().map(|number| integer(*number).pow(2)).sum();
        let (mantissa, exponent) = rounded(&(squares * count - self.total().pow(2)));
        let divisor = count as f64 * count.checked_sub(1).filter(|less| *less > 0)? as f64;
        // The units are squared; one of them is taken off by who scales.
        Some((mantissa / divisor, exponent - 1_074))
    }

    fn deviation(&self) -> f64 {
        let Some((mantissa, exponent)) = self.variance() else {
            return f64::NAN;
        };
        let exponent = exponent - 1_074;
        let odd = exponent & 1;
        let root = (mantissa * 2f64.powi(odd as i32)).sqrt();
        scaled((root, (exponent - odd) / 2), 1_074)
    }
}

fn moment(numbers: &[f64], of: impl Fn(Sum<'_>) -> f64) -> Cell {
    match numbers.iter().any(|number| number.is_infinite()) {
        true => number_cell(infinite_sum(numbers)),
        false => number_cell(of(Sum(numbers))),
    }
}

fn finite(numbers: &[f64], of: impl Fn(Sum<'_>) -> f64) -> Cell {
    match numbers.iter().any(|number| number.is_infinite()) {
        true => Cell::Null,
        false => number_cell(of(Sum(numbers))),
    }
}

fn infinite_sum(numbers: &[f64]) -> f64 {
    numbers.iter().filter(|number| number.is_infinite()).sum()
}

fn slope(times: &[i128], numbers: &[f64]) -> f64 {
    let count = BigInt::from(times.len());
    let times: Vec<BigInt> = times.iter().map(|time| BigInt::from(*time)).collect();
    let values: Vec<BigInt> = numbers.iter().map(|number| integer(*number)).collect();
    let (time, value): (BigInt, BigInt) = (times.iter().sum(), values.iter().sum());
    let products: BigInt = times.iter().zip(&values).map(|(time, value)| time * value).sum();
    let squares: BigInt = times.iter().map(|time| time.pow(2)).sum();
    let divisor = &count * squares - time.pow(2);
    if divisor == BigInt::ZERO {
        return f64::NAN;
    }
    let (numerator, exponent) = rounded(&(count * products - time * value));
    let (divisor, divisor_exponent) = rounded(&divisor);
    scaled((numerator / divisor * 3.6e9, exponent - divisor_exponent), 0)
}

fn quantile(mut numbers: Vec<f64>, q: f64) -> Cell {
    numbers.sort_by(f64::total_cmp);
    let place = (numbers.len() - 1) as f64 * q;
    let below = numbers[place.floor() as usize];
    if place.fract() == 0.0 {
        return number_cell(below);
    }
    let above = numbers[place.floor() as usize + 1];
    number_cell(super::super::ranks::between(below, above, place.fract()))
}

/// The last of those that none beats.
fn best(column: &ArrayRef, frame: &[usize], replaces: fn(i128, i128) -> bool) -> usize {
    let order = |row: usize| match column.data_type().is_floating() {
        // Ordered as the numbers are, both zeros the same.
        true => {
            let bits = (number(column, row) + 0.0).to_bits() as i64;
            i128::from(bits ^ ((bits >> 63) as u64 >> 1) as i64)
        }
        false => cast(&column.slice(row, 1), &DataType::Int64)
            .unwrap()
            .as_primitive::<Int64Type>()
            .value(0)
            .into(),
    };
    frame
        .iter()
        .copied()
        .reduce(|old, new| if replaces(order(old), order(new)) { new } else { old })
        .unwrap()
}

fn has_value(column: &ArrayRef, row: usize) -> bool {
    column.is_valid(row) && !(column.data_type().is_floating() && number(column, row).is_nan())
}

fn number(column: &ArrayRef, row: usize) -> f64 {
    match column.data_type() {
        DataType::Utf8 => f64::NAN,
        DataType::Timestamp(..) => number(&cast(&column.slice(row, 1), &DataType::Int64).unwrap(), 0),
        _ => cast(&column.slice(row, 1), &DataType::Float64)
            .unwrap()
            .as_primitive::<Float64Type>()
            .value(0),
    }
}

/// What makes values different.
fn key(column: &ArrayRef, row: usize) -> String {
    match column.data_type().is_floating() {
        true => format!("{:?}", number(column, row) + 0.0),
        false => arrow::util::display::array_value_to_string(column, row).unwrap(),
    }
}

/// A finite number in units of the least positive float64.
fn integer(number: f64) -> BigInt {
    let bits = number.to_bits();
    let (exponent, fraction) = (bits >> 52 & 0x7ff, bits & ((1 << 52) - 1));
    let size = match exponent {
        0 => BigInt::from(fraction),
        _ => BigInt::from(fraction | 1 << 52) << (exponent - 1),
    };
    if number.is_sign_negative() { -size } else { size }
}

/// Rounded to 53 bits, ties to even: mantissa and exponent.
fn rounded(number: &BigInt) -> (f64, i64) {
    let lost = number.bits().saturating_sub(60);
    let head = number.magnitude() >> lost;
    let sticky = u64::from(&head << lost != *number.magnitude());
    let mantissa = ((u64::try_from(head).unwrap() << 1) | sticky) as f64;
    let mantissa = if number.sign() == Sign::Minus {
        -mantissa
    } else {
        mantissa
    };
    (mantissa, lost as i64 - 1)
}

/// In units of the least positive float64; `plus` undoes that.
fn scaled((mantissa, exponent): (f64, i64), plus: i64) -> f64 {
    libm::scalbn(mantissa, (exponent - 1_074 + plus) as i32)
}

fn number_cell(number: f64) -> Cell {
    if number.is_nan() {
        Cell::Null
    } else {
        Cell::Number(number.to_bits())
    }
}
