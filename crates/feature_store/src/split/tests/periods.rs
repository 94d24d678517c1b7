//! Time splits whose parts lie in several places, and the embargo.

use definitions::Period;

use super::*;

fn within(periods: &[(i64, i64)]) -> Option<Cut> {
    let period = |(from, to): &(i64, i64)| Period {
        from: EventTime(*from),
        to: EventTime(*to),
    };
    Some(Cut::Within(periods.iter().map(period).collect()))
}

fn with_embargo(split: Split, micros: i64) -> Split {
    let Split::Time {
        validation,
        test,
        gap,
        allow_overlap,
        ..
    } = split
    else {
        panic!("a split by time")
    };
    Split::Time {
        validation,
        test,
        gap,
        embargo: span(micros),
        allow_overlap,
    }
}

#[test]
fn what_is_in_no_period_trains_before_and_after_each() {
    let times: Vec<i64> = (0..16).collect();
    let split = time(None, within(&[(4, 6), (10, 12)]), Gap::Auto);
    check(&split, &needed(0, 0), &times, "tttteetttteetttt");
}

#[test]
fn train_keeps_away_from_both_ends_of_each_period() {
    let times: Vec<i64> = (0..16).collect();
    let split = time(None, within(&[(4, 6), (10, 12)]), Gap::Auto);
    let certificate = check(&split, &needed(1, 1), &times, "tt..ee....ee..tt");
    let Certificate::Time { borders, .. } = certificate else {
        panic!()
    };
    let ends: Vec<(Part, Part, i64)> = borders
        .iter()
        .map(|border| (border.before, border.after, border.between_micros))
        .collect();
    assert_eq!(
        ends,
        [(Part::Train, Part::Test, 1), (Part::Test, Part::Train, 1)],
        "two tests in a row need no border"
    );
    assert_eq!((borders[0].cut, borders[0].gap_rows), (EventTime(4), 2));
    assert_eq!(borders[1].cut, EventTime(12));
}

#[test]
fn validation_gives_way_to_test() {
    let times: Vec<i64> = (0..14).collect();
    let split = time(within(&[(8, 11)]), within(&[(4, 6), (11, 12)]), Gap::Auto);
    // 6 and 7 are near the first test or the validation, 10 is near the second test.
    check(&split, &needed(1, 0), &times, "ttt.ee..vv.e.t");
}

#[test]
fn embargo_widens_every_gap() {
    let times: Vec<i64> = (0..12).collect();
    let split = time(None, at(8), Gap::Auto);
    check(&split, &needed(1, 0), &times, "ttttttt.eeee");
    let certificate = check(&with_embargo(split, 3), &needed(1, 0), &times, "tttt....eeee");
    let Certificate::Time {
        gap, embargo, borders, ..
    } = certificate
    else {
        panic!()
    };
    assert_eq!((gap, embargo), (span(1), span(3)));
    assert!(borders[0].between_micros > 3);
}

#[test]
fn manifest_of_before_has_no_embargo() {
    let certificate = check(&time(None, at(2), Gap::Auto), &needed(0, 0), &[1, 2], "te");
    let text = serde_json::to_string(&certificate).unwrap();
    assert!(!text.contains("embargo"), "{text}");
    assert_eq!(serde_json::from_str::<Certificate>(&text).unwrap(), certificate);
}

/// What a row's part is, by looking at every period: the rule read aloud.
fn naive(times: &[i64], periods: &[(i64, i64, Part)], distance: i64) -> Vec<Option<Part>> {
    let own = |time: i64| {
        let found = periods.iter().find(|(from, to, _)| (*from..*to).contains(&time));
        found.map_or(Part::Train, |(_, _, part)| *part)
    };
    let is_near = |time: i64, part: Part| {
        let mut others = periods.iter().filter(|(_, _, other)| *other > part);
        others.any(|(from, to, _)| from - distance <= time && time < to + distance)
    };
    let part = |time: &i64| Some(own(*time)).filter(|part| !is_near(*time, *part));
    times.iter().map(part).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Rows of different parts are more than gap and embargo apart, and no row is left out without need.
    #[test]
    fn periods_agree_with_the_rule_read_aloud(
        times in proptest::collection::vec(0..200_i64, 1..80),
        cuts in proptest::collection::btree_set(0..200_i64, 2..10),
        kinds in proptest::collection::vec(0..3_u8, 10),
        spans in (0..8_i64, 0..8_i64, 0..8_i64),
    ) {
        let cuts: Vec<i64> = cuts.into_iter().collect();
        let pairs = cuts.windows(2).zip(kinds).filter_map(|(pair, kind)| match kind {
            0 => None,
            1 => Some((pair[0], pair[1], Part::Validation)),
            _ => Some((pair[0], pair[1], Part::Test)),
        });
        let periods: Vec<(i64, i64, Part)> = pairs.collect();
        let of = |wanted: Part| {
            let of: Vec<(i64, i64)> =
                periods.iter().filter(|(_, _, part)| *part == wanted).map(|(from, to, _)| (*from, *to)).collect();
            if of.is_empty() { None } else { within(&of) }
        };
        let needed = needed(spans.0, spans.1);
        let split = with_embargo(time(of(Part::Validation), of(Part::Test), Gap::Auto), spans.2);
        prop_assume!(!periods.is_empty());
        if let Ok(divided) = divide_times(&split, &needed, &times) {
            let distance = spans.0 + spans.1 + spans.2;
            prop_assert_eq!(&divided.parts, &naive(&times, &periods, distance));
            let rows: Vec<(i64, Part)> =
                times.iter().zip(&divided.parts).filter_map(|(time, part)| Some((*time, (*part)?))).collect();
            for (a, one) in &rows {
                for (b, other) in &rows {
                    prop_assert!(one == other || (a - b).abs() > distance);
                }
            }
        }
    }
}
