//! Computations over frames, gathered by column and by frame, so that each column is read once for all of them.

use definitions::Duration;

use super::extremes::Pick;
use super::frame::Frame;
use super::moments::Moment;
use super::piece::Emit;
use super::{Aggregate, Computation, Filling};

/// All that is made of one column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ColumnPlan {
    pub of: usize,
    pub frames: Vec<FramePlan>,
}

/// All that is made of one column's values in one frame.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FramePlan {
    pub frame: Frame,
    /// Whether the frame must be over by the time that rows were observed.
    pub is_label: bool,
    pub moments: Vec<Emit<Moment>>,
    pub picks: Vec<Emit<Pick>>,
    pub quantiles: Vec<Emit<f64>>,
    /// The outputs that count values.
    pub counts: Vec<usize>,
    /// The outputs that count different values.
    pub different: Vec<usize>,
    /// Half-lives in microseconds.
    pub decays: Vec<Emit<i64>>,
}

/// The least or greatest values of frames that end together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Extremes {
    pub pick: Pick,
    until: i64,
    /// The frames by their place, and the outputs.
    pub frames: Vec<(usize, usize)>,
}

/// How many half-lives a value counts.
const HALF_LIVES: i64 = 64;

/// What a frame's values become.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Measure {
    Aggregate(Aggregate),
    Zscore,
    Filled,
}

/// Gathers the computations that read frames.
pub(super) fn plan(computations: &[Computation]) -> Vec<ColumnPlan> {
    let mut columns: Vec<ColumnPlan> = Vec::new();
    for (output, computation) in computations.iter().enumerate() {
        let Some((of, frame, is_label, measure)) = framed(computation) else {
            continue;
        };
        let known = columns.iter().position(|column| column.of == of);
        let column = known.unwrap_or_else(|| {
            columns.push(ColumnPlan { of, frames: Vec::new() });
            columns.len() - 1
        });
        if let Some(column) = columns.get_mut(column) {
            column.add(frame, is_label, measure, output);
        }
    }
    columns
}

fn framed(computation: &Computation) -> Option<(usize, Frame, bool, Measure)> {
    let until_now = |window: Duration| Frame {
        after: Some(-window.micros()),
        until: 0,
    };
    Some(match computation {
        Computation::Window { of, window, aggregate } => {
            (*of, until_now(*window), false, Measure::Aggregate(*aggregate))
        }
        Computation::Lead { of, lead, aggregate } => {
            let ahead = Frame {
                after: Some(0),
                until: lead.micros(),
            };
            (*of, ahead, true, Measure::Aggregate(*aggregate))
        }
        Computation::Lag { of, lag, max_age } => {
            let behind = Frame {
                after: Some(-lag.plus(*max_age).micros()),
                until: -lag.micros(),
            };
            (*of, behind, false, Measure::Aggregate(Aggregate::Last))
        }
        Computation::Zscore { of, window } => {
            let before = Frame {
                after: window.map(|window| -window.micros()),
                until: -1,
            };
            (*of, before, false, Measure::Zscore)
        }
        Computation::Fill {
            of,
            with: Filling::LastKnown { max_age },
        } => (*of, until_now(*max_age), false, Measure::Filled),
        _ => return None,
    })
}

impl ColumnPlan {
    fn add(&mut self, frame: Frame, is_label: bool, measure: Measure, output: usize) {
        let frame = match measure {
            Measure::Aggregate(Aggregate::Ewm(half_life)) => {
                let oldest = frame
                    .until
                    .saturating_sub(half_life.micros().saturating_mul(HALF_LIVES));
                Frame {
                    after: frame.after.map(|after| after.max(oldest)),
                    ..frame
                }
            }
            _ => frame,
        };
        let known = self
            .frames
            .iter()
            .position(|known| known.frame == frame && known.is_label == is_label);
        let place = known.unwrap_or_else(|| {
            self.frames.push(FramePlan::new(frame, is_label));
            self.frames.len() - 1
        });
        if let Some(frame) = self.frames.get_mut(place) {
            frame.add(measure, output);
        }
    }

    /// The least and greatest values that are wanted, those of frames that end together together.
    pub(super) fn extremes(&self) -> Vec<Extremes> {
        let mut all: Vec<Extremes> = Vec::new();
        for (place, frame) in self.frames.iter().enumerate() {
            for pick in frame.picks.iter().filter(|pick| pick.what.is_extreme()) {
                let until = frame.frame.until;
                match all
                    .iter_mut()
                    .find(|known| known.pick == pick.what && known.until == until)
                {
                    Some(known) => known.frames.push((place, pick.output)),
                    None => all.push(Extremes {
                        pick: pick.what,
                        until,
                        frames: vec![(place, pick.output)],
                    }),
                }
            }
        }
        all
    }

    /// The moments that some frame wants.
    pub(super) fn moments(&self) -> Vec<Moment> {
        self.frames
            .iter()
            .flat_map(|frame| &frame.moments)
            .map(|moment| moment.what)
            .collect()
    }

    /// The rows that the frames of the first and the last asked row reach, and those between, by their place among the times.
    pub(super) fn reached(&self, times: &[i64], first: (usize, i64), last: (usize, i64)) -> (usize, usize) {
        let around = |(start, end): (usize, usize), frame: &FramePlan| {
            let (begins, _) = frame.frame.rows(times, first.1);
            let (_, ends) = frame.frame.rows(times, last.1);
            (start.min(begins), end.max(ends))
        };
        self.frames.iter().fold((first.0, last.0 + 1), around)
    }
}

impl FramePlan {
    fn new(frame: Frame, is_label: bool) -> Self {
        Self {
            frame,
            is_label,
            moments: Vec::new(),
            picks: Vec::new(),
            quantiles: Vec::new(),
            counts: Vec::new(),
            different: Vec::new(),
            decays: Vec::new(),
        }
    }

    fn add(&mut self, measure: Measure, output: usize) {
        let moment = |what| Emit { what, output };
        let pick = |what| Emit { what, output };
        let quantile = |what| Emit { what, output };
        match measure {
            Measure::Zscore => self.moments.push(moment(Moment::Zscore)),
            Measure::Filled => self.picks.push(pick(Pick::Filled)),
            Measure::Aggregate(aggregate) => match aggregate {
                Aggregate::Mean => self.moments.push(moment(Moment::Mean)),
                Aggregate::Sum => self.moments.push(moment(Moment::Sum)),
                Aggregate::Std => self.moments.push(moment(Moment::Std)),
                Aggregate::Var => self.moments.push(moment(Moment::Var)),
                Aggregate::Slope => self.moments.push(moment(Moment::Slope)),
                Aggregate::Min => self.picks.push(pick(Pick::Min)),
                Aggregate::Max => self.picks.push(pick(Pick::Max)),
                Aggregate::First => self.picks.push(pick(Pick::First)),
                Aggregate::Last => self.picks.push(pick(Pick::Last)),
                Aggregate::Median => self.quantiles.push(quantile(0.5)),
                Aggregate::Quantile(q) => self.quantiles.push(quantile(q)),
                Aggregate::Count => self.counts.push(output),
                Aggregate::Nunique => self.different.push(output),
                Aggregate::Ewm(half_life) => self.decays.push(Emit {
                    what: half_life.micros(),
                    output,
                }),
            },
        }
    }

    /// How many of the ascending times have a frame that is over.
    pub(super) fn over(&self, times: &[i64], observed_until: i64) -> usize {
        let is_over = |t: &i64| t.checked_add(self.frame.until).unwrap_or(i64::MAX) <= observed_until;
        if self.is_label {
            times.partition_point(is_over)
        } else {
            times.len()
        }
    }
}
