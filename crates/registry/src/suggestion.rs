//! The names that a mistyped one may have meant: those within a third of its letters, by edit distance.

/// Up to three candidates that are near to `wanted`, the nearest first.
pub(crate) fn near(wanted: &str, candidates: impl IntoIterator<Item = String>) -> Vec<String> {
    let most = (wanted.chars().count() / 3).max(1);
    let mut near: Vec<(usize, String)> = candidates
        .into_iter()
        .filter_map(|candidate| {
            let within = candidate.starts_with(wanted) || wanted.starts_with(&candidate);
            let distance = if within { 1 } else { edit_distance(wanted, &candidate) };
            (distance <= most).then_some((distance, candidate))
        })
        .collect();
    near.sort();
    near.dedup();
    near.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}

/// Levenshtein's: how many letters have to be put in, taken out or replaced. One row of the table is kept.
fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, letter) in left.chars().enumerate() {
        let mut here = vec![row + 1];
        let mut before = row + 1;
        for (other, diagonal_and_above) in right.iter().zip(above.windows(2)) {
            let &[diagonal, up] = diagonal_and_above else { continue };
            before = (before + 1).min(up + 1).min(diagonal + usize::from(*other != letter));
            here.push(before);
        }
        above = here;
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edit_distance_counts_letters() {
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("abc", "abc"), 0);
    }

    #[test]
    fn mistyped_name_finds_its_neighbours_and_no_strangers() {
        let names = ["cpu_forecaster", "cpu_forecast", "disk_model"].map(str::to_owned);
        assert_eq!(near("cpu_forcaster", names.clone()), ["cpu_forecaster", "cpu_forecast"]);
        assert!(near("latency", names).is_empty());
    }
}
