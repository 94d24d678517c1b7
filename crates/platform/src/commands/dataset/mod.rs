//! `platform dataset`: versioned, point-in-time-correct training datasets.

mod compare;
mod create;
mod diff;
mod export;
mod list;
mod report;
mod show;
mod statistics;
mod verify;

use arrow::datatypes::SchemaRef;
use clap::Subcommand;
use definitions::{DatasetRef, ReferenceError, Versioned};
use feature_store::Condition;
use feature_store::drift::Sample;
use feature_store::split::Part;
use registry::Registry;

use crate::applied::{self, Wanted};
use crate::failure::{Failure, Outcome};
use crate::repository::Repository;
use crate::{Context, datasets};

pub use create::say;
pub use show::{part_table, print_joins, role_word};
pub use statistics::{distinct_text, print_statistics};

/// Create, check, compare and export training datasets.
#[derive(Subcommand)]
pub enum Dataset {
    Create(create::Create),
    List(list::List),
    Show(show::Show),
    Verify(verify::Verify),
    Diff(diff::Diff),
    Compare(compare::Compare),
    Report(report::ReportPage),
    Export(export::Export),
}

impl Dataset {
    /// Runs the subcommand.
    pub async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Create(create) => create.run(context).await,
            Self::List(list) => list.run(context).await,
            Self::Show(show) => show.run(context).await,
            Self::Verify(verify) => verify.run(context).await,
            Self::Diff(diff) => diff.run(context).await,
            Self::Compare(compare) => compare.run(context).await,
            Self::Report(report) => report.run(context).await,
            Self::Export(export) => export.run(context).await,
        }
    }
}

/// What is asked of a dataset's rows, in SQL.
fn condition(columns: &SchemaRef, text: &str, dataset: &str) -> Result<Condition, Failure> {
    Condition::parse(columns, text, dataset)
        .map_err(|error| Failure::from(error).hint(format!("the columns: platform dataset show {dataset}")))
}

/// `cpu_fv:v2/5`, `cpu_fv:v2` for the view's newest dataset, or `cpu_fv` for the newest view's.
#[derive(Debug, Clone)]
pub struct WantedDataset {
    view: Wanted,
    number: Option<u32>,
}

impl std::str::FromStr for WantedDataset {
    type Err = ReferenceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains('/') {
            let DatasetRef {
                view: Versioned { name, version },
                number,
            } = text.parse()?;
            return Ok(Self {
                view: Wanted {
                    name,
                    version: Some(version),
                },
                number: Some(number),
            });
        }
        Ok(Self {
            view: text.parse()?,
            number: None,
        })
    }
}

impl WantedDataset {
    /// The dataset meant.
    pub async fn find(&self, registry: &Registry) -> Outcome<registry::Dataset> {
        let view = match self.view.version {
            Some(version) => Versioned {
                name: self.view.name.clone(),
                version,
            },
            None => applied::view(registry, &self.view).await?.definition.reference(),
        };
        if let Some(number) = self.number {
            return Ok(registry.dataset(&DatasetRef { view, number }).await?);
        }
        let newest = registry.newest_dataset(&view).await?;
        newest.ok_or_else(|| {
            Failure::input(format!("view `{view}` has no dataset yet")).hint(format!("platform dataset create {view}"))
        })
    }
}

/// `cpu_fv:v2/5/train`, one part of a dataset, or `cpu_fv:v2/5`, all of it.
#[derive(Debug, Clone)]
pub struct WantedPart {
    /// The dataset as it was typed.
    text: String,
    dataset: WantedDataset,
    part: Option<Part>,
}

impl std::str::FromStr for WantedPart {
    type Err = ReferenceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let split = text.rsplit_once('/');
        let part = split.and_then(|(_, word)| Part::ALL.into_iter().find(|part| part.name() == word));
        let dataset = match (part, split) {
            (Some(_), Some((dataset, _))) => dataset,
            _ => text,
        };
        Ok(Self {
            text: dataset.to_owned(),
            dataset: dataset.parse()?,
            part,
        })
    }
}

impl std::fmt::Display for WantedPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl WantedPart {
    /// The rows meant, and their full name. The dataset's manifest is the one that was recorded.
    pub async fn find(&self, repository: &Repository, registry: &Registry) -> Outcome<(Sample, String)> {
        let dataset = self.dataset.find(registry).await?;
        datasets::recorded_manifest(repository, &dataset)?;
        let name = match self.part {
            Some(part) => format!("{}/{part}", dataset.reference),
            None => dataset.reference.to_string(),
        };
        let sample = Sample {
            folder: repository.storage.join(&dataset.path),
            part: self.part,
            condition: None,
        };
        Ok((sample, name))
    }
}
