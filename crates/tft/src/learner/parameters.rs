//! `[train.tft]` of a pipeline.

use std::collections::BTreeMap;

use definitions::{Parameter, nearest};
use serde::{Deserialize, Serialize};

use crate::data::Scaling;
use crate::loss::Loss;
use crate::train::{AdafactorSettings, AdamWSettings, Averaging, LionSettings, Optimiser, Schedule, Settings};

/// Every parameter, in the order in which they are documented.
const KNOWN: [&str; 29] = [
    "hidden",
    "heads",
    "dropout",
    "loss",
    "quantiles",
    "delta",
    "scaling",
    "stride",
    "epochs",
    "windows_per_epoch",
    "batch_size",
    "micro_batches",
    "learning_rate",
    "schedule",
    "warm_up",
    "floor",
    "weight_decay",
    "beta_1",
    "beta_2",
    "gradient_clip",
    "patience",
    "min_delta",
    "unknown_share",
    "checkpoint_every",
    "epsilon",
    "optimiser",
    "averaging",
    "averaging_decay",
    "averaging_from",
];

const LOSSES: [&str; 4] = ["quantile", "mae", "mse", "huber"];
const OPTIMISERS: [&str; 3] = ["adamw", "adafactor", "lion"];
const AVERAGING: [&str; 3] = ["none", "exponential", "epochs"];
const SCHEDULES: [&str; 4] = ["constant", "cosine", "one_cycle", "plateau"];

/// A parameter that is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ParameterError {
    /// There is no such parameter.
    #[error("tft has no parameter `{name}`")]
    Unknown {
        /// As written.
        name: String,
        /// The nearest one that there is.
        nearest: Option<String>,
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
    /// A parameter that another one gives no place.
    #[error("`{name}` is for {only}")]
    Idle {
        /// As written.
        name: &'static str,
        /// What it is for.
        only: &'static str,
    },
}

impl ParameterError {
    /// What to type.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Unknown {
                nearest: Some(nearest), ..
            } => format!("did you mean `{nearest}`?"),
            Self::Unknown { name, .. } => format!("remove `{name}` from `[train.tft]`, then: platform apply"),
            Self::Value { name, .. } => format!("change `{name}` in `[train.tft]`, then: platform apply"),
            Self::Idle { name, .. } => format!("remove `{name}` from `[train.tft]`, then: platform apply"),
        }
    }
}

/// What may be said of the network and its training; the defaults are those of `Parameters::default`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    /// The hidden size; default 32.
    pub hidden: usize,
    /// Heads of attention; default 4.
    pub heads: usize,
    /// The share of numbers dropped while training; default 0.1.
    pub dropout: f64,
    /// What observed variables are scaled by; default: the entity's training steps.
    pub scaling: Scaling,
    /// Every so many steps a training window; default 1.
    pub stride: usize,
    /// How it is trained.
    #[serde(flatten)]
    pub settings: Settings,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            hidden: 32,
            heads: 4,
            dropout: 0.1,
            scaling: Scaling::Entity,
            stride: 1,
            settings: Settings::default(),
        }
    }
}

impl Parameters {
    /// From what a pipeline declares.
    ///
    /// # Errors
    /// A parameter that there is none of, a value that cannot be, one that has nothing to say beside the others.
    pub fn from_declared(declared: &BTreeMap<String, Parameter>) -> Result<Self, ParameterError> {
        if let Some(name) = declared.keys().find(|name| !KNOWN.contains(&name.as_str())) {
            return Err(ParameterError::Unknown {
                name: name.clone(),
                nearest: nearest(name, KNOWN).map(str::to_owned),
            });
        }
        let of = Declared(declared);
        let mut all = Self::default();
        let settings = &mut all.settings;
        settings.loss = of.loss()?;
        settings.schedule = of.schedule()?;
        settings.optimiser = of.optimiser()?;
        settings.averaging = of.averaging()?;
        settings.batch_size = of.size("batch_size")?.unwrap_or(settings.batch_size);
        settings.micro_batches = of.size("micro_batches")?.unwrap_or(settings.micro_batches);
        settings.epochs = of.whole("epochs", 1)?.unwrap_or(settings.epochs);
        settings.windows_per_epoch = of.size("windows_per_epoch")?;
        settings.learning_rate = of.number("learning_rate")?.unwrap_or(settings.learning_rate);
        settings.gradient_clip = of
            .number("gradient_clip")?
            .map_or(settings.gradient_clip, |clip| (clip != 0.0).then_some(clip));
        settings.patience = of
            .whole("patience", 0)?
            .map_or(settings.patience, |epochs| (epochs > 0).then_some(epochs));
        settings.min_delta = of.number("min_delta")?.unwrap_or(settings.min_delta);
        settings.unknown_share = of.number("unknown_share")?.unwrap_or(settings.unknown_share);
        settings.checkpoint_every = of.whole("checkpoint_every", 1)?;
        all.hidden = of.size("hidden")?.unwrap_or(all.hidden);
        all.heads = of.size("heads")?.unwrap_or(all.heads);
        all.dropout = of.number("dropout")?.unwrap_or(all.dropout);
        all.stride = of.size("stride")?.unwrap_or(all.stride);
        all.scaling = match of.word("scaling", &["entity", "window"])? {
            Some("window") => Scaling::Window,
            _ => Scaling::Entity,
        };
        if !all.hidden.is_multiple_of(all.heads) {
            return Err(of.bad("heads", format!("a divisor of `hidden`, which is {}", all.hidden)));
        }
        if !(0.0..1.0).contains(&all.dropout) {
            return Err(of.bad("dropout", "at least 0 and less than 1"));
        }
        Ok(all)
    }

    /// What it makes small, in a word.
    #[must_use]
    pub fn objective(&self) -> &'static str {
        match self.settings.loss {
            Loss::Quantile(_) => "quantile",
            Loss::Mae => "mae",
            Loss::Mse => "mse",
            Loss::Huber { .. } => "huber",
            Loss::Poisson => "poisson",
        }
    }

    /// Every parameter with its value, defaults included.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, serde_json::Value> {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(all)) => all.into_iter().collect(),
            _ => BTreeMap::new(),
        }
    }
}

/// What a pipeline says.
struct Declared<'a>(&'a BTreeMap<String, Parameter>);

impl Declared<'_> {
    fn bad(&self, name: &str, wanted: impl Into<String>) -> ParameterError {
        let found = self.0.get(name).and_then(|value| serde_json::to_string(value).ok());
        ParameterError::Value {
            name: name.to_owned(),
            wanted: wanted.into(),
            found: found.unwrap_or_else(|| "the default".to_owned()),
        }
    }

    fn number(&self, name: &str) -> Result<Option<f64>, ParameterError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Parameter::Float(number)) => Ok(Some(*number)),
            Some(Parameter::Integer(number)) => Ok(Some(*number as f64)),
            Some(_) => Err(self.bad(name, "a number")),
        }
    }

    fn whole(&self, name: &str, least: u64) -> Result<Option<u64>, ParameterError> {
        let wanted = || format!("a whole number of at least {least}");
        match self.0.get(name) {
            None => Ok(None),
            Some(Parameter::Integer(number)) => match u64::try_from(*number) {
                Ok(number) if number >= least => Ok(Some(number)),
                _ => Err(self.bad(name, wanted())),
            },
            Some(_) => Err(self.bad(name, wanted())),
        }
    }

    fn size(&self, name: &str) -> Result<Option<usize>, ParameterError> {
        let whole = self.whole(name, 1)?;
        Ok(whole.map(|number| usize::try_from(number).unwrap_or(usize::MAX)))
    }

    fn word<'w>(&self, name: &str, words: &[&'w str]) -> Result<Option<&'w str>, ParameterError> {
        let Some(value) = self.0.get(name) else {
            return Ok(None);
        };
        let known = match value {
            Parameter::Text(text) => words.iter().find(|word| *word == text),
            _ => None,
        };
        let all: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        known
            .copied()
            .map(Some)
            .ok_or_else(|| self.bad(name, format!("one of {}", all.join(", "))))
    }

    fn loss(&self) -> Result<Loss, ParameterError> {
        let word = self.word("loss", &LOSSES)?.unwrap_or("quantile");
        self.only("quantiles", word == "quantile", "`loss = \"quantile\"`")?;
        self.only("delta", word == "huber", "`loss = \"huber\"`")?;
        Ok(match word {
            "mae" => Loss::Mae,
            "mse" => Loss::Mse,
            "huber" => Loss::Huber {
                delta: self.number("delta")?.unwrap_or(1.0),
            },
            _ => Loss::Quantile(self.quantiles()?),
        })
    }

    fn quantiles(&self) -> Result<Vec<f64>, ParameterError> {
        let wanted = "ascending numbers between 0 and 1";
        match self.0.get("quantiles") {
            None => Ok(vec![0.1, 0.5, 0.9]),
            Some(Parameter::List(list)) => {
                let number = |value: &Parameter| match value {
                    Parameter::Float(number) if *number > 0.0 && *number < 1.0 => Some(*number),
                    _ => None,
                };
                let levels: Option<Vec<f64>> = list.iter().map(number).collect();
                let sorted =
                    levels.filter(|levels| !levels.is_empty() && levels.is_sorted_by(|one, other| one < other));
                sorted.ok_or_else(|| self.bad("quantiles", wanted))
            }
            Some(_) => Err(self.bad("quantiles", wanted)),
        }
    }

    fn schedule(&self) -> Result<Schedule, ParameterError> {
        let word = self.word("schedule", &SCHEDULES)?.unwrap_or("constant");
        let warms_up = matches!(word, "cosine" | "one_cycle");
        self.only("warm_up", warms_up, "`schedule = \"cosine\"` and `\"one_cycle\"`")?;
        self.only(
            "floor",
            word != "constant",
            "`schedule = \"cosine\"`, `\"one_cycle\"` and `\"plateau\"`",
        )?;
        let floor = self.number("floor")?;
        Ok(match word {
            "cosine" => Schedule::WarmUpCosine {
                warm_up: self.number("warm_up")?.unwrap_or(0.05),
                floor: floor.unwrap_or(0.0),
            },
            "one_cycle" => Schedule::OneCycle {
                warm_up: self.number("warm_up")?.unwrap_or(0.3),
                start: 0.04,
                end: floor.unwrap_or(0.0),
            },
            "plateau" => Schedule::Plateau {
                factor: 0.5,
                patience: 2,
                floor: floor.unwrap_or(0.0),
            },
            _ => Schedule::Constant,
        })
    }

    fn optimiser(&self) -> Result<Optimiser, ParameterError> {
        let word = self.word("optimiser", &OPTIMISERS)?.unwrap_or("adamw");
        let has_momentum = "`optimiser = \"adamw\"` and `\"lion\"`";
        self.only("beta_1", word != "adafactor", has_momentum)?;
        self.only("beta_2", word != "adafactor", has_momentum)?;
        self.only("epsilon", word == "adamw", "`optimiser = \"adamw\"`")?;
        let number = |name, default| self.number(name).map(|number| number.unwrap_or(default));
        Ok(match word {
            "lion" => {
                let usual = LionSettings::default();
                Optimiser::Lion(LionSettings {
                    beta_1: number("beta_1", usual.beta_1)?,
                    beta_2: number("beta_2", usual.beta_2)?,
                    weight_decay: number("weight_decay", usual.weight_decay)?,
                })
            }
            "adafactor" => {
                let usual = AdafactorSettings::default();
                Optimiser::Adafactor(AdafactorSettings {
                    weight_decay: number("weight_decay", usual.weight_decay)?,
                    ..usual
                })
            }
            _ => {
                let usual = AdamWSettings::default();
                Optimiser::AdamW(AdamWSettings {
                    beta_1: number("beta_1", usual.beta_1)?,
                    beta_2: number("beta_2", usual.beta_2)?,
                    epsilon: number("epsilon", usual.epsilon)?,
                    weight_decay: number("weight_decay", usual.weight_decay)?,
                })
            }
        })
    }

    fn averaging(&self) -> Result<Averaging, ParameterError> {
        let word = self.word("averaging", &AVERAGING)?.unwrap_or("none");
        self.only(
            "averaging_decay",
            word == "exponential",
            "`averaging = \"exponential\"`",
        )?;
        self.only("averaging_from", word == "epochs", "`averaging = \"epochs\"`")?;
        Ok(match word {
            "exponential" => Averaging::Exponential {
                decay: self.number("averaging_decay")?.unwrap_or(0.999),
            },
            "epochs" => Averaging::Epochs {
                from: self.number("averaging_from")?.unwrap_or(0.75),
            },
            _ => Averaging::None,
        })
    }

    fn only(&self, name: &'static str, is_used: bool, only: &'static str) -> Result<(), ParameterError> {
        if self.0.contains_key(name) && !is_used {
            return Err(ParameterError::Idle { name, only });
        }
        Ok(())
    }
}
