//! Derived groups: features that are declared over the rows of other groups instead of being ingested.
//!
//! `kernel` computes declared features from rows in order. `materialize` keeps a derived group's table up to date with its sources
//! (`source`): `features` is what a definition asks of the kernel, `touched` which rows have to be computed, `rows`, `joined`, `encoded` and `stretch`
//! bring their sources' rows, `columns` and `latest` make derived rows of them, `expected` holds these against what the group expects,
//! `writer` and `commit` put them into the table, with a `receipt` and what was `seen`.
//! `query` computes groups that are declared in SQL.

mod calendar;
mod columns;
mod commit;
mod encoded;
mod expected;
mod features;
mod joined;
mod kernel;
mod latest;
mod materialize;
mod query;
mod receipt;
mod rows;
mod seen;
mod source;
mod stretch;
mod touched;
mod writer;

pub use calendar::calendar_column;
pub use kernel::{
    Aggregate, CalendarPart, Computation, Filling, Operand, OrderedRows, Reach, Segment, compute_features, reach_of,
    types_of,
};
pub use materialize::{
    Extent, MaterializeProgress, MaterializeRequest, Materialized, OnMaterializeProgress, materialize,
};
pub use query::{check_query, sql_schema};
pub use seen::SeenSource;

pub(crate) use seen::{materializations, removals};

#[cfg(test)]
mod tests;
