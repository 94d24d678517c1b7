//! Registered models that a new one has to beat, predicting the very rows it is measured on.

use arrow::array::RecordBatch;
use definitions::{ModelRef, Pipeline, Rival};
use evaluation::RivalInput;
use feature_store::dataset::Manifest;
use learning::{Model, Preprocessing, Signature, Target};
use registry::{ModelVersionRecord, Registry, RegistryError};
use trees::TreeModel;

use super::forecast::LoadedForecaster;
use super::parts::Ready;
use crate::failure::{Failure, Outcome};
use crate::kept::Kept;
use crate::repository::Repository;

/// The model version that an alias points to; without a model where the alias does not exist yet.
pub struct RivalModel {
    rival: Rival,
    loaded: Option<Loaded>,
}

/// A registered model, ready to be asked.
pub enum Loaded {
    /// One that predicts rows.
    Rows(LoadedModel),
    /// One that forecasts.
    Steps(LoadedForecaster),
}

/// A registered model, ready to predict.
pub struct LoadedModel {
    /// `cpu_forecaster:v3`
    pub reference: String,
    /// What it takes and gives.
    pub signature: Signature,
    /// How columns become numbers.
    pub preprocessing: Preprocessing,
    /// The trees.
    pub model: Box<dyn Model>,
}

/// Loads the models behind the aliases that the pipeline's gates name.
pub async fn load_rivals(
    repository: &Repository,
    registry: &Registry,
    pipeline: &Pipeline,
    threads: usize,
) -> Outcome<Vec<RivalModel>> {
    let mut rivals = Vec::new();
    for rival in &pipeline.gate.beats {
        let Rival::Alias(alias) = rival else { continue };
        let reference = ModelRef::Alias {
            model: pipeline.model.clone(),
            alias: alias.clone(),
        };
        let loaded = match registry.resolve(&reference).await {
            Ok(record) => Some(load(repository, &record, threads)?),
            Err(RegistryError::UnknownModel { .. } | RegistryError::UnknownAlias { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        rivals.push(RivalModel {
            rival: rival.clone(),
            loaded,
        });
    }
    Ok(rivals)
}

/// Loads a registered model, checking every file's hash.
pub fn load(repository: &Repository, record: &ModelVersionRecord, threads: usize) -> Outcome<Loaded> {
    let signature: Signature = serde_json::from_slice(&artefact(repository, record, "signature.json")?)?;
    if signature.forecast.is_some() {
        return Ok(Loaded::Steps(LoadedForecaster::load(
            repository, record, signature, threads,
        )?));
    }
    Ok(Loaded::Rows(load_model(repository, record, signature, threads)?))
}

fn load_model(
    repository: &Repository,
    record: &ModelVersionRecord,
    signature: Signature,
    threads: usize,
) -> Outcome<LoadedModel> {
    let preprocessing = serde_json::from_slice(&artefact(repository, record, "preprocessing.json")?)?;
    let text = String::from_utf8(artefact(repository, record, "model.txt")?)
        .map_err(|error| Failure::platform(format!("`model.txt` of {} is no text: {error}", record.reference)))?;
    let model = Box::new(TreeModel::from_text(text, threads)?);
    Ok(LoadedModel {
        reference: record.reference.to_string(),
        signature,
        preprocessing,
        model,
    })
}

/// The bytes of a registered artefact, if they are those that were registered.
pub fn artefact(repository: &Repository, record: &ModelVersionRecord, name: &str) -> Outcome<Vec<u8>> {
    let registered = record.artefacts.iter().find(|artefact| artefact.name == name);
    let registered =
        registered.ok_or_else(|| Failure::platform(format!("{} has no artefact `{name}`", record.reference)))?;
    let path = repository.storage.join(&record.path).join(name);
    let kept = Kept {
        shown: repository.shown(&path),
        path,
        sha256: registered.sha256,
        hint: "platform doctor".to_owned(),
    };
    kept.read()
}

impl RivalModel {
    /// The alias.
    pub fn rival(&self) -> &Rival {
        &self.rival
    }

    /// The model, if there is one that predicts rows.
    fn rows(&self) -> Option<&LoadedModel> {
        match &self.loaded {
            Some(Loaded::Rows(loaded)) => Some(loaded),
            _ => None,
        }
    }

    /// The model, if there is one that forecasts.
    pub fn forecaster(&self) -> Option<&LoadedForecaster> {
        match &self.loaded {
            Some(Loaded::Steps(loaded)) => Some(loaded),
            _ => None,
        }
    }

    /// The columns of the dataset that it takes.
    pub fn inputs_in(&self, manifest: &Manifest) -> Vec<String> {
        let inputs = self.rows().into_iter().flat_map(|loaded| &loaded.signature.inputs);
        let known = |name: &str| manifest.columns.iter().any(|column| column.name == name);
        inputs
            .filter(|input| known(&input.name))
            .map(|input| input.name.clone())
            .collect()
    }

    /// What it says of a part's rows: nothing (NaN) where it cannot say anything of them, so that it counts as not compared.
    pub fn forecast(&self, part: &Ready, target: &Target) -> Outcome<RivalInput> {
        let predictions = self
            .rows()
            .map(|loaded| loaded.predict_rows(part, target))
            .transpose()?;
        let model_version = self.rows().map(|loaded| loaded.reference.clone());
        Ok(RivalInput {
            rival: self.rival.clone(),
            model_version,
            predictions,
        })
    }
}

impl LoadedModel {
    fn predict_rows(&self, part: &Ready, target: &Target) -> Outcome<Vec<Vec<f64>>> {
        let outputs = target
            .classes()
            .map_or(1, |classes| if classes.len() > 2 { classes.len() } else { 1 });
        let silent = || vec![vec![f64::NAN; part.labels.len()]; outputs];
        if part.labels.is_empty() || self.signature.classes.as_deref() != target.classes() {
            return Ok(silent());
        }
        let mut batches = Vec::new();
        for (inputs, others) in part.inputs.iter().zip(&part.others) {
            match self.signature.conform(&side_by_side(inputs, others)?) {
                Ok(batch) => batches.push(batch),
                Err(_) => return Ok(silent()),
            }
        }
        let Some(schema) = batches.first().map(RecordBatch::schema) else {
            return Ok(silent());
        };
        Ok(self.model.predict(&self.preprocessing.apply(&batches, &schema)?)?)
    }
}

/// The columns of both batches, any of which may hold NULL; of one name, the first.
pub fn side_by_side(one: &RecordBatch, other: &RecordBatch) -> Outcome<RecordBatch> {
    let mut columns: Vec<(String, arrow::array::ArrayRef)> = Vec::new();
    for batch in [one, other] {
        for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
            if !columns.iter().any(|(name, _)| name == field.name()) {
                columns.push((field.name().clone(), array.clone()));
            }
        }
    }
    let nullable = columns.into_iter().map(|(name, array)| (name, array, true));
    Ok(RecordBatch::try_from_iter_with_nullable(nullable).map_err(learning::LearningError::from)?)
}
