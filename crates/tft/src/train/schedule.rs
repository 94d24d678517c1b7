//! How the learning rate changes: a factor of the highest one.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use crate::TftError;

/// A schedule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// The same at every step.
    #[default]
    Constant,
    /// Up in a straight line for a share of the steps, then down along half a cosine to `floor` (Loshchilov & Hutter, *SGDR*, 2017).
    WarmUpCosine {
        /// The share of the steps on the way up, in [0, 1).
        warm_up: f64,
        /// The last factor, in [0, 1].
        floor: f64,
    },
    /// Up along half a cosine from `start`, then down to `end` (Smith & Topin, *Super-convergence*, 2018).
    OneCycle {
        /// The share of the steps on the way up, in (0, 1).
        warm_up: f64,
        /// The first factor, in [0, 1].
        start: f64,
        /// The last factor, in [0, 1].
        end: f64,
    },
    /// Times `factor` after `patience` epochs without a better validation loss.
    Plateau {
        /// What the rate is multiplied by, in (0, 1).
        factor: f64,
        /// Epochs.
        patience: u64,
        /// The smallest factor of the highest rate, in [0, 1].
        floor: f64,
    },
}

/// How far a plateau has come.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plateau {
    /// The factor by now.
    pub factor: f64,
    /// The best validation loss.
    pub best: Option<f64>,
    /// Epochs since.
    pub waited: u64,
}

impl Default for Plateau {
    fn default() -> Self {
        Self {
            factor: 1.0,
            best: None,
            waited: 0,
        }
    }
}

impl Schedule {
    /// Says what cannot be.
    ///
    /// # Errors
    /// `Setting`.
    pub fn check(&self) -> Result<(), TftError> {
        let share = |name, value: f64| {
            let is_share = (0.0..=1.0).contains(&value);
            let found = value.to_string();
            let wanted = "a number from 0 to 1";
            is_share.then_some(()).ok_or(TftError::Setting { name, wanted, found })
        };
        match *self {
            Self::Constant => Ok(()),
            Self::WarmUpCosine { warm_up, floor } => share("warm_up", warm_up).and(share("floor", floor)),
            Self::OneCycle { warm_up, start, end } => share("warm_up", warm_up)
                .and(share("start", start))
                .and(share("end", end)),
            Self::Plateau { factor, floor, .. } => share("factor", factor).and(share("floor", floor)),
        }
    }

    /// The factor at a step (from 0) of so many.
    #[must_use]
    pub fn factor(&self, step: u64, steps: u64, plateau: &Plateau) -> f64 {
        let steps = steps.max(1) as f64;
        // From 1 at 0 down to 0 at 1, along half a cosine.
        let down = |share: f64| (1.0 + libm::cos(PI * share.clamp(0.0, 1.0))) / 2.0;
        match *self {
            Self::Constant => 1.0,
            Self::WarmUpCosine { warm_up, floor } => {
                let (step, ascent) = (step as f64, warm_up * steps);
                if step < ascent {
                    return (step + 1.0).min(ascent) / ascent;
                }
                floor + (1.0 - floor) * down((step - ascent) / (steps - ascent).max(1.0))
            }
            Self::OneCycle { warm_up, start, end } => {
                let (step, ascent) = (step as f64, warm_up * steps);
                if step < ascent {
                    return 1.0 - (1.0 - start) * down(step / ascent);
                }
                end + (1.0 - end) * down((step - ascent) / (steps - 1.0 - ascent).max(1.0))
            }
            Self::Plateau { .. } => plateau.factor,
        }
    }

    /// After an epoch with this validation loss.
    pub fn after_epoch(&self, loss: f64, plateau: &mut Plateau) {
        let Self::Plateau {
            factor,
            patience,
            floor,
        } = *self
        else {
            return;
        };
        if plateau.best.is_none_or(|best| loss < best) {
            (plateau.best, plateau.waited) = (Some(loss), 0);
            return;
        }
        plateau.waited += 1;
        if plateau.waited > patience {
            (plateau.factor, plateau.waited) = ((plateau.factor * factor).max(floor), 0);
        }
    }
}
