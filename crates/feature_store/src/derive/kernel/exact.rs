//! Floating-point numbers as integers: one unit for many of them, so that their sums are exact.
//!
//! A finite float64 is `±mantissa * 2^exponent`. Numbers whose lowest bits lie at `2^unit` or above are multiples of that unit, and sums of
//! multiples are integers. How wide an integer must be follows from the highest bit there is: [`Width`].

/// A finite number that is not zero: `±mantissa * 2^exponent`, the mantissa odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts {
    pub mantissa: u64,
    pub exponent: i64,
    pub is_negative: bool,
}

/// The lowest and the highest bit among numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// The exponent of the lowest bit.
    pub unit: i64,
    /// The exponent above the highest bit.
    pub top: i64,
}

/// How wide sums and products are, in limbs of 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    /// 2 and 4: numbers of about the same size, as most data are.
    Narrow,
    /// 4 and 8.
    Middle,
    /// 34 and 68: any float64s.
    Full,
}

impl Parts {
    /// Of a number; `None`: zero, infinite or NaN.
    #[inline]
    pub(super) fn of(number: f64) -> Option<Self> {
        let bits = number.to_bits();
        let exponent = (bits >> 52 & 0x7ff) as i64;
        let fraction = bits & ((1 << 52) - 1);
        let (mantissa, exponent) = match exponent {
            0x7ff => return None,
            0 => (fraction, -1_074),
            _ => (fraction | 1 << 52, exponent - 1_075),
        };
        let zeros = mantissa.trailing_zeros();
        (mantissa != 0).then(|| Self {
            mantissa: mantissa >> zeros,
            exponent: exponent + i64::from(zeros),
            is_negative: number.is_sign_negative(),
        })
    }

    /// How many units that is, as a power of two above the mantissa.
    #[inline]
    pub(super) fn shift(self, span: Span) -> usize {
        (self.exponent - span.unit) as usize
    }
}

impl Span {
    /// Of any finite numbers.
    pub(super) const ALL: Self = Self {
        unit: -1_074,
        top: 1_024,
    };

    /// Of numbers.
    pub(super) fn of(numbers: impl Iterator<Item = Parts>) -> Self {
        let around = |span: Self, parts: Parts| Self {
            unit: span.unit.min(parts.exponent),
            top: span
                .top
                .max(parts.exponent + 64 - i64::from(parts.mantissa.leading_zeros())),
        };
        let none = Self {
            unit: i64::MAX,
            top: i64::MIN,
        };
        match numbers.fold(none, around) {
            Self { unit, top } if unit <= top => Self { unit, top },
            _ => Self { unit: 0, top: 0 },
        }
    }

    /// How wide the sum of so many numbers is. Twice the width then holds `count * sum of squares` and `square of the sum`, and with times
    /// of 64 bits `count * sum of products` and `sum * sum of times`.
    pub(super) fn width(self, count: usize) -> Width {
        let bits = self.top - self.unit + i64::from(usize::BITS - count.leading_zeros()) + 1;
        match bits {
            ..=127 => Width::Narrow,
            128..=255 => Width::Middle,
            _ => Width::Full,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_numbers_are_narrow_and_the_extremes_need_all_there_is() {
        let width = |numbers: &[f64]| Span::of(numbers.iter().filter_map(|number| Parts::of(*number))).width(1 << 16);
        assert_eq!(width(&[]), Width::Narrow);
        assert_eq!(width(&[0.0, 100.0, 0.1, 1e-9, -1e6]), Width::Narrow);
        assert_eq!(width(&[1e-17, 1e20]), Width::Middle);
        assert_eq!(width(&[f64::MAX, 5e-324]), Width::Full);
    }

    proptest! {
        #[test]
        fn the_parts_are_the_number(number in any::<f64>()) {
            let Some(parts) = Parts::of(number) else { return Ok(()) };
            let size = libm::scalbn(parts.mantissa as f64, parts.exponent as i32);
            prop_assert_eq!(if parts.is_negative { -size } else { size }, number);
            prop_assert_eq!(parts.mantissa % 2, 1);
        }
    }
}
