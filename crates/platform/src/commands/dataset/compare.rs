//! `platform dataset compare`

use clap::Args;
use feature_store::dataset::load_manifest;
use feature_store::drift::dataset_drift;

use super::{WantedPart, condition};
use crate::Context;
use crate::drift::{self, Compared, Limits};
use crate::failure::Outcome;
use crate::repository::Repository;

/// Say whether the columns of a dataset, or of a part, have drifted from another's.
///
/// Measures every feature, label and helper: PSI, Kolmogorov-Smirnov, Jensen-Shannon, chi-square. Exit code 1 when one has drifted.
#[derive(Args)]
pub struct Compare {
    /// The baseline: `cpu_fv:v2/5`, or one part of it, `cpu_fv:v2/5/train`.
    baseline: WantedPart,
    /// What is held against it.
    candidate: WantedPart,
    /// Only rows of which this is true, in both, in SQL: "host = 'web-1'". What it rules out is not read.
    #[arg(long = "where", value_name = "CONDITION")]
    condition: Option<String>,
    #[command(flatten)]
    limits: Limits,
}

impl Compare {
    /// Reads both, and prints a line a column.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let (mut baseline, named) = self.baseline.find(&repository, &registry).await?;
        let (mut candidate, also_named) = self.candidate.find(&repository, &registry).await?;
        if let Some(text) = &self.condition {
            for (sample, name) in [(&mut baseline, &named), (&mut candidate, &also_named)] {
                let schema = load_manifest(&sample.folder)?.schema();
                sample.condition = Some(condition(&schema, text, name)?);
            }
        }
        let report = dataset_drift(&baseline, &candidate, self.limits.thresholds())?;
        let compared = Compared {
            baseline: named,
            candidate: also_named,
        };
        drift::report(context.json, &compared, &report)
    }
}
