//! What training makes small: a sum over what is known of the targets, and how much that is, so that the loss of a batch is the same
//! whether it is computed at once or in pieces.
//!
//! Forecasts and targets are in scaled units (paper, section 4.6 and equation 24).

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use crate::TftError;
use crate::model::Outputs;

#[cfg(test)]
mod tests;

/// A loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Σ over levels q of max(q (y - ŷ), (q - 1)(y - ŷ)): the pinball loss (equation 25).
    Quantile(Vec<f64>),
    /// |y - ŷ|
    Mae,
    /// (y - ŷ)²
    Mse,
    /// (y - ŷ)² / 2 within `delta`, delta · (|y - ŷ| - delta / 2) beyond (Huber, 1964).
    Huber {
        /// Where it turns from square to straight; more than 0.
        delta: f64,
    },
    /// exp(ŷ) - y ŷ: the negative logarithm of Poisson's probability of y with mean exp(ŷ), without what does not depend on ŷ.
    Poisson,
}

/// A loss in two parts, whose quotient it is.
#[derive(Debug, Clone)]
pub struct LossSum<B: Backend> {
    /// The sum over what is known: [1]
    pub sum: Tensor<B, 1>,
    /// How many targets are known: [1], without a gradient.
    pub known: Tensor<B, 1>,
}

impl Loss {
    /// What the network gives for it.
    #[must_use]
    pub fn outputs(&self) -> Outputs {
        match self {
            Self::Quantile(levels) => Outputs::Quantiles(levels.clone()),
            _ => Outputs::Point,
        }
    }

    /// Says what is no loss.
    ///
    /// # Errors
    /// `Setting` for levels outside of (0, 1) or out of order, and for a delta that is not positive.
    pub fn check(&self) -> Result<(), TftError> {
        let wrong = |name, wanted, found| Err(TftError::Setting { name, wanted, found });
        match self {
            Self::Quantile(levels) => {
                let inside = levels.iter().all(|level| *level > 0.0 && *level < 1.0);
                if levels.is_empty() || !inside || !levels.is_sorted_by(|one, other| one < other) {
                    return wrong("quantiles", "ascending numbers between 0 and 1", format!("{levels:?}"));
                }
            }
            Self::Huber { delta } if !(delta.is_finite() && *delta > 0.0) => {
                return wrong("delta", "a positive number", delta.to_string());
            }
            _ => {}
        }
        Ok(())
    }

    /// `forecast` [batch, horizon, targets, outputs], `target` and `known` [batch, horizon, targets]; `known` is 1 where a target is
    /// known and 0 where it is missing, and the target there is any finite number.
    #[must_use]
    pub fn sum<B: Backend>(&self, forecast: Tensor<B, 4>, target: Tensor<B, 3>, known: Tensor<B, 3>) -> LossSum<B> {
        let count = known.clone().sum();
        let known = known.unsqueeze_dim::<4>(3);
        let target = target.unsqueeze_dim::<4>(3);
        let each = match self {
            Self::Quantile(levels) => {
                let device = forecast.device();
                let floats: Vec<f32> = levels.iter().map(|level| *level as f32).collect();
                let levels = Tensor::<B, 1>::from_floats(floats.as_slice(), &device).reshape([1, 1, 1, floats.len()]);
                // q·r for r > 0 and (q - 1)·r otherwise: q·r + max(-r, 0).
                let rest = target - forecast;
                rest.clone() * levels + rest.neg().clamp_min(0.0)
            }
            Self::Mae => (target - forecast).abs(),
            Self::Mse => {
                let rest = target - forecast;
                rest.clone() * rest
            }
            Self::Huber { delta } => {
                // With a = min(|r|, δ): a²/2 + δ (|r| - a) is both branches.
                let size = (target - forecast).abs();
                let near = size.clone().clamp_max(*delta);
                near.clone() * near.clone() * 0.5 + (size - near) * *delta
            }
            Self::Poisson => {
                // What is not known may be forecast as anything: its exponential must not overflow, or the product with 0 is no number.
                let forecast = forecast * known.clone();
                forecast.clone().exp() - target * forecast
            }
        };
        LossSum {
            // Dimension by dimension: a sum over everything at once is cut by threads when it is large.
            sum: (each * known).sum_dim(3).sum_dim(2).sum_dim(1).sum(),
            known: count,
        }
    }

    /// The summed loss of one window, as it lies in memory: `forecast` by rows of steps, which are so many numbers apart, targets and
    /// `known` [horizon, targets]. Its gradient is written into `gradient`, which lies as the forecast does.
    pub(crate) fn of_window(
        &self,
        (forecast, apart): (&[f32], usize),
        targets: &[f32],
        known: &[f32],
        gradient: Option<&mut [f32]>,
    ) -> f64 {
        let outputs = self.outputs().len().max(1);
        let mut nowhere = [];
        let (is_asked, gradient) = match gradient {
            Some(gradient) => (true, gradient),
            None => (false, &mut nowhere[..]),
        };
        let steps = forecast.len() / apart.max(1);
        let each = targets.len() / steps.max(1);
        let mut sum = 0.0;
        for step in 0..steps {
            let row = forecast.iter().skip(step * apart);
            let goals = targets.iter().zip(known).skip(step * each).take(each);
            let goals = goals.flat_map(|goal| (0..outputs).map(move |output| (goal, output)));
            let mut places = gradient.iter_mut().skip(step * apart);
            for (forecast, ((target, known), output)) in row.zip(goals) {
                let place = places.next();
                if *known == 0.0 {
                    continue;
                }
                let (loss, slope) = self.of_one(*forecast, *target, output);
                sum += f64::from(loss);
                if let (true, Some(place)) = (is_asked, place) {
                    *place = slope;
                }
            }
        }
        sum
    }

    /// The loss of a forecast and its slope.
    fn of_one(&self, forecast: f32, target: f32, output: usize) -> (f32, f32) {
        let rest = target - forecast;
        match self {
            Self::Quantile(levels) => {
                let level = levels.get(output).copied().unwrap_or_default() as f32;
                if rest < 0.0 {
                    (rest * (level - 1.0), 1.0 - level)
                } else {
                    (rest * level, -level)
                }
            }
            Self::Mae => (rest.abs(), if rest == 0.0 { 0.0 } else { -rest.signum() }),
            Self::Mse => (rest * rest, -2.0 * rest),
            Self::Huber { delta } => {
                let (size, delta) = (rest.abs(), *delta as f32);
                if size <= delta {
                    (0.5 * size * size, -rest)
                } else {
                    (delta * (size - 0.5 * delta), -delta * rest.signum())
                }
            }
            Self::Poisson => {
                let power = libm::expf(forecast);
                (power - target * forecast, power - target)
            }
        }
    }
}
