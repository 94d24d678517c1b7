//! `platform dataset export`

use std::path::PathBuf;

use clap::Args;
use definitions::{DataType, nearest};
use feature_store::StoreError;
use feature_store::dataset::{ExportFormat, ExportRequest, Manifest, Selection, export};
use feature_store::split::Part;
use serde_json::json;

use super::{WantedDataset, condition};
use crate::failure::{Failure, Outcome};
use crate::repository::Repository;
use crate::{Context, datasets, screen};

/// Write a dataset's parts, or some rows and columns of them, as files for other programs.
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
    /// Only this part: train, validation or test.
    #[arg(long)]
    part: Option<Part>,
    /// Only these columns, in the dataset's order: `host,cpu_mean_1h`.
    #[arg(long, value_delimiter = ',', value_name = "COLUMN,…")]
    columns: Option<Vec<String>>,
    /// Only rows of which this is true, in SQL: "host = 'web-1' and ts >= '2026-01-01T00:00:00Z'". What it rules out is not read.
    #[arg(long = "where", value_name = "CONDITION")]
    condition: Option<String>,
    /// What stands for NULL in CSV. [default: nothing, as for an empty text]
    #[arg(long, value_name = "TEXT")]
    null: Option<String>,
}

impl Export {
    /// Writes one file a part, each visible when it is whole.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let dataset = self.dataset.find(&registry).await?;
        let manifest = datasets::recorded_manifest(&repository, &dataset)?;
        datasets::check_files(&repository, &dataset, &manifest)?;
        if self.null.is_some() && self.format != ExportFormat::Csv {
            return Err(Failure::input(
                "--null says what stands for NULL in CSV: the other formats have NULLs of their own",
            )
            .hint("--format csv"));
        }
        let name = dataset.reference.to_string();
        let asked = self.condition.as_deref();
        let condition = asked
            .map(|text| condition(&manifest.schema(), text, &name))
            .transpose()?;
        let files = export(&ExportRequest {
            folder: &repository.storage.join(&dataset.path),
            to: &self.to,
            format: self.format,
            parts: self.part.as_slice(),
            selection: Selection {
                columns: self.columns.clone(),
                condition,
            },
            null: self.null.as_deref().unwrap_or_default(),
        })
        .map_err(|error| told(error, &manifest, &name))?;
        let is_narrowed = manifest
            .columns
            .iter()
            .filter(|column| {
                self.columns
                    .as_ref()
                    .is_none_or(|columns| columns.contains(&column.name))
            })
            .any(|column| column.data_type == DataType::Float64);
        if self.format == ExportFormat::Tfrecord && is_narrowed {
            screen::say("note: TFRecord holds floats in 32 bits: float64 columns were rounded");
        }
        if context.json {
            return screen::json(&json!({ "dataset": name, "files": files }));
        }
        files
            .iter()
            .try_for_each(|file| screen::line(format!("{}: {}", file.path.display(), screen::things(file.rows, "row"))))
    }
}

/// An unknown column is told with what was meant.
fn told(error: StoreError, manifest: &Manifest, name: &str) -> Failure {
    let StoreError::UnknownColumn { column, .. } = error else {
        return error.into();
    };
    let known = manifest.columns.iter().map(|column| column.name.as_str());
    let hint = match nearest(&column, known) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("the columns: platform dataset show {name}"),
    };
    Failure::input(format!("`{name}` has no column `{column}`")).hint(hint)
}
