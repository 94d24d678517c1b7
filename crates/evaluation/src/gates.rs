//! Whether a model is good enough to be registered. Every check is kept with its value and its limit, whether it passed or not.
//!
//! Gates look at the test part; without one at validation, without that at train. A value that was not measured or is not defined
//! does not pass: what could not be checked was not good.

mod report;

use definitions::{Gates, Limits, Rival};
use serde::{Deserialize, Serialize};

use crate::{
    Direction, Evaluation, MIN_GATED_ROWS, Metric, PartEvaluation, RivalEvaluation, SliceEvaluation, name_of, score_of,
};
use report::{Side, among, compare, number};

/// What the gates said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateReport {
    /// The part they looked at; `None`: there was none.
    pub part: Option<String>,
    /// Every check, in the order metrics, slices, rivals.
    pub checks: Vec<GateCheck>,
    /// Whether every check passed.
    pub passed: bool,
}

/// One limit, and whether it was kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateCheck {
    /// The gate as it is written in the pipeline: `mae`, `slice_mae`, `beats last_value`.
    pub gate: String,
    /// The value that was held against the limit; of slices, the worst one's. `None`: there was none.
    pub value: Option<f64>,
    /// The limit: `<= 4.00 (max)`.
    pub limit: String,
    /// Whether it was kept.
    pub passed: bool,
    /// The check in words: `4.31 > 4.00 (max), over by 0.31 (7.8 %)`.
    pub detail: String,
}

impl GateReport {
    /// One line a check, then nothing: `gate mae: 4.31 > 4.00 (max), over by 0.31 (7.8 %)`.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.checks.iter().map(ToString::to_string).collect()
    }
    /// The checks that did not pass.
    pub fn failures(&self) -> impl Iterator<Item = &GateCheck> {
        self.checks.iter().filter(|check| !check.passed)
    }
}

impl std::fmt::Display for GateCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "gate {}: {}", self.gate, self.detail)
    }
}

/// Holds every gate against what was measured. Without gates, everything passes.
#[must_use]
pub fn check_gates(gates: &Gates, evaluation: &Evaluation) -> GateReport {
    let part = evaluation.gated_part();
    let mut checks = Vec::new();
    for (name, limits) in &gates.metrics {
        checks.extend(
            limits_of(limits)
                .into_iter()
                .map(|limit| check_metric(name, limit, part)),
        );
    }
    for (name, limits) in &gates.slices {
        checks.extend(
            limits_of(limits)
                .into_iter()
                .map(|limit| check_slices(name, limit, part)),
        );
    }
    checks.extend(gates.beats.iter().map(|rival| check_rival(rival, evaluation, part)));
    let passed = checks.iter().all(|check| check.passed);
    GateReport {
        part: part.map(|part| part.part.clone()),
        checks,
        passed,
    }
}

/// One bound of a gate.
#[derive(Debug, Clone, Copy)]
struct Limit {
    word: &'static str,
    side: Side,
    bound: f64,
    is_ratio: bool,
}

fn limits_of(limits: &Limits) -> Vec<Limit> {
    let limit = |word, side, is_ratio, bound: Option<f64>| {
        bound.map(|bound| Limit {
            word,
            side,
            bound,
            is_ratio,
        })
    };
    let all = [
        limit("max", Side::Most, false, limits.max),
        limit("min", Side::Least, false, limits.min),
        limit("max_ratio", Side::Most, true, limits.max_ratio),
        limit("min_ratio", Side::Least, true, limits.min_ratio),
    ];
    all.into_iter().flatten().collect()
}

impl Limit {
    fn text(self) -> String {
        let sign = self.side.sign();
        if self.is_ratio {
            return format!("{sign} {} x the whole ({})", number(self.bound), self.word);
        }
        format!("{sign} {} ({})", number(self.bound), self.word)
    }
}

fn refused(gate: String, limit: String, reason: &str) -> GateCheck {
    let detail = format!("{reason} (limit: {limit})");
    GateCheck {
        gate,
        value: None,
        limit,
        passed: false,
        detail,
    }
}

/// The metric's value over all rows of the part, or why there is none.
fn whole_value(name: &str, part: Option<&PartEvaluation>) -> Result<(Metric, f64), String> {
    let part = part.ok_or("there is no part to measure on")?;
    let metric: Metric = name
        .parse()
        .map_err(|error: crate::EvaluationError| error.to_string())?;
    let score = score_of(&part.model, metric).ok_or("it was not measured")?;
    let why = score.note.as_deref().unwrap_or("it has no value");
    Ok((
        metric,
        score
            .value
            .ok_or_else(|| format!("not defined on the {} part: {why}", part.part))?,
    ))
}

fn check_metric(name: &str, limit: Limit, part: Option<&PartEvaluation>) -> GateCheck {
    let gate = name.to_owned();
    if limit.is_ratio {
        return refused(gate, limit.text(), "a ratio needs slices to compare with the whole");
    }
    match whole_value(name, part) {
        Ok((_, value)) => {
            let (passed, detail) = compare(value, limit.side, limit.bound, limit.word);
            GateCheck {
                gate,
                value: Some(value),
                limit: limit.text(),
                passed,
                detail,
            }
        }
        Err(reason) => refused(gate, limit.text(), &reason),
    }
}

fn check_slices(name: &str, limit: Limit, part: Option<&PartEvaluation>) -> GateCheck {
    let gate = format!("slice_{name}");
    match judged_slices(name, limit, part) {
        Ok(judged) => slices_verdict(gate, limit, &judged),
        Err(reason) => refused(gate, limit.text(), &reason),
    }
}

struct Judged<'a> {
    slice: &'a SliceEvaluation,
    value: f64,
    bound: f64,
    passed: bool,
}

/// Every slice that is large enough, held against the bound; or why that is impossible.
fn judged_slices<'a>(name: &str, limit: Limit, part: Option<&'a PartEvaluation>) -> Result<Vec<Judged<'a>>, String> {
    let (metric, whole) = whole_value(name, part)?;
    let slices: Vec<&SliceEvaluation> = part.iter().flat_map(|part| &part.slices).collect();
    if slices.is_empty() {
        return Err("there are no slices: `[evaluate] slices` names no column".to_owned());
    }
    if limit.is_ratio && whole < 0.0 {
        return Err(format!(
            "the whole's value is {}, and a ratio to less than nothing says nothing",
            number(whole)
        ));
    }
    let bound = if limit.is_ratio {
        limit.bound * whole
    } else {
        limit.bound
    };
    let mut judged = Vec::new();
    for slice in slices.into_iter().filter(|slice| slice.gated) {
        let score = score_of(&slice.model, metric).ok_or("it was not measured on the slices")?;
        let why = score.note.as_deref().unwrap_or("it has no value");
        let value = score
            .value
            .ok_or_else(|| format!("not defined on slice {}: {why}", slice.key))?;
        judged.push(Judged {
            slice,
            value,
            bound,
            passed: limit.side.holds(value, bound),
        });
    }
    if judged.is_empty() {
        return Err(format!(
            "no slice has {MIN_GATED_ROWS} rows, the fewest that a gate looks at"
        ));
    }
    Ok(judged)
}

fn slices_verdict(gate: String, limit: Limit, judged: &[Judged<'_>]) -> GateCheck {
    let worse = |one: &&Judged<'_>, other: &&Judged<'_>| match limit.side {
        Side::Most | Side::Less => one.value.total_cmp(&other.value),
        Side::Least | Side::More => other.value.total_cmp(&one.value),
    };
    let Some(worst) = judged.iter().max_by(worse) else {
        return refused(gate, limit.text(), "there are no slices");
    };
    let word = if limit.is_ratio {
        format!("{} {} x the whole", limit.word, number(limit.bound))
    } else {
        limit.word.to_owned()
    };
    let (_, words) = compare(worst.value, limit.side, worst.bound, &word);
    let failed: Vec<String> = judged
        .iter()
        .filter(|one| !one.passed)
        .map(|one| one.slice.key.to_string())
        .collect();
    let summary = if failed.is_empty() {
        format!("the worst of {} slices", judged.len())
    } else {
        format!("{} of {} slices fail: {}", failed.len(), judged.len(), among(&failed))
    };
    let detail = format!("{} {words}; {summary}", worst.slice.key);
    GateCheck {
        gate,
        value: Some(worst.value),
        limit: limit.text(),
        passed: failed.is_empty(),
        detail,
    }
}

fn check_rival(rival: &Rival, evaluation: &Evaluation, part: Option<&PartEvaluation>) -> GateCheck {
    let (gate, name) = (format!("beats {}", name_of(rival)), name_of(rival));
    let Some(metric) = evaluation.metrics.first().copied() else {
        return refused(gate, format!("better than {name}"), "nothing was measured");
    };
    let limit = format!("{metric} better than {name}'s");
    let found = part.and_then(|part| part.rivals.iter().find(|measured| measured.rival == *rival));
    let Some(measured) = found else {
        return refused(gate, limit, "it was not measured");
    };
    if !measured.present {
        let detail = format!("there is no `{name}` yet, nothing to beat");
        return GateCheck {
            gate,
            value: None,
            limit,
            passed: true,
            detail,
        };
    }
    match both_values(metric, measured) {
        Ok((value, theirs)) => {
            let (passed, detail) = verdict(metric, value, theirs, &name);
            GateCheck {
                gate,
                value: Some(value),
                limit,
                passed,
                detail,
            }
        }
        Err(reason) => refused(gate, limit, &reason),
    }
}

fn both_values(metric: Metric, measured: &RivalEvaluation) -> Result<(f64, f64), String> {
    let value = |of: &str, scores| -> Result<f64, String> {
        let score = score_of(scores, metric).ok_or("it was not measured")?;
        let why = score.note.as_deref().unwrap_or("it has no value");
        score
            .value
            .ok_or_else(|| format!("{of}'s {metric} is not defined: {why}"))
    };
    let rival = name_of(&measured.rival);
    Ok((value("the model", &measured.model)?, value(&rival, &measured.scores)?))
}

/// Strictly better: who only draws level with a baseline has learned nothing that the baseline does not know.
fn verdict(metric: Metric, value: f64, theirs: f64, name: &str) -> (bool, String) {
    let passed = metric.direction().is_better(value, theirs);
    let side = match metric.direction() {
        Direction::Lower => Side::Less,
        Direction::Higher => Side::More,
    };
    let (_, words) = compare(value, side, theirs, &format!("{name}'s {metric}"));
    (passed, format!("{metric} {words}"))
}
