//! Derived groups: features that are declared over the rows of other groups instead of being ingested.
//!
//! `kernel` computes declared features from rows in order.

mod kernel;

pub use kernel::{
    Aggregate, CalendarPart, Computation, Filling, Operand, OrderedRows, Reach, Segment, compute_features, reach_of,
    types_of,
};
