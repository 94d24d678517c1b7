//! `platform featuregroup show`

use clap::Args;
use definitions::{Derivation, Duration, Feature};
use serde_json::json;

use crate::Context;
use crate::applied::{self, Wanted};
use crate::failure::Outcome;
use crate::repository::Repository;
use crate::screen::{self, Table};

/// Show a feature group's columns and where its table lies.
#[derive(Args)]
pub struct Show {
    /// `server_metrics`, or `server_metrics:v1`.
    group: Wanted,
}

impl Show {
    /// Prints it.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let found = applied::group(&registry, &self.group).await?;
        let group = &found.definition;
        let reference = group.reference();
        let place = repository.shown(&repository.store()?.group_folder(&reference));
        if context.json {
            return screen::json(&json!({
                "group": reference, "fingerprint": found.fingerprint, "path": place, "definition": group,
            }));
        }
        screen::line(format!("{reference}  {}", found.fingerprint.short()))?;
        for (name, text) in [("", &group.description), ("owner: ", &group.owner)] {
            if let Some(text) = text {
                screen::line(format!("  {name}{text}"))?;
            }
        }
        screen::line(format!("  Delta table in {place}"))?;
        if let Some(derive) = &group.derive {
            let from: Vec<String> = derive.from.iter().map(ToString::to_string).collect();
            screen::line(format!("  derived from {}", from.join(", ")))?;
        }
        let mut columns = vec!["column", "type", "role", "unit", "description"];
        columns.extend(group.is_derived().then_some("computed as"));
        let mut table = Table::new(&columns);
        for (name, data_type) in group.stored_columns() {
            let feature = group.feature(name.as_str());
            let is = |time: &Option<definitions::ColumnName>| time.as_ref() == Some(&name);
            let role = match feature {
                Some(feature) if is_label(feature) => "label",
                Some(_) => "feature",
                None if is(&group.event_time) => "event time",
                None if is(&group.known_at) => "known at",
                None => "key",
            };
            let text = |text: Option<&String>| text.cloned().unwrap_or_default();
            let how = feature.and_then(|feature| feature.derivation.as_ref());
            let mut row = vec![
                name.to_string(),
                data_type.word().to_owned(),
                role.to_owned(),
                text(feature.and_then(|feature| feature.unit.as_ref())),
                text(feature.and_then(|feature| feature.description.as_ref())),
            ];
            row.extend(
                group
                    .is_derived()
                    .then(|| how.map(ToString::to_string).unwrap_or_default()),
            );
            table.row(row);
        }
        table.print()
    }
}

/// Whether a feature looks ahead.
fn is_label(feature: &Feature) -> bool {
    let ahead = feature.derivation.as_ref().map(Derivation::reach_ahead);
    feature.horizon.or(ahead).is_some_and(|ahead| ahead > Duration::ZERO)
}
