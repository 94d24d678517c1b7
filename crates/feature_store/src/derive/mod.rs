//! Derived groups: features that are declared over the rows of other groups instead of being ingested.
//!
//! `kernel` computes declared features from rows in order. `materialize` keeps a derived group's table up to date with its sources:
//! `features` is what a definition asks of the kernel, `touched` which rows have to be computed, `rows` and `stretch` bring their
//! sources' rows, `columns` and `latest` make derived rows of them, `writer` and `commit` put these into the table, with what was `seen`.
//! `sql` says whether the SQL of a group depends on its rows alone.

mod columns;
mod commit;
mod features;
mod kernel;
mod latest;
mod materialize;
mod rows;
mod seen;
mod sql;
mod stretch;
mod touched;
mod writer;

pub use kernel::{
    Aggregate, CalendarPart, Computation, Filling, Operand, OrderedRows, Reach, Segment, compute_features, reach_of,
    types_of,
};
pub use materialize::{
    Extent, MaterializeProgress, MaterializeRequest, Materialized, OnMaterializeProgress, materialize,
};
pub use seen::SeenSource;
pub use sql::sql_schema;

#[cfg(test)]
mod tests;
