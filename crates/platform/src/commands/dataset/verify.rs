//! `platform dataset verify`

use clap::Args;
use feature_store::dataset::verify;

use super::WantedDataset;
use crate::failure::{Failure, Outcome};
use crate::repository::Repository;
use crate::screen;
use crate::{Context, datasets};

/// Check a dataset's files and content against its manifest.
#[derive(Args)]
pub struct Verify {
    /// `cpu_fv:v2/5`, or `cpu_fv:v2` for the newest.
    dataset: WantedDataset,
}

impl Verify {
    /// Checks every file; each difference is a line.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let dataset = self.dataset.find(&registry).await?;
        datasets::check_reproducible(&dataset)?;
        let verification = verify(&repository.storage.join(&dataset.path))?;
        if context.json {
            screen::json(&verification)?;
        } else {
            let (files, rows) = (
                screen::things(verification.files, "file"),
                screen::things(verification.rows, "row"),
            );
            screen::line(format!("{}: {files}, {rows} read", dataset.reference))?;
            for difference in &verification.differences {
                screen::line(format!("  {difference}"))?;
            }
        }
        match verification.differences.len() {
            0 if context.json => Ok(()),
            0 => screen::line("every hash and fingerprint is right"),
            many => Err(Failure::input(format!(
                "`{}` differs from its manifest in {}",
                dataset.reference,
                screen::things(many, "place")
            ))
            .hint(format!(
                "platform dataset create {} --force makes it again",
                dataset.reference.view
            ))),
        }
    }
}
