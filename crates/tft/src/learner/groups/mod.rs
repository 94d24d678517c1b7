//! Groups of series: a light network for each, blended with the network of all.
//!
//! ```text
//!     forecast of a window = (1 - share) x network of all + share x network of its group
//! ```
//!
//! The share is that of 0, ¼, ½, ¾ and 1 that makes the loss of the group's validation windows least, the smallest of equals; a group
//! without windows to learn from or to validate on has none, and neither has one whose network does not help.
//!
//! Reading order: this file (training and blending), `division` (which group), `statistics` and `clusters` (how series are alike).

mod clusters;
mod division;
mod statistics;

use burn::backend::Flex;
use learning::{ForecastData, LearningError, TrainingNote};
use serde::{Deserialize, Serialize};

use super::course::{Course, Ended, Lesson, Planned};
use super::fit::Prepared;
use super::judging::losses;
use crate::TftError;
use crate::data::{Gathering, Window};
use crate::loss::Loss;
use crate::model::{Architecture, TemporalFusionTransformer};
use crate::predict::{self, Asking, Forecasts};
use crate::random::mix;
use crate::train::Settings;

use division::Division;

/// Shares that are tried.
const SHARES: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

/// Added to a group's number, so that its seed is none that a training draws from the run's.
const GROUPS: u64 = 2 << 32;

/// `by` of `[train.tft.groups]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    /// The values of a static categorical column.
    Column(String),
    /// So many clusters of series at most.
    Clusters(usize),
}

/// `[train.tft.groups]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSettings {
    /// What series are divided by.
    pub by: GroupBy,
    /// The hidden size of each group's network; default: half of `hidden`, and a multiple of `heads`.
    pub hidden: usize,
}

/// What is kept of groups in `config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Groups {
    division: Division,
    hidden: usize,
    /// The share of each group's network; 0: it has none.
    shares: Vec<f64>,
}

/// The network of each group that has one.
pub(super) type GroupNetworks = Vec<Option<TemporalFusionTransformer<Flex>>>;

/// Groups before they are trained.
pub(super) struct Planning {
    division: Division,
    windows: Vec<OfGroup>,
    seed: u64,
}

/// Groups that were trained.
pub(super) struct Grouped {
    pub groups: Groups,
    pub networks: GroupNetworks,
    pub note: TrainingNote,
}

/// The windows of a group.
#[derive(Debug, Default)]
struct OfGroup {
    name: String,
    series: usize,
    train: Vec<Window>,
    validation: Vec<Window>,
}

impl OfGroup {
    fn can_learn(&self) -> bool {
        !self.train.is_empty() && !self.validation.is_empty()
    }
}

/// What validation says of a group.
struct Judged {
    /// The mean loss at each of `SHARES`.
    losses: [f64; SHARES.len()],
    share: f64,
}

impl GroupSettings {
    /// Divides the series and their windows.
    pub(super) fn plan(&self, data: &ForecastData<'_>, prepared: &Prepared) -> Result<Planning, LearningError> {
        if data.validation.is_empty() {
            let (name, wanted) = (
                "groups.by",
                "a validation part, which says how much each group's network counts",
            );
            let found = "none".to_owned();
            return Err(TftError::Setting { name, wanted, found }.into());
        }
        let seed = mix(data.seed, GROUPS);
        let division = Division::fit(&self.by, data, seed)?;
        let name = |name| OfGroup {
            name,
            ..OfGroup::default()
        };
        let mut groups: Vec<OfGroup> = division.names().into_iter().map(name).collect();
        let of = |windows| division.of_windows(data.panel, windows, data.shape.context);
        let mut last = None;
        for ((window, of), own) in prepared.train.iter().zip(of(data.train)).zip(data.train) {
            if let Some(group) = of.and_then(|group| groups.get_mut(group)) {
                group.series += usize::from(last.replace(own.entity) != Some(own.entity));
                group.train.push(*window);
            }
        }
        for (window, of) in prepared.validation.iter().zip(of(data.validation)) {
            if let Some(group) = of.and_then(|group| groups.get_mut(group)) {
                group.validation.push(*window);
            }
        }
        Ok(Planning {
            division,
            windows: groups,
            seed: data.seed,
        })
    }
}

impl Planning {
    /// The trainings that there will be.
    pub fn trainings(&self, settings: &Settings) -> Vec<Planned> {
        let groups = self.windows.iter().enumerate().filter(|(_, group)| group.can_learn());
        let planned = |(number, group): (usize, &OfGroup)| {
            let name = format!("group {}", number + 1);
            Planned::new(name, settings, group.train.len())
        };
        groups.map(planned).collect()
    }

    /// Trains a network for each group and says how much it counts; `None`: someone wished to stop.
    pub fn train(
        self,
        of: &GroupSettings,
        settings: &Settings,
        (prepared, whole): (&Prepared, &Ended),
        course: &mut Course<'_, '_>,
    ) -> Result<Option<Grouped>, LearningError> {
        let architecture = light(&prepared.architecture, of.hidden);
        let (mut networks, mut judged) = (Vec::new(), Vec::new());
        for (number, group) in self.windows.iter().enumerate() {
            if !group.can_learn() {
                networks.push(None);
                judged.push(None);
                continue;
            }
            let own = course.train(&Lesson {
                architecture: &architecture,
                settings,
                gathering: prepared.gathering(),
                train: &group.train,
                validation: &group.validation,
                seed: mix(self.seed, GROUPS + 1 + number as u64),
            })?;
            if course.is_stopped {
                return Ok(None);
            }
            let threads = course.data.threads;
            let of_group = judge(
                &prepared.gathering(),
                &settings.loss,
                &group.validation,
                threads,
                [&whole.network, &own.network],
            )?;
            networks.push((of_group.share > 0.0).then_some(own.network));
            judged.push(Some(of_group));
        }
        let note = note(&self.windows, &judged);
        let share = |of: &Option<Judged>| of.as_ref().map_or(0.0, |of| of.share);
        let groups = Groups {
            division: self.division,
            hidden: of.hidden,
            shares: judged.iter().map(share).collect(),
        };
        Ok(Some(Grouped { groups, networks, note }))
    }
}

/// The loss of each share on validation, in scaled units, and the best share.
fn judge(
    gathering: &Gathering<'_>,
    loss: &Loss,
    windows: &[Window],
    threads: usize,
    networks: [&TemporalFusionTransformer<Flex>; 2],
) -> Result<Judged, LearningError> {
    let outputs = loss.outputs();
    let asking = Asking {
        gathering,
        windows,
        outputs: &outputs,
        batch: predict::TOGETHER,
        threads: usize::from(threads > 1),
    };
    let [of_all, own] = networks.map(|network| predict::forecast(network, &asking, &Default::default()));
    let (of_all, own) = (of_all?, own?);
    let blends = SHARES.map(|share| predict::blend(&of_all, &own, share).unwrap_or_default().values);
    let losses = losses(&blends, loss, &asking)?;
    Ok(Judged {
        share: best_share(&losses),
        losses,
    })
}

/// The share of the least loss, the smallest of equals; a loss that is no number is none.
fn best_share(losses: &[f64; SHARES.len()]) -> f64 {
    let (mut best, mut share) = (f64::INFINITY, 0.0);
    for (loss, of) in losses.iter().zip(SHARES) {
        if *loss < best {
            (best, share) = (*loss, of);
        }
    }
    share
}

impl Groups {
    /// The file of a group's network.
    pub fn file(number: usize) -> String {
        format!("group.{}.safetensors", number + 1)
    }

    /// Those that have a network.
    pub fn with_network(&self) -> impl Iterator<Item = bool> + '_ {
        self.shares.iter().map(|share| *share > 0.0)
    }

    /// The shape of a group's network.
    pub fn architecture(&self, whole: &Architecture) -> Architecture {
        light(whole, self.hidden)
    }

    /// Forecasts of windows: of each by the network of all and that of its group.
    pub fn forecast(
        &self,
        (panel, windows): (&learning::Panel, &[learning::Window]),
        asking: &Asking<'_>,
        whole: &TemporalFusionTransformer<Flex>,
        networks: &GroupNetworks,
    ) -> Result<Forecasts, TftError> {
        let mut places: Vec<Vec<usize>> = vec![Vec::new(); self.shares.len() + 1];
        let context = whole.context;
        for (at, group) in self
            .division
            .of_windows(panel, windows, context)
            .into_iter()
            .enumerate()
        {
            // The last is of those that belong to none.
            let group = group
                .filter(|group| *group < self.shares.len())
                .unwrap_or(self.shares.len());
            places.get_mut(group).into_iter().for_each(|places| places.push(at));
        }
        let mut all = Forecasts::default();
        for (group, places) in places.iter().enumerate().filter(|(_, places)| !places.is_empty()) {
            let own_windows: Vec<Window> = places
                .iter()
                .filter_map(|at| asking.windows.get(*at))
                .copied()
                .collect();
            let asking_group = Asking {
                windows: &own_windows,
                ..asking.clone()
            };
            let mut found = predict::forecast(whole, &asking_group, &Default::default())?;
            let (own, share) = (networks.get(group).and_then(Option::as_ref), self.shares.get(group));
            if let (Some(own), Some(share)) = (own, share) {
                let own = predict::forecast(own, &asking_group, &Default::default())?;
                found = predict::blend(&found, &own, *share).unwrap_or(found);
            }
            all.put(&found, places, asking.windows.len());
        }
        Ok(all)
    }
}

fn light(whole: &Architecture, hidden: usize) -> Architecture {
    Architecture {
        width: hidden,
        ..whole.clone()
    }
}

/// What the card says of each group.
fn note(groups: &[OfGroup], judged: &[Option<Judged>]) -> TrainingNote {
    let row = |(group, judged): (&OfGroup, &Option<Judged>)| {
        let loss = |share: f64| {
            let at = SHARES.iter().position(|of| *of == share);
            let loss = judged.as_ref().zip(at).and_then(|(of, at)| of.losses.get(at));
            loss.map_or("–".to_owned(), |loss| format!("{loss:.6}"))
        };
        let share = judged.as_ref().map_or(0.0, |of| of.share);
        vec![
            group.name.clone(),
            group.series.to_string(),
            group.train.len().to_string(),
            group.validation.len().to_string(),
            loss(0.0),
            loss(1.0),
            share.to_string(),
            loss(share),
        ]
    };
    TrainingNote {
        title: "Groups".to_owned(),
        text: "A forecast is that of the network of all series and that of its group's, weighed by the share; the losses are those of the \
               group's validation windows. Series that belong to no group are forecast by the network of all alone."
            .to_owned(),
        columns: ["group", "series", "training windows", "validation windows", "loss of all", "loss of the group's", "share", "loss"]
            .map(str::to_owned)
            .to_vec(),
        rows: groups.iter().zip(judged).map(row).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_of_the_least_loss_is_chosen_and_the_smallest_of_equals() {
        assert_eq!(best_share(&[3.0, 2.0, 1.0, 2.0, 3.0]), 0.5);
        assert_eq!(best_share(&[1.0, 1.0, 1.0, 1.0, 1.0]), 0.0);
        assert_eq!(best_share(&[3.0, 2.0, f64::NAN, 1.5, 1.0]), 1.0);
        assert_eq!(best_share(&[f64::NAN; 5]), 0.0);
    }
}
