//! Forecasts of many windows, in the targets' own units, with what they rest on.

mod ensemble;

use std::ops::ControlFlow;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::TftError;
use crate::data::{Gathering, Loading, Shape, Window, load};
use crate::kernels::{ExplainedNumbers, Kernels, OnProcessor};
use crate::model::{Crossings, Explained, Outputs, Pass, TemporalFusionTransformer, sort_quantiles};

pub use ensemble::{blend, mean_of};

/// Windows that are computed together.
pub(crate) const TOGETHER: usize = 64;

/// Forecasts of windows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Forecasts {
    /// In the targets' own units: [windows, horizon, targets, outputs]. Quantiles ascend.
    pub values: Vec<f32>,
    /// How often quantiles crossed before they were sorted.
    pub crossings: Crossings,
    /// How much each variable counted in each window.
    pub importance: Importance,
    /// The mean over windows of how much each step of the horizon attended to each step: [horizon, context + horizon].
    pub attention: Vec<f64>,
}

/// How much each variable counted in each window, in the order of the variables.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Importance {
    /// Static variables: [windows, variables]
    pub fixed: Vec<f32>,
    /// Known and observed variables, the mean over the context: [windows, variables]
    pub past: Vec<f32>,
    /// Known variables, the mean over the horizon: [windows, variables]
    pub future: Vec<f32>,
}

/// How a network is asked.
#[derive(Debug, Clone)]
pub struct Asking<'a> {
    /// Where windows are gathered from.
    pub gathering: &'a Gathering<'a>,
    /// The windows, in the order of the forecasts.
    pub windows: &'a [Window],
    /// What the network gives for each target and step.
    pub outputs: &'a Outputs,
    /// Windows computed together; the forecasts do not depend on it but in their last bits.
    pub batch: usize,
    /// Threads that gather batches ahead.
    pub threads: usize,
}

/// Asks a network for forecasts.
///
/// # Errors
/// Windows that do not fit the network.
pub fn forecast<B: Kernels>(
    network: &TemporalFusionTransformer<B>,
    asking: &Asking<'_>,
    device: &B::Device,
) -> Result<Forecasts, TftError> {
    let shape = Shape {
        context: network.context,
        horizon: network.horizon,
    };
    let order: Vec<u32> = (0..asking.windows.len() as u32).collect();
    let size = asking.batch.max(1);
    let loading = Loading {
        gathering: asking.gathering,
        windows: asking.windows,
        order: &order,
        batch: size,
        batches: 0..order.len().div_ceil(size),
        draw: 0,
        threads: asking.threads,
    };
    let mut forecasts = Forecasts::default();
    let mut own = B::IS_PROCESSOR
        .then(|| OnProcessor::new(network))
        .flatten()
        .zip(Some(flat(network)?));
    load(&loading, |_, batch| {
        let explained = match &mut own {
            Some((own, weights)) => own.explain(weights, batch).ok_or(TftError::Columns { kind: "past" })?,
            None => explained_numbers(network.forward(batch.tensors::<B>(shape, device).windows, Pass::Predict)?)?,
        };
        let ExplainedNumbers {
            forecast: mut values,
            fixed,
            past,
            future,
            attention,
        } = explained;
        // [windows, horizon, targets, outputs]; a scaler for each window and target.
        let (levels, targets) = (asking.outputs.len().max(1), network.targets.max(1));
        let windows = values.chunks_mut((shape.horizon * targets * levels).max(1));
        for (window, scalers) in windows.zip(batch.scalers().chunks(targets)) {
            for (at, number) in window.iter_mut().enumerate() {
                if let Some(scaler) = scalers.get(at / levels % targets) {
                    *number = scaler.invert(*number);
                }
            }
        }
        if let Outputs::Quantiles(_) = asking.outputs {
            let Crossings {
                crossed,
                forecasts: count,
            } = sort_quantiles(&mut values, levels);
            forecasts.crossings.crossed += crossed;
            forecasts.crossings.forecasts += count;
        }
        forecasts.values.extend(values);
        let importance = &mut forecasts.importance;
        importance.fixed.extend(fixed);
        let windows = batch.len().max(1);
        importance.past.extend(mean_over_steps(
            &past,
            past.len() / windows / shape.context.max(1),
            shape.context,
        ));
        importance.future.extend(mean_over_steps(
            &future,
            future.len() / windows / shape.horizon.max(1),
            shape.horizon,
        ));
        let each = attention.len() / windows;
        forecasts.attention.resize(each, 0.0);
        for window in attention.chunks_exact(each.max(1)) {
            for (sum, weight) in forecasts.attention.iter_mut().zip(window) {
                *sum += f64::from(*weight);
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    for weight in &mut forecasts.attention {
        *weight /= asking.windows.len().max(1) as f64;
    }
    Ok(forecasts)
}

/// [windows, steps, variables] → [windows, variables]
fn mean_over_steps(weights: &[f32], variables: usize, steps: usize) -> Vec<f32> {
    let mut means = Vec::new();
    for window in weights.chunks_exact((variables * steps).max(1)) {
        let mut sums = vec![0.0_f64; variables];
        for row in window.chunks_exact(variables.max(1)) {
            sums.iter_mut()
                .zip(row)
                .for_each(|(sum, weight)| *sum += f64::from(*weight));
        }
        means.extend(sums.iter().map(|sum| (sum / steps as f64) as f32));
    }
    means
}

/// All parameters, in the module's order.
fn flat<B: Backend>(network: &TemporalFusionTransformer<B>) -> Result<Vec<f32>, TftError> {
    #[derive(Default)]
    struct Flat {
        found: Vec<f32>,
        error: Option<TftError>,
    }
    impl<B: Backend> ModuleVisitor<B> for Flat {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            match numbers(param.val()) {
                Ok(values) => self.found.extend(values),
                Err(error) => self.error = Some(error),
            }
        }
    }
    let mut flat = Flat::default();
    network.visit(&mut flat);
    flat.error.map_or(Ok(flat.found), Err)
}

fn explained_numbers<B: Backend>(explained: Explained<B>) -> Result<ExplainedNumbers, TftError> {
    Ok(ExplainedNumbers {
        forecast: numbers(explained.forecast)?,
        fixed: explained.fixed.map(numbers).transpose()?.unwrap_or_default(),
        past: numbers(explained.past)?,
        future: explained.future.map(numbers).transpose()?.unwrap_or_default(),
        attention: numbers(explained.attention)?,
    })
}

fn numbers<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Result<Vec<f32>, TftError> {
    let data = tensor.into_data().convert::<f32>();
    data.to_vec().map_err(|error| TftError::Device {
        what: "forecasts",
        said: format!("{error:?}"),
    })
}
