//! Quantiles that do not cross: the levels are forecast one by one, so a higher one may come out lower. They are sorted (which never
//! makes the pinball loss worse: Chernozhukov, Fernández-Val, Galichon, *Quantile and probability curves without crossing*, 2010), and
//! counted, because many crossings say that a model has learned little.

/// How often quantiles crossed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Crossings {
    /// Forecasts (a target of a window at a step) in which any two quantiles crossed.
    pub crossed: u64,
    /// Forecasts.
    pub forecasts: u64,
}

/// Sorts the quantiles of each forecast where they lie. `values` [.., levels].
pub fn sort_quantiles(values: &mut [f32], levels: usize) -> Crossings {
    let mut crossings = Crossings::default();
    for quantiles in values.chunks_exact_mut(levels.max(1)) {
        crossings.forecasts += 1;
        if !quantiles.is_sorted() {
            crossings.crossed += 1;
            quantiles.sort_by(f32::total_cmp);
        }
    }
    crossings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crossed_quantiles_are_sorted_and_counted() {
        let mut values = [1.0, 2.0, 3.0, 2.0, 1.0, 3.0, 0.0, 0.0, -1.0];
        let crossings = sort_quantiles(&mut values, 3);
        assert_eq!(values, [1.0, 2.0, 3.0, 1.0, 2.0, 3.0, -1.0, 0.0, 0.0]);
        assert_eq!((crossings.crossed, crossings.forecasts), (2, 3));
    }
}
