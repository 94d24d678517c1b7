//! A few windows through the whole network and back, by one thread.
//!
//! ```text
//!     static variables ─ contexts
//!     window by window: selection of past and future variables
//!     all windows, step by step: recurrence
//!     window by window: everything after it, the loss, and back to the recurrence (`window`)
//!     recurrence back, selections back, contexts back
//! ```
//!
//! Only what the recurrence needs is kept for all windows; the rest stays in the cache from its making to its use.

use super::contexts::{self, Fixed};
use super::derived::Layout;
use super::kept::{Kept, blocks_of};
use super::plan::{Dense, Lstm, Matrix, Plan};
use super::selecting::{Buffers, Rows, Scratch, Selecting};
use super::window::{self, Ahead};
use crate::data::{Given, GivenColumns};
use crate::kernels::cpu::gated::{BLOCK, Sum};
use crate::kernels::cpu::product::{Begin, Into, Left, Right, Size, product};
use crate::kernels::cpu::rows::each;
use crate::kernels::cpu::sequence;
use crate::kernels::cpu::simd::{Simd, Work};
use crate::loss::Loss;
use crate::model::{Dropping, Pass};

/// Where explanations and forecasts are written, for the shard's windows.
#[derive(Debug)]
pub(super) struct Outputs<'a> {
    /// [windows, horizon, numbers]
    pub forecast: &'a mut [f32],
    /// [windows, variables]
    pub fixed: &'a mut [f32],
    /// [windows, context, variables]
    pub past: &'a mut [f32],
    /// [windows, horizon, variables]
    pub future: &'a mut [f32],
    /// [windows, horizon, steps]
    pub attention: &'a mut [f32],
}

/// What is asked of a shard.
#[derive(Debug)]
pub(super) enum Asked<'a> {
    /// Forecasts and explanations.
    Forecast(Outputs<'a>),
    /// The summed loss.
    Loss(&'a Loss),
    /// The summed loss, and its gradients, by slot, added up.
    Gradients(&'a Loss, &'a mut [f32]),
}

/// A shard's windows, and what is computed with.
pub(super) struct Shard<'a> {
    pub plan: &'a Plan,
    pub layout: &'a Layout,
    pub given: Given<'a>,
    pub parameters: &'a [f32],
    pub derived: &'a [f32],
    pub exchanged: &'a [f32],
    pub pass: Pass,
    /// The first window and their number.
    pub windows: [usize; 2],
    pub space: &'a mut Space,
    pub asked: Asked<'a>,
}

/// Buffers, used again from shard to shard.
#[derive(Debug, Default)]
pub(super) struct Space {
    /// Of the window; of past and future selections.
    pub kept: Kept,
    pub kept_selections: [Kept; 2],
    pub scratch: Scratch,
    pub window: window::Space,
    pub fixed: contexts::Space,
    /// Contexts and their gradients, and first layers' biases with what contexts add: [windows, width] each.
    pub base: [Vec<f32>; 3],
    pub of_base: [Vec<f32>; 3],
    /// [windows, steps, width]
    pub input: Vec<f32>,
    pub hidden: Vec<f32>,
    pub cells: Vec<f32>,
    pub of_input: Vec<f32>,
    pub of_hidden: Vec<f32>,
    /// [windows, steps, 4 · width]
    pub gates: Vec<f32>,
    /// [windows, steps]
    pub present: Vec<f32>,
}

/// As many numbers, whatever they are.
pub(super) fn sized(buffer: &mut Vec<f32>, length: usize) -> *mut f32 {
    if buffer.len() != length {
        buffer.clear();
        buffer.resize(length, 0.0);
    }
    buffer.as_mut_ptr()
}

/// As many zeros.
pub(super) fn zeros(buffer: &mut Vec<f32>, length: usize) -> *mut f32 {
    buffer.clear();
    buffer.resize(length, 0.0);
    buffer.as_mut_ptr()
}

/// [rows, inputs] · matrix → [rows, outputs].
///
/// # Safety
/// The machine has the vector; pointers lead to as many numbers as they say.
#[inline(always)]
pub(super) unsafe fn multiply<V: Simd>(
    b: &Buffers,
    matrix: &Matrix,
    rows: usize,
    input: *const f32,
    begin: Begin,
    output: *mut f32,
) {
    let Matrix {
        place,
        rows: inputs,
        columns: outputs,
        ..
    } = *matrix;
    // SAFETY: the caller's promise.
    unsafe {
        product::<V>(
            Size {
                rows,
                columns: outputs,
                depth: inputs,
            },
            Left {
                start: input,
                row: inputs,
                column: 1,
            },
            Right {
                start: b.parameters.add(place.at),
                row: outputs,
            },
            begin,
            Into {
                start: output,
                row: outputs,
            },
        );
    }
}

/// The way back of `multiply`: what goes to the matrix is added, what goes to the input is added or written.
///
/// # Safety
/// As for `multiply`.
#[inline(always)]
pub(super) unsafe fn multiply_back<V: Simd>(
    b: &Buffers,
    matrix: &Matrix,
    rows: usize,
    (input, of_output): (*const f32, *const f32),
    (begin, of_input): (Begin, *mut f32),
) {
    let Matrix {
        place,
        rows: inputs,
        columns: outputs,
        exchanged,
    } = *matrix;
    // SAFETY: the caller's promise.
    unsafe {
        product::<V>(
            Size {
                rows: inputs,
                columns: outputs,
                depth: rows,
            },
            Left {
                start: input,
                row: 1,
                column: inputs,
            },
            Right {
                start: of_output,
                row: outputs,
            },
            Begin::Kept,
            Into {
                start: b.gradients.add(place.slot),
                row: outputs,
            },
        );
        product::<V>(
            Size {
                rows,
                columns: inputs,
                depth: outputs,
            },
            Left {
                start: of_output,
                row: outputs,
                column: 1,
            },
            Right {
                start: b.exchanged.add(exchanged),
                row: inputs,
            },
            begin,
            Into {
                start: of_input,
                row: inputs,
            },
        );
    }
}

/// Adds rows up: [rows, width] into [width].
///
/// # Safety
/// As for `multiply`.
#[inline(always)]
pub(super) unsafe fn add_rows<V: Simd>(number: *const f32, rows: usize, width: usize, sum: *mut f32) {
    for row in 0..rows {
        // SAFETY: the caller's promise.
        unsafe {
            each::<V>(
                width,
                Sum {
                    number: number.add(row * width),
                    sum,
                },
            )
        };
    }
}

/// The way back of a layer with a bias.
///
/// # Safety
/// As for `multiply`.
#[inline(always)]
pub(super) unsafe fn dense_back<V: Simd>(
    b: &Buffers,
    layer: &Dense,
    rows: usize,
    between: (*const f32, *const f32),
    to: (Begin, *mut f32),
) {
    // SAFETY: the caller's promise.
    unsafe {
        add_rows::<V>(between.1, rows, layer.weight.columns, b.gradients.add(layer.bias.slot));
        multiply_back::<V>(b, &layer.weight, rows, between, to);
    }
}

/// Some rows of columns: `block` is their place among the blocks of the shard, `row` that in the batch.
///
/// # Safety
/// The rows are those of the columns.
unsafe fn rows_of(
    columns: &GivenColumns<'_>,
    [continuous, variables]: [usize; 2],
    [block, row, count]: [usize; 3],
) -> Rows {
    // SAFETY: the caller's promise.
    unsafe {
        Rows {
            continuous: columns.continuous.as_ptr().add(row * continuous),
            present: match columns.present {
                Some(present) => present.as_ptr().add(row * variables),
                None => std::ptr::null(),
            },
            block,
            first: row,
            count,
            all: columns.rows,
        }
    }
}

impl Shard<'_> {
    fn buffers(&mut self) -> Buffers {
        let gradients = match &mut self.asked {
            Asked::Gradients(_, gradients) => gradients.as_mut_ptr(),
            _ => std::ptr::null_mut(),
        };
        Buffers {
            parameters: self.parameters.as_ptr(),
            derived: self.derived.as_ptr(),
            exchanged: self.exchanged.as_ptr(),
            gradients,
            of_derived: gradients.wrapping_add(self.plan.slots),
        }
    }
    fn dropping(&self, part: u64) -> Option<Dropping> {
        self.pass.part(part).dropping(self.plan.dropout)
    }
    fn lstm(&self) -> sequence::Extent {
        sequence::Extent {
            windows: self.windows[1],
            context: self.plan.context,
            steps: self.plan.context + self.plan.horizon,
            width: self.plan.width,
        }
    }
    /// The weights that are asked for of a selection, from a row of the shard on.
    fn weights_at(asked: &mut Asked<'_>, which: usize, at: usize) -> *mut f32 {
        let Asked::Forecast(outputs) = asked else {
            return std::ptr::null_mut();
        };
        let weights = match which {
            0 => &mut outputs.past,
            _ => &mut outputs.future,
        };
        weights.get_mut(at..).map_or(std::ptr::null_mut(), <[f32]>::as_mut_ptr)
    }
}

/// Past and future selections: plan, places, columns, first step, steps, part of the pass.
macro_rules! selections {
    ($self:ident) => {{
        let (plan, layout) = ($self.plan, $self.layout);
        let past = (&plan.past, &layout.past, $self.given.past, 0, plan.context, 2);
        let future = plan.future.as_ref().zip(layout.future.as_ref());
        let future =
            future.map(|(selection, places)| (selection, places, $self.given.future, plan.context, plan.horizon, 3));
        [Some(past), future]
    }};
}

impl Work for Shard<'_> {
    type Output = f64;

    #[inline(always)]
    unsafe fn run<V: Simd>(mut self) -> f64 {
        let (plan, [first, windows]) = (self.plan, self.windows);
        let (width, steps) = (plan.width, plan.context + plan.horizon);
        let b = self.buffers();
        let is_training = !b.gradients.is_null();
        // SAFETY: the entry has checked that parameters, what is derived and the batch are of the plan; the machine is the caller's promise.
        unsafe {
            let fixed = self.contexts(&b);
            fixed.forward::<V>(&mut self);
            self.bases::<V>(&b);
            let input = sized(&mut self.space.input, windows * steps * width);
            for (which, selection) in selections!(self).into_iter().enumerate() {
                let Some((selection, places, columns, start, length, part)) = selection else {
                    // Nothing is known in advance: the decoder starts from its state alone.
                    for window in 0..windows {
                        std::ptr::write_bytes(
                            input.add((window * steps + plan.context) * width),
                            0,
                            plan.horizon * width,
                        );
                    }
                    continue;
                };
                let variables = selection.variables();
                self.space.scratch.resize(selection, width);
                let (kept, each) = (&mut self.space.kept_selections[which], blocks_of(length));
                kept.resize(width, windows * each * variables, is_training);
                let selecting = Selecting {
                    plan: selection,
                    places,
                    buffers: b,
                    width,
                    dropping: self.dropping(part),
                };
                for window in 0..windows {
                    let base = self
                        .space
                        .base
                        .get(which)
                        .map_or(std::ptr::null(), |base| base.as_ptr())
                        .add(window * width);
                    for step in (0..length).step_by(BLOCK) {
                        let row = (first + window) * length + step;
                        let place = [window * each + step / BLOCK, row, BLOCK.min(length - step)];
                        let rows = rows_of(&columns, [selection.continuous, variables], place);
                        let output = input.add((window * steps + start + step) * width);
                        let weights = Self::weights_at(&mut self.asked, which, (window * length + step) * variables);
                        let Space {
                            scratch,
                            kept_selections,
                            ..
                        } = &mut *self.space;
                        selecting.forward::<V>(&rows, base, (scratch, &mut kept_selections[which]), [output, weights]);
                    }
                }
            }
            let places = self.recur::<V>(&b);
            let (of_input, of_hidden) = match is_training {
                true => (
                    sized(&mut self.space.of_input, windows * steps * width),
                    sized(&mut self.space.of_hidden, windows * steps * width),
                ),
                false => (std::ptr::null_mut(), std::ptr::null_mut()),
            };
            let mut loss = 0.0;
            self.space
                .kept
                .resize(width, window::GATES * blocks_of(steps), is_training);
            for window in 0..windows {
                let at = window * steps * width;
                let ahead = Ahead {
                    plan,
                    layout: self.layout,
                    buffers: b,
                    pass: self.pass,
                    window: first + window,
                    present: if places.present.is_null() {
                        places.present
                    } else {
                        places.present.add(window * steps)
                    },
                    base: self.space.base[2].as_ptr().add(window * width),
                    of_base: self.space.of_base[2].as_mut_ptr().wrapping_add(window * width),
                    input: input.cast_const().add(at),
                    hidden: places.hidden.cast_const().add(at),
                    of_input: of_input.wrapping_add(at),
                    of_hidden: of_hidden.wrapping_add(at),
                };
                loss += ahead.run::<V>(
                    &mut self.space.window,
                    &mut self.space.kept,
                    &self.given,
                    (&mut self.asked, window),
                );
            }
            if is_training {
                self.back::<V>(&b, places, [of_input, of_hidden]);
            }
            loss
        }
    }
}

impl Shard<'_> {
    fn contexts(&self, b: &Buffers) -> Fixed {
        Fixed {
            buffers: *b,
            windows: self.windows,
        }
    }

    /// The first layers' biases with what contexts add: of past and future selections, and of the enrichment.
    ///
    /// # Safety
    /// As for `run`.
    #[inline(always)]
    unsafe fn bases<V: Simd>(&mut self, b: &Buffers) {
        let (plan, windows) = (self.plan, self.windows[1]);
        let width = plan.width;
        let future = plan.future.as_ref().unwrap_or(&plan.past);
        let parts = [
            (plan.past.first_bias, plan.past.context, 0),
            (future.first_bias, future.context, 0),
            (plan.enrichment.first.bias, plan.enrichment.context, 1),
        ];
        let Space {
            base, of_base, fixed, ..
        } = &mut *self.space;
        for ((base, of_base), (bias, context, which)) in base.iter_mut().zip(of_base).zip(parts) {
            let to = sized(base, windows * width);
            zeros(of_base, windows * width);
            // SAFETY: the caller's promise.
            unsafe {
                let bias = b.parameters.add(bias.at);
                match context {
                    Some(matrix) => multiply::<V>(b, &matrix, windows, fixed.context(which), Begin::Row(bias), to),
                    None => (0..windows)
                        .for_each(|window| std::ptr::copy_nonoverlapping(bias, to.add(window * width), width)),
                }
            }
        }
    }

    /// # Safety
    /// As for `run`.
    #[inline(always)]
    unsafe fn recur<V: Simd>(&mut self, b: &Buffers) -> sequence::Places {
        let (extent, first) = (self.lstm(), self.windows[0]);
        let sequence::Extent {
            windows,
            context,
            steps,
            width,
        } = extent;
        let space = &mut *self.space;
        let present = match self.given.steps_present {
            None => std::ptr::null(),
            Some(given) => {
                space.present.clear();
                for window in given.chunks_exact(context).skip(first).take(windows) {
                    space.present.extend_from_slice(window);
                    space.present.extend(std::iter::repeat_n(1.0, steps - context));
                }
                space.present.as_ptr()
            }
        };
        let places = sequence::Places {
            input: space.input.as_ptr(),
            first_hidden: space.fixed.context(2),
            first_cell: space.fixed.context(3),
            gates: sized(&mut space.gates, windows * steps * 4 * width),
            cells: sized(&mut space.cells, windows * steps * width),
            hidden: sized(&mut space.hidden, windows * steps * width),
            present,
        };
        // SAFETY: the caller's promise.
        unsafe {
            let weights = |lstm: Lstm| sequence::Weights {
                input: b.parameters.add(lstm.input.place.at),
                hidden: b.parameters.add(lstm.hidden.place.at),
                bias: b.parameters.add(lstm.bias.at),
            };
            sequence::forward::<V>(extent, self.plan.recurrence.map(weights), places);
        }
        places
    }

    /// From the gradients of what goes in and out of the recurrence to the beginning.
    ///
    /// # Safety
    /// As for `run`.
    #[inline(always)]
    unsafe fn back<V: Simd>(&mut self, b: &Buffers, places: sequence::Places, [of_input, of_hidden]: [*mut f32; 2]) {
        let (plan, extent, first) = (self.plan, self.lstm(), self.windows[0]);
        let sequence::Extent {
            windows, steps, width, ..
        } = extent;
        // SAFETY: the caller's promise.
        unsafe {
            let exchanged = |lstm: Lstm| sequence::Exchanged {
                input: b.exchanged.add(lstm.input.exchanged),
                hidden: b.exchanged.add(lstm.hidden.exchanged),
            };
            let gradients = |lstm: Lstm| sequence::Gradients {
                input: b.gradients.add(lstm.input.place.slot),
                hidden: b.gradients.add(lstm.hidden.place.slot),
                bias: b.gradients.add(lstm.bias.slot),
            };
            self.space.fixed.zero_gradients(windows * width);
            let into = [of_input, self.space.fixed.of_context(2), self.space.fixed.of_context(3)];
            let learned = (plan.recurrence.map(exchanged), plan.recurrence.map(gradients));
            sequence::backward::<V>(extent, learned, places, of_hidden, into);
            for (which, selection) in selections!(self).into_iter().enumerate() {
                let Some((selection, places, columns, start, length, part)) = selection else {
                    continue;
                };
                self.space.scratch.resize(selection, width);
                let selecting = Selecting {
                    plan: selection,
                    places,
                    buffers: *b,
                    width,
                    dropping: self.dropping(part),
                };
                for window in 0..windows {
                    let base = self
                        .space
                        .base
                        .get(which)
                        .map_or(std::ptr::null(), |base| base.as_ptr())
                        .add(window * width);
                    let of_base = self
                        .space
                        .of_base
                        .get_mut(which)
                        .map_or(std::ptr::null_mut(), Vec::as_mut_ptr);
                    for step in (0..length).step_by(BLOCK) {
                        let row = (first + window) * length + step;
                        let count = BLOCK.min(length - step);
                        let place = [window * blocks_of(length) + step / BLOCK, row, count];
                        let rows = rows_of(&columns, [selection.continuous, selection.variables()], place);
                        let gradient = of_input.cast_const().add((window * steps + start + step) * width);
                        let Space {
                            scratch,
                            kept_selections,
                            ..
                        } = &mut *self.space;
                        selecting.backward::<V>(
                            &rows,
                            base,
                            (scratch, &mut kept_selections[which]),
                            gradient,
                            of_base.add(window * width),
                        );
                    }
                }
            }
            self.bases_back::<V>(b);
            self.contexts(b).backward::<V>(self);
        }
    }

    /// # Safety
    /// As for `run`.
    #[inline(always)]
    unsafe fn bases_back<V: Simd>(&mut self, b: &Buffers) {
        let (plan, windows) = (self.plan, self.windows[1]);
        let width = plan.width;
        let parts = [
            Some((plan.past.first_bias, plan.past.context, 0)),
            plan.future
                .as_ref()
                .map(|future| (future.first_bias, future.context, 0)),
            Some((plan.enrichment.first.bias, plan.enrichment.context, 1)),
        ];
        let Space { of_base, fixed, .. } = &mut *self.space;
        for (of_base, (bias, context, which)) in of_base.iter().zip(parts).filter_map(|(of, part)| Some((of, part?))) {
            // SAFETY: the caller's promise.
            unsafe {
                add_rows::<V>(of_base.as_ptr(), windows, width, b.gradients.add(bias.slot));
                if let Some(matrix) = context {
                    let between = (fixed.context(which), of_base.as_ptr());
                    multiply_back::<V>(b, &matrix, windows, between, (Begin::Kept, fixed.of_context(which)));
                }
            }
        }
    }
}
