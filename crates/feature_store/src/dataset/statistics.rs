//! Statistics of a part, column by column, in one pass. They depend on the values and their order only, so batches do not matter.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Float32Type, Float64Type, Int32Type, Int64Type, Schema,
    TimestampMicrosecondType,
};
use chrono::{DateTime, Days, NaiveDate};
use definitions::EventTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::StoreError;
use crate::fingerprint::plain;

/// So many different texts are counted; from there on it says "at least".
pub const DISTINCT_CAP: usize = 10_000;

/// What a column holds in one part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnStatistics {
    /// The column.
    pub column: String,
    /// Rows, NULLs included.
    pub rows: u64,
    /// NULLs.
    pub nulls: u64,
    /// The smallest value; times and days as text. Infinities are the texts `inf` and `-inf`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Value>,
    /// The largest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Value>,
    /// The mean of a number; of a bool, the share that is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// The standard deviation (n - 1), from two values on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub std: Option<f64>,
    /// How many different texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct: Option<Distinct>,
}

/// A count of different values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distinct {
    /// How many.
    pub values: u64,
    /// Whether there are exactly so many; otherwise at least.
    pub exact: bool,
}

/// The statistics of a table, batch by batch.
#[derive(Debug)]
pub struct StatisticsCollector {
    columns: Vec<Collector>,
}

/// The statistics of one column, batch by batch.
#[derive(Debug)]
pub(super) struct Collector {
    column: String,
    rows: u64,
    nulls: u64,
    moments: Option<Moments>,
    extremes: Extremes,
    texts: HashSet<String>,
    is_capped: bool,
}

/// Mean and variance by Welford's method (Knuth, The Art of Computer Programming 2, 4.2.2).
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

#[derive(Debug)]
enum Extremes {
    Int(Option<(i64, i64)>),
    Float(Option<(f64, f64)>),
    Text(Option<(String, String)>),
    Date(Option<(i64, i64)>),
    Timestamp(Option<(i64, i64)>),
    Bool(Option<(bool, bool)>),
}

impl StatisticsCollector {
    /// A collector for tables of this schema.
    #[must_use]
    pub fn new(schema: &Schema) -> Self {
        let columns = schema
            .fields()
            .iter()
            .map(|field| Collector::new(field.name(), field.data_type()))
            .collect();
        Self { columns }
    }

    /// Takes in the next rows.
    ///
    /// # Errors
    /// `UnsupportedType` for a type that no declared type holds.
    pub fn update(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        self.columns
            .iter_mut()
            .zip(batch.columns())
            .try_for_each(|(column, array)| column.update(array))
    }

    /// The statistics of all the rows so far, in the order of the columns.
    #[must_use]
    pub fn finish(self) -> Vec<ColumnStatistics> {
        self.columns.into_iter().map(Collector::finish).collect()
    }
}

impl Collector {
    /// Nothing yet.
    pub(super) fn new(column: &str, data_type: &DataType) -> Self {
        let (extremes, has_mean) = match data_type {
            DataType::Boolean => (Extremes::Bool(None), true),
            DataType::Int32 | DataType::Int64 => (Extremes::Int(None), true),
            DataType::Float32 | DataType::Float64 => (Extremes::Float(None), true),
            DataType::Date32 => (Extremes::Date(None), false),
            DataType::Timestamp(..) => (Extremes::Timestamp(None), false),
            _ => (Extremes::Text(None), false),
        };
        let moments = has_mean.then(Moments::default);
        let column = column.to_owned();
        Self {
            column,
            rows: 0,
            nulls: 0,
            moments,
            extremes,
            texts: HashSet::new(),
            is_capped: false,
        }
    }

    /// Takes in the next values.
    pub(super) fn update(&mut self, array: &ArrayRef) -> Result<(), StoreError> {
        let unsupported = || StoreError::UnsupportedType {
            column: self.column.clone(),
            found: array.data_type().to_string(),
        };
        let array = plain(array)?.ok_or_else(unsupported)?;
        self.rows += array.len() as u64;
        self.nulls += array.null_count() as u64;
        match array.data_type() {
            DataType::Boolean => array
                .as_boolean()
                .iter()
                .flatten()
                .for_each(|value| self.add_bool(value)),
            DataType::Int32 => each::<Int32Type>(&array, |value| self.add_int(i64::from(value))),
            DataType::Int64 => each::<Int64Type>(&array, |value| self.add_int(value)),
            DataType::Date32 => each::<Date32Type>(&array, |value| self.add_time(i64::from(value))),
            DataType::Timestamp(..) => each::<TimestampMicrosecondType>(&array, |value| self.add_time(value)),
            DataType::Float32 => each::<Float32Type>(&array, |value| self.add_float(f64::from(value))),
            DataType::Float64 => each::<Float64Type>(&array, |value| self.add_float(value)),
            _ => array
                .as_string::<i32>()
                .iter()
                .flatten()
                .for_each(|text| self.add_text(text)),
        }
        Ok(())
    }

    fn add_number(&mut self, value: f64) {
        if let Some(moments) = &mut self.moments {
            moments.count += 1.0;
            let off = value - moments.mean;
            moments.mean += off / moments.count;
            moments.squares += off * (value - moments.mean);
        }
    }

    fn add_bool(&mut self, value: bool) {
        self.add_number(f64::from(u8::from(value)));
        if let Extremes::Bool(extremes) = &mut self.extremes {
            widen(extremes, value);
        }
    }

    fn add_int(&mut self, value: i64) {
        self.add_number(value as f64);
        if let Extremes::Int(extremes) = &mut self.extremes {
            widen(extremes, value);
        }
    }

    fn add_float(&mut self, value: f64) {
        self.add_number(value);
        if let (Extremes::Float(extremes), false) = (&mut self.extremes, value.is_nan()) {
            let (min, max) = extremes.unwrap_or((value, value));
            *extremes = Some((min.min(value), max.max(value)));
        }
    }

    fn add_time(&mut self, value: i64) {
        if let Extremes::Date(extremes) | Extremes::Timestamp(extremes) = &mut self.extremes {
            widen(extremes, value);
        }
    }

    fn add_text(&mut self, text: &str) {
        if let Extremes::Text(extremes) = &mut self.extremes {
            match extremes {
                None => *extremes = Some((text.to_owned(), text.to_owned())),
                Some((min, _)) if text < min.as_str() => text.clone_into(min),
                Some((_, max)) if text > max.as_str() => text.clone_into(max),
                Some(_) => {}
            }
        }
        if !self.is_capped && !self.texts.contains(text) {
            self.is_capped = self.texts.len() >= DISTINCT_CAP;
            if !self.is_capped {
                self.texts.insert(text.to_owned());
            }
        }
    }

    /// The statistics of all the values so far.
    pub(super) fn finish(self) -> ColumnStatistics {
        let is_text = matches!(self.extremes, Extremes::Text(_));
        let (min, max) = self.extremes.values();
        let moments = self.moments.filter(|moments| moments.count > 0.0);
        let finite = |value: f64| value.is_finite().then_some(value);
        ColumnStatistics {
            column: self.column,
            rows: self.rows,
            nulls: self.nulls,
            min,
            max,
            mean: moments.and_then(|moments| finite(moments.mean)),
            std: moments
                .filter(|m| m.count > 1.0)
                .and_then(|m| finite((m.squares / (m.count - 1.0)).sqrt())),
            distinct: is_text.then_some(Distinct {
                values: self.texts.len() as u64,
                exact: !self.is_capped,
            }),
        }
    }
}

impl Extremes {
    fn values(self) -> (Option<Value>, Option<Value>) {
        match self {
            Self::Int(extremes) => both(extremes, Value::from),
            Self::Float(extremes) => both(extremes, float),
            Self::Text(extremes) => both(extremes, Value::from),
            Self::Date(extremes) => both(extremes, day),
            Self::Timestamp(extremes) => both(extremes, |micros| Value::from(EventTime(micros).to_string())),
            Self::Bool(extremes) => both(extremes, Value::from),
        }
    }
}

fn each<T: ArrowPrimitiveType>(array: &ArrayRef, mut add: impl FnMut(T::Native)) {
    let array = array.as_primitive::<T>();
    match array.nulls() {
        None => array.values().iter().for_each(|value| add(*value)),
        Some(nulls) => {
            let values = array.values();
            for (from, to) in nulls.valid_slices() {
                values
                    .get(from..to)
                    .unwrap_or_default()
                    .iter()
                    .for_each(|value| add(*value));
            }
        }
    }
}

fn widen<T: Copy + Ord>(extremes: &mut Option<(T, T)>, value: T) {
    let (min, max) = extremes.unwrap_or((value, value));
    *extremes = Some((min.min(value), max.max(value)));
}

fn both<T>(extremes: Option<(T, T)>, value: impl Fn(T) -> Value) -> (Option<Value>, Option<Value>) {
    extremes.map_or((None, None), |(min, max)| (Some(value(min)), Some(value(max))))
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
