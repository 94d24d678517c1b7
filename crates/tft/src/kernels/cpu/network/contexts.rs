//! What is known of a shard's windows before their first step: the static selection and the four networks after it, and back.

use super::kept::Kept;
use super::plan::Residual;
use super::selecting::{Buffers, Rows, Scratch, Selecting};
use super::shard::{Asked, Shard, dense_back, multiply, sized, zeros};
use crate::kernels::cpu::gated::{Block, Sum};
use crate::kernels::cpu::product::Begin;
use crate::kernels::cpu::rows::each;
use crate::kernels::cpu::simd::Simd;
use crate::model::Dropping;

/// Buffers.
#[derive(Debug, Default)]
pub(super) struct Space {
    scratch: Scratch,
    kept: Kept,
    block: Block,
    /// What was selected: [windows, width]
    selected: Vec<f32>,
    of_selected: Vec<f32>,
    /// The first layers of the four networks, and what they give: [windows, width] each. Zeros where there are no static variables.
    first: [Vec<f32>; 4],
    contexts: [Vec<f32>; 4],
    of_contexts: [Vec<f32>; 4],
    of_first: Vec<f32>,
    of_skip: Vec<f32>,
}

impl Space {
    /// Selection, enrichment, hidden, cell.
    pub fn context(&self, which: usize) -> *const f32 {
        self.contexts
            .get(which)
            .map_or(std::ptr::null(), |context| context.as_ptr())
    }
    pub fn of_context(&mut self, which: usize) -> *mut f32 {
        self.of_contexts
            .get_mut(which)
            .map_or(std::ptr::null_mut(), Vec::as_mut_ptr)
    }
    pub fn zero_gradients(&mut self, length: usize) {
        for of in &mut self.of_contexts {
            zeros(of, length);
        }
    }
}

/// At work.
#[derive(Clone, Copy)]
pub(super) struct Fixed {
    pub buffers: Buffers,
    pub windows: [usize; 2],
}

impl Fixed {
    fn dropping(shard: &Shard<'_>, which: usize) -> Option<Dropping> {
        shard.pass.part(1).part(which as u64).dropping(shard.plan.dropout)
    }

    fn rows(&self, shard: &Shard<'_>, continuous: usize, variables: usize) -> Rows {
        let ([first, count], columns) = (self.windows, shard.given.fixed);
        Rows {
            continuous: columns.continuous.as_ptr().wrapping_add(first * continuous),
            present: columns.present.map_or(std::ptr::null(), |present| {
                present.as_ptr().wrapping_add(first * variables)
            }),
            block: 0,
            first,
            count,
            all: columns.rows,
        }
    }

    /// # Safety
    /// As for `Shard::run`.
    #[inline(always)]
    pub unsafe fn forward<V: Simd>(&self, shard: &mut Shard<'_>) {
        let (b, [first, windows], width) = (&self.buffers, self.windows, shard.plan.width);
        let Some((plan, places)) = shard.plan.fixed.as_ref().zip(shard.layout.fixed.as_ref()) else {
            for context in &mut shard.space.fixed.contexts {
                zeros(context, windows * width);
            }
            return;
        };
        let selection = &plan.selection;
        let rows = self.rows(shard, selection.continuous, selection.variables());
        let droppings = [0, 1, 2, 3].map(|which| Self::dropping(shard, which));
        let dropping = shard.pass.part(0).dropping(shard.plan.dropout);
        let selecting = Selecting {
            plan: selection,
            places,
            buffers: *b,
            width,
            dropping,
        };
        let weights = match &mut shard.asked {
            Asked::Forecast(outputs) => outputs.fixed.as_mut_ptr(),
            _ => std::ptr::null_mut(),
        };
        let Space {
            scratch,
            kept,
            block,
            selected,
            first: firsts,
            contexts,
            ..
        } = &mut shard.space.fixed;
        scratch.resize(selection, width);
        kept.resize(width, selection.variables(), false);
        block.resize(width);
        let selected = sized(selected, windows * width);
        // SAFETY: the caller's promise.
        unsafe {
            let base = b.parameters.add(selection.first_bias.at);
            selecting.forward::<V>(&rows, base, (scratch, kept), [selected, weights]);
            for (((network, dropping), to), context) in plan.contexts.iter().zip(droppings).zip(firsts).zip(contexts) {
                let (to, context) = (sized(to, windows * width), sized(context, windows * width));
                let bias = Begin::Row(b.parameters.add(network.first.bias.at));
                multiply::<V>(b, &network.first.weight, windows, selected, bias, to);
                let (weights, _, _) = b.gated(&network.gated);
                block.compute::<V>(
                    &weights,
                    windows,
                    [to, selected],
                    dropping.map(|dropping| (dropping, first * width)),
                );
                block.finish::<V>(&weights, windows, context);
            }
        }
    }

    /// From gradients of contexts.
    ///
    /// # Safety
    /// As for `Shard::run`.
    #[inline(always)]
    pub unsafe fn backward<V: Simd>(&self, shard: &mut Shard<'_>) {
        let (b, [first, windows], width) = (&self.buffers, self.windows, shard.plan.width);
        let Some((plan, places)) = shard.plan.fixed.as_ref().zip(shard.layout.fixed.as_ref()) else {
            return;
        };
        let selection = &plan.selection;
        let rows = self.rows(shard, selection.continuous, selection.variables());
        let droppings = [0, 1, 2, 3].map(|which| Self::dropping(shard, which));
        let dropping = shard.pass.part(0).dropping(shard.plan.dropout);
        let selecting = Selecting {
            plan: selection,
            places,
            buffers: *b,
            width,
            dropping,
        };
        let Space {
            scratch,
            kept,
            block,
            selected,
            of_selected,
            first: firsts,
            of_contexts,
            of_first,
            of_skip,
            ..
        } = &mut shard.space.fixed;
        let (selected, of_selected) = (selected.as_ptr(), zeros(of_selected, windows * width));
        let (of_first, of_skip) = (sized(of_first, windows * width), sized(of_skip, windows * width));
        // SAFETY: the caller's promise.
        unsafe {
            for (((network, dropping), input), of) in plan.contexts.iter().zip(droppings).zip(firsts).zip(of_contexts) {
                let Residual {
                    first: layer, gated, ..
                } = network;
                let (weights, exchanged, gradients) = b.gated(gated);
                let inputs = [input.as_ptr(), selected];
                block.compute::<V>(
                    &weights,
                    windows,
                    inputs,
                    dropping.map(|dropping| (dropping, first * width)),
                );
                block.pull::<V>(
                    (&weights, &exchanged, &gradients),
                    windows,
                    of.as_ptr(),
                    [of_first, of_skip],
                );
                each::<V>(
                    windows * width,
                    Sum {
                        number: of_skip,
                        sum: of_selected,
                    },
                );
                dense_back::<V>(b, layer, windows, (selected, of_first), (Begin::Kept, of_selected));
            }
            let base = b.parameters.add(selection.first_bias.at);
            let of_base = b.gradients.add(selection.first_bias.slot);
            selecting.backward::<V>(&rows, base, (scratch, kept), of_selected, of_base);
        }
    }
}
