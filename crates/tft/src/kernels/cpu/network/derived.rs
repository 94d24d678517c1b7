//! What is made of parameters once a step, before any row is looked at, and the way back from its gradients.
//!
//! Every variable's embedding is linear in a few raw rows of the embedding's width: the slope and the intercept of a continuous variable,
//! or those rows of a categorical one's table that the batch uses. What the rows of a batch need is these rows times matrices
//! (`model::embedding`):
//!
//! ```text
//!     raw [rows, width]  ─┬─ · first ─ joint [rows, width]         what a variable adds to the joint network's first layer
//!                         ├─ · skip ── skip  [rows, variables]     what it adds to the joint network's skip connection
//!                         └─ · own + bias ─ own [rows, width]      the first layer of its own network
//! ```
//!
//! Narrow matrices are padded with zeros to whole vectors: the joint network's gate, keys and values together, and the output.

use super::plan::{Matrix, Place, Plan, Selection, padded};
use crate::kernels::cpu::gated::Sum;
use crate::kernels::cpu::product::{Begin, Into, Left, Right, Size, exchange, product};
use crate::kernels::cpu::rows::each;
use crate::kernels::cpu::simd::{Simd, Work};

/// Where what is derived for a selection lies, and which rows of tables a batch uses.
#[derive(Debug, Clone, Default)]
pub(super) struct SelectionPlaces {
    /// Raw rows: two for each continuous variable, then those of tables.
    pub rows: usize,
    pub raw: usize,
    pub joint: usize,
    pub skip: usize,
    pub own: usize,
    /// [width, padded 2 · variables]
    pub gate: usize,
    /// [padded 2 · variables]
    pub gate_bias: usize,
    /// The gate exchanged; without gradients.
    pub gate_exchanged: usize,
    /// The rows of each table that are used.
    pub used: Vec<Vec<u32>>,
    /// The raw row of each categorical variable in each row of the batch.
    pub indices: Vec<Vec<u32>>,
}

/// Where everything that is derived lies.
#[derive(Debug, Clone, Default)]
pub(super) struct Layout {
    pub fixed: Option<SelectionPlaces>,
    pub past: SelectionPlaces,
    pub future: Option<SelectionPlaces>,
    /// Keys and values: [width, padded width + width / heads]
    pub keys_values: usize,
    /// The same exchanged; without gradients.
    pub keys_values_exchanged: usize,
    /// [width, padded numbers]
    pub output: usize,
    /// [padded numbers]
    pub output_bias: usize,
    /// The output exchanged; without gradients.
    pub output_exchanged: usize,
    /// Numbers.
    pub length: usize,
}

/// Which rows of its tables each row of a batch has, variable by variable.
pub(super) type Categories<'a> = &'a [Vec<i32>];

impl SelectionPlaces {
    fn new(plan: &Selection, width: usize, categories: Categories<'_>, next: &mut usize) -> Self {
        let mut places = Self {
            rows: 2 * plan.continuous,
            ..Self::default()
        };
        for ((_, table_rows), column) in plan.tables.iter().zip(categories) {
            let mut row_of = vec![u32::MAX; *table_rows];
            let (mut used, mut indices) = (Vec::new(), Vec::with_capacity(column.len()));
            for value in column {
                // A row that the table does not have would be a fault of ours: it is taken for unknown.
                let value = usize::try_from(*value)
                    .ok()
                    .filter(|value| value < table_rows)
                    .unwrap_or(0);
                let Some(row) = row_of.get_mut(value) else { continue };
                if *row == u32::MAX {
                    *row = (places.rows + used.len()) as u32;
                    used.push(value as u32);
                }
                indices.push(*row);
            }
            places.rows += used.len();
            places.used.push(used);
            places.indices.push(indices);
        }
        let mut take = |numbers: usize| {
            let at = *next;
            *next += numbers;
            at
        };
        let (rows, variables) = (places.rows, plan.variables());
        let wide = padded(2 * variables);
        places.raw = take(rows * width);
        places.joint = take(rows * width);
        places.skip = take(rows * padded(variables));
        places.own = take(rows * width);
        places.gate = take(width * wide);
        places.gate_bias = take(wide);
        places.gate_exchanged = take(wide * width);
        places
    }

    /// Each variable's first raw row and their number.
    fn stretches(&self, plan: &Selection) -> Vec<(usize, usize)> {
        let mut found: Vec<_> = (0..plan.continuous).map(|at| (2 * at, 2)).collect();
        let mut row = 2 * plan.continuous;
        for used in &self.used {
            found.push((row, used.len()));
            row += used.len();
        }
        found
    }
}

impl Layout {
    /// For a batch with these categories of static, past and future rows.
    pub fn new(plan: &Plan, [fixed, past, future]: [Categories<'_>; 3]) -> Self {
        let mut next = 0;
        let width = plan.width;
        let mut layout = Self {
            fixed: plan
                .fixed
                .as_ref()
                .map(|plan| SelectionPlaces::new(&plan.selection, width, fixed, &mut next)),
            past: SelectionPlaces::new(&plan.past, width, past, &mut next),
            future: plan
                .future
                .as_ref()
                .map(|plan| SelectionPlaces::new(plan, width, future, &mut next)),
            ..Self::default()
        };
        let mut take = |numbers: usize| {
            let at = next;
            next += numbers;
            at
        };
        let (keys_values, output) = (padded(width + width / plan.heads.max(1)), padded(plan.numbers));
        layout.keys_values = take(width * keys_values);
        layout.keys_values_exchanged = take(width * keys_values);
        layout.output = take(width * output);
        layout.output_bias = take(output);
        layout.output_exchanged = take(width * output);
        layout.length = next;
        layout
    }
    fn selections<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = (&'a Selection, &'a SelectionPlaces)> {
        let fixed = plan
            .fixed
            .as_ref()
            .map(|fixed| &fixed.selection)
            .zip(self.fixed.as_ref());
        fixed
            .into_iter()
            .chain([(&plan.past, &self.past)])
            .chain(plan.future.as_ref().zip(self.future.as_ref()))
    }
}

/// Derives everything, and exchanges the plan's matrices.
pub(super) struct Derive<'a> {
    pub plan: &'a Plan,
    pub layout: &'a Layout,
    pub parameters: &'a [f32],
    pub derived: &'a mut [f32],
    pub exchanged: &'a mut [f32],
    /// Whether there is a way back.
    pub is_training: bool,
}

impl Work for Derive<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        let Self {
            plan,
            layout,
            parameters,
            derived,
            exchanged,
            is_training,
        } = self;
        let (p, v, width) = (parameters.as_ptr(), derived.as_mut_ptr(), plan.width);
        // SAFETY: the plan's places lie within the parameters, the layout's within what is derived; the machine is the caller's promise.
        unsafe {
            if is_training {
                for matrix in plan.matrices() {
                    let Matrix {
                        place,
                        rows,
                        columns,
                        exchanged: at,
                    } = matrix;
                    exchange(
                        (p.add(place.at), columns),
                        [rows, columns],
                        (exchanged.as_mut_ptr().add(at), rows),
                    );
                }
            }
            for (plan, places) in layout.selections(plan) {
                derive_selection::<V>(plan, places, width, p, v);
            }
            let depth = width / plan.heads.max(1);
            let wide = padded(width + depth);
            let keys_values = v.add(layout.keys_values);
            copy_columns(p.add(plan.key.at), [width, width], keys_values, wide);
            copy_columns(p.add(plan.value.at), [width, depth], keys_values.add(width), wide);
            let columns = padded(plan.numbers);
            copy_columns(
                p.add(plan.output.at),
                [width, plan.numbers],
                v.add(layout.output),
                columns,
            );
            copy_columns(
                p.add(plan.output_bias.at),
                [1, plan.numbers],
                v.add(layout.output_bias),
                columns,
            );
            if is_training {
                exchange(
                    (keys_values, wide),
                    [width, wide],
                    (v.add(layout.keys_values_exchanged), width),
                );
                exchange(
                    (v.add(layout.output), columns),
                    [width, columns],
                    (v.add(layout.output_exchanged), width),
                );
            }
        }
    }
}

/// A matrix [rows, columns] into a wider one, whose rows are `wide` numbers apart.
///
/// # Safety
/// Both lead to as many numbers.
unsafe fn copy_columns(from: *const f32, [rows, columns]: [usize; 2], to: *mut f32, wide: usize) {
    for row in 0..rows {
        // SAFETY: the caller's promise.
        unsafe { std::ptr::copy_nonoverlapping(from.add(row * columns), to.add(row * wide), columns) };
    }
}

/// # Safety
/// The machine has the vector; places lie within parameters and what is derived.
#[inline(always)]
unsafe fn derive_selection<V: Simd>(
    plan: &Selection,
    places: &SelectionPlaces,
    width: usize,
    p: *const f32,
    v: *mut f32,
) {
    let variables = plan.variables();
    let (narrow, wide) = (padded(variables), padded(2 * variables));
    // SAFETY: the caller's promise.
    unsafe {
        let raw = v.add(places.raw);
        for variable in 0..plan.continuous {
            for (at, part) in [plan.slopes, plan.intercepts].into_iter().flatten().enumerate() {
                std::ptr::copy_nonoverlapping(
                    p.add(part.at + variable * width),
                    raw.add((2 * variable + at) * width),
                    width,
                );
            }
        }
        let mut row = 2 * plan.continuous;
        for ((table, _), used) in plan.tables.iter().zip(&places.used) {
            for of_table in used {
                std::ptr::copy_nonoverlapping(p.add(table + *of_table as usize * width), raw.add(row * width), width);
                row += 1;
            }
        }
        for (variable, (row, rows)) in places.stretches(plan).into_iter().enumerate() {
            let square = variable * width * width;
            let from = |first: usize| Left {
                start: raw.cast_const().add((row + first) * width),
                row: width,
                column: 1,
            };
            product::<V>(
                Size {
                    rows,
                    columns: width,
                    depth: width,
                },
                from(0),
                Right {
                    start: p.add(plan.first.at + square),
                    row: width,
                },
                Begin::Zero,
                Into {
                    start: v.add(places.joint + row * width),
                    row: width,
                },
            );
            product::<V>(
                Size {
                    rows,
                    columns: variables,
                    depth: width,
                },
                from(0),
                Right {
                    start: p.add(plan.skip.at + variable * width * variables),
                    row: variables,
                },
                Begin::Zero,
                Into {
                    start: v.add(places.skip + row * narrow),
                    row: narrow,
                },
            );
            // The slope of a continuous variable is multiplied by its value, and has no bias.
            let sloped = usize::from(variable < plan.continuous);
            let bias = Begin::Row(p.add(plan.own_bias.at + variable * width));
            for (first, rows, begin) in [(0, sloped, Begin::Zero), (sloped, rows - sloped, bias)] {
                product::<V>(
                    Size {
                        rows,
                        columns: width,
                        depth: width,
                    },
                    from(first),
                    Right {
                        start: p.add(plan.own.at + square),
                        row: width,
                    },
                    begin,
                    Into {
                        start: v.add(places.own + (row + first) * width),
                        row: width,
                    },
                );
            }
        }
        copy_columns(p.add(plan.gate.at), [width, 2 * variables], v.add(places.gate), wide);
        copy_columns(
            p.add(plan.gate_bias.at),
            [1, 2 * variables],
            v.add(places.gate_bias),
            wide,
        );
        exchange(
            (v.add(places.gate), wide),
            [width, wide],
            (v.add(places.gate_exchanged), width),
        );
    }
}

/// From gradients by slot, with those of what is derived after them, to the flat buffer's.
pub(super) struct Pull<'a> {
    pub plan: &'a Plan,
    pub layout: &'a Layout,
    pub parameters: &'a [f32],
    pub derived: &'a [f32],
    pub gradients: &'a mut [f32],
    /// Zeros before.
    pub flat: &'a mut [f32],
}

impl Work for Pull<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        let Self {
            plan,
            layout,
            parameters,
            derived,
            gradients,
            flat,
        } = self;
        for (range, slot) in &plan.stretches {
            let from = gradients.get(*slot..*slot + range.len()).unwrap_or_default();
            if let Some(to) = flat.get_mut(range.clone()) {
                to.copy_from_slice(from);
            }
        }
        let width = plan.width;
        let mut square = vec![
            0.0_f32;
            width
                * width
                    .max(plan.past.variables())
                    .max(plan.fixed.as_ref().map_or(0, |fixed| fixed.selection.variables()))
        ];
        // SAFETY: as for `Derive`.
        unsafe {
            let (p, v, f) = (parameters.as_ptr(), derived.as_ptr(), flat.as_mut_ptr());
            let g = gradients.as_mut_ptr().add(plan.slots);
            for (plan, places) in layout.selections(plan) {
                pull_selection::<V>(plan, places, width, (p, v), g, f, square.as_mut_ptr());
            }
            let depth = width / plan.heads.max(1);
            let wide = padded(width + depth);
            let of = g.cast_const().add(layout.keys_values);
            add_columns::<V>(of, wide, [width, width], f.add(plan.key.at));
            add_columns::<V>(of.add(width), wide, [width, depth], f.add(plan.value.at));
            let columns = padded(plan.numbers);
            add_columns::<V>(
                g.add(layout.output),
                columns,
                [width, plan.numbers],
                f.add(plan.output.at),
            );
            add_columns::<V>(
                g.add(layout.output_bias),
                columns,
                [1, plan.numbers],
                f.add(plan.output_bias.at),
            );
        }
    }
}

/// Adds a matrix's first columns, its rows `wide` numbers apart, to one [rows, columns].
///
/// # Safety
/// The machine has the vector; both lead to as many numbers.
#[inline(always)]
unsafe fn add_columns<V: Simd>(from: *const f32, wide: usize, [rows, columns]: [usize; 2], to: *mut f32) {
    for row in 0..rows {
        // SAFETY: the caller's promise.
        unsafe {
            each::<V>(
                columns,
                Sum {
                    number: from.add(row * wide),
                    sum: to.add(row * columns),
                },
            )
        };
    }
}

/// # Safety
/// The machine has the vector; places lie within parameters, what is derived and its gradients.
#[inline(always)]
unsafe fn pull_selection<V: Simd>(
    plan: &Selection,
    places: &SelectionPlaces,
    width: usize,
    (p, v): (*const f32, *const f32),
    g: *mut f32,
    f: *mut f32,
    square: *mut f32,
) {
    let variables = plan.variables();
    let (narrow, wide) = (padded(variables), padded(2 * variables));
    // SAFETY: the caller's promise.
    unsafe {
        let of_raw = g.add(places.raw);
        for (variable, (row, rows)) in places.stretches(plan).into_iter().enumerate() {
            let layers: [(Place, usize, usize, usize); 3] = [
                (plan.first.after(variable * width * width), places.joint, width, width),
                (
                    plan.skip.after(variable * width * variables),
                    places.skip,
                    narrow,
                    variables,
                ),
                (plan.own.after(variable * width * width), places.own, width, width),
            ];
            for (weight, of, apart, columns) in layers {
                let of = g.cast_const().add(of + row * apart);
                product::<V>(
                    Size {
                        rows: width,
                        columns,
                        depth: rows,
                    },
                    Left {
                        start: v.add(places.raw + row * width),
                        row: 1,
                        column: width,
                    },
                    Right { start: of, row: apart },
                    Begin::Kept,
                    Into {
                        start: f.add(weight.at),
                        row: columns,
                    },
                );
                exchange((p.add(weight.at), columns), [width, columns], (square, width));
                product::<V>(
                    Size {
                        rows,
                        columns: width,
                        depth: columns,
                    },
                    Left {
                        start: of,
                        row: apart,
                        column: 1,
                    },
                    Right {
                        start: square,
                        row: width,
                    },
                    Begin::Kept,
                    Into {
                        start: of_raw.add(row * width),
                        row: width,
                    },
                );
            }
            let sloped = usize::from(variable < plan.continuous);
            for row in row + sloped..row + rows {
                let number = g.cast_const().add(places.own + row * width);
                each::<V>(
                    width,
                    Sum {
                        number,
                        sum: f.add(plan.own_bias.at + variable * width),
                    },
                );
            }
        }
        for variable in 0..plan.continuous {
            for (at, part) in [plan.slopes, plan.intercepts].into_iter().flatten().enumerate() {
                let number = of_raw.cast_const().add((2 * variable + at) * width);
                each::<V>(
                    width,
                    Sum {
                        number,
                        sum: f.add(part.at + variable * width),
                    },
                );
            }
        }
        let mut row = 2 * plan.continuous;
        for ((table, _), used) in plan.tables.iter().zip(&places.used) {
            for of_table in used {
                let number = of_raw.cast_const().add(row * width);
                each::<V>(
                    width,
                    Sum {
                        number,
                        sum: f.add(table + *of_table as usize * width),
                    },
                );
                row += 1;
            }
        }
        add_columns::<V>(g.add(places.gate), wide, [width, 2 * variables], f.add(plan.gate.at));
        add_columns::<V>(
            g.add(places.gate_bias),
            wide,
            [1, 2 * variables],
            f.add(plan.gate_bias.at),
        );
    }
}
