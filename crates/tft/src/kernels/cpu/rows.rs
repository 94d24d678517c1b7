//! Work on rows of numbers: a vector at a time, and one by one what is left at the end.

use super::simd::Simd;

/// Work on numbers at the same place of several rows.
pub(super) trait Elementwise: Copy {
    /// On a vector's numbers from `at` on.
    ///
    /// # Safety
    /// The machine has the vector, and every row has the numbers.
    unsafe fn at<V: Simd>(self, at: usize);
}

/// On all places below `length`.
///
/// # Safety
/// As for `Elementwise::at`.
#[inline(always)]
pub(super) unsafe fn each<V: Simd>(length: usize, work: impl Elementwise) {
    let mut at = 0;
    // SAFETY: places are below the length; otherwise the caller's promise.
    unsafe {
        while at + V::LANES <= length {
            work.at::<V>(at);
            at += V::LANES;
        }
        while at < length {
            work.at::<f32>(at);
            at += 1;
        }
    }
}

/// The sum of `length` numbers.
///
/// # Safety
/// The machine has the vector, and the row has the numbers.
#[inline(always)]
pub(super) unsafe fn sum<V: Simd>(row: *const f32, length: usize) -> f32 {
    // SAFETY: the caller's promise.
    unsafe {
        let (mut vector, mut rest, mut at) = (V::splat(0.0), 0.0, 0);
        while at + V::LANES <= length {
            vector = vector.add(V::load(row.add(at)));
            at += V::LANES;
        }
        while at < length {
            rest += *row.add(at);
            at += 1;
        }
        lanes(vector) + rest
    }
}

/// The sum of the products of `length` pairs of numbers.
///
/// # Safety
/// The machine has the vector, and the rows have the numbers.
#[inline(always)]
pub(super) unsafe fn dot<V: Simd>(one: *const f32, other: *const f32, length: usize) -> f32 {
    // SAFETY: the caller's promise.
    unsafe {
        let (mut vector, mut rest, mut at) = (V::splat(0.0), 0.0, 0);
        while at + V::LANES <= length {
            vector = V::load(one.add(at)).mul_add(V::load(other.add(at)), vector);
            at += V::LANES;
        }
        while at < length {
            rest += *one.add(at) * *other.add(at);
            at += 1;
        }
        lanes(vector) + rest
    }
}

/// The largest of `length` numbers, and of `least`.
///
/// # Safety
/// The machine has the vector, and the row has the numbers.
#[inline(always)]
pub(super) unsafe fn largest<V: Simd>(row: *const f32, length: usize, least: f32) -> f32 {
    // SAFETY: the caller's promise.
    unsafe {
        let (mut vector, mut rest, mut at) = (V::splat(least), least, 0);
        while at + V::LANES <= length {
            vector = vector.max(V::load(row.add(at)));
            at += V::LANES;
        }
        while at < length {
            rest = f32::max(rest, *row.add(at));
            at += 1;
        }
        let mut numbers = [least; 16];
        vector.store(numbers.as_mut_ptr());
        numbers.into_iter().fold(rest, f32::max)
    }
}

/// The sum of a vector's numbers, half upon half.
///
/// # Safety
/// The machine has the vector.
#[inline(always)]
unsafe fn lanes<V: Simd>(vector: V) -> f32 {
    let mut numbers = [0.0_f32; 16];
    // SAFETY: no vector has more than 16 numbers; the machine is the caller's promise.
    unsafe { vector.store(numbers.as_mut_ptr()) };
    let mut half = V::LANES / 2;
    while half > 0 {
        let (lower, upper) = numbers.split_at_mut(half);
        for (low, high) in lower.iter_mut().zip(upper) {
            *low += *high;
        }
        half /= 2;
    }
    let [sum, ..] = numbers;
    sum
}
