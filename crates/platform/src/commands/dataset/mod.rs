//! `platform dataset`: versioned, point-in-time-correct training datasets.

mod create;
mod diff;
mod export;
mod list;
mod show;
mod verify;

use clap::Subcommand;
use definitions::{DatasetRef, ReferenceError, Versioned};
use registry::Registry;

use crate::Context;
use crate::applied::{self, Wanted};
use crate::failure::{Failure, Outcome};

pub use create::say;
pub use show::{part_table, print_joins, role_word, statistics_table};

/// Create, check, compare and export training datasets.
#[derive(Subcommand)]
pub enum Dataset {
    Create(create::Create),
    List(list::List),
    Show(show::Show),
    Verify(verify::Verify),
    Diff(diff::Diff),
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
            Self::Export(export) => export.run(context).await,
        }
    }
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
