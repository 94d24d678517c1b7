//! Forecasts of several networks as one: the mean of each number, quantile by quantile (*vincentisation*), of what explains it, too.
//!
//! Means of ascending quantiles ascend. Source: Lichtendahl, Grushka-Cockayne, Winkler, *Is it better to average probabilities or
//! quantiles?*, 2013.

use super::{Forecasts, Importance};
use crate::model::Crossings;

/// Numbers of each kind: those of forecasts of the same windows by the same variables.
fn lengths(of: &Forecasts) -> [usize; 5] {
    let Importance { fixed, past, future } = &of.importance;
    [
        of.values.len(),
        fixed.len(),
        past.len(),
        future.len(),
        of.attention.len(),
    ]
}

/// The mean of members' forecasts of the same windows; `None`: there are none, or they are of other windows.
#[must_use]
pub fn mean_of(members: &[Forecasts]) -> Option<Forecasts> {
    let first = members.first()?;
    if members.iter().any(|member| lengths(member) != lengths(first)) {
        return None;
    }
    let mean = |of: fn(&Forecasts) -> &Vec<f32>| {
        let sum = |at: usize| {
            members
                .iter()
                .filter_map(|member| of(member).get(at))
                .map(|number| f64::from(*number))
                .sum::<f64>()
        };
        (0..of(first).len())
            .map(|at| (sum(at) / members.len() as f64) as f32)
            .collect::<Vec<f32>>()
    };
    let attention = |at: usize| {
        members
            .iter()
            .filter_map(|member| member.attention.get(at))
            .sum::<f64>()
            / members.len() as f64
    };
    let crossings = members.iter().fold(Crossings::default(), |sum, member| Crossings {
        crossed: sum.crossed + member.crossings.crossed,
        forecasts: sum.forecasts + member.crossings.forecasts,
    });
    Some(Forecasts {
        values: mean(|member| &member.values),
        crossings,
        importance: Importance {
            fixed: mean(|member| &member.importance.fixed),
            past: mean(|member| &member.importance.past),
            future: mean(|member| &member.importance.future),
        },
        attention: (0..first.attention.len()).map(attention).collect(),
    })
}

/// Two forecasts of the same windows as one: `share` of the other, and the rest of the one. `None`: they are of other windows.
#[must_use]
pub fn blend(one: &Forecasts, other: &Forecasts, share: f64) -> Option<Forecasts> {
    if lengths(one) != lengths(other) {
        return None;
    }
    let mix = |one: f64, other: f64| one * (1.0 - share) + other * share;
    let numbers = |of: fn(&Forecasts) -> &Vec<f32>| -> Vec<f32> {
        let pairs = of(one).iter().zip(of(other));
        pairs
            .map(|(one, other)| mix(f64::from(*one), f64::from(*other)) as f32)
            .collect()
    };
    let attention = one.attention.iter().zip(&other.attention);
    Some(Forecasts {
        values: numbers(|of| &of.values),
        crossings: Crossings {
            crossed: one.crossings.crossed + other.crossings.crossed,
            forecasts: one.crossings.forecasts + other.crossings.forecasts,
        },
        importance: Importance {
            fixed: numbers(|of| &of.importance.fixed),
            past: numbers(|of| &of.importance.past),
            future: numbers(|of| &of.importance.future),
        },
        attention: attention.map(|(one, other)| mix(*one, *other)).collect(),
    })
}

impl Forecasts {
    /// Puts forecasts of some of so many windows to their places.
    pub fn put(&mut self, part: &Self, places: &[usize], of: usize) {
        let Importance { fixed, past, future } = &mut self.importance;
        for (all, part) in [
            (&mut self.values, &part.values),
            (fixed, &part.importance.fixed),
            (past, &part.importance.past),
            (future, &part.importance.future),
        ] {
            scatter(all, part, places, of);
        }
        let share = places.len() as f64 / of.max(1) as f64;
        self.attention.resize(part.attention.len(), 0.0);
        for (sum, weight) in self.attention.iter_mut().zip(&part.attention) {
            *sum += weight * share;
        }
        self.crossings.crossed += part.crossings.crossed;
        self.crossings.forecasts += part.crossings.forecasts;
    }
}

/// Rows of `part` to their places among so many.
fn scatter(all: &mut Vec<f32>, part: &[f32], places: &[usize], of: usize) {
    let each = part.len() / places.len().max(1);
    all.resize(each * of, 0.0);
    for (row, place) in part.chunks_exact(each.max(1)).zip(places) {
        if let Some(there) = all.get_mut(place * each..(place + 1) * each) {
            there.copy_from_slice(row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_averaged_level_by_level() {
        let member = |values: &[f32]| Forecasts {
            values: values.to_vec(),
            attention: vec![f64::from(values[0])],
            ..Forecasts::default()
        };
        let found = mean_of(&[member(&[1.0, 2.0]), member(&[2.0, 5.0]), member(&[3.0, 5.0])]);
        assert_eq!(
            found,
            Some(Forecasts {
                values: vec![2.0, 4.0],
                attention: vec![2.0],
                ..Forecasts::default()
            })
        );
        assert_eq!(mean_of(&[member(&[1.0]), member(&[1.0, 2.0])]), None);
        assert_eq!(mean_of(&[]), None);
    }

    #[test]
    fn parts_come_to_their_places_and_blends_lie_between() {
        let of = |values: &[f32]| Forecasts {
            values: values.to_vec(),
            attention: vec![f64::from(values[0])],
            ..Forecasts::default()
        };
        let mut all = Forecasts::default();
        all.put(&of(&[1.0, 2.0, 5.0, 6.0]), &[0, 2], 3);
        all.put(&of(&[4.0, 4.0]), &[1], 3);
        assert_eq!(all.values, [1.0, 2.0, 4.0, 4.0, 5.0, 6.0]);
        assert_eq!(all.attention, [1.0 / 3.0 * 2.0 + 4.0 / 3.0]);
        let blended = blend(&of(&[1.0, 2.0]), &of(&[2.0, 6.0]), 0.25);
        assert_eq!(blended, Some(of(&[1.25, 3.0])));
        assert_eq!(blend(&of(&[1.0]), &of(&[1.0, 2.0]), 0.5), None);
    }
}
