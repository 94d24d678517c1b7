//! The paper read aloud: one window, one step, one variable, one head at a time, in plain double precision, from the same weights.
//!
//! Nothing is folded, batched or skipped here: embeddings are written out, every step asks, every head averages values on its own.

use burn::module::Param;
use burn::tensor::Tensor;

use super::example::{Example, Plain, PlainColumns};
use crate::model::*;

/// What the network should give for a window.
pub struct Wanted {
    /// [horizon][targets · outputs]
    pub forecast: Vec<Vec<f64>>,
    pub fixed: Vec<f64>,
    /// [context][variables]
    pub past: Vec<Vec<f64>>,
    /// [horizon][variables]
    pub future: Vec<Vec<f64>>,
    /// [horizon][steps]
    pub attention: Vec<Vec<f64>>,
}

pub fn numbers<const D: usize>(tensor: Tensor<Plain, D>) -> Vec<f64> {
    tensor.into_data().to_vec().unwrap()
}

fn of<const D: usize>(param: &Param<Tensor<Plain, D>>) -> Vec<f64> {
    numbers(param.val())
}

/// x W, with W [inputs, outputs] by rows.
fn times(x: &[f64], weight: &[f64]) -> Vec<f64> {
    let outputs = weight.len() / x.len();
    (0..outputs)
        .map(|o| (0..x.len()).map(|i| x[i] * weight[i * outputs + o]).sum())
        .collect()
}

fn plus(x: &[f64], y: &[f64]) -> Vec<f64> {
    assert_eq!(x.len(), y.len());
    x.iter().zip(y).map(|(x, y)| x + y).collect()
}

fn linear(layer: &Linear<Plain>, x: &[f64]) -> Vec<f64> {
    let product = times(x, &of(&layer.weight));
    layer
        .bias
        .as_ref()
        .map_or(product.clone(), |bias| plus(&product, &of(bias)))
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn naive_elu(x: &[f64]) -> Vec<f64> {
    x.iter().map(|x| if *x > 0.0 { *x } else { x.exp() - 1.0 }).collect()
}

fn glu(x: &[f64]) -> Vec<f64> {
    let (gate, value) = x.split_at(x.len() / 2);
    gate.iter()
        .zip(value)
        .map(|(gate, value)| sigmoid(*gate) * value)
        .collect()
}

fn layer_norm(x: &[f64], scale: &[f64], shift: &[f64]) -> Vec<f64> {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64;
    (0..x.len())
        .map(|i| (x[i] - mean) / (variance + 1e-3).sqrt() * scale[i] + shift[i])
        .collect()
}

fn norm(layer: &LayerNorm<Plain>, x: &[f64]) -> Vec<f64> {
    layer_norm(x, &of(&layer.scale), &of(&layer.shift))
}

fn residual(net: &GatedResidual<Plain>, a: &[f64], context: Option<&[f64]>) -> Vec<f64> {
    let mut first = linear(&net.first, a);
    if let (Some(layer), Some(context)) = (&net.context, context) {
        first = plus(&first, &linear(layer, context));
    }
    let second = linear(&net.second, &naive_elu(&first));
    norm(&net.norm, &plus(a, &glu(&linear(&net.gate, &second))))
}

fn gate_add_norm(net: &GateAddNorm<Plain>, x: &[f64], skip: &[f64]) -> Vec<f64> {
    norm(&net.norm, &plus(skip, &glu(&linear(&net.gate, x))))
}

/// The vectors of a row's variables.
fn embed(embedding: &Embedding<Plain>, columns: &PlainColumns, row: usize, width: usize) -> Vec<Vec<f64>> {
    let slopes = embedding.slopes.as_ref().map(of).unwrap_or_default();
    let intercepts = embedding.intercepts.as_ref().map(of).unwrap_or_default();
    let continuous = columns.continuous[row].iter().enumerate();
    let continuous = continuous.map(|(j, x)| {
        (0..width)
            .map(|i| x * slopes[j * width + i] + intercepts[j * width + i])
            .collect()
    });
    let tables: Vec<Vec<f64>> = embedding.tables.iter().map(of).collect();
    let category = |(j, row): (usize, &u32)| tables[j][*row as usize * width..][..width].to_vec();
    continuous
        .chain(columns.categorical[row].iter().enumerate().map(category))
        .collect()
}

/// What is selected of a row, and by which weights.
fn select(
    net: &VariableSelection<Plain>,
    e: &[Vec<f64>],
    present: &[bool],
    context: Option<&[f64]>,
) -> (Vec<f64>, Vec<f64>) {
    let (m, width) = (e.len(), e[0].len());
    let all: Vec<f64> = e
        .iter()
        .zip(present)
        .flat_map(|(e, is)| e.iter().map(move |e| if *is { *e } else { 0.0 }))
        .collect();
    let joint = &net.joint;
    let mut first = plus(&times(&all, &of(&joint.first)), &of(&joint.bias));
    if let (Some(layer), Some(context)) = (&joint.context, context) {
        first = plus(&first, &linear(layer, context));
    }
    let gated = glu(&linear(&joint.gate, &linear(&joint.second, &naive_elu(&first))));
    let skip = plus(&times(&all, &of(&joint.skip)), &of(&joint.skip_bias));
    let mut logits = plus(&skip, &gated);
    if let Some(layer) = &joint.norm {
        logits = norm(layer, &logits);
    }
    let powers: Vec<f64> = logits
        .iter()
        .zip(present)
        .map(|(x, is)| if *is { x.exp() } else { 0.0 })
        .collect();
    let sum: f64 = powers.iter().sum();
    let weights: Vec<f64> = powers.iter().map(|x| if sum > 0.0 { x / sum } else { 0.0 }).collect();

    let nets = &net.variables;
    let (w2, b2) = (of(&nets.first.weight), of(&nets.first.bias));
    let (w1, b1) = (of(&nets.second.weight), of(&nets.second.bias));
    let (wg, bg) = (of(&nets.gate.weight), of(&nets.gate.bias));
    let (scale, shift) = (of(&nets.scale), of(&nets.shift));
    let part = |values: &[f64], j: usize| values[j * values.len() / m..(j + 1) * values.len() / m].to_vec();
    let mut output = vec![0.0; width];
    for j in 0..m {
        let first = plus(&times(&e[j], &part(&w2, j)), &part(&b2, j));
        let second = plus(&times(&naive_elu(&first), &part(&w1, j)), &part(&b1, j));
        let gated = glu(&plus(&times(&second, &part(&wg, j)), &part(&bg, j)));
        let processed = layer_norm(&plus(&e[j], &gated), &part(&scale, j), &part(&shift, j));
        for i in 0..width {
            output[i] += weights[j] * processed[i];
        }
    }
    (output, weights)
}

fn softmax(x: &[f64]) -> Vec<f64> {
    let largest = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = x.iter().map(|x| (x - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|x| x / sum).collect()
}

/// The answers to every step, and the mean weights.
fn attend(net: &InterpretableAttention<Plain>, theta: &[Vec<f64>], present: &[bool]) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let (steps, width) = (theta.len(), theta[0].len());
    let each = width / net.heads;
    let project = |layer: &Linear<Plain>| -> Vec<Vec<f64>> { theta.iter().map(|x| linear(layer, x)).collect() };
    let (query, key, value) = (project(&net.query), project(&net.key), project(&net.value));
    let (mut answers, mut means) = (Vec::new(), Vec::new());
    for (t, asking) in query.iter().enumerate() {
        let (mut mean_answer, mut mean) = (vec![0.0; each], vec![0.0; steps]);
        for head in 0..net.heads {
            let span = head * each..(head + 1) * each;
            let score = |n: usize| -> f64 {
                let dot: f64 = asking[span.clone()]
                    .iter()
                    .zip(&key[n][span.clone()])
                    .map(|(q, k)| q * k)
                    .sum();
                let is_seen = n <= t && (present[n] || n == t);
                if is_seen {
                    dot / (each as f64).sqrt()
                } else {
                    f64::NEG_INFINITY
                }
            };
            let weights = softmax(&(0..steps).map(score).collect::<Vec<_>>());
            for n in 0..steps {
                mean[n] += weights[n] / net.heads as f64;
                for i in 0..each {
                    mean_answer[i] += weights[n] * value[n][i] / net.heads as f64;
                }
            }
        }
        answers.push(linear(&net.output, &mean_answer));
        means.push(mean);
    }
    (answers, means)
}

/// One window of an example.
pub fn forecast(net: &TemporalFusionTransformer<Plain>, example: &Example, window: usize) -> Wanted {
    let (context, horizon, width) = (net.context, net.horizon, net.width);
    let mut fixed_weights = Vec::new();
    let contexts: Option<[Vec<f64>; 4]> = net.fixed.as_ref().map(|fixed| {
        let e = embed(&fixed.embedding, &example.fixed, window, width);
        let (selected, weights) = select(&fixed.selection, &e, &example.fixed.present[window], None);
        fixed_weights = weights;
        let nets = &fixed.contexts;
        [&nets.selection, &nets.enrichment, &nets.hidden, &nets.cell].map(|net| residual(net, &selected, None))
    });
    let context_of = |at: usize| contexts.as_ref().map(|contexts| contexts[at].as_slice());

    let (mut xi, mut past, mut future) = (Vec::new(), Vec::new(), Vec::new());
    for step in 0..context {
        let row = window * context + step;
        let e = embed(&net.embedding, &example.past, row, width);
        let (selected, weights) = select(&net.past, &e, &example.past.present[row], context_of(0));
        xi.push(selected);
        past.push(weights);
    }
    for step in 0..horizon {
        let Some(selection) = &net.future else {
            xi.push(vec![0.0; width]);
            continue;
        };
        let row = window * horizon + step;
        // The embedding of the known variables: continuous ones are the first of all, categorical ones too.
        let e = embed(&net.embedding, &example.future, row, width);
        let (selected, weights) = select(selection, &e, &example.future.present[row], context_of(0));
        xi.push(selected);
        future.push(weights);
    }
    let mut present = example.steps_present[window].clone();
    present.extend(vec![true; horizon]);

    let mut h = context_of(2).map_or(vec![0.0; width], <[f64]>::to_vec);
    let mut c = context_of(3).map_or(vec![0.0; width], <[f64]>::to_vec);
    let mut phi = Vec::new();
    for (step, x) in xi.iter().enumerate() {
        let lstm = if step < context {
            &net.recurrence.encoder
        } else {
            &net.recurrence.decoder
        };
        if present[step] {
            let z = plus(
                &plus(&times(x, &of(&lstm.input)), &times(&h, &of(&lstm.hidden))),
                &of(&lstm.bias),
            );
            for i in 0..width {
                let [gi, gf, gg, go] = [0, 1, 2, 3].map(|gate| z[gate * width + i]);
                c[i] = sigmoid(gf) * c[i] + sigmoid(gi) * gg.tanh();
                h[i] = sigmoid(go) * c[i].tanh();
            }
        }
        phi.push(h.clone());
    }
    let local: Vec<Vec<f64>> = phi
        .iter()
        .zip(&xi)
        .map(|(phi, xi)| gate_add_norm(&net.recurrence_gate, phi, xi))
        .collect();
    let theta: Vec<Vec<f64>> = local
        .iter()
        .map(|x| residual(&net.enrichment, x, context_of(1)))
        .collect();
    let (answers, weights) = attend(&net.attention, &theta, &present);
    let mut forecast = Vec::new();
    for t in context..context + horizon {
        let delta = gate_add_norm(&net.attention_gate, &answers[t], &theta[t]);
        let psi = residual(&net.position_wise, &delta, None);
        forecast.push(linear(&net.output, &gate_add_norm(&net.output_gate, &psi, &local[t])));
    }
    Wanted {
        forecast,
        fixed: fixed_weights,
        past,
        future,
        attention: weights[context..].to_vec(),
    }
}
