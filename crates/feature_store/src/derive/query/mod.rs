//! Derived rows that a query gives: **its answer over the rows of its sources, in the order of key and event time.**
//!
//! ```text
//!   sources, from the first touched time less the lookback on ─ query ─ sort ─ those that are touched ─ files
//! ```
//!
//! A query may read any row, so what a row at t depends on is what its definition says: rows with event times from t - lookback to t + the
//! longest horizon of its features. Both ends count, as in `range between interval '1 hour' preceding and current row`. Where a definition
//! says too little, values would depend on what else was computed, and a later row might be seen before its time. So a computation of all
//! rows makes those of two times again, from nothing but the rows they may depend on, and a query that gives others is refused. Float sums over
//! sliding windows may differ in their last bits, for the engine takes away from a sum what leaves it, so numbers are compared to nine digits.
//!
//! A row is known when all rows are that it may depend on (`known`). Nothing is removed from a table, so a query that no longer gives a row
//! that it once gave is refused.
//!
//! Memory: what the query's plan holds, of which sorts go to disk beyond a limit.

mod columns;
mod known;
mod present;
mod probes;
mod sql;
mod table;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{Field, Schema, SchemaRef, TimestampMicrosecondType};
use arrow::row::OwnedRow;
use arrow::util::display::array_value_to_string;
use datafusion::common::TableReference;
use datafusion::logical_expr::ident;
use definitions::{Duration, EventTime, FeatureGroup};
use futures::{StreamExt, TryStreamExt};

use super::kernel::Reach;
use super::rows::{Rows, current_rows, read_columns};
use super::source::Source;
use super::touched::{Frame, Span, Touched, needed_for};
use super::writer::DerivedWriter;
use crate::error::plan_error;
use crate::ingest::nan_to_null;
use crate::query::{explain, failed, session_in};
use crate::storage::{SpillFolder, Store, spilling_context, stored_schema};
use crate::{GroupPin, StoreError, group_schema};

pub use columns::check_query;
pub use sql::sql_schema;

use known::LatestKnown;
use present::Present;
use probes::{Probe, Probes, rows_at};
use table::SourceTable;

/// Rows that are worked on at once.
const BATCH_ROWS: usize = 8_192;

/// A derived group's query, over its sources at their versions.
pub(super) struct Query<'a> {
    pub store: &'a Store,
    pub group: &'a FeatureGroup,
    pub sources: &'a [Source],
    /// What sorts may hold in memory, in bytes.
    pub memory: u64,
}

/// How far from a row's time the rows are that it may depend on, the ends included: that is a window whose beginning is a microsecond earlier.
pub(super) fn reach_of_query(group: &FeatureGroup) -> Reach {
    let lookback = group
        .derive
        .as_ref()
        .and_then(|derive| derive.lookback)
        .unwrap_or_default();
    let horizons = group.features.iter().filter_map(|feature| feature.horizon);
    Reach {
        back: Duration::from_micros(lookback.micros().saturating_add(1)),
        ahead: horizons.max().unwrap_or_default(),
    }
}

/// The same, as a frame.
pub(super) fn frame_of_query(reach: Reach) -> Frame {
    Frame {
        after: reach.back.map(|back| -back.micros()),
        upto: reach.ahead.micros(),
    }
}

/// What a source is called in the query: `server_metrics`, and `"server_metrics:v1"`.
fn names_of(source: &FeatureGroup) -> impl Iterator<Item = String> {
    [source.name.to_string(), source.reference().to_string()].into_iter()
}

impl Query<'_> {
    /// The query's answer over rows with event times in a span, in order, with the group's declared columns.
    async fn answer(&self, span: Span) -> Result<Rows, StoreError> {
        let doing = || format!("the query of `{}` could not be answered", self.group.reference());
        let folder = SpillFolder::new(self.store)?;
        let work = spilling_context(self.memory, 1, BATCH_ROWS, folder.path()).map_err(plan_error(doing()))?;
        let context = session_in(work.runtime_env());
        let mut names = Vec::new();
        for source in self.sources {
            let table = Arc::new(SourceTable::new(self.store, source, span)?);
            for name in names_of(&source.group) {
                let named = TableReference::bare(name.clone());
                context
                    .register_table(named, table.clone())
                    .map_err(plan_error(doing()))?;
                names.push(name);
            }
        }
        let sql = self
            .group
            .derive
            .as_ref()
            .and_then(|derive| derive.sql.as_deref())
            .unwrap_or_default();
        let refused = |error| explain(error, &names);
        let plan = context.state().create_logical_plan(sql).await.map_err(refused)?;
        let schema = group_schema(self.group)?;
        let columns = schema
            .fields()
            .iter()
            .map(|field| ident(field.name()).alias(field.name()));
        let order = identity_of(self.group)
            .into_iter()
            .map(|name| ident(name).sort(true, true))
            .collect();
        let rows = context.execute_logical_plan(plan).await.map_err(refused)?;
        let rows = rows.select(columns.collect::<Vec<_>>()).map_err(refused)?;
        let rows = rows.sort(order).map_err(plan_error(doing()))?;
        let rows = rows.execute_stream().await.map_err(failed)?;
        let typed = move |batch: RecordBatch| {
            // What was put on disk goes away with the stream.
            let _kept = &folder;
            std::future::ready(typed(&batch, &schema))
        };
        Ok(rows.map_err(failed).and_then(typed).boxed())
    }

    /// Writes the touched rows; gives the rows that were read of each source. `present` is the table as it is.
    ///
    /// # Errors
    /// [`StoreError::Queried`] where the answer cannot be the group's rows.
    pub async fn write(
        &self,
        writer: &mut DerivedWriter<'_>,
        touched: &Touched,
        present: &GroupPin,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Vec<u64>, StoreError> {
        let reach = reach_of_query(self.group);
        let span = needed_for(touched.hull(), reach).to_the_end();
        let (known, read) = LatestKnown::read(self.store, self.sources, span.begin()).await?;
        let columns = read_columns(self.group, &[]);
        let present = current_rows(self.store, self.group, present, &columns, touched.hull().begin()).await?;
        let mut present = Present::new(self.group, present)?;
        let mut probes = if span == Span::ALL {
            Probes::Waiting
        } else {
            Probes::None
        };
        let mut rows = self.answer(span).await?;
        let (total, mut last): (u64, Option<OwnedRow>) = (read.iter().sum(), None);
        while let Some(batch) = rows.try_next().await? {
            let times = self.times(&batch)?;
            let kept: BooleanArray = times.iter().map(|time| Some(touched.holds(*time))).collect();
            let keys = present.keys(&batch)?;
            for (row, (key, kept)) in keys.iter().zip(kept.values()).enumerate() {
                if last.as_ref().is_some_and(|last| last.row() == key) {
                    return Err(self.wrong(format!("two rows with {}", self.row_text(&batch, row)?), ONE_ROW));
                }
                last = Some(key.owned());
                if kept {
                    present
                        .pass(Some(key), touched)
                        .await?
                        .map_or(Ok(()), |row| Err(self.vanished(&row)))?;
                }
            }
            probes.see(&batch, &times)?;
            let batch = filter_record_batch(&self.stored(&batch, &times, &known, reach)?, &kept)?;
            writer.write(&batch).await?;
            progress(total, writer.rows());
        }
        present
            .pass(None, touched)
            .await?
            .map_or(Ok(()), |row| Err(self.vanished(&row)))?;
        for probe in probes.seen() {
            self.check(&probe, reach).await?;
        }
        Ok(read)
    }

    fn wrong(&self, problem: String, hint: &str) -> StoreError {
        StoreError::Queried {
            group: self.group.reference(),
            problem,
            hint: hint.to_owned(),
        }
    }

    fn vanished(&self, row: &str) -> StoreError {
        let problem = format!("no row with {row}, where it once gave one");
        self.wrong(
            problem,
            "keep the row: select …, case when … then … end, which is NULL otherwise",
        )
    }

    /// The event times of rows whose key and event time are not NULL.
    fn times(&self, batch: &RecordBatch) -> Result<Vec<i64>, StoreError> {
        let identity = identity_of(self.group);
        for name in &identity {
            let nulls = batch.column_by_name(name).and_then(|column| column.nulls().cloned());
            if let Some(row) = nulls.and_then(|nulls| nulls.iter().position(|is_there| !is_there)) {
                let row = self.row_text(batch, row)?;
                return Err(self.wrong(format!("a row without `{name}`: {row}"), "where … is not null"));
            }
        }
        let times = identity.last().and_then(|name| batch.column_by_name(name));
        let times = times.and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>());
        Ok(times.map(|times| times.values().to_vec()).unwrap_or_default())
    }

    /// `host = a, ts = 2026-01-01T00:00:00Z`
    fn row_text(&self, batch: &RecordBatch, row: usize) -> Result<String, StoreError> {
        row_text(&identity_of(self.group), batch, row)
    }

    /// With the hidden columns; the number of the ingestion and the rows' own are not known yet.
    fn stored(
        &self,
        batch: &RecordBatch,
        times: &[i64],
        known: &LatestKnown,
        reach: Reach,
    ) -> Result<RecordBatch, StoreError> {
        let known_at = times
            .iter()
            .map(|time| known.within(needed_for(Span::at(*time), reach)));
        let known_at: TimestampMicrosecondArray = known_at
            .map(|known| known.unwrap_or_default())
            .collect::<Vec<_>>()
            .into();
        let zeros: ArrayRef = Arc::new(Int64Array::from(vec![0; times.len()]));
        let mut columns = batch.columns().to_vec();
        columns.extend([Arc::new(known_at.with_timezone("UTC")), zeros.clone(), zeros] as [ArrayRef; 3]);
        Ok(RecordBatch::try_new(stored_schema(self.group)?, columns)?)
    }

    /// Makes the rows of one time again, from the rows alone that they may depend on.
    async fn check(&self, probe: &Probe, reach: Reach) -> Result<(), StoreError> {
        let time = probe.time;
        let near = needed_for(Span::at(time), reach);
        let mut again = Vec::new();
        let mut answer = self.answer(near).await?;
        while let Some(batch) = answer.try_next().await? {
            again.extend(rows_at(&batch, &self.times(&batch)?, time)?);
        }
        let Some(column) = probe.differing(&group_schema(self.group)?, &again)? else {
            return Ok(());
        };
        let lookback = self
            .group
            .derive
            .as_ref()
            .and_then(|derive| derive.lookback)
            .unwrap_or_default();
        let problem = format!(
            "other values of `{column}` at {} when it sees nothing but the rows from {lookback} before that time to {} after it",
            EventTime(time),
            reach.ahead
        );
        let hint = "state how far the query looks: a longer `lookback` in `[derive]`; of a label, its `horizon`";
        Err(self.wrong(problem, hint))
    }
}

const ONE_ROW: &str = "one row for each key and event time: group by them, or take the rows of one group as they are";

/// The columns of the key, and the event time.
fn identity_of(group: &FeatureGroup) -> Vec<String> {
    let keys = group.entity.iter().map(|column| column.name.to_string());
    keys.chain(group.event_time.iter().map(ToString::to_string)).collect()
}

fn row_text(identity: &[String], batch: &RecordBatch, row: usize) -> Result<String, StoreError> {
    let value = |name: &String| {
        let Some(column) = batch.column_by_name(name) else {
            return Ok(name.clone());
        };
        let value = match column
            .as_primitive_opt::<TimestampMicrosecondType>()
            .filter(|times| times.is_valid(row))
        {
            Some(times) => EventTime(times.value(row)).to_string(),
            None if column.is_null(row) => "NULL".to_owned(),
            None => array_value_to_string(column, row)?,
        };
        Ok(format!("{name} = {value}"))
    };
    Ok(identity
        .iter()
        .map(value)
        .collect::<Result<Vec<_>, StoreError>>()?
        .join(", "))
}

/// A batch of an answer in the declared types, NaN as NULL.
fn typed(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, StoreError> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| Ok(cast(column, field.data_type())?));
    let (columns, _) = nan_to_null(columns.collect::<Result<_, StoreError>>()?);
    // Whether a key is NULL is told with the row, so it may be here.
    let nullable = schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(true));
    let schema = Arc::new(Schema::new(nullable.collect::<Vec<Field>>()));
    Ok(RecordBatch::try_new(schema, columns)?)
}
