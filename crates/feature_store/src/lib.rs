//! The feature store: feature groups as Delta tables, ingestion into them, reading them at a pinned version, the point-in-time
//! join, and the training datasets made of it.
//!
//! Everything here takes definitions and pins and gives artefacts and receipts. It never reads or writes the registry, never asks
//! for the time, and never overwrites a row: a correction is a new row that is known later.
//!
//! Reading order: `storage` says how a group lies on disk and what a pin is, `scan` reads a pin in one total order, `ingest` brings
//! files in, `expect` holds them against what the group expects, `derive` computes groups from others, `history`, `periods`, `blame` (with `entity`),
//! `statistics`, `late`, `maintenance` and `forget` look after the table, `query` is SQL over all groups; `point_in_time`, `split`, `fingerprint` and
//! `dataset` make training datasets; `drift` says how far apart two samples are, `report` what a page about a dataset is drawn from; `export` writes
//! rows for other programs.

mod blame;
mod condition;
pub mod derive;
mod encoding;
mod entity;
mod error;
pub mod expect;
pub mod export;
mod forget;
mod history;
pub mod ingest;
mod late;
mod maintenance;
mod periods;
pub mod query;
mod scan;
mod statistics;
mod storage;
mod threads;

pub mod dataset;
pub mod drift;
mod fingerprint;
pub mod point_in_time;
pub mod report;
pub mod split;

pub use blame::{Blame, BlamedValue, Origin, Revision, blame};
pub use condition::Condition;
pub use derive::{
    Aggregate, CalendarPart, Computation, Filling, Operand, OrderedRows, Reach, Segment, calendar_column, check_query,
    compute_features, reach_of, sql_schema, types_of,
};
pub use entity::Entity;
pub use error::{Location, Reason, StoreError, Violation, Violations};
pub use fingerprint::{ContentHasher, combine, declared_type};
pub use forget::{
    ForgetReach, ForgetReceipt, Traced, derived_from, forget, forget_in_file, forget_in_quarantine, forget_quarantine,
    is_behind_removals, rows_of_entity,
};
pub use history::{Change, history};
pub use ingest::sample_file;
pub use late::{IngestionLateness, LateRow, Lateness, late_rows};
pub use maintenance::{COMPACTED_BYTES, CompactionReceipt, RemovedFile, VacuumRequest, compact, vacuum};
pub use periods::{VALID_FROM, VALID_TO};
pub use scan::{GroupScan, collect_group, scan_group};
pub use statistics::{GroupStatistics, group_statistics};
pub use storage::{
    GroupPin, INGEST_ID, KNOWN_AT, PinAt, PinnedFile, ROW_NUMBER, Store, arrow_type, create_table, group_schema,
    pin_group,
};

#[cfg(test)]
mod tests;
