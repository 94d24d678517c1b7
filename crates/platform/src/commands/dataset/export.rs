//! `platform dataset export`

use std::path::PathBuf;

use clap::Args;
use feature_store::dataset::{load_manifest, open_part};
use feature_store::export::{Format, write_batches};
use serde_json::json;

use super::WantedDataset;
use crate::Context;
use crate::failure::{Failure, Outcome, at_path};
use crate::repository::Repository;
use crate::screen;

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
    format: Format,
}

impl Export {
    /// Writes one file a part, each under a temporary name until it is whole; files that are there already are refused.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let dataset = self.dataset.find(&registry).await?;
        let folder = repository.storage.join(&dataset.path);
        let manifest = load_manifest(&folder)?;
        std::fs::create_dir_all(&self.to).map_err(at_path(&self.to))?;
        let places = manifest.parts.iter().map(|part| {
            let name = format!("{}.{}", part.part, self.format.extension());
            (part, self.to.join(name))
        });
        let places: Vec<_> = places.collect();
        if let Some((_, taken)) = places.iter().find(|(_, place)| place.exists()) {
            return Err(Failure::input(format!("`{}` is there already: nothing was written", taken.display())));
        }
        let mut written = Vec::new();
        for (part, place) in places {
            let reader = open_part(&folder, part.part, None)?;
            let rows = write_batches(&place, self.format, &manifest.schema(), reader)?;
            written.push(json!({ "part": part.part, "path": place, "rows": rows }));
            if !context.json {
                screen::line(format!("{}: {} rows", place.display(), screen::count(rows)))?;
            }
        }
        if context.json {
            return screen::json(&json!({ "dataset": dataset.reference.to_string(), "files": written }));
        }
        Ok(())
    }
}
