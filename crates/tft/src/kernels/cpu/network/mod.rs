//! The whole network, forward and back, as one operation of own code: shards of windows, each by one thread, without a graph.
//!
//! ```text
//!     parameters ─ derive ─┬─ shard of 8 windows ─ gradients ─┐
//!                          ├─ shard …                         ├─ added in order ─ pull ─ gradient of the flat buffer
//!                          └─ shard …                         ┘
//! ```
//!
//! `model` in Burn's operations is the naive twin, and what graphics cards run. Here no tensor is made, nothing waits for another thread
//! within a step, and almost nothing is allocated after the first one.
//!
//! Shards and the buffers that their gradients are added up in are of fixed numbers, so results are the same bits for any number of
//! threads. Memory: a shard's buffers a thread, and `ACCUMULATORS` times the parameters.
//!
//! Reading order: `plan` (where parameters lie), `derived` (what is made of them once a step), `shard`, `contexts`, `kept`, `selecting`, `window`.

mod contexts;
mod derived;
mod kept;
mod plan;
mod selecting;
mod shard;
mod window;

use std::sync::{Mutex, PoisonError};

use burn::tensor::backend::Backend;
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, IntoParallelRefMutIterator, ParallelIterator};

use self::derived::{Derive, Layout, Pull};
use self::plan::Plan;
use self::shard::{Asked, Outputs, Shard, Space};
use super::simd::{Level, run};
use crate::data::{Batch, Given};
use crate::loss::Loss;
use crate::model::{Pass, TemporalFusionTransformer};

/// Windows of a shard: a tile of rows of the recurrence.
const SHARD: usize = 8;

/// Buffers that gradients are added up in: shard `i` adds to buffer `i` modulo this, in order.
const ACCUMULATORS: usize = 16;

/// A network on processors.
#[derive(Debug)]
pub struct OnProcessor {
    plan: Plan,
    level: Level,
    spaces: Mutex<Vec<Space>>,
    gradients: Vec<Vec<f32>>,
    derived: Vec<f32>,
    exchanged: Vec<f32>,
}

/// A loss and its gradient.
#[derive(Debug, Clone, Default)]
pub struct LossGradient {
    /// The sum over what is known.
    pub sum: f64,
    /// How many targets are known.
    pub known: f64,
    /// The sum's gradient, in the order of the flat buffer.
    pub gradient: Vec<f32>,
}

/// Forecasts in scaled units and their explanations, as `model::Explained`.
#[derive(Debug, Clone, Default)]
pub struct ExplainedNumbers {
    /// [windows, horizon, targets, outputs]
    pub forecast: Vec<f32>,
    /// [windows, variables]
    pub fixed: Vec<f32>,
    /// [windows, context, variables]
    pub past: Vec<f32>,
    /// [windows, horizon, variables]
    pub future: Vec<f32>,
    /// [windows, horizon, context + horizon]
    pub attention: Vec<f32>,
}

/// What a batch is computed with.
struct Prepared<'a> {
    plan: &'a Plan,
    layout: Layout,
    given: Given<'a>,
    parameters: &'a [f32],
    derived: &'a [f32],
    exchanged: &'a [f32],
    spaces: &'a Mutex<Vec<Space>>,
    pass: Pass,
    level: Level,
}

impl Prepared<'_> {
    /// A shard's windows: first and number.
    fn windows(&self, shard: usize) -> [usize; 2] {
        let first = shard * SHARD;
        [first, SHARD.min(self.given.windows - first)]
    }
    fn shards(&self) -> usize {
        self.given.windows.div_ceil(SHARD)
    }
    fn run(&self, shard: usize, asked: Asked<'_>) -> f64 {
        let pool = || self.spaces.lock().unwrap_or_else(PoisonError::into_inner);
        let mut space = pool().pop().unwrap_or_default();
        let loss = run(
            self.level,
            Shard {
                plan: self.plan,
                layout: &self.layout,
                given: self.given,
                parameters: self.parameters,
                derived: self.derived,
                exchanged: self.exchanged,
                pass: self.pass,
                windows: self.windows(shard),
                space: &mut space,
                asked,
            },
        );
        pool().push(space);
        loss
    }
}

impl OnProcessor {
    /// For a network's architecture; `None` where it has other parameters than are known here.
    #[must_use]
    pub fn new<B: Backend>(network: &TemporalFusionTransformer<B>) -> Option<Self> {
        Some(Self {
            plan: Plan::new(network)?,
            level: Level::of_machine(),
            spaces: Mutex::default(),
            gradients: Vec::new(),
            derived: Vec::new(),
            exchanged: Vec::new(),
        })
    }

    /// The same network with the vectors of every level that this machine has.
    #[cfg(test)]
    pub(crate) fn of_every_level<B: Backend>(network: &TemporalFusionTransformer<B>) -> Vec<Self> {
        let at = |level| {
            Some(Self {
                level,
                ..Self::new(network)?
            })
        };
        Level::all().into_iter().filter_map(at).collect()
    }

    /// Numbers of the flat buffer of parameters.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.plan.parameters
    }

    /// Numbers that do not fit the network would be read from where there are none: `None`.
    fn checked<'a>(&self, parameters: &[f32], batch: &'a Batch) -> Option<Given<'a>> {
        let plan = &self.plan;
        let given = batch.given();
        let windows = given.windows;
        let fits = |columns: &crate::data::GivenColumns<'_>, [continuous, categorical]: [usize; 2], rows: usize| {
            columns.rows == rows
                && columns.continuous.len() == rows * continuous
                && columns.categorical.len() == categorical
                && columns.categorical.iter().all(|column| column.len() == rows)
                && columns
                    .present
                    .is_none_or(|present| present.len() == rows * (continuous + categorical))
        };
        let count = |selection: &plan::Selection| [selection.continuous, selection.tables.len()];
        let none = [0, 0];
        let is_whole = parameters.len() == plan.parameters
            && fits(&given.past, count(&plan.past), windows * plan.context)
            && fits(
                &given.future,
                plan.future.as_ref().map_or(none, count),
                windows * plan.horizon,
            )
            && fits(
                &given.fixed,
                plan.fixed.as_ref().map_or(none, |fixed| count(&fixed.selection)),
                windows,
            )
            && given
                .steps_present
                .is_none_or(|present| present.len() == windows * plan.context)
            && given.targets.len() == windows * plan.horizon * plan.targets
            && given.known.len() == given.targets.len();
        is_whole.then_some(given)
    }

    /// Derives what a batch needs.
    fn prepare<'a>(
        &'a mut self,
        parameters: &'a [f32],
        given: Given<'a>,
        pass: Pass,
        is_training: bool,
    ) -> (Prepared<'a>, &'a mut Vec<Vec<f32>>) {
        let level = self.level;
        let layout = Layout::new(
            &self.plan,
            [
                given.fixed.categorical,
                given.past.categorical,
                given.future.categorical,
            ],
        );
        self.derived.clear();
        self.derived.resize(layout.length, 0.0);
        self.exchanged
            .resize(if is_training { self.plan.exchanged } else { 0 }, 0.0);
        let derive = Derive {
            plan: &self.plan,
            layout: &layout,
            parameters,
            derived: &mut self.derived,
            exchanged: &mut self.exchanged,
            is_training,
        };
        run(level, derive);
        let prepared = Prepared {
            plan: &self.plan,
            layout,
            given,
            parameters,
            derived: &self.derived,
            exchanged: &self.exchanged,
            spaces: &self.spaces,
            pass,
            level,
        };
        (prepared, &mut self.gradients)
    }

    /// The summed loss of a batch and its gradient; `None`: the batch is not of this network.
    pub fn gradient(&mut self, parameters: &[f32], batch: &Batch, pass: Pass, loss: &Loss) -> Option<LossGradient> {
        let given = self.checked(parameters, batch)?;
        let slots = self.plan.slots;
        let (prepared, gradients) = self.prepare(parameters, given, pass, true);
        let length = slots + prepared.layout.length;
        let shards = prepared.shards();
        gradients.resize_with(ACCUMULATORS.min(shards).max(1), Vec::new);
        let mut sums = vec![0.0; gradients.len()];
        let each = gradients.par_iter_mut().zip(sums.par_iter_mut()).enumerate();
        each.for_each(|(first, (gradients, sum))| {
            gradients.clear();
            gradients.resize(length, 0.0);
            for shard in (first..shards).step_by(ACCUMULATORS) {
                *sum += prepared.run(shard, Asked::Gradients(loss, gradients));
            }
        });
        let (total, rest) = gradients.split_first_mut()?;
        add_in_order(total, rest);
        let mut flat = vec![0.0; parameters.len()];
        run(
            prepared.level,
            Pull {
                plan: prepared.plan,
                layout: &prepared.layout,
                parameters,
                derived: prepared.derived,
                gradients: total,
                flat: &mut flat,
            },
        );
        Some(LossGradient {
            sum: sums.iter().sum(),
            known: known(given),
            gradient: flat,
        })
    }

    /// The summed loss of a batch, and how many targets are known; `None`: the batch is not of this network.
    pub fn loss(&mut self, parameters: &[f32], batch: &Batch, loss: &Loss) -> Option<(f64, f64)> {
        let given = self.checked(parameters, batch)?;
        let (prepared, _) = self.prepare(parameters, given, Pass::Predict, false);
        let sums: Vec<f64> = (0..prepared.shards())
            .into_par_iter()
            .map(|shard| prepared.run(shard, Asked::Loss(loss)))
            .collect();
        Some((sums.iter().sum(), known(given)))
    }

    /// Forecasts and explanations; `None`: the batch is not of this network.
    pub fn explain(&mut self, parameters: &[f32], batch: &Batch) -> Option<ExplainedNumbers> {
        let given = self.checked(parameters, batch)?;
        let (prepared, _) = self.prepare(parameters, given, Pass::Predict, false);
        let plan = prepared.plan;
        let steps = plan.context + plan.horizon;
        let variables = |selection: Option<&plan::Selection>| selection.map_or(0, plan::Selection::variables);
        let each = [
            plan.horizon * plan.numbers,
            variables(plan.fixed.as_ref().map(|fixed| &fixed.selection)),
            plan.context * variables(Some(&plan.past)),
            plan.horizon * variables(plan.future.as_ref()),
            plan.horizon * steps,
        ];
        let mut numbers = each.map(|each| vec![0.0_f32; given.windows * each]);
        let mut parts = numbers.each_mut().map(|numbers| numbers.as_mut_slice());
        let mut work = Vec::new();
        for shard in 0..prepared.shards() {
            let [_, windows] = prepared.windows(shard);
            let mut next = [const { None }; 5];
            for ((part, each), next) in parts.iter_mut().zip(each).zip(&mut next) {
                *next = part.split_off_mut(..windows * each);
            }
            let [Some(forecast), Some(fixed), Some(past), Some(future), Some(attention)] = next else {
                return None;
            };
            work.push((
                shard,
                Outputs {
                    forecast,
                    fixed,
                    past,
                    future,
                    attention,
                },
            ));
        }
        work.into_par_iter().for_each(|(shard, outputs)| {
            prepared.run(shard, Asked::Forecast(outputs));
        });
        let [forecast, fixed, past, future, attention] = numbers;
        Some(ExplainedNumbers {
            forecast,
            fixed,
            past,
            future,
            attention,
        })
    }
}

fn known(given: Given<'_>) -> f64 {
    given.known.iter().map(|known| f64::from(*known)).sum()
}

/// Adds the rest to the first, one after the other, whoever does it.
fn add_in_order(total: &mut [f32], rest: &[Vec<f32>]) {
    const STRETCH: usize = 4096;
    use rayon::slice::ParallelSliceMut;
    total.par_chunks_mut(STRETCH).enumerate().for_each(|(at, total)| {
        for part in rest {
            let part = part.iter().skip(at * STRETCH);
            total.iter_mut().zip(part).for_each(|(total, part)| *total += part);
        }
    });
}
