//! A trained transformer: its files, its forecasts, what they rest on.

use burn::backend::Flex;
use learning::{
    Explanation, ForecastModel, Forecasts, Grid, IterationReport, LearningError, ModelFile, Shape, Spread,
    TrainingNote, VariableWeight,
};
use serde::{Deserialize, Serialize};

use super::fit::in_threads;
use super::groups::{GroupNetworks, Groups};
use super::preparation::{Kinds, Preparation, Seen, convert, windows};
use crate::TftError;
use crate::artefacts::{load_weights, weights_to_bytes};
use crate::data::{self, Gathering};
use crate::loss::Loss;
use crate::model::{Architecture, Outputs, TemporalFusionTransformer};
use crate::predict::{self, Asking};

const CONFIG: &str = "config.json";
const PREPARATION: &str = "preprocessing.json";

/// Kept as `config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// The network's shape.
    pub architecture: Architecture,
    /// What it was trained to make small.
    pub loss: Loss,
    /// Networks whose forecasts are averaged.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub members: usize,
    /// Groups of series, each with a network of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Groups>,
}

fn one() -> usize {
    1
}

fn is_one(number: &usize) -> bool {
    *number == 1
}

/// The file of a member's weights; members are counted from 0.
fn weights_file(member: usize) -> String {
    match member {
        0 => "model.safetensors".to_owned(),
        later => format!("model.{}.safetensors", later + 1),
    }
}

/// What was learned.
pub(super) struct Learned {
    /// Members of an ensemble, or the only one.
    pub networks: Vec<TemporalFusionTransformer<Flex>>,
    /// Those of groups, where there are any.
    pub groups: GroupNetworks,
    pub config: Config,
    pub preparation: Preparation,
    pub history: Vec<IterationReport>,
    pub best_iteration: usize,
    pub notes: Vec<TrainingNote>,
    pub threads: usize,
}

/// A transformer that forecasts.
pub struct TftModel {
    learned: Learned,
    levels: Vec<f64>,
}

impl std::fmt::Debug for TftModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TftModel")
            .field("config", &self.learned.config)
            .finish_non_exhaustive()
    }
}

impl TftModel {
    pub(super) fn new(learned: Learned) -> Self {
        let levels = match &learned.config.architecture.outputs {
            Outputs::Quantiles(levels) => levels.clone(),
            Outputs::Point => Vec::new(),
        };
        Self { learned, levels }
    }

    /// From the model's files; `file` gives the bytes of each by its name.
    ///
    /// # Errors
    /// What `file` says; files that cannot be read, or do not belong together.
    pub fn load<E: From<LearningError>>(
        mut file: impl FnMut(&str) -> Result<Vec<u8>, E>,
        threads: usize,
    ) -> Result<Self, E> {
        let config: Config = parse(CONFIG, &file(CONFIG)?)?;
        let preparation: Preparation = parse(PREPARATION, &file(PREPARATION)?)?;
        let mut network = |name: &str, architecture: &Architecture| -> Result<_, E> {
            let weights = file(name)?;
            let network = in_threads(threads, || -> Result<_, TftError> {
                let empty = TemporalFusionTransformer::new(architecture, 0, &Default::default())?;
                load_weights(empty, &weights)
            });
            Ok(network.and_then(|network| network).map_err(LearningError::from)?)
        };
        let (mut networks, mut groups) = (Vec::new(), GroupNetworks::new());
        for member in 0..config.members {
            networks.push(network(&weights_file(member), &config.architecture)?);
        }
        if let Some(of) = &config.groups {
            for (group, has_network) in of.with_network().enumerate() {
                let own = of.architecture(&config.architecture);
                groups.push(has_network.then(|| network(&Groups::file(group), &own)).transpose()?);
            }
        }
        Ok(Self::new(Learned {
            networks,
            groups,
            config,
            preparation,
            history: Vec::new(),
            best_iteration: 0,
            notes: Vec::new(),
            threads,
        }))
    }

    fn ask(&self, panel: &learning::Panel, asked: &[learning::Window]) -> Result<Forecasts, LearningError> {
        let Learned {
            config,
            preparation,
            networks,
            groups,
            threads,
            ..
        } = &self.learned;
        let architecture = &config.architecture;
        let kinds = Kinds {
            fixed: architecture.fixed.clone(),
            known: architecture.known.clone(),
            observed: architecture.observed.clone(),
        };
        let windows = windows(panel, asked)?;
        let prepared = convert(panel, &kinds, &preparation.categories, Seen::All)?;
        let shape = data::Shape {
            context: architecture.context,
            horizon: architecture.horizon,
        };
        let gathering = Gathering::new(&prepared, &preparation.scalers, shape, architecture.targets);
        let asking = Asking {
            gathering: &gathering,
            windows: &windows,
            outputs: &architecture.outputs,
            batch: predict::TOGETHER,
            threads: usize::from(*threads > 1),
        };
        let all = || {
            networks
                .iter()
                .map(|network| predict::forecast(network, &asking, &Default::default()))
        };
        let found = match (&config.groups, networks.as_slice()) {
            (Some(of), [whole]) => of.forecast((panel, asked), &asking, whole, groups)?,
            _ => {
                let all = all().collect::<Result<Vec<_>, TftError>>()?;
                predict::mean_of(&all).ok_or_else(|| TftError::Checkpoint {
                    reason: format!("`{CONFIG}`: it has no members"),
                })?
            }
        };
        let weights = |names: Vec<String>, values: &[f32]| weights_of(names, values);
        let steps = shape.context + shape.horizon;
        Ok(Forecasts {
            crossed: found.crossings.crossed,
            explanation: Explanation {
                windows: windows.len() as u64,
                fixed: weights(architecture.fixed.names(), &found.importance.fixed),
                past: weights(architecture.past().names(), &found.importance.past),
                future: weights(architecture.known.names(), &found.importance.future),
                attention: found.attention.chunks(steps.max(1)).map(<[f64]>::to_vec).collect(),
            },
            values: found.values,
        })
    }
}

/// The weights of variables over windows: `values` [windows, variables].
fn weights_of(names: Vec<String>, values: &[f32]) -> Vec<VariableWeight> {
    let count = names.len().max(1);
    let of = |(at, variable): (usize, String)| VariableWeight {
        variable,
        weight: Spread::of(values.iter().skip(at).step_by(count).copied().collect()),
    };
    let mut all: Vec<VariableWeight> = names.into_iter().enumerate().map(of).collect();
    all.sort_by(|one, other| other.weight.p50.total_cmp(&one.weight.p50));
    all
}

fn parse<T: serde::de::DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, LearningError> {
    let error = |error: serde_json::Error| TftError::Checkpoint {
        reason: format!("`{name}`: {error}"),
    };
    Ok(serde_json::from_slice(bytes).map_err(error)?)
}

fn pretty(name: &str, value: &impl Serialize) -> Result<ModelFile, LearningError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|error| TftError::Checkpoint {
        reason: format!("`{name}`: {error}"),
    })?;
    bytes.push(b'\n');
    Ok(ModelFile {
        name: name.to_owned(),
        bytes,
    })
}

impl ForecastModel for TftModel {
    fn levels(&self) -> &[f64] {
        &self.levels
    }
    fn shape(&self) -> Shape {
        Shape {
            context: self.learned.config.architecture.context,
            horizon: self.learned.config.architecture.horizon,
        }
    }
    fn grid(&self) -> Grid {
        self.learned.preparation.grid
    }
    fn forecast(&self, panel: &learning::Panel, windows: &[learning::Window]) -> Result<Forecasts, LearningError> {
        let alone = std::sync::Mutex::new(self);
        in_threads(self.learned.threads, || {
            let model = alone.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            model.ask(panel, windows)
        })?
    }
    fn files(&self) -> Result<Vec<ModelFile>, LearningError> {
        let mut files = Vec::new();
        for (member, network) in self.learned.networks.iter().enumerate() {
            files.push(ModelFile {
                name: weights_file(member),
                bytes: weights_to_bytes(network)?,
            });
        }
        for (group, network) in self.learned.groups.iter().enumerate() {
            if let Some(network) = network {
                files.push(ModelFile {
                    name: Groups::file(group),
                    bytes: weights_to_bytes(network)?,
                });
            }
        }
        files.push(pretty(CONFIG, &self.learned.config)?);
        files.push(pretty(PREPARATION, &self.learned.preparation)?);
        Ok(files)
    }
    fn best_iteration(&self) -> usize {
        self.learned.best_iteration
    }
    fn history(&self) -> &[IterationReport] {
        &self.learned.history
    }
    fn notes(&self) -> &[TrainingNote] {
        &self.learned.notes
    }
}
