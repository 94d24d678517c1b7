//! A group that a spine is joined to: which of its rows are looked at for a stretch of the spine, and which of those match.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use definitions::{Availability, Boundary};

use super::keys::{KeyEncoder, Stretches, plain_key};
use super::run::{Block, Run};
use super::slice::{Depth, Slice, project, schema_of};
use super::sweep::{Kind, Moment, sweep, sweep_values};
use super::work::Work;
use super::{GroupColumns, JoinRule, Outcome};
use crate::StoreError;

/// Where a row lies: its run, and its place there.
pub(super) type Place = (u32, u32);

/// The place of no row.
pub(super) const NOTHING: Place = (u32::MAX, u32::MAX);

/// A group, ready to be matched.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) columns: GroupColumns,
    pub(super) values: SchemaRef,
    pub(super) runs: Arc<Vec<Run>>,
    pub(super) work: Work,
    rule: JoinRule,
    kind: Kind,
    encoder: KeyEncoder,
    key_types: Vec<(String, DataType)>,
    times: SchemaRef,
    all: SchemaRef,
}

/// Rows of the spine in the order of their keys, then their times.
pub(super) struct SpineRows<'a> {
    pub stretches: Stretches,
    pub times: &'a [i64],
}

/// What rows of the spine get of a group.
pub(super) struct Matches {
    /// What became of each row.
    pub outcomes: Vec<Outcome>,
    /// Matches that the order of equal event times decided.
    pub tied: u64,
    /// The row that each one sees.
    pub chosen: Vec<Place>,
    /// For each filled column, the row whose value each one sees.
    pub filled: Vec<Vec<Place>>,
}

/// The rows of a run that are looked at.
#[derive(Debug, Default, PartialEq, Eq)]
struct Candidates {
    /// They may match.
    near: Vec<Range<usize>>,
    /// They are too old for all of the spine's rows: they only prove that there is the key.
    stale: Vec<Range<usize>>,
    /// They come after all of the spine's rows: they too.
    late: Vec<Range<usize>>,
}

impl Group {
    /// A group whose rows have these columns.
    ///
    /// # Errors
    /// `UnknownColumn` when the schema misses a column; `UnsupportedType` for a key that cannot be compared; `OrderBroken` when a run's
    /// bounds are not in order.
    pub(super) fn new(
        schema: &Schema,
        runs: Arc<Vec<Run>>,
        columns: GroupColumns,
        rule: JoinRule,
    ) -> Result<Self, StoreError> {
        if runs.iter().any(|run| !run.is_in_order()) {
            return Err(StoreError::OrderBroken { group: columns.group });
        }
        let keys = project(schema, columns.keys.iter().map(String::as_str), &columns.group)?;
        let plain = |field: &arrow::datatypes::FieldRef| {
            let array = plain_key(field.name(), &arrow::array::new_empty_array(field.data_type()))?;
            Ok((field.name().clone(), array.data_type().clone()))
        };
        let key_types = keys
            .fields()
            .iter()
            .map(plain)
            .collect::<Result<Vec<_>, StoreError>>()?;
        let types: Vec<DataType> = key_types.iter().map(|(_, data_type)| data_type.clone()).collect();
        let nullable = project(schema, columns.values.iter().map(String::as_str), &columns.group)?;
        let nullable = nullable
            .fields()
            .iter()
            .map(|field| field.as_ref().clone().with_nullable(true));
        Ok(Self {
            values: Arc::new(Schema::new(nullable.collect::<Vec<_>>())),
            runs,
            work: Work::default(),
            rule,
            kind: if columns.event_time.is_some() {
                Kind::Timed
            } else {
                Kind::Static
            },
            encoder: KeyEncoder::new(&types)?,
            key_types,
            times: schema_of(schema, &columns, Depth::Times)?,
            all: schema_of(schema, &columns, Depth::All)?,
            columns,
        })
    }

    /// The spine's key columns, after checking that they are of the group's types.
    ///
    /// # Errors
    /// `KeyType`, `SpineShape`.
    pub(super) fn check_keys(&self, keys: &[(String, ArrayRef)], rows: usize) -> Result<Vec<ArrayRef>, StoreError> {
        let mut plain = Vec::new();
        for ((name, wanted), (spine_column, array)) in self.key_types.iter().zip(keys) {
            let key = plain_key(spine_column, array)?;
            if key.data_type() != wanted {
                return Err(StoreError::KeyType {
                    group: self.columns.group.clone(),
                    key: name.clone(),
                    wanted: wanted.to_string(),
                    spine_column: spine_column.clone(),
                    found: key.data_type().to_string(),
                });
            }
            plain.push(key);
        }
        if keys.len() != self.key_types.len() || keys.is_empty() || plain.iter().any(|key| key.len() != rows) {
            return Err(StoreError::SpineShape {
                group: self.columns.group.clone(),
                keys: keys.len(),
                wanted: self.key_types.len(),
            });
        }
        Ok(plain)
    }

    /// Rows of the spine as they are matched.
    pub(super) fn spine_rows<'a>(&self, keys: &[ArrayRef], times: &'a [i64]) -> Result<SpineRows<'a>, StoreError> {
        Ok(SpineRows {
            stretches: self.encoder.stretches(keys)?,
            times,
        })
    }

    /// How many rows have to be looked at for these rows of the spine.
    pub(super) fn candidates(&self, spine: &SpineRows<'_>) -> usize {
        let count = |run: &Run| self.choose(run, spine).near.iter().map(Range::len).sum::<usize>();
        self.runs.iter().map(count).sum()
    }

    /// Matches rows of the spine.
    ///
    /// # Errors
    /// `OrderBroken` when the group's rows are not in total order; when they cannot be read.
    pub(super) fn matches(&self, spine: &SpineRows<'_>) -> Result<Matches, StoreError> {
        let chosen: Vec<Candidates> = self.runs.iter().map(|run| self.choose(run, spine)).collect();
        let slices = self.slices(&chosen)?;
        let mut matches = Matches {
            outcomes: vec![Outcome::UnknownEntity; spine.times.len()],
            tied: 0,
            chosen: vec![NOTHING; spine.times.len()],
            filled: vec![vec![NOTHING; spine.times.len()]; self.columns.last_known.len()],
        };
        let mut cursors = vec![0; slices.len()];
        let mut found: Vec<(usize, Range<usize>)> = Vec::new();
        for stretch in 0..spine.stretches.len() {
            let key = spine.stretches.key(stretch);
            found.clear();
            for (at, ((_, slice), cursor)) in slices.iter().zip(&mut cursors).enumerate() {
                *cursor = slice.stretches.seek(*cursor, key);
                if slice.stretches.key(*cursor) == key {
                    found.push((at, slice.stretches.rows(*cursor)));
                }
            }
            self.match_key(
                &slices,
                &found,
                spine.stretches.rows(stretch),
                spine.times,
                &mut matches,
            );
        }
        self.settle(&chosen, spine, &mut matches)?;
        Ok(matches)
    }

    /// The blocks of a run that may hold keys of these spine rows, apart by what their times allow.
    fn choose(&self, run: &Run, spine: &SpineRows<'_>) -> Candidates {
        // Event time alone decides: of the rows before the stretch only an entity's newest counts.
        let newest_counts = self.is_plain() && self.key_types.len() == 1;
        let mut chosen = Candidates::default();
        let keys = &spine.stretches;
        let (Some(first), Some(last)) = (spine.times.iter().min(), spine.times.iter().max()) else {
            return chosen;
        };
        let oldest = self
            .rule
            .max_age
            .map_or(i64::MIN, |age| first.saturating_sub(age.micros()));
        let mut from = 0;
        let blocks = run.blocks();
        for (block, next) in blocks.iter().zip(blocks.iter().skip(1).map(Some).chain([None])) {
            if !may_hold(block, keys, &mut from)
                || (newest_counts && next.is_some_and(|next| hides(next, block, *first)))
            {
                continue;
            }
            let stretches = match block.times {
                Some((_, newest)) if newest < oldest => &mut chosen.stale,
                Some((earliest, _)) if earliest > *last => &mut chosen.late,
                _ => &mut chosen.near,
            };
            extend(stretches, &block.rows);
        }
        chosen
    }

    /// Reads what may match. What decides among equal event times is read only where there are such.
    fn slices(&self, chosen: &[Candidates]) -> Result<Vec<(u32, Slice)>, StoreError> {
        let runs = chosen.iter().filter(|of| !of.near.is_empty()).count();
        let depth = if self.is_plain() && runs == 1 {
            Depth::Times
        } else {
            Depth::All
        };
        let mut slices = self.read(chosen, depth)?;
        if depth == Depth::Times && slices.iter().any(|(_, slice)| slice.has_ties()) {
            slices = self.read(chosen, Depth::All)?;
        }
        Ok(slices)
    }

    fn read(&self, chosen: &[Candidates], depth: Depth) -> Result<Vec<(u32, Slice)>, StoreError> {
        let schema = if depth == Depth::All { &self.all } else { &self.times };
        let mut slices = Vec::new();
        for (at, (run, candidates)) in self.runs.iter().zip(chosen).enumerate() {
            if !candidates.near.is_empty() {
                let batch = self.work.reading(|| run.read(schema, &candidates.near))?;
                self.work.looked_at(at, batch.num_rows());
                let slice = Slice::new(batch, &candidates.near, &self.columns, &self.encoder, depth)?;
                slices.push((at as u32, slice));
            }
        }
        Ok(slices)
    }

    /// Whether event time alone decides what is seen, but for ties.
    fn is_plain(&self) -> bool {
        self.columns.known_at.is_none()
            && self.columns.last_known.is_empty()
            && self.rule.availability == Availability::Declared
            && self.rule.as_known_at.is_none()
    }

    /// Matches the spine's rows of one key with the rows that were found of it.
    fn match_key(
        &self,
        slices: &[(u32, Slice)],
        found: &[(usize, Range<usize>)],
        rows: Range<usize>,
        times: &[i64],
        matches: &mut Matches,
    ) {
        let one = match found {
            [] => return,
            [(at, rows)] if self.is_plain() => slices.get(*at).map(|(run, slice)| (*run, slice, rows.clone())),
            _ => None,
        };
        let key_times = times.get(rows.clone()).unwrap_or_default();
        let plain = one.and_then(|(run, slice, group_rows)| {
            let of_group = slice.times(group_rows.clone())?;
            let has_ties = of_group
                .iter()
                .zip(of_group.iter().skip(1))
                .any(|(time, next)| time == next);
            (!has_ties).then_some((run, slice, group_rows.start, of_group))
        });
        match plain {
            Some((run, slice, start, of_group)) => {
                let mut happened = 0;
                for (row, time) in rows.zip(key_times) {
                    happened += past(of_group.get(happened..).unwrap_or_default(), *time, self.rule.boundary);
                    let newest = happened.checked_sub(1).and_then(|last| of_group.get(last));
                    let outcome = match newest {
                        None => Outcome::BeforeFirst,
                        Some(newest) if *newest < self.oldest(*time) => Outcome::Expired,
                        Some(_) => {
                            set(
                                &mut matches.chosen,
                                row,
                                (run, slice.place(start + happened - 1) as u32),
                            );
                            Outcome::Matched
                        }
                    };
                    set(&mut matches.outcomes, row, outcome);
                }
            }
            None => self.sweep_key(slices, found, rows, key_times, matches),
        }
    }

    /// The rule in full, with every clock.
    fn sweep_key(
        &self,
        slices: &[(u32, Slice)],
        found: &[(usize, Range<usize>)],
        rows: Range<usize>,
        times: &[i64],
        matches: &mut Matches,
    ) {
        let mut of_group: Vec<(usize, usize)> = Vec::new();
        for (at, rows) in found {
            of_group.extend(rows.clone().map(|row| (*at, row)));
        }
        let slice = |at: usize| slices.get(at).map(|(_, slice)| slice);
        if found.len() > 1 {
            // Each run's rows are in order already: sorting merges them.
            of_group.sort_by_cached_key(|(at, row)| slice(*at).map(|slice| slice.rank(*row)));
        }
        let moment = |(at, row): &(usize, usize)| slice(*at).map(|slice| slice.moment(*row, &self.rule));
        let moments: Vec<Moment> = of_group.iter().filter_map(moment).collect();
        let place = |seen: Option<usize>| {
            let (at, row) = *of_group.get(seen?)?;
            let (run, slice) = slices.get(at)?;
            Some((*run, slice.place(row) as u32))
        };
        let seen = sweep(&moments, times.iter().copied(), self.kind, &self.rule);
        for (row, seen) in rows.clone().zip(seen) {
            set(&mut matches.outcomes, row, seen.outcome);
            set(&mut matches.chosen, row, place(seen.row).unwrap_or(NOTHING));
            matches.tied += u64::from(seen.tied);
        }
        for (column, filled) in self.columns.last_known.iter().zip(&mut matches.filled) {
            let has_value = |at: usize| {
                of_group
                    .get(at)
                    .is_some_and(|(at, row)| slice(*at).is_some_and(|slice| slice.has_value(column, *row)))
            };
            let seen = sweep_values(&moments, has_value, times.iter().copied(), self.kind, &self.rule);
            for (row, seen) in rows.clone().zip(seen) {
                set(filled, row, place(seen).unwrap_or(NOTHING));
            }
        }
    }

    /// Names the outcome of rows that saw nothing for want of rows that are near in time: were there others of the key?
    fn settle(&self, chosen: &[Candidates], spine: &SpineRows<'_>, matches: &mut Matches) -> Result<(), StoreError> {
        let unsettled = |outcome: &Outcome| matches!(outcome, Outcome::UnknownEntity | Outcome::BeforeFirst);
        if chosen.iter().all(|of| of.stale.is_empty() && of.late.is_empty()) || !matches.outcomes.iter().any(unsettled)
        {
            return Ok(());
        }
        for (at, (run, candidates)) in self.runs.iter().zip(chosen).enumerate() {
            for (places, is_stale) in [(&candidates.stale, true), (&candidates.late, false)] {
                if places.is_empty() {
                    continue;
                }
                let keys: Vec<usize> = (0..self.columns.keys.len()).collect();
                let batch = self
                    .work
                    .reading(|| run.read(&Arc::new(self.times.project(&keys)?), places))?;
                self.work.looked_at(at, batch.num_rows());
                let keys = self.columns.keys.iter().zip(batch.columns());
                let keys = keys
                    .map(|(name, key)| plain_key(name, key))
                    .collect::<Result<Vec<_>, _>>()?;
                let there = self.encoder.stretches(&keys)?;
                let mut cursor = 0;
                for stretch in 0..spine.stretches.len() {
                    let key = spine.stretches.key(stretch);
                    cursor = there.seek(cursor, key);
                    if there.key(cursor) != key {
                        continue;
                    }
                    for row in spine.stretches.rows(stretch) {
                        let Some(outcome) = matches.outcomes.get_mut(row) else {
                            continue;
                        };
                        match *outcome {
                            Outcome::UnknownEntity | Outcome::BeforeFirst if is_stale => *outcome = Outcome::Expired,
                            Outcome::UnknownEntity => *outcome = Outcome::BeforeFirst,
                            _ => {}
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// The oldest event time that still counts at `time`.
    fn oldest(&self, time: i64) -> i64 {
        self.rule
            .max_age
            .map_or(i64::MIN, |age| time.saturating_sub(age.micros()))
    }
}

/// How many of these event times, which ascend, have happened at a time.
fn past(times: &[i64], at: i64, boundary: Boundary) -> usize {
    let has_happened = |time: &i64| match boundary {
        Boundary::Inclusive => *time <= at,
        Boundary::Exclusive => *time < at,
    };
    // Most often the next few: look there first.
    let mut end = 1;
    while end < times.len() && times.get(end - 1).is_some_and(has_happened) {
        end *= 2;
    }
    let from = end / 2;
    let window = times.get(from..end.min(times.len())).unwrap_or_default();
    from + window.partition_point(has_happened)
}

/// Whether a block's bounds allow one of these keys. `from` is the first key that is not before the last block.
fn may_hold(block: &Block, keys: &Stretches, from: &mut usize) -> bool {
    let Some((least, greatest)) = &block.keys else {
        return true;
    };
    // The bounds are of the first key column, whose encoding a key begins with.
    *from = keys.seek(*from, least);
    *from < keys.len() && {
        let key = keys.key(*from);
        key.get(..greatest.len()).unwrap_or(key) <= greatest.as_ref()
    }
}

/// Whether, of two neighbouring blocks that hold one and the same key, the second has a row from before this time that is newer than
/// every row of the first.
fn hides(next: &Block, block: &Block, before: i64) -> bool {
    let (Some((least, greatest)), Some((next_least, next_greatest))) = (&block.keys, &next.keys) else {
        return false;
    };
    let is_one_key = least == greatest && greatest == next_least && next_least == next_greatest;
    let is_newer = || match (block.times, next.times) {
        (Some((_, newest)), Some((first, _))) => newest < first && first < before,
        _ => false,
    };
    is_one_key && is_newer()
}

/// Appends rows that come after all others.
fn extend(stretches: &mut Vec<Range<usize>>, rows: &Range<usize>) {
    match stretches.last_mut() {
        Some(last) if last.end == rows.start => last.end = rows.end,
        _ => stretches.push(rows.clone()),
    }
}

fn set<T>(all: &mut [T], place: usize, value: T) {
    if let Some(slot) = all.get_mut(place) {
        *slot = value;
    }
}
