//! What a pipeline says, read one parameter at a time.

use std::collections::BTreeMap;

use definitions::Parameter;

use super::ParameterError;
use crate::learner::{GroupBy, GroupSettings, Slim};
use crate::loss::Loss;
use crate::train::{AdafactorSettings, AdamWSettings, Averaging, LionSettings, Optimiser, Schedule};

const LOSSES: [&str; 4] = ["quantile", "mae", "mse", "huber"];
const OPTIMISERS: [&str; 3] = ["adamw", "adafactor", "lion"];
const AVERAGING: [&str; 3] = ["none", "exponential", "epochs"];
const SCHEDULES: [&str; 4] = ["constant", "cosine", "one_cycle", "plateau"];

/// What a pipeline says.
pub(super) struct Declared<'a>(pub &'a BTreeMap<String, Parameter>);

impl Declared<'_> {
    pub fn bad(&self, name: &str, wanted: impl Into<String>) -> ParameterError {
        let found = self.0.get(name).and_then(|value| serde_json::to_string(value).ok());
        ParameterError::Value {
            name: name.to_owned(),
            wanted: wanted.into(),
            found: found.unwrap_or_else(|| "the default".to_owned()),
        }
    }

    pub fn number(&self, name: &str) -> Result<Option<f64>, ParameterError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Parameter::Float(number)) => Ok(Some(*number)),
            Some(Parameter::Integer(number)) => Ok(Some(*number as f64)),
            Some(_) => Err(self.bad(name, "a number")),
        }
    }

    pub fn whole(&self, name: &str, least: u64) -> Result<Option<u64>, ParameterError> {
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

    pub fn size(&self, name: &str) -> Result<Option<usize>, ParameterError> {
        let whole = self.whole(name, 1)?;
        Ok(whole.map(|number| usize::try_from(number).unwrap_or(usize::MAX)))
    }

    pub fn word<'w>(&self, name: &str, words: &[&'w str]) -> Result<Option<&'w str>, ParameterError> {
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

    pub fn loss(&self) -> Result<Loss, ParameterError> {
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

    pub fn schedule(&self) -> Result<Schedule, ParameterError> {
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

    pub fn optimiser(&self) -> Result<Optimiser, ParameterError> {
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

    pub fn averaging(&self) -> Result<Averaging, ParameterError> {
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

    pub fn slim(&self) -> Result<Option<Slim>, ParameterError> {
        let keep = self.number("slim.keep")?;
        self.only("slim.epochs", keep.is_some(), "`slim.keep`")?;
        let Some(keep) = keep else {
            return Ok(None);
        };
        if !(keep > 0.0 && keep <= 1.0) {
            return Err(self.bad("slim.keep", "more than 0 and at most 1"));
        }
        let epochs = self.whole("slim.epochs", 1)?.unwrap_or(Slim::EPOCHS);
        Ok(Some(Slim { keep, epochs }))
    }

    /// `Some(None)`: it is to be found.
    pub fn learning_rate(&self) -> Result<Option<Option<f64>>, ParameterError> {
        match self.0.get("learning_rate") {
            None => Ok(None),
            Some(Parameter::Text(word)) if word == "find" => Ok(Some(None)),
            Some(Parameter::Text(_)) => Err(self.bad("learning_rate", "a number or \"find\"")),
            Some(_) => Ok(self.number("learning_rate")?.map(Some)),
        }
    }

    /// Beside a hidden size and so many heads.
    pub fn groups(&self, hidden: usize, heads: usize) -> Result<Option<GroupSettings>, ParameterError> {
        self.only("groups.hidden", self.0.contains_key("groups.by"), "`groups.by`")?;
        let Some(by) = self.0.get("groups.by") else {
            return Ok(None);
        };
        let wanted = "`cluster(N)` with N of at least 2, or a static categorical column";
        let Parameter::Text(text) = by else {
            return Err(self.bad("groups.by", wanted));
        };
        let number = text.strip_prefix("cluster(").and_then(|rest| rest.strip_suffix(')'));
        let by = match number.map(|number| number.trim().parse::<usize>()) {
            None if !text.is_empty() && !text.contains('(') => GroupBy::Column(text.clone()),
            Some(Ok(number)) if number >= 2 => GroupBy::Clusters(number),
            _ => return Err(self.bad("groups.by", wanted)),
        };
        // Half of it, as a multiple of the heads.
        let half = (hidden / 2 / heads.max(1)).max(1) * heads;
        let hidden = self.size("groups.hidden")?.unwrap_or(half);
        if !hidden.is_multiple_of(heads) {
            return Err(self.bad("groups.hidden", format!("a multiple of `heads`, which is {heads}")));
        }
        Ok(Some(GroupSettings { by, hidden }))
    }

    fn only(&self, name: &'static str, is_used: bool, only: &'static str) -> Result<(), ParameterError> {
        if self.0.contains_key(name) && !is_used {
            return Err(ParameterError::Idle { name, only });
        }
        Ok(())
    }
}
