//! `platform dataset export`

use std::path::PathBuf;

use clap::Args;
use feature_store::dataset::export;
use feature_store::ingest::FileFormat;
use serde_json::json;

use super::WantedDataset;
use crate::failure::Outcome;
use crate::repository::Repository;
use crate::{Context, datasets, screen};

/// Write a dataset's parts as Parquet, CSV or JSON lines.
#[derive(Args)]
pub struct Export {
    /// `cpu_fv:v2/5`, or `cpu_fv:v2` for the newest.
    dataset: WantedDataset,
    /// The folder; made where it is missing.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// parquet, csv or jsonl.
    #[arg(long, default_value = "parquet")]
    format: FileFormat,
}

impl Export {
    /// Writes one file a part, each visible when it is whole.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let dataset = self.dataset.find(&registry).await?;
        let manifest = datasets::recorded_manifest(&repository, &dataset)?;
        datasets::check_files(&repository, &dataset, &manifest)?;
        let files = export(&repository.storage.join(&dataset.path), &self.to, self.format)?;
        if context.json {
            return screen::json(&json!({ "dataset": dataset.reference.to_string(), "files": files }));
        }
        files
            .iter()
            .try_for_each(|file| screen::line(format!("{}: {}", file.path.display(), screen::things(file.rows, "row"))))
    }
}
