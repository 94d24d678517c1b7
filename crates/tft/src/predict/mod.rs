//! Forecasts of many windows, in the targets' own units, with what they rest on.

use std::ops::ControlFlow;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::TftError;
use crate::data::{Gathering, Loading, Shape, Window, load};
use crate::kernels::Kernels;
use crate::model::{Crossings, Explained, Outputs, Pass, TemporalFusionTransformer, sort_quantiles};

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
    load(&loading, |_, batch| {
        let tensors = batch.tensors::<B>(shape, device);
        let explained = network.forward(tensors.windows, Pass::Predict)?;
        let mut values = numbers(explained.forecast.clone())?;
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
        add_explanation(&mut forecasts, explained)?;
        Ok(ControlFlow::Continue(()))
    })?;
    for weight in &mut forecasts.attention {
        *weight /= asking.windows.len().max(1) as f64;
    }
    Ok(forecasts)
}

fn add_explanation<B: Backend>(forecasts: &mut Forecasts, explained: Explained<B>) -> Result<(), TftError> {
    let over_steps = |weights: Tensor<B, 3>| numbers(weights.mean_dim(1));
    forecasts.importance.past.extend(over_steps(explained.past)?);
    if let Some(future) = explained.future {
        forecasts.importance.future.extend(over_steps(future)?);
    }
    if let Some(fixed) = explained.fixed {
        forecasts.importance.fixed.extend(numbers(fixed)?);
    }
    let attention = numbers(explained.attention.sum_dim(0))?;
    forecasts.attention.resize(attention.len(), 0.0);
    for (sum, weight) in forecasts.attention.iter_mut().zip(attention) {
        *sum += f64::from(weight);
    }
    Ok(())
}

fn numbers<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Result<Vec<f32>, TftError> {
    let data = tensor.into_data().convert::<f32>();
    data.to_vec().map_err(|error| TftError::Device {
        what: "forecasts",
        said: format!("{error:?}"),
    })
}
