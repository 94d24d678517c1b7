//! The attention of `kernels::attention` (its naive twin) in one window, from keys and values to what is attended to: a few asking steps
//! of one head at a time, whose scores stay in the cache.
//!
//! Everything runs along the steps attended to, of which there are many, so keys and values lie exchanged: scores are products with K's
//! rows, what is attended to is dot products with V's, the gradient of Q dot products with K's rows, that of K and V sums of scores'
//! gradients.

use super::elementary::exp;
use super::product::{Begin, Into, Left, Right, Size, product};
use super::rows::{Elementwise, Summand, dot, each, largest, sum_of};
use super::simd::Simd;

/// Asking steps whose scores are worked on together.
const BLOCK: usize = 16;

/// Below every score that may be seen.
const UNSEEN: f32 = -3.0e38;

/// How many there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// Asking steps, which are the last ones.
    pub horizon: usize,
    pub steps: usize,
    pub width: usize,
    pub heads: usize,
}

impl Extent {
    fn depth(self) -> usize {
        self.width / self.heads.max(1)
    }
    fn scale(self) -> f32 {
        crate::kernels::attention::scale_of(self.width, self.heads) as f32
    }
    /// Numbers that a window's work needs place for.
    pub(super) fn scratch(self) -> usize {
        BLOCK * self.steps
    }
}

/// A window's numbers, where they lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// Q: [horizon, width]
    pub query: *const f32,
    /// K exchanged: [width, steps]
    pub keys: *const f32,
    /// V exchanged: [width / heads, steps]
    pub values: *const f32,
    /// [steps], 0 where a step is absent; null: every step is present.
    pub present: *const f32,
    /// The mean of the heads' weights: [horizon, steps]
    pub weights: *mut f32,
    /// [BLOCK, steps]
    pub scratch: *mut f32,
}

impl Window {
    /// e^(scale · (score - largest)) of a head for asking steps from `first` on, into the scratch; after the last step that is seen, 0.
    /// Gives the sum of each row.
    ///
    /// # Safety
    /// The machine has the vector; pointers lead to as many numbers as they say.
    #[inline(always)]
    unsafe fn powers<V: Simd>(&self, extent: Extent, head: usize, first: usize, rows: usize) -> [f32; BLOCK] {
        let Extent {
            horizon, steps, width, ..
        } = extent;
        let (depth, scale) = (extent.depth(), extent.scale());
        let mut totals = [1.0; BLOCK];
        // SAFETY: the caller's promise.
        unsafe {
            // No row of the block sees more.
            let most = steps - horizon + first + rows;
            product::<V>(
                Size {
                    rows,
                    columns: most,
                    depth,
                },
                Left {
                    start: self.query.add(first * width + head * depth),
                    row: width,
                    column: 1,
                },
                Right {
                    start: self.keys.add(head * depth * steps),
                    row: steps,
                },
                Begin::Zero,
                Into {
                    start: self.scratch,
                    row: steps,
                },
            );
            for (row, total) in totals.iter_mut().enumerate().take(rows) {
                let scores = self.scratch.add(row * steps);
                let seen = steps - horizon + first + row + 1;
                self.put_absent(scores, seen, UNSEEN);
                let largest = largest::<V>(scores, seen, UNSEEN);
                *total = sum_of::<V>(
                    seen,
                    Power {
                        score: scores,
                        scale,
                        largest,
                    },
                );
                if !self.present.is_null() {
                    self.put_absent(scores, seen, 0.0);
                    *total = super::rows::sum::<V>(scores, seen);
                }
                std::ptr::write_bytes(scores.add(seen), 0, most - seen);
            }
        }
        totals
    }

    /// Puts a number where a step is absent.
    ///
    /// # Safety
    /// `numbers` leads to `seen` numbers.
    #[inline(always)]
    unsafe fn put_absent(&self, numbers: *mut f32, seen: usize, number: f32) {
        if self.present.is_null() {
            return;
        }
        for at in 0..seen {
            // SAFETY: the caller's promise.
            unsafe {
                if *self.present.add(at) == 0.0 {
                    *numbers.add(at) = number;
                }
            }
        }
    }

    /// The mean weights, and what is attended to: [horizon, width / heads] into `output`, its rows `row` numbers apart.
    ///
    /// # Safety
    /// The machine has the vector; pointers lead to as many numbers as they say.
    #[inline(always)]
    pub(super) unsafe fn forward<V: Simd>(&self, extent: Extent, output: *mut f32, row: usize) {
        let Extent {
            horizon, steps, heads, ..
        } = extent;
        // SAFETY: the caller's promise.
        unsafe {
            std::ptr::write_bytes(self.weights, 0, horizon * steps);
            for first in (0..horizon).step_by(BLOCK) {
                let rows = BLOCK.min(horizon - first);
                for head in 0..heads {
                    let totals = self.powers::<V>(extent, head, first, rows);
                    for (row, total) in totals.into_iter().enumerate().take(rows) {
                        let number = self.scratch.cast_const().add(row * steps);
                        let (factor, sum) = (1.0 / (total * heads as f32), self.weights.add((first + row) * steps));
                        each::<V>(steps - horizon + first + row + 1, AddTimes { number, factor, sum });
                    }
                }
            }
            for asking in 0..horizon {
                let seen = steps - horizon + asking + 1;
                for at in 0..extent.depth() {
                    let (weights, values) = (
                        self.weights.cast_const().add(asking * steps),
                        self.values.add(at * steps),
                    );
                    *output.add(asking * row + at) = dot::<V>(weights, values, seen);
                }
            }
        }
    }

    /// The way back, from `gradient` [horizon, width / heads], its rows `row` numbers apart, to that of Q [horizon, width], which is
    /// written, and of K and V exchanged, which are added to. The mean weights are used up.
    ///
    /// # Safety
    /// The machine has the vector; pointers lead to as many numbers as they say; `forward` has run.
    #[inline(always)]
    pub(super) unsafe fn backward<V: Simd>(
        &self,
        extent: Extent,
        (gradient, row): (*const f32, usize),
        [of_query, of_keys, of_values]: [*mut f32; 3],
    ) {
        let Extent {
            horizon,
            steps,
            width,
            heads,
        } = extent;
        let depth = extent.depth();
        // SAFETY: the caller's promise.
        unsafe {
            product::<V>(
                Size {
                    rows: depth,
                    columns: steps,
                    depth: horizon,
                },
                Left {
                    start: gradient,
                    row: 1,
                    column: row,
                },
                Right {
                    start: self.weights,
                    row: steps,
                },
                Begin::Kept,
                Into {
                    start: of_values,
                    row: steps,
                },
            );
            // Gradients of the mean weights, in their place.
            product::<V>(
                Size {
                    rows: horizon,
                    columns: steps,
                    depth,
                },
                Left {
                    start: gradient,
                    row,
                    column: 1,
                },
                Right {
                    start: self.values,
                    row: steps,
                },
                Begin::Zero,
                Into {
                    start: self.weights,
                    row: steps,
                },
            );
            let share = extent.scale() / heads as f32;
            for first in (0..horizon).step_by(BLOCK) {
                let rows = BLOCK.min(horizon - first);
                let most = steps - horizon + first + rows;
                for head in 0..heads {
                    let totals = self.powers::<V>(extent, head, first, rows);
                    for (row, total) in totals.into_iter().enumerate().take(rows) {
                        let seen = steps - horizon + first + row + 1;
                        let weight = self.scratch.add(row * steps);
                        let gradient = self.weights.cast_const().add((first + row) * steps);
                        let along = dot::<V>(weight, gradient, seen) / total;
                        each::<V>(
                            seen,
                            Unsoften {
                                weight,
                                gradient,
                                along,
                                factor: share / total,
                            },
                        );
                        for at in head * depth..(head + 1) * depth {
                            let of = dot::<V>(weight, self.keys.add(at * steps), seen);
                            *of_query.add((first + row) * width + at) = of;
                        }
                    }
                    product::<V>(
                        Size {
                            rows: depth,
                            columns: most,
                            depth: rows,
                        },
                        Left {
                            start: self.query.add(first * width + head * depth),
                            row: 1,
                            column: width,
                        },
                        Right {
                            start: self.scratch,
                            row: steps,
                        },
                        Begin::Kept,
                        Into {
                            start: of_keys.add(head * depth * steps),
                            row: steps,
                        },
                    );
                }
            }
        }
    }
}

/// e^(scale · (score - largest)), in its place, added up
#[derive(Clone, Copy)]
struct Power {
    score: *mut f32,
    scale: f32,
    largest: f32,
}

impl Summand for Power {
    #[inline(always)]
    unsafe fn at<V: Simd>(self, at: usize) -> V {
        // SAFETY: the caller's promise.
        unsafe {
            let below = V::load(self.score.add(at)).sub(V::splat(self.largest));
            let power = exp(below.mul(V::splat(self.scale)));
            power.store(self.score.add(at));
            power
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
