//! The LSTM of `kernels::lstm` (its naive twin) over a shard of windows.
//!
//! ```text
//!     forward    z = W x + b of all steps: one product;  step by step z += U h, then gates in place of z
//!     backward   step by step the gradient of z in place of the gates, then what goes to h: U's product;
//!                then three products over all steps: what goes to x, W and U
//! ```
//!
//! Rows are windows, and within a window steps. Kept are the gates and the states: 6·width numbers a row.
//! Awkward: at a step that is absent the state stays as it is, and has no gates.

use super::elementary::{sigmoid, tanh};
use super::gated::Sum;
use super::product::{Begin, Into, Left, Right, Size, product};
use super::rows::{Elementwise, each};
use super::simd::Simd;

/// How many there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    pub windows: usize,
    /// Steps of the encoder.
    pub context: usize,
    /// Of encoder and decoder.
    pub steps: usize,
    pub width: usize,
}

/// One LSTM's weights, where they lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights {
    /// W: [width, 4 · width]
    pub input: *const f32,
    /// U: [width, 4 · width]
    pub hidden: *const f32,
    /// b: [4 · width]
    pub bias: *const f32,
}

/// Wᵀ and Uᵀ: [4 · width, width].
#[derive(Debug, Clone, Copy)]
pub(super) struct Exchanged {
    pub input: *const f32,
    pub hidden: *const f32,
}

/// Where gradients of weights are added.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gradients {
    pub input: *mut f32,
    pub hidden: *mut f32,
    pub bias: *mut f32,
}

/// Where a shard's numbers lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    /// x: [windows, steps, width]
    pub input: *const f32,
    /// h before the first step: [windows, width]
    pub first_hidden: *const f32,
    /// c before the first step: [windows, width]
    pub first_cell: *const f32,
    /// i, f, g, o; on the way back, what goes to z: [windows, steps, 4 · width]
    pub gates: *mut f32,
    /// c after each step: [windows, steps, width]
    pub cells: *mut f32,
    /// h after each step: [windows, steps, width]
    pub hidden: *mut f32,
    /// [windows, steps], 0 where a step is absent; null: every step is present.
    pub present: *const f32,
}

impl Places {
    /// # Safety
    /// `row` is a row of the shard.
    #[inline(always)]
    unsafe fn is_present(&self, row: usize) -> bool {
        // SAFETY: the caller's promise.
        self.present.is_null() || unsafe { *self.present.add(row) != 0.0 }
    }
    /// The state (of `width` numbers a row) before a step.
    ///
    /// # Safety
    /// The step is one of the shard.
    #[inline(always)]
    unsafe fn before(first: *const f32, states: *const f32, extent: Extent, window: usize, step: usize) -> *const f32 {
        // SAFETY: the caller's promise.
        unsafe {
            match step {
                0 => first.add(window * extent.width),
                _ => states.add((window * extent.steps + step - 1) * extent.width),
            }
        }
    }
}

/// Encoder's and decoder's steps of a window: first and number.
fn stretches(extent: Extent) -> [(usize, usize); 2] {
    [(0, extent.context), (extent.context, extent.steps - extent.context)]
}

/// Fills gates, cells and hidden.
///
/// # Safety
/// The machine has the vector; pointers lead to as many numbers as they say.
#[inline(always)]
pub(super) unsafe fn forward<V: Simd>(extent: Extent, weights: [Weights; 2], places: Places) {
    let Extent {
        windows,
        context,
        steps,
        width,
    } = extent;
    let wide = 4 * width;
    // SAFETY: the caller's promise.
    unsafe {
        for window in 0..windows {
            for ((start, length), weights) in stretches(extent).into_iter().zip(weights) {
                let row = window * steps + start;
                product::<V>(
                    Size {
                        rows: length,
                        columns: wide,
                        depth: width,
                    },
                    Left {
                        start: places.input.add(row * width),
                        row: width,
                        column: 1,
                    },
                    Right {
                        start: weights.input,
                        row: wide,
                    },
                    Begin::Row(weights.bias),
                    Into {
                        start: places.gates.add(row * wide),
                        row: wide,
                    },
                );
            }
        }
        for step in 0..steps {
            let weights = if step < context { weights[0] } else { weights[1] };
            let (start, row) = match step {
                0 => (places.first_hidden, width),
                _ => (places.hidden.cast_const().add((step - 1) * width), steps * width),
            };
            product::<V>(
                Size {
                    rows: windows,
                    columns: wide,
                    depth: width,
                },
                Left { start, row, column: 1 },
                Right {
                    start: weights.hidden,
                    row: wide,
                },
                Begin::Kept,
                Into {
                    start: places.gates.add(step * wide),
                    row: steps * wide,
                },
            );
            for window in 0..windows {
                let row = window * steps + step;
                let cell = Cell {
                    gates: places.gates.add(row * wide),
                    cell_before: Places::before(places.first_cell, places.cells, extent, window, step),
                    hidden_before: Places::before(places.first_hidden, places.hidden, extent, window, step),
                    cell: places.cells.add(row * width),
                    hidden: places.hidden.add(row * width),
                    width,
                };
                if places.is_present(row) {
                    each::<V>(width, cell);
                } else {
                    std::ptr::copy_nonoverlapping(cell.cell_before, cell.cell, width);
                    std::ptr::copy_nonoverlapping(cell.hidden_before, cell.hidden, width);
                }
            }
        }
    }
}

/// From `gradient` [windows, steps, width], that of h, to what goes to x (added to `of_input`), and to h and c before the first step
/// (`of_hidden`, `of_cell`, which are 0 before); what is learned is added to. Gates are used up.
///
/// # Safety
/// The machine has the vector; pointers lead to as many numbers as they say; `forward` has run.
#[inline(always)]
pub(super) unsafe fn backward<V: Simd>(
    extent: Extent,
    (exchanged, of): ([Exchanged; 2], [Gradients; 2]),
    places: Places,
    gradient: *const f32,
    [of_input, of_hidden, of_cell]: [*mut f32; 3],
) {
    let Extent {
        windows,
        context,
        steps,
        width,
    } = extent;
    let wide = 4 * width;
    // SAFETY: the caller's promise.
    unsafe {
        for step in (0..steps).rev() {
            for window in 0..windows {
                let row = window * steps + step;
                let back = Back {
                    gates: places.gates.add(row * wide),
                    cell: places.cells.add(row * width),
                    before: Places::before(places.first_cell, places.cells, extent, window, step),
                    gradient: gradient.add(row * width),
                    of_hidden: of_hidden.add(window * width),
                    of_cell: of_cell.add(window * width),
                    width,
                };
                if places.is_present(row) {
                    each::<V>(width, back);
                } else {
                    // The state stays as it is, and so does its gradient.
                    each::<V>(
                        width,
                        Sum {
                            number: back.gradient,
                            sum: back.of_hidden,
                        },
                    );
                    std::ptr::write_bytes(back.gates, 0, wide);
                }
            }
            let exchanged = if step < context { exchanged[0] } else { exchanged[1] };
            product::<V>(
                Size {
                    rows: windows,
                    columns: width,
                    depth: wide,
                },
                Left {
                    start: places.gates.add(step * wide),
                    row: steps * wide,
                    column: 1,
                },
                Right {
                    start: exchanged.hidden,
                    row: width,
                },
                Begin::Kept,
                Into {
                    start: of_hidden,
                    row: width,
                },
            );
        }
        for window in 0..windows {
            for (((start, length), exchanged), of) in stretches(extent).into_iter().zip(exchanged).zip(of) {
                if length == 0 {
                    continue;
                }
                let row = window * steps + start;
                let of_z = places.gates.cast_const().add(row * wide);
                product::<V>(
                    Size {
                        rows: length,
                        columns: width,
                        depth: wide,
                    },
                    Left {
                        start: of_z,
                        row: wide,
                        column: 1,
                    },
                    Right {
                        start: exchanged.input,
                        row: width,
                    },
                    Begin::Kept,
                    Into {
                        start: of_input.add(row * width),
                        row: width,
                    },
                );
                for row in 0..length {
                    each::<V>(
                        wide,
                        Sum {
                            number: of_z.add(row * wide),
                            sum: of.bias,
                        },
                    );
                }
                let weight = |before: *const f32, of_z: *const f32, length: usize, of: *mut f32| {
                    product::<V>(
                        Size {
                            rows: width,
                            columns: wide,
                            depth: length,
                        },
                        Left {
                            start: before,
                            row: 1,
                            column: width,
                        },
                        Right { start: of_z, row: wide },
                        Begin::Kept,
                        Into { start: of, row: wide },
                    );
                };
                weight(places.input.add(row * width), of_z, length, of.input);
                // The state before the first step lies elsewhere than those before the others.
                let first = Places::before(places.first_hidden, places.hidden, extent, window, start);
                weight(first, of_z, 1, of.hidden);
                weight(places.hidden.add(row * width), of_z.add(wide), length - 1, of.hidden);
            }
        }
    }
}

/// One window at one step.
#[derive(Clone, Copy)]
struct Cell {
    gates: *mut f32,
    cell_before: *const f32,
    hidden_before: *const f32,
    cell: *mut f32,
    hidden: *mut f32,
    width: usize,
}

impl Elementwise for Cell {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let quarter = |number: usize| V::load(self.gates.add(number * self.width + at));
            let (i, f) = (sigmoid(quarter(0)), sigmoid(quarter(1)));
            let (g, o) = (tanh(quarter(2)), sigmoid(quarter(3)));
            let new = f.mul_add(V::load(self.cell_before.add(at)), i.mul(g));
            new.store(self.cell.add(at));
            o.mul(tanh(new)).store(self.hidden.add(at));
            for (number, gate) in [i, f, g, o].into_iter().enumerate() {
                gate.store(self.gates.add(number * self.width + at));
            }
        }
    }
}

/// One window at one step on the way back. What comes back along h and c lies in `of_hidden` and `of_cell`; it is replaced by what goes
/// on to the step before, without what goes through U, which is added afterwards.
#[derive(Clone, Copy)]
struct Back {
    gates: *mut f32,
    cell: *const f32,
    before: *const f32,
    gradient: *const f32,
    of_hidden: *mut f32,
    of_cell: *mut f32,
    width: usize,
}

impl Elementwise for Back {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let one = V::splat(1.0);
            let place = |number: usize| self.gates.add(number * self.width + at);
            let gate = |number: usize| V::load(place(number));
            let (i, f, g, o) = (gate(0), gate(1), gate(2), gate(3));
            let total = V::load(self.gradient.add(at)).add(V::load(self.of_hidden.add(at)));
            let size = tanh(V::load(self.cell.add(at)));
            let open = total.mul(o);
            let of_c = one.sub(size.mul(size)).mul_add(open, V::load(self.of_cell.add(at)));
            let (of_i, of_f) = (of_c.mul(i), of_c.mul(f));
            of_i.mul(g).mul(one.sub(i)).store(place(0));
            of_f.mul(V::load(self.before.add(at))).mul(one.sub(f)).store(place(1));
            of_i.mul(one.sub(g.mul(g))).store(place(2));
            open.mul(size).mul(one.sub(o)).store(place(3));
            of_f.store(self.of_cell.add(at));
            V::splat(0.0).store(self.of_hidden.add(at));
        }
    }
}
