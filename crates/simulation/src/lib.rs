//! A simulated fleet of servers, for the demonstration, tests and benchmarks: the same seed gives the same rows on any machine.
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fleet { pub hosts: u32, pub days: u32, pub seed: u64, pub start: i64 }
