//! Frames: spans of time that move with the row, and which rows they hold.

use super::rows::at;

/// The rows with a time in `(t + after, t + until]`, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    /// `None`: from the first row on.
    pub after: Option<i64>,
    pub until: i64,
}

impl Frame {
    /// Whether a time lies in the frame of `t`. Beyond the ends of time there is nothing to leave out or to take in.
    fn begins(self, t: i64, time: i64) -> bool {
        match self.after.map(|after| (after, t.checked_add(after))) {
            None => true,
            Some((_, Some(bound))) => time > bound,
            Some((after, None)) => after < 0,
        }
    }

    fn reaches(self, t: i64, time: i64) -> bool {
        match t.checked_add(self.until) {
            Some(bound) => time <= bound,
            None => self.until > 0,
        }
    }

    /// Which of these rows, given by their times in order, are in the frame of `t`.
    pub(super) fn rows(self, times: &[i64], t: i64) -> (usize, usize) {
        let end = times.partition_point(|time| self.reaches(t, *time));
        let start = times.partition_point(|time| !self.begins(t, *time));
        (start.min(end), end)
    }

    /// The same for each of the ascending times `ts`: two hands that only move forward.
    pub(super) fn bounds(self, times: &[i64], ts: &[i64], bounds: &mut Vec<(u32, u32)>) {
        bounds.clear();
        let Some(first) = ts.first() else { return };
        let (mut start, mut end) = self.rows(times, *first);
        bounds.extend(ts.iter().map(|t| {
            while end < times.len() && self.reaches(*t, at(times, end)) {
                end += 1;
            }
            while start < end && !self.begins(*t, at(times, start)) {
                start += 1;
            }
            (start as u32, end as u32)
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(after: Option<i64>, until: i64, times: &[i64], wanted: &[(u32, u32)]) {
        let frame = Frame { after, until };
        let mut bounds = Vec::new();
        frame.bounds(times, times, &mut bounds);
        assert_eq!(bounds, wanted);
        let one_by_one = times.iter().map(|t| frame.rows(times, *t));
        let one_by_one: Vec<_> = one_by_one.map(|(start, end)| (start as u32, end as u32)).collect();
        assert_eq!(bounds, one_by_one);
    }

    #[test]
    fn a_window_leaves_out_its_start_and_holds_all_rows_of_its_time() {
        check(
            Some(-10),
            0,
            &[0, 5, 5, 10, 15, 40],
            &[(0, 1), (0, 3), (0, 3), (1, 4), (3, 5), (5, 6)],
        );
    }

    #[test]
    fn a_frame_ahead_or_behind_leaves_out_the_row() {
        check(Some(0), 10, &[0, 5, 10, 11], &[(1, 3), (2, 4), (3, 4), (4, 4)]);
        check(Some(-10), -1, &[0, 5, 5, 11], &[(0, 0), (0, 1), (0, 1), (1, 3)]);
        check(None, -1, &[0, 5, 5, 11], &[(0, 0), (0, 1), (0, 1), (0, 3)]);
    }

    #[test]
    fn at_the_ends_of_time_nothing_is_left_out() {
        check(Some(-10), 0, &[i64::MIN, i64::MIN + 5], &[(0, 1), (0, 2)]);
        check(Some(0), 10, &[i64::MAX - 5, i64::MAX], &[(1, 2), (2, 2)]);
        check(Some(-20), -10, &[i64::MIN, i64::MIN + 10], &[(0, 0), (0, 1)]);
        check(
            Some(i64::MIN),
            i64::MAX,
            &[i64::MIN, 0, i64::MAX],
            &[(0, 1), (1, 3), (1, 3)],
        );
    }
}
