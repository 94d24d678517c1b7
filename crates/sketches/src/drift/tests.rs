//! Golden values are from SciPy 1.17: `chi2_contingency(correction=False)`, `jensenshannon(base=2)`, `special.kolmogorov`, `ks_2samp`.

use super::*;
use crate::key::{Kind, of_float};
use crate::{Accuracy, NumberSketch, TextSketch};
use proptest::prelude::*;

fn near(found: f64, wanted: f64) {
    assert!(
        (found - wanted).abs() <= 1e-9 * (1.0 + wanted.abs()),
        "{found} in place of {wanted}"
    );
}

fn numbers(values: impl IntoIterator<Item = f64>) -> NumberSummary {
    let mut sketch = NumberSketch::new(Kind::Float, Accuracy::Fine);
    sketch.extend(&values.into_iter().map(of_float).collect::<Vec<_>>());
    sketch.finish()
}

fn texts(values: &str) -> TextSummary {
    let mut sketch = TextSketch::new(1_000);
    values.split_whitespace().for_each(|text| sketch.add(text));
    sketch.finish()
}

#[test]
fn measures_of_counts_are_those_of_scipy() {
    let counts = [(120, 90), (80, 100), (60, 20), (40, 70), (0, 5), (10, 15), (0, 0)];
    let measures = Measures::of(&BinCounts::new(counts.to_vec()), None).unwrap();
    near(measures.psi, 0.331_016_513_359_216_56);
    near(measures.js, 0.226_846_574_062_922_02);
    near(measures.chi_square.statistic, 40.536_714_301_230_425);
    near(measures.chi_square.p, 1.163_814_336_076_121_1e-7);
    near(measures.chi_square.cramers_v, 0.257_786_015_916_335_3);
    assert_eq!(measures.chi_square.degrees_of_freedom, 5);
}

#[test]
fn kolmogorov_distribution_is_that_of_scipy() {
    let golden = [
        (0.1, 1.0),
        (0.5, 0.963_945_243_664_875_1),
        (0.9, 0.392_730_707_940_654_3),
        (1.0, 0.269_999_671_677_354_56),
        (1.36, 0.049_485_876_755_377_876),
        (2.5, 7.453_306_344_157_342e-6),
    ];
    golden.into_iter().for_each(|(x, wanted)| near(kolmogorov(x), wanted));
}

#[test]
fn measures_of_numbers_are_those_of_scipy() {
    let a = numbers((0..500_u32).map(|at| f64::from(at * 7_919 % 1_000) / 10.0));
    let b = numbers((0..700_u32).map(|at| f64::from(at * 104_729 % 900) / 9.0 + 5.0));
    let ks = kolmogorov_smirnov(&a.quantiles, &b.quantiles).unwrap();
    near(ks.statistic, 0.055_428_571_428_571_424);
    near(ks.p, 0.331_649_341_359_754_55);
    assert_eq!(ks.error, 0.0);
    let measures = Measures::of(&BinCounts::of_numbers(&a, &b, (0, 0)), Some(ks)).unwrap();
    near(measures.psi, 0.059_695_011_429_135_23);
    near(measures.js, 0.102_851_703_638_119_13);
    near(measures.chi_square.statistic, 17.352_723_407_817_354);
    near(measures.chi_square.p, 0.043_470_493_739_461_435);
    // The distance is above its threshold, and chance explains it.
    assert_eq!(measures.exceeded(&Thresholds::default()), []);
    let strict = Thresholds {
        significance: 0.05,
        ..Thresholds::default()
    };
    assert_eq!(measures.exceeded(&strict), [Exceeded::Js, Exceeded::CramersV]);
}

#[test]
fn the_same_values_are_not_apart() {
    let a = numbers((0..1_000).map(f64::from));
    let ks = kolmogorov_smirnov(&a.quantiles, &a.quantiles);
    let measures = Measures::of(&BinCounts::of_numbers(&a, &a, (3, 3)), ks).unwrap();
    assert_eq!(
        (measures.psi, measures.js, measures.chi_square.statistic),
        (0.0, 0.0, 0.0)
    );
    assert_eq!((ks.unwrap().statistic, ks.unwrap().p), (0.0, 1.0));
}

#[test]
fn nulls_are_a_bin_of_their_own() {
    let a = numbers((0..100).map(f64::from));
    let measures = Measures::of(&BinCounts::of_numbers(&a, &a, (0, 100)), None).unwrap();
    assert!(measures.psi > 3.0);
    let exceeded = measures.exceeded(&Thresholds::default());
    assert_eq!(exceeded, [Exceeded::Psi, Exceeded::Js, Exceeded::CramersV]);
}

#[test]
fn texts_that_are_new_are_noticed() {
    let (a, b) = (texts(&"x x y ".repeat(100)), texts(&"x x z ".repeat(100)));
    let bins = BinCounts::of_texts(&a, &b, (0, 0));
    assert_eq!(bins, BinCounts::new(vec![(200, 200), (100, 0), (0, 100), (0, 0)]));
    let measures = Measures::of(&bins, None).unwrap();
    // jensenshannon([2/3, 1/3, 0], [2/3, 0, 1/3], base=2) = √(1/3)
    near(measures.js, (1.0_f64 / 3.0).sqrt());
}

#[test]
fn empty_sides_have_no_measures() {
    let (none, some) = (numbers([]), numbers([1.0]));
    assert!(kolmogorov_smirnov(&none.quantiles, &some.quantiles).is_none());
    assert!(Measures::of(&BinCounts::of_numbers(&none, &some, (0, 0)), None).is_none());
    let only_nulls = Measures::of(&BinCounts::of_numbers(&none, &some, (5, 0)), None).unwrap();
    assert_eq!(only_nulls.js, 1.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn kolmogorov_smirnov_is_the_largest_distance(
        a in prop::collection::vec(-20_i32..20, 1..200), b in prop::collection::vec(-20_i32..20, 1..200),
    ) {
        let share = |of: &[i32], x: i32| of.iter().filter(|value| **value <= x).count() as f64 / of.len() as f64;
        let naive = (-20..20).map(|x| (share(&a, x) - share(&b, x)).abs()).fold(0.0, f64::max);
        let (one, other) = (numbers(a.into_iter().map(f64::from)), numbers(b.into_iter().map(f64::from)));
        let found = kolmogorov_smirnov(&one.quantiles, &other.quantiles).unwrap();
        prop_assert!((found.statistic - naive).abs() < 1e-12);
        prop_assert!((0.0..=1.0).contains(&found.p));
    }

    #[test]
    fn measures_stay_in_their_ranges(bins in prop::collection::vec((0_u64..1_000, 0_u64..1_000), 1..20)) {
        let bins = BinCounts::new(bins);
        if let Some(measures) = Measures::of(&bins, None) {
            prop_assert!(measures.psi >= 0.0 && measures.psi.is_finite());
            prop_assert!((0.0..=1.0 + 1e-12).contains(&measures.js));
            prop_assert!((0.0..=1.0 + 1e-12).contains(&measures.chi_square.cramers_v));
            prop_assert!((0.0..=1.0).contains(&measures.chi_square.p));
        }
    }
}
