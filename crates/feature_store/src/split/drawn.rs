//! Splits by draw: **a row's (or entity's) number depends on the seed and on what it is, on nothing else.**
//!
//! ```text
//! random   u = SHA-256("split 1\n" seed key event_time nth)   as a fraction in [0, 1)
//!          test if u < test share; validation if u < test share + validation share; else train
//! group    u = SHA-256("split 1\n" seed key), entities ranked by u
//!          the first round(test share · entities) are test, the next round(validation share · entities) validation, the rest train
//! ```
//!
//! Numbers are 8 bytes little-endian, keys in the canonical form of fingerprints; `nth` counts the rows of one key and time from 0,
//! in the spine's order. The fraction is the hash's first 8 bytes, little-endian, its upper 53 bits over 2^53. A row keeps its part
//! when other rows come or go; the shares of a random split are hit on average, those of a group split as exactly as whole entities can.
//! Cost: one hash per row or entity, and one map of the entities.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef};
use arrow::util::display::array_value_to_string;
use sha2::{Digest, Sha256};

use super::{Certificate, Divided, Part, PartCounts, SplitRows, Stratified, Stratum};
use crate::StoreError;
use crate::fingerprint::{plain, put_value};

/// The shares of validation and test; train gets the rest.
pub(super) struct Shares {
    validation: f64,
    test: f64,
}

impl Shares {
    /// Shares that leave something for train.
    pub(super) fn new(validation: f64, test: f64) -> Result<Self, StoreError> {
        let sound = |share: f64| (0.0..1.0).contains(&share);
        if sound(validation) && sound(test) && validation + test < 1.0 {
            return Ok(Self { validation, test });
        }
        Err(StoreError::SharesTooLarge { validation, test })
    }
}

/// The random split.
pub(super) fn by_row(shares: &Shares, seed: u64, rows: &SplitRows<'_>) -> Result<Divided, StoreError> {
    let part = |draw: f64| {
        Some(if draw < shares.test {
            Part::Test
        } else if draw < shares.test + shares.validation {
            Part::Validation
        } else {
            Part::Train
        })
    };
    let parts = draws(seed, rows)?.into_iter().map(part).collect();
    Ok(random(seed, parts, None))
}

fn random(seed: u64, parts: Vec<Option<Part>>, stratified: Option<Stratified>) -> Divided {
    let certificate = Certificate::Random {
        seed,
        rows: PartCounts::of(parts.iter().copied()),
        stratified,
    };
    Divided { parts, certificate }
}

/// The number of each row.
fn draws(seed: u64, rows: &SplitRows<'_>) -> Result<Vec<f64>, StoreError> {
    let keys = plain_columns(rows.keys)?;
    let (mut key, mut last, mut nth) = (Vec::new(), None, 0_u64);
    let mut draws = Vec::with_capacity(rows.times.len());
    for (row, time) in rows.times.iter().enumerate() {
        key.clear();
        keys.iter().for_each(|column| put_value(&mut key, column, row));
        let this = Some((key.clone(), *time));
        nth = if this == last { nth + 1 } else { 0 };
        last = this;
        let hash = hash(seed, &key)
            .chain_update(time.to_le_bytes())
            .chain_update(nth.to_le_bytes());
        draws.push(fraction(&hash));
    }
    Ok(draws)
}

/// So many different values make strata; more are no classes.
const MOST_STRATA: usize = 1_000;

/// The random split in which every value of a column has its shares, as exactly as whole rows can.
///
/// Within a value, rows are ranked by their draws. Of the values in the order of their bytes, so many rows are held out that all
/// values up to there have their share together: a value's count is off by less than a row, and so is the sum.
pub(super) fn by_stratum(
    shares: &Shares,
    seed: u64,
    rows: &SplitRows<'_>,
    (column, values): (&str, &ArrayRef),
) -> Result<Divided, StoreError> {
    let draws = draws(seed, rows)?;
    let plain = plain_columns(std::slice::from_ref(values))?;
    let mut strata: BTreeMap<Vec<u8>, Vec<usize>> = BTreeMap::new();
    for row in 0..draws.len() {
        let mut value = Vec::new();
        plain.iter().for_each(|column| put_value(&mut value, column, row));
        strata.entry(value).or_default().push(row);
        if strata.len() > MOST_STRATA {
            return Err(StoreError::TooManyStrata {
                column: column.to_owned(),
                most: MOST_STRATA as u64,
            });
        }
    }
    let mut parts = vec![Some(Part::Train); draws.len()];
    let mut report = Vec::new();
    let (mut seen, mut in_test, mut in_validation) = (0, 0, 0);
    for mut of_value in strata.into_values() {
        let first = of_value.first().copied().unwrap_or_default();
        let draw = |row: &usize| draws.get(*row).copied().unwrap_or_default();
        of_value.sort_by(|one, other| draw(one).total_cmp(&draw(other)).then(one.cmp(other)));
        seen += of_value.len();
        let share = |share: f64, given: usize| ((share * seen as f64).round() as usize).saturating_sub(given);
        let test = share(shares.test, in_test).min(of_value.len());
        let validation = share(shares.validation, in_validation).min(of_value.len() - test);
        (in_test, in_validation) = (in_test + test, in_validation + validation);
        let held_out = of_value.iter().enumerate().take(test + validation);
        for (rank, row) in held_out {
            if let Some(part) = parts.get_mut(*row) {
                *part = Some(if rank < test { Part::Test } else { Part::Validation });
            }
        }
        let of_rows = of_value.iter().map(|row| parts.get(*row).copied().flatten());
        report.push(Stratum {
            value: shown(values, first)?,
            rows: PartCounts::of(of_rows),
        });
    }
    let stratified = Stratified {
        column: column.to_owned(),
        strata: report,
    };
    Ok(random(seed, parts, Some(stratified)))
}

/// A value as text; `None`: NULL.
fn shown(values: &ArrayRef, row: usize) -> Result<Option<String>, StoreError> {
    if values.is_null(row) {
        return Ok(None);
    }
    Ok(Some(array_value_to_string(values, row)?))
}

/// The group split.
pub(super) fn by_entity(shares: &Shares, seed: u64, rows: &SplitRows<'_>) -> Result<Divided, StoreError> {
    let keys = plain_columns(rows.keys)?;
    let mut numbers: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    let mut entity_of = Vec::with_capacity(rows.times.len());
    for row in 0..rows.times.len() {
        let mut key = Vec::new();
        keys.iter().for_each(|column| put_value(&mut key, column, row));
        let next = numbers.len();
        entity_of.push(*numbers.entry(key).or_insert(next));
    }
    let part_of = draw_entities(shares, seed, &numbers);
    let parts: Vec<Option<Part>> = entity_of.iter().map(|entity| part_of.get(*entity).copied()).collect();
    let certificate = Certificate::Group {
        seed,
        entities: PartCounts::of(part_of.iter().copied().map(Some)),
        entities_in_two_parts: in_two_parts(&entity_of, &parts, numbers.len()),
    };
    Ok(Divided { parts, certificate })
}

/// The part of each entity, by its number.
fn draw_entities(shares: &Shares, seed: u64, numbers: &BTreeMap<Vec<u8>, usize>) -> Vec<Part> {
    let mut ranked: Vec<([u8; 32], usize)> = numbers
        .iter()
        .map(|(key, number)| (hash(seed, key).finalize().into(), *number))
        .collect();
    ranked.sort_unstable();
    let share = |share: f64| (share * ranked.len() as f64).round() as usize;
    let (test, validation) = (share(shares.test), share(shares.validation));
    let mut parts = vec![Part::Train; ranked.len()];
    for (rank, (_, number)) in ranked.into_iter().enumerate().take(test + validation) {
        if let Some(part) = parts.get_mut(number) {
            *part = if rank < test { Part::Test } else { Part::Validation };
        }
    }
    parts
}

/// Counts, from the rows themselves, the entities that are in more than one part.
fn in_two_parts(entity_of: &[usize], parts: &[Option<Part>], entities: usize) -> u64 {
    let mut seen: Vec<Option<Part>> = vec![None; entities];
    let mut twice = vec![false; entities];
    for (entity, part) in entity_of.iter().zip(parts) {
        if let (Some(seen), Some(twice)) = (seen.get_mut(*entity), twice.get_mut(*entity)) {
            *twice |= seen.is_some() && seen != part;
            *seen = *part;
        }
    }
    twice.into_iter().filter(|twice| *twice).count() as u64
}

fn plain_columns(keys: &[ArrayRef]) -> Result<Vec<ArrayRef>, StoreError> {
    let unsupported = |key: &ArrayRef| StoreError::UnsupportedType {
        column: "entity".to_owned(),
        found: key.data_type().to_string(),
    };
    keys.iter()
        .map(|key| plain(key)?.ok_or_else(|| unsupported(key)))
        .collect()
}

fn hash(seed: u64, key: &[u8]) -> Sha256 {
    Sha256::new()
        .chain_update(b"split 1\n")
        .chain_update(seed.to_le_bytes())
        .chain_update(key)
}

/// The hash as a fraction in [0, 1).
fn fraction(hash: &Sha256) -> f64 {
    let digest: [u8; 32] = hash.clone().finalize().into();
    let number = digest
        .iter()
        .take(8)
        .rev()
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    (number >> 11) as f64 / (1_u64 << 53) as f64
}
