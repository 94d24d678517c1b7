//! A learning rate that suits data and network: a short run whose rate grows from step to step, and where its loss falls fastest.
//!
//! ```text
//!     loss  ──────╮                     the rate grows by the same factor each step;
//!                  ╲        ╱           the suggestion is where the smoothed loss falls fastest
//!                   ╰──────╯            over a tenth of the steps, and the run ends where it is four times the best
//!           1e-6   ↑ 1e-3   1 rate
//! ```
//!
//! Cost: as many steps. The run's weights are thrown away. Source: Smith, *Cyclical learning rates for training neural networks*, 2017.

use std::ops::ControlFlow;

use burn::tensor::backend::AutodiffBackend;

use super::engine::Engine;
use super::fit::Material;
use crate::TftError;
use crate::data::{Loading, Sampling, Shape, load};
use crate::kernels::Kernels;
use crate::model::{Draws, Pass, TemporalFusionTransformer};
use crate::random::mix;

/// How rates are tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finder {
    /// The first rate; default 1e-6
    pub first: f64,
    /// The last rate; default 1
    pub last: f64,
    /// Steps between them; default 100
    pub steps: usize,
}

impl Default for Finder {
    fn default() -> Self {
        Self {
            first: 1e-6,
            last: 1.0,
            steps: 100,
        }
    }
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FoundRate {
    /// Each step's rate.
    pub rates: Vec<f64>,
    /// Each step's smoothed loss.
    pub losses: Vec<f64>,
    /// Where it falls fastest; `None`: it never does.
    pub suggestion: Option<f64>,
}

/// The share of the loss before that a smoothed loss keeps.
const SMOOTHING: f64 = 0.9;

/// How many times the best loss ends the run.
const TOO_MUCH: f64 = 4.0;

/// Tries rates on the training windows.
///
/// # Errors
/// `Setting` for rates that do not ascend; as for `fit`.
pub fn find_rate<B>(material: &Material<'_>, finder: Finder, device: &B::Device) -> Result<FoundRate, TftError>
where
    B: AutodiffBackend + Kernels,
    B::InnerBackend: Kernels,
{
    let Finder { first, last, steps } = finder;
    if !(first > 0.0 && last > first && last.is_finite() && steps > 1) {
        return Err(TftError::Setting {
            name: "finder",
            wanted: "two ascending positive rates and at least two steps",
            found: format!("{first}, {last}, {steps}"),
        });
    }
    material.settings.check()?;
    let (architecture, settings) = (material.architecture, material.settings);
    let network = TemporalFusionTransformer::<B>::new(architecture, material.seed, device)?;
    let shape = Shape {
        context: architecture.context,
        horizon: architecture.horizon,
    };
    let mut engine = Engine::new(&network, settings.optimiser, shape, device)?;
    let sampling = Sampling {
        seed: mix(material.seed, 2),
        batch: settings.batch_size,
        limit: None,
    };
    let (mut found, mut mean, mut epoch) = (FoundRate::default(), 0.0, 0);
    let growth = (last / first).powf(1.0 / (steps - 1) as f64);
    while found.rates.len() < steps {
        let order = sampling.order(epoch, material.train.len());
        let loading = Loading {
            gathering: &material.gathering,
            windows: material.train,
            order: &order,
            batch: settings.batch_size,
            batches: 0..order.len().div_ceil(settings.batch_size),
            draw: 0,
            threads: material.loading_threads,
        };
        epoch += 1;
        let before = found.rates.len();
        load(&loading, |_, batch| {
            let step = found.rates.len();
            let rate = first * growth.powi(step as i32);
            let draws = Draws::of_step(mix(material.seed, 3), step as u64);
            let gradient = engine.gradient(batch, Pass::Train(draws), &settings.loss)?;
            engine.step(gradient, rate, settings.gradient_clip)?;
            let loss: f64 = engine
                .take_losses()
                .iter()
                .map(|(sum, known)| sum / known.max(1.0))
                .sum();
            mean = mean * SMOOTHING + loss * (1.0 - SMOOTHING);
            let smoothed = mean / (1.0 - SMOOTHING.powi(step as i32 + 1));
            let best = found.losses.iter().copied().fold(f64::INFINITY, f64::min);
            if !smoothed.is_finite() || smoothed > TOO_MUCH * best {
                return Ok(ControlFlow::Break(()));
            }
            found.rates.push(rate);
            found.losses.push(smoothed);
            Ok(if found.rates.len() < steps {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        })?;
        let tried = found.rates.len() - before;
        if tried < order.len().div_ceil(settings.batch_size) {
            break;
        }
    }
    found.suggestion = steepest(&found.rates, &found.losses);
    Ok(found)
}

/// The middle of the tenth of the steps over which the loss falls most. The first tenth is left out: a mean of few losses is still moved by
/// which windows they are of.
fn steepest(rates: &[f64], losses: &[f64]) -> Option<f64> {
    let span = (losses.len() / 10).max(1);
    let first = losses.len() / 10;
    let falls = losses
        .iter()
        .zip(losses.iter().skip(span))
        .map(|(before, after)| before - after);
    let rates = rates.iter().skip(span - span / 2);
    let (fall, rate) = falls
        .zip(rates)
        .skip(first)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))?;
    (fall > 0.0).then_some(*rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestion_is_where_the_loss_falls_fastest() {
        let rates = [1.0, 2.0, 4.0, 8.0, 16.0];
        assert_eq!(steepest(&rates, &[5.0, 4.9, 3.0, 2.5, 9.0]), Some(4.0));
        assert_eq!(steepest(&rates, &[1.0, 1.0, 2.0]), None);
        // Of forty, the first four are left out, and four make a fall.
        let rates: Vec<f64> = (0..40).map(f64::from).collect();
        let noise = |at: usize| if at == 0 { 100.0 } else { 50.0 };
        let losses: Vec<f64> = (0..40)
            .map(|at| {
                if at < 20 {
                    noise(at)
                } else {
                    50.0 - (at as f64 - 20.0).min(10.0)
                }
            })
            .collect();
        let found = steepest(&rates, &losses);
        assert!(found.is_some_and(|rate| (20.0..30.0).contains(&rate)), "{found:?}");
        assert_eq!(steepest(&rates[..1], &[1.0]), None);
    }
}
