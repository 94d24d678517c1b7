//! Target encoding: the mean label of a category, of the past only.
//!
//! A row's label counts at t when its horizon is over: `time + horizon <= t`, and never for its own time, whatever the horizon. Rows come in time
//! order, so labels come due in row order: one hand that moves forward, one exact sum per category and one of all.

use std::collections::HashMap;
use std::ops::Range;

use super::column::Column;
use super::exact::{Parts, Span, Width};
use super::output::Output;
use super::rows::at;
use super::wide::Wide;

/// What is encoded by what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Encoding<'a> {
    pub category: &'a Column,
    pub label: &'a Column,
    /// In microseconds.
    pub horizon: i64,
    /// How many rows the mean of all counts for.
    pub smoothing: f64,
}

impl Encoding<'_> {
    /// One value per asked row. `times` are those of `rows`, and `asked` counts from the first of them.
    pub(super) fn emit(&self, rows: Range<usize>, times: &[i64], asked: Range<usize>, output: &mut Output) {
        let (mut codes, mut labels) = (Vec::new(), Vec::new());
        let known = self.category.codes(rows.clone(), &mut codes);
        self.label.numbers(rows, &mut labels);
        let span = Span::of(labels.iter().filter_map(|label| Parts::of(*label)));
        let past = Past {
            codes: &codes,
            labels: &labels,
            known,
            span,
        };
        match span.width(labels.len()) {
            Width::Narrow => self.emit_limbs::<2>(&past, times, asked, output),
            Width::Middle => self.emit_limbs::<4>(&past, times, asked, output),
            Width::Full => self.emit_limbs::<34>(&past, times, asked, output),
        }
    }

    fn emit_limbs<const N: usize>(&self, past: &Past<'_>, times: &[i64], asked: Range<usize>, output: &mut Output) {
        let mut all = Sum::<N>::default();
        let mut each = vec![Sum::<N>::default(); past.known];
        let mut due = 0;
        for row in asked {
            let now = at(times, row);
            while due < row && self.is_due(at(times, due), now) {
                let label = at(past.labels, due);
                if label.is_finite() {
                    all.add(label, past.span);
                    if let Some(sum) = each.get_mut(at(past.codes, due) as usize) {
                        sum.add(label, past.span);
                    }
                }
                due += 1;
            }
            let category = each.get(at(past.codes, row) as usize);
            output.number(category.map_or(f64::NAN, |sum| smoothed(*sum, all, past.span, self.smoothing)));
        }
    }

    fn is_due(&self, time: i64, now: i64) -> bool {
        time < now && time.checked_add(self.horizon).is_some_and(|over| over <= now)
    }
}

fn smoothed<const N: usize>(category: Sum<N>, all: Sum<N>, span: Span, smoothing: f64) -> f64 {
    let mean = all.value(span) / all.count as f64;
    let weight = category.count as f64 + smoothing;
    match weight > 0.0 {
        true => (category.value(span) + smoothing * mean) / weight,
        false => mean,
    }
}

/// The same sums for labels that come one by one, of all entities. Nobody knows which sizes are to come, so its sums are of full width: 280 bytes
/// for each category.
#[derive(Debug, Default)]
pub(in super::super) struct Tally {
    all: Sum<FULL>,
    each: HashMap<Box<[u8]>, Sum<FULL>>,
}

/// Limbs for a sum of any float64s.
const FULL: usize = 34;

impl Tally {
    /// A label counts from now on; `None`: for the mean of all only. What is not finite does not count.
    pub(in super::super) fn add(&mut self, category: Option<&[u8]>, label: f64) {
        if !label.is_finite() {
            return;
        }
        self.all.add(label, Span::ALL);
        let Some(category) = category else { return };
        match self.each.get_mut(category) {
            Some(sum) => sum.add(label, Span::ALL),
            None => {
                let mut sum = Sum::default();
                sum.add(label, Span::ALL);
                self.each.insert(category.into(), sum);
            }
        }
    }

    /// The encoding of a category; `None`: no label counts yet.
    pub(in super::super) fn value(&self, category: &[u8], smoothing: f64) -> Option<f64> {
        let sum = self.each.get(category).copied().unwrap_or_default();
        Some(smoothed(sum, self.all, Span::ALL, smoothing)).filter(|value| !value.is_nan())
    }
}

/// Labels and the codes of their categories.
struct Past<'a> {
    codes: &'a [u32],
    labels: &'a [f64],
    known: usize,
    span: Span,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum<const N: usize> {
    count: u64,
    sum: Wide<N>,
}

impl<const N: usize> Sum<N> {
    fn add(&mut self, label: f64, span: Span) {
        self.count += 1;
        if let Some(parts) = Parts::of(label) {
            let magnitude = Wide::shifted(parts.mantissa.into(), parts.shift(span));
            self.sum = self.sum.plus_signed(magnitude, parts.is_negative);
        }
    }

    fn value(self, span: Span) -> f64 {
        self.sum.rounded().over(1.0, span.unit).value()
    }
}
