//! The gated residual network of `kernels::residual` on processors: block by block of rows that stay in the cache.
//!
//! A block's intermediate numbers lie in one small buffer; backward, they are computed again. Gradients of weights are summed over the
//! blocks of a stretch of rows, and stretches are added in their order.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::elementary::{exp, sigmoid};
use super::memory::{contiguous, numbers, tensor};
use super::product::{Into, Left, Right, Size, accumulate, transposed};
use super::rows::{Elementwise, dot, each, sum};
use super::simd::{Level, Simd, Work, run};
use crate::kernels::residual::{GroupedWeights, ResidualGradients, ResidualInputs};
use crate::model::{Architecture, Dropping};

/// Rows whose numbers are worked on together.
const BLOCK: usize = 64;

/// Rows whose gradients of weights are summed before they are added to those of others: a whole number of blocks. It is part of what
/// gradients are added up in, so it does not follow the machine.
const STRETCH: usize = 32 * BLOCK;

/// Everything that goes in, as it lies in memory.
struct Inputs {
    input: FlexTensor,
    skip: FlexTensor,
    second: Option<[FlexTensor; 2]>,
    gate: [FlexTensor; 2],
    scale: FlexTensor,
    shift: FlexTensor,
    dropping: Option<Dropping>,
    groups: usize,
    rows: usize,
    width: usize,
}

/// The weights of one group.
#[derive(Clone, Copy)]
struct Weights<'a> {
    /// W₁ [width, width] and b₁ [width].
    second: Option<[&'a [f32]; 2]>,
    /// W [width, 2 · width] and b [2 · width].
    gate: [&'a [f32]; 2],
    scale: &'a [f32],
    shift: &'a [f32],
}

impl Inputs {
    fn of(inputs: &ResidualInputs<Flex>) -> Option<Self> {
        let [groups, rows, width] = inputs.input.dims();
        let layer = |layer: &GroupedWeights<Flex>| Some([contiguous(&layer.weight)?, contiguous(&layer.bias)?]);
        let second = match &inputs.second {
            Some(second) => Some(layer(second)?),
            None => None,
        };
        let found = Self {
            input: contiguous(&inputs.input)?,
            skip: contiguous(&inputs.skip)?,
            second,
            gate: layer(&inputs.gate)?,
            scale: contiguous(&inputs.scale)?,
            shift: contiguous(&inputs.shift)?,
            dropping: inputs.dropping,
            groups,
            rows,
            width,
        };
        found.fits().then_some(found)
    }
    /// Whether everything has the numbers that the loops read: what they rely on.
    fn fits(&self) -> bool {
        let (all, each) = (self.groups * self.rows * self.width, self.groups * self.width);
        let is = |tensor: &FlexTensor, length: usize| numbers(tensor).len() == length;
        let layer = |[weight, bias]: &[FlexTensor; 2], times: usize| {
            is(weight, each * self.width * times) && is(bias, each * times)
        };
        all > 0
            && is(&self.input, all)
            && is(&self.skip, all)
            && self.second.as_ref().is_none_or(|second| layer(second, 1))
            && layer(&self.gate, 2)
            && is(&self.scale, each)
            && is(&self.shift, each)
    }
    fn weights(&self, group: usize) -> Option<Weights<'_>> {
        let part = |tensor| part_of(numbers(tensor), group, self.groups);
        let second = match &self.second {
            Some([weight, bias]) => Some([part(weight)?, part(bias)?]),
            None => None,
        };
        let [weight, bias] = &self.gate;
        Some(Weights {
            second,
            gate: [part(weight)?, part(bias)?],
            scale: part(&self.scale)?,
            shift: part(&self.shift)?,
        })
    }
}

/// A group's share of numbers that lie group by group.
fn part_of(numbers: &[f32], group: usize, groups: usize) -> Option<&[f32]> {
    let length = numbers.len() / groups.max(1);
    numbers.get(group * length..(group + 1) * length)
}

/// A stretch of a group's rows.
struct Stretch<'a> {
    weights: Weights<'a>,
    input: &'a [f32],
    skip: &'a [f32],
    /// The place of the first number among all groups' numbers: what is dropped depends on it.
    start: usize,
    dropping: Option<Dropping>,
    width: usize,
}

/// What a block's rows come to on the way forward.
struct Block {
    /// ELU(x), or x: [rows, width]
    activated: Vec<f32>,
    /// dropout(s): [rows, width]
    dropped: Vec<f32>,
    /// [rows, width]
    mask: Vec<f32>,
    /// The gate's numbers, the first half after σ: [rows, 2 · width]
    gate: Vec<f32>,
    /// The normalised sum: [rows, width]
    normal: Vec<f32>,
    /// 1 / deviation: [rows]
    inverse: Vec<f32>,
}

impl Block {
    fn new(width: usize) -> Self {
        Self {
            activated: vec![0.0; BLOCK * width],
            dropped: vec![0.0; BLOCK * width],
            mask: vec![1.0; BLOCK * width],
            gate: vec![0.0; BLOCK * 2 * width],
            normal: vec![0.0; BLOCK * width],
            inverse: vec![0.0; BLOCK],
        }
    }
}

impl Stretch<'_> {
    /// Computes a block's rows, from `row` on, up to the normalised sum.
    ///
    /// # Safety
    /// The machine has the vector; the rows are those of the stretch.
    #[inline(always)]
    unsafe fn compute<V: Simd>(&self, row: usize, rows: usize, block: &mut Block) {
        let (width, wide) = (self.width, 2 * self.width);
        let (from, count) = (row * width, rows * width);
        let dropped = block.dropped.as_mut_ptr();
        // SAFETY: `Inputs::fits` has checked every length; a block has place for `BLOCK` rows. The machine is the caller's promise.
        unsafe {
            let input = self.input.as_ptr().add(from);
            if let Some([weight, bias]) = self.weights.second {
                each::<V>(
                    count,
                    Activate {
                        input,
                        output: block.activated.as_mut_ptr(),
                    },
                );
                fill(dropped, bias, rows);
                let size = Size {
                    rows,
                    columns: width,
                    depth: width,
                };
                let activated = Left {
                    start: block.activated.as_ptr(),
                    row: width,
                    column: 1,
                };
                accumulate::<V>(
                    size,
                    activated,
                    Right {
                        start: weight.as_ptr(),
                        row: width,
                    },
                    Into {
                        start: dropped,
                        row: width,
                    },
                );
            } else {
                std::ptr::copy_nonoverlapping(input, dropped, count);
            }
            if let Some(dropping) = self.dropping {
                dropping.fill(self.start + from, block.mask.get_mut(..count).unwrap_or_default());
                each::<V>(
                    count,
                    Multiply {
                        factor: block.mask.as_ptr(),
                        number: dropped,
                    },
                );
            }
            let gate = block.gate.as_mut_ptr();
            let [weight, bias] = self.weights.gate;
            fill(gate, bias, rows);
            let size = Size {
                rows,
                columns: wide,
                depth: width,
            };
            let from_dropped = Left {
                start: dropped,
                row: width,
                column: 1,
            };
            accumulate::<V>(
                size,
                from_dropped,
                Right {
                    start: weight.as_ptr(),
                    row: wide,
                },
                Into { start: gate, row: wide },
            );
            for row in 0..rows {
                let normal = block.normal.as_mut_ptr().add(row * width);
                let skip = self.skip.as_ptr().add(from + row * width);
                each::<V>(
                    width,
                    Open {
                        gate: gate.add(row * wide),
                        skip,
                        sum: normal,
                        width,
                    },
                );
                let mean = sum::<V>(normal, width) / width as f32;
                each::<V>(
                    width,
                    Shift {
                        number: normal,
                        by: -mean,
                    },
                );
                let variance = dot::<V>(normal, normal, width) / width as f32;
                let inverse = 1.0 / (variance + Architecture::EPSILON as f32).sqrt();
                each::<V>(
                    width,
                    Scale {
                        number: normal,
                        by: inverse,
                    },
                );
                *block.inverse.as_mut_ptr().add(row) = inverse;
            }
        }
    }
    fn rows(&self) -> usize {
        self.input.len() / self.width
    }
}

/// The same row in each of `rows` rows.
///
/// # Safety
/// `to` leads to that many numbers.
#[inline(always)]
unsafe fn fill(to: *mut f32, row: &[f32], rows: usize) {
    for at in 0..rows {
        // SAFETY: the caller's promise.
        unsafe { std::ptr::copy_nonoverlapping(row.as_ptr(), to.add(at * row.len()), row.len()) };
    }
}

/// ELU.
#[derive(Clone, Copy)]
struct Activate {
    input: *const f32,
    output: *mut f32,
}

impl Elementwise for Activate {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let (x, zero) = (V::load(self.input.add(at)), V::splat(0.0));
            let below = exp(x.min(zero)).sub(V::splat(1.0));
            x.max(zero).add(below).store(self.output.add(at));
        }
    }
}

/// number · factor
#[derive(Clone, Copy)]
struct Multiply {
    factor: *const f32,
    number: *mut f32,
}

impl Elementwise for Multiply {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            V::load(self.number.add(at))
                .mul(V::load(self.factor.add(at)))
                .store(self.number.add(at))
        }
    }
}

/// skip + GLU; the gate's first half becomes its σ.
#[derive(Clone, Copy)]
struct Open {
    gate: *mut f32,
    skip: *const f32,
    sum: *mut f32,
    width: usize,
}

impl Elementwise for Open {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let opened = sigmoid(V::load(self.gate.add(at)));
            opened.store(self.gate.add(at));
            let value = V::load(self.gate.add(self.width + at));
            opened
                .mul_add(value, V::load(self.skip.add(at)))
                .store(self.sum.add(at));
        }
    }
}

/// number + by
#[derive(Clone, Copy)]
struct Shift {
    number: *mut f32,
    by: f32,
}

impl Elementwise for Shift {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            V::load(self.number.add(at))
                .add(V::splat(self.by))
                .store(self.number.add(at))
        }
    }
}

/// number · by
#[derive(Clone, Copy)]
struct Scale {
    number: *mut f32,
    by: f32,
}

impl Elementwise for Scale {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            V::load(self.number.add(at))
                .mul(V::splat(self.by))
                .store(self.number.add(at))
        }
    }
}

/// normal · scale + shift
#[derive(Clone, Copy)]
struct Finish {
    normal: *const f32,
    scale: *const f32,
    shift: *const f32,
    output: *mut f32,
}

impl Elementwise for Finish {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let scaled = V::load(self.normal.add(at)).mul_add(V::load(self.scale.add(at)), V::load(self.shift.add(at)));
            scaled.store(self.output.add(at));
        }
    }
}

struct Forward<'a> {
    stretch: Stretch<'a>,
    output: &'a mut [f32],
}

impl Work for Forward<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        let Self { stretch, output } = self;
        let (width, all) = (stretch.width, stretch.rows());
        let mut block = Block::new(width);
        for first in (0..all).step_by(BLOCK) {
            let rows = BLOCK.min(all - first);
            // SAFETY: rows are those of the stretch, and as many are written; the machine is the caller's promise.
            unsafe {
                stretch.compute::<V>(first, rows, &mut block);
                for row in 0..rows {
                    let finish = Finish {
                        normal: block.normal.as_ptr().add(row * width),
                        scale: stretch.weights.scale.as_ptr(),
                        shift: stretch.weights.shift.as_ptr(),
                        output: output.as_mut_ptr().add((first + row) * width),
                    };
                    each::<V>(width, finish);
                }
            }
        }
    }
}

/// The outputs: [groups, rows, width]; `None`: not 32-bit floats.
pub(in crate::kernels) fn residual_forward(inputs: &ResidualInputs<Flex>) -> Option<Tensor<Flex, 3>> {
    let found = Inputs::of(inputs)?;
    let Inputs {
        groups, rows, width, ..
    } = found;
    let mut output = vec![0.0; groups * rows * width];
    let mut work = Vec::new();
    for (group, output) in output.chunks_mut(rows * width).enumerate() {
        let stretches = stretches(&found, group)?;
        let outputs = output.chunks_mut(STRETCH * width);
        work.extend(
            stretches
                .into_iter()
                .zip(outputs)
                .map(|(stretch, output)| Forward { stretch, output }),
        );
    }
    let level = Level::of_machine();
    work.into_par_iter().for_each(|work| run(level, work));
    Some(tensor(output, [groups, rows, width]))
}

fn stretches(inputs: &Inputs, group: usize) -> Option<Vec<Stretch<'_>>> {
    let Inputs {
        groups, rows, width, ..
    } = *inputs;
    let weights = inputs.weights(group)?;
    let [input, skip] = [&inputs.input, &inputs.skip].map(|tensor| part_of(numbers(tensor), group, groups));
    let parts = input?
        .chunks(STRETCH * width)
        .zip(skip?.chunks(STRETCH * width))
        .enumerate();
    let stretch = |(at, (input, skip))| Stretch {
        weights,
        input,
        skip,
        start: group * rows * width + at * STRETCH * width,
        dropping: inputs.dropping,
        width,
    };
    Some(parts.map(stretch).collect())
}

/// Gradients of a group's weights.
struct WeightGradients {
    second: Option<[Vec<f32>; 2]>,
    gate: [Vec<f32>; 2],
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl WeightGradients {
    fn zeros(width: usize, has_second: bool) -> Self {
        let layer = |outputs: usize| [vec![0.0; width * outputs], vec![0.0; outputs]];
        Self {
            second: has_second.then(|| layer(width)),
            gate: layer(2 * width),
            scale: vec![0.0; width],
            shift: vec![0.0; width],
        }
    }
    fn parts(&self) -> impl Iterator<Item = &Vec<f32>> {
        self.second
            .iter()
            .flatten()
            .chain(&self.gate)
            .chain([&self.scale, &self.shift])
    }
    fn parts_mut(&mut self) -> impl Iterator<Item = &mut Vec<f32>> {
        self.second
            .iter_mut()
            .flatten()
            .chain(&mut self.gate)
            .chain([&mut self.scale, &mut self.shift])
    }
}

struct Backward<'a> {
    stretch: Stretch<'a>,
    gradient: &'a [f32],
    /// W₁ᵀ [width, width], and Wᵀ [2 · width, width].
    back: (Option<&'a [f32]>, &'a [f32]),
    of_input: &'a mut [f32],
    of_skip: &'a mut [f32],
}

/// The gradients of the gate's numbers, and of what was normalised.
#[derive(Clone, Copy)]
struct Close {
    gate: *const f32,
    of_sum: *const f32,
    of_gate: *mut f32,
    width: usize,
}

impl Elementwise for Close {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let (opened, value) = (V::load(self.gate.add(at)), V::load(self.gate.add(self.width + at)));
            let of_sum = V::load(self.of_sum.add(at));
            let slope = opened.mul(V::splat(1.0).sub(opened));
            of_sum.mul(value).mul(slope).store(self.of_gate.add(at));
            of_sum.mul(opened).store(self.of_gate.add(self.width + at));
        }
    }
}

/// gradient · scale, and what it adds to the gradients of scale and shift.
#[derive(Clone, Copy)]
struct Unscale {
    gradient: *const f32,
    normal: *const f32,
    scale: *const f32,
    of_normal: *mut f32,
    of_scale: *mut f32,
    of_shift: *mut f32,
}

impl Elementwise for Unscale {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let gradient = V::load(self.gradient.add(at));
            let normal = V::load(self.normal.add(at));
            gradient.mul(V::load(self.scale.add(at))).store(self.of_normal.add(at));
            gradient
                .mul_add(normal, V::load(self.of_scale.add(at)))
                .store(self.of_scale.add(at));
            gradient
                .add(V::load(self.of_shift.add(at)))
                .store(self.of_shift.add(at));
        }
    }
}

/// (number - mean - normal · along) · inverse
#[derive(Clone, Copy)]
struct Unnormalise {
    number: *mut f32,
    normal: *const f32,
    mean: f32,
    along: f32,
    inverse: f32,
}

impl Elementwise for Unnormalise {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let centred = V::load(self.number.add(at)).sub(V::splat(self.mean));
            let rest = V::load(self.normal.add(at)).mul_add(V::splat(-self.along), centred);
            rest.mul(V::splat(self.inverse)).store(self.number.add(at));
        }
    }
}

/// number · slope of ELU, which is 1, or ELU + 1 below 0.
#[derive(Clone, Copy)]
struct Deactivate {
    activated: *const f32,
    number: *mut f32,
}

impl Elementwise for Deactivate {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let slope = V::load(self.activated.add(at)).min(V::splat(0.0)).add(V::splat(1.0));
            V::load(self.number.add(at)).mul(slope).store(self.number.add(at));
        }
    }
}

/// sum + number
#[derive(Clone, Copy)]
struct Sum {
    number: *const f32,
    sum: *mut f32,
}

impl Elementwise for Sum {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            V::load(self.sum.add(at))
                .add(V::load(self.number.add(at)))
                .store(self.sum.add(at))
        }
    }
}

impl Work for Backward<'_> {
    type Output = WeightGradients;

    #[inline(always)]
    unsafe fn run<V: Simd>(self) -> WeightGradients {
        let Self {
            stretch,
            gradient,
            back,
            of_input,
            of_skip,
        } = self;
        let (width, wide, all) = (stretch.width, 2 * stretch.width, stretch.rows());
        let mut of = WeightGradients::zeros(width, stretch.weights.second.is_some());
        let mut block = Block::new(width);
        let mut of_gate = vec![0.0_f32; BLOCK * wide];
        let mut of_s = vec![0.0_f32; BLOCK * width];
        for first in (0..all).step_by(BLOCK) {
            let rows = BLOCK.min(all - first);
            let (from, count) = (first * width, rows * width);
            // SAFETY: rows are those of the stretch, and as many are read and written; a block has place for `BLOCK` rows. The machine
            // is the caller's promise.
            unsafe {
                stretch.compute::<V>(first, rows, &mut block);
                let of_sum = of_skip.as_mut_ptr().add(from);
                for row in 0..rows {
                    let (number, normal) = (of_sum.add(row * width), block.normal.as_ptr().add(row * width));
                    let unscale = Unscale {
                        gradient: gradient.as_ptr().add(from + row * width),
                        normal,
                        scale: stretch.weights.scale.as_ptr(),
                        of_normal: number,
                        of_scale: of.scale.as_mut_ptr(),
                        of_shift: of.shift.as_mut_ptr(),
                    };
                    each::<V>(width, unscale);
                    let mean = sum::<V>(number, width) / width as f32;
                    let along = dot::<V>(number, normal, width) / width as f32;
                    let inverse = *block.inverse.as_ptr().add(row);
                    each::<V>(
                        width,
                        Unnormalise {
                            number,
                            normal,
                            mean,
                            along,
                            inverse,
                        },
                    );
                    let gate = block.gate.as_ptr().add(row * wide);
                    each::<V>(
                        width,
                        Close {
                            gate,
                            of_sum: number,
                            of_gate: of_gate.as_mut_ptr().add(row * wide),
                            width,
                        },
                    );
                }
                let [of_weight, of_bias] = &mut of.gate;
                let of_gates = of_gate.as_ptr();
                layer_gradients::<V>(
                    block.dropped.as_ptr(),
                    of_gates,
                    rows,
                    [width, wide],
                    of_weight,
                    of_bias,
                );
                // What goes to s lies in the input's gradient where there is no layer before.
                let to = match back.0 {
                    Some(_) => of_s.as_mut_ptr(),
                    None => of_input.as_mut_ptr().add(from),
                };
                std::ptr::write_bytes(to, 0, count);
                let size = Size {
                    rows,
                    columns: width,
                    depth: wide,
                };
                let from_gates = Left {
                    start: of_gates,
                    row: wide,
                    column: 1,
                };
                accumulate::<V>(
                    size,
                    from_gates,
                    Right {
                        start: back.1.as_ptr(),
                        row: width,
                    },
                    Into { start: to, row: width },
                );
                if stretch.dropping.is_some() {
                    each::<V>(
                        count,
                        Multiply {
                            factor: block.mask.as_ptr(),
                            number: to,
                        },
                    );
                }
                if let (Some([of_weight, of_bias]), Some(back)) = (&mut of.second, back.0) {
                    layer_gradients::<V>(block.activated.as_ptr(), to, rows, [width, width], of_weight, of_bias);
                    let of_first = of_input.as_mut_ptr().add(from);
                    let size = Size {
                        rows,
                        columns: width,
                        depth: width,
                    };
                    let from_s = Left {
                        start: to,
                        row: width,
                        column: 1,
                    };
                    accumulate::<V>(
                        size,
                        from_s,
                        Right {
                            start: back.as_ptr(),
                            row: width,
                        },
                        Into {
                            start: of_first,
                            row: width,
                        },
                    );
                    each::<V>(
                        count,
                        Deactivate {
                            activated: block.activated.as_ptr(),
                            number: of_first,
                        },
                    );
                }
            }
        }
        of
    }
}

/// Adds the gradients of a layer's weights and bias, from its inputs and the gradient of its outputs.
///
/// # Safety
/// The machine has the vector; `input` leads to rows · inputs numbers, `of_output` to rows · outputs.
#[inline(always)]
unsafe fn layer_gradients<V: Simd>(
    input: *const f32,
    of_output: *const f32,
    rows: usize,
    [inputs, outputs]: [usize; 2],
    of_weight: &mut [f32],
    of_bias: &mut [f32],
) {
    let size = Size {
        rows: inputs,
        columns: outputs,
        depth: rows,
    };
    // SAFETY: the caller's promise.
    unsafe {
        let input = Left {
            start: input,
            row: 1,
            column: inputs,
        };
        let into = Into {
            start: of_weight.as_mut_ptr(),
            row: outputs,
        };
        accumulate::<V>(
            size,
            input,
            Right {
                start: of_output,
                row: outputs,
            },
            into,
        );
        for row in 0..rows {
            each::<V>(
                outputs,
                Sum {
                    number: of_output.add(row * outputs),
                    sum: of_bias.as_mut_ptr(),
                },
            );
        }
    }
}

/// Gradients of everything that went in; `None`: not 32-bit floats.
pub(in crate::kernels) fn residual_backward(
    inputs: &ResidualInputs<Flex>,
    gradient: &Tensor<Flex, 3>,
) -> Option<ResidualGradients<Flex>> {
    let found = Inputs::of(inputs)?;
    let Inputs {
        groups, rows, width, ..
    } = found;
    let gradient = contiguous(gradient).filter(|gradient| numbers(gradient).len() == groups * rows * width)?;
    let mut back = Vec::new();
    for group in 0..groups {
        let weights = found.weights(group)?;
        let [gate, _] = weights.gate;
        back.push((
            weights.second.map(|[weight, _]| transposed(weight, width)),
            transposed(gate, 2 * width),
        ));
    }
    let (mut of_input, mut of_skip) = (vec![0.0; groups * rows * width], vec![0.0; groups * rows * width]);
    let mut work = Vec::new();
    let outputs = of_input.chunks_mut(rows * width).zip(of_skip.chunks_mut(rows * width));
    let gradients = numbers(&gradient).chunks(rows * width);
    for (group, (((of_input, of_skip), gradient), (second, gate))) in outputs.zip(gradients).zip(&back).enumerate() {
        let parts = of_input
            .chunks_mut(STRETCH * width)
            .zip(of_skip.chunks_mut(STRETCH * width));
        let parts = parts.zip(gradient.chunks(STRETCH * width));
        let stretches = stretches(&found, group)?;
        work.extend(
            stretches
                .into_iter()
                .zip(parts)
                .map(|(stretch, ((of_input, of_skip), gradient))| {
                    let back = (second.as_deref(), gate.as_slice());
                    let shard = Backward {
                        stretch,
                        gradient,
                        back,
                        of_input,
                        of_skip,
                    };
                    (group, shard)
                }),
        );
    }
    let level = Level::of_machine();
    let parts: Vec<_> = work
        .into_par_iter()
        .map(|(group, work)| (group, run(level, work)))
        .collect();
    let has_second = found.second.is_some();
    let mut sums: Vec<_> = (0..groups).map(|_| WeightGradients::zeros(width, has_second)).collect();
    for (group, part) in &parts {
        let Some(sum) = sums.get_mut(*group) else { continue };
        for (sums, parts) in sum.parts_mut().zip(part.parts()) {
            for (sum, part) in sums.iter_mut().zip(parts) {
                *sum += part;
            }
        }
    }
    Some(of_sums(
        &sums,
        has_second,
        [
            tensor(of_input, [groups, rows, width]),
            tensor(of_skip, [groups, rows, width]),
        ],
        width,
    ))
}

/// Groups' gradients one after the other, as tensors.
fn of_sums(
    sums: &[WeightGradients],
    has_second: bool,
    [input, skip]: [Tensor<Flex, 3>; 2],
    width: usize,
) -> ResidualGradients<Flex> {
    let groups = sums.len();
    let all = |of: &dyn Fn(&WeightGradients) -> Vec<f32>| sums.iter().flat_map(of).collect::<Vec<f32>>();
    let second = |at: usize| {
        move |sum: &WeightGradients| {
            sum.second
                .as_ref()
                .and_then(|parts| parts.get(at))
                .cloned()
                .unwrap_or_default()
        }
    };
    ResidualGradients {
        input,
        skip,
        second: has_second.then(|| GroupedWeights {
            weight: tensor(all(&second(0)), [groups, width, width]),
            bias: tensor(all(&second(1)), [groups, width]),
        }),
        gate: GroupedWeights {
            weight: tensor(all(&|sum| sum.gate[0].clone()), [groups, width, 2 * width]),
            bias: tensor(all(&|sum| sum.gate[1].clone()), [groups, 2 * width]),
        },
        scale: tensor(all(&|sum| sum.scale.clone()), [groups, width]),
        shift: tensor(all(&|sum| sum.shift.clone()), [groups, width]),
    }
}
