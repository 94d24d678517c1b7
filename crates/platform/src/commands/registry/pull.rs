//! `platform registry pull`: a model version's files, copied and checked.

use std::path::PathBuf;

use clap::Args;
use definitions::ModelRef;
use serde_json::json;

use crate::failure::{Failure, Outcome, at_path};
use crate::repository::Repository;
use crate::{Context, screen, training};

/// Copy a model version's artefacts to a folder, checking every hash.
#[derive(Args)]
pub struct Pull {
    /// `cpu_forecaster@champion`, `cpu_forecaster:v3` or `cpu_forecaster`.
    model: ModelRef,
    /// The folder; made where it is missing, and must be empty.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

impl Pull {
    /// Copies the files; leaves nothing behind when one is not what was registered.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let record = repository.registry_to_read().await?.resolve(&self.model).await?;
        let mut files = Vec::new();
        for artefact in &record.artefacts {
            files.push((artefact, training::artefact(&repository, &record, &artefact.name)?));
        }
        std::fs::create_dir_all(&self.to).map_err(at_path(&self.to))?;
        if std::fs::read_dir(&self.to).map_err(at_path(&self.to))?.next().is_some() {
            return Err(Failure::input(format!(
                "`{}` is not empty: nothing was copied",
                self.to.display()
            )));
        }
        for (artefact, bytes) in &files {
            let to = self.to.join(&artefact.name);
            std::fs::write(&to, bytes).map_err(at_path(&to))?;
        }
        if context.json {
            return screen::json(&json!({ "model": record.reference, "to": self.to, "artefacts": record.artefacts }));
        }
        let names: Vec<_> = record.artefacts.iter().map(|artefact| artefact.name.as_str()).collect();
        screen::line(format!(
            "{} -> {}: {}, every hash right",
            record.reference,
            self.to.display(),
            names.join(", ")
        ))
    }
}
