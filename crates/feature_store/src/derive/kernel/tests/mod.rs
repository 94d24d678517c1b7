//! Each value is what its definition says, whatever is computed beside it, before it, or after it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests may")]

mod known;
mod naive;
mod speed;

use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
    UInt32Array,
};
use arrow::compute::take;
use arrow::datatypes::{DataType, Float64Type};
use arrow::util::display::array_value_to_string;
use definitions::Duration;
use proptest::prelude::*;
use proptest::sample::select;

use self::naive::{Cell, cell};
use super::*;

/// Rows of some entities, made of parts that are easily shrunk.
#[derive(Debug, Clone)]
struct Table {
    times: Vec<i64>,
    columns: Vec<ArrayRef>,
    segments: Vec<Segment>,
    observed_until: i64,
}

/// The columns of a table by type.
const NUMBER: usize = 0;
const TAME: usize = 1;
const INTEGER: usize = 2;
const BOOL: usize = 3;
const TIME: usize = 4;
const TEXT: usize = 5;

#[derive(Debug, Clone)]
struct Row {
    gap: i64,
    number: Option<f64>,
    tame: Option<f64>,
    integer: Option<i64>,
    flag: Option<bool>,
    text: Option<&'static str>,
}

fn span(micros: i64) -> Duration {
    Duration::from_micros(micros).unwrap()
}

fn row() -> impl Strategy<Value = Row> {
    let gap = prop_oneof![4 => Just(0), 8 => 1..8_i64, 2 => 8..100_i64, 1 => 100..5_000_i64];
    let number = prop_oneof![
        2 => Just(None),
        1 => Just(Some(f64::NAN)),
        1 => select(vec![f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, f64::MAX, f64::MIN, 5e-324, -1e-310]).prop_map(Some),
        4 => any::<f64>().prop_map(Some),
        8 => (-100..100_i32).prop_map(|number| Some(f64::from(number) / 8.0)),
    ];
    let tame = prop_oneof![1 => Just(None), 6 => (-1e6..1e6).prop_map(Some)];
    let integer = prop_oneof![1 => Just(None), 3 => (-3..3_i64).prop_map(Some), 2 => any::<i64>().prop_map(Some)];
    let text = select(vec![None, Some(""), Some("a"), Some("b"), Some("c")]);
    (gap, number, tame, integer, any::<Option<bool>>(), text).prop_map(|(gap, number, tame, integer, flag, text)| Row {
        gap,
        number,
        tame,
        integer,
        flag,
        text,
    })
}

fn table() -> impl Strategy<Value = Table> {
    let entities = prop::collection::vec(prop::collection::vec(row(), 0..40), 0..4);
    let start = prop_oneof![
        4 => -50..50_i64,
        2 => Just(1_700_000_000_000_000),
        1 => Just(i64::MIN),
        1 => i64::MAX - 200..=i64::MAX,
    ];
    let observed = prop_oneof![
        Just(i64::MAX),
        -100..400_i64,
        Just(1_700_000_000_000_100),
        Just(i64::MIN)
    ];
    (entities, start, observed).prop_map(|(entities, start, observed_until)| {
        let mut times = Vec::new();
        let mut segments = Vec::new();
        for entity in &entities {
            let first = times.len();
            let mut time = start;
            times.extend(entity.iter().map(|row| {
                time = time.saturating_add(row.gap);
                time
            }));
            segments.push(Segment {
                rows: first..times.len(),
                asked: first..times.len(),
            });
        }
        let rows: Vec<&Row> = entities.iter().flatten().collect();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows.iter().map(|row| row.number).collect::<Float64Array>()),
            Arc::new(rows.iter().map(|row| row.tame).collect::<Float64Array>()),
            Arc::new(rows.iter().map(|row| row.integer).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|row| row.flag).collect::<BooleanArray>()),
            Arc::new(
                rows.iter()
                    .map(|row| row.integer)
                    .collect::<TimestampMicrosecondArray>()
                    .with_timezone("UTC"),
            ),
            Arc::new(rows.iter().map(|row| row.text).collect::<StringArray>()),
        ];
        Table {
            times,
            columns,
            segments,
            observed_until,
        }
    })
}

/// A computation that reads frames.
fn computation() -> impl Strategy<Value = Computation> {
    let width = || prop_oneof![6 => 1..40_i64, 2 => 40..2_000_i64, 1 => Just(i64::MAX)].prop_map(span);
    let of_number = || select(vec![NUMBER, TAME, INTEGER, BOOL]);
    let q = prop_oneof![select(vec![0.0, 0.5, 0.9, 1.0]), 0.0..1.0];
    let numeric = prop_oneof![
        3 => select(vec![Aggregate::Mean, Aggregate::Sum, Aggregate::Std, Aggregate::Var, Aggregate::Median, Aggregate::Slope]),
        1 => q.prop_map(Aggregate::Quantile),
        1 => width().prop_map(Aggregate::Ewm),
    ];
    let ordered = (
        select(vec![NUMBER, TAME, INTEGER, BOOL, TIME]),
        select(vec![Aggregate::Min, Aggregate::Max]),
    );
    let any = [Aggregate::First, Aggregate::Last, Aggregate::Count, Aggregate::Nunique];
    let any = (NUMBER..=TEXT, select(any.to_vec()));
    let aggregate = prop_oneof![3 => (of_number(), numeric), 1 => ordered, 2 => any].boxed();
    prop_oneof![
        6 => (aggregate.clone(), width()).prop_map(|((of, aggregate), window)| Computation::Window { of, window, aggregate }),
        3 => (aggregate, width()).prop_map(|((of, aggregate), lead)| Computation::Lead { of, lead, aggregate }),
        1 => (NUMBER..=TEXT, 0..40_i64, width()).prop_map(|(of, lag, max_age)| Computation::Lag { of, lag: span(lag), max_age }),
        1 => (NUMBER..=TEXT, width()).prop_map(|(of, max_age)| Computation::Fill { of, with: Filling::LastKnown { max_age } }),
        1 => (of_number(), prop::option::of(width())).prop_map(|(of, window)| Computation::Zscore { of, window }),
    ]
}

impl Table {
    fn rows(&self) -> OrderedRows<'_> {
        OrderedRows {
            times: &self.times,
            columns: &self.columns,
            segments: &self.segments,
            observed_until: self.observed_until,
        }
    }

    fn compute(&self, computations: &[Computation], threads: usize, grain: Grain) -> Vec<Vec<String>> {
        let arrays = compute_by(computations, &self.rows(), NonZeroUsize::new(threads).unwrap(), grain).unwrap();
        arrays.iter().map(values).collect()
    }

    /// Only the rows that the value for one of them may depend on, that one asked.
    fn around(&self, row: usize, reach: Reach) -> Self {
        let segment = self
            .segments
            .iter()
            .find(|segment| segment.rows.contains(&row))
            .unwrap();
        let t = i128::from(self.times[row]);
        let after = reach.back.map_or(i128::MIN, |back| t - i128::from(back.micros()));
        let until = t + i128::from(reach.ahead.micros());
        let inside = |time: &i64| after < i128::from(*time) && i128::from(*time) <= until;
        let reached: Vec<usize> = segment
            .rows
            .clone()
            .filter(|other| *other == row || inside(&self.times[*other]))
            .collect();
        let place = reached.iter().position(|other| *other == row).unwrap();
        let taken: UInt32Array = reached.iter().map(|other| *other as u32).collect();
        Self {
            times: reached.iter().map(|other| self.times[*other]).collect(),
            columns: self
                .columns
                .iter()
                .map(|column| take(column, &taken, None).unwrap())
                .collect(),
            segments: vec![Segment {
                rows: 0..reached.len(),
                asked: place..place + 1,
            }],
            observed_until: self.observed_until,
        }
    }
}

/// Values to be compared to the bit.
fn values(array: &ArrayRef) -> Vec<String> {
    let value = |row: usize| match array.data_type() {
        _ if array.is_null(row) => "NULL".to_owned(),
        DataType::Float64 => {
            let number = array.as_primitive::<Float64Type>().value(row);
            format!("{number:?} {:x}", number.to_bits())
        }
        DataType::Timestamp(..) => array.to_data().buffers()[0].typed_data::<i64>()[row].to_string(),
        _ => array_value_to_string(array, row).unwrap(),
    };
    (0..array.len()).map(value).collect()
}

/// What the definition says.
fn defined(table: &Table, computation: &Computation) -> Vec<String> {
    let of = match computation {
        Computation::Window { of, .. } | Computation::Lead { of, .. } | Computation::Lag { of, .. } => *of,
        Computation::Fill { of, .. } => *of,
        _ => 0,
    };
    let column = values(&table.columns[of]);
    let rows = table.rows();
    let asked = table
        .segments
        .iter()
        .flat_map(|segment| segment.asked.clone().map(move |row| (segment, row)));
    asked
        .map(|(segment, row)| match cell(computation, &rows, segment, row) {
            Cell::Null => "NULL".to_owned(),
            Cell::Number(bits) => format!("{:?} {bits:x}", f64::from_bits(bits)),
            Cell::Count(count) => count.to_string(),
            Cell::Row(row) => column[row].clone(),
        })
        .collect()
}

const WHOLE: Grain = Grain {
    piece: 1_000,
    share: 1_000,
};

proptest! {
    #[test]
    fn every_value_is_what_its_definition_says(table in table(), computations in prop::collection::vec(computation(), 1..8)) {
        let found = table.compute(&computations, 1, WHOLE);
        for (computation, found) in computations.iter().zip(found) {
            prop_assert_eq!(found, defined(&table, computation), "{:?}", computation);
        }
    }

    #[test]
    fn pieces_and_threads_change_no_bit(
        table in table(),
        computations in prop::collection::vec(computation(), 1..8),
        threads in 1..5_usize,
        piece in 1..20_usize,
        share in 1..20_usize,
    ) {
        let whole = table.compute(&computations, 1, WHOLE);
        prop_assert_eq!(table.compute(&computations, threads, Grain { piece, share }), whole);
    }

    #[test]
    fn a_value_on_demand_is_that_of_the_full_pass(table in table(), computations in prop::collection::vec(computation(), 1..8)) {
        let whole = table.compute(&computations, 1, WHOLE);
        for (computation, whole) in computations.iter().zip(whole) {
            for (row, whole) in whole.iter().enumerate() {
                let around = table.around(row, computation.reach());
                let found = around.compute(std::slice::from_ref(computation), 1, WHOLE);
                prop_assert_eq!(&found[0][0], whole, "row {} of {:?}", row, computation);
            }
        }
    }
}
