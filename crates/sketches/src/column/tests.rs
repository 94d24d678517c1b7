//! Columns against their sorted values and plain counts.

use super::*;
use crate::key::{mixed, of_float, of_integer, to_float};
use proptest::prelude::*;

fn sketch(values: &[f64], batch: usize) -> NumberSketch {
    let mut sketch = NumberSketch::new(Kind::Float, Accuracy::Summary);
    let keys: Vec<u64> = values.iter().map(|value| of_float(*value)).collect();
    keys.chunks(batch).for_each(|keys| sketch.extend(keys));
    sketch
}

fn draw(count: usize, seed: u64, different: u64) -> Vec<f64> {
    let drawn = |at: usize| (mixed(seed ^ at as u64) % different) as f64 / 8.0 - 3.0;
    (0..count).map(drawn).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn batches_do_not_matter(count in 0_usize..20_000, batch in 1_usize..5_000, seed in any::<u64>(), different in 1_u64..100_000) {
        let values = draw(count, seed, different);
        let (one, other) = (sketch(&values, batch).finish(), sketch(&values, usize::MAX).finish());
        prop_assert_eq!(one.moments, other.moments);
        prop_assert_eq!(one.frequent.top(10), other.frequent.top(10));
        prop_assert!(one.quantiles.keys().eq(other.quantiles.keys()));
        prop_assert_eq!((one.extremes, one.zeros, one.frequent.distinct()), (other.extremes, other.zeros, other.frequent.distinct()));
    }

    #[test]
    fn summary_is_that_of_the_sorted_values(count in 1_usize..20_000, seed in any::<u64>(), different in 1_u64..100_000) {
        let values = draw(count, seed, different);
        let found = sketch(&values, 777).finish();
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        prop_assert_eq!(found.count(), count as u64);
        prop_assert_eq!(found.extremes.map(|(min, max)| (to_float(min), to_float(max))), Some((sorted[0], sorted[count - 1])));
        prop_assert_eq!(found.zeros, values.iter().filter(|value| **value == 0.0).count() as u64);
        let mean = values.iter().sum::<f64>() / count as f64;
        prop_assert!((found.moments.mean().unwrap() - mean).abs() < 1e-9 * (1.0 + mean.abs()));
        sorted.dedup();
        let off = found.frequent.distinct().abs_diff(sorted.len() as u64) as f64;
        let errors = if found.frequent.is_exact() { 0.0 } else { 5.0 };
        prop_assert!(off <= errors * crate::STANDARD_ERROR * sorted.len() as f64);
        let counts = found.histogram(sorted[0], sorted[sorted.len() - 1], 16);
        prop_assert_eq!(counts.iter().sum::<u64>(), count as u64);
    }

    #[test]
    fn merged_in_order_is_merged_again_the_same(a in 0_usize..9_000, b in 0_usize..9_000, seed in any::<u64>()) {
        let (a, b) = (draw(a, seed, 5_000), draw(b, seed ^ 1, 50));
        let merged = || {
            let mut merged = sketch(&a, 100);
            merged.merge(&sketch(&b, 1_000));
            merged.finish()
        };
        let (one, again) = (merged(), merged());
        prop_assert!(one.quantiles.keys().eq(again.quantiles.keys()));
        prop_assert_eq!(one.count(), (a.len() + b.len()) as u64);
        let all = [a, b].concat();
        if let Some(mean) = one.moments.mean() {
            prop_assert!((mean - all.iter().sum::<f64>() / all.len() as f64).abs() < 1e-6);
        }
        prop_assert_eq!(one.zeros, all.iter().filter(|value| **value == 0.0).count() as u64);
    }

    #[test]
    fn texts_are_counted_within_the_bound(count in 0_usize..20_000, different in 1_u64..20_000, limit in 1_usize..4_000, seed in any::<u64>()) {
        let mut sketch = TextSketch::new(limit);
        let mut counts = std::collections::BTreeMap::<String, u64>::new();
        for at in 0..count as u64 {
            let drawn = mixed(seed ^ at);
            let text = format!("text {}", if drawn.is_multiple_of(3) { 0 } else { drawn % different });
            sketch.add(&text);
            *counts.entry(text).or_default() += 1;
        }
        let found = sketch.finish();
        prop_assert_eq!(found.count, count as u64);
        for top in found.frequent.top(20) {
            let exact = counts[&*top.value];
            prop_assert!(top.count <= exact && exact <= top.count + found.frequent.error());
        }
        if found.frequent.is_exact() {
            prop_assert_eq!(found.frequent.distinct(), counts.len() as u64);
        }
        for (text, exact) in counts {
            if exact > 2 * found.frequent.error() {
                prop_assert!(found.frequent.top(usize::MAX).iter().any(|top| *top.value == *text));
            }
        }
    }
}

#[test]
fn long_texts_are_shortened_and_still_told_apart() {
    let mut sketch = TextSketch::new(1);
    for end in ["a", "b", "a", "c", "a"] {
        sketch.add(&format!("{}{end}", "ä".repeat(500)));
    }
    let found = sketch.finish();
    assert_eq!(found.frequent.distinct(), 3);
    let whole = TextSketch::new(10);
    assert_eq!(whole.finish().frequent.distinct(), 0);
}

#[test]
fn histogram_counts_as_numpy_does() {
    let mut sketch = NumberSketch::new(Kind::Integer, Accuracy::Summary);
    let keys: Vec<u64> = [0_i64, 1, 1, 2, 3, 4, 10].into_iter().map(of_integer).collect();
    sketch.extend(&keys);
    // numpy.histogram([0, 1, 1, 2, 3, 4, 10], bins=5)
    let counts = sketch.finish().histogram(0.0, 10.0, 5);
    assert_eq!(counts, [3, 2, 1, 0, 1]);
}

/// `cargo test -p sketches --release -- --ignored --nocapture` prints what a value costs.
#[test]
#[ignore = "prints a time, which is no matter of right and wrong"]
fn cost_of_a_value() {
    let time = |name: &str, values: &[u64]| {
        let started = std::time::Instant::now();
        let mut sketch = NumberSketch::new(Kind::Float, Accuracy::Summary);
        values.chunks(32_768).for_each(|keys| sketch.extend(keys));
        let found = sketch.finish();
        let each = started.elapsed().as_nanos() as f64 / values.len() as f64;
        println!(
            "{name}: {each:.1} ns, {} different, error {}",
            found.frequent.distinct(),
            found.quantiles.error()
        );
    };
    let drawn = |modulus: u64| {
        (0..2_000_000_u64)
            .map(move |at| of_float((mixed(at) % modulus) as f64))
            .collect::<Vec<_>>()
    };
    time("all different", &drawn(u64::MAX));
    time("1,000 different", &drawn(1_000));
    time("100,000 different", &drawn(100_000));
    time("2 different", &drawn(2));
    time("sorted", &(0..2_000_000).map(of_integer).collect::<Vec<_>>());
}
