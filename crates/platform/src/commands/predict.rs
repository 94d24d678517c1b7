//! `platform predict`: a registered model's predictions for rows that are joined already, or for entities at a time.

mod forecast;

use std::path::PathBuf;

use arrow::array::RecordBatch;
use clap::Args;
use definitions::{ColumnName, DataType, EventTime, ModelRef};
use feature_store::dataset::{EntitiesRequest, JoinReport, entity_columns, join_entities, pin_features};
use feature_store::export::write_file;
use feature_store::ingest::read_typed_file;
use learning::data_type_of;
use registry::ModelVersionRecord;
use serde_json::json;
use serving::Predictor;

use super::dataset::print_joins;
use super::query::format_of;
use crate::failure::{Failure, Outcome};
use crate::repository::Repository;
use crate::training::Loaded;
use crate::{Context, datasets, screen, training};

/// Predict with a registered model.
#[derive(Args)]
pub struct Predict {
    /// `cpu_forecaster@champion`, `cpu_forecaster:v3` or `cpu_forecaster`.
    model: ModelRef,
    /// A file of rows with the model's inputs.
    #[arg(long, value_name = "FILE", required_unless_present = "entities")]
    from: Option<String>,
    /// A file of entities and times: features are joined as of each row's time.
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    entities: Option<String>,
    /// The time to forecast from, for a model that forecasts: `2026-01-31T12:00:00Z`.
    #[arg(long, value_name = "TIME", conflicts_with = "from")]
    at: Option<EventTime>,
    /// A file with what is known in advance, for a model that forecasts: the key, the event time, and columns of `known_future`. [default:
    /// the calendar, and what the feature groups hold]
    #[arg(long, value_name = "FILE", requires = "at")]
    known: Option<String>,
    /// Where to write the predictions: a name that ends in .csv, .parquet or .jsonl.
    #[arg(long, value_name = "FILE", default_value = "predictions.csv")]
    to: PathBuf,
}

impl Predict {
    /// Writes one prediction a row, in the order of the rows.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let format = format_of(&self.to)?;
        let registry = repository.registry().await?;
        let record = registry.resolve(&self.model).await?;
        let loaded = match training::load(&repository, &record, context.threads)? {
            Loaded::Rows(loaded) => loaded,
            Loaded::Steps(loaded) => {
                return forecast::run(&self, context, &repository, &registry, &record, loaded).await;
            }
        };
        if self.at.is_some() {
            let what = format!("{} predicts rows, each at its own time", record.reference);
            return Err(Failure::input(format!("--at: {what}")).hint("put the times into the file of --entities"));
        }
        let predictor = Predictor::new(loaded.signature, loaded.preprocessing, loaded.model)?;
        let (rows, joins) = match (&self.from, &self.entities) {
            (Some(from), _) => (read_typed_file(from, &columns_of(&predictor)?)?, None),
            (None, Some(entities)) => {
                let (rows, joins) = joined(&repository, &registry, &record, entities).await?;
                (rows, Some(joins))
            }
            (None, None) => return Err(Failure::input("wanted --from or --entities")),
        };
        let predictions = tokio::task::block_in_place(|| predictor.predict(&rows))?;
        let schema = predictions.first().map(RecordBatch::schema);
        let schema = schema.ok_or_else(|| Failure::input("there are no rows to predict"))?;
        let written = write_file::<Failure>(&self.to, format, &schema, predictions.into_iter().map(Ok))?;
        if context.json {
            let mut receipt = json!({ "model": record.reference, "rows": written, "path": self.to });
            if let (Some(joins), Some(receipt)) = (joins, receipt.as_object_mut()) {
                receipt.insert("joins".to_owned(), serde_json::to_value(joins)?);
            }
            return screen::json(&receipt);
        }
        screen::line(format!(
            "{}: {} of {}",
            self.to.display(),
            screen::things(written, "prediction"),
            record.reference
        ))?;
        print_joins(&joins.unwrap_or_default())
    }
}

fn columns_of(predictor: &Predictor) -> Outcome<Vec<(ColumnName, DataType)>> {
    let schema = predictor.input_schema();
    let typed = schema
        .fields()
        .iter()
        .filter_map(|field| Some((field.name(), data_type_of(field.data_type())?)));
    typed.map(|(name, data_type)| Ok((name.parse()?, data_type))).collect()
}

/// Entities with the features of the model's view, as of each row's time, from the groups as they are now; and what became of them
/// in each join.
async fn joined(
    repository: &Repository,
    registry: &registry::Registry,
    record: &ModelVersionRecord,
    file: &str,
) -> Outcome<(Vec<RecordBatch>, Vec<JoinReport>)> {
    let dataset = registry.dataset(&record.dataset).await?;
    let manifest = datasets::recorded_manifest(repository, &dataset)?;
    let view = &manifest.definitions.view.definition;
    let recorded = manifest.definitions.groups.iter();
    let groups = recorded
        .map(|(reference, group)| (reference.clone(), group.definition.clone()))
        .collect();
    let columns = entity_columns(view, &groups)?;
    let entities = read_typed_file(file, &columns)?;
    let store = repository.store()?;
    let pins = pin_features(&store, view, &groups).await?;
    let request = EntitiesRequest {
        store: &store,
        view,
        groups: &groups,
        pins: &pins,
        entities: &entities,
        means: repository.means,
    };
    let features = join_entities(&request).await?;
    let both = entities.iter().zip(&features.batches);
    let rows = both.map(|(entities, features)| training::side_by_side(features, entities));
    Ok((rows.collect::<Outcome<_>>()?, features.joins))
}
