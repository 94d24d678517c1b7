//! One window from the recurrence on: gate, enrichment, attention, output, loss, and back.

use super::derived::Layout;
use super::kept::{Kept, blocks_of};
use super::plan::{Gated, Plan, padded};
use super::selecting::Buffers;
use super::shard::{Asked, add_rows, dense_back, multiply, multiply_back, sized, zeros};
use crate::data::Given;
use crate::kernels::cpu::focus::{Extent, Window};
use crate::kernels::cpu::gated::{BLOCK, Dropped, Multiply, Sum};
use crate::kernels::cpu::product::{Begin, Into, Left, Right, Size, exchange, product};
use crate::kernels::cpu::rows::each;
use crate::kernels::cpu::simd::Simd;
use crate::model::{Dropping, Pass};

/// Gates of a window, by their place among what is kept.
pub(super) const GATES: usize = 5;
const RECURRENCE: usize = 0;
const ENRICHMENT: usize = 1;
const ATTENTION: usize = 2;
const POSITION_WISE: usize = 3;
const OUTPUT: usize = 4;

/// Buffers of one window.
#[derive(Debug, Default)]
pub(super) struct Space {
    /// [steps, width]
    local: Vec<f32>,
    first: Vec<f32>,
    enriched: Vec<f32>,
    of_first: Vec<f32>,
    of_enriched: Vec<f32>,
    /// [steps, padded width + width / heads]
    keys_values: Vec<f32>,
    of_keys_values: Vec<f32>,
    /// [width + width / heads, steps]
    exchanged: Vec<f32>,
    of_exchanged: Vec<f32>,
    scratch: Vec<f32>,
    /// [horizon, steps]
    weights: Vec<f32>,
    /// [horizon, width / heads]
    attended: Vec<f32>,
    of_attended: Vec<f32>,
    /// [horizon, width]
    query: Vec<f32>,
    output: Vec<f32>,
    mask: Vec<f32>,
    attentive: Vec<f32>,
    ahead_first: Vec<f32>,
    processed: Vec<f32>,
    gated: Vec<f32>,
    of: [Vec<f32>; 4],
    /// [horizon, padded numbers]
    forecast: Vec<f32>,
    of_forecast: Vec<f32>,
}

/// A window at work, and where its numbers lie.
#[derive(Clone, Copy)]
pub(super) struct Ahead<'a> {
    pub plan: &'a Plan,
    pub layout: &'a Layout,
    pub buffers: Buffers,
    pub pass: Pass,
    /// Its place in the batch.
    pub window: usize,
    /// [steps], or null.
    pub present: *const f32,
    /// The enrichment's first bias with what the context adds, and its gradient: [width]
    pub base: *const f32,
    pub of_base: *mut f32,
    /// What goes into the recurrence, and what comes out: [steps, width]
    pub input: *const f32,
    pub hidden: *const f32,
    /// Gradients of them, which are written.
    pub of_input: *mut f32,
    pub of_hidden: *mut f32,
}

/// Where attention's numbers lie.
#[derive(Clone, Copy)]
struct Places {
    attention: Window,
    of_attended: *mut f32,
}

impl Ahead<'_> {
    fn extent(&self) -> Extent {
        let Plan {
            context,
            horizon,
            width,
            heads,
            ..
        } = *self.plan;
        Extent {
            horizon,
            steps: context + horizon,
            width,
            heads,
        }
    }
    /// The place of a gate's block that begins with this row.
    fn place(&self, gate: usize, row: usize) -> usize {
        gate * blocks_of(self.plan.context + self.plan.horizon) + row / BLOCK
    }
    fn dropping(&self, part: u64) -> Option<Dropping> {
        self.pass.part(part).dropping(self.plan.dropout)
    }

    /// Rows through a gate: [rows, width] into `output`. `start`: the place of the window's first number in the whole tensor.
    ///
    /// # Safety
    /// As for `run`.
    #[inline(always)]
    unsafe fn gate<V: Simd>(
        &self,
        (kept, number): (&mut Kept, usize),
        plan: &Gated,
        rows: usize,
        [input, skip]: [*const f32; 2],
        dropped: Dropped,
        output: *mut f32,
    ) {
        let width = self.plan.width;
        // SAFETY: the caller's promise.
        unsafe {
            let (weights, _, _) = self.buffers.gated(plan);
            for row in (0..rows).step_by(BLOCK) {
                let (count, at) = (BLOCK.min(rows - row), row * width);
                let dropped = dropped.map(|(dropping, start)| (dropping, start + at));
                let (block, _) = kept.at(self.place(number, row));
                block.compute::<V>(&weights, count, [input.add(at), skip.add(at)], dropped);
                block.finish::<V>(&weights, count, output.add(at));
            }
        }
    }

    /// The way back: `gradient` may be the same as `of_skip`.
    ///
    /// # Safety
    /// As for `run`.
    #[inline(always)]
    unsafe fn gate_back<V: Simd>(
        &self,
        (kept, number): (&mut Kept, usize),
        (plan, dropped): (&Gated, Dropped),
        rows: usize,
        ([input, skip], gradient): ([*const f32; 2], *const f32),
        [of_input, of_skip]: [*mut f32; 2],
    ) {
        let width = self.plan.width;
        // SAFETY: the caller's promise.
        unsafe {
            let (weights, exchanged, of) = self.buffers.gated(plan);
            for row in (0..rows).step_by(BLOCK) {
                let (count, at) = (BLOCK.min(rows - row), row * width);
                let dropped = dropped.map(|(dropping, start)| (dropping, start + at));
                let (block, is_kept) = kept.at(self.place(number, row));
                if !is_kept {
                    block.compute::<V>(&weights, count, [input.add(at), skip.add(at)], dropped);
                }
                block.pull::<V>(
                    (&weights, &exchanged, &of),
                    count,
                    gradient.add(at),
                    [of_input.add(at), of_skip.add(at)],
                );
            }
        }
    }

    /// What is dropped of a part's tensor of `rows` rows a window.
    fn dropped(&self, part: u64, rows: usize) -> Dropped {
        Some((self.dropping(part)?, self.window * rows * self.plan.width))
    }

    /// Computes the window, and what is asked of it; gives the summed loss, if that is asked for.
    ///
    /// # Safety
    /// The machine has the vector; plan, layout and buffers are of one network; pointers lead to as many numbers as they say.
    #[inline(always)]
    pub unsafe fn run<V: Simd>(
        &self,
        space: &mut Space,
        kept: &mut Kept,
        given: &Given<'_>,
        (asked, at): (&mut Asked<'_>, usize),
    ) -> f64 {
        let (plan, Extent { horizon, steps, .. }) = (self.plan, self.extent());
        // SAFETY: the caller's promise.
        unsafe {
            let places = self.forward::<V>(space, kept);
            let columns = padded(plan.numbers);
            let each_window = horizon * plan.targets;
            let targets = given
                .targets
                .get(self.window * each_window..(self.window + 1) * each_window)
                .unwrap_or_default();
            let known = given
                .known
                .get(self.window * each_window..(self.window + 1) * each_window)
                .unwrap_or_default();
            match asked {
                Asked::Forecast(outputs) => {
                    let forecast = outputs
                        .forecast
                        .chunks_exact_mut(plan.numbers)
                        .skip(at * horizon)
                        .take(horizon);
                    for (to, from) in forecast.zip(space.forecast.chunks_exact(columns)) {
                        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                    }
                    if let Some(to) = outputs
                        .attention
                        .get_mut(at * horizon * steps..(at + 1) * horizon * steps)
                    {
                        to.copy_from_slice(&space.weights);
                    }
                    0.0
                }
                Asked::Loss(loss) => loss.of_window((&space.forecast, columns), targets, known, None),
                Asked::Gradients(loss, _) => {
                    zeros(&mut space.of_forecast, horizon * columns);
                    let sum = loss.of_window((&space.forecast, columns), targets, known, Some(&mut space.of_forecast));
                    self.backward::<V>(space, kept, places);
                    sum
                }
            }
        }
    }

    /// # Safety
    /// As for `run`.
    #[inline(always)]
    unsafe fn forward<V: Simd>(&self, space: &mut Space, kept: &mut Kept) -> Places {
        let (plan, layout, b, extent) = (self.plan, self.layout, &self.buffers, self.extent());
        let Extent {
            horizon,
            steps,
            width,
            heads,
        } = extent;
        let (depth, columns) = (width / heads.max(1), padded(plan.numbers));
        let wide = padded(width + depth);
        let from = plan.context * width;
        // SAFETY: the caller's promise.
        unsafe {
            let local = sized(&mut space.local, steps * width);
            let inputs = [self.hidden, self.input];
            self.gate::<V>(
                (kept, RECURRENCE),
                &plan.recurrence_gate,
                steps,
                inputs,
                self.dropped(4, steps),
                local,
            );
            let first = sized(&mut space.first, steps * width);
            multiply::<V>(
                b,
                &plan.enrichment.first.weight,
                steps,
                local,
                Begin::Row(self.base),
                first,
            );
            let enriched = sized(&mut space.enriched, steps * width);
            self.gate::<V>(
                (kept, ENRICHMENT),
                &plan.enrichment.gated,
                steps,
                [first, local],
                self.dropped(5, steps),
                enriched,
            );

            let keys_values = sized(&mut space.keys_values, steps * wide);
            product::<V>(
                Size {
                    rows: steps,
                    columns: wide,
                    depth: width,
                },
                Left {
                    start: enriched,
                    row: width,
                    column: 1,
                },
                Right {
                    start: b.derived.add(layout.keys_values),
                    row: wide,
                },
                Begin::Zero,
                Into {
                    start: keys_values,
                    row: wide,
                },
            );
            let exchanged = sized(&mut space.exchanged, (width + depth) * steps);
            exchange((keys_values, wide), [steps, width + depth], (exchanged, steps));
            let query = sized(&mut space.query, horizon * width);
            multiply::<V>(b, &plan.query, horizon, enriched.add(from), Begin::Zero, query);
            let attention = Window {
                query,
                keys: exchanged,
                values: exchanged.add(width * steps),
                present: self.present,
                weights: sized(&mut space.weights, horizon * steps),
                scratch: sized(&mut space.scratch, extent.scratch()),
            };
            let attended = sized(&mut space.attended, horizon * depth);
            attention.forward::<V>(extent, attended, depth);

            // From here on, only the horizon.
            let output = sized(&mut space.output, horizon * width);
            multiply::<V>(b, &plan.attention_output, horizon, attended, Begin::Zero, output);
            if let Some((dropping, start)) = self.dropped(6, horizon) {
                sized(&mut space.mask, horizon * width);
                dropping.fill(start, &mut space.mask);
                each::<V>(
                    horizon * width,
                    Multiply {
                        number: output,
                        factor: space.mask.as_ptr(),
                        output,
                    },
                );
            }
            let attentive = sized(&mut space.attentive, horizon * width);
            let inputs = [output.cast_const(), enriched.cast_const().add(from)];
            self.gate::<V>(
                (kept, ATTENTION),
                &plan.attention_gate,
                horizon,
                inputs,
                self.dropped(7, horizon),
                attentive,
            );
            let ahead_first = sized(&mut space.ahead_first, horizon * width);
            let bias = Begin::Row(b.parameters.add(plan.position_wise.first.bias.at));
            multiply::<V>(
                b,
                &plan.position_wise.first.weight,
                horizon,
                attentive,
                bias,
                ahead_first,
            );
            let processed = sized(&mut space.processed, horizon * width);
            let inputs = [ahead_first.cast_const(), attentive.cast_const()];
            self.gate::<V>(
                (kept, POSITION_WISE),
                &plan.position_wise.gated,
                horizon,
                inputs,
                self.dropped(8, horizon),
                processed,
            );
            let gated = sized(&mut space.gated, horizon * width);
            let inputs = [processed.cast_const(), local.cast_const().add(from)];
            self.gate::<V>((kept, OUTPUT), &plan.output_gate, horizon, inputs, None, gated);
            product::<V>(
                Size {
                    rows: horizon,
                    columns,
                    depth: width,
                },
                Left {
                    start: gated,
                    row: width,
                    column: 1,
                },
                Right {
                    start: b.derived.add(layout.output),
                    row: columns,
                },
                Begin::Row(b.derived.add(layout.output_bias)),
                Into {
                    start: sized(&mut space.forecast, horizon * columns),
                    row: columns,
                },
            );
            Places {
                attention,
                of_attended: sized(&mut space.of_attended, horizon * depth),
            }
        }
    }

    /// From the forecast's gradient to those of what went in and out of the recurrence.
    ///
    /// # Safety
    /// As for `run`; `forward` has run.
    #[inline(always)]
    unsafe fn backward<V: Simd>(&self, space: &mut Space, kept: &mut Kept, places: Places) {
        let (plan, layout, b, extent) = (self.plan, self.layout, &self.buffers, self.extent());
        let Extent {
            horizon, steps, width, ..
        } = extent;
        let columns = padded(plan.numbers);
        let from = plan.context * width;
        // SAFETY: the caller's promise.
        unsafe {
            let [of_gated, of_processed, of_first, of_local] =
                space.of.each_mut().map(|buffer| sized(buffer, horizon * width));
            let of_forecast = space.of_forecast.as_ptr();
            add_rows::<V>(of_forecast, horizon, columns, b.of_derived.add(layout.output_bias));
            product::<V>(
                Size {
                    rows: width,
                    columns,
                    depth: horizon,
                },
                Left {
                    start: space.gated.as_ptr(),
                    row: 1,
                    column: width,
                },
                Right {
                    start: of_forecast,
                    row: columns,
                },
                Begin::Kept,
                Into {
                    start: b.of_derived.add(layout.output),
                    row: columns,
                },
            );
            product::<V>(
                Size {
                    rows: horizon,
                    columns: width,
                    depth: columns,
                },
                Left {
                    start: of_forecast,
                    row: columns,
                    column: 1,
                },
                Right {
                    start: b.derived.add(layout.output_exchanged),
                    row: width,
                },
                Begin::Zero,
                Into {
                    start: of_gated,
                    row: width,
                },
            );
            let (local, enriched) = (space.local.as_ptr(), space.enriched.as_ptr());
            let inputs = [space.processed.as_ptr(), local.add(from)];
            self.gate_back::<V>(
                (kept, OUTPUT),
                (&plan.output_gate, None),
                horizon,
                (inputs, of_gated),
                [of_processed, of_local],
            );
            let attentive = space.attentive.as_ptr();
            let inputs = [space.ahead_first.as_ptr(), attentive];
            let part = (&plan.position_wise.gated, self.dropped(8, horizon));
            // What was processed skips to what was attentive: its gradient takes the other's place.
            self.gate_back::<V>(
                (kept, POSITION_WISE),
                part,
                horizon,
                (inputs, of_processed),
                [of_first, of_processed],
            );
            let of_attentive = of_processed;
            dense_back::<V>(
                b,
                &plan.position_wise.first,
                horizon,
                (attentive, of_first),
                (Begin::Kept, of_attentive),
            );
            let (of_output, of_ahead) = (of_gated, of_attentive);
            let inputs = [space.output.as_ptr(), enriched.add(from)];
            let part = (&plan.attention_gate, self.dropped(7, horizon));
            self.gate_back::<V>(
                (kept, ATTENTION),
                part,
                horizon,
                (inputs, of_attentive),
                [of_output, of_ahead],
            );
            if self.dropping(6).is_some() {
                each::<V>(
                    horizon * width,
                    Multiply {
                        number: of_output,
                        factor: space.mask.as_ptr(),
                        output: of_output,
                    },
                );
            }
            let between = (space.attended.as_ptr(), of_output.cast_const());
            multiply_back::<V>(
                b,
                &plan.attention_output,
                horizon,
                between,
                (Begin::Zero, places.of_attended),
            );
            let of_query = of_first;
            self.attention_back::<V>(space, places, of_query);

            // The rows of the horizon have a gradient from the end, too.
            let of_enriched = space.of_enriched.as_mut_ptr();
            each::<V>(
                horizon * width,
                Sum {
                    number: of_ahead,
                    sum: of_enriched.add(from),
                },
            );
            let (of_first, of_all) = (sized(&mut space.of_first, steps * width), of_enriched);
            let inputs = [space.first.as_ptr(), local];
            let part = (&plan.enrichment.gated, self.dropped(5, steps));
            self.gate_back::<V>(
                (kept, ENRICHMENT),
                part,
                steps,
                (inputs, of_enriched),
                [of_first, of_all],
            );
            add_rows::<V>(of_first, steps, width, self.of_base);
            let between = (local, of_first.cast_const());
            multiply_back::<V>(b, &plan.enrichment.first.weight, steps, between, (Begin::Kept, of_all));
            each::<V>(
                horizon * width,
                Sum {
                    number: of_local,
                    sum: of_all.add(from),
                },
            );
            let part = (&plan.recurrence_gate, self.dropped(4, steps));
            let inputs = [self.hidden, self.input];
            self.gate_back::<V>(
                (kept, RECURRENCE),
                part,
                steps,
                (inputs, of_all),
                [self.of_hidden, self.of_input],
            );
        }
    }

    /// From the gradient of what was attended to, to that of all steps, into `of_enriched`.
    ///
    /// # Safety
    /// As for `run`; `forward` has run.
    #[inline(always)]
    unsafe fn attention_back<V: Simd>(&self, space: &mut Space, places: Places, of_query: *mut f32) {
        let (plan, layout, b, extent) = (self.plan, self.layout, &self.buffers, self.extent());
        let Extent {
            horizon,
            steps,
            width,
            heads,
        } = extent;
        let depth = width / heads.max(1);
        let (wide, from) = (padded(width + depth), plan.context * width);
        // SAFETY: the caller's promise.
        unsafe {
            let of_exchanged = zeros(&mut space.of_exchanged, (width + depth) * steps);
            let of = [of_query, of_exchanged, of_exchanged.add(width * steps)];
            places.attention.backward::<V>(extent, (places.of_attended, depth), of);
            let of_keys_values = sized(&mut space.of_keys_values, steps * wide);
            exchange((of_exchanged, steps), [width + depth, steps], (of_keys_values, wide));
            let enriched = space.enriched.as_ptr();
            product::<V>(
                Size {
                    rows: width,
                    columns: wide,
                    depth: steps,
                },
                Left {
                    start: enriched,
                    row: 1,
                    column: width,
                },
                Right {
                    start: of_keys_values,
                    row: wide,
                },
                Begin::Kept,
                Into {
                    start: b.of_derived.add(layout.keys_values),
                    row: wide,
                },
            );
            let of_enriched = sized(&mut space.of_enriched, steps * width);
            product::<V>(
                Size {
                    rows: steps,
                    columns: width,
                    depth: wide,
                },
                Left {
                    start: of_keys_values,
                    row: wide,
                    column: 1,
                },
                Right {
                    start: b.derived.add(layout.keys_values_exchanged),
                    row: width,
                },
                Begin::Zero,
                Into {
                    start: of_enriched,
                    row: width,
                },
            );
            let between = (enriched.add(from), of_query.cast_const());
            multiply_back::<V>(b, &plan.query, horizon, between, (Begin::Kept, of_enriched.add(from)));
        }
    }
}
