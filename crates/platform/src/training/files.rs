//! What is kept of a model: the same bytes every time it is made from the same dataset.

use definitions::{LearnerKind, Parameter, Pipeline, Rival};
use evaluation::Evaluation;
use serde_json::Value;

use super::Trained;
use crate::failure::Outcome;

/// The files of a model, by name, without the card.
pub struct Artefacts(pub Vec<(String, Vec<u8>)>);

impl Artefacts {
    /// The files of a trained model.
    pub fn of(trained: &Trained) -> Outcome<Self> {
        let mut files: Vec<(String, Vec<u8>)> = trained
            .model_files
            .iter()
            .map(|file| (file.name.clone(), file.bytes.clone()))
            .collect();
        files.push(("signature.json".to_owned(), pretty(&trained.signature)?));
        if let Some(preprocessing) = &trained.preprocessing {
            files.push(("preprocessing.json".to_owned(), pretty(preprocessing)?));
        }
        files.push((
            "metrics.json".to_owned(),
            pretty(&without_registered_rivals(&trained.evaluation))?,
        ));
        if let Some(folds) = &trained.folds {
            files.push(("folds.json".to_owned(), pretty(folds)?));
        }
        files.sort();
        Ok(Self(files))
    }
    /// The bytes of one file.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0
            .iter()
            .find(|(file, _)| file == name)
            .map(|(_, bytes)| bytes.as_slice())
    }
}

/// Registered rivals change as aliases move; they stand in the registry and on the card, not among what must be the same
/// again months later.
fn without_registered_rivals(of: &Evaluation) -> Evaluation {
    let mut evaluated = of.clone();
    for part in &mut evaluated.parts {
        let registered: Vec<String> = part
            .rivals
            .iter()
            .filter(|rival| matches!(rival.rival, Rival::Alias(_)))
            .map(|rival| evaluation::name_of(&rival.rival))
            .collect();
        part.rivals.retain(|rival| matches!(rival.rival, Rival::Baseline(_)));
        if let Some(forecast) = &mut part.forecast {
            forecast
                .subjects
                .retain(|subject| !registered.contains(&subject.subject));
        }
    }
    evaluated
}

fn pretty(value: &impl serde::Serialize) -> Outcome<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The parameters that training uses, defaults included, as JSON.
pub fn model_parameters(pipeline: &Pipeline, learner: LearnerKind) -> Outcome<Value> {
    // Trees have the same parameters for rows and for windows.
    if learner != LearnerKind::Lightgbm {
        return Ok(serde_json::to_value(super::forecast::parameters(pipeline, learner)?)?);
    }
    let parameters = trees::Parameters::from_declared(&pipeline.train.lightgbm).map_err(trees::TreesError::from)?;
    let mut all: std::collections::BTreeMap<String, Value> = std::collections::BTreeMap::new();
    for (name, value) in &pipeline.train.lightgbm {
        all.insert(name.clone(), json(value));
    }
    all.insert("rounds".to_owned(), parameters.rounds.into());
    all.insert("early_stopping".to_owned(), parameters.early_stopping.into());
    Ok(serde_json::to_value(all)?)
}

fn json(value: &Parameter) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}
