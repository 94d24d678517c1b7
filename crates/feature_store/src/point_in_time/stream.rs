//! The merge: the group's stream is cut into keys, and each key that the spine has is swept.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Schema};
use arrow::row::OwnedRow;

use super::joined::{Kept, NOTHING, Place};
use super::keys::{KeyEncoder, Keys, SortedSpine, plain_key};
use super::sweep::{Kind, Moment, Seen, sweep, sweep_values};
use super::window::{Layout, Window};
use super::{GroupColumns, JoinRule, Joined, Outcome, OutcomeCounts, SpineKeys};
use crate::StoreError;

/// A join on its way: push the group's rows in total order, then finish.
pub struct Join {
    group: GroupColumns,
    rule: JoinRule,
    kind: Kind,
    layout: Layout,
    encoder: KeyEncoder,
    spine: SortedSpine,
    /// Rows of the last key seen so far: more of them may come.
    open: Vec<RecordBatch>,
    open_key: Option<OwnedRow>,
    /// The last key that has been matched: every further one is larger.
    closed_key: Option<OwnedRow>,
    kept: Kept,
    places: Vec<Place>,
    filled: Vec<(usize, Vec<Place>)>,
    outcomes: Vec<Outcome>,
    counts: OutcomeCounts,
}

impl Join {
    /// A join of a group with this schema to a spine.
    ///
    /// # Errors
    /// `KeyType` when a key column has another type than the spine's column; `UnknownColumn` when the schema misses a column.
    pub fn new(spine: &SpineKeys, schema: &Schema, group: GroupColumns, rule: JoinRule) -> Result<Self, StoreError> {
        let layout = Layout::new(schema, &group)?;
        let keys = spine_keys(spine, &layout, &group)?;
        let rows = spine.times.len();
        let types: Vec<DataType> = keys.iter().map(|key| key.data_type().clone()).collect();
        let encoder = KeyEncoder::new(&types)?;
        let spine = SortedSpine::new(encoder.encode(&keys)?, spine.times.clone());
        let filled = layout.filled(&group).map(|at| (at, vec![NOTHING; rows])).collect();
        Ok(Self {
            kind: if group.event_time.is_some() {
                Kind::Timed
            } else {
                Kind::Static
            },
            kept: Kept::new(&Arc::new(layout.schema.project(&layout.values)?))?,
            group,
            rule,
            layout,
            encoder,
            spine,
            open: Vec::new(),
            open_key: None,
            closed_key: None,
            places: vec![NOTHING; rows],
            filled,
            outcomes: vec![Outcome::UnknownEntity; rows],
            counts: OutcomeCounts::default(),
        })
    }

    /// Takes in the group's next rows.
    ///
    /// # Errors
    /// `OrderBroken` when the rows are not in total order.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let batch = self.layout.project(batch)?;
        let keys = self.encode(&batch)?;
        let all_open = match (&self.open_key, keys.get(0), keys.get(keys.len() - 1)) {
            (Some(open), Some(first), Some(last)) => open.row() == first && open.row() == last,
            _ => false,
        };
        let last_key = keys.get(keys.len() - 1).map(|key| key.owned());
        self.open.push(batch);
        if all_open {
            return Ok(());
        }
        self.match_open(last_key.as_ref())?;
        self.open_key = last_key;
        Ok(())
    }

    /// The result, once every row of the group has been pushed.
    ///
    /// # Errors
    /// `OrderBroken` as in [`Join::push`]; `RowsLost` if the outcomes do not sum to the spine's rows.
    pub fn finish(mut self) -> Result<Joined, StoreError> {
        self.match_open(None)?;
        self.kept.close_chunk()?;
        for outcome in &self.outcomes {
            self.counts.add(*outcome);
        }
        let (spine, joined) = (self.spine.len() as u64, self.places.len() as u64);
        if self.counts.rows() != spine || joined != spine {
            return Err(StoreError::RowsLost {
                group: self.group.group,
                spine,
                joined: self.counts.rows(),
            });
        }
        let Self {
            kept,
            places,
            filled,
            outcomes,
            counts,
            ..
        } = self;
        Ok(Joined {
            kept,
            places,
            filled,
            outcomes,
            counts,
        })
    }

    fn encode(&self, batch: &RecordBatch) -> Result<Keys, StoreError> {
        let columns = self.layout.keys.iter().zip(&self.group.keys);
        let columns = columns
            .map(|(at, name)| plain_key(name, batch.column(*at)))
            .collect::<Result<Vec<_>, _>>()?;
        self.encoder.encode(&columns)
    }

    /// Matches every whole key among the open rows, and leaves those of `last_key` open, of which more may come.
    fn match_open(&mut self, last_key: Option<&OwnedRow>) -> Result<(), StoreError> {
        let open = std::mem::take(&mut self.open);
        let Some(first) = open.first() else { return Ok(()) };
        let batch = if open.len() == 1 {
            first.clone()
        } else {
            concat_batches(&first.schema(), &open)?
        };
        let keys = self.encode(&batch)?;
        let window = self.layout.window(batch, keys)?;
        let mut kept = Vec::new();
        let mut closed = None;
        let runs = window.runs(&self.group.group)?;
        let first = runs.first().and_then(|run| window.keys.get(run.start));
        if self
            .closed_key
            .as_ref()
            .is_some_and(|closed| first.is_some_and(|first| first <= closed.row()))
        {
            return Err(StoreError::OrderBroken {
                group: self.group.group.clone(),
            });
        }
        for run in runs {
            let Some(key) = window.keys.get(run.start) else {
                continue;
            };
            if last_key.is_some_and(|last| last.row() == key) {
                self.open.push(copy(&window.batch.slice(run.start, run.len()))?);
                continue;
            }
            closed = Some(run.start);
            let stretch = self.spine.advance(&key);
            if !stretch.is_empty() {
                self.match_key(&window, &run, stretch, &mut kept);
            }
        }
        if let Some(key) = closed.and_then(|row| window.keys.get(row)) {
            self.closed_key = Some(key.owned());
        }
        self.kept.keep(&window.batch.project(&self.layout.values)?, kept)
    }

    /// Sweeps one key's rows for the spine's rows with that key.
    fn match_key(&mut self, window: &Window, run: &Range<usize>, stretch: Range<usize>, kept: &mut Vec<u64>) {
        let moments: Vec<Moment> = run.clone().map(|row| window.moment(row, &self.rule)).collect();
        let places = self.spine.places(stretch);
        let times = || places.iter().map(|place| self.spine.time(*place));
        let seen = sweep(&moments, times(), self.kind, &self.rule);
        let fills: Vec<Vec<Option<usize>>> = self
            .filled
            .iter()
            .map(|(at, _)| {
                let column = self.layout.values.get(*at).map(|column| window.batch.column(*column));
                let has_value = |row: usize| column.is_some_and(|column| column.is_valid(run.start + row));
                sweep_values(&moments, has_value, times(), self.kind, &self.rule)
            })
            .collect();
        let mut keeper = Keeper {
            places: vec![None; moments.len()],
            run_start: run.start,
            kept,
        };
        for (place, Seen { row, outcome, tied }) in places.iter().zip(seen) {
            set(&mut self.outcomes, *place, outcome);
            set(&mut self.places, *place, keeper.place(row, &self.kept));
            self.counts.tied += u64::from(tied);
        }
        for ((_, filled), rows) in self.filled.iter_mut().zip(fills) {
            for (place, row) in places.iter().zip(rows) {
                set(filled, *place, keeper.place(row, &self.kept));
            }
        }
    }
}

/// The spine's key columns, after checking that they are of the group's types.
fn spine_keys(spine: &SpineKeys, layout: &Layout, group: &GroupColumns) -> Result<Vec<ArrayRef>, StoreError> {
    let rows = spine.times.len();
    let mut keys = Vec::new();
    for (at, (name, array)) in layout.keys.iter().zip(&spine.keys) {
        let key = plain_key(name, array)?;
        let field = layout.schema.field(*at);
        let wanted = plain_type(field.name(), field.data_type())?;
        if key.data_type() != &wanted {
            return Err(StoreError::KeyType {
                group: group.group.clone(),
                key: field.name().clone(),
                wanted: wanted.to_string(),
                spine_column: name.clone(),
                found: key.data_type().to_string(),
            });
        }
        keys.push(key);
    }
    let wanted = layout.keys.len();
    if keys.len() != wanted || keys.is_empty() || keys.iter().any(|key| key.len() != rows) {
        return Err(StoreError::SpineShape {
            group: group.group.clone(),
            keys: spine.keys.len(),
            wanted,
        });
    }
    Ok(keys)
}

/// Gives each row that is seen one place among the kept ones, however many spine rows see it.
struct Keeper<'a> {
    places: Vec<Option<Place>>,
    run_start: usize,
    kept: &'a mut Vec<u64>,
}

impl Keeper<'_> {
    fn place(&mut self, row: Option<usize>, kept: &Kept) -> Place {
        let Some((row, slot)) = row.and_then(|row| Some((row, self.places.get_mut(row)?))) else {
            return NOTHING;
        };
        *slot.get_or_insert_with(|| {
            let place = kept.next(self.kept.len());
            self.kept.push((self.run_start + row) as u64);
            place
        })
    }
}

fn set<T>(all: &mut [T], place: usize, value: T) {
    if let Some(slot) = all.get_mut(place) {
        *slot = value;
    }
}

/// The same rows in memory of their own, so that the window they come from can be freed.
fn copy(batch: &RecordBatch) -> Result<RecordBatch, StoreError> {
    let rows: arrow::array::UInt64Array = (0..batch.num_rows() as u64).collect::<Vec<_>>().into();
    Ok(arrow::compute::take_record_batch(batch, &rows)?)
}

fn plain_type(name: &str, data_type: &DataType) -> Result<DataType, StoreError> {
    plain_key(name, &arrow::array::new_empty_array(data_type)).map(|array| array.data_type().clone())
}
