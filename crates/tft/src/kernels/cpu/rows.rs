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
        vector.total() + rest
    }
}

/// Numbers made of what stands at the same place of several rows, to be added up.
pub(super) trait Summand: Copy {
    /// Of a vector's numbers from `at` on.
    ///
    /// # Safety
    /// The machine has the vector, and every row has the numbers.
    unsafe fn at<V: Simd>(self, at: usize) -> V;
}

/// The sum over all places below `length`.
///
/// # Safety
/// As for `Summand::at`.
#[inline(always)]
pub(super) unsafe fn sum_of<V: Simd>(length: usize, work: impl Summand) -> f32 {
    // SAFETY: places are below the length; otherwise the caller's promise.
    unsafe {
        let (mut vector, mut rest, mut at) = (V::splat(0.0), 0.0, 0);
        while at + V::LANES <= length {
            vector = vector.add(work.at::<V>(at));
            at += V::LANES;
        }
        while at < length {
            rest += work.at::<f32>(at);
            at += 1;
        }
        vector.total() + rest
    }
}

/// Two numbers made of what stands at the same place of several rows, each to be added up.
pub(super) trait Summands: Copy {
    /// Of a vector's numbers from `at` on.
    ///
    /// # Safety
    /// The machine has the vector, and every row has the numbers.
    unsafe fn at<V: Simd>(self, at: usize) -> [V; 2];
}

/// The sums over all places below `length`.
///
/// # Safety
/// As for `Summands::at`.
#[inline(always)]
pub(super) unsafe fn sums_of<V: Simd>(length: usize, work: impl Summands) -> [f32; 2] {
    // SAFETY: places are below the length; otherwise the caller's promise.
    unsafe {
        let (mut vectors, mut rest, mut at) = ([V::splat(0.0); 2], [0.0; 2], 0);
        while at + V::LANES <= length {
            let [one, other] = work.at::<V>(at);
            vectors = [vectors[0].add(one), vectors[1].add(other)];
            at += V::LANES;
        }
        while at < length {
            let [one, other] = work.at::<f32>(at);
            rest = [rest[0] + one, rest[1] + other];
            at += 1;
        }
        [vectors[0].total() + rest[0], vectors[1].total() + rest[1]]
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
        vector.total() + rest
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
        vector.highest().max(rest)
    }
}
