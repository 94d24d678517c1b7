//! Correlations against their definition.
#![allow(clippy::unwrap_used, reason = "tests may")]

use proptest::prelude::*;

use super::correlation::correlation;

#[test]
fn correlation_is_that_of_numpy() {
    // numpy.corrcoef([1, 2, 3, 4, 7], [2, 1, 4, 3, 9])[0, 1], with rows left out in which one is missing
    let a = [Some(1.0), Some(2.0), None, Some(3.0), Some(4.0), Some(5.0), Some(7.0)];
    let b = [Some(2.0), Some(1.0), Some(9.0), Some(4.0), Some(3.0), None, Some(9.0)];
    let found = correlation(&[(&a, &b)]).unwrap();
    assert!((found - 0.920_492_244_182_891_3).abs() < 1e-12, "{found}");
    assert_eq!(correlation(&[(&[Some(1.0), Some(1.0)], &[Some(1.0), Some(2.0)])]), None);
}

proptest! {
    #[test]
    fn batches_do_not_matter(
        rows in prop::collection::vec((prop::option::of(-1e3..1e3), prop::option::of(-1e3..1e3)), 3..200), cut in 0_usize..200,
    ) {
        let (a, b): (Vec<Option<f64>>, Vec<Option<f64>>) = rows.into_iter().unzip();
        let cut = cut.min(a.len());
        let whole = correlation(&[(&a, &b)]);
        let parts = correlation(&[(&a[..cut], &b[..cut]), (&a[cut..], &b[cut..])]);
        match (whole, parts) {
            (Some(whole), Some(parts)) => prop_assert!((whole - parts).abs() < 1e-9),
            (whole, parts) => prop_assert_eq!(whole.is_some(), parts.is_some()),
        }
    }
}
