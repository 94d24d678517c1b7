//! Draws by the values of a column.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};

use super::*;

fn drawn(values: &ArrayRef, shares: (f64, f64), seed: u64) -> Result<Divided, StoreError> {
    let times: Vec<i64> = (0..values.len() as i64).collect();
    let keys: ArrayRef = Arc::new(Int64Array::from(times.clone()));
    let rows = SplitRows {
        times: &times,
        keys: &[keys],
        stratify: Some(("kind", values)),
    };
    let split = Split::Random {
        validation: shares.0,
        test: shares.1,
        seed,
        stratify: Some("kind".parse().unwrap()),
    };
    divide(Some(&split), &needed(0, 0), &rows)
}

fn strata(divided: &Divided) -> Vec<Stratum> {
    match &divided.certificate {
        Certificate::Random {
            stratified: Some(by), ..
        } => by.strata.clone(),
        other => panic!("no strata: {other:?}"),
    }
}

/// 90 % `no`, 9 % `yes`, 1 % NULL.
fn rare(rows: usize) -> ArrayRef {
    let value = |row: usize| match row % 100 {
        0 => None,
        1..10 => Some("yes"),
        _ => Some("no"),
    };
    Arc::new(StringArray::from_iter((0..rows).map(value)))
}

#[test]
fn every_value_has_its_shares() {
    let divided = drawn(&rare(1_000), (0.2, 0.1), 7).unwrap();
    let counts: Vec<(Option<String>, u64, u64, u64)> = strata(&divided)
        .into_iter()
        .map(|stratum| {
            (
                stratum.value,
                stratum.rows.train,
                stratum.rows.validation,
                stratum.rows.test,
            )
        })
        .collect();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        counts,
        [(None, 7, 2, 1), (text("no"), 630, 180, 90), (text("yes"), 63, 18, 9)]
    );
}

#[test]
fn draw_is_the_same_again_and_another_with_another_seed() {
    let values = rare(500);
    let letters_of = |seed| letters(&drawn(&values, (0.2, 0.1), seed).unwrap());
    assert_eq!(letters_of(1), letters_of(1));
    assert_ne!(letters_of(1), letters_of(2));
}

#[test]
fn column_of_many_values_is_refused() {
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..2_000));
    let error = drawn(&values, (0.2, 0.1), 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`kind` has more than 1000 different values: rows cannot be drawn by each of them"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Values are off by less than two rows, the sum by less than one and what a value has too few rows for; all rows are counted.
    #[test]
    fn strata_have_their_shares_as_exactly_as_rows_can(
        values in proptest::collection::vec(0..6_i64, 20..200),
        shares in (0.05..0.4, 0.05..0.4),
        seed in 0..100_u64,
    ) {
        let values: ArrayRef = Arc::new(Int64Array::from(values));
        if let Ok(divided) = drawn(&values, shares, seed) {
            let strata = strata(&divided);
            let mut all = PartCounts::default();
            for stratum in &strata {
                let rows = stratum.rows.all() as f64;
                prop_assert!((stratum.rows.test as f64 - shares.1 * rows).abs() < 1.0 + 1e-9, "{stratum:?}");
                prop_assert!((stratum.rows.validation as f64 - shares.0 * rows).abs() < 3.0, "{stratum:?}");
                all.absorb(&stratum.rows);
            }
            prop_assert_eq!(all, divided.counts());
            let total = all.all() as f64;
            prop_assert!((all.test as f64 - shares.1 * total).abs() <= 0.5 + 1e-9);
        }
    }
}
