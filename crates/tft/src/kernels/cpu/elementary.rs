//! Exponentials and what is made of them, a vector at a time.
//!
//! eˣ = 2ⁿ eʳ with n the whole number nearest to x / ln 2, and eʳ by a polynomial of degree 6 on |r| ≤ ln 2 / 2. The error is at most
//! 2e-7 of the value; σ and tanh are exact to 3e-7. Source of the scheme: Cephes (`expf`), by Moshier.

#![allow(clippy::excessive_precision, reason = "coefficients as published")]

use super::simd::Simd;

/// eˣ; x is taken for -87 below that, and for 88 above it.
///
/// # Safety
/// The machine has the vector.
#[inline(always)]
pub(super) unsafe fn exp<V: Simd>(x: V) -> V {
    // SAFETY: the caller's promise.
    unsafe {
        let x = x.max(V::splat(-87.0)).min(V::splat(88.0));
        let n = x.mul(V::splat(std::f32::consts::LOG2_E)).round();
        // ln 2 in two parts, so that the remainder is exact.
        let r = n.mul_add(V::splat(-0.693_359_375), x);
        let r = n.mul_add(V::splat(2.121_944_40e-4), r);
        let mut p = V::splat(1.987_569_150_0e-4);
        for coefficient in [
            1.398_199_950_7e-3,
            8.333_451_907_3e-3,
            4.166_579_589_4e-2,
            1.666_666_545_9e-1,
            5.000_000_120_1e-1,
        ] {
            p = p.mul_add(r, V::splat(coefficient));
        }
        let p = p.mul_add(r.mul(r), r).add(V::splat(1.0));
        p.mul(n.power_of_two())
    }
}

/// 1 / (1 + e⁻ˣ)
///
/// # Safety
/// The machine has the vector.
#[inline(always)]
pub(super) unsafe fn sigmoid<V: Simd>(x: V) -> V {
    // SAFETY: the caller's promise.
    unsafe { V::splat(1.0).add(exp(V::splat(0.0).sub(x))).reciprocal() }
}

/// 1 - 2 / (e²ˣ + 1)
///
/// # Safety
/// The machine has the vector.
#[inline(always)]
pub(super) unsafe fn tanh<V: Simd>(x: V) -> V {
    // SAFETY: the caller's promise.
    unsafe {
        let one = V::splat(1.0);
        let part = exp(x.add(x)).add(one).reciprocal();
        one.sub(part.add(part))
    }
}
