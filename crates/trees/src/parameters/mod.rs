//! LightGBM's parameters, typed: what it does not know is refused, where LightGBM itself would only warn.
//!
//! Three names are the platform's own: `rounds` (iterations at most), `early_stopping` (rounds without improvement before
//! it stops; 0: never) and `min_delta` (how much counts as improvement).

mod known;
mod objective;
mod together;
mod value;
mod words;

use std::collections::BTreeMap;

use definitions::Parameter;

use known::KNOWN;
pub use objective::Objective;
use value::{Known, not_negative, whole};
pub(crate) use words::{larger_is_better, misfit};

/// Whose business a parameter is, when it is not the pipeline's `[train.lightgbm]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Files,
    Threads,
    Device,
    Seed,
    Determinism,
    Distribution,
    Definition,
    Prediction,
    Ranking,
    Platform,
}

impl Owner {
    fn reason(self) -> &'static str {
        match self {
            Self::Files => "the platform reads and writes the files",
            Self::Threads => "threads are chosen on the command line, and never change the model: `--threads 4`",
            Self::Device => "training on a GPU is not supported yet",
            Self::Seed => "every seed comes from the pipeline: `seed = 42` at its top",
            Self::Determinism => "training is always deterministic",
            Self::Distribution => "training on several machines is not supported yet",
            Self::Definition => {
                "it follows from the definitions: text, and numbers with `categorical = true`, are categorical"
            }
            Self::Prediction => "it is about prediction, not training",
            Self::Ranking => "ranking objectives are not supported",
            Self::Platform => "the platform has its own: `rounds = 500`, `early_stopping = 50`, `min_delta = 0.001`",
        }
    }
}

/// A parameter that is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ParameterError {
    /// LightGBM has no such parameter.
    #[error("lightgbm has no parameter `{name}`")]
    Unknown {
        /// As written.
        name: String,
        /// The nearest one that there is.
        nearest: Option<&'static str>,
    },
    /// The platform decides it.
    #[error("`{name}` cannot be set here: {reason}")]
    NotYours {
        /// As written.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// A value of another type, or out of range.
    #[error("`{name}`: wanted {wanted}, found {found}")]
    Value {
        /// As written.
        name: String,
        /// What it may be.
        wanted: String,
        /// What it is.
        found: String,
    },
    /// Parameters that do not go together.
    #[error("{what}: {reason}")]
    Together {
        /// Which.
        what: &'static str,
        /// Why not, and what would do.
        reason: &'static str,
    },
    /// One parameter under two names.
    #[error("`{first}` and `{second}` are the same parameter")]
    Twice {
        /// One name.
        first: String,
        /// The other.
        second: String,
    },
}

impl ParameterError {
    /// The key that is wrong.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Unknown { name, .. } | Self::NotYours { name, .. } | Self::Value { name, .. } => name,
            Self::Twice { second, .. } => second,
            Self::Together { what, .. } => what
                .split('`')
                .nth(1)
                .and_then(|name| name.split(' ').next())
                .unwrap_or(what),
        }
    }
    /// What to type.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown {
                nearest: Some(nearest), ..
            } => Some(format!("did you mean `{nearest}`?")),
            Self::Unknown { nearest: None, .. } => {
                Some("LightGBM's names are listed in its documentation under \"Parameters\"".to_owned())
            }
            Self::Twice { second, .. } => Some(format!("remove `{second}`")),
            Self::NotYours { name, .. } => Some(format!("remove `{name}`")),
            Self::Value { .. } | Self::Together { .. } => None,
        }
    }
}

/// Parameters that LightGBM accepts one by one.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    /// Iterations at most.
    pub rounds: usize,
    /// Iterations without improvement before training stops; 0: never.
    pub early_stopping: usize,
    /// How much counts as improvement, in units of the metric.
    pub min_delta: f64,
    /// What is optimised; `None`: what fits the label.
    pub objective: Option<Objective>,
    /// LightGBM's own, by their first name, as text; without those above.
    pub settings: BTreeMap<&'static str, String>,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            rounds: 500,
            early_stopping: 50,
            min_delta: 0.0,
            objective: None,
            settings: BTreeMap::new(),
        }
    }
}

impl Parameters {
    /// Reads `[train.lightgbm]`.
    ///
    /// # Errors
    /// The first parameter, by name, that is unknown, not the user's to set, of another type, out of range or given twice.
    pub fn from_declared(declared: &BTreeMap<String, Parameter>) -> Result<Self, ParameterError> {
        let mut parameters = Self::default();
        let mut written: BTreeMap<&'static str, &str> = BTreeMap::new();
        for (name, value) in declared {
            match name.as_str() {
                "rounds" => parameters.rounds = whole(name, value, 1)?,
                "early_stopping" => parameters.early_stopping = whole(name, value, 0)?,
                "min_delta" => parameters.min_delta = not_negative(name, value)?,
                _ => {
                    let known = find(name)?;
                    if let Some(first) = written.insert(known.name, name) {
                        return Err(ParameterError::Twice {
                            first: first.to_owned(),
                            second: name.clone(),
                        });
                    }
                    parameters.set(known, name, value)?;
                }
            }
        }
        if parameters.changes_earlier_trees() && !declared.contains_key("early_stopping") {
            parameters.early_stopping = 0;
        }
        parameters.check_alpha()?;
        parameters.check_together()?;
        Ok(parameters)
    }

    fn set(&mut self, known: &'static Known, name: &str, value: &Parameter) -> Result<(), ParameterError> {
        let text = known.text(name, value)?;
        if known.name == "objective" {
            let wanted = format!("one of {}", Objective::words());
            let error = ParameterError::Value {
                name: name.to_owned(),
                wanted,
                found: format!("`{text}`"),
            };
            self.objective = Some(Objective::from_word(&text).ok_or(error)?);
            if matches!(text.as_str(), "rmse" | "root_mean_squared_error" | "l2_root") {
                // These words are about what is measured: `metric`, where it is given, is read later and says more.
                self.settings.entry("metric").or_insert_with(|| "rmse".to_owned());
            }
            return Ok(());
        }
        let wrong = |wanted| ParameterError::Value {
            name: name.to_owned(),
            wanted,
            found: value::shown(value),
        };
        let text = words::own_words(known.name, text).map_err(wrong)?;
        self.settings.insert(known.name, text);
        Ok(())
    }

    fn check_alpha(&self) -> Result<(), ParameterError> {
        let alpha = self.settings.get("alpha").and_then(|text| text.parse::<f64>().ok());
        match (self.objective, alpha) {
            (Some(Objective::Quantile), Some(alpha)) if alpha >= 1.0 => Err(ParameterError::Value {
                name: "alpha".to_owned(),
                wanted: "a quantile above 0 and below 1".to_owned(),
                found: alpha.to_string(),
            }),
            _ => Ok(()),
        }
    }

    /// The quantile that objective `quantile` learns: `alpha`, or 0.9.
    #[must_use]
    pub fn quantile(&self) -> Option<f64> {
        let alpha = || {
            self.settings
                .get("alpha")
                .and_then(|text| text.parse().ok())
                .unwrap_or(0.9)
        };
        (self.objective == Some(Objective::Quantile)).then(alpha)
    }
}

fn find(name: &str) -> Result<&'static Known, ParameterError> {
    let Some(known) = KNOWN
        .iter()
        .find(|known| known.name == name || known.aliases.contains(&name))
    else {
        return Err(ParameterError::Unknown {
            name: name.to_owned(),
            nearest: nearest(name),
        });
    };
    match known.owner {
        Some(owner) => Err(ParameterError::NotYours {
            name: name.to_owned(),
            reason: owner.reason(),
        }),
        None => Ok(known),
    }
}

/// The allowed parameter that was probably meant.
fn nearest(name: &str) -> Option<&'static str> {
    let own = ["rounds", "early_stopping", "min_delta"];
    let allowed = KNOWN.iter().filter(|known| known.owner.is_none());
    let names = allowed.flat_map(|known| std::iter::once(known.name).chain(known.aliases.iter().copied()));
    definitions::nearest(name, own.into_iter().chain(names))
}

#[cfg(test)]
mod tests;
