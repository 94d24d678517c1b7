//! Random numbers without a state: each is a hash of a key and a counter, so it is the same whoever asks first.
//!
//! The hash is the finaliser of SplitMix64 (Steele, Lea, Flood, *Fast splittable pseudorandom number generators*, 2014), applied twice.

/// One of two numbers, as random as a hash.
#[must_use]
pub fn mix(key: u64, counter: u64) -> u64 {
    finish(finish(key ^ 0x9E37_79B9_7F4A_7C15).wrapping_add(counter.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
}

fn finish(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// A number in [0, 1), from the upper 53 bits.
#[must_use]
pub fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
}

/// A hash of a text, the same on every machine.
#[must_use]
pub fn hash_text(text: &str) -> u64 {
    twox_hash::XxHash64::oneshot(0, text.as_bytes())
}

/// A permutation of 0..`length`, drawn from a key (Fisher and Yates).
#[must_use]
pub fn permutation(key: u64, length: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..length as u32).collect();
    for last in (1..length).rev() {
        let at = below(mix(key, last as u64), last as u64 + 1);
        order.swap(last, at as usize);
    }
    order
}

/// A number below `bound` (Lemire's multiplication); 0 where there is none.
#[must_use]
pub fn below(bits: u64, bound: u64) -> u64 {
    ((u128::from(bits) * u128::from(bound)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permutation_holds_every_number_once_and_follows_its_key() {
        for length in [0, 1, 2, 17, 1000] {
            let order = permutation(7, length);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..length as u32).collect::<Vec<_>>());
            assert_eq!(order, permutation(7, length));
        }
        assert_ne!(permutation(7, 1000), permutation(8, 1000));
    }

    #[test]
    fn numbers_fill_their_interval_evenly() {
        let mut tenths = [0_u32; 10];
        for counter in 0..100_000 {
            tenths[(unit(mix(3, counter)) * 10.0) as usize] += 1;
        }
        assert!(tenths.iter().all(|count| (9_700..10_300).contains(count)), "{tenths:?}");
    }
}
