//! The LSTM of `kernels::lstm` on processors: the same numbers, with a shard of windows kept in the cache from step to step.
//!
//! Forward, a step of a shard is two products that add to the bias and one pass over the gates. Backward, a step is one pass over the
//! gates and two products (what goes to x, and what goes to the state before); the weights' gradients are products over all steps of a
//! window, made when its steps are done.
//!
//! Cost: as `kernels::lstm`; nothing is allocated in a step.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::elementary::{sigmoid, tanh};
use super::memory::{contiguous, numbers, tensor};
use super::product::{Into, Left, Right, Size, accumulate, transposed};
use super::rows::{Elementwise, each};
use super::simd::{Level, Simd, Work, run};
use crate::kernels::lstm::{LstmGradients, LstmInputs, LstmTrace, LstmWeights};

/// Windows of a shard: two tiles of rows, and few enough that a batch of 64 keeps four threads busy. It is part of what gradients are
/// added up in, so it does not follow the machine.
const SHARD: usize = 16;

/// Everything that goes in, as it lies in memory.
struct Inputs {
    input: FlexTensor,
    encoder: [FlexTensor; 3],
    decoder: [FlexTensor; 3],
    hidden: FlexTensor,
    cell: FlexTensor,
    present: Option<FlexTensor>,
    batch: usize,
    shape: Shape,
}

/// What a shard's loops run over.
#[derive(Clone, Copy)]
struct Shape {
    steps: usize,
    context: usize,
    width: usize,
}

/// One LSTM's weights.
#[derive(Clone, Copy)]
struct Weights<'a> {
    /// W: [width, 4 · width]
    input: &'a [f32],
    /// U: [width, 4 · width]
    hidden: &'a [f32],
    /// b: [4 · width]
    bias: &'a [f32],
}

impl Inputs {
    fn of(inputs: &LstmInputs<Flex>) -> Option<Self> {
        let [batch, steps, width] = inputs.input.dims();
        let weights = |weights: &LstmWeights<Flex>| {
            let [input, hidden] = [contiguous(&weights.input)?, contiguous(&weights.hidden)?];
            Some([input, hidden, contiguous(&weights.bias)?])
        };
        let present = match &inputs.steps_present {
            Some(present) => Some(contiguous(present)?),
            None => None,
        };
        let found = Self {
            input: contiguous(&inputs.input)?,
            encoder: weights(&inputs.encoder)?,
            decoder: weights(&inputs.decoder)?,
            hidden: contiguous(&inputs.hidden)?,
            cell: contiguous(&inputs.cell)?,
            present,
            batch,
            shape: Shape {
                steps,
                context: inputs.context.min(steps),
                width,
            },
        };
        found.fits().then_some(found)
    }
    /// Whether everything has the numbers that the loops read: what they rely on.
    fn fits(&self) -> bool {
        let Shape { steps, width, .. } = self.shape;
        let weights = |[input, hidden, bias]: &[FlexTensor; 3]| {
            let square = 4 * width * width;
            numbers(input).len() == square && numbers(hidden).len() == square && numbers(bias).len() == 4 * width
        };
        let state = self.batch * width;
        width > 0
            && steps > 0
            && numbers(&self.input).len() == state * steps
            && numbers(&self.hidden).len() == state
            && numbers(&self.cell).len() == state
            && self
                .present
                .as_ref()
                .is_none_or(|present| numbers(present).len() == self.batch * steps)
            && weights(&self.encoder)
            && weights(&self.decoder)
    }
    fn weights(&self) -> [Weights<'_>; 2] {
        [&self.encoder, &self.decoder].map(|[input, hidden, bias]| Weights {
            input: numbers(input),
            hidden: numbers(hidden),
            bias: numbers(bias),
        })
    }
    /// The steps' presence of each shard; empty where every step is present.
    fn present(&self) -> Vec<&[f32]> {
        let shards = self.batch.div_ceil(SHARD);
        match &self.present {
            Some(present) => numbers(present).chunks(SHARD * self.shape.steps).collect(),
            None => vec![&[]; shards],
        }
    }
}

/// A shard's part of everything.
struct Forward<'a> {
    shape: Shape,
    weights: [Weights<'a>; 2],
    input: &'a [f32],
    present: &'a [f32],
    first_hidden: &'a [f32],
    first_cell: &'a [f32],
    hidden: &'a mut [f32],
    gates: &'a mut [f32],
    cells: &'a mut [f32],
    before: &'a mut [f32],
}

/// `LstmInputs` → `LstmTrace`; `None`: not 32-bit floats.
pub(in crate::kernels) fn lstm_forward(inputs: &LstmInputs<Flex>) -> Option<LstmTrace<Flex>> {
    let found = Inputs::of(inputs)?;
    let (batch, shape) = (found.batch, found.shape);
    let Shape { steps, width, .. } = shape;
    let rows = batch * steps;
    let (mut hidden, mut gates) = (vec![0.0; rows * width], vec![0.0; rows * 4 * width]);
    let (mut cells, mut before) = (vec![0.0; rows * width], vec![0.0; rows * width]);
    let (level, weights, part) = (Level::of_machine(), found.weights(), SHARD * steps * width);
    let mut shards = Vec::new();
    let outputs = hidden
        .chunks_mut(part)
        .zip(gates.chunks_mut(4 * part))
        .zip(cells.chunks_mut(part))
        .zip(before.chunks_mut(part));
    let states = numbers(&found.hidden)
        .chunks(SHARD * width)
        .zip(numbers(&found.cell).chunks(SHARD * width));
    let given = numbers(&found.input).chunks(part).zip(found.present()).zip(states);
    for (((input, present), (first_hidden, first_cell)), (((hidden, gates), cells), before)) in given.zip(outputs) {
        shards.push(Forward {
            shape,
            weights,
            input,
            present,
            first_hidden,
            first_cell,
            hidden,
            gates,
            cells,
            before,
        });
    }
    shards.into_par_iter().for_each(|shard| run(level, shard));
    Some(LstmTrace {
        hidden: tensor(hidden, [batch, steps, width]),
        gates: tensor(gates, [batch, steps, 4 * width]),
        cells: tensor(cells, [batch, steps, width]),
        before: tensor(before, [batch, steps, width]),
    })
}

impl Work for Forward<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        let Shape { steps, context, width } = self.shape;
        let windows = self.input.len() / (steps * width);
        let wide = 4 * width;
        let mut z = vec![0.0_f32; windows * wide];
        let (mut h, mut c) = (self.first_hidden.to_vec(), self.first_cell.to_vec());
        let (x, y) = (self.input.as_ptr(), self.hidden.as_mut_ptr());
        let (gates, cells, before) = (
            self.gates.as_mut_ptr(),
            self.cells.as_mut_ptr(),
            self.before.as_mut_ptr(),
        );
        let size = Size {
            rows: windows,
            columns: wide,
            depth: width,
        };
        for step in 0..steps {
            let [encoder, decoder] = self.weights;
            let weights = if step < context { encoder } else { decoder };
            for row in z.chunks_exact_mut(wide) {
                row.copy_from_slice(weights.bias);
            }
            let into = Into {
                start: z.as_mut_ptr(),
                row: wide,
            };
            // SAFETY: `Inputs::fits` has checked every length; a shard has `windows` of `steps` of `width` numbers, and z, h, c are
            // of this function. The machine is the caller's promise.
            unsafe {
                let from_input = Left {
                    start: x.add(step * width),
                    row: steps * width,
                    column: 1,
                };
                accumulate::<V>(
                    size,
                    from_input,
                    Right {
                        start: weights.input.as_ptr(),
                        row: wide,
                    },
                    into,
                );
                let from_state = Left {
                    start: h.as_ptr(),
                    row: width,
                    column: 1,
                };
                accumulate::<V>(
                    size,
                    from_state,
                    Right {
                        start: weights.hidden.as_ptr(),
                        row: wide,
                    },
                    into,
                );
                for window in 0..windows {
                    let row = window * steps + step;
                    let is_present = self.present.get(row).is_none_or(|present| *present != 0.0);
                    let cell = Cell {
                        z: z.as_ptr().add(window * wide),
                        hidden: h.as_mut_ptr().add(window * width),
                        cell: c.as_mut_ptr().add(window * width),
                        gates: gates.add(row * wide),
                        cells: cells.add(row * width),
                        before: before.add(row * width),
                        output: y.add(row * width),
                        width,
                        is_present,
                    };
                    each::<V>(width, cell);
                }
            }
        }
    }
}

/// One window at one step.
#[derive(Clone, Copy)]
struct Cell {
    z: *const f32,
    hidden: *mut f32,
    cell: *mut f32,
    gates: *mut f32,
    cells: *mut f32,
    before: *mut f32,
    output: *mut f32,
    width: usize,
    is_present: bool,
}

impl Elementwise for Cell {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let quarter = |number: usize| V::load(self.z.add(number * self.width + at));
            let (i, f) = (sigmoid(quarter(0)), sigmoid(quarter(1)));
            let (g, o) = (tanh(quarter(2)), sigmoid(quarter(3)));
            for (number, gate) in [i, f, g, o].into_iter().enumerate() {
                gate.store(self.gates.add(number * self.width + at));
            }
            let old = V::load(self.cell.add(at));
            old.store(self.before.add(at));
            let new = f.mul_add(old, i.mul(g));
            new.store(self.cells.add(at));
            if self.is_present {
                new.store(self.cell.add(at));
                o.mul(tanh(new)).store(self.hidden.add(at));
            }
            V::load(self.hidden.add(at)).store(self.output.add(at));
        }
    }
}

/// A shard's part of everything on the way back.
struct Backward<'a> {
    shape: Shape,
    /// Wᵀ and Uᵀ of encoder and decoder: [4 · width, width]
    back: [[&'a [f32]; 2]; 2],
    input: &'a [f32],
    present: &'a [f32],
    first_hidden: &'a [f32],
    hidden: &'a [f32],
    gates: &'a [f32],
    cells: &'a [f32],
    before: &'a [f32],
    gradient: &'a [f32],
    of_input: &'a mut [f32],
    of_hidden: &'a mut [f32],
    of_cell: &'a mut [f32],
}

/// The gradients of one LSTM's weights: of W, U and b.
struct WeightGradients {
    input: Vec<f32>,
    hidden: Vec<f32>,
    bias: Vec<f32>,
}

impl WeightGradients {
    fn zeros(width: usize) -> Self {
        Self {
            input: vec![0.0; 4 * width * width],
            hidden: vec![0.0; 4 * width * width],
            bias: vec![0.0; 4 * width],
        }
    }
    fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.input, &other.input),
            (&mut self.hidden, &other.hidden),
            (&mut self.bias, &other.bias),
        ];
        for (sums, parts) in pairs {
            for (sum, part) in sums.iter_mut().zip(parts) {
                *sum += part;
            }
        }
    }
    fn tensors(self, width: usize) -> LstmWeights<Flex> {
        LstmWeights {
            input: tensor(self.input, [width, 4 * width]),
            hidden: tensor(self.hidden, [width, 4 * width]),
            bias: tensor(self.bias, [4 * width]),
        }
    }
}

/// Gradients of everything that went in; `None`: not 32-bit floats.
pub(in crate::kernels) fn lstm_backward(
    inputs: &LstmInputs<Flex>,
    trace: &LstmTrace<Flex>,
    gradient: &Tensor<Flex, 3>,
) -> Option<LstmGradients<Flex>> {
    let found = Inputs::of(inputs)?;
    let (batch, shape) = (found.batch, found.shape);
    let Shape { steps, width, .. } = shape;
    let (hidden, gates) = (contiguous(&trace.hidden)?, contiguous(&trace.gates)?);
    let (cells, before, gradient) = (
        contiguous(&trace.cells)?,
        contiguous(&trace.before)?,
        contiguous(gradient)?,
    );
    let states = batch * steps * width;
    let is_whole = [&hidden, &cells, &before, &gradient]
        .iter()
        .all(|part| numbers(part).len() == states);
    if !is_whole || numbers(&gates).len() != 4 * states {
        return None;
    }
    let exchanged = found
        .weights()
        .map(|weights| [weights.input, weights.hidden].map(|weight| transposed(weight, 4 * width)));
    let [[encoder_input, encoder_hidden], [decoder_input, decoder_hidden]] = &exchanged;
    let back: [[&[f32]; 2]; 2] = [[encoder_input, encoder_hidden], [decoder_input, decoder_hidden]];
    let (mut of_input, mut of_hidden, mut of_cell) =
        (vec![0.0; states], vec![0.0; batch * width], vec![0.0; batch * width]);
    let (level, part, state) = (Level::of_machine(), SHARD * steps * width, SHARD * width);
    let given = numbers(&found.input)
        .chunks(part)
        .zip(found.present())
        .zip(numbers(&found.hidden).chunks(state));
    let traced = numbers(&hidden).chunks(part).zip(numbers(&gates).chunks(4 * part));
    let traced = traced.zip(numbers(&cells).chunks(part).zip(numbers(&before).chunks(part)));
    let outputs = of_input
        .chunks_mut(part)
        .zip(of_hidden.chunks_mut(state))
        .zip(of_cell.chunks_mut(state));
    let mut shards = Vec::new();
    let all = given.zip(traced).zip(numbers(&gradient).chunks(part)).zip(outputs);
    for (
        ((((input, present), first_hidden), ((hidden, gates), (cells, before))), gradient),
        ((of_input, of_hidden), of_cell),
    ) in all
    {
        shards.push(Backward {
            shape,
            back,
            input,
            present,
            first_hidden,
            hidden,
            gates,
            cells,
            before,
            gradient,
            of_input,
            of_hidden,
            of_cell,
        });
    }
    let parts: Vec<_> = shards.into_par_iter().map(|shard| run(level, shard)).collect();
    let mut sums = [WeightGradients::zeros(width), WeightGradients::zeros(width)];
    for part in &parts {
        for (sum, part) in sums.iter_mut().zip(part) {
            sum.add(part);
        }
    }
    let [encoder, decoder] = sums.map(|sum| sum.tensors(width));
    Some(LstmGradients {
        input: tensor(of_input, [batch, steps, width]),
        encoder,
        decoder,
        hidden: tensor(of_hidden, [batch, width]),
        cell: tensor(of_cell, [batch, width]),
    })
}

impl Work for Backward<'_> {
    type Output = [WeightGradients; 2];

    #[inline(always)]
    unsafe fn run<V: Simd>(self) -> [WeightGradients; 2] {
        let Shape { steps, context, width } = self.shape;
        let (windows, wide) = (self.input.len() / (steps * width), 4 * width);
        let mut of_z = vec![0.0_f32; windows * steps * wide];
        let z = of_z.as_mut_ptr();
        let (dh, dc) = (self.of_hidden.as_mut_ptr(), self.of_cell.as_mut_ptr());
        let size = Size {
            rows: windows,
            columns: width,
            depth: wide,
        };
        for step in (0..steps).rev() {
            let [encoder, decoder] = self.back;
            let [to_input, to_hidden] = if step < context { encoder } else { decoder };
            // SAFETY: `Inputs::fits` and `lstm_backward` have checked every length; a shard has `windows` of `steps` of `width`
            // numbers. The machine is the caller's promise.
            unsafe {
                for window in 0..windows {
                    let row = window * steps + step;
                    let is_present = self.present.get(row).is_none_or(|present| *present != 0.0);
                    let back = Back {
                        gates: self.gates.as_ptr().add(row * wide),
                        cell: self.cells.as_ptr().add(row * width),
                        before: self.before.as_ptr().add(row * width),
                        gradient: self.gradient.as_ptr().add(row * width),
                        of_hidden: dh.add(window * width),
                        of_cell: dc.add(window * width),
                        of_z: z.add(row * wide),
                        width,
                        is_present,
                    };
                    each::<V>(width, back);
                }
                let of_z = Left {
                    start: z.add(step * wide),
                    row: steps * wide,
                    column: 1,
                };
                let into_state = Into { start: dh, row: width };
                accumulate::<V>(
                    size,
                    of_z,
                    Right {
                        start: to_hidden.as_ptr(),
                        row: width,
                    },
                    into_state,
                );
                let into_input = Into {
                    start: self.of_input.as_mut_ptr().add(step * width),
                    row: steps * width,
                };
                accumulate::<V>(
                    size,
                    of_z,
                    Right {
                        start: to_input.as_ptr(),
                        row: width,
                    },
                    into_input,
                );
            }
        }
        // SAFETY: as above.
        unsafe { self.weights::<V>(&of_z, windows) }
    }
}

impl Backward<'_> {
    /// Sums over all steps of x of z, h before of z, and of z.
    ///
    /// # Safety
    /// The machine has the vector; `of_z` [windows, steps, 4 · width].
    #[inline(always)]
    unsafe fn weights<V: Simd>(&self, of_z: &[f32], windows: usize) -> [WeightGradients; 2] {
        let Shape { steps, context, width } = self.shape;
        let wide = 4 * width;
        let mut sums = [WeightGradients::zeros(width), WeightGradients::zeros(width)];
        for window in 0..windows {
            for (sum, (start, end)) in sums.iter_mut().zip([(0, context), (context, steps)]) {
                if start == end {
                    continue;
                }
                let row = window * steps + start;
                let (into_input, into_hidden) = (sum.input.as_mut_ptr(), sum.hidden.as_mut_ptr());
                let size = Size {
                    rows: width,
                    columns: wide,
                    depth: end - start,
                };
                // SAFETY: rows `row` to `row + end - start` lie within the shard; otherwise the caller's promise.
                unsafe {
                    let z = Right {
                        start: of_z.as_ptr().add(row * wide),
                        row: wide,
                    };
                    let x = Left {
                        start: self.input.as_ptr().add(row * width),
                        row: 1,
                        column: width,
                    };
                    accumulate::<V>(
                        size,
                        x,
                        z,
                        Into {
                            start: into_input,
                            row: wide,
                        },
                    );
                    // The state before a step is the one after the step before, or the first one.
                    let before_first = match start {
                        0 => self.first_hidden.as_ptr().add(window * width),
                        _ => self.hidden.as_ptr().add((row - 1) * width),
                    };
                    let first = Left {
                        start: before_first,
                        row: 1,
                        column: width,
                    };
                    let one = Size { depth: 1, ..size };
                    accumulate::<V>(
                        one,
                        first,
                        z,
                        Into {
                            start: into_hidden,
                            row: wide,
                        },
                    );
                    let later = Left {
                        start: self.hidden.as_ptr().add(row * width),
                        row: 1,
                        column: width,
                    };
                    let rest = Size {
                        depth: end - start - 1,
                        ..size
                    };
                    let z = Right {
                        start: z.start.add(wide),
                        row: wide,
                    };
                    if rest.depth > 0 {
                        accumulate::<V>(
                            rest,
                            later,
                            z,
                            Into {
                                start: into_hidden,
                                row: wide,
                            },
                        );
                    }
                }
                for row in of_z.chunks_exact(wide).skip(row).take(end - start) {
                    for (sum, number) in sum.bias.iter_mut().zip(row) {
                        *sum += number;
                    }
                }
            }
        }
        sums
    }
}

/// One window at one step on the way back.
#[derive(Clone, Copy)]
struct Back {
    gates: *const f32,
    cell: *const f32,
    before: *const f32,
    gradient: *const f32,
    of_hidden: *mut f32,
    of_cell: *mut f32,
    of_z: *mut f32,
    width: usize,
    is_present: bool,
}

/// What comes back along h and c lies in `of_hidden` and `of_cell`; it is replaced by what goes on to the step before, without what goes
/// through U, which is added afterwards.
impl Elementwise for Back {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let total = V::load(self.gradient.add(at)).add(V::load(self.of_hidden.add(at)));
            let zero = V::splat(0.0);
            let into = |number: usize, value: V| value.store(self.of_z.add(number * self.width + at));
            if !self.is_present {
                // The state stays as it is, and so does its gradient.
                total.store(self.of_hidden.add(at));
                (0..4).for_each(|number| into(number, zero));
                return;
            }
            let one = V::splat(1.0);
            let gate = |number: usize| V::load(self.gates.add(number * self.width + at));
            let (i, f, g, o) = (gate(0), gate(1), gate(2), gate(3));
            let size = tanh(V::load(self.cell.add(at)));
            let of_o = total.mul(size);
            let of_c = total
                .mul(o)
                .mul(one.sub(size.mul(size)))
                .add(V::load(self.of_cell.add(at)));
            let (of_i, of_f, of_g) = (of_c.mul(g), of_c.mul(V::load(self.before.add(at))), of_c.mul(i));
            into(0, of_i.mul(i).mul(one.sub(i)));
            into(1, of_f.mul(f).mul(one.sub(f)));
            into(2, of_g.mul(one.sub(g.mul(g))));
            into(3, of_o.mul(o).mul(one.sub(o)));
            of_c.mul(f).store(self.of_cell.add(at));
            zero.store(self.of_hidden.add(at));
        }
    }
}
