//! The contract, line by line, with its own words for names.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may"
)]

mod keys;
mod known;
mod naive;
mod operator;
mod outcomes;
mod property;
mod rows;
pub(crate) mod table;

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, TimestampMicrosecondArray};
use arrow::compute::{concat, concat_batches};
use arrow::datatypes::TimestampMicrosecondType;
use definitions::{Availability, Boundary, KnownAt};

use self::table::{cells, group_table, table};
use super::group::Group;
use super::joins::{Joins, Limits, Member};
use super::run::{Materialized, Run};
use super::spine::Spine;
use super::{GroupColumns, JoinRule, Outcome, OutcomeCounts};
use crate::StoreError;

/// The spine as a join sees it.
struct SpineKeys {
    keys: Vec<(String, ArrayRef)>,
    times: Vec<i64>,
}

/// A join's whole result.
struct Whole {
    values: RecordBatch,
    outcomes: Vec<Outcome>,
    counts: OutcomeCounts,
}

/// How the group's rows lie, and how the work is cut: it must not matter.
#[derive(Debug, Clone, Copy)]
struct Layout {
    /// Rows are dealt to so many runs.
    runs: usize,
    /// Rows in a block.
    block_rows: usize,
    /// Whether runs are Parquet files.
    in_files: bool,
    /// The memory for what is kept, where there is a limit; a little more than what a spine row needs is enough.
    memory: Option<usize>,
    limits: Limits,
}

impl Layout {
    fn blocks_of(block_rows: usize) -> Self {
        let limits = Limits {
            spine_rows: 1_000,
            chunk_rows: 1_000,
            group_rows: 1_000,
            threads: 2,
        };
        Self {
            runs: 1,
            block_rows,
            in_files: false,
            memory: None,
            limits,
        }
    }

    fn run(&self, rows: RecordBatch, columns: &GroupColumns) -> Result<Run, StoreError> {
        if !self.in_files {
            return Run::new(Materialized::of_batch(rows), columns, self.block_rows);
        }
        Run::new(self.in_file(&rows), columns, self.block_rows)
    }

    fn in_file(&self, rows: &RecordBatch) -> Materialized {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let properties = parquet::file::properties::WriterProperties::builder()
            .set_data_page_row_count_limit(self.block_rows)
            .set_write_batch_size(self.block_rows)
            .set_max_row_group_row_count(Some(self.block_rows * 3))
            .build();
        let handle = file.reopen().expect("a file");
        let mut writer =
            parquet::arrow::ArrowWriter::try_new(handle, rows.schema(), Some(properties)).expect("a writer");
        writer.write(rows).expect("written");
        writer.close().expect("closed");
        Materialized::of_file(file.path(), &rows.schema()).expect("rows")
    }
}

/// Joins rows in total order to a spine.
fn match_rows(
    spine: &SpineKeys,
    group: &[RecordBatch],
    columns: &GroupColumns,
    rule: JoinRule,
    layout: Layout,
) -> Result<Whole, StoreError> {
    let schema = group.first().expect("a schema").schema();
    let all = concat_batches(&schema, group)?;
    let dealt = |run: usize| {
        let rows: arrow::array::UInt32Array = (0..all.num_rows() as u32)
            .filter(|row| *row as usize % layout.runs == run)
            .collect::<Vec<_>>()
            .into();
        layout.run(arrow::compute::take_record_batch(&all, &rows)?, columns)
    };
    let runs = (0..layout.runs).map(dealt).collect::<Result<Vec<_>, _>>()?;
    let member = Member {
        group: Group::new(&schema, Arc::new(runs), columns.clone(), rule)?,
        on: spine.keys.iter().map(|(name, _)| name.clone()).collect(),
    };
    let times = TimestampMicrosecondArray::from(spine.times.clone()).with_timezone("UTC");
    let columns_of_spine = spine
        .keys
        .iter()
        .cloned()
        .chain([("spine_time".to_owned(), Arc::new(times) as ArrayRef)]);
    let rows = RecordBatch::try_from_iter_with_nullable(columns_of_spine.map(|(name, array)| (name, array, true)))?;
    let rows = if layout.in_files {
        layout.in_file(&rows)
    } else {
        Materialized::of_batch(rows)
    };
    let of_spine = Spine::new(Arc::new(rows), "spine_time".to_owned())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryConsumer, MemoryPool, UnboundedMemoryPool};
        use futures::TryStreamExt;
        let pool: Arc<dyn MemoryPool> = match layout.memory {
            Some(bytes) => Arc::new(GreedyMemoryPool::new(bytes)),
            None => Arc::new(UnboundedMemoryPool::default()),
        };
        let memory = MemoryConsumer::new("test").register(&pool);
        let joins = Arc::new(Joins::new(of_spine, vec![member], layout.limits, memory)?);
        let stretches: Vec<_> = joins.rows().try_collect().await?;
        assert_eq!(pool.reserved(), 0, "what was kept is gone");
        let mut whole = Whole {
            values: RecordBatch::new_empty(Arc::new(schema.project(&values_at(&schema, columns))?)),
            outcomes: Vec::new(),
            counts: OutcomeCounts::default(),
        };
        let mut pieces: Vec<Vec<ArrayRef>> = vec![Vec::new(); columns.values.len()];
        for stretch in stretches {
            assert_eq!(stretch.rows.start, whole.outcomes.len(), "stretches are in order");
            whole.counts = whole.counts.and(stretch.counts()[0]);
            whole.outcomes.extend(&stretch.outcomes[0]);
            for (all, piece) in pieces.iter_mut().zip(&stretch.columns) {
                all.push(piece.clone());
            }
        }
        if !spine.times.is_empty() {
            let column = |pieces: Vec<ArrayRef>| concat(&pieces.iter().map(AsRef::as_ref).collect::<Vec<_>>());
            let arrays = pieces.into_iter().map(column).collect::<Result<Vec<_>, _>>()?;
            let fields = columns.values.iter().zip(&arrays);
            let fields: Vec<_> = fields
                .map(|(name, array)| arrow::datatypes::Field::new(name, array.data_type().clone(), true))
                .collect();
            whole.values = RecordBatch::try_new(Arc::new(arrow::datatypes::Schema::new(fields)), arrays)?;
        }
        Ok(whole)
    })
}

fn values_at(schema: &arrow::datatypes::Schema, columns: &GroupColumns) -> Vec<usize> {
    columns
        .values
        .iter()
        .map(|name| schema.index_of(name).expect("a value"))
        .collect()
}

/// A join as text. Keys are `host`, times `ts`, and the group gives `v`, unless it says otherwise.
#[derive(Clone, Copy)]
struct Case<'a> {
    spine: &'a str,
    group: &'a str,
    /// Spine column -> key column of the group, `host` or `origin=airport`, divided by white space.
    on: &'a str,
    is_static: bool,
    known_at: Option<&'a str>,
    values: &'a str,
    last_known: &'a str,
    rule: JoinRule,
}

impl Default for Case<'_> {
    fn default() -> Self {
        let rule = JoinRule::default();
        Self {
            spine: "",
            group: "",
            on: "host",
            is_static: false,
            known_at: None,
            values: "v",
            last_known: "",
            rule,
        }
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn spine_keys(spine: &RecordBatch, on: &str) -> SpineKeys {
    let names = on
        .split_whitespace()
        .map(|pair| pair.split_once('=').map_or(pair, |(spine, _)| spine));
    SpineKeys {
        keys: names
            .map(|name| (name.to_owned(), spine.column_by_name(name).expect("a key").clone()))
            .collect(),
        times: spine
            .column_by_name("ts")
            .expect("ts")
            .as_primitive::<TimestampMicrosecondType>()
            .values()
            .to_vec(),
    }
}

impl Case<'_> {
    fn columns(&self) -> GroupColumns {
        let keys = self
            .on
            .split_whitespace()
            .map(|pair| pair.split_once('=').map_or(pair, |(_, group)| group).to_owned());
        GroupColumns {
            group: "metrics:v1".to_owned(),
            keys: keys.collect(),
            event_time: (!self.is_static).then(|| "ts".to_owned()),
            known_at: self.known_at.map(str::to_owned),
            values: words(self.values),
            last_known: words(self.last_known),
        }
    }

    fn try_join(&self, batch_rows: usize) -> Result<Whole, StoreError> {
        let group = group_table(self.group);
        let batches: Vec<RecordBatch> = (0..group.num_rows().max(1))
            .step_by(batch_rows)
            .map(|from| group.slice(from, batch_rows.min(group.num_rows() - from)))
            .collect();
        match_rows(
            &spine_keys(&table(self.spine), self.on),
            &batches,
            &self.columns(),
            self.rule,
            Layout::blocks_of(batch_rows),
        )
    }

    /// Checks what each spine row gets (its values, then its outcome), whatever the batches, and how many matches were ties.
    fn gives(&self, expected: &str, ties: u64) {
        let expected: Vec<Vec<String>> = expected.lines().map(words).filter(|line| !line.is_empty()).collect();
        for batch_rows in [1, 2, 3, 1000] {
            let joined = self.try_join(batch_rows).expect("a join");
            let rows = joined.outcomes.len();
            let mut found = cells(&joined.values);
            for (line, outcome) in found.iter_mut().zip(&joined.outcomes) {
                line.push(word(*outcome).to_owned());
            }
            assert_eq!(found, expected, "in batches of {batch_rows}");
            assert_eq!(joined.counts.tied, ties, "ties, in batches of {batch_rows}");
            assert_eq!(joined.counts.rows(), rows as u64);
        }
    }

    fn refused(&self) -> String {
        match self.try_join(1000) {
            Ok(_) => panic!("the join was not refused"),
            Err(error) => error.to_string(),
        }
    }
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Matched => "matched",
        Outcome::UnknownEntity => "unknown",
        Outcome::BeforeFirst => "before",
        Outcome::Expired => "expired",
        Outcome::NotYetKnown => "unseen",
    }
}

fn within(micros: i64) -> JoinRule {
    JoinRule {
        max_age: definitions::Duration::from_micros(micros),
        ..JoinRule::default()
    }
}
