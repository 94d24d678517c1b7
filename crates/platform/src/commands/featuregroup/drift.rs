//! `platform featuregroup drift`

use clap::Args;
use definitions::{EventTime, FeatureGroup};
use feature_store::dataset::load_manifest;
use feature_store::drift::{GroupDriftRequest, GroupRows, Sample, group_drift};
use feature_store::ingest::ingestions;
use feature_store::split::Part;
use feature_store::{PinAt, pin_group};

use super::stats::receipt_numbered;
use crate::Context;
use crate::applied::{self, Wanted};
use crate::commands::dataset::WantedPart;
use crate::drift::{self, Compared, Limits};
use crate::failure::{Failure, Outcome};
use crate::repository::Repository;

/// Say whether a feature group has drifted from what a dataset was trained on.
///
/// Compares the columns that the dataset took from the group: its train part against the group's rows of later event times. Exit code 1
/// when one has drifted.
#[derive(Args)]
pub struct Drift {
    /// `server_metrics`, or `server_metrics:v1`.
    group: Wanted,
    /// The baseline: `cpu_fv:v2/5`, or another part of it than train, `cpu_fv:v2/5/test`.
    #[arg(long, value_name = "DATASET")]
    against: WantedPart,
    /// Rows from this event time on; without it, those after the last one of the baseline.
    #[arg(long, value_name = "TIME")]
    from: Option<EventTime>,
    /// Rows before this event time.
    #[arg(long, value_name = "TIME")]
    to: Option<EventTime>,
    /// Rows of this ingestion only, by its number in `history`.
    #[arg(long, value_name = "N")]
    ingestion: Option<i64>,
    #[command(flatten)]
    limits: Limits,
}

impl Drift {
    /// Reads the dataset's part and the group, and prints a line a column.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let group = applied::group(&registry, &self.group).await?.definition;
        let store = repository.store()?;
        let (mut sample, named) = self.against.find(&repository, &registry).await?;
        let part = *sample.part.get_or_insert(Part::Train);
        feature_store::create_table(&store, &group).await?;
        if let Some(number) = self.ingestion {
            receipt_numbered(&ingestions(&store, &group).await?, &group.reference(), number)?;
        }
        let rows = self.rows(&group, &sample, part)?;
        let pin = pin_group(&store, &group, PinAt::Newest).await?;
        let request = GroupDriftRequest {
            store: &store,
            group: &group,
            pin: &pin,
            rows,
            against: &sample,
            thresholds: self.limits.thresholds(),
        };
        let report = group_drift(&request).await?;
        let reference = group.reference();
        if report.columns.is_empty() {
            return Err(Failure::input(format!("`{named}` has no column of `{reference}`"))
                .hint(format!("platform dataset show {}", self.against)));
        }
        let candidate = format!("{reference}{}", words(&rows));
        if report.columns.iter().all(|column| column.candidate.rows == 0) {
            return Err(Failure::input(format!("there are no rows in {candidate}"))
                .hint("--from TIME looks at earlier rows, too"));
        }
        let named = if named.ends_with(part.name()) {
            named
        } else {
            format!("{named}/{part}")
        };
        let compared = Compared {
            baseline: named,
            candidate,
        };
        drift::report(context.json, &compared, &report)
    }

    fn rows(&self, group: &FeatureGroup, sample: &Sample, part: Part) -> Outcome<GroupRows> {
        let mut rows = GroupRows {
            from: self.from,
            to: self.to,
            ingestion: self.ingestion,
        };
        if rows.from.is_none() && rows.ingestion.is_none() && group.event_time.is_some() {
            let manifest = load_manifest(&sample.folder)?;
            let last = manifest.part(part).and_then(|report| report.last_event_time);
            rows.from = last.map(|last| EventTime(last.0.saturating_add(1)));
        }
        Ok(rows)
    }
}

fn words(rows: &GroupRows) -> String {
    let mut words = String::new();
    if let Some(ingestion) = rows.ingestion {
        words.push_str(&format!(", ingestion {ingestion}"));
    }
    if let Some(from) = rows.from {
        words.push_str(&format!(" from {from}"));
    }
    if let Some(to) = rows.to {
        words.push_str(&format!(" to {to}"));
    }
    words
}
