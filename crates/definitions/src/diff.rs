//! The difference between two texts, line by line, for people: the longest common subsequence of their lines stays, the rest
//! is taken out (`-`) or put in (`+`), with a few lines around it.
//!
//! ```text
//!     entity = ["host"]
//!   - event_time = "ts"
//!   + event_time = "time"
//! ```
//!
//! The table of the subsequence takes time and memory in the product of the changed lines; common lines at both ends are left
//! out first. Texts too large for that are shown as taken out and put in as a whole.

/// Lines shown around a change.
const CONTEXT: usize = 3;
/// Cells of the largest table that is filled.
const MOST_CELLS: usize = 4_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line<'a> {
    Same(&'a str),
    Out(&'a str),
    In(&'a str),
}

/// The lines that differ between two definitions, with three lines around each change: `- ` was, `+ ` is, `  ` both.
/// Empty when the texts have the same lines.
#[must_use]
pub fn diff_definitions(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let lines = compare(&old, &new);
    let changed: Vec<usize> = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| !matches!(line, Line::Same(_)))
        .map(|(at, _)| at)
        .collect();
    let is_near = |at: usize| {
        let next = changed.partition_point(|change| *change < at);
        let after = changed.get(next).is_some_and(|change| change - at <= CONTEXT);
        after
            || next
                .checked_sub(1)
                .and_then(|before| changed.get(before))
                .is_some_and(|change| at - change <= CONTEXT)
    };
    let mut text = String::new();
    let mut last_shown = None;
    for (at, line) in lines.iter().enumerate().filter(|(at, _)| is_near(*at)) {
        if last_shown.map_or(at > 0, |last| at > last + 1) {
            text.push_str("  …\n");
        }
        last_shown = Some(at);
        let (sign, line) = match line {
            Line::Same(line) => (' ', line),
            Line::Out(line) => ('-', line),
            Line::In(line) => ('+', line),
        };
        text.push_str(format!("{sign} {line}").trim_end());
        text.push('\n');
    }
    if last_shown.is_some_and(|last| last + 1 < lines.len()) {
        text.push_str("  …\n");
    }
    text
}

fn compare<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Line<'a>> {
    let start = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (common, old, new) = (old.get(..start), old.get(start..), new.get(start..));
    let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
    let end = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(|(old, new)| old == new)
        .count();
    let (old, tail) = old.split_at(old.len() - end);
    let (new, _) = new.split_at(new.len() - end);
    let same = |lines: &[&'a str]| lines.iter().map(|line| Line::Same(line)).collect::<Vec<_>>();
    let mut lines = same(common.unwrap_or_default());
    lines.extend(changes(old, new));
    lines.extend(same(tail));
    lines
}

/// Walks the table of common subsequences from its start: out before in, as people read it.
fn changes<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Line<'a>> {
    let width = new.len() + 1;
    let lengths = if (old.len() + 1).saturating_mul(width) <= MOST_CELLS {
        common_lengths(old, new)
    } else {
        Vec::new()
    };
    let length = |row: usize, column: usize| lengths.get(row * width + column).copied().unwrap_or_default();
    let (mut row, mut column) = (0, 0);
    let mut lines = Vec::with_capacity(old.len() + new.len());
    loop {
        match (old.get(row), new.get(column)) {
            (Some(was), Some(is)) if was == is && !lengths.is_empty() => {
                lines.push(Line::Same(was));
                (row, column) = (row + 1, column + 1);
            }
            (Some(was), is) if is.is_none() || length(row + 1, column) >= length(row, column + 1) => {
                lines.push(Line::Out(was));
                row += 1;
            }
            (_, Some(is)) => {
                lines.push(Line::In(is));
                column += 1;
            }
            _ => return lines,
        }
    }
}

/// For every pair of suffixes, the length of their longest common subsequence; row by row.
fn common_lengths(old: &[&str], new: &[&str]) -> Vec<u32> {
    let width = new.len() + 1;
    let mut lengths = vec![0; (old.len() + 1) * width];
    for (row, was) in old.iter().enumerate().rev() {
        for (column, is) in new.iter().enumerate().rev() {
            let cell = |row: usize, column: usize| lengths.get(row * width + column).copied().unwrap_or_default();
            let best = if was == is {
                cell(row + 1, column + 1) + 1
            } else {
                cell(row + 1, column).max(cell(row, column + 1))
            };
            if let Some(slot) = lengths.get_mut(row * width + column) {
                *slot = best;
            }
        }
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_no_diff() {
        assert_eq!(diff_definitions("a\nb\n", "a\nb"), "");
    }

    #[test]
    fn changed_line_is_shown_with_its_neighbours_only() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let new = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n";
        assert_eq!(
            diff_definitions(old, new),
            "  …\n  2\n  3\n  4\n- 5\n+ five\n  6\n  7\n  8\n  …\n"
        );
    }

    #[test]
    fn common_lines_between_changes_stay() {
        assert_eq!(
            diff_definitions("a\nkeep\nb\n", "c\nkeep\nd\n"),
            "- a\n+ c\n  keep\n- b\n+ d\n"
        );
        assert_eq!(diff_definitions("", "a\n"), "+ a\n");
        assert_eq!(diff_definitions("a\n", ""), "- a\n");
    }
}
