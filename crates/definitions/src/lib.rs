//! What a user declares: feature groups, feature views and pipelines, written as TOML.
//!
//! This crate reads the text, refuses what is wrong with file, line, key, wanted, found and hint, and gives typed
//! definitions with fingerprints. It never opens a file, a table or the registry.
//!
//! Reading order: [`name`](Name) and [`time`](EventTime) hold the vocabulary, `feature_group` with `expectation`, `derivation`, `feature_view`
//! and `pipeline` what is declared, `parse` how text becomes it, `problem` what can be wrong with it, `resolve` and `gap` what a view means once its
//! groups are known, `catalog` what must hold between definitions, `diff` what changed.

mod catalog;
mod derivation;
mod diff;
mod expectation;
mod feature_group;
mod feature_view;
mod fingerprint;
mod gap;
mod name;
mod nearest;
mod parse;
mod pipeline;
mod problem;
mod resolve;
mod time;

pub use catalog::Catalog;
pub use derivation::*;
pub use diff::diff_definitions;
pub use expectation::{Check, Expect, Expectation, GroupExpect, Level, Monotonic};
pub use feature_group::*;
pub use feature_view::*;
pub use fingerprint::{Fingerprint, canonical, fingerprint};
pub use gap::{GapSum, derive_gap, horizon_of};
pub use name::*;
pub use nearest::nearest;
pub use parse::{Parsed, parse_feature_group, parse_feature_view, parse_pipeline};
pub use pipeline::*;
pub use problem::{Problem, Problems};
pub use resolve::{KeyPair, ResolvedColumn, ResolvedPanel, ResolvedSelection, ResolvedView, Role, resolve_view};
pub use time::*;

/// Whose fault a failure is; it decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The input, the definition or a gate said no: exit code 1.
    Input,
    /// The platform failed: exit code 2.
    Platform,
}

/// For serde: a switch that is off leaves no trace in canonical JSON, so that a new one changes no fingerprint.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(switch: &bool) -> bool {
    !switch
}
