//! Did you mean …? The word of a list that a mistyped word was probably meant to be: the one that the fewest edits
//! (a letter put in, taken out, replaced, or two neighbours swapped) turn it into, if that is at most a third of its letters;
//! otherwise one that starts with it, or that it starts with.

/// The candidate that is most like the word; `None` where none is like it. The first of equals wins.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let folded = word.to_lowercase().replace(['-', ' '], "_");
    let allowed = (folded.chars().count() / 3).clamp(1, 4);
    let distances = candidates
        .iter()
        .map(|candidate| (edits(&folded, &candidate.to_lowercase()), *candidate));
    let near = distances
        .filter(|(far, _)| *far <= allowed)
        .min_by_key(|(far, _)| *far)
        .map(|(_, candidate)| candidate);
    let starts = |whole: &str, start: &str| start.chars().count() >= 3 && whole.starts_with(start);
    let related =
        |candidate: &&str| starts(&candidate.to_lowercase(), &folded) || starts(&folded, &candidate.to_lowercase());
    near.or_else(|| candidates.iter().copied().find(related))
}

/// Edits between two words: the restricted Damerau-Levenshtein distance, in three rows of memory.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut previous = None;
    for (count, letter) in from.chars().enumerate() {
        let mut next = vec![count + 1];
        let mut other_before = None;
        for (at, &other) in to.iter().enumerate() {
            let cell = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX - 1);
            let replaced = cell(&row, at) + usize::from(letter != other);
            let mut best = replaced.min(cell(&row, at + 1) + 1).min(cell(&next, at) + 1);
            if at > 0 && previous == Some(other) && other_before == Some(letter) {
                best = best.min(cell(&before, at - 1) + 1);
            }
            next.push(best);
            other_before = Some(other);
        }
        previous = Some(letter);
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swapped_letters_are_one_edit() {
        assert_eq!(edits("cpu_lables", "cpu_labels"), 1);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("abc", ""), 3);
        assert_eq!(edits("same", "same"), 0);
    }

    #[test]
    fn word_unlike_every_candidate_has_no_suggestion() {
        assert_eq!(nearest("colour", ["name", "version"]), None);
        assert_eq!(nearest("desc", ["name", "description"]), Some("description"));
        assert_eq!(nearest("versoin", ["name", "version"]), Some("version"));
    }
}
