//! The attention of `kernels::attention` on processors: a few asking steps of one head at a time, whose scores stay in the cache.
//!
//! Everything runs along the steps attended to, of which there are many, with K exchanged once a window: scores are products with K's
//! rows, the gradient of Q is made of dot products with them, that of K of sums of the scores' gradients.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::elementary::exp;
use super::memory::{contiguous, numbers, tensor};
use super::product::{Into, Left, Right, Size, accumulate, transposed};
use super::rows::{Elementwise, dot, each, largest, sum};
use super::simd::{Level, Simd, Work, run};
use crate::kernels::attention::{AttentionGradients, AttentionInputs, scale_of};

/// Asking steps whose scores are worked on together.
const BLOCK: usize = 16;

/// Below every score that may be seen.
const UNSEEN: f32 = -3.0e38;

/// Everything that goes in, as it lies in memory.
struct Inputs {
    query: FlexTensor,
    key: FlexTensor,
    present: Option<FlexTensor>,
    batch: usize,
    shape: Shape,
}

#[derive(Clone, Copy)]
struct Shape {
    horizon: usize,
    steps: usize,
    width: usize,
    heads: usize,
}

impl Inputs {
    fn of(inputs: &AttentionInputs<Flex>) -> Option<Self> {
        let ([batch, horizon, width], [_, steps, _]) = (inputs.query.dims(), inputs.key.dims());
        let present = match &inputs.steps_present {
            Some(present) => Some(contiguous(present)?),
            None => None,
        };
        let shape = Shape {
            horizon,
            steps,
            width,
            heads: inputs.heads,
        };
        let found = Self {
            query: contiguous(&inputs.query)?,
            key: contiguous(&inputs.key)?,
            present,
            batch,
            shape,
        };
        // What the loops rely on.
        let fits = inputs.heads > 0
            && width.is_multiple_of(inputs.heads)
            && horizon > 0
            && steps >= horizon
            && numbers(&found.query).len() == batch * horizon * width
            && numbers(&found.key).len() == batch * steps * width
            && found
                .present
                .as_ref()
                .is_none_or(|present| numbers(present).len() == batch * steps);
        fits.then_some(found)
    }
    fn windows(&self) -> Vec<Window<'_>> {
        let Shape {
            horizon, steps, width, ..
        } = self.shape;
        let queries = numbers(&self.query).chunks(horizon * width);
        let keys = numbers(&self.key).chunks(steps * width);
        let present: Vec<&[f32]> = match &self.present {
            Some(present) => numbers(present).chunks(steps).collect(),
            None => vec![&[]; self.batch],
        };
        let window = |((query, key), present)| Window {
            shape: self.shape,
            query,
            key,
            present,
        };
        queries.zip(keys).zip(present).map(window).collect()
    }
}

/// A window's part of everything.
#[derive(Clone, Copy)]
struct Window<'a> {
    shape: Shape,
    /// [horizon, width]
    query: &'a [f32],
    /// [steps, width]
    key: &'a [f32],
    /// [steps]; empty: every step is present.
    present: &'a [f32],
}

impl Window<'_> {
    /// The weights of a head for asking steps from `first` on: [rows, steps] into `weights`.
    ///
    /// # Safety
    /// The machine has the vector; `keys` is K exchanged, [width, steps]; `weights` has place for the rows.
    #[inline(always)]
    unsafe fn weights<V: Simd>(&self, keys: &[f32], head: usize, first: usize, rows: usize, weights: &mut [f32]) {
        let Shape {
            horizon,
            steps,
            width,
            heads,
        } = self.shape;
        let (depth, scale) = (width / heads, scale_of(width, heads) as f32);
        weights.fill(0.0);
        let start = weights.as_mut_ptr();
        // SAFETY: `Inputs::of` has checked every length; otherwise the caller's promise.
        unsafe {
            let size = Size {
                rows,
                columns: steps,
                depth,
            };
            let query = Left {
                start: self.query.as_ptr().add(first * width + head * depth),
                row: width,
                column: 1,
            };
            let key = Right {
                start: keys.as_ptr().add(head * depth * steps),
                row: steps,
            };
            accumulate::<V>(size, query, key, Into { start, row: steps });
            for row in 0..rows {
                let scores = start.add(row * steps);
                let seen = steps - horizon + first + row + 1;
                self.put_absent(scores, seen, UNSEEN);
                let largest = largest::<V>(scores, seen, UNSEEN);
                each::<V>(
                    seen,
                    Power {
                        score: scores,
                        scale,
                        largest,
                    },
                );
                self.put_absent(scores, seen, 0.0);
                let total = sum::<V>(scores, seen);
                each::<V>(
                    seen,
                    Times {
                        number: scores,
                        factor: 1.0 / total,
                    },
                );
                std::ptr::write_bytes(scores.add(seen), 0, steps - seen);
            }
        }
    }

    /// Puts a number where a step is absent.
    ///
    /// # Safety
    /// `numbers` leads to `seen` numbers.
    #[inline(always)]
    unsafe fn put_absent(&self, numbers: *mut f32, seen: usize, number: f32) {
        for (at, present) in self.present.iter().take(seen).enumerate() {
            if *present == 0.0 {
                // SAFETY: the caller's promise.
                unsafe { *numbers.add(at) = number };
            }
        }
    }
}

/// e^(scale · (score - largest))
#[derive(Clone, Copy)]
struct Power {
    score: *mut f32,
    scale: f32,
    largest: f32,
}

impl Elementwise for Power {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let below = V::load(self.score.add(at)).sub(V::splat(self.largest));
            exp(below.mul(V::splat(self.scale))).store(self.score.add(at));
        }
    }
}

/// number · factor
#[derive(Clone, Copy)]
struct Times {
    number: *mut f32,
    factor: f32,
}

impl Elementwise for Times {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            V::load(self.number.add(at))
                .mul(V::splat(self.factor))
                .store(self.number.add(at))
        }
    }
}

/// sum + number · factor
#[derive(Clone, Copy)]
struct AddTimes {
    number: *const f32,
    factor: f32,
    sum: *mut f32,
}

impl Elementwise for AddTimes {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let sum = V::load(self.number.add(at)).mul_add(V::splat(self.factor), V::load(self.sum.add(at)));
            sum.store(self.sum.add(at));
        }
    }
}

/// weight · (gradient - along) · factor
#[derive(Clone, Copy)]
struct Unsoften {
    weight: *mut f32,
    gradient: *const f32,
    along: f32,
    factor: f32,
}

impl Elementwise for Unsoften {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let rest = V::load(self.gradient.add(at)).sub(V::splat(self.along));
            let weight = V::load(self.weight.add(at)).mul(V::splat(self.factor));
            weight.mul(rest).store(self.weight.add(at));
        }
    }
}

struct Forward<'a> {
    window: Window<'a>,
    /// [horizon, steps]
    output: &'a mut [f32],
}

impl Work for Forward<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        let Shape {
            horizon,
            steps,
            width,
            heads,
        } = self.window.shape;
        let keys = transposed(self.window.key, width);
        let mut weights = vec![0.0_f32; BLOCK * steps];
        let output = self.output.as_mut_ptr();
        for first in (0..horizon).step_by(BLOCK) {
            let rows = BLOCK.min(horizon - first);
            for head in 0..heads {
                // SAFETY: rows are those of the window; the machine is the caller's promise.
                unsafe {
                    self.window.weights::<V>(&keys, head, first, rows, &mut weights);
                    let (number, factor) = (weights.as_ptr(), 1.0 / heads as f32);
                    each::<V>(
                        rows * steps,
                        AddTimes {
                            number,
                            factor,
                            sum: output.add(first * steps),
                        },
                    );
                }
            }
        }
    }
}

struct Backward<'a> {
    window: Window<'a>,
    /// [horizon, steps]
    gradient: &'a [f32],
    /// [horizon, width]
    of_query: &'a mut [f32],
    /// [steps, width]
    of_key: &'a mut [f32],
}

impl Work for Backward<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        let Shape {
            horizon,
            steps,
            width,
            heads,
        } = self.window.shape;
        let (depth, factor) = (width / heads, scale_of(width, heads) as f32 / heads as f32);
        let keys = transposed(self.window.key, width);
        let mut weights = vec![0.0_f32; BLOCK * steps];
        let mut of_keys = vec![0.0_f32; width * steps];
        for first in (0..horizon).step_by(BLOCK) {
            let rows = BLOCK.min(horizon - first);
            for head in 0..heads {
                // SAFETY: rows are those of the window; the machine is the caller's promise.
                unsafe {
                    self.window.weights::<V>(&keys, head, first, rows, &mut weights);
                    let weights = weights.as_mut_ptr();
                    for row in 0..rows {
                        let (weight, gradient) = (
                            weights.add(row * steps),
                            self.gradient.as_ptr().add((first + row) * steps),
                        );
                        let along = dot::<V>(weight, gradient, steps);
                        each::<V>(
                            steps,
                            Unsoften {
                                weight,
                                gradient,
                                along,
                                factor,
                            },
                        );
                        for at in head * depth..(head + 1) * depth {
                            let of = dot::<V>(weight, keys.as_ptr().add(at * steps), steps);
                            *self.of_query.as_mut_ptr().add((first + row) * width + at) = of;
                        }
                    }
                    let start = self.window.query.as_ptr().add(first * width + head * depth);
                    let query = Left {
                        start,
                        row: 1,
                        column: width,
                    };
                    let into = Into {
                        start: of_keys.as_mut_ptr().add(head * depth * steps),
                        row: steps,
                    };
                    let size = Size {
                        rows: depth,
                        columns: steps,
                        depth: rows,
                    };
                    accumulate::<V>(
                        size,
                        query,
                        Right {
                            start: weights,
                            row: steps,
                        },
                        into,
                    );
                }
            }
        }
        for (to, from) in self.of_key.iter_mut().zip(transposed(&of_keys, steps)) {
            *to = from;
        }
    }
}

/// The mean weights: [batch, horizon, steps]; `None`: not 32-bit floats.
pub(in crate::kernels) fn attention_forward(inputs: &AttentionInputs<Flex>) -> Option<Tensor<Flex, 3>> {
    let found = Inputs::of(inputs)?;
    let Shape { horizon, steps, .. } = found.shape;
    let mut output = vec![0.0; found.batch * horizon * steps];
    let windows = found.windows().into_iter().zip(output.chunks_mut(horizon * steps));
    let work: Vec<_> = windows.map(|(window, output)| Forward { window, output }).collect();
    let level = Level::of_machine();
    work.into_par_iter().for_each(|work| run(level, work));
    Some(tensor(output, [found.batch, horizon, steps]))
}

/// Gradients of Q and K; `None`: not 32-bit floats.
pub(in crate::kernels) fn attention_backward(
    inputs: &AttentionInputs<Flex>,
    gradient: &Tensor<Flex, 3>,
) -> Option<AttentionGradients<Flex>> {
    let found = Inputs::of(inputs)?;
    let (
        batch,
        Shape {
            horizon, steps, width, ..
        },
    ) = (found.batch, found.shape);
    let gradient = contiguous(gradient).filter(|gradient| numbers(gradient).len() == batch * horizon * steps)?;
    let (mut of_query, mut of_key) = (vec![0.0; batch * horizon * width], vec![0.0; batch * steps * width]);
    let outputs = of_query
        .chunks_mut(horizon * width)
        .zip(of_key.chunks_mut(steps * width));
    let windows = found
        .windows()
        .into_iter()
        .zip(numbers(&gradient).chunks(horizon * steps))
        .zip(outputs);
    let backward = |((window, gradient), (of_query, of_key))| Backward {
        window,
        gradient,
        of_query,
        of_key,
    };
    let work: Vec<_> = windows.map(backward).collect();
    let level = Level::of_machine();
    work.into_par_iter().for_each(|work| run(level, work));
    Some(AttentionGradients {
        query: tensor(of_query, [batch, horizon, width]),
        key: tensor(of_key, [batch, steps, width]),
    })
}
