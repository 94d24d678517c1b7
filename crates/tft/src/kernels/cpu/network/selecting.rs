//! Variable selection for a block of rows of one window (`model::selection` is the naive twin), from what is derived (`derived`).
//!
//! ```text
//!     design    [rows, 2 · continuous]: value and presence of each continuous variable, so that design · raw rows = embeddings
//!     weights   softmax(LayerNorm(skip + GLU(gate(second(ELU(base + design · joint))))))
//!     output    Σⱼ weightⱼ · networkⱼ(design · ownⱼ, design · rawⱼ)
//! ```
//!
//! Categorical variables add rows of tables in place of a product. What is narrow is computed again on the way back; for the variables' networks see `kept`.

use super::derived::SelectionPlaces;
use super::kept::Kept;
use super::plan::{Gated, Selection, padded};
use crate::kernels::cpu::elementary::{exp, sigmoid};
use crate::kernels::cpu::gated::{self, Activate, BLOCK, Block, Deactivate, Sum};
use crate::kernels::cpu::product::{Begin, Into, Left, Right, Size, product};
use crate::kernels::cpu::rows::{Elementwise, Summand, each, sum_of};
use crate::kernels::cpu::simd::Simd;
use crate::model::{Architecture, Dropping};

/// Pushes the numbers of missing variables below all others (as in `model::selection`).
const ABSENT: f32 = 1e4;

/// Buffers, where everything lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buffers {
    pub parameters: *const f32,
    pub derived: *const f32,
    pub exchanged: *const f32,
    /// By slot; null where there is no way back.
    pub gradients: *mut f32,
    /// Of what is derived.
    pub of_derived: *mut f32,
}

impl Buffers {
    /// # Safety
    /// The plan is that of the buffers.
    #[inline(always)]
    pub unsafe fn gated(&self, plan: &Gated) -> (gated::Weights, gated::Exchanged, gated::Gradients) {
        let (p, g) = (self.parameters, self.gradients);
        // Without a way back, pointers to gradients lead nowhere, and are not followed.
        let of = |slot: usize| g.wrapping_add(slot);
        // SAFETY: the caller's promise.
        unsafe {
            let layer = |layer: super::plan::Dense| [p.add(layer.weight.place.at), p.add(layer.bias.at)];
            let second = plan.second.unwrap_or(plan.gate);
            let weights = gated::Weights {
                second: plan.second.map(layer),
                gate: layer(plan.gate),
                scale: p.add(plan.scale.at),
                shift: p.add(plan.shift.at),
            };
            let exchanged = gated::Exchanged {
                second: self.exchanged.wrapping_add(second.weight.exchanged),
                gate: self.exchanged.wrapping_add(plan.gate.weight.exchanged),
            };
            let gradients = gated::Gradients {
                second: [of(second.weight.place.slot), of(second.bias.slot)],
                gate: [of(plan.gate.weight.place.slot), of(plan.gate.bias.slot)],
                scale: of(plan.scale.slot),
                shift: of(plan.shift.slot),
            };
            (weights, exchanged, gradients)
        }
    }
}

/// At most `BLOCK` rows of a window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows {
    /// [rows, continuous]
    pub continuous: *const f32,
    /// [rows, variables]; null: everything is present.
    pub present: *const f32,
    /// The block's place among those of the shard.
    pub block: usize,
    /// The first row's place in the batch.
    pub first: usize,
    pub count: usize,
    /// Rows of the batch.
    pub all: usize,
}

/// What a block is computed in.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    design: Vec<f32>,
    activated: Vec<f32>,
    second: Vec<f32>,
    gate: Vec<f32>,
    opened: Vec<f32>,
    normal: Vec<f32>,
    inverse: Vec<f32>,
    weights: Vec<f32>,
    of_weights: Vec<f32>,
    of_gate: Vec<f32>,
    of_second: Vec<f32>,
    of_first: Vec<f32>,
    first: Vec<f32>,
    skip: Vec<f32>,
    of_output: Vec<f32>,
    of_skip: Vec<f32>,
}

impl Scratch {
    /// For a selection of so many variables.
    pub fn resize(&mut self, plan: &Selection, width: usize) {
        let variables = plan.variables();
        let (narrow, wide) = (padded(variables), padded(2 * variables));
        for (buffer, length) in [
            (&mut self.design, 2 * plan.continuous),
            (&mut self.activated, width),
            (&mut self.second, width),
            (&mut self.gate, wide),
            (&mut self.opened, wide),
            (&mut self.normal, narrow),
            (&mut self.inverse, 1),
            (&mut self.weights, narrow),
            (&mut self.of_weights, narrow),
            (&mut self.of_gate, wide),
            (&mut self.of_second, width),
            (&mut self.of_first, width),
            (&mut self.first, width),
            (&mut self.skip, width),
            (&mut self.of_output, width),
            (&mut self.of_skip, width),
        ] {
            buffer.clear();
            buffer.resize(BLOCK * length, 0.0);
        }
    }
}

/// A selection at work.
#[derive(Clone, Copy)]
pub(super) struct Selecting<'a> {
    pub plan: &'a Selection,
    pub places: &'a SelectionPlaces,
    pub buffers: Buffers,
    pub width: usize,
    pub dropping: Option<Dropping>,
}

impl Selecting<'_> {
    fn dense(&self, rows: usize, columns: usize) -> Size {
        Size {
            rows,
            columns,
            depth: self.width,
        }
    }
    /// # Safety
    /// As for `forward`.
    #[inline(always)]
    unsafe fn index(&self, variable: usize, row: usize) -> usize {
        let index = self.places.indices.get(variable).and_then(|indices| indices.get(row));
        index.map_or(0, |index| *index as usize)
    }
    /// # Safety
    /// As for `forward`.
    #[inline(always)]
    unsafe fn is_present(&self, rows: &Rows, row: usize, variable: usize) -> bool {
        // SAFETY: the caller's promise.
        rows.present.is_null() || unsafe { *rows.present.add(row * self.plan.variables() + variable) != 0.0 }
    }

    /// Design and weights.
    ///
    /// # Safety
    /// As for `forward`.
    #[inline(always)]
    unsafe fn weigh<V: Simd>(&self, rows: &Rows, base: *const f32, scratch: &mut Scratch) {
        let (plan, places, width, b) = (self.plan, self.places, self.width, self.buffers);
        let (continuous, variables, count) = (plan.continuous, plan.variables(), rows.count);
        let (narrow, wide, pairs) = (padded(variables), padded(2 * variables), 2 * continuous);
        // SAFETY: the caller's promise; buffers of the scratch have place for `BLOCK` rows.
        unsafe {
            let (design, first) = (scratch.design.as_mut_ptr(), scratch.activated.as_mut_ptr());
            let normal = scratch.normal.as_mut_ptr();
            for row in 0..count {
                for variable in 0..continuous {
                    let pair = design.add(row * pairs + 2 * variable);
                    *pair = *rows.continuous.add(row * continuous + variable);
                    *pair.add(1) = if self.is_present(rows, row, variable) { 1.0 } else { 0.0 };
                }
            }
            let from_design = Left {
                start: design,
                row: pairs,
                column: 1,
            };
            product::<V>(
                Size {
                    rows: count,
                    columns: width,
                    depth: pairs,
                },
                from_design,
                Right {
                    start: b.derived.add(places.joint),
                    row: width,
                },
                Begin::Row(base),
                Into {
                    start: first,
                    row: width,
                },
            );
            product::<V>(
                Size {
                    rows: count,
                    columns: narrow,
                    depth: pairs,
                },
                from_design,
                Right {
                    start: b.derived.add(places.skip),
                    row: narrow,
                },
                Begin::Zero,
                Into {
                    start: normal,
                    row: narrow,
                },
            );
            for at in 0..plan.tables.len() {
                for row in (0..count).filter(|row| self.is_present(rows, *row, continuous + at)) {
                    let index = self.index(at, rows.first + row);
                    let number = b.derived.add(places.joint + index * width);
                    each::<V>(
                        width,
                        Sum {
                            number,
                            sum: first.add(row * width),
                        },
                    );
                    let number = b.derived.add(places.skip + index * narrow);
                    each::<V>(
                        narrow,
                        Sum {
                            number,
                            sum: normal.add(row * narrow),
                        },
                    );
                }
            }
            each::<V>(
                count * width,
                Activate {
                    input: first,
                    output: first,
                },
            );
            let second = scratch.second.as_mut_ptr();
            product::<V>(
                self.dense(count, width),
                Left {
                    start: first,
                    row: width,
                    column: 1,
                },
                Right {
                    start: b.parameters.add(plan.second.weight.place.at),
                    row: width,
                },
                Begin::Row(b.parameters.add(plan.second.bias.at)),
                Into {
                    start: second,
                    row: width,
                },
            );
            let (gate, opened) = (scratch.gate.as_mut_ptr(), scratch.opened.as_mut_ptr());
            product::<V>(
                self.dense(count, wide),
                Left {
                    start: second,
                    row: width,
                    column: 1,
                },
                Right {
                    start: b.derived.add(places.gate),
                    row: wide,
                },
                Begin::Row(b.derived.add(places.gate_bias)),
                Into { start: gate, row: wide },
            );
            each::<V>(
                count * wide,
                Sigmoid {
                    input: gate,
                    output: opened,
                },
            );
            let weights = scratch.weights.as_mut_ptr();
            for row in 0..count {
                self.sum(normal.add(row * narrow), gate.add(row * wide), opened.add(row * wide));
                *scratch.inverse.as_mut_ptr().add(row) =
                    self.normalise(normal.add(row * narrow), weights.add(row * narrow), rows, row);
            }
            each::<V>(count * narrow, Exponential { number: weights });
            for row in 0..count {
                let weights = weights.add(row * narrow);
                let mut sum = 0.0;
                for variable in 0..variables {
                    if !self.is_present(rows, row, variable) {
                        *weights.add(variable) = 0.0;
                    }
                    sum += *weights.add(variable);
                }
                // The largest power is 1 where anything is present, so that the bound is met only where nothing is.
                let factor = 1.0 / f32::max(sum, 0.5);
                (0..variables).for_each(|variable| *weights.add(variable) *= factor);
            }
        }
    }

    /// skip + GLU of a row.
    ///
    /// # Safety
    /// As for `forward`.
    #[inline(always)]
    unsafe fn sum(&self, sum: *mut f32, gate: *const f32, opened: *const f32) {
        let variables = self.plan.variables();
        for variable in 0..variables {
            // SAFETY: the caller's promise.
            unsafe {
                let bias = *self.buffers.parameters.add(self.plan.skip_bias.at + variable);
                *sum.add(variable) += bias + *opened.add(variable) * *gate.add(variables + variable);
            }
        }
    }

    /// Normalises a row where it lies, gives 1 / deviation, and writes into `ranks` what the exponential is taken of.
    ///
    /// # Safety
    /// As for `forward`.
    #[inline(always)]
    unsafe fn normalise(&self, row: *mut f32, ranks: *mut f32, rows: &Rows, at: usize) -> f32 {
        let (plan, p) = (self.plan, self.buffers.parameters);
        let variables = plan.variables();
        let share = 1.0 / variables as f32;
        let mut inverse = 1.0;
        // SAFETY: the caller's promise.
        unsafe {
            if plan.norm.is_some() {
                let mean = (0..variables).map(|variable| *row.add(variable)).sum::<f32>() * share;
                (0..variables).for_each(|variable| *row.add(variable) -= mean);
                let variance = (0..variables)
                    .map(|variable| *row.add(variable) * *row.add(variable))
                    .sum::<f32>()
                    * share;
                inverse = 1.0 / (variance + Architecture::EPSILON as f32).sqrt();
                (0..variables).for_each(|variable| *row.add(variable) *= inverse);
            }
            let mut largest = f32::MIN;
            for variable in 0..variables {
                let normal = *row.add(variable);
                let mut rank = match plan.norm {
                    Some([scale, shift]) => normal * *p.add(scale.at + variable) + *p.add(shift.at + variable),
                    None => normal,
                };
                if !self.is_present(rows, at, variable) {
                    rank -= ABSENT;
                }
                *ranks.add(variable) = rank;
                largest = f32::max(largest, rank);
            }
            (0..variables).for_each(|variable| *ranks.add(variable) -= largest);
        }
        inverse
    }

    /// A variable's first layer and skip connection: [rows, width] each.
    ///
    /// # Safety
    /// As for `forward`.
    #[inline(always)]
    unsafe fn embed<V: Simd>(&self, variable: usize, rows: &Rows, scratch: &mut Scratch) {
        let (places, width, continuous) = (self.places, self.width, self.plan.continuous);
        let outputs = [
            (places.own, scratch.first.as_mut_ptr()),
            (places.raw, scratch.skip.as_mut_ptr()),
        ];
        for (from, to) in outputs {
            // SAFETY: the caller's promise.
            unsafe {
                let from = self.buffers.derived.add(from);
                if variable < continuous {
                    product::<V>(
                        Size {
                            rows: rows.count,
                            columns: width,
                            depth: 2,
                        },
                        Left {
                            start: scratch.design.as_ptr().add(2 * variable),
                            row: 2 * continuous,
                            column: 1,
                        },
                        Right {
                            start: from.add(2 * variable * width),
                            row: width,
                        },
                        Begin::Zero,
                        Into { start: to, row: width },
                    );
                } else {
                    for row in 0..rows.count {
                        let index = self.index(variable - continuous, rows.first + row);
                        std::ptr::copy_nonoverlapping(from.add(index * width), to.add(row * width), width);
                    }
                }
            }
        }
    }

    /// A variable's network, up to the normalised sum.
    ///
    /// # Safety
    /// As for `forward`.
    #[inline(always)]
    unsafe fn compute<V: Simd>(
        &self,
        variable: usize,
        weights: &gated::Weights,
        rows: &Rows,
        (scratch, block): (&mut Scratch, &mut Block),
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            self.embed::<V>(variable, rows, scratch);
            let start = (variable * rows.all + rows.first) * self.width;
            let inputs = [scratch.first.as_ptr(), scratch.skip.as_ptr()];
            block.compute::<V>(
                weights,
                rows.count,
                inputs,
                self.dropping.map(|dropping| (dropping, start)),
            );
        }
    }

    /// Selects: [rows, width] into `output`, and, where asked for, weights [rows, variables].
    ///
    /// # Safety
    /// The machine has the vector; plan, places and buffers are of one network, rows of its batch; at most `BLOCK` rows; `base` leads to
    /// the joint network's first bias with what the window's context adds: [width].
    #[inline(always)]
    pub unsafe fn forward<V: Simd>(
        &self,
        rows: &Rows,
        base: *const f32,
        (scratch, kept): (&mut Scratch, &mut Kept),
        [output, weights]: [*mut f32; 2],
    ) {
        let (width, variables) = (self.width, self.plan.variables());
        let narrow = padded(variables);
        // SAFETY: the caller's promise.
        unsafe {
            self.weigh::<V>(rows, base, scratch);
            if !weights.is_null() {
                for row in 0..rows.count {
                    let from = scratch.weights.as_ptr().add(row * narrow);
                    std::ptr::copy_nonoverlapping(from, weights.add(row * variables), variables);
                }
            }
            std::ptr::write_bytes(output, 0, rows.count * width);
            for (variable, plan) in self.plan.each.iter().enumerate() {
                let (parts, _, _) = self.buffers.gated(plan);
                let (block, _) = kept.at(rows.block * variables + variable);
                self.compute::<V>(variable, &parts, rows, (scratch, block));
                for row in 0..rows.count {
                    let weigh = Weigh {
                        normal: block.normal().add(row * width),
                        scale: parts.scale,
                        shift: parts.shift,
                        weight: *scratch.weights.as_ptr().add(row * narrow + variable),
                        output: output.add(row * width),
                    };
                    each::<V>(width, weigh);
                }
            }
        }
    }

    /// The way back from `gradient` [rows, width]; what goes to the joint network's first layer is added up into `of_base` [width].
    ///
    /// # Safety
    /// As for `forward`.
    #[inline(always)]
    pub unsafe fn backward<V: Simd>(
        &self,
        rows: &Rows,
        base: *const f32,
        (scratch, kept): (&mut Scratch, &mut Kept),
        gradient: *const f32,
        of_base: *mut f32,
    ) {
        let (plan, places, width, b) = (self.plan, self.places, self.width, self.buffers);
        let (continuous, narrow, pairs) = (plan.continuous, padded(plan.variables()), 2 * plan.continuous);
        // SAFETY: the caller's promise.
        unsafe {
            self.weigh::<V>(rows, base, scratch);
            for (variable, each_plan) in plan.each.iter().enumerate() {
                let (weights, exchanged, of) = b.gated(each_plan);
                let (block, is_kept) = kept.at(rows.block * plan.variables() + variable);
                if !is_kept {
                    self.compute::<V>(variable, &weights, rows, (scratch, block));
                }
                for row in 0..rows.count {
                    let share = Share {
                        gradient: gradient.add(row * width),
                        normal: block.normal().add(row * width),
                        scale: weights.scale,
                        shift: weights.shift,
                        weight: *scratch.weights.as_ptr().add(row * narrow + variable),
                        of_output: scratch.of_output.as_mut_ptr().add(row * width),
                    };
                    *scratch.of_weights.as_mut_ptr().add(row * narrow + variable) = sum_of::<V>(width, share);
                }
                let (of_first, of_skip) = (scratch.of_first.as_mut_ptr(), scratch.of_skip.as_mut_ptr());
                let learned = (&weights, &exchanged, &of);
                block.pull::<V>(learned, rows.count, scratch.of_output.as_ptr(), [of_first, of_skip]);
                for (from, to) in [(of_first, places.own), (of_skip, places.raw)] {
                    let to = b.of_derived.add(to);
                    if variable < continuous {
                        product::<V>(
                            Size {
                                rows: 2,
                                columns: width,
                                depth: rows.count,
                            },
                            Left {
                                start: scratch.design.as_ptr().add(2 * variable),
                                row: 1,
                                column: pairs,
                            },
                            Right {
                                start: from,
                                row: width,
                            },
                            Begin::Kept,
                            Into {
                                start: to.add(2 * variable * width),
                                row: width,
                            },
                        );
                    } else {
                        for row in 0..rows.count {
                            let index = self.index(variable - continuous, rows.first + row);
                            each::<V>(
                                width,
                                Sum {
                                    number: from.add(row * width),
                                    sum: to.add(index * width),
                                },
                            );
                        }
                    }
                }
            }
            if plan.norm.is_some() {
                self.unweigh::<V>(rows, scratch, of_base);
            }
        }
    }

    /// The way back through the joint network, from the gradients of weights.
    ///
    /// # Safety
    /// As for `forward`.
    #[inline(always)]
    unsafe fn unweigh<V: Simd>(&self, rows: &Rows, scratch: &mut Scratch, of_base: *mut f32) {
        let (plan, places, width, b) = (self.plan, self.places, self.width, self.buffers);
        let (variables, count, pairs) = (plan.variables(), rows.count, 2 * plan.continuous);
        let (narrow, wide) = (padded(variables), padded(2 * variables));
        // SAFETY: the caller's promise.
        unsafe {
            let (of_sum, of_gate) = (scratch.of_weights.as_mut_ptr(), scratch.of_gate.as_mut_ptr());
            for row in 0..count {
                self.unrank(scratch, row, of_sum.add(row * narrow));
                let (opened, gate) = (
                    scratch.opened.as_ptr().add(row * wide),
                    scratch.gate.as_ptr().add(row * wide),
                );
                for variable in 0..variables {
                    let (of, open) = (*of_sum.add(row * narrow + variable), *opened.add(variable));
                    let to = of_gate.add(row * wide + variable);
                    *to = of * *gate.add(variables + variable) * open * (1.0 - open);
                    *to.add(variables) = of * open;
                }
                each::<V>(
                    variables,
                    Sum {
                        number: of_sum.add(row * narrow),
                        sum: b.gradients.add(plan.skip_bias.slot),
                    },
                );
                each::<V>(
                    wide,
                    Sum {
                        number: of_gate.add(row * wide),
                        sum: b.of_derived.add(places.gate_bias),
                    },
                );
            }
            let by_row = |start: *const f32| Left {
                start,
                row: 1,
                column: width,
            };
            product::<V>(
                Size {
                    rows: width,
                    columns: wide,
                    depth: count,
                },
                by_row(scratch.second.as_ptr()),
                Right {
                    start: of_gate,
                    row: wide,
                },
                Begin::Kept,
                Into {
                    start: b.of_derived.add(places.gate),
                    row: wide,
                },
            );
            let of_second = scratch.of_second.as_mut_ptr();
            product::<V>(
                Size {
                    rows: count,
                    columns: width,
                    depth: wide,
                },
                Left {
                    start: of_gate,
                    row: wide,
                    column: 1,
                },
                Right {
                    start: b.derived.add(places.gate_exchanged),
                    row: width,
                },
                Begin::Zero,
                Into {
                    start: of_second,
                    row: width,
                },
            );
            product::<V>(
                Size {
                    rows: width,
                    columns: width,
                    depth: count,
                },
                by_row(scratch.activated.as_ptr()),
                Right {
                    start: of_second,
                    row: width,
                },
                Begin::Kept,
                Into {
                    start: b.gradients.add(plan.second.weight.place.slot),
                    row: width,
                },
            );
            let of_first = scratch.of_first.as_mut_ptr();
            product::<V>(
                self.dense(count, width),
                Left {
                    start: of_second,
                    row: width,
                    column: 1,
                },
                Right {
                    start: b.exchanged.add(plan.second.weight.exchanged),
                    row: width,
                },
                Begin::Zero,
                Into {
                    start: of_first,
                    row: width,
                },
            );
            each::<V>(
                count * width,
                Deactivate {
                    activated: scratch.activated.as_ptr(),
                    number: of_first,
                },
            );
            for row in 0..count {
                each::<V>(
                    width,
                    Sum {
                        number: of_second.add(row * width),
                        sum: b.gradients.add(plan.second.bias.slot),
                    },
                );
                each::<V>(
                    width,
                    Sum {
                        number: of_first.add(row * width),
                        sum: of_base,
                    },
                );
            }
            for (from, to, columns) in [(of_first, places.joint, width), (of_sum, places.skip, narrow)] {
                let to = b.of_derived.add(to);
                product::<V>(
                    Size {
                        rows: pairs,
                        columns,
                        depth: count,
                    },
                    Left {
                        start: scratch.design.as_ptr(),
                        row: 1,
                        column: pairs,
                    },
                    Right {
                        start: from,
                        row: columns,
                    },
                    Begin::Kept,
                    Into {
                        start: to,
                        row: columns,
                    },
                );
                for at in 0..plan.tables.len() {
                    for row in (0..count).filter(|row| self.is_present(rows, *row, plan.continuous + at)) {
                        let index = self.index(at, rows.first + row);
                        each::<V>(
                            columns,
                            Sum {
                                number: from.add(row * columns),
                                sum: to.add(index * columns),
                            },
                        );
                    }
                }
            }
        }
    }

    /// The gradient of a row's weights becomes that of what was normalised, where it lies.
    ///
    /// # Safety
    /// As for `forward`.
    #[inline(always)]
    unsafe fn unrank(&self, scratch: &Scratch, row: usize, of: *mut f32) {
        let (plan, b) = (self.plan, self.buffers);
        let variables = plan.variables();
        let (narrow, share) = (padded(variables), 1.0 / variables as f32);
        let Some([scale, shift]) = plan.norm else { return };
        // SAFETY: the caller's promise.
        unsafe {
            let (weights, normal) = (
                scratch.weights.as_ptr().add(row * narrow),
                scratch.normal.as_ptr().add(row * narrow),
            );
            let inverse = *scratch.inverse.as_ptr().add(row);
            let all = 0..variables;
            let along: f32 = all
                .clone()
                .map(|variable| *weights.add(variable) * *of.add(variable))
                .sum();
            let (mut mean, mut slant) = (0.0, 0.0);
            for variable in all.clone() {
                let rank = *weights.add(variable) * (*of.add(variable) - along);
                *b.gradients.add(scale.slot + variable) += rank * *normal.add(variable);
                *b.gradients.add(shift.slot + variable) += rank;
                let number = rank * *b.parameters.add(scale.at + variable);
                *of.add(variable) = number;
                mean += number;
                slant += number * *normal.add(variable);
            }
            for variable in all {
                *of.add(variable) = (*of.add(variable) - (mean + *normal.add(variable) * slant) * share) * inverse;
            }
        }
    }
}

/// σ
#[derive(Clone, Copy)]
struct Sigmoid {
    input: *const f32,
    output: *mut f32,
}

impl Elementwise for Sigmoid {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) {
        // SAFETY: the caller's promise.
        unsafe { sigmoid(V::load(self.input.add(at))).store(self.output.add(at)) }
    }
}

/// eˣ where it lies
#[derive(Clone, Copy)]
struct Exponential {
    number: *mut f32,
}

impl Elementwise for Exponential {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) {
        // SAFETY: the caller's promise.
        unsafe { exp(V::load(self.number.add(at))).store(self.number.add(at)) }
    }
}

/// output + weight · (normal · scale + shift)
#[derive(Clone, Copy)]
struct Weigh {
    normal: *const f32,
    scale: *const f32,
    shift: *const f32,
    weight: f32,
    output: *mut f32,
}

impl Elementwise for Weigh {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let number = V::load(self.normal.add(at)).mul_add(V::load(self.scale.add(at)), V::load(self.shift.add(at)));
            let sum = number.mul_add(V::splat(self.weight), V::load(self.output.add(at)));
            sum.store(self.output.add(at));
        }
    }
}

/// gradient · (normal · scale + shift), added up; and the gradient of that, gradient · weight.
#[derive(Clone, Copy)]
struct Share {
    gradient: *const f32,
    normal: *const f32,
    scale: *const f32,
    shift: *const f32,
    weight: f32,
    of_output: *mut f32,
}

impl Summand for Share {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) -> V {
        // SAFETY: the caller's promise.
        unsafe {
            let gradient = V::load(self.gradient.add(at));
            gradient.mul(V::splat(self.weight)).store(self.of_output.add(at));
            let number = V::load(self.normal.add(at)).mul_add(V::load(self.scale.add(at)), V::load(self.shift.add(at)));
            number.mul(gradient)
        }
    }
}
