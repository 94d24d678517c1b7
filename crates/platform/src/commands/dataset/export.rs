//! `platform dataset export`

use std::path::PathBuf;

use clap::Args;
use definitions::DataType;
use feature_store::dataset::{ExportFormat, export};
use serde_json::json;

use super::WantedDataset;
use crate::failure::Outcome;
use crate::repository::Repository;
use crate::{Context, datasets, screen};

/// Write a dataset's parts as files for other programs.
#[derive(Args)]
pub struct Export {
    /// `cpu_fv:v2/5`, or `cpu_fv:v2` for the newest.
    dataset: WantedDataset,
    /// The folder; made where it is missing.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// parquet, csv, jsonl, arrow, tfrecord or npy.
    #[arg(long, default_value = "parquet")]
    format: ExportFormat,
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
        let is_narrowed = manifest
            .columns
            .iter()
            .any(|column| column.data_type == DataType::Float64);
        if self.format == ExportFormat::Tfrecord && is_narrowed {
            screen::say("note: TFRecord holds floats in 32 bits: float64 columns were rounded");
        }
        if context.json {
            return screen::json(&json!({ "dataset": dataset.reference.to_string(), "files": files }));
        }
        files
            .iter()
            .try_for_each(|file| screen::line(format!("{}: {}", file.path.display(), screen::things(file.rows, "row"))))
    }
}
