//! Columns in, statistics out; every number is what NumPy says.
#![allow(clippy::unwrap_used, reason = "tests may")]

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray};
use serde_json::json;

use super::*;

fn of(array: impl arrow::array::Array + 'static) -> ColumnStatistics {
    let array: ArrayRef = Arc::new(array);
    let mut collector = Collector::new("x", array.data_type());
    collector.update(&array).unwrap();
    collector.finish()
}

#[test]
fn numbers_are_counted_and_ordered() {
    let values = (0..=100).map(|at| Some(f64::from(at) / 4.0)).chain([None, Some(0.0)]);
    let found = of(Float64Array::from(values.collect::<Vec<_>>()));
    assert!((found.mean.unwrap() - 12.377_450_980_392_156).abs() < 1e-12);
    assert!((found.std.unwrap() - 7.393_027_982_166_579).abs() < 1e-12);
    let exact = ColumnStatistics {
        mean: None,
        std: None,
        ..found
    };
    let expected = json!({
        "column": "x", "rows": 103, "nulls": 1, "min": 0.0, "max": 25.0, "zeros": 2,
        "distinct": { "values": 101, "exact": true },
        "quantiles": { "p01": 0.0, "p05": 1.0, "p25": 6.0, "p50": 12.25, "p75": 18.75, "p95": 23.75, "p99": 24.75, "rank_error": 0 },
        "histogram": { "from": 0.0, "to": 24.75, "below": 0, "counts": [8, 6, 6, 6, 6, 7, 6, 6, 6, 6, 7, 6, 6, 6, 6, 7], "above": 1 },
        "top": [{ "value": 0.0, "rows": 2 }],
    });
    assert_eq!(serde_json::to_value(exact).unwrap(), expected);
}

#[test]
fn columns_that_say_nothing_are_remarked_on() {
    let remark = |array: ArrayRef| of(array).remark;
    assert_eq!(
        remark(Arc::new(Int64Array::from(vec![None, None]))),
        Some(Remark::NoValues)
    );
    assert_eq!(
        remark(Arc::new(Int64Array::from(vec![Some(0), None, Some(0)]))),
        Some(Remark::AllZero)
    );
    assert_eq!(
        remark(Arc::new(StringArray::from(vec!["a", "a"]))),
        Some(Remark::Constant)
    );
    assert_eq!(
        remark(Arc::new(BooleanArray::from(vec![true, true]))),
        Some(Remark::Constant)
    );
    assert_eq!(remark(Arc::new(Float64Array::from(vec![1.0, 2.0]))), None);
    assert_eq!(remark(Arc::new(Float64Array::from(Vec::<f64>::new()))), None);
}

#[test]
fn texts_bools_and_days_have_their_frequent_values() {
    let found = of(StringArray::from(vec!["eu", "us", "eu", "asia"]));
    assert_eq!((found.min, found.max), (Some("asia".into()), Some("us".into())));
    assert_eq!(
        found.top,
        [TopValue {
            value: "eu".into(),
            rows: 2
        }]
    );
    let found = of(BooleanArray::from(vec![
        Some(true),
        Some(false),
        Some(true),
        Some(true),
        None,
    ]));
    assert_eq!((found.mean, found.std), (Some(0.75), Some(0.5)));
    assert_eq!(
        found.top,
        [TopValue {
            value: true.into(),
            rows: 3
        }]
    );
    let found = of(Date32Array::from(vec![19_000, 19_001, 19_001]));
    assert_eq!(found.quantiles.unwrap().p50, Value::from("2022-01-09"));
    assert_eq!(
        found.top,
        [TopValue {
            value: "2022-01-09".into(),
            rows: 2
        }]
    );
}

#[test]
fn nan_is_left_out_and_infinity_is_not() {
    let found = of(Float64Array::from(vec![
        f64::NAN,
        1.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
    ]));
    assert_eq!((found.min, found.max), (Some("-inf".into()), Some("inf".into())));
    assert_eq!((found.mean, found.histogram), (None, None));
    assert_eq!(found.distinct.map(|distinct| distinct.values), Some(3));
}

#[test]
fn many_values_carry_their_bounds() {
    let found = of(Int64Array::from_iter_values(
        (0..100_000_i64).map(|at| at * 7_919 % 100_003),
    ));
    let distinct = found.distinct.unwrap();
    assert!(!distinct.exact && distinct.values.abs_diff(100_000) < 5_000);
    let quantiles = found.quantiles.unwrap();
    assert!(quantiles.rank_error > 0 && quantiles.rank_error < 600);
    assert!(quantiles.p50.as_i64().unwrap().abs_diff(50_000) <= 2 + quantiles.rank_error);
    assert!(found.top.is_empty() && found.top_error > 0);
}

#[test]
fn statistics_of_older_manifests_are_read() {
    let old = json!({ "column": "x", "rows": 3, "nulls": 0, "min": "a", "max": "b", "distinct": { "values": 10_000, "exact": false } });
    let read: ColumnStatistics = serde_json::from_value(old.clone()).unwrap();
    assert_eq!(read.distinct.unwrap().standard_error, None);
    assert_eq!(serde_json::to_value(read).unwrap(), old);
}
