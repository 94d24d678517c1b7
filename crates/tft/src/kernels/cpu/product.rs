//! Small matrix products that stay in the cache: C = A B, or with something added.
//!
//! ```text
//!     C is cut into tiles of 8 rows × 2 vectors, which stay in registers while k runs:
//!     load 2 vectors of B's row k; for each of 8 rows: multiply by A's number, add
//! ```
//!
//! A's numbers may lie in any regular way, so that Aᵀ B (a gradient of weights, with rows as the sum) is the same code. What is left of
//! rows and columns takes smaller tiles; any size works. Cost: rows · columns · depth multiplications; nothing is packed or allocated,
//! which is right as long as B fits into the cache.

use super::simd::{Simd, Work};

/// A matrix in memory: number (i, k) lies at `start + i · row + k · column`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left {
    pub start: *const f32,
    pub row: usize,
    pub column: usize,
}

/// A matrix by rows, `row` numbers apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Right {
    pub start: *const f32,
    pub row: usize,
}

/// A matrix by rows, `row` numbers apart, that is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Into {
    pub start: *mut f32,
    pub row: usize,
}

/// How large a product is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub rows: usize,
    pub columns: usize,
    pub depth: usize,
}

/// What a product is added to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Begin {
    /// Nothing.
    Zero,
    /// What stands in C.
    Kept,
    /// The same row, of as many numbers as there are columns, in every row.
    Row(*const f32),
}

/// C = begin + A B, with A rows × depth, B depth × columns, C rows × columns.
///
/// # Safety
/// The machine has the vector; the matrices lie in memory as they say, and C overlaps with neither of the others.
#[inline(always)]
pub(super) unsafe fn product<V: Simd>(size: Size, a: Left, b: Right, begin: Begin, c: Into) {
    // SAFETY: the caller's promise.
    unsafe { V::call(Product { size, a, b, begin, c }) }
}

/// A product, as a function of its own: it is called from many places.
struct Product {
    size: Size,
    a: Left,
    b: Right,
    begin: Begin,
    c: Into,
}

impl Work for Product {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Simd>(self) {
        let Self { size, a, b, begin, c } = self;
        let mut column = 0;
        // SAFETY: tiles lie within the matrices; otherwise the caller's promise.
        unsafe {
            while column + 2 * V::LANES <= size.columns {
                strip::<V, 2>(size, a, at(b, column), from(begin, column), into(c, column));
                column += 2 * V::LANES;
            }
            while column + V::LANES <= size.columns {
                strip::<V, 1>(size, a, at(b, column), from(begin, column), into(c, column));
                column += V::LANES;
            }
            while column < size.columns {
                strip::<f32, 1>(size, a, at(b, column), from(begin, column), into(c, column));
                column += 1;
            }
        }
    }
}

/// # Safety
/// `column` lies within the row.
#[inline(always)]
unsafe fn from(begin: Begin, column: usize) -> Begin {
    match begin {
        // SAFETY: the caller's promise.
        Begin::Row(row) => Begin::Row(unsafe { row.add(column) }),
        other => other,
    }
}

/// # Safety
/// `column` lies within the matrix.
#[inline(always)]
unsafe fn at(b: Right, column: usize) -> Right {
    // SAFETY: the caller's promise.
    let start = unsafe { b.start.add(column) };
    Right { start, ..b }
}

/// # Safety
/// `column` lies within the matrix.
#[inline(always)]
unsafe fn into(c: Into, column: usize) -> Into {
    // SAFETY: the caller's promise.
    let start = unsafe { c.start.add(column) };
    Into { start, ..c }
}

/// The first `N` vectors of columns, all rows.
///
/// # Safety
/// As for `accumulate`.
#[inline(always)]
unsafe fn strip<V: Simd, const N: usize>(size: Size, a: Left, b: Right, begin: Begin, c: Into) {
    let mut row = 0;
    // SAFETY: tiles lie within the matrices; otherwise the caller's promise.
    unsafe {
        while row + 8 <= size.rows {
            tile::<V, 8, N>(size.depth, a, row, b, begin, c);
            row += 8;
        }
        if row + 4 <= size.rows {
            tile::<V, 4, N>(size.depth, a, row, b, begin, c);
            row += 4;
        }
        while row < size.rows {
            tile::<V, 1, N>(size.depth, a, row, b, begin, c);
            row += 1;
        }
    }
}

/// `R` rows from `row` on, `N` vectors of columns.
///
/// # Safety
/// As for `accumulate`.
#[inline(always)]
unsafe fn tile<V: Simd, const R: usize, const N: usize>(
    depth: usize,
    a: Left,
    row: usize,
    b: Right,
    begin: Begin,
    c: Into,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let a_start = a.start.add(row * a.row);
        let c_start = c.start.add(row * c.row);
        let mut sums = [[V::splat(0.0); N]; R];
        for (i, sums) in sums.iter_mut().enumerate() {
            for (j, sum) in sums.iter_mut().enumerate() {
                *sum = match begin {
                    Begin::Zero => V::splat(0.0),
                    Begin::Kept => V::load(c_start.add(i * c.row + j * V::LANES)),
                    Begin::Row(row) => V::load(row.add(j * V::LANES)),
                };
            }
        }
        for k in 0..depth {
            let mut vectors = [V::splat(0.0); N];
            for (j, vector) in vectors.iter_mut().enumerate() {
                *vector = V::load(b.start.add(k * b.row + j * V::LANES));
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                let number = V::splat(*a_start.add(i * a.row + k * a.column));
                for (sum, vector) in sums.iter_mut().zip(vectors) {
                    *sum = vector.mul_add(number, *sum);
                }
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            for (j, sum) in sums.iter().enumerate() {
                sum.store(c_start.add(i * c.row + j * V::LANES));
            }
        }
    }
}

/// Rows and columns exchanged, in stretches that stay in the cache: `from` [rows, columns], its rows `from_row` numbers apart, to `to`
/// [columns, rows], its rows `to_row` numbers apart.
///
/// # Safety
/// Both lead to as many numbers.
pub(super) unsafe fn exchange(
    (from, from_row): (*const f32, usize),
    [rows, columns]: [usize; 2],
    (to, to_row): (*mut f32, usize),
) {
    const STRETCH: usize = 16;
    for first in (0..rows).step_by(STRETCH) {
        let last = (first + STRETCH).min(rows);
        for column in 0..columns {
            for at in first..last {
                // SAFETY: places lie within the matrices, which are as large as the caller promises.
                unsafe { *to.add(column * to_row + at) = *from.add(at * from_row + column) };
            }
        }
    }
}
