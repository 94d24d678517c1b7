//! From a panel and windows to a model.

use std::time::Instant;

use learning::{ForecastData, ForecastModel, Forecaster, LearningError, TrainingNote, TrainingWatch};

use super::course::{Course, Ended, Lesson, Planned};
use super::groups::{Grouped, Planning};
use super::judging::note_of_members;
use super::model::{Config, Learned, TftModel};
use super::parameters::Parameters;
use super::preparation::{Kinds, Preparation, windows};
use super::rate;
use super::recorder::Recorder;
use crate::TftError;
use crate::data::{Gathering, Panel, Shape, Window};
use crate::model::Architecture;
use crate::random::mix;
use crate::train::{Kept, Settings};

/// Added to a member's number, so that its seed is none that a training draws from the run's.
const MEMBERS: u64 = 1 << 32;

/// The transformer with its parameters.
#[derive(Debug, Clone)]
pub struct TftLearner {
    parameters: Parameters,
}

/// What is learned from, as the network takes it.
pub(super) struct Prepared {
    pub preparation: Preparation,
    pub panel: Panel,
    pub architecture: Architecture,
    pub train: Vec<Window>,
    pub validation: Vec<Window>,
}

impl Prepared {
    fn new(data: &ForecastData<'_>, parameters: &Parameters) -> Result<Self, LearningError> {
        let (preparation, kinds, panel) = Preparation::fit(data.panel, data.train_part, parameters.scaling, data.seed)?;
        Ok(Self {
            architecture: architecture(data, parameters, kinds),
            preparation,
            panel,
            train: windows(data.panel, data.train)?,
            validation: windows(data.panel, data.validation)?,
        })
    }

    /// Of these settings, on everything.
    fn lesson<'a>(&'a self, settings: &'a Settings, seed: u64) -> Lesson<'a> {
        Lesson {
            architecture: &self.architecture,
            settings,
            gathering: self.gathering(),
            train: &self.train,
            validation: &self.validation,
            seed,
        }
    }

    /// Leaves every other variable out; the architecture as it was comes back.
    fn keep(&mut self, kept: &Kept) -> Architecture {
        self.panel = kept.panel(&self.panel);
        self.preparation.scalers = kept.scalers(&self.preparation.scalers);
        let slim = kept.architecture(&self.architecture);
        std::mem::replace(&mut self.architecture, slim)
    }

    pub fn gathering(&self) -> Gathering<'_> {
        let shape = Shape {
            context: self.architecture.context,
            horizon: self.architecture.horizon,
        };
        Gathering::new(&self.panel, &self.preparation.scalers, shape, self.architecture.targets)
    }
}

impl TftLearner {
    /// A learner.
    #[must_use]
    pub fn new(parameters: Parameters) -> Self {
        Self { parameters }
    }

    fn learn(&self, data: &ForecastData<'_>, watch: TrainingWatch<'_>) -> Result<TftModel, LearningError> {
        let Parameters {
            members,
            slim,
            ref groups,
            ..
        } = self.parameters;
        let mut prepared = Prepared::new(data, &self.parameters)?;
        let mut notes = Vec::new();
        let settings = &self.settings(&prepared, data, &mut notes)?;
        let planning = groups.as_ref().map(|groups| groups.plan(data, &prepared)).transpose()?;
        let planned = self.planned(settings, prepared.train.len(), planning.as_ref());
        let mut course = Course::new(data, self.parameters.device, watch, planned);
        let mut slimmed = None;
        if let Some(slim) = slim {
            let short = slim.settings(settings);
            let lesson = prepared.lesson(&short, data.seed);
            let first = course.train(&lesson)?;
            if course.is_stopped {
                return Ok(TftModel::new(self.learned(prepared, course, vec![first], notes)));
            }
            let chosen = slim.choose(&lesson, &first, data.threads)?;
            let whole = prepared.keep(&chosen.kept);
            slimmed = Some((chosen, whole, first.loss));
        }
        let mut ended = Vec::new();
        for number in 0..members {
            ended.push(course.train(&prepared.lesson(settings, seed_of(data.seed, number)))?);
            if course.is_stopped {
                break;
            }
        }
        let least = ended.iter().filter_map(|member| member.loss).reduce(f64::min);
        notes.extend(slimmed.map(|(chosen, whole, first)| chosen.note(&whole, first, least)));
        if ended.len() > 1 {
            notes.push(note_of_members(
                &prepared.lesson(settings, data.seed),
                &ended,
                data.threads,
            )?);
        }
        let mut grouped = None;
        if let (Some(planning), Some(of), [whole], false) = (planning, groups, ended.as_slice(), course.is_stopped) {
            grouped = planning.train(of, settings, (&prepared, whole), &mut course)?;
        }
        let mut learned = self.learned(prepared, course, ended, notes);
        if let Some(Grouped { groups, networks, note }) = grouped {
            learned.notes.push(note);
            (learned.config.groups, learned.groups) = (Some(groups), networks);
        }
        Ok(TftModel::new(learned))
    }

    /// Those that were said, or with the rate that is found.
    fn settings(
        &self,
        prepared: &Prepared,
        data: &ForecastData<'_>,
        notes: &mut Vec<TrainingNote>,
    ) -> Result<Settings, LearningError> {
        let said = &self.parameters.settings;
        if !self.parameters.finds_rate {
            return Ok(said.clone());
        }
        let mut recorder = Recorder::open(data.telemetry.as_deref(), "finder", Instant::now())?;
        let (settings, note) = rate::find(
            &prepared.lesson(said, data.seed),
            (data, self.parameters.device),
            &mut recorder,
        )?;
        notes.push(note);
        Ok(settings)
    }

    /// Every training, in order: the one that chooses variables, the members, the groups.
    fn planned(&self, settings: &Settings, windows: usize, groups: Option<&Planning>) -> Vec<Planned> {
        let Parameters { members, slim, .. } = self.parameters;
        let first = slim.map(|slim| Planned::new("slimming", &slim.settings(settings), windows));
        let member = |number| match members {
            1 => Planned::new("training", settings, windows),
            _ => Planned::new(format!("member {number}"), settings, windows),
        };
        let of_groups = groups.map(|groups| groups.trainings(settings)).unwrap_or_default();
        first
            .into_iter()
            .chain((1..=members).map(member))
            .chain(of_groups)
            .collect()
    }

    fn learned(
        &self,
        prepared: Prepared,
        course: Course<'_, '_>,
        ended: Vec<Ended>,
        notes: Vec<TrainingNote>,
    ) -> Learned {
        Learned {
            config: Config {
                loss: self.parameters.settings.loss.clone(),
                architecture: prepared.architecture,
                members: ended.len(),
                groups: None,
            },
            best_iteration: best(&ended),
            networks: ended.into_iter().map(|member| member.network).collect(),
            preparation: prepared.preparation,
            threads: course.data.threads,
            history: course.history,
            notes,
            groups: Vec::new(),
        }
    }
}

impl Forecaster for TftLearner {
    fn fit(&self, data: &ForecastData<'_>, watch: TrainingWatch<'_>) -> Result<Box<dyn ForecastModel>, LearningError> {
        if data.train.is_empty() {
            return Err(TftError::NoWindows {
                wanted: data.shape.horizon + 1,
                found: longest(data.panel),
            }
            .into());
        }
        self.parameters.device.check()?;
        let model = in_threads(data.threads, || self.learn(data, watch))??;
        Ok(Box::new(model))
    }
}

fn architecture(data: &ForecastData<'_>, parameters: &Parameters, kinds: Kinds) -> Architecture {
    Architecture {
        fixed: kinds.fixed,
        known: kinds.known,
        observed: kinds.observed,
        targets: data.panel.targets,
        context: data.shape.context,
        horizon: data.shape.horizon,
        width: parameters.hidden,
        heads: parameters.heads,
        dropout: parameters.dropout,
        outputs: parameters.settings.loss.outputs(),
    }
}

/// The seed of a member, from 0; the first has the run's.
fn seed_of(seed: u64, member: usize) -> u64 {
    match member {
        0 => seed,
        later => mix(seed, MEMBERS + later as u64),
    }
}

/// The epoch of the best weights of all; without validation losses, of the last.
fn best(ended: &[Ended]) -> usize {
    let measured = ended
        .iter()
        .filter_map(|member| Some((member.loss?, member.best_iteration)));
    let best = measured
        .min_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, iteration)| iteration);
    let last = || ended.last().map(|member| member.best_iteration);
    usize::try_from(best.or_else(last).unwrap_or_default()).unwrap_or(usize::MAX)
}

fn longest(panel: &learning::Panel) -> usize {
    let lengths = (0..panel.names.len()).map(|entity| panel.series(entity).0.len());
    lengths.max().unwrap_or_default()
}

/// Does work on so many threads.
pub(super) fn in_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> Result<T, TftError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build();
    let pool = pool.map_err(|error| TftError::Device {
        what: "threads",
        said: error.to_string(),
    })?;
    Ok(pool.install(work))
}
