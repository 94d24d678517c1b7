//! `platform dataset report`

use std::path::PathBuf;

use clap::Args;
use feature_store::report::report_data;
use serde_json::json;

use super::WantedDataset;
use crate::drift::Limits;
use crate::failure::{Outcome, at_path};
use crate::report::Report;
use crate::repository::Repository;
use crate::{Context, datasets, screen};

/// Write a page about a dataset: one HTML file that needs nothing else.
///
/// Distributions part by part, drift, missing values over time, correlations, labels, the leakage certificate.
#[derive(Args)]
pub struct ReportPage {
    /// `cpu_fv:v2/5`, or `cpu_fv:v2` for the newest.
    dataset: WantedDataset,
    /// The file; without it, `cpu_fv-v2-5.html`.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    limits: Limits,
}

impl ReportPage {
    /// Reads the whole dataset, and writes the page.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let dataset = self.dataset.find(&registry).await?;
        datasets::recorded_manifest(&repository, &dataset)?;
        let data = report_data(&repository.storage.join(&dataset.path))?;
        let report = Report {
            dataset: dataset.reference.to_string(),
            data: &data,
            thresholds: self.limits.thresholds(),
        };
        let out = self.out.unwrap_or_else(|| {
            let reference = &dataset.reference;
            format!(
                "{}-{}-{}.html",
                reference.view.name, reference.view.version, reference.number
            )
            .into()
        });
        let html = report.html();
        std::fs::write(&out, &html).map_err(at_path(&out))?;
        if context.json {
            return screen::json(
                &json!({ "dataset": dataset.reference.to_string(), "file": out, "bytes": html.len() }),
            );
        }
        screen::line(format!("{}: {}", out.display(), screen::bytes(html.len() as u64)))
    }
}
