//! Forecasts made without learning, that a model has to beat.
//!
//! A baseline may use every label that was *known* at a row's time, and no other: the label at time s looks ahead to s + horizon,
//! so it is known from s + horizon on. For a row of an entity at time t
//!
//! ```text
//!     last value         the entity's newest label with s < t and s + horizon <= t
//!     seasonal naive     the entity's newest label with s <= t - k·season, for the smallest k >= 1 with
//!                        t - k·season + horizon <= t, and not older than one more season
//!     mean               the mean of the training labels (for classes: the share of each class is the caller's)
//! ```
//!
//! and the mean where there is none. Labels that are NULL do not count.
//!
//! Cost: one sort of the rows by entity and time, then a binary search a row: O(n log n) time, O(n) memory.
//! Source: Hyndman & Athanasopoulos, *Forecasting: Principles and Practice*, 3rd ed., section 5.2, with the label's horizon added.

use definitions::{Baseline, Duration};

/// Every row of the dataset, whatever its part, and those in its gaps: baselines look back across parts, as a deployed one would.
/// Rows of one entity and time must stand in the order in which they became known; otherwise their order does not matter.
#[derive(Debug, Clone, Copy)]
pub struct Observations<'a> {
    /// The entity of each row, as any number that tells entities apart.
    pub entities: &'a [u64],
    /// The event time of each row, in UTC microseconds.
    pub times: &'a [i64],
    /// The label of each row.
    pub labels: &'a [Option<f64>],
    /// How far ahead labels look.
    pub horizon: Duration,
    /// The mean of the training labels.
    pub mean: f64,
}

/// The baseline's forecast for each row, in the order of the observations.
#[must_use]
pub fn baseline(kind: Baseline, observations: &Observations<'_>) -> Vec<f64> {
    let rows = observations.times.len();
    let (bound, oldest): (i64, Option<i64>) = match kind {
        Baseline::Mean => return vec![observations.mean; rows],
        // They need windows: rows have none.
        Baseline::Dlinear | Baseline::Lightgbm => return vec![f64::NAN; rows],
        Baseline::LastValue => (observations.horizon.micros().max(1), None),
        Baseline::SeasonalNaive(season) => {
            let (season, horizon) = (season.micros().max(1), observations.horizon.micros());
            let back = season
                .saturating_mul(horizon.div_euclid(season) + i64::from(horizon % season != 0))
                .max(season);
            (back, Some(back.saturating_add(season)))
        }
    };
    let known = sorted_known(observations);
    let forecast = |(entity, time): (&u64, &i64)| {
        let newest = time.saturating_sub(bound);
        let after = known.partition_point(|label| (label.entity, label.time) <= (*entity, newest));
        let label = after
            .checked_sub(1)
            .and_then(|at| known.get(at))
            .filter(|label| label.entity == *entity);
        let recent = label.filter(|label| oldest.is_none_or(|oldest| label.time > time.saturating_sub(oldest)));
        recent.map_or(observations.mean, |label| label.value)
    };
    observations
        .entities
        .iter()
        .zip(observations.times)
        .map(forecast)
        .collect()
}

struct Known {
    entity: u64,
    time: i64,
    value: f64,
}

/// Labels by entity and time; of several at one time, the one that stands last in the dataset counts.
fn sorted_known(observations: &Observations<'_>) -> Vec<Known> {
    let rows = observations
        .entities
        .iter()
        .zip(observations.times)
        .zip(observations.labels);
    let mut known: Vec<Known> = rows
        .filter_map(|((&entity, &time), label)| label.map(|value| Known { entity, time, value }))
        .collect();
    known.sort_by_key(|label| (label.entity, label.time));
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    fn hours(number: i64) -> Duration {
        Duration::from_micros(number * HOUR).unwrap_or_default()
    }

    fn check(kind: Baseline, horizon: i64, rows: &[(u64, i64, Option<f64>)], wanted: &[f64]) {
        let entities: Vec<u64> = rows.iter().map(|row| row.0).collect();
        let times: Vec<i64> = rows.iter().map(|row| row.1 * HOUR).collect();
        let labels: Vec<Option<f64>> = rows.iter().map(|row| row.2).collect();
        let observations = Observations {
            entities: &entities,
            times: &times,
            labels: &labels,
            horizon: hours(horizon),
            mean: -1.0,
        };
        assert_eq!(baseline(kind, &observations), wanted);
        assert_eq!(twin(kind, &observations), wanted);
    }

    /// The rule read aloud, row against row.
    fn twin(kind: Baseline, o: &Observations<'_>) -> Vec<f64> {
        let one = |row: usize| {
            let t = o.times[row];
            let candidates = (0..o.times.len()).filter(|&s| o.entities[s] == o.entities[row] && o.labels[s].is_some());
            let chosen = match kind {
                Baseline::Mean | Baseline::Dlinear | Baseline::Lightgbm => None,
                Baseline::LastValue => candidates
                    .filter(|&s| o.times[s] < t && o.times[s] + o.horizon.micros() <= t)
                    .max_by_key(|&s| (o.times[s], s)),
                Baseline::SeasonalNaive(season) => {
                    let season = season.micros();
                    let k = (1..).find(|k| t - k * season + o.horizon.micros() <= t).unwrap_or(1);
                    candidates
                        .filter(|&s| o.times[s] <= t - k * season && o.times[s] > t - (k + 1) * season)
                        .max_by_key(|&s| (o.times[s], s))
                }
            };
            chosen.and_then(|s| o.labels[s]).unwrap_or(o.mean)
        };
        (0..o.times.len()).map(one).collect()
    }

    #[test]
    fn last_value_is_the_newest_label_whose_horizon_is_over() {
        let rows = [
            (1, 0, Some(5.0)),
            (1, 1, Some(6.0)),
            (1, 2, None),
            (1, 3, Some(8.0)),
            (2, 3, Some(9.0)),
        ];
        check(Baseline::LastValue, 1, &rows, &[-1.0, 5.0, 6.0, 6.0, -1.0]);
        check(Baseline::LastValue, 2, &rows, &[-1.0, -1.0, 5.0, 6.0, -1.0]);
        check(Baseline::LastValue, 0, &rows, &[-1.0, 5.0, 6.0, 6.0, -1.0]);
    }

    #[test]
    fn seasonal_naive_goes_back_as_many_seasons_as_the_horizon_needs() {
        let rows: Vec<_> = (0..8).map(|hour| (1, hour, Some(hour as f64))).collect();
        check(
            Baseline::SeasonalNaive(hours(2)),
            1,
            &rows,
            &[-1.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
        );
        check(
            Baseline::SeasonalNaive(hours(2)),
            3,
            &rows,
            &[-1.0, -1.0, -1.0, -1.0, 0.0, 1.0, 2.0, 3.0],
        );
    }

    /// A number below another, from a seed.
    fn draws(seed: u64) -> impl FnMut(u64) -> u64 {
        let mut state = seed;
        move |below| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        }
    }

    /// The forecasts of some rows, in their order.
    fn forecasts(kind: Baseline, horizon: i64, rows: &[(u64, i64, Option<f64>)], naive: bool) -> Vec<f64> {
        let entities: Vec<u64> = rows.iter().map(|row| row.0).collect();
        let times: Vec<i64> = rows.iter().map(|row| row.1 * HOUR).collect();
        let labels: Vec<Option<f64>> = rows.iter().map(|row| row.2).collect();
        let observations = Observations {
            entities: &entities,
            times: &times,
            labels: &labels,
            horizon: hours(horizon),
            mean: 0.5,
        };
        if naive {
            twin(kind, &observations)
        } else {
            baseline(kind, &observations)
        }
    }

    /// What a dataset does to its rows: parts one after the other, those of the gaps last. Nothing may change for the rows of a part.
    #[test]
    fn parts_and_gap_say_what_the_undivided_rows_say() {
        let mut draw = draws(11);
        for _ in 0..300 {
            let mut rows: Vec<(u64, i64, Option<f64>)> = (0..draw(60))
                .map(|row| (draw(3), draw(30) as i64, (draw(5) > 0).then_some(row as f64)))
                .collect();
            rows.sort_by_key(|row| (row.0, row.1));
            let (horizon, gap) = (draw(5) as i64, draw(6) as i64);
            let part = |time: i64| match time {
                _ if (12 - gap..12).contains(&time) || (21 - gap..21).contains(&time) => 3,
                _ if time < 12 => 0,
                _ if time < 21 => 1,
                _ => 2,
            };
            let mut places: Vec<usize> = (0..rows.len()).collect();
            places.sort_by_key(|at| part(rows[*at].1));
            let divided: Vec<_> = places.iter().map(|at| rows[*at]).collect();
            for kind in [Baseline::LastValue, Baseline::SeasonalNaive(hours(1 + draw(4) as i64))] {
                let whole = forecasts(kind, horizon, &rows, true);
                let wanted: Vec<f64> = places.iter().map(|at| whole[*at]).collect();
                assert_eq!(forecasts(kind, horizon, &divided, false), wanted, "{kind} {divided:?}");
            }
        }
    }

    #[test]
    fn random_rows_agree_with_the_rule_read_aloud() {
        let mut draw = draws(7);
        for _ in 0..300 {
            let rows: Vec<(u64, i64, Option<f64>)> = (0..draw(40))
                .map(|row| (draw(3), draw(20) as i64, (draw(4) > 0).then_some(row as f64)))
                .collect();
            let horizon = draw(5) as i64;
            for kind in [Baseline::LastValue, Baseline::SeasonalNaive(hours(1 + draw(4) as i64))] {
                assert_eq!(
                    forecasts(kind, horizon, &rows, false),
                    forecasts(kind, horizon, &rows, true),
                    "{kind} {rows:?}"
                );
            }
        }
    }
}
