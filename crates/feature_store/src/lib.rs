//! The feature store: feature groups as Delta tables, ingestion into them, reading them at a pinned version, the point-in-time
//! join, and the training datasets made of it.
//!
//! Everything here takes definitions and pins and gives artefacts and receipts. It never reads or writes the registry, never asks
//! for the time, and never overwrites a row: a correction is a new row that is known later.
//!
//! Reading order: `storage` says how a group lies on disk and what a pin is, `scan` reads a pin in one total order, `ingest` brings
//! files in, `derive` computes groups from others, `history`, `statistics`, `late` and `maintenance` look after the table, `query` is SQL over all groups; `point_in_time`,
//! `split`, `fingerprint` and `dataset` make training datasets; `export` writes rows for other programs.

pub mod derive;
mod error;
pub mod export;
mod history;
pub mod ingest;
mod late;
mod maintenance;
pub mod query;
mod scan;
mod statistics;
mod storage;

pub mod dataset;
mod fingerprint;
pub mod point_in_time;
pub mod split;

pub use derive::{
    Aggregate, CalendarPart, Computation, Filling, Operand, OrderedRows, Reach, Segment, compute_features, reach_of,
    types_of,
};
pub use error::{Location, NullExcess, Reason, StoreError, Violation, Violations};
pub use fingerprint::{ContentHasher, combine, declared_type};
pub use history::{Change, history};
pub use ingest::sample_file;
pub use late::{IngestionLateness, LateRow, Lateness, late_rows};
pub use maintenance::{COMPACTED_BYTES, CompactionReceipt, RemovedFile, VacuumRequest, compact, vacuum};
pub use scan::{GroupScan, collect_group, scan_group};
pub use statistics::{GroupStatistics, group_statistics};
pub use storage::{
    GroupPin, INGEST_ID, KNOWN_AT, PinAt, PinnedFile, ROW_NUMBER, Store, arrow_type, create_table, group_schema,
    pin_group,
};

#[cfg(test)]
mod tests;
