//! Categories as rows of a table: 2^k buckets by hash, and row 0 for what is unknown, so that values never seen can be predicted for.

use serde::{Deserialize, Serialize};

/// The row of what is unknown: NULL, and, while training, a share of everything, so that the row is learned.
pub const UNKNOWN: u32 = 0;

/// How the values of one variable become rows of its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Categories {
    /// The table has 2^`bits` rows for values, after row 0; at most 24.
    pub bits: u32,
    /// Changes which values share a row.
    pub seed: u64,
}

impl Categories {
    /// Few enough rows that `distinct` values rarely share one: four times as many, and at most 2^16.
    #[must_use]
    pub fn for_values(distinct: usize, seed: u64) -> Self {
        let wanted = distinct.max(1).saturating_mul(4).next_power_of_two();
        Self {
            bits: wanted.trailing_zeros().min(16),
            seed,
        }
    }
    /// Rows of the table, that of the unknown included.
    #[must_use]
    pub fn rows(self) -> usize {
        1 + (1_usize << self.bits.min(24))
    }
    /// The row of a value.
    #[must_use]
    pub fn row(self, value: Option<&str>) -> u32 {
        let Some(value) = value else { return UNKNOWN };
        let hash = twox_hash::XxHash64::oneshot(self.seed, value.as_bytes());
        1 + (hash & ((1_u64 << self.bits.min(24)) - 1)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_find_their_row_and_null_finds_the_unknown() {
        let categories = Categories::for_values(369, 1);
        assert_eq!(categories.rows(), 2049);
        assert_eq!(categories.row(None), UNKNOWN);
        let rows: Vec<u32> = (0..5000)
            .map(|value| categories.row(Some(&value.to_string())))
            .collect();
        assert!(rows.iter().all(|row| (1..2049).contains(row)));
        assert_eq!(categories.row(Some("17")), rows[17]);
    }
}
