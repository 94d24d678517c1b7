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
        /// The gap that the definitions need.
        needed: Duration,
        /// Whether the view accepts a shorter one.
        allow_overlap: bool,
        /// The borders between parts, in order.
        borders: Vec<TimeBorder>,
    },
    /// Each row was drawn.
    Random {
        /// The seed.
        seed: u64,
        /// Rows per part.
        rows: PartCounts,
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
            Self::Random { seed, rows } => vec![format!("every row was drawn with seed {seed}: {rows}")],
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
            Self::Whole { .. } | Self::Time { .. } => 0,
        }
    }

    /// Whether labels of one part look as far as the features of the next look back.
    #[must_use]
    pub fn overlaps(&self) -> bool {
        matches!(self, Self::Time { borders, .. } if borders.iter().any(|border| border.between_micros <= 0))
    }
}
