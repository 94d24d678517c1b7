//! What the platform remembers: definitions, ingestions, datasets, runs, model versions, aliases and leases, in one SQLite file.
//!
//! Every write is one `BEGIN IMMEDIATE` transaction, so that processes queue instead of failing; every lineage edge is a foreign
//! key. This crate never opens a Delta table, a dataset or a model, and never asks the clock: times are arguments. `registry/README.md`
//! at the root of the repository has the picture of the tables.
//!
//! Reading order: `open` (file, schema, transactions); `applied` (definitions), `ingestion`, `dataset` with `pin`, `run` with
//! `evidence`, and `model` follow the data's way; `lookup`, `listing`, `search`, `lineage` and `alias` are how models are found;
//! `lease` is one writer per table at a time; `unreproducible` is what can no longer be made again; `check` is what `doctor` and `gc` ask.
//! `row` turns columns into types, `suggestion` finds the name that was meant.

mod alias;
mod applied;
mod check;
mod dataset;
mod error;
mod evidence;
mod ingestion;
mod lease;
mod lineage;
mod listing;
mod lookup;
mod model;
mod open;
mod pin;
mod row;
mod run;
mod search;
mod suggestion;
mod unreproducible;

pub use alias::{AliasChange, AliasHistoryEntry, AliasMove, Expected};
pub use applied::{AppliedDefinition, ApplyOutcome, DefinitionKind, DefinitionRecord, NewDefinition};
pub use check::{BrokenForeignKey, CheckReport, StoredFile, StoredFolder, StoredKind};
pub use dataset::{CreatedDataset, Dataset, IfUnchanged, NewDataset, PublishedDataset};
pub use error::RegistryError;
pub use evidence::{Evaluation, Evidence, GateCheck};
pub use ingestion::{Ingestion, NewIngestion, Recorded};
pub use lease::{Lease, LeaseOutcome, LeaseRequest, Waiting};
pub use lineage::{GroupLineage, Lineage};
pub use listing::{ModelSummary, ModelVersionSummary};
pub use lookup::{ModelVersionRecord, Reproduction};
pub use model::{Artefact, NewModelVersion, PublishedModel, RegisteredModel};
pub use open::Registry;
pub use pin::PinnedGroup;
pub use run::{NewRun, Run, RunDetails, RunId, RunStatus};
pub use search::{Comparison, MetricFilter, Search};
pub use unreproducible::Unreproducible;
