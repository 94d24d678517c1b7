//! What a user declares: feature groups, feature views and pipelines, written as TOML.
//!
//! This crate reads the text, refuses what is wrong with file, line, key, wanted, found and hint, and gives typed
//! definitions with fingerprints. It never opens a file, a table or the registry.
//!
//! Reading order: [`name`](Name) and [`time`](EventTime) hold the vocabulary, `feature_group`, `feature_view` and `pipeline` what is
//! declared, `parse` how text becomes it, `catalog` what must hold between definitions, `diff` what changed.

mod feature_group;
mod feature_view;
mod fingerprint;
mod name;
mod pipeline;
mod time;

pub use feature_group::*;
pub use feature_view::*;
pub use fingerprint::Fingerprint;
pub use name::*;
pub use pipeline::*;
pub use time::*;

/// Whose fault a failure is; it decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The input, the definition or a gate said no: exit code 1.
    Input,
    /// The platform failed: exit code 2.
    Platform,
}
