//! `platform registry lineage`: from a model down to the ingestions, or from a group up to the models.

use clap::Args;
use definitions::{GroupRef, ModelRef};
use serde_json::json;

use crate::Context;
use crate::failure::{Failure, Outcome};
use crate::repository::Repository;
use crate::screen;

/// Show where a model comes from, or which models came from a feature group.
#[derive(Args)]
pub struct Lineage {
    /// The model.
    #[arg(required_unless_present = "group")]
    model: Option<ModelRef>,
    /// Instead: the models that this feature group went into.
    #[arg(long, value_name = "GROUP", conflicts_with = "model")]
    group: Option<GroupRef>,
    /// With --group: only those that this ingestion of it went into.
    #[arg(long, value_name = "N", requires = "group")]
    ingestion: Option<i64>,
}

impl Lineage {
    /// Prints the tree.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry_to_read().await?;
        match (self.model, self.group) {
            (Some(model), _) => {
                let reference = registry.resolve(&model).await?.reference;
                let lineage = registry.lineage(&reference).await?;
                if context.json {
                    screen::json(&lineage)
                } else {
                    print(&lineage)
                }
            }
            (None, Some(group)) => {
                let models = match self.ingestion {
                    Some(ingest_id) => registry.models_from_ingestion(&group, ingest_id).await?,
                    None => registry.models_from_group(&group).await?,
                };
                if context.json {
                    return screen::json(&json!({ "group": group, "ingestion": self.ingestion, "models": models }));
                }
                models.iter().try_for_each(|model| screen::line(model.to_string()))
            }
            (None, None) => Err(Failure::input("wanted a model or --group")),
        }
    }
}

fn print(lineage: &registry::Lineage) -> Outcome {
    screen::line(lineage.model.to_string())?;
    screen::line(format!("  run {}", lineage.run.0))?;
    screen::line(format!(
        "    pipeline {} {}",
        lineage.pipeline,
        lineage.pipeline_fingerprint.short()
    ))?;
    screen::line(format!(
        "    dataset {} {}",
        lineage.dataset,
        lineage.dataset_fingerprint.short()
    ))?;
    screen::line(format!(
        "      view {} {}",
        lineage.view,
        lineage.view_fingerprint.short()
    ))?;
    for group in &lineage.groups {
        let (name, version) = (&group.group, group.delta_version);
        screen::line(format!(
            "        group {name} {} at Delta version {version}",
            group.fingerprint.short()
        ))?;
        for ingestion in &group.ingestions {
            screen::line(format!(
                "          ingestion {} of {}, {}, content {}",
                ingestion.ingest_id,
                screen::things(ingestion.rows, "row"),
                ingestion.committed_at,
                ingestion.content_hash.short()
            ))?;
        }
    }
    Ok(())
}
