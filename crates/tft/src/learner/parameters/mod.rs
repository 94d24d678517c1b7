//! `[train.tft]` of a pipeline.
//!
//! Reading order: this file (every parameter), `declared` (one at a time), `error`.

mod declared;
mod error;

use std::collections::BTreeMap;

use definitions::{Parameter, nearest};
use serde::{Deserialize, Serialize};

use crate::data::Scaling;
use crate::loss::Loss;
use crate::train::Settings;

use super::{Device, GroupSettings, Slim};
use declared::Declared;
pub use error::ParameterError;

/// Every parameter, in the order in which they are documented.
const KNOWN: [&str; 36] = [
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
    "keep_checkpoints",
    "members",
    "slim.keep",
    "slim.epochs",
    "groups.by",
    "groups.hidden",
    "device",
];

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
    /// Networks of different seeds whose forecasts are averaged; default 1.
    pub members: usize,
    /// A first, short training that chooses variables; default: none.
    pub slim: Option<Slim>,
    /// A light network for each group of series; default: none.
    pub groups: Option<GroupSettings>,
    /// Where it trains; default: on the processor.
    pub device: Device,
    /// Whether the learning rate is found before training; default: no. Then that of the settings is not used.
    #[serde(skip)]
    pub finds_rate: bool,
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
            members: 1,
            slim: None,
            groups: None,
            device: Device::Cpu,
            finds_rate: false,
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
        let rate = of.learning_rate()?;
        settings.learning_rate = rate.flatten().unwrap_or(settings.learning_rate);
        settings.gradient_clip = of
            .number("gradient_clip")?
            .map_or(settings.gradient_clip, |clip| (clip != 0.0).then_some(clip));
        settings.patience = of
            .whole("patience", 0)?
            .map_or(settings.patience, |epochs| (epochs > 0).then_some(epochs));
        settings.min_delta = of.number("min_delta")?.unwrap_or(settings.min_delta);
        settings.unknown_share = of.number("unknown_share")?.unwrap_or(settings.unknown_share);
        settings.keep_checkpoints = of
            .whole("keep_checkpoints", 0)?
            .map_or(settings.keep_checkpoints, capped);
        settings.checkpoint_every = of.whole("checkpoint_every", 1)?;
        all.finds_rate = rate == Some(None);
        all.hidden = of.size("hidden")?.unwrap_or(all.hidden);
        all.heads = of.size("heads")?.unwrap_or(all.heads);
        all.dropout = of.number("dropout")?.unwrap_or(all.dropout);
        all.stride = of.size("stride")?.unwrap_or(all.stride);
        all.members = of.size("members")?.unwrap_or(all.members);
        all.slim = of.slim()?;
        all.device = match of.word("device", &["cpu", "cuda"])? {
            Some("cuda") => Device::Cuda,
            _ => Device::Cpu,
        };
        all.scaling = match of.word("scaling", &["entity", "window"])? {
            Some("window") => Scaling::Window,
            _ => Scaling::Entity,
        };
        if !all.hidden.is_multiple_of(all.heads) {
            return Err(of.bad("heads", format!("a divisor of `hidden`, which is {}", all.hidden)));
        }
        all.groups = of.groups(all.hidden, all.heads)?;
        if all.groups.is_some() && all.members > 1 {
            return Err(ParameterError::Together {
                one: "members",
                other: "groups.by",
            });
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
            Ok(serde_json::Value::Object(mut all)) => {
                if self.finds_rate {
                    all.insert("learning_rate".to_owned(), "find".into());
                }
                all.into_iter().collect()
            }
            _ => BTreeMap::new(),
        }
    }
}

fn capped(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
