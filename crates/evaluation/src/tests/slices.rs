use proptest::prelude::*;

use crate::{MAX_DISTINCT_NUMBERS, Slice, slice_by_numbers, slice_by_texts};

fn text(slices: &[Slice]) -> Vec<String> {
    slices
        .iter()
        .map(|slice| format!("{} {:?}", slice.key, slice.rows))
        .collect()
}

#[test]
fn texts_are_in_order_and_null_is_last() {
    let values = [Some("west"), None, Some("east"), Some("west"), Some("NULL")].map(|text| text.map(str::to_owned));
    let wanted = [
        "region=NULL [4]",
        "region=east [2]",
        "region=west [0, 3]",
        "region is NULL [1]",
    ];
    assert_eq!(text(&slice_by_texts("region", &values)), wanted);
    assert!(slice_by_texts("region", &[]).is_empty());
}

#[test]
fn few_numbers_are_slices_of_their_own() {
    let values = [
        Some(2.0),
        Some(-1.5),
        None,
        Some(2.0),
        Some(f64::NAN),
        Some(0.0),
        Some(-0.0),
    ];
    let wanted = [
        "cores=-1.5 [1]",
        "cores=-0 [5, 6]",
        "cores=2 [0, 3]",
        "cores is NULL [2, 4]",
    ];
    assert_eq!(text(&slice_by_numbers("cores", &values)), wanted);
}

#[test]
fn many_numbers_are_divided_at_their_quartiles() {
    let values: Vec<Option<f64>> = (0..100).map(|row| Some(f64::from(99 - row))).collect();
    let slices = slice_by_numbers("age", &values);
    let keys: Vec<String> = slices
        .iter()
        .map(|slice| format!("{} {}", slice.key, slice.rows.len()))
        .collect();
    assert_eq!(
        keys,
        [
            "age=[0, 24) 24",
            "age=[24, 49) 25",
            "age=[49, 74) 25",
            "age=[74, 99] 26"
        ]
    );
}

#[test]
fn numbers_that_are_mostly_one_make_fewer_ranges() {
    let values: Vec<Option<f64>> = (0..400).map(|row| Some(f64::from((row - 300).max(0)))).collect();
    let slices = slice_by_numbers("errors", &values);
    let keys: Vec<String> = slices
        .iter()
        .map(|slice| format!("{} {}", slice.key, slice.rows.len()))
        .collect();
    assert_eq!(keys, ["errors=[0, 99] 400"]);
}

proptest! {
    #[test]
    fn every_row_is_in_exactly_one_slice(values in prop::collection::vec(prop::option::of(-40..40_i32), 0..300)) {
        let numbers: Vec<Option<f64>> = values.iter().map(|value| value.map(f64::from)).collect();
        let texts: Vec<Option<String>> = values.iter().map(|value| value.map(|value| value.to_string())).collect();
        for slices in [slice_by_numbers("x", &numbers), slice_by_texts("x", &texts)] {
            let mut rows: Vec<usize> = slices.iter().flat_map(|slice| slice.rows.iter().copied()).collect();
            rows.sort_unstable();
            prop_assert_eq!(rows, (0..values.len()).collect::<Vec<_>>());
            prop_assert!(slices.iter().all(|slice| !slice.rows.is_empty() && slice.rows.is_sorted()));
        }
        let distinct: std::collections::BTreeSet<i32> = values.iter().flatten().copied().collect();
        let slices = slice_by_numbers("x", &numbers).len();
        let most = if distinct.len() > MAX_DISTINCT_NUMBERS { 5 } else { distinct.len() + 1 };
        prop_assert!(slices <= most);
    }
}
