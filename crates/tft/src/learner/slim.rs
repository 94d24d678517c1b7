//! Slimming: a first, short training on every variable, a second on those that counted most in it.

use learning::{LearningError, TrainingNote};
use serde::{Deserialize, Serialize};

use super::course::{Ended, Lesson};
use super::weighing::weigh;
use crate::model::{Architecture, VariableSet};
use crate::train::{Counts, Kept, Settings};

/// `[train.tft.slim]`
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Slim {
    /// The share of the variables of each kind that is kept: more than 0, at most 1.
    pub keep: f64,
    /// Epochs of the first training at most; default 3.
    pub epochs: u64,
}

impl Slim {
    /// Epochs of the first training, where nothing else is said.
    pub(super) const EPOCHS: u64 = 3;

    /// The settings of the first training.
    pub(super) fn settings(self, settings: &Settings) -> Settings {
        Settings {
            epochs: self.epochs,
            keep_checkpoints: 0,
            ..settings.clone()
        }
    }

    /// Which variables are kept, and how much each counted.
    pub(super) fn choose(self, lesson: &Lesson<'_>, first: &Ended, threads: usize) -> Result<Chosen, LearningError> {
        let counts = weigh(lesson, &first.network, threads)?;
        let kept = Kept::of(lesson.architecture, &counts, self.keep);
        Ok(Chosen { kept, counts })
    }
}

/// What was chosen.
pub(super) struct Chosen {
    pub kept: Kept,
    counts: Counts,
}

impl Chosen {
    /// What the card says: both losses, what was kept, and how much each variable counted.
    pub fn note(&self, whole: &Architecture, first: Option<f64>, second: Option<f64>) -> TrainingNote {
        let kinds = [
            ("static", &whole.fixed, &self.counts.fixed, &self.kept.fixed),
            ("known", &whole.known, &self.counts.known, &self.kept.known),
            ("observed", &whole.observed, &self.counts.observed, &self.kept.observed),
        ];
        let rows: Vec<Vec<String>> = kinds
            .into_iter()
            .flat_map(|(kind, set, counts, kept)| rows(kind, set, counts, kept))
            .collect();
        let kept = rows
            .iter()
            .filter(|row| row.last().is_some_and(|word| word == "yes"))
            .count();
        let loss =
            |loss: Option<f64>| loss.map_or("no validation".to_owned(), |loss| format!("validation loss {loss:.6}"));
        TrainingNote {
            title: "Slimming".to_owned(),
            text: format!(
                "A first, short training on all {} variables chose the {kept} that the model learned from: {} with all, {} with those kept. \
                 A variable counts as its kind's selection weighs it on average over windows; targets are always kept.",
                rows.len(),
                loss(first),
                loss(second)
            ),
            columns: ["kind", "variable", "weight", "kept"].map(str::to_owned).to_vec(),
            rows,
        }
    }
}

fn rows(kind: &str, set: &VariableSet, counts: &[f64], kept: &[usize]) -> Vec<Vec<String>> {
    let mut all: Vec<(usize, String)> = set.names().into_iter().enumerate().collect();
    let count = |place: usize| counts.get(place).copied().unwrap_or_default();
    all.sort_by(|(one, _), (other, _)| count(*other).total_cmp(&count(*one)).then(one.cmp(other)));
    let word = |place: &usize| if kept.contains(place) { "yes" } else { "no" };
    all.into_iter()
        .map(|(place, name)| {
            vec![
                kind.to_owned(),
                format!("`{name}`"),
                format!("{:.4}", count(place)),
                word(&place).to_owned(),
            ]
        })
        .collect()
}
