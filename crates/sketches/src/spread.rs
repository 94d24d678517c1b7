//! Sorting a block by spreading it: keys go to the place that they would have if their values lay evenly, and neighbours are put in order.
//!
//! ```text
//!   key ─► value ─► place: (value - least) · places / (greatest - least) ─► counted ─► spread ─► neighbours in order
//! ```
//!
//! A place follows from a value by a subtraction, a multiplication and rounding, all of which keep the order, so a smaller value never gets
//! a later place. With twice as many places as values, most places hold one or none, and putting neighbours in order moves little: two
//! thirds of the time of a sort by comparison. Where values lie unevenly many share a place; such a block is sorted the usual way, and so
//! are the next ones of its column. The outcome is the same either way: keys in order.

use std::cell::RefCell;

use crate::key::Kind;

/// Fewer keys are sorted the usual way, and so are more: places are counted in 16 bits.
const KEYS: std::ops::RangeInclusive<usize> = 256..=(1 << 14);
/// Places for each key.
const PLACES: usize = 2;
/// More keys than this in one place are a crowd, which is sorted the usual way.
const CROWD: u16 = 12;
/// Where one key in so many is in a crowd, the whole block is sorted the usual way.
const CROWDED: usize = 4;
/// So many blocks are, until spreading is tried again.
const USUAL: u8 = 15;
/// Added to a number from 0 to 2^51, it leaves the nearest whole number in the lowest bits.
const ROUNDING: f64 = (1_u64 << 52) as f64;

/// How blocks of one column are sorted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spread {
    /// So many blocks are sorted the usual way, before spreading is tried again.
    usual: u8,
}

impl Spread {
    /// Sorts a block.
    pub(crate) fn sort(&mut self, keys: &mut [u64], kind: Kind) {
        let is_tried = self.usual == 0 && KEYS.contains(&keys.len());
        self.usual = self.usual.saturating_sub(1);
        let is_sorted = is_tried && ROOM.with_borrow_mut(|room| room.sort(keys, kind));
        if !is_sorted {
            keys.sort_unstable();
        }
        if is_tried && !is_sorted {
            self.usual = USUAL;
        }
    }
}

thread_local! {
    /// Columns are many, threads are few.
    static ROOM: RefCell<Room> = RefCell::default();
}

/// Room to sort in.
#[derive(Debug, Default)]
struct Room {
    /// The place of each key.
    places: Vec<u16>,
    /// How many keys lie in the places before each one, and then where the next key of it goes.
    next: Vec<u16>,
    /// The keys as they came.
    keys: Vec<u64>,
}

impl Room {
    /// Sorts keys, unless their values lie too unevenly: then they stay as they are.
    fn sort(&mut self, keys: &mut [u64], kind: Kind) -> bool {
        let (Some(least), Some(greatest)) = (keys.iter().min(), keys.iter().max()) else {
            return true;
        };
        let (least, last) = (kind.value(*least), (PLACES * keys.len() - 1) as f64);
        let scale = last / (kind.value(*greatest) - least);
        if !(scale.is_finite() && scale > 0.0) {
            return false;
        }
        let place = |key: &u64| ((kind.value(*key) - least) * scale + ROUNDING).to_bits() as u16;
        self.places.clear();
        self.places.extend(keys.iter().map(place));
        let crowds = self.count();
        if crowds > keys.len() / CROWDED {
            return false;
        }
        self.spread(keys);
        if crowds > 0 {
            self.sort_crowds(keys);
        }
        sort_neighbours(keys);
        true
    }

    /// Counts the keys of each place and those before it; gives how many are in crowds.
    fn count(&mut self) -> usize {
        self.next.clear();
        self.next.resize(PLACES * self.places.len(), 0);
        for place in &self.places {
            if let Some(count) = self.next.get_mut(usize::from(*place)) {
                *count += 1;
            }
        }
        let (mut before, mut crowds) = (0, 0);
        for next in &mut self.next {
            let count = std::mem::replace(next, before);
            before += count;
            crowds += if count > CROWD { count } else { 0 };
        }
        usize::from(crowds)
    }

    /// Puts each key where its place is.
    fn spread(&mut self, keys: &mut [u64]) {
        self.keys.clear();
        self.keys.extend_from_slice(keys);
        for (key, place) in self.keys.iter().zip(&self.places) {
            if let Some(next) = self.next.get_mut(usize::from(*place)) {
                if let Some(spread) = keys.get_mut(usize::from(*next)) {
                    *spread = *key;
                }
                *next += 1;
            }
        }
    }

    /// Sorts the places that hold many keys, now that `next` says where each place ends.
    fn sort_crowds(&self, keys: &mut [u64]) {
        let mut begin = 0;
        for end in &self.next {
            if end - begin > CROWD
                && let Some(crowd) = keys.get_mut(usize::from(begin)..usize::from(*end))
            {
                crowd.sort_unstable();
            }
            begin = *end;
        }
    }
}

/// Sorts keys none of which is far from where it belongs.
fn sort_neighbours(keys: &mut [u64]) {
    for end in 1..keys.len() {
        let Some(key) = keys.get(end).copied() else { return };
        let mut at = end;
        while let Some(before) = at.checked_sub(1)
            && let Some(other) = keys.get(before).copied()
            && other > key
        {
            if let Some(place) = keys.get_mut(at) {
                *place = other;
            }
            at = before;
        }
        if let Some(place) = keys.get_mut(at) {
            *place = key;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{mixed, of_float, of_integer};
    use proptest::prelude::*;

    fn check(mut keys: Vec<u64>, kind: Kind) -> bool {
        let mut expected = keys.clone();
        expected.sort_unstable();
        let mut spread = Spread::default();
        spread.sort(&mut keys, kind);
        assert_eq!(keys, expected);
        spread.usual == 0
    }

    fn shares(count: u64, seed: u64) -> impl Iterator<Item = f64> {
        (0..count).map(move |at| mixed(mixed(seed) ^ at) as f64 / u64::MAX as f64)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn blocks_come_out_in_order(
            count in 0_u64..3_000, seed in any::<u64>(), power in 1_i32..40, scale in any::<f64>(), off in any::<f64>(), repeat in 1_u64..20,
        ) {
            let values = shares(count, seed).map(|share| share.powi(power) * scale + off);
            check(values.filter(|value| !value.is_nan()).map(of_float).collect(), Kind::Float);
            let steps = (0..count).map(|at| of_integer((mixed(seed ^ (at / repeat)) >> (power + 20)) as i64 - 1_000));
            check(steps.collect(), Kind::Integer);
            check((0..count).map(|at| mixed(at ^ seed)).collect(), Kind::Integer);
        }
    }

    #[test]
    fn even_values_are_spread_and_uneven_ones_are_not() {
        assert!(check(shares(2_048, 1).map(of_float).collect(), Kind::Float));
        assert!(check(
            shares(16_384, 1).map(|share| of_float(share - 0.5)).collect(),
            Kind::Float
        ));
        assert!(!check(
            shares(2_048, 1).map(|share| of_float(share.powi(90))).collect(),
            Kind::Float
        ));
        assert!(!check(vec![of_float(7.0); 2_048], Kind::Float));
        assert!(!check(
            shares(2_048, 1).map(|share| of_float(1.0 / share.round())).collect(),
            Kind::Float
        ));
        assert!(!check(
            [of_integer(i64::MIN), of_integer(i64::MAX)].repeat(1_024),
            Kind::Integer
        ));
    }
}
