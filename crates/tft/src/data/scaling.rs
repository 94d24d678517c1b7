//! Numbers on one scale: z = (x - centre) / scale, fitted on training steps only.
//!
//! Known and static variables mean the same for every entity and share a scale. Observed variables, targets among them, have one for
//! each entity (paper, appendix C), or for each window: from what the window looks back at, so that levels never seen can be forecast.
//! An entity that training never saw has the scale of all entities together. A variable that never changes has the scale 1.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::panel::{Block, Panel};

/// What observed variables are scaled by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scaling {
    /// The entity's training steps.
    Entity,
    /// The steps that the window looks back at.
    Window,
}

/// A centre and a scale.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scaler {
    /// The mean.
    pub centre: f32,
    /// The standard deviation of the population; positive.
    pub scale: f32,
}

impl Scaler {
    /// Which changes nothing.
    pub const NONE: Self = Self {
        centre: 0.0,
        scale: 1.0,
    };

    /// Of the values that are not missing; `None`: there are none. Two passes in double precision, in the order of the values.
    #[must_use]
    pub fn fit(values: impl Iterator<Item = f32> + Clone) -> Option<Self> {
        let known = values.filter(|value| value.is_finite()).map(f64::from);
        let (count, sum) = known
            .clone()
            .fold((0_u64, 0.0), |(count, sum), value| (count + 1, sum + value));
        if count == 0 {
            return None;
        }
        let mean = sum / count as f64;
        let variance = known.map(|value| (value - mean) * (value - mean)).sum::<f64>() / count as f64;
        let (centre, scale) = (mean as f32, variance.sqrt() as f32);
        // A spread that is only the rounding of the numbers is none.
        let is_constant = !(scale.is_finite() && scale > centre.abs() * 1e-6 && scale > f32::MIN_POSITIVE);
        Some(Self {
            centre,
            scale: if is_constant { 1.0 } else { scale },
        })
    }
    /// Onto the common scale.
    #[must_use]
    pub fn apply(self, value: f32) -> f32 {
        (value - self.centre) / self.scale
    }
    /// Back to the value's own units.
    #[must_use]
    pub fn invert(self, value: f32) -> f32 {
        value * self.scale + self.centre
    }
}

/// Every variable's scaler, as kept with a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scalers {
    /// What observed variables are scaled by.
    pub scaling: Scaling,
    /// Of each static continuous variable.
    pub fixed: Vec<Scaler>,
    /// Of each known continuous variable.
    pub known: Vec<Scaler>,
    /// Of each observed continuous variable, over all entities.
    pub observed: Vec<Scaler>,
    /// The same by entity.
    pub entities: BTreeMap<String, Vec<Scaler>>,
}

impl Scalers {
    /// Fitted on the steps before `train_end`.
    #[must_use]
    pub fn fit(panel: &Panel, train_end: i64, scaling: Scaling) -> Self {
        let stretches: Vec<_> = (0..panel.names().len())
            .map(|entity| {
                let (rows, first) = panel.series(entity);
                let steps = usize::try_from(train_end.saturating_sub(first))
                    .unwrap_or(0)
                    .min(rows.len());
                rows.start..rows.start + steps
            })
            .collect();
        let over_all = |block: &Block| -> Vec<Scaler> {
            let of = |column: &Vec<f32>| {
                let values = stretches
                    .iter()
                    .filter_map(|rows| column.get(rows.clone()))
                    .flatten()
                    .copied();
                Scaler::fit(values).unwrap_or(Scaler::NONE)
            };
            block.continuous.iter().map(of).collect()
        };
        let observed = over_all(panel.observed());
        let mut entities = BTreeMap::new();
        for (name, rows) in panel.names().iter().zip(&stretches) {
            let of = |(column, all): (&Vec<f32>, &Scaler)| {
                let values = column.get(rows.clone()).unwrap_or_default();
                Scaler::fit(values.iter().copied()).unwrap_or(*all)
            };
            if !rows.is_empty() {
                entities.insert(
                    name.clone(),
                    panel.observed().continuous.iter().zip(&observed).map(of).collect(),
                );
            }
        }
        let fixed = panel.fixed().continuous.iter();
        Self {
            scaling,
            fixed: fixed
                .map(|column| Scaler::fit(column.iter().copied()).unwrap_or(Scaler::NONE))
                .collect(),
            known: over_all(panel.known()),
            observed,
            entities,
        }
    }
    /// The scalers of the observed variables of each entity of a panel.
    #[must_use]
    pub fn of_entities(&self, panel: &Panel) -> Vec<Vec<Scaler>> {
        let of = |name: &String| self.entities.get(name).unwrap_or(&self.observed).clone();
        panel.names().iter().map(of).collect()
    }
}
