//! A series in a few numbers, so that series can be compared: of each target the mean, the standard deviation, the correlation of a value
//! with the one before, and the share of steps without a value.
//!
//! Two passes over the values, in their order, in double precision. A series of one value all along correlates by 0.

use std::ops::Range;

use learning::{Panel, PartNumber};

/// Numbers of each target.
pub(super) const EACH: usize = 4;

/// Of an entity's rows of a part, every target one after the other; `None`: a target has no value there.
pub(super) fn of_part(panel: &Panel, entity: usize, part: PartNumber) -> Option<Vec<f64>> {
    let (rows, _) = panel.series(entity);
    let is_of_part = |row: &usize| panel.parts.get(*row) == Some(&part);
    let first = rows.clone().find(is_of_part)?;
    let last = rows.rev().find(is_of_part)?;
    let number = |row: usize, target: usize| {
        let of = panel.variables.observed.get(target).filter(|_| is_of_part(&row));
        of.map_or(f32::NAN, |variable| variable.number(row))
    };
    of_targets(panel.targets, first..last + 1, &number)
}

/// Of rows of a panel.
pub(super) fn of_rows(panel: &Panel, rows: Range<usize>) -> Option<Vec<f64>> {
    let number = |row: usize, target: usize| {
        let of = panel.variables.observed.get(target);
        of.map_or(f32::NAN, |variable| variable.number(row))
    };
    of_targets(panel.targets, rows, &number)
}

fn of_targets(targets: usize, rows: Range<usize>, number: &dyn Fn(usize, usize) -> f32) -> Option<Vec<f64>> {
    let mut all = Vec::with_capacity(targets * EACH);
    for target in 0..targets {
        let values: Vec<f64> = rows.clone().map(|row| f64::from(number(row, target))).collect();
        all.extend(of_values(&values)?);
    }
    Some(all)
}

/// Of a series; what is not finite is missing. `None`: all is.
fn of_values(values: &[f64]) -> Option<[f64; EACH]> {
    let known = || values.iter().filter(|value| value.is_finite());
    let count = known().count();
    if count == 0 {
        return None;
    }
    let mean = known().sum::<f64>() / count as f64;
    let squares = known().map(|value| (value - mean) * (value - mean)).sum::<f64>();
    let neighbours = values.iter().zip(values.iter().skip(1));
    let products: f64 = neighbours
        .map(|(before, after)| (before - mean) * (after - mean))
        .filter(|product| product.is_finite())
        .sum();
    let correlation = if squares > 0.0 { products / squares } else { 0.0 };
    let missing = (values.len() - count) as f64 / values.len() as f64;
    Some([mean, (squares / count as f64).sqrt(), correlation, missing])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_is_told_by_four_numbers() {
        assert_eq!(of_values(&[1.0, -1.0, 1.0, -1.0]), Some([0.0, 1.0, -0.75, 0.0]));
        assert_eq!(of_values(&[3.0, f64::NAN, 5.0, f64::NAN]), Some([4.0, 1.0, 0.0, 0.5]));
        assert_eq!(of_values(&[2.0, 2.0]), Some([2.0, 0.0, 0.0, 0.0]));
        assert_eq!(of_values(&[f64::NAN]), None);
        assert_eq!(of_values(&[]), None);
    }
}
