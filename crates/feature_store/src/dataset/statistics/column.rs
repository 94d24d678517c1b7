//! One column, batch by batch, on its way into the sketches.

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Float32Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use chrono::{DateTime, Days, NaiveDate};
use definitions::EventTime;
use serde_json::Value;
use sketches::key::{of_float, of_integer, to_float, to_integer};
use sketches::{Accuracy, FrequentValues, Kind, NumberSketch, NumberSummary, Quantiles, STANDARD_ERROR, TextSketch};

use super::{ColumnStatistics, DISTINCT_CAP, Distinct, Histogram, QuantileValues, Remark, TopValue};
use crate::StoreError;
use crate::fingerprint::plain;

/// So many frequent values are kept.
const TOP: usize = 8;
/// So many keys are made at once: they stay in the processor's cache.
const KEYS_AT_ONCE: usize = 2_048;
/// Bins of a histogram.
const BINS: usize = 16;

/// The statistics of one column, batch by batch.
#[derive(Debug)]
pub(in crate::dataset) struct Collector {
    column: String,
    rows: u64,
    nulls: u64,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Numbers(Shown, NumberSketch),
    Texts(TextSketch, Option<(String, String)>),
    Bools { trues: u64, falses: u64 },
}

/// How a key is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Float,
    Integer,
    Day,
    Time,
}

impl Collector {
    /// Nothing yet.
    pub(in crate::dataset) fn new(column: &str, data_type: &DataType) -> Self {
        let numbers = |shown, kind| Values::Numbers(shown, NumberSketch::new(kind, Accuracy::Summary));
        let values = match data_type {
            DataType::Boolean => Values::Bools { trues: 0, falses: 0 },
            DataType::Int32 | DataType::Int64 => numbers(Shown::Integer, Kind::Integer),
            DataType::Float32 | DataType::Float64 => numbers(Shown::Float, Kind::Float),
            DataType::Date32 => numbers(Shown::Day, Kind::Integer),
            DataType::Timestamp(..) => numbers(Shown::Time, Kind::Integer),
            _ => Values::Texts(TextSketch::new(DISTINCT_CAP), None),
        };
        Self {
            column: column.to_owned(),
            rows: 0,
            nulls: 0,
            values,
        }
    }

    /// Takes in the next values.
    pub(in crate::dataset) fn update(&mut self, array: &ArrayRef) -> Result<(), StoreError> {
        let unsupported = || StoreError::UnsupportedType {
            column: self.column.clone(),
            found: array.data_type().to_string(),
        };
        let array = plain(array)?.ok_or_else(unsupported)?;
        self.rows += array.len() as u64;
        self.nulls += array.null_count() as u64;
        match &mut self.values {
            Values::Numbers(_, sketch) => {
                for from in (0..array.len()).step_by(KEYS_AT_ONCE) {
                    sketch.extend(&keys(&array.slice(from, KEYS_AT_ONCE.min(array.len() - from))));
                }
            }
            Values::Texts(sketch, extremes) => {
                for text in array.as_string::<i32>().iter().flatten() {
                    sketch.add(text);
                    widen(extremes, text);
                }
            }
            Values::Bools { trues, falses } => {
                let count = array.as_boolean().true_count() as u64;
                *trues += count;
                *falses += (array.len() - array.null_count()) as u64 - count;
            }
        }
        Ok(())
    }

    /// The statistics of all the values so far.
    pub(in crate::dataset) fn finish(self) -> ColumnStatistics {
        let mut statistics = ColumnStatistics {
            column: self.column,
            rows: self.rows,
            nulls: self.nulls,
            min: None,
            max: None,
            mean: None,
            std: None,
            zeros: None,
            distinct: None,
            remark: None,
            quantiles: None,
            histogram: None,
            top: Vec::new(),
            top_error: 0,
        };
        match self.values {
            Values::Numbers(shown, sketch) => numbers(&mut statistics, shown, &sketch.finish()),
            Values::Texts(sketch, extremes) => {
                let found = sketch.finish();
                (statistics.min, statistics.max) =
                    extremes.map_or((None, None), |(min, max)| (Some(min.into()), Some(max.into())));
                frequencies(&mut statistics, &found.frequent, |_, text| Value::from(text.as_ref()));
            }
            Values::Bools { trues, falses } => bools(&mut statistics, trues, falses),
        }
        statistics.remark = remark(&statistics);
        statistics
    }
}

fn numbers(statistics: &mut ColumnStatistics, shown: Shown, found: &NumberSummary) {
    (statistics.min, statistics.max) = found.extremes.map_or((None, None), |(min, max)| {
        (Some(shown.value(min)), Some(shown.value(max)))
    });
    if matches!(shown, Shown::Float | Shown::Integer) {
        statistics.mean = found.moments.mean();
        statistics.std = found.moments.deviation();
        statistics.zeros = Some(found.zeros);
        statistics.histogram = histogram(found);
    }
    statistics.quantiles = quantiles(shown, &found.quantiles);
    frequencies(statistics, &found.frequent, |key, ()| shown.value(key));
}

fn quantiles(shown: Shown, found: &Quantiles) -> Option<QuantileValues> {
    let quantile = |share| found.quantile(share).map(|key| shown.value(key));
    Some(QuantileValues {
        p01: quantile(0.01)?,
        p05: quantile(0.05)?,
        p25: quantile(0.25)?,
        p50: quantile(0.5)?,
        p75: quantile(0.75)?,
        p95: quantile(0.95)?,
        p99: quantile(0.99)?,
        rank_error: found.error(),
    })
}

fn histogram(found: &NumberSummary) -> Option<Histogram> {
    let value = |share| found.quantiles.quantile(share).map(|key| found.kind.value(key));
    let (mut from, mut to) = (value(0.01)?, value(0.99)?);
    if from >= to {
        let (min, max) = found.extremes?;
        (from, to) = (found.kind.value(min), found.kind.value(max));
    }
    let is_drawable = from < to && (to - from).is_finite();
    is_drawable.then(|| Histogram {
        from,
        to,
        below: found.below(from),
        counts: found.histogram(from, to, BINS),
        above: found.above(to),
    })
}

fn frequencies<V: Clone + Ord>(
    statistics: &mut ColumnStatistics,
    found: &FrequentValues<V>,
    show: impl Fn(u64, &V) -> Value,
) {
    statistics.distinct = Some(Distinct {
        // An estimate may be larger than what there is to count.
        values: found.distinct().min(statistics.rows - statistics.nulls),
        exact: found.is_exact(),
        standard_error: (!found.is_exact()).then_some(STANDARD_ERROR),
    });
    let top = found.top(TOP);
    let often = top.iter().filter(|value| value.count > 1);
    statistics.top = often
        .map(|value| TopValue {
            value: show(value.key, &value.value),
            rows: value.count,
        })
        .collect();
    statistics.top_error = found.error();
}

fn bools(statistics: &mut ColumnStatistics, trues: u64, falses: u64) {
    let count = trues + falses;
    if count == 0 {
        return;
    }
    let mean = trues as f64 / count as f64;
    statistics.min = Some(Value::from(falses == 0));
    statistics.max = Some(Value::from(trues > 0));
    statistics.mean = Some(mean);
    statistics.std = (count > 1).then(|| (trues as f64 * (1.0 - mean) / (count - 1) as f64).sqrt());
    statistics.distinct = Some(Distinct {
        values: u64::from(trues > 0) + u64::from(falses > 0),
        exact: true,
        standard_error: None,
    });
    let mut sides = [(true, trues), (false, falses)];
    sides.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
    let often = sides.into_iter().filter(|(_, rows)| *rows > 1);
    statistics.top = often
        .map(|(value, rows)| TopValue {
            value: Value::from(value),
            rows,
        })
        .collect();
}

fn remark(statistics: &ColumnStatistics) -> Option<Remark> {
    let values = statistics.rows - statistics.nulls;
    if statistics.rows > 0 && values == 0 {
        return Some(Remark::NoValues);
    }
    if values > 0 && statistics.zeros == Some(values) {
        return Some(Remark::AllZero);
    }
    (values > 1 && statistics.min == statistics.max).then_some(Remark::Constant)
}

impl Shown {
    fn value(self, key: u64) -> Value {
        match self {
            Self::Float => float(to_float(key)),
            Self::Integer => Value::from(to_integer(key)),
            Self::Day => day(to_integer(key)),
            Self::Time => Value::from(EventTime(to_integer(key)).to_string()),
        }
    }
}

/// The keys of a plain array of numbers or times, without NULL and NaN; none of other types.
pub(crate) fn keys(array: &ArrayRef) -> Vec<u64> {
    match array.data_type() {
        DataType::Int32 => all::<Int32Type>(array, |value| of_integer(i64::from(value))),
        DataType::Int64 => all::<Int64Type>(array, of_integer),
        DataType::Date32 => all::<Date32Type>(array, |value| of_integer(i64::from(value))),
        DataType::Timestamp(..) => all::<TimestampMicrosecondType>(array, of_integer),
        DataType::Float32 => floats(array.as_primitive::<Float32Type>(), f64::from),
        DataType::Float64 => floats(array.as_primitive::<Float64Type>(), |value| value),
        _ => Vec::new(),
    }
}

fn all<T: ArrowPrimitiveType>(array: &ArrayRef, key: impl Fn(T::Native) -> u64) -> Vec<u64> {
    let array = array.as_primitive::<T>();
    if array.null_count() == 0 {
        array.values().iter().map(|value| key(*value)).collect()
    } else {
        of_those(array, |_| true, key)
    }
}

fn floats<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, float: impl Fn(T::Native) -> f64) -> Vec<u64> {
    let values = array.values();
    if array.null_count() == 0 {
        // Looking at every value is faster than stopping at the first NaN: nothing branches.
        let mut is_nan = false;
        let key = |value: &T::Native| {
            is_nan |= float(*value).is_nan();
            of_float(float(*value))
        };
        let keys = values.iter().map(key).collect();
        if !is_nan {
            return keys;
        }
    }
    of_those(array, |value| !float(value).is_nan(), |value| of_float(float(value)))
}

/// The keys of the values that are there and wanted. Every one is written, and stays if it counts: nothing branches.
fn of_those<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    is_wanted: impl Fn(T::Native) -> bool,
    key: impl Fn(T::Native) -> u64,
) -> Vec<u64> {
    let mut keys = vec![0; array.len()];
    let mut count = 0;
    let mut put = |value: T::Native, is_there: bool| {
        if let Some(place) = keys.get_mut(count) {
            *place = key(value);
        }
        count += usize::from(is_there & is_wanted(value));
    };
    match array.nulls() {
        Some(nulls) => {
            let values = array.values().iter().zip(nulls);
            values.for_each(|(value, is_there)| put(*value, is_there));
        }
        None => array.values().iter().for_each(|value| put(*value, true)),
    }
    keys.truncate(count);
    keys
}

fn widen(extremes: &mut Option<(String, String)>, text: &str) {
    match extremes {
        None => *extremes = Some((text.to_owned(), text.to_owned())),
        Some((min, _)) if text < min.as_str() => text.clone_into(min),
        Some((_, max)) if text > max.as_str() => text.clone_into(max),
        Some(_) => {}
    }
}

fn float(value: f64) -> Value {
    if value.is_finite() {
        Value::from(value)
    } else {
        Value::from(value.to_string())
    }
}

fn day(days: i64) -> Value {
    let epoch = DateTime::UNIX_EPOCH.date_naive();
    let shift = Days::new(days.unsigned_abs());
    let day: Option<NaiveDate> = if days < 0 {
        epoch.checked_sub_days(shift)
    } else {
        epoch.checked_add_days(shift)
    };
    day.map_or_else(|| Value::from(days), |day| Value::from(day.to_string()))
}
