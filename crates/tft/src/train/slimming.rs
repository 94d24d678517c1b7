//! Fewer variables: what a first, short training found unimportant is left out of the second.
//!
//! A variable counts as much as its selection weighs it on average over windows (known variables: the mean of past and future). Of static,
//! known and observed variables each, the share that is kept are those that count most. Targets are always kept.

use crate::data::{Block, Panel, Scalers};
use crate::model::{Architecture, VariableSet};
use crate::predict::Importance;

/// The places of the variables that are kept, ascending: continuous and categorical ones, as in a `VariableSet`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Among static variables.
    pub fixed: Vec<usize>,
    /// Among known variables.
    pub known: Vec<usize>,
    /// Among observed variables.
    pub observed: Vec<usize>,
}

/// How much each variable counts, in the order of a `VariableSet`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counts {
    /// Static variables.
    pub fixed: Vec<f64>,
    /// Known variables.
    pub known: Vec<f64>,
    /// Observed variables.
    pub observed: Vec<f64>,
}

impl Counts {
    /// The means over windows.
    #[must_use]
    pub fn of(architecture: &Architecture, importance: &Importance) -> Self {
        let (known, observed) = (&architecture.known, &architecture.observed);
        let past = means(&importance.past, architecture.past().len());
        let future = means(&importance.future, known.len());
        // Past variables: continuous known, continuous observed, categorical known, categorical observed.
        let continuous = known.continuous.len() + observed.continuous.len();
        let at = |place: usize| past.get(place).copied().unwrap_or_default();
        let past_of_known = |place: usize| match place.checked_sub(known.continuous.len()) {
            None => at(place),
            Some(category) => at(continuous + category),
        };
        let past_of_observed = |place: usize| match place.checked_sub(observed.continuous.len()) {
            None => at(known.continuous.len() + place),
            Some(category) => at(continuous + known.categorical.len() + category),
        };
        let of_known = |(place, ahead): (usize, &f64)| (ahead + past_of_known(place)) / 2.0;
        Self {
            fixed: means(&importance.fixed, architecture.fixed.len()),
            known: future.iter().enumerate().map(of_known).collect(),
            observed: (0..observed.len()).map(past_of_observed).collect(),
        }
    }
}

/// [windows, variables] → [variables]
fn means(weights: &[f32], variables: usize) -> Vec<f64> {
    let mut sums = vec![0.0; variables];
    for row in weights.chunks_exact(variables.max(1)) {
        sums.iter_mut()
            .zip(row)
            .for_each(|(sum, weight)| *sum += f64::from(*weight));
    }
    let rows = (weights.len() / variables.max(1)).max(1);
    sums.iter().map(|sum| sum / rows as f64).collect()
}

/// The most important of those places, besides those that are kept in any case.
fn strongest(counts: &[f64], share: f64, always: usize) -> Vec<usize> {
    let most = ((counts.len() as f64 * share).ceil() as usize)
        .max(always)
        .min(counts.len());
    let mut places: Vec<usize> = (always.min(counts.len())..counts.len()).collect();
    let of = |place: &usize| counts.get(*place).copied().unwrap_or_default();
    places.sort_by(|one, other| of(other).total_cmp(&of(one)).then(one.cmp(other)));
    let mut kept: Vec<usize> = (0..always.min(counts.len()))
        .chain(places.into_iter().take(most - always.min(most)))
        .collect();
    kept.sort_unstable();
    kept
}

impl Kept {
    /// The share of variables that count most, at least one of each kind that there is.
    #[must_use]
    pub fn of(architecture: &Architecture, counts: &Counts, share: f64) -> Self {
        Self {
            fixed: strongest(&counts.fixed, share, 0),
            known: strongest(&counts.known, share, 0),
            observed: strongest(&counts.observed, share, architecture.targets),
        }
    }

    /// The architecture of what is kept.
    #[must_use]
    pub fn architecture(&self, architecture: &Architecture) -> Architecture {
        Architecture {
            fixed: set(&architecture.fixed, &self.fixed),
            known: set(&architecture.known, &self.known),
            observed: set(&architecture.observed, &self.observed),
            ..architecture.clone()
        }
    }

    /// The panel of what is kept.
    #[must_use]
    pub fn panel(&self, panel: &Panel) -> Panel {
        panel.with(
            block(panel.fixed(), &self.fixed),
            block(panel.known(), &self.known),
            block(panel.observed(), &self.observed),
        )
    }

    /// The scalers of what is kept.
    #[must_use]
    pub fn scalers(&self, scalers: &Scalers) -> Scalers {
        Scalers {
            scaling: scalers.scaling,
            fixed: chosen(&scalers.fixed, &self.fixed),
            known: chosen(&scalers.known, &self.known),
            observed: chosen(&scalers.observed, &self.observed),
            entities: scalers
                .entities
                .iter()
                .map(|(name, each)| (name.clone(), chosen(each, &self.observed)))
                .collect(),
        }
    }
}

/// Those at these places that there are.
fn chosen<T: Clone>(all: &[T], places: &[usize]) -> Vec<T> {
    places.iter().filter_map(|place| all.get(*place).cloned()).collect()
}

/// The places among categorical variables.
fn categories(places: &[usize], continuous: usize) -> Vec<usize> {
    places
        .iter()
        .filter_map(|place| place.checked_sub(continuous))
        .collect()
}

fn set(set: &VariableSet, places: &[usize]) -> VariableSet {
    let of_categories = categories(places, set.continuous.len());
    VariableSet {
        continuous: chosen(&set.continuous, places),
        categorical: chosen(&set.categorical, &of_categories),
        table_rows: chosen(&set.table_rows, &of_categories),
    }
}

fn block(block: &Block, places: &[usize]) -> Block {
    Block {
        continuous: chosen(&block.continuous, places),
        categorical: chosen(&block.categorical, &categories(places, block.continuous.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Outputs;

    fn set_of(continuous: &[&str], categorical: &[&str]) -> VariableSet {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        VariableSet {
            continuous: names(continuous),
            categorical: names(categorical),
            table_rows: vec![3; categorical.len()],
        }
    }

    #[test]
    fn what_counts_least_is_left_out_and_targets_never() {
        let architecture = Architecture {
            fixed: set_of(&["size"], &["zone", "kind"]),
            known: set_of(&["hour"], &["holiday"]),
            observed: set_of(&["cpu", "memory", "disk"], &["state"]),
            targets: 1,
            context: 2,
            horizon: 1,
            width: 4,
            heads: 1,
            dropout: 0.0,
            outputs: Outputs::Point,
        };
        let importance = Importance {
            fixed: vec![0.1, 0.6, 0.3, 0.3, 0.4, 0.3],
            // hour, cpu, memory, disk, holiday, state
            past: vec![0.1, 0.0, 0.3, 0.1, 0.3, 0.2],
            future: vec![0.4, 0.6],
        };
        let counts = Counts::of(&architecture, &importance);
        let kept = Kept::of(&architecture, &counts, 0.5);
        assert_eq!(
            kept,
            Kept {
                fixed: vec![1, 2],
                known: vec![1],
                observed: vec![0, 1]
            }
        );
        let slim = kept.architecture(&architecture);
        assert_eq!(slim.fixed, set_of(&[], &["zone", "kind"]));
        assert_eq!(slim.known, set_of(&[], &["holiday"]));
        assert_eq!(slim.observed, set_of(&["cpu", "memory"], &[]));
        assert_eq!(
            Kept::of(&architecture, &counts, 1.0).architecture(&architecture),
            architecture
        );
        assert_eq!(Kept::of(&architecture, &counts, 0.01).observed, [0]);
    }
}
