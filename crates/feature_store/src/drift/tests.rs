//! Samples as arrays, and what is said of them.
#![allow(clippy::unwrap_used, reason = "tests may")]

use std::sync::Arc;

use arrow::array::{BooleanArray, Float64Array, Int64Array, StringArray};

use super::*;

fn profile(array: impl Array + 'static, is_categorical: bool) -> ColumnProfile {
    let array: ArrayRef = Arc::new(array);
    let mut profiler = Profiler::new("x", array.data_type(), is_categorical);
    profiler.update(&array).unwrap();
    profiler.finish()
}

fn drift(a: &ColumnProfile, b: &ColumnProfile) -> ColumnDrift {
    a.drift_to(b, &Thresholds::default()).unwrap()
}

#[test]
fn numbers_that_moved_have_drifted_and_the_same_have_not() {
    let numbers = |shift: f64| Float64Array::from_iter_values((0..1_000).map(move |at| f64::from(at % 100) + shift));
    let (a, b) = (profile(numbers(0.0), false), profile(numbers(50.0), false));
    let found = drift(&a, &b);
    assert!((found.measures.unwrap().ks.unwrap().statistic - 0.5).abs() < 1e-12);
    assert_eq!(
        found.exceeded,
        [Exceeded::Psi, Exceeded::Ks, Exceeded::Js, Exceeded::CramersV]
    );
    let same = drift(&a, &a);
    assert_eq!((same.exceeded.len(), same.measures.unwrap().psi), (0, 0.0));
}

#[test]
fn nulls_that_appear_are_drift() {
    let values = |nulls: i64| Int64Array::from_iter((0..1_000).map(|at| (at >= nulls).then_some(at % 10)));
    let found = drift(&profile(values(0), false), &profile(values(400), false));
    assert_eq!((found.baseline.nulls, found.candidate.nulls), (0, 400));
    assert!(found.exceeded.contains(&Exceeded::Psi) && !found.exceeded.contains(&Exceeded::Ks));
}

#[test]
fn texts_bools_and_categories_are_compared_by_frequency() {
    let texts = |text: &str| StringArray::from_iter_values(text.split(' ').map(str::to_owned).cycle().take(900));
    let found = drift(&profile(texts("a b c"), false), &profile(texts("a a c"), false));
    assert!(found.measures.unwrap().ks.is_none());
    assert_eq!(found.exceeded, [Exceeded::Psi, Exceeded::Js, Exceeded::CramersV]);
    let bools = |every: usize| BooleanArray::from((0..900).map(|at| at % every == 0).collect::<Vec<_>>());
    assert!(
        !drift(&profile(bools(2), false), &profile(bools(9), false))
            .exceeded
            .is_empty()
    );
    let codes = |code: i64| Int64Array::from_iter_values((0..900).map(move |at| if at % 2 == 0 { code } else { 1 }));
    let found = drift(&profile(codes(3), true), &profile(codes(4), true));
    assert_eq!(found.measures.unwrap().chi_square.degrees_of_freedom, 2);
}

#[test]
fn few_rows_do_not_drift_by_chance() {
    let few = |first: i64| Int64Array::from_iter_values(first..first + 12);
    let found = drift(&profile(few(0), false), &profile(few(4), false));
    assert!(found.measures.unwrap().psi > 0.2 && found.exceeded.is_empty());
}

#[test]
fn numbers_and_texts_are_not_compared_and_no_rows_have_no_measures() {
    let (number, text) = (
        profile(Int64Array::from(vec![1]), false),
        profile(StringArray::from(vec!["1"]), false),
    );
    assert!(number.drift_to(&text, &Thresholds::default()).is_none());
    let none = profile(Int64Array::from(Vec::<i64>::new()), false);
    assert_eq!(drift(&none, &number).measures, None);
}
