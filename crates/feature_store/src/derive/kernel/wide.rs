//! Integers of a fixed number of bits, for sums that are exact.
//!
//! Two's complement in 64-bit limbs, lowest first. Additions wrap: sums over a window are differences of sums from the start, and such a
//! difference is right whenever itself fits, whatever the sums from the start ran over.

use std::array;

use super::rows::at;

/// A signed integer of `64 * N` bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wide<const N: usize>([u64; N]);

/// `mantissa * 2^exponent`: a number that may be outside float64's range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scaled {
    pub mantissa: f64,
    pub exponent: i64,
}

impl<const N: usize> Default for Wide<N> {
    fn default() -> Self {
        Self::ZERO
    }
}

impl<const N: usize> Wide<N> {
    pub(super) const ZERO: Self = Self([0; N]);

    /// `magnitude * 2^shift`, wrapped.
    #[inline]
    pub(super) fn shifted(magnitude: u128, shift: usize) -> Self {
        let (skipped, bits) = (shift / 64, shift % 64);
        let low = magnitude << bits;
        let high = if bits == 0 {
            0
        } else {
            (magnitude >> (128 - bits)) as u64
        };
        let mut limbs = [0; N];
        let places = limbs.iter_mut().skip(skipped);
        for (limb, part) in places.zip([low as u64, (low >> 64) as u64, high]) {
            *limb = part;
        }
        Self(limbs)
    }

    /// The same number, wrapped if need be.
    #[inline]
    pub(super) fn from_i128(number: i128) -> Self {
        let magnitude = Self::shifted(number.unsigned_abs(), 0);
        if number < 0 { magnitude.negated() } else { magnitude }
    }

    #[inline]
    pub(super) fn plus(self, other: Self) -> Self {
        let mut carry = false;
        Self(array::from_fn(|place| {
            let limb;
            (limb, carry) = self.0[place].carrying_add(other.0[place], carry);
            limb
        }))
    }

    #[inline]
    pub(super) fn minus(self, other: Self) -> Self {
        let mut borrow = false;
        Self(array::from_fn(|place| {
            let limb;
            (limb, borrow) = self.0[place].borrowing_sub(other.0[place], borrow);
            limb
        }))
    }

    #[inline]
    pub(super) fn negated(self) -> Self {
        Self::ZERO.minus(self)
    }

    /// Plus the number, or minus it.
    #[inline]
    pub(super) fn plus_signed(self, magnitude: Self, negative: bool) -> Self {
        if negative {
            self.minus(magnitude)
        } else {
            self.plus(magnitude)
        }
    }

    /// The sums of these numbers before each place, and of all; a number is a magnitude and whether it is negative.
    pub(super) fn running(sums: &mut Vec<Self>, numbers: impl Iterator<Item = Option<(Self, bool)>>) {
        sums.clear();
        sums.push(Self::ZERO);
        let mut sum = Self::ZERO;
        sums.extend(numbers.map(|number| {
            if let Some((magnitude, is_negative)) = number {
                sum = sum.plus_signed(magnitude, is_negative);
            }
            sum
        }));
    }

    #[inline]
    pub(super) fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    #[inline]
    fn is_negative(self) -> bool {
        self.0.last().is_some_and(|top| top >> 63 == 1)
    }

    #[inline]
    fn absolute(self) -> Self {
        if self.is_negative() { self.negated() } else { self }
    }

    /// Times a count, wrapped.
    #[inline]
    pub(super) fn times_count(self, count: u64) -> Self {
        let mut carry = 0;
        Self(array::from_fn(|place| {
            let limb;
            (limb, carry) = self.0[place].carrying_mul(count, carry);
            limb
        }))
    }

    /// The product in `M` limbs, wrapped.
    #[inline]
    pub(super) fn times<const M: usize>(self, other: Self) -> Wide<M> {
        let (one, two) = (self.absolute(), other.absolute());
        let mut product = [0; M];
        for (place, factor) in one.0.iter().enumerate() {
            let mut carry = 0;
            for (other_place, other) in two.0.iter().enumerate() {
                if let Some(limb) = product.get_mut(place + other_place) {
                    (*limb, carry) = factor.carrying_mul_add(*other, *limb, carry);
                }
            }
            if let Some(limb) = product.get_mut(place + N) {
                *limb = carry;
            }
        }
        if self.is_negative() == other.is_negative() {
            Wide(product)
        } else {
            Wide(product).negated()
        }
    }

    /// Rounded to the nearest number with 53 bits, ties to even.
    #[inline]
    pub(super) fn rounded(self) -> Scaled {
        let magnitude = self.absolute().rounded_unsigned();
        if self.is_negative() {
            magnitude.times(-1.0)
        } else {
            magnitude
        }
    }

    /// The same for a number that is not negative.
    #[inline]
    pub(super) fn rounded_unsigned(self) -> Scaled {
        // The highest limb that is not zero, and the one below it.
        let mut place = N.saturating_sub(2);
        while place > 0 && at(&self.0, place + 1) == 0 {
            place -= 1;
        }
        let pair = u128::from(at(&self.0, place + 1)) << 64 | u128::from(at(&self.0, place));
        let lost = self.0.iter().take(place).any(|limb| *limb != 0);
        if pair == 0 {
            return Scaled {
                mantissa: 0.0,
                exponent: 0,
            };
        }
        let zeros = pair.leading_zeros();
        let (head, rest) = ((pair << zeros >> 64) as u64, (pair << zeros) as u64);
        // 63 bits, of which the last is far below the 53rd: it may stand for all that is cut off.
        let head = (head >> 1) | (head & 1) | u64::from(rest != 0 || lost);
        Scaled {
            mantissa: head as i64 as f64,
            exponent: 64 * place as i64 - i64::from(zeros) + 65,
        }
    }
}

impl Scaled {
    /// Divided by a number, times a power of two.
    #[inline]
    pub(super) fn over(self, divisor: f64, exponent: i64) -> Self {
        Self {
            mantissa: self.mantissa / divisor,
            exponent: self.exponent + exponent,
        }
    }

    /// Times a number.
    #[inline]
    pub(super) fn times(self, factor: f64) -> Self {
        Self {
            mantissa: self.mantissa * factor,
            ..self
        }
    }

    /// The square root.
    #[inline]
    pub(super) fn root(self) -> Self {
        let odd = self.exponent & 1;
        let mantissa = if odd == 1 { self.mantissa * 2.0 } else { self.mantissa };
        Self {
            mantissa: mantissa.sqrt(),
            exponent: (self.exponent - odd) / 2,
        }
    }

    /// As a float64; infinite where it is too large.
    #[inline]
    pub(super) fn value(self) -> f64 {
        // Within these bounds the power is a float64 of full precision.
        if (-1_022..=1_023).contains(&self.exponent) {
            return self.mantissa * f64::from_bits(((self.exponent + 1_023) as u64) << 52);
        }
        libm::scalbn(self.mantissa, self.exponent.clamp(-10_000, 10_000) as i32)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ties_round_to_even_and_what_is_cut_off_counts() {
        let value = |number: i128| Wide::<4>::from_i128(number).rounded().value();
        let check = |number: i128| assert_eq!(value(number), number as f64, "{number}");
        for near in [
            1_i128 << 53,
            1 << 64,
            1 << 70,
            (1 << 100) + (1 << 46),
            -(1 << 120) - (1 << 66),
        ] {
            (-3..=3).for_each(|more| check(near + more));
        }
        check(0);
        check(i128::MAX);
        check(i128::MIN);
    }

    #[test]
    fn numbers_beyond_float64_are_infinite_or_zero() {
        let scaled = |exponent| Scaled {
            mantissa: -1.5,
            exponent,
        };
        assert_eq!(scaled(1_023).value(), -1.5 * 2f64.powi(1_023));
        assert_eq!(scaled(1_024).value(), f64::NEG_INFINITY);
        assert_eq!(scaled(-1_074).value(), -1e-323);
        assert_eq!(scaled(-2_000).value(), 0.0);
        assert_eq!(scaled(7).root().value().to_bits(), (-192f64).sqrt().to_bits());
    }

    proptest! {
        #[test]
        fn sums_and_products_are_those_of_i128(a in any::<i64>(), b in any::<i64>(), c in any::<i64>(), count in any::<u32>()) {
            let wide = |number: i64| Wide::<2>::from_i128(number.into());
            let [x, y, z] = [a, b, c].map(i128::from);
            prop_assert_eq!(wide(a).plus(wide(b)).minus(wide(c)), Wide::from_i128(x + y - z));
            prop_assert_eq!(wide(a).times::<4>(wide(b)), Wide::from_i128(x * y));
            prop_assert_eq!(wide(a).times_count(count.into()), Wide::from_i128(x * i128::from(count)));
            prop_assert_eq!(Wide::<4>::from_i128(x * y).rounded().value(), (x * y) as f64);
        }

        #[test]
        fn a_shift_is_a_product_with_a_power_of_two(magnitude in any::<u128>(), shift in 0..120_usize) {
            let mut doubled = Wide::<4>::shifted(magnitude, 0);
            (0..shift).for_each(|_| doubled = doubled.plus(doubled));
            prop_assert_eq!(Wide::<4>::shifted(magnitude, shift), doubled);
        }
    }
}
