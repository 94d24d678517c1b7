//! Vectors of 32-bit floats, of as many lanes as a machine has.

use std::sync::OnceLock;

/// Which vectors this machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// 16 lanes.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// 8 lanes.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 4 lanes.
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// One at a time.
    Scalar,
}

impl Level {
    /// This machine's.
    pub(super) fn of_machine() -> Self {
        static LEVEL: OnceLock<Level> = OnceLock::new();
        *LEVEL.get_or_init(|| Self::all().first().copied().unwrap_or(Self::Scalar))
    }
    /// All that this machine can run, the best first.
    pub(super) fn all() -> Vec<Self> {
        let mut levels = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let has_avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if is_x86_feature_detected!("avx512f") && has_avx2 {
                levels.push(Self::Avx512);
            }
            if has_avx2 {
                levels.push(Self::Avx2);
            }
        }
        #[cfg(target_arch = "aarch64")]
        levels.push(Self::Neon);
        levels.push(Self::Scalar);
        levels
    }
}

/// Work that is written once for all vectors.
pub(super) trait Work {
    /// What comes of it.
    type Output;
    /// The work, with vectors of this type. It must be inlined, so that it is compiled for the machine that has them.
    ///
    /// # Safety
    /// The machine has the vectors.
    unsafe fn run<V: Simd>(self) -> Self::Output;
}

/// Runs work with the vectors of a level.
pub(super) fn run<W: Work>(level: Level, work: W) -> W::Output {
    match level {
        // SAFETY: a level is only made where the machine has it (`Level::all`).
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { run_avx512(work) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { run_avx2(work) },
        // SAFETY: every machine of this architecture has them.
        #[cfg(target_arch = "aarch64")]
        Level::Neon => unsafe { work.run::<std::arch::aarch64::float32x4_t>() },
        // SAFETY: every machine has floats.
        Level::Scalar => unsafe { work.run::<f32>() },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
#[inline(never)]
unsafe fn run_avx512<W: Work>(work: W) -> W::Output {
    // SAFETY: the caller's promise.
    unsafe { work.run::<std::arch::x86_64::__m512>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
#[inline(never)]
unsafe fn run_avx2<W: Work>(work: W) -> W::Output {
    // SAFETY: the caller's promise.
    unsafe { work.run::<std::arch::x86_64::__m256>() }
}

/// A vector of floats.
///
/// # Safety
/// Every function may only be called on a machine that has the vector; `load` and `store` take pointers to `LANES` floats.
pub(super) trait Simd: Copy {
    /// Floats of a vector.
    const LANES: usize;
    /// From memory.
    unsafe fn load(from: *const f32) -> Self;
    /// To memory.
    unsafe fn store(self, to: *mut f32);
    /// The same in every lane.
    unsafe fn splat(value: f32) -> Self;
    /// self + other
    unsafe fn add(self, other: Self) -> Self;
    /// self - other
    unsafe fn sub(self, other: Self) -> Self;
    /// self · other
    unsafe fn mul(self, other: Self) -> Self;
    /// self / other
    unsafe fn div(self, other: Self) -> Self;
    /// self · factor + summand
    unsafe fn mul_add(self, factor: Self, summand: Self) -> Self;
    /// The smaller of two.
    unsafe fn min(self, other: Self) -> Self;
    /// The larger of two.
    unsafe fn max(self, other: Self) -> Self;
    /// The nearest whole number.
    unsafe fn round(self) -> Self;
    /// 2 to the power of a whole number from -126 to 127.
    unsafe fn power_of_two(self) -> Self;
    /// 1 / self, for numbers whose inverse is one; exact to 2e-7 of it.
    #[inline(always)]
    unsafe fn reciprocal(self) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self::splat(1.0).div(self) }
    }
    /// The sum of the lanes.
    unsafe fn total(self) -> f32;
    /// The largest of the lanes.
    unsafe fn highest(self) -> f32;
    /// Work as a function of its own, compiled once for the machine, wherever it is called from.
    unsafe fn call<W: Work>(work: W) -> W::Output;
}

impl Simd for f32 {
    const LANES: usize = 1;
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        unsafe { *from }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { *to = self }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        value
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self + other
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self - other
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self * other
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        self / other
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, summand: Self) -> Self {
        self * factor + summand
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        if self < other { self } else { other }
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        if self > other { self } else { other }
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        // Adding and taking away 1.5 · 2^23 leaves no place for a fraction.
        (self + 12_582_912.0) - 12_582_912.0
    }
    #[inline(always)]
    unsafe fn power_of_two(self) -> Self {
        f32::from_bits(((self as i32 + 127) as u32) << 23)
    }
    #[inline(always)]
    unsafe fn total(self) -> f32 {
        self
    }
    #[inline(always)]
    unsafe fn highest(self) -> f32 {
        self
    }
    #[inline(never)]
    unsafe fn call<W: Work>(work: W) -> W::Output {
        // SAFETY: every machine has floats.
        unsafe { work.run::<Self>() }
    }
}

/// The functions that are one instruction each.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! instructions {
    ($($name:ident($($argument:ident),*) = $instruction:path;)*) => {$(
        #[inline(always)]
        unsafe fn $name(self $(, $argument: Self)*) -> Self {
            // SAFETY: the caller's promise.
            unsafe { $instruction(self $(, $argument)*) }
        }
    )*};
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Simd, Work, run_avx2, run_avx512};

    impl Simd for __m512 {
        const LANES: usize = 16;
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the caller's promise.
            unsafe { _mm512_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: the caller's promise.
            unsafe { _mm512_storeu_ps(to, self) }
        }
        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            // SAFETY: the caller's promise.
            unsafe { _mm512_set1_ps(value) }
        }
        instructions! {
            add(other) = _mm512_add_ps;
            sub(other) = _mm512_sub_ps;
            mul(other) = _mm512_mul_ps;
            div(other) = _mm512_div_ps;
            mul_add(factor, summand) = _mm512_fmadd_ps;
            min(other) = _mm512_min_ps;
            max(other) = _mm512_max_ps;
            round() = _mm512_roundscale_ps::<0x08>;
        }
        #[inline(always)]
        unsafe fn power_of_two(self) -> Self {
            // SAFETY: the caller's promise.
            unsafe {
                let exponent = _mm512_add_epi32(_mm512_cvtps_epi32(self), _mm512_set1_epi32(127));
                _mm512_castsi512_ps(_mm512_slli_epi32::<23>(exponent))
            }
        }
        #[inline(always)]
        unsafe fn reciprocal(self) -> Self {
            // SAFETY: the caller's promise.
            unsafe {
                let near = _mm512_rcp14_ps(self);
                let rest = _mm512_fnmadd_ps(self, near, _mm512_set1_ps(2.0));
                _mm512_mul_ps(near, rest)
            }
        }
        #[inline(always)]
        unsafe fn call<W: Work>(work: W) -> W::Output {
            // SAFETY: the caller's promise.
            unsafe { run_avx512(work) }
        }
        #[inline(always)]
        unsafe fn total(self) -> f32 {
            // SAFETY: the caller's promise.
            unsafe { _mm512_reduce_add_ps(self) }
        }
        #[inline(always)]
        unsafe fn highest(self) -> f32 {
            // SAFETY: the caller's promise.
            unsafe { _mm512_reduce_max_ps(self) }
        }
    }

    impl Simd for __m256 {
        const LANES: usize = 8;
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the caller's promise.
            unsafe { _mm256_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: the caller's promise.
            unsafe { _mm256_storeu_ps(to, self) }
        }
        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            // SAFETY: the caller's promise.
            unsafe { _mm256_set1_ps(value) }
        }
        instructions! {
            add(other) = _mm256_add_ps;
            sub(other) = _mm256_sub_ps;
            mul(other) = _mm256_mul_ps;
            div(other) = _mm256_div_ps;
            mul_add(factor, summand) = _mm256_fmadd_ps;
            min(other) = _mm256_min_ps;
            max(other) = _mm256_max_ps;
            round() = _mm256_round_ps::<0x08>;
        }
        #[inline(always)]
        unsafe fn power_of_two(self) -> Self {
            // SAFETY: the caller's promise.
            unsafe {
                let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(self), _mm256_set1_epi32(127));
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
            }
        }
        #[inline(always)]
        unsafe fn call<W: Work>(work: W) -> W::Output {
            // SAFETY: the caller's promise.
            unsafe { run_avx2(work) }
        }
        #[inline(always)]
        unsafe fn total(self) -> f32 {
            // SAFETY: the caller's promise.
            unsafe {
                let four = _mm_add_ps(_mm256_castps256_ps128(self), _mm256_extractf128_ps::<1>(self));
                let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
                _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
            }
        }
        #[inline(always)]
        unsafe fn highest(self) -> f32 {
            // SAFETY: the caller's promise.
            unsafe {
                let four = _mm_max_ps(_mm256_castps256_ps128(self), _mm256_extractf128_ps::<1>(self));
                let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
                _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps::<1>(two, two)))
            }
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use std::arch::aarch64::*;

    use super::{Simd, Work};

    impl Simd for float32x4_t {
        const LANES: usize = 4;
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the caller's promise.
            unsafe { vld1q_f32(from) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: the caller's promise.
            unsafe { vst1q_f32(to, self) }
        }
        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            // SAFETY: the caller's promise.
            unsafe { vdupq_n_f32(value) }
        }
        instructions! {
            add(other) = vaddq_f32;
            sub(other) = vsubq_f32;
            mul(other) = vmulq_f32;
            div(other) = vdivq_f32;
            min(other) = vminq_f32;
            max(other) = vmaxq_f32;
            round() = vrndnq_f32;
        }
        #[inline(always)]
        unsafe fn mul_add(self, factor: Self, summand: Self) -> Self {
            // SAFETY: the caller's promise.
            unsafe { vfmaq_f32(summand, self, factor) }
        }
        #[inline(always)]
        unsafe fn power_of_two(self) -> Self {
            // SAFETY: the caller's promise.
            unsafe {
                let exponent = vaddq_s32(vcvtnq_s32_f32(self), vdupq_n_s32(127));
                vreinterpretq_f32_s32(vshlq_n_s32::<23>(exponent))
            }
        }
        #[inline(never)]
        unsafe fn call<W: Work>(work: W) -> W::Output {
            // SAFETY: the caller's promise.
            unsafe { work.run::<Self>() }
        }
        #[inline(always)]
        unsafe fn total(self) -> f32 {
            // SAFETY: the caller's promise.
            unsafe { vaddvq_f32(self) }
        }
        #[inline(always)]
        unsafe fn highest(self) -> f32 {
            // SAFETY: the caller's promise.
            unsafe { vmaxvq_f32(self) }
        }
    }
}
