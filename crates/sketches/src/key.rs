//! Ordered values as 64-bit keys: keys compare as the values do, so that one sketch serves floats, integers and times.
//!
//! ```text
//! integer, time   the two's complement with its sign bit flipped
//! float           IEEE 754; of positive numbers the sign bit is flipped, of negative ones all bits; -0.0 is 0.0
//! ```
//!
//! NaN has no place in the order: callers leave it out.

const SIGN: u64 = 1 << 63;

/// What kind of value a key stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A float, 32 or 64 bits wide.
    Float,
    /// An integer, or a count of days or microseconds.
    Integer,
}

impl Kind {
    /// The value of a key, as near as a float comes to it.
    #[must_use]
    pub fn value(self, key: u64) -> f64 {
        match self {
            Self::Float => to_float(key),
            Self::Integer => to_integer(key) as f64,
        }
    }

    /// The key of the least value of this kind that is not below a float.
    #[must_use]
    pub fn least_from(self, value: f64) -> u64 {
        match self {
            Self::Float => of_float(value),
            Self::Integer => of_integer(value.ceil() as i64),
        }
    }

    /// The key of the value zero.
    #[must_use]
    pub fn zero(self) -> u64 {
        SIGN
    }
}

/// The key of a float that is not NaN.
#[must_use]
pub fn of_float(value: f64) -> u64 {
    // Adding zero makes -0.0 to 0.0.
    let bits = (value + 0.0).to_bits();
    let flip = ((bits as i64) >> 63) as u64 | SIGN;
    bits ^ flip
}

/// The float of a key.
#[must_use]
pub fn to_float(key: u64) -> f64 {
    let flip = (((!key) as i64) >> 63) as u64 | SIGN;
    f64::from_bits(key ^ flip)
}

/// The key of an integer.
#[must_use]
pub fn of_integer(value: i64) -> u64 {
    value as u64 ^ SIGN
}

/// The integer of a key.
#[must_use]
pub fn to_integer(key: u64) -> i64 {
    (key ^ SIGN) as i64
}

/// A key with its bits well mixed: the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
#[must_use]
pub(crate) fn mixed(key: u64) -> u64 {
    let key = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let key = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let key = (key ^ (key >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ (key >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_of_floats_compare_as_the_floats_and_come_back(
            a in any::<f64>().prop_filter("NaN", |a| !a.is_nan()), b in any::<f64>().prop_filter("NaN", |b| !b.is_nan()),
        ) {
            prop_assert_eq!(of_float(a).cmp(&of_float(b)), a.partial_cmp(&b).unwrap());
            prop_assert_eq!(to_float(of_float(a)), a);
        }

        #[test]
        fn keys_of_integers_compare_as_the_integers_and_come_back(a in any::<i64>(), b in any::<i64>()) {
            prop_assert_eq!(of_integer(a).cmp(&of_integer(b)), a.cmp(&b));
            prop_assert_eq!(to_integer(of_integer(a)), a);
        }
    }

    #[test]
    fn zero_has_one_key() {
        assert_eq!(of_float(-0.0), of_float(0.0));
        assert_eq!(of_float(0.0), Kind::Float.zero());
        assert_eq!(of_integer(0), Kind::Integer.zero());
    }
}
