//! The merge: the group's stream is cut into keys, and each key that the spine has is swept.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Int64Type, Schema, SchemaRef, TimestampMicrosecondType};
use arrow::row::OwnedRow;
use definitions::Availability;

use super::joined::{Kept, NOTHING, Place};
use super::keys::{KeyEncoder, Keys, SortedSpine, plain_key};
use super::sweep::{Kind, Moment, Seen, sweep, sweep_values};
use super::{GroupColumns, JoinRule, Joined, Outcome, OutcomeCounts, SpineKeys};
use crate::{INGEST_ID, KNOWN_AT, ROW_NUMBER, StoreError};

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

/// Where a group's columns stand in its batches.
struct Layout {
    schema: SchemaRef,
    keys: Vec<usize>,
    event_time: Option<usize>,
    known_at: Option<usize>,
    ingested_at: usize,
    ingest_id: usize,
    row_number: usize,
    values: Vec<usize>,
}

/// Rows of the group that are looked at together: whole keys, but for the last one.
struct Window {
    batch: RecordBatch,
    keys: Keys,
    event_time: Option<TimestampMicrosecondArray>,
    known_at: Option<TimestampMicrosecondArray>,
    ingested_at: TimestampMicrosecondArray,
    ingest_id: Int64Array,
    row_number: Int64Array,
}

impl Join {
    /// A join of a group with this schema to a spine.
    ///
    /// # Errors
    /// `KeyType` when a key column has another type than the spine's column; `UnknownColumn` when the schema misses a column.
    pub fn new(spine: &SpineKeys, schema: &Schema, group: GroupColumns, rule: JoinRule) -> Result<Self, StoreError> {
        let layout = Layout::new(schema, &group)?;
        let mut keys = Vec::new();
        for (at, (name, array)) in layout.keys.iter().zip(&spine.keys) {
            let key = plain_key(name, array)?;
            let field = schema.field(*at);
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
        let rows = spine.times.len();
        if keys.len() != layout.keys.len() || keys.is_empty() || keys.iter().any(|key| key.len() != rows) {
            return Err(StoreError::SpineShape { group: group.group, keys: keys.len(), wanted: layout.keys.len() });
        }
        let types: Vec<DataType> = keys.iter().map(|key| key.data_type().clone()).collect();
        let encoder = KeyEncoder::new(&types)?;
        let spine = SortedSpine::new(encoder.encode(&keys)?, spine.times.clone());
        let filled = layout.filled(&group).map(|at| (at, vec![NOTHING; rows])).collect();
        Ok(Self {
            kind: if group.event_time.is_some() { Kind::Timed } else { Kind::Static },
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
            return Err(StoreError::RowsLost { group: self.group.group, spine, joined: self.counts.rows() });
        }
        let Self { kept, places, filled, outcomes, counts, .. } = self;
        Ok(Joined { kept, places, filled, outcomes, counts })
    }

    fn encode(&self, batch: &RecordBatch) -> Result<Keys, StoreError> {
        let columns = self.layout.keys.iter().zip(&self.group.keys);
        let columns = columns.map(|(at, name)| plain_key(name, batch.column(*at))).collect::<Result<Vec<_>, _>>()?;
        self.encoder.encode(&columns)
    }

    /// Matches every whole key among the open rows, and leaves those of `last_key` open, of which more may come.
    fn match_open(&mut self, last_key: Option<&OwnedRow>) -> Result<(), StoreError> {
        let open = std::mem::take(&mut self.open);
        let Some(first) = open.first() else { return Ok(()) };
        let batch = if open.len() == 1 { first.clone() } else { concat_batches(&first.schema(), &open)? };
        let keys = self.encode(&batch)?;
        let window = self.layout.window(batch, keys)?;
        let mut kept = Vec::new();
        let mut closed = None;
        let runs = window.runs(&self.group.group)?;
        let first = runs.first().and_then(|run| window.keys.get(run.start));
        if self.closed_key.as_ref().is_some_and(|closed| first.is_some_and(|first| first <= closed.row())) {
            return Err(StoreError::OrderBroken { group: self.group.group.clone() });
        }
        for run in runs {
            let Some(key) = window.keys.get(run.start) else { continue };
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
        let moments: Vec<Moment> = run.clone().map(|row| self.moment(window, row)).collect();
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
        let mut keeper = Keeper { places: vec![None; moments.len()], run_start: run.start, kept };
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

    fn moment(&self, window: &Window, row: usize) -> Moment {
        let has_time = window.event_time.as_ref().is_none_or(|times| times.is_valid(row));
        let event_time = window.event_time.as_ref().map_or(i64::MIN, |times| times.value(row));
        let ingested_at = window.ingested_at.value(row);
        let mut known_from = Some(i64::MIN);
        if let Some(declared) = &window.known_at {
            known_from = declared.is_valid(row).then(|| declared.value(row));
        }
        if self.rule.availability == Availability::Ingested {
            known_from = known_from.map(|known| known.max(ingested_at));
        }
        if self.rule.as_known_at.is_some_and(|limit| ingested_at > limit.0) {
            known_from = None;
        }
        // Ingest refuses rows without event time; one that is there all the same is never seen.
        if has_time { Moment { event_time, known_from } } else { Moment { event_time: i64::MAX, known_from: None } }
    }
}

/// Gives each row that is seen one place among the kept ones, however many spine rows see it.
struct Keeper<'a> {
    places: Vec<Option<Place>>,
    run_start: usize,
    kept: &'a mut Vec<u64>,
}

impl Keeper<'_> {
    fn place(&mut self, row: Option<usize>, kept: &Kept) -> Place {
        let Some((row, slot)) = row.and_then(|row| Some((row, self.places.get_mut(row)?))) else { return NOTHING };
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

impl Layout {
    /// Finds the columns; batches are cut down to these, in this order, by `project`.
    fn new(schema: &Schema, group: &GroupColumns) -> Result<Self, StoreError> {
        let place = |name: &str, all: &mut Vec<String>| match all.iter().position(|known| known == name) {
            Some(at) => at,
            None => {
                all.push(name.to_owned());
                all.len() - 1
            }
        };
        let mut all = Vec::new();
        let keys = group.keys.iter().map(|name| place(name, &mut all)).collect();
        let event_time = group.event_time.as_ref().map(|name| place(name, &mut all));
        let known_at = group.known_at.as_ref().map(|name| place(name, &mut all));
        let [ingested_at, ingest_id, row_number] = [KNOWN_AT, INGEST_ID, ROW_NUMBER].map(|name| place(name, &mut all));
        let values = group.values.iter().map(|name| place(name, &mut all)).collect();
        let schema = Arc::new(schema.project(&columns_of(schema, &all, &group.group)?)?);
        Ok(Self { schema, keys, event_time, known_at, ingested_at, ingest_id, row_number, values })
    }

    /// The places among the values of the columns that are filled.
    fn filled<'a>(&self, group: &'a GroupColumns) -> impl Iterator<Item = usize> + 'a {
        group.values.iter().enumerate().filter(|(_, name)| group.last_known.contains(name)).map(|(at, _)| at)
    }

    /// The columns of a batch that count, in the layout's order.
    fn project(&self, batch: &RecordBatch) -> Result<RecordBatch, StoreError> {
        let columns = self.schema.fields().iter().map(|field| {
            let column = batch.column_by_name(field.name()).filter(|column| column.data_type() == field.data_type());
            column.cloned().ok_or_else(|| StoreError::UnsupportedType {
                column: field.name().clone(),
                found: "another type than the group's schema says".to_owned(),
            })
        });
        Ok(RecordBatch::try_new(self.schema.clone(), columns.collect::<Result<Vec<ArrayRef>, _>>()?)?)
    }

    fn window(&self, batch: RecordBatch, keys: Keys) -> Result<Window, StoreError> {
        let times = |at: usize| -> Result<TimestampMicrosecondArray, StoreError> {
            batch.column(at).as_primitive_opt::<TimestampMicrosecondType>().cloned().ok_or_else(|| wrong_type(&batch, at))
        };
        let numbers = |at: usize| -> Result<Int64Array, StoreError> {
            batch.column(at).as_primitive_opt::<Int64Type>().cloned().ok_or_else(|| wrong_type(&batch, at))
        };
        Ok(Window {
            keys,
            event_time: self.event_time.map(times).transpose()?,
            known_at: self.known_at.map(times).transpose()?,
            ingested_at: times(self.ingested_at)?,
            ingest_id: numbers(self.ingest_id)?,
            row_number: numbers(self.row_number)?,
            batch,
        })
    }
}

fn wrong_type(batch: &RecordBatch, at: usize) -> StoreError {
    let schema = batch.schema();
    let field = schema.field(at);
    StoreError::UnsupportedType { column: field.name().clone(), found: field.data_type().to_string() }
}

fn columns_of(schema: &Schema, names: &[String], group: &str) -> Result<Vec<usize>, StoreError> {
    let find = |name: &String| {
        schema.index_of(name).map_err(|_| StoreError::UnknownColumn { group: group.to_owned(), column: name.clone() })
    };
    names.iter().map(find).collect()
}

impl Window {
    /// The stretches of rows with one key each; rows with a NULL in the key are in none.
    fn runs(&self, group: &str) -> Result<Vec<Range<usize>>, StoreError> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        let mut before: Option<usize> = None;
        for row in 0..self.keys.len() {
            let Some(key) = self.keys.get(row) else { continue };
            let previous = before.and_then(|before| Some((before, self.keys.get(before)?)));
            before = Some(row);
            match (previous, runs.last_mut()) {
                (Some((last, same)), Some(run)) if same == key && last + 1 == row => {
                    if self.is_after(last, row) {
                        return Err(StoreError::OrderBroken { group: group.to_owned() });
                    }
                    run.end = row + 1;
                }
                (Some((_, larger)), _) if larger >= key => {
                    return Err(StoreError::OrderBroken { group: group.to_owned() });
                }
                _ => runs.push(row..row + 1),
            }
        }
        Ok(runs)
    }

    /// Whether a row belongs after the next one of the same key.
    fn is_after(&self, row: usize, next: usize) -> bool {
        let event_time = |row: usize| self.event_time.as_ref().map(|times| times.value(row));
        let declared = |row: usize| self.known_at.as_ref().map(|known| known.is_valid(row).then(|| known.value(row)));
        let ingestion =
            |row: usize| (self.ingested_at.value(row), self.ingest_id.value(row), self.row_number.value(row));
        match event_time(row).cmp(&event_time(next)) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Greater => true,
            // A NULL is never known, so it does not matter on which side of the others it stands.
            std::cmp::Ordering::Equal => match (declared(row), declared(next)) {
                (Some(None), Some(Some(_))) | (Some(Some(_)), Some(None)) => false,
                (a, b) => (a, ingestion(row)) > (b, ingestion(next)),
            },
        }
    }
}
