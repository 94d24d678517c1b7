//! Splits, with their certificates; here those by time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may"
)]

mod drawn;
mod folds;
mod periods;
mod strata;

use definitions::{Cut, Duration, EventTime, Gap};
use proptest::prelude::*;

use super::*;
use crate::point_in_time::tests::table::table;

fn span(micros: i64) -> Duration {
    Duration::from_micros(micros).unwrap()
}

fn needed(horizon: i64, lookback: i64) -> GapSum {
    GapSum {
        horizon: span(horizon),
        horizon_of: Some("labels:v1.y".to_owned()),
        lookback: span(lookback),
        lookback_of: Some("features:v1.x".to_owned()),
    }
}

fn time(validation: Option<Cut>, test: Option<Cut>, gap: Gap) -> Split {
    Split::Time {
        validation,
        test,
        gap,
        embargo: Duration::ZERO,
        allow_overlap: false,
    }
}

fn at(time: i64) -> Option<Cut> {
    Some(Cut::At(EventTime(time)))
}

fn share(share: f64) -> Option<Cut> {
    Some(Cut::Fraction(share))
}

fn divide_times(split: &Split, needed: &GapSum, times: &[i64]) -> Result<Divided, StoreError> {
    divide(
        Some(split),
        needed,
        &SplitRows {
            times,
            keys: &[],
            stratify: None,
        },
    )
}

/// One letter per row: train, validation, test, or `.` for the gap.
fn letters(divided: &Divided) -> String {
    let letter = |part: &Option<Part>| match part {
        Some(Part::Train) => 't',
        Some(Part::Validation) => 'v',
        Some(Part::Test) => 'e',
        None => '.',
    };
    divided.parts.iter().map(letter).collect()
}

fn check(split: &Split, needed: &GapSum, times: &[i64], expected: &str) -> Certificate {
    let divided = divide_times(split, needed, times).expect("a split");
    assert_eq!(letters(&divided), expected);
    assert_eq!(divided.counts().all(), times.len() as u64);
    divided.certificate
}

fn refused(split: &Split, needed: &GapSum, times: &[i64]) -> String {
    divide_times(split, needed, times).expect_err("a refusal").to_string()
}

#[test]
fn without_split_everything_is_train() {
    let divided = divide(
        None,
        &needed(9, 9),
        &SplitRows {
            times: &[3, 1, 2],
            keys: &[],
            stratify: None,
        },
    )
    .unwrap();
    assert_eq!(letters(&divided), "ttt");
    assert_eq!(divided.certificate, Certificate::Whole { rows: 3 });
}

#[test]
fn cut_points_divide_in_any_row_order() {
    check(
        &time(at(20), at(30), Gap::Auto),
        &needed(0, 0),
        &[30, 10, 20, 29, 19, 40],
        "etvvte",
    );
}

#[test]
fn shares_are_of_all_rows_in_time_order() {
    let times: Vec<i64> = (0..20).collect();
    check(
        &time(share(0.2), share(0.1), Gap::Auto),
        &needed(0, 0),
        &times,
        "ttttttttttttttvvvvee",
    );
}

#[test]
fn cut_moves_so_that_equal_times_stay_together() {
    check(
        &time(None, share(0.25), Gap::Auto),
        &needed(0, 0),
        &[1, 2, 3, 4, 5, 7, 7, 7],
        "ttttteee",
    );
}

#[test]
fn rows_in_a_gap_are_in_no_part() {
    let times = [10, 16, 17, 18, 19, 20, 26, 27, 29, 30, 31];
    check(&time(at(20), at(30), Gap::Auto), &needed(2, 1), &times, "tt...vv..ee");
}

#[test]
fn certificate_shows_that_labels_end_before_features_begin() {
    let certificate = check(
        &time(None, at(20), Gap::Auto),
        &needed(2, 1),
        &[10, 16, 17, 20, 25],
        "tt.ee",
    );
    let border = TimeBorder {
        before: Part::Train,
        after: Part::Test,
        cut: EventTime(20),
        last_event_time: EventTime(16),
        last_label_end: EventTime(18),
        first_event_time: EventTime(20),
        first_feature_time: EventTime(19),
        between_micros: 1,
        gap_rows: 1,
    };
    let expected = Certificate::Time {
        gap: span(3),
        needed: span(3),
        embargo: Duration::ZERO,
        allow_overlap: false,
        borders: vec![border],
    };
    assert_eq!(certificate, expected);
    assert!(!certificate.overlaps());
}

#[test]
fn gap_that_is_too_short_is_refused_with_the_sum() {
    let split = time(None, at(20), Gap::Of(span(1_000_000)));
    let error = divide_times(&split, &needed(3_600_000_000, 86_400_000_000), &[1, 20]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the gap of 1s is too short: 1d1h is needed (label horizon 1h (`labels:v1.y`) + longest lookback 1d \
         (`features:v1.x`) = 1d1h)"
    );
    assert_eq!(error.hint().as_deref(), Some("gap = \"auto\""));
}

#[test]
fn longer_gap_than_needed_is_kept() {
    check(
        &time(None, at(20), Gap::Of(span(5))),
        &needed(2, 1),
        &[10, 14, 15, 17, 20],
        "tt..e",
    );
}

#[test]
fn gap_that_is_too_short_is_accepted_where_overlap_is_allowed() {
    let split = Split::Time {
        validation: None,
        test: at(20),
        gap: Gap::Of(span(1)),
        embargo: Duration::ZERO,
        allow_overlap: true,
    };
    let certificate = check(&split, &needed(5, 0), &[10, 18, 19, 20], "tt.e");
    assert!(certificate.overlaps());
}

#[test]
fn part_without_rows_is_refused() {
    let none = needed(0, 0);
    let error = refused(&time(None, at(99), Gap::Auto), &none, &[1, 2]);
    assert_eq!(
        error,
        "the split leaves no rows for `test`: 2 rows in all, 0 of them in gaps"
    );
    let error = refused(&time(None, share(0.5), Gap::Auto), &none, &[5, 5, 5, 5]);
    assert_eq!(
        error,
        "the split leaves no rows for `train`: 4 rows in all, 0 of them in gaps"
    );
    let error = refused(&time(share(0.01), share(0.5), Gap::Auto), &none, &[1, 2, 3, 4]);
    assert_eq!(
        error,
        "the split leaves no rows for `validation`: 4 rows in all, 0 of them in gaps"
    );
    let error = refused(&time(at(3), at(5), Gap::Auto), &needed(2, 0), &[1, 3, 4, 5]);
    assert_eq!(
        error,
        "the split leaves no rows for `train`: 4 rows in all, 3 of them in gaps"
    );
}

#[test]
fn cuts_in_the_wrong_order_are_refused() {
    let error = refused(&time(at(5), at(5), Gap::Auto), &needed(0, 0), &[1, 5, 9]);
    assert_eq!(
        error,
        "validation begins at 1970-01-01T00:00:00.000005Z, test at 1970-01-01T00:00:00.000005Z: wanted validation first"
    );
}

#[test]
fn empty_spine_gives_empty_parts() {
    let none = needed(1, 1);
    check(&time(share(0.1), share(0.1), Gap::Auto), &none, &[], "");
    let key = table("host ts");
    let rows = SplitRows {
        times: &[],
        keys: key.columns(),
        stratify: None,
    };
    divide(
        Some(&Split::Group {
            validation: 0.2,
            test: 0.2,
            seed: 1,
        }),
        &none,
        &rows,
    )
    .unwrap();
    divide(
        Some(&Split::Random {
            validation: 0.2,
            test: 0.2,
            seed: 1,
            stratify: None,
        }),
        &none,
        &rows,
    )
    .unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// No pair of rows from an earlier and a later part is within a gap of each other.
    #[test]
    fn time_split_keeps_parts_a_gap_apart(
        times in proptest::collection::vec(0..200_i64, 1..80),
        shares in (0.05..0.4, 0.05..0.4),
        spans in (0..20_i64, 0..20_i64),
    ) {
        let needed = needed(spans.0, spans.1);
        let split = time(share(shares.0), share(shares.1), Gap::Auto);
        if let Ok(divided) = divide_times(&split, &needed, &times) {
            for (a, early) in times.iter().zip(&divided.parts) {
                for (b, late) in times.iter().zip(&divided.parts) {
                    if early.is_some() && late.is_some() && early < late {
                        prop_assert!(a + spans.0 < b - spans.1);
                    }
                }
            }
            let Certificate::Time { borders, .. } = &divided.certificate else { panic!("a certificate of time") };
            prop_assert!(borders.iter().all(|border| border.between_micros > 0));
            let in_gaps: u64 = divided.counts().gap;
            prop_assert!(borders.iter().map(|border| border.gap_rows).sum::<u64>() >= in_gaps);
        }
    }
}
