//! Everything of a gated residual network after its first layer, and every gated skip connection, for a block of rows that stays in the
//! cache:
//!
//! ```text
//!     s = W₁ ELU(x) + b₁        or, for a skip connection, s = x
//!     y = LayerNorm(skip + GLU(W dropout(s) + b))
//! ```
//!
//! Nothing of a block is kept for the way back: `compute` runs again, which costs less than to write it and read it back.
//!
//! Cost: 3·width² multiplications a row forward (2·width² for a skip connection), three times that backward. What is dropped is a hash
//! of the element's place, so both ways drop the same. Source: as for `kernels::residual`, which is the naive twin.

use super::elementary::{exp, sigmoid};
use super::product::{Begin, Into, Left, Right, Size, product};
use super::rows::{Elementwise, Summand, Summands, each, sum_of, sums_of};
use super::simd::{Simd, Work};
use crate::model::{Architecture, Dropping};

/// Rows whose numbers are worked on together.
pub(super) const BLOCK: usize = 64;

/// A layer's weight [inputs, outputs] and bias [outputs].
pub(super) type Layer = [*const f32; 2];

/// What is learned of it, where it lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights {
    /// W₁, b₁: width → width; `None`: a skip connection.
    pub second: Option<Layer>,
    /// W, b: width → 2 · width
    pub gate: Layer,
    /// The norm's: [width]
    pub scale: *const f32,
    /// The norm's: [width]
    pub shift: *const f32,
}

/// The same matrices with rows and columns exchanged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exchanged {
    /// W₁ᵀ [width, width]; not read for a skip connection.
    pub second: *const f32,
    /// Wᵀ [2 · width, width]
    pub gate: *const f32,
}

/// Where gradients of what is learned are added.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gradients {
    /// Of W₁, b₁; not written for a skip connection.
    pub second: [*mut f32; 2],
    /// Of W, b.
    pub gate: [*mut f32; 2],
    /// Of the norm's scale.
    pub scale: *mut f32,
    /// Of the norm's shift.
    pub shift: *mut f32,
}

/// What is dropped of s, and the place of the block's first number in the whole tensor.
pub(super) type Dropped = Option<(Dropping, usize)>;

/// A block's rows on the way forward, and what the way back needs beside.
#[derive(Debug, Default)]
pub(super) struct Block {
    width: usize,
    /// ELU(x): [rows, width]
    activated: Vec<f32>,
    /// dropout(s): [rows, width]
    dropped: Vec<f32>,
    /// What s is multiplied by: [rows, width]
    mask: Vec<f32>,
    /// The gate's numbers, the first half after σ: [rows, 2 · width]
    gate: Vec<f32>,
    /// The normalised sum: [rows, width]
    normal: Vec<f32>,
    /// 1 / deviation: [rows]
    inverse: Vec<f32>,
    /// Gradients of the gate's numbers: [rows, 2 · width]
    of_gate: Vec<f32>,
    /// Of s: [rows, width]
    of_s: Vec<f32>,
    /// Whether anything is dropped.
    drops: bool,
}

impl Block {
    /// Numbers of a block of this width.
    pub(super) fn numbers(width: usize) -> usize {
        BLOCK * (9 * width + 1)
    }
    /// Of this width.
    pub(super) fn resize(&mut self, width: usize) {
        if self.width == width {
            return;
        }
        self.width = width;
        for (buffer, length) in [
            (&mut self.activated, width),
            (&mut self.dropped, width),
            (&mut self.mask, width),
            (&mut self.gate, 2 * width),
            (&mut self.normal, width),
            (&mut self.inverse, 1),
            (&mut self.of_gate, 2 * width),
            (&mut self.of_s, width),
        ] {
            buffer.clear();
            buffer.resize(BLOCK * length, 0.0);
        }
    }
    /// The normalised sum: [rows, width].
    pub(super) fn normal(&self) -> *const f32 {
        self.normal.as_ptr()
    }

    /// Computes rows up to the normalised sum. `input`, `skip` [rows, width].
    ///
    /// # Safety
    /// The machine has the vector; pointers lead to as many numbers as they say; at most `BLOCK` rows.
    #[inline(always)]
    pub(super) unsafe fn compute<V: Simd>(
        &mut self,
        weights: &Weights,
        rows: usize,
        inputs: [*const f32; 2],
        dropped: Dropped,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            V::call(Compute {
                block: self,
                weights,
                rows,
                inputs,
                dropped,
            })
        }
    }

    /// # Safety
    /// As for `compute`.
    #[inline(always)]
    unsafe fn computed<V: Simd>(
        &mut self,
        weights: &Weights,
        rows: usize,
        [input, skip]: [*const f32; 2],
        dropped: Dropped,
    ) {
        let (width, wide) = (self.width, 2 * self.width);
        let count = rows * width;
        // SAFETY: buffers have place for `BLOCK` rows; otherwise the caller's promise.
        unsafe {
            let mut s = input;
            if let Some([weight, bias]) = weights.second {
                let activated = self.activated.as_mut_ptr();
                each::<V>(
                    count,
                    Activate {
                        input,
                        output: activated,
                    },
                );
                let to = self.dropped.as_mut_ptr();
                product::<V>(
                    Size {
                        rows,
                        columns: width,
                        depth: width,
                    },
                    Left {
                        start: activated,
                        row: width,
                        column: 1,
                    },
                    Right {
                        start: weight,
                        row: width,
                    },
                    Begin::Row(bias),
                    Into { start: to, row: width },
                );
                s = to;
            }
            self.drops = dropped.is_some();
            if let Some((dropping, start)) = dropped {
                dropping.fill(start, self.mask.get_mut(..count).unwrap_or_default());
                let (factor, output) = (self.mask.as_ptr(), self.dropped.as_mut_ptr());
                each::<V>(
                    count,
                    Multiply {
                        number: s,
                        factor,
                        output,
                    },
                );
                s = output;
            }
            let gate = self.gate.as_mut_ptr();
            let [weight, bias] = weights.gate;
            product::<V>(
                Size {
                    rows,
                    columns: wide,
                    depth: width,
                },
                Left {
                    start: s,
                    row: width,
                    column: 1,
                },
                Right {
                    start: weight,
                    row: wide,
                },
                Begin::Row(bias),
                Into { start: gate, row: wide },
            );
            if s == input {
                // The way back reads it there.
                std::ptr::copy_nonoverlapping(input, self.dropped.as_mut_ptr(), count);
            }
            let share = 1.0 / width as f32;
            for row in 0..rows {
                let normal = self.normal.as_mut_ptr().add(row * width);
                let open = Open {
                    gate: gate.add(row * wide),
                    skip: skip.add(row * width),
                    sum: normal,
                    width,
                };
                let mean = sum_of::<V>(width, open) * share;
                let variance = sum_of::<V>(width, Square { number: normal, mean }) * share;
                let inverse = 1.0 / (variance + Architecture::EPSILON as f32).sqrt();
                each::<V>(
                    width,
                    Normalise {
                        number: normal,
                        mean,
                        inverse,
                    },
                );
                *self.inverse.as_mut_ptr().add(row) = inverse;
            }
        }
    }

    /// Scales and shifts the normalised sum: [rows, width] into `output`.
    ///
    /// # Safety
    /// As for `compute`, which has run.
    #[inline(always)]
    pub(super) unsafe fn finish<V: Simd>(&self, weights: &Weights, rows: usize, output: *mut f32) {
        let width = self.width;
        for row in 0..rows {
            // SAFETY: the caller's promise.
            unsafe {
                let normal = self.normal.as_ptr().add(row * width);
                let (scale, shift) = (weights.scale, weights.shift);
                each::<V>(
                    width,
                    Finish {
                        normal,
                        scale,
                        shift,
                        output: output.add(row * width),
                    },
                );
            }
        }
    }

    /// The way back, from `gradient` [rows, width], that of the output, to `of_input` and `of_skip` [rows, width], which are written; what
    /// is learned is added to.
    ///
    /// # Safety
    /// As for `compute`, which has run for the same rows; what is written overlaps with nothing else.
    #[inline(always)]
    pub(super) unsafe fn pull<V: Simd>(
        &mut self,
        learned: (&Weights, &Exchanged, &Gradients),
        rows: usize,
        gradient: *const f32,
        into: [*mut f32; 2],
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            V::call(PullBack {
                block: self,
                learned,
                rows,
                gradient,
                into,
            })
        }
    }

    /// # Safety
    /// As for `pull`.
    #[inline(always)]
    unsafe fn pulled<V: Simd>(
        &mut self,
        (weights, exchanged, of): (&Weights, &Exchanged, &Gradients),
        rows: usize,
        gradient: *const f32,
        [of_input, of_skip]: [*mut f32; 2],
    ) {
        let (width, wide) = (self.width, 2 * self.width);
        let (count, share) = (rows * width, 1.0 / self.width as f32);
        // SAFETY: buffers have place for `BLOCK` rows; otherwise the caller's promise.
        unsafe {
            let of_gates = self.of_gate.as_mut_ptr();
            for row in 0..rows {
                let (number, normal) = (of_skip.add(row * width), self.normal.as_ptr().add(row * width));
                let unscale = Unscale {
                    gradient: gradient.add(row * width),
                    normal,
                    scale: weights.scale,
                    of_normal: number,
                    of_scale: of.scale,
                    of_shift: of.shift,
                };
                let [mean, along] = sums_of::<V>(width, unscale);
                let close = Close {
                    number,
                    normal,
                    gate: self.gate.as_ptr().add(row * wide),
                    of_gate: of_gates.add(row * wide),
                    of_bias: of.gate[1],
                    width,
                    mean: mean * share,
                    along: along * share,
                    inverse: *self.inverse.as_ptr().add(row),
                };
                each::<V>(width, close);
            }
            product::<V>(
                Size {
                    rows: width,
                    columns: wide,
                    depth: rows,
                },
                Left {
                    start: self.dropped.as_ptr(),
                    row: 1,
                    column: width,
                },
                Right {
                    start: of_gates,
                    row: wide,
                },
                Begin::Kept,
                Into {
                    start: of.gate[0],
                    row: wide,
                },
            );
            let of_s = match weights.second {
                Some(_) => self.of_s.as_mut_ptr(),
                None => of_input,
            };
            product::<V>(
                Size {
                    rows,
                    columns: width,
                    depth: wide,
                },
                Left {
                    start: of_gates,
                    row: wide,
                    column: 1,
                },
                Right {
                    start: exchanged.gate,
                    row: width,
                },
                Begin::Zero,
                Into {
                    start: of_s,
                    row: width,
                },
            );
            self.unmask::<V>(of_s, count);
            if weights.second.is_none() {
                return;
            }
            for row in 0..rows {
                each::<V>(
                    width,
                    Sum {
                        number: of_s.add(row * width),
                        sum: of.second[1],
                    },
                );
            }
            product::<V>(
                Size {
                    rows: width,
                    columns: width,
                    depth: rows,
                },
                Left {
                    start: self.activated.as_ptr(),
                    row: 1,
                    column: width,
                },
                Right {
                    start: of_s,
                    row: width,
                },
                Begin::Kept,
                Into {
                    start: of.second[0],
                    row: width,
                },
            );
            product::<V>(
                Size {
                    rows,
                    columns: width,
                    depth: width,
                },
                Left {
                    start: of_s,
                    row: width,
                    column: 1,
                },
                Right {
                    start: exchanged.second,
                    row: width,
                },
                Begin::Zero,
                Into {
                    start: of_input,
                    row: width,
                },
            );
            each::<V>(
                count,
                Deactivate {
                    activated: self.activated.as_ptr(),
                    number: of_input,
                },
            );
        }
    }

    /// Drops of a gradient what was dropped.
    ///
    /// # Safety
    /// `of_s` leads to `count` numbers.
    #[inline(always)]
    unsafe fn unmask<V: Simd>(&self, of_s: *mut f32, count: usize) {
        if self.drops {
            // SAFETY: the caller's promise.
            unsafe {
                each::<V>(
                    count,
                    Multiply {
                        number: of_s,
                        factor: self.mask.as_ptr(),
                        output: of_s,
                    },
                )
            };
        }
    }
}

/// `Block::compute` as a function of its own: it is called from many places.
struct Compute<'a> {
    block: &'a mut Block,
    weights: &'a Weights,
    rows: usize,
    inputs: [*const f32; 2],
    dropped: Dropped,
}

impl Work for Compute<'_> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        // SAFETY: the caller's promise.
        unsafe {
            self.block
                .computed::<V>(self.weights, self.rows, self.inputs, self.dropped)
        }
    }
}

/// `Block::pull` as a function of its own.
struct PullBack<'a> {
    block: &'a mut Block,
    learned: (&'a Weights, &'a Exchanged, &'a Gradients),
    rows: usize,
    gradient: *const f32,
    into: [*mut f32; 2],
}

impl Work for PullBack<'_> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        // SAFETY: the caller's promise.
        unsafe {
            self.block
                .pulled::<V>(self.learned, self.rows, self.gradient, self.into)
        }
    }
}

/// ELU.
#[derive(Clone, Copy)]
pub(super) struct Activate {
    pub input: *const f32,
    pub output: *mut f32,
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

/// number · slope of ELU, which is 1, or ELU + 1 below 0.
#[derive(Clone, Copy)]
pub(super) struct Deactivate {
    pub activated: *const f32,
    pub number: *mut f32,
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

/// number · factor
#[derive(Clone, Copy)]
pub(super) struct Multiply {
    pub number: *const f32,
    pub factor: *const f32,
    pub output: *mut f32,
}

impl Elementwise for Multiply {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let number = V::load(self.number.add(at)).mul(V::load(self.factor.add(at)));
            number.store(self.output.add(at));
        }
    }
}

/// sum + number
#[derive(Clone, Copy)]
pub(super) struct Sum {
    pub number: *const f32,
    pub sum: *mut f32,
}

impl Elementwise for Sum {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let sum = V::load(self.sum.add(at)).add(V::load(self.number.add(at)));
            sum.store(self.sum.add(at));
        }
    }
}

/// skip + GLU, added up; the gate's first half becomes its σ.
#[derive(Clone, Copy)]
struct Open {
    gate: *mut f32,
    skip: *const f32,
    sum: *mut f32,
    width: usize,
}

impl Summand for Open {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) -> V {
        // SAFETY: the caller's promise.
        unsafe {
            let opened = sigmoid(V::load(self.gate.add(at)));
            opened.store(self.gate.add(at));
            let value = V::load(self.gate.add(self.width + at));
            let sum = opened.mul_add(value, V::load(self.skip.add(at)));
            sum.store(self.sum.add(at));
            sum
        }
    }
}

/// (number - mean)², added up
#[derive(Clone, Copy)]
struct Square {
    number: *const f32,
    mean: f32,
}

impl Summand for Square {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) -> V {
        // SAFETY: the caller's promise.
        unsafe {
            let rest = V::load(self.number.add(at)).sub(V::splat(self.mean));
            rest.mul(rest)
        }
    }
}

/// (number - mean) · inverse
#[derive(Clone, Copy)]
struct Normalise {
    number: *mut f32,
    mean: f32,
    inverse: f32,
}

impl Elementwise for Normalise {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let rest = V::load(self.number.add(at)).sub(V::splat(self.mean));
            rest.mul(V::splat(self.inverse)).store(self.number.add(at));
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

/// gradient · scale, added up alone and times the normalised number; and what it adds to the gradients of scale and shift.
#[derive(Clone, Copy)]
struct Unscale {
    gradient: *const f32,
    normal: *const f32,
    scale: *const f32,
    of_normal: *mut f32,
    of_scale: *mut f32,
    of_shift: *mut f32,
}

impl Summands for Unscale {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) -> [V; 2] {
        // SAFETY: the caller's promise.
        unsafe {
            let gradient = V::load(self.gradient.add(at));
            let normal = V::load(self.normal.add(at));
            let of_scale = gradient.mul_add(normal, V::load(self.of_scale.add(at)));
            of_scale.store(self.of_scale.add(at));
            gradient
                .add(V::load(self.of_shift.add(at)))
                .store(self.of_shift.add(at));
            let of_normal = gradient.mul(V::load(self.scale.add(at)));
            of_normal.store(self.of_normal.add(at));
            [of_normal, of_normal.mul(normal)]
        }
    }
}

/// (number - mean - normal · along) · inverse, and what it is to the gate's numbers.
#[derive(Clone, Copy)]
struct Close {
    number: *mut f32,
    normal: *const f32,
    gate: *const f32,
    of_gate: *mut f32,
    of_bias: *mut f32,
    width: usize,
    mean: f32,
    along: f32,
    inverse: f32,
}

impl Elementwise for Close {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let centred = V::load(self.number.add(at)).sub(V::splat(self.mean));
            let rest = V::load(self.normal.add(at)).mul_add(V::splat(-self.along), centred);
            let of_sum = rest.mul(V::splat(self.inverse));
            of_sum.store(self.number.add(at));
            let (opened, value) = (V::load(self.gate.add(at)), V::load(self.gate.add(self.width + at)));
            let of_value = of_sum.mul(opened);
            let of_opened = of_value.mul(value).mul(V::splat(1.0).sub(opened));
            of_opened.store(self.of_gate.add(at));
            of_value.store(self.of_gate.add(self.width + at));
            let bias = |place: usize, number: V| {
                number
                    .add(V::load(self.of_bias.add(place)))
                    .store(self.of_bias.add(place))
            };
            bias(at, of_opened);
            bias(self.width + at, of_value);
        }
    }
}
