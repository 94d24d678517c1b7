//! What proves that the parts are apart; it stands in the manifest.

use std::fmt;

use definitions::{Duration, EventTime};
use serde::{Deserialize, Serialize};

use super::Part;

/// How many of something are in each part, and in none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PartCounts {
    /// In train.
    pub train: u64,
    /// In validation.
    pub validation: u64,
    /// In test.
    pub test: u64,
    /// In a gap: in no part.
    pub gap: u64,
}

impl PartCounts {
    /// Counts.
    pub fn of(parts: impl IntoIterator<Item = Option<Part>>) -> Self {
        parts.into_iter().fold(Self::default(), |mut counts, part| {
            *counts.slot(part) += 1;
            counts
        })
    }

    /// How many are in a part.
    #[must_use]
    pub fn of_part(&self, part: Part) -> u64 {
        match part {
            Part::Train => self.train,
            Part::Validation => self.validation,
            Part::Test => self.test,
        }
    }

    /// All of them, the gap included.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.train + self.validation + self.test + self.gap
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        self.train += other.train;
        self.validation += other.validation;
        self.test += other.test;
        self.gap += other.gap;
    }

    fn slot(&mut self, part: Option<Part>) -> &mut u64 {
        match part {
            Some(Part::Train) => &mut self.train,
            Some(Part::Validation) => &mut self.validation,
            Some(Part::Test) => &mut self.test,
            None => &mut self.gap,
        }
    }
}

impl fmt::Display for PartCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            train,
            validation,
            test,
            gap,
        } = self;
        write!(f, "{train} train, {validation} validation, {test} test, {gap} in gaps")
    }
}

/// Where one part ends and the next begins, in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeBorder {
    /// The part that ends.
    pub before: Part,
    /// The part that begins.
    pub after: Part,
    /// Rows from this time on belong to the part that begins.
    pub cut: EventTime,
    /// The last event time in the part that ends.
    pub last_event_time: EventTime,
    /// That, plus the label's horizon: up to when its labels look.
    pub last_label_end: EventTime,
    /// The first event time in the part that begins.
    pub first_event_time: EventTime,
    /// That, less the longest lookback: from when on its features look.
    pub first_feature_time: EventTime,
    /// From the last label end to the first feature time, in microseconds; where it is not above zero they overlap.
    pub between_micros: i64,
    /// Rows in this gap, which are in no part.
    pub gap_rows: u64,
}

impl TimeBorder {
    fn sentence(&self) -> String {
        let Self {
            before,
            after,
            last_label_end,
            first_feature_time,
            between_micros,
            gap_rows,
            ..
        } = self;
        let apart = match Duration::from_micros(*between_micros) {
            Some(span) if *between_micros > 0 => format!("{span} apart"),
            _ => "NOT apart".to_owned(),
        };
        format!(
            "the last label of {before} ends at {last_label_end}, the first feature of {after} is from {first_feature_time}: \
             {apart}, {gap_rows} rows in the gap"
        )
    }
}

/// A part of a fold: the rows of a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoldPart {
    /// Which part.
    pub part: Part,
    /// The event time of its first row.
    pub from: EventTime,
    /// The first moment after its last row.
    pub to: EventTime,
    /// Its rows.
    pub rows: u64,
}

impl FoldPart {
    /// Whether a row with this event time, in UTC microseconds, belongs to it.
    #[must_use]
    pub fn holds(&self, time: i64) -> bool {
        (self.from.0..self.to.0).contains(&time)
    }
}

/// One fold of a walk forward.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fold {
    /// Its number, from 1, in time order.
    pub number: u32,
    /// Its parts, in time order.
    pub parts: Vec<FoldPart>,
    /// The borders between them, in time order.
    pub borders: Vec<TimeBorder>,
}

impl Fold {
    /// One of its parts; `None`: it has no such part.
    #[must_use]
    pub fn part(&self, part: Part) -> Option<&FoldPart> {
        self.parts.iter().find(|own| own.part == part)
    }

    fn sentence(&self) -> String {
        let part = |own: &FoldPart| format!("{} {} rows from {}", own.part, own.rows, own.from);
        let parts: Vec<String> = self.parts.iter().map(part).collect();
        let nearest = self.borders.iter().map(|border| border.between_micros).min();
        let apart = match nearest.and_then(Duration::from_micros) {
            Some(span) if span > Duration::ZERO => format!("at least {span} apart"),
            _ if nearest.is_some() => "NOT apart".to_owned(),
            _ => "one part only".to_owned(),
        };
        format!("fold {}: {}: {apart}", self.number, parts.join(", "))
    }
}

/// The rows of one value of the column that a draw was made by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stratum {
    /// The value; `None`: NULL.
    pub value: Option<String>,
    /// Its rows per part.
    pub rows: PartCounts,
}

/// The column that a draw was made by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stratified {
    /// The column.
    pub column: String,
    /// Its values, in the order of their bytes.
    pub strata: Vec<Stratum>,
}

/// The proof, by strategy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "strategy", rename_all = "snake_case")]
pub enum Certificate {
    /// There is one part.
    Whole {
        /// Its rows.
        rows: u64,
    },
    /// Parts follow each other in time.
    Time {
        /// The gap that was kept: a row is in it when `cut - gap <= event time < cut`.
        gap: Duration,
        /// What was kept beyond the gap.
        #[serde(default, skip_serializing_if = "is_zero")]
        embargo: Duration,
        /// The gap that the definitions need.
        needed: Duration,
        /// Whether the view accepts a shorter one.
        allow_overlap: bool,
        /// The borders between parts, in order.
        borders: Vec<TimeBorder>,
    },
    /// Folds follow each other in time. The dataset's parts are those of the last.
    WalkForward {
        /// The gap that was kept.
        gap: Duration,
        /// What was kept beyond the gap.
        #[serde(default, skip_serializing_if = "is_zero")]
        embargo: Duration,
        /// The gap that the definitions need.
        needed: Duration,
        /// Whether the view accepts a shorter one.
        allow_overlap: bool,
        /// The folds, in time order.
        folds: Vec<Fold>,
    },
    /// Each row was drawn.
    Random {
        /// The seed.
        seed: u64,
        /// Rows per part.
        rows: PartCounts,
        /// The column that the draw was made by.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stratified: Option<Stratified>,
    },
    /// Each entity was drawn.
    Group {
        /// The seed.
        seed: u64,
        /// Entities per part.
        entities: PartCounts,
        /// Entities in more than one part: none, counted after the fact.
        entities_in_two_parts: u64,
    },
}

impl Certificate {
    /// The proof in words, a sentence each.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        match self {
            Self::Whole { rows } => vec![format!("all {rows} rows are one part")],
            Self::Time { borders, .. } => borders.iter().map(TimeBorder::sentence).collect(),
            Self::WalkForward { folds, .. } => folds.iter().map(Fold::sentence).collect(),
            Self::Random {
                seed, rows, stratified, ..
            } => {
                let drawn = format!("every row was drawn with seed {seed}: {rows}");
                std::iter::once(drawn)
                    .chain(stratified.as_ref().map(Stratified::sentence))
                    .collect()
            }
            Self::Group {
                seed,
                entities,
                entities_in_two_parts,
            } => {
                let drawn = format!("every entity was drawn with seed {seed}: {entities}");
                vec![
                    drawn,
                    format!("{entities_in_two_parts} entities are in more than one part"),
                ]
            }
        }
    }

    /// The seed of what was drawn; 0 where nothing was.
    #[must_use]
    pub fn seed(&self) -> u64 {
        match self {
            Self::Random { seed, .. } | Self::Group { seed, .. } => *seed,
            Self::Whole { .. } | Self::Time { .. } | Self::WalkForward { .. } => 0,
        }
    }

    /// The folds of a walk forward, in time order; empty where there are none.
    #[must_use]
    pub fn folds(&self) -> &[Fold] {
        match self {
            Self::WalkForward { folds, .. } => folds,
            _ => &[],
        }
    }

    /// Whether labels of one part look as far as the features of the next look back.
    #[must_use]
    pub fn overlaps(&self) -> bool {
        let overlap = |borders: &[TimeBorder]| borders.iter().any(|border| border.between_micros <= 0);
        match self {
            Self::Time { borders, .. } => overlap(borders),
            Self::WalkForward { folds, .. } => folds.iter().any(|fold| overlap(&fold.borders)),
            Self::Whole { .. } | Self::Random { .. } | Self::Group { .. } => false,
        }
    }
}

impl Stratified {
    fn sentence(&self) -> String {
        const SHOWN: usize = 5;
        let one = |stratum: &Stratum| {
            let value = stratum.value.as_deref().unwrap_or("NULL");
            let PartCounts {
                train,
                validation,
                test,
                ..
            } = stratum.rows;
            format!("{value} {train}/{validation}/{test}")
        };
        let mut shown: Vec<String> = self.strata.iter().take(SHOWN).map(one).collect();
        if self.strata.len() > SHOWN {
            shown.push(format!("and {} values more", self.strata.len() - SHOWN));
        }
        format!(
            "every value of {} has its shares (train/validation/test): {}",
            self.column,
            shown.join(", ")
        )
    }
}

fn is_zero(span: &Duration) -> bool {
    *span == Duration::ZERO
}
