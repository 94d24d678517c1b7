//! Folds that walk forward.

use definitions::Length;

use super::*;

fn walk(folds: u32, train: Option<Length>, validation: Option<Length>, test: Length) -> Split {
    Split::WalkForward {
        folds,
        train,
        validation,
        test,
        gap: Gap::Auto,
        embargo: Duration::ZERO,
        allow_overlap: false,
    }
}

fn long(micros: i64) -> Length {
    Length::Span(span(micros))
}

fn folds_of(certificate: &Certificate) -> Vec<Fold> {
    certificate.folds().to_vec()
}

/// One letter per row in each fold.
fn check_folds(split: &Split, needed: &GapSum, times: &[i64], expected: &[&str]) {
    let divided = divide_times(split, needed, times).expect("a split");
    let folds = folds_of(&divided.certificate);
    let line = |fold: &Fold| {
        let parts = times.iter().map(|time| {
            let own = fold.parts.iter().find(|part| part.holds(*time));
            own.map(|part| part.part)
        });
        letters(&Divided {
            parts: parts.collect(),
            certificate: divided.certificate.clone(),
        })
    };
    let found: Vec<String> = folds.iter().map(line).collect();
    assert_eq!(found, expected);
    assert_eq!(
        letters(&divided),
        *expected.last().unwrap(),
        "the dataset's parts are the last fold's"
    );
    for fold in &folds {
        for part in &fold.parts {
            assert_eq!(part.rows, times.iter().filter(|time| part.holds(**time)).count() as u64);
        }
    }
}

#[test]
fn train_expands_and_tests_follow_each_other_to_the_last_row() {
    let times: Vec<i64> = (0..12).collect();
    check_folds(
        &walk(3, None, None, long(2)),
        &needed(0, 0),
        &times,
        &["ttttttee....", "ttttttttee..", "ttttttttttee"],
    );
}

#[test]
fn train_slides_when_it_has_a_length() {
    let times: Vec<i64> = (0..12).collect();
    check_folds(
        &walk(2, Some(long(4)), Some(long(2)), long(2)),
        &needed(0, 0),
        &times,
        &["..ttttvvee..", "....ttttvvee"],
    );
}

#[test]
fn every_fold_has_its_gaps() {
    let times: Vec<i64> = (0..14).collect();
    check_folds(
        &walk(2, None, Some(long(3)), long(2)),
        &needed(1, 0),
        &times,
        &["tttttt.vv.ee..", "tttttttt.vv.ee"],
    );
}

#[test]
fn shares_are_of_all_rows_and_equal_times_stay_together() {
    let times = [0, 1, 2, 3, 4, 5, 6, 7, 8, 8];
    check_folds(
        &walk(2, None, None, Length::Fraction(0.1)),
        &needed(0, 0),
        &times,
        &["ttttttte..", "ttttttttee"],
    );
}

#[test]
fn fold_without_rows_to_train_on_is_refused() {
    let error = refused(&walk(4, None, None, long(3)), &needed(0, 0), &[0, 2, 4, 6, 8, 10]);
    assert_eq!(error, "no row is in `train` of fold 1, of 6 rows");
}

#[test]
fn sentences_name_every_fold() {
    let times: Vec<i64> = (0..12).collect();
    let divided = divide_times(&walk(2, None, None, long(2)), &needed(1, 0), &times).unwrap();
    assert_eq!(
        divided.certificate.sentences(),
        [
            "fold 1: train 7 rows from 1970-01-01T00:00:00Z, test 2 rows from 1970-01-01T00:00:00.000008Z: at least 1us apart",
            "fold 2: train 9 rows from 1970-01-01T00:00:00Z, test 2 rows from 1970-01-01T00:00:00.000010Z: at least 1us apart",
        ]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// In each fold, every row of an earlier part is more than gap and embargo before every row of a later one; no row is tested twice.
    #[test]
    fn folds_keep_their_parts_apart(
        times in proptest::collection::vec(0..300_i64, 1..80),
        folds in 1..5_u32,
        lengths in (1..40_i64, 0..30_i64, 0..60_i64),
        shares in (0.02..0.2, proptest::bool::ANY),
        spans in (0..6_i64, 0..6_i64, 0..6_i64),
    ) {
        let optional = |micros: i64| (micros > 0).then(|| long(micros));
        let test = if shares.1 { Length::Fraction(shares.0) } else { long(lengths.0) };
        let split = Split::WalkForward {
            folds,
            train: optional(lengths.2),
            validation: optional(lengths.1),
            test,
            gap: Gap::Auto,
            embargo: span(spans.2),
            allow_overlap: false,
        };
        if let Ok(divided) = divide_times(&split, &needed(spans.0, spans.1), &times) {
            let found = folds_of(&divided.certificate);
            prop_assert_eq!(found.len(), folds as usize);
            let mut tested: Vec<u32> = vec![0; times.len()];
            for fold in &found {
                let part = |time: i64| fold.parts.iter().find(|part| part.holds(time)).map(|part| part.part);
                for (at, a) in times.iter().enumerate() {
                    tested[at] += u32::from(part(*a) == Some(Part::Test));
                    for b in &times {
                        if let (Some(early), Some(late)) = (part(*a), part(*b)) {
                            prop_assert!(early >= late || a + spans.0 + spans.2 < b - spans.1);
                        }
                    }
                }
                prop_assert!(fold.borders.iter().all(|border| border.between_micros > spans.2));
            }
            prop_assert!(tested.into_iter().all(|times| times <= 1));
        }
    }
}
