//! Forecasts of several networks as one: the mean of each number, quantile by quantile (*vincentisation*), of what explains it, too.
//!
//! Means of ascending quantiles ascend. Source: Lichtendahl, Grushka-Cockayne, Winkler, *Is it better to average probabilities or
//! quantiles?*, 2013.

use super::{Forecasts, Importance};
use crate::model::Crossings;

/// The mean of members' forecasts of the same windows; `None`: there are none, or they are of other windows.
#[must_use]
pub fn mean_of(members: &[Forecasts]) -> Option<Forecasts> {
    let first = members.first()?;
    let lengths = |member: &Forecasts| {
        let Importance { fixed, past, future } = &member.importance;
        [
            member.values.len(),
            fixed.len(),
            past.len(),
            future.len(),
            member.attention.len(),
        ]
    };
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
}
