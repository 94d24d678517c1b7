//! Signs that a model was told the answer: what leak tests find, and the measures they go by.
//!
//! | test | what is looked at | what it finds |
//! |---|---|---|
//! | `label_among_inputs` | values of inputs and label | a leak: the label, scaled, or made of two inputs |
//! | `helpers_among_inputs` | the columns' roles and sources | a leak: a column that was declared to be no input |
//! | `entities_apart` | the entities of each part | a leak: an entity in two parts of a group split |
//! | `duplicates_apart` | whole rows | a suspicion: rows of the judged part stand in train too |
//! | `single_input` | each input by itself | a suspicion: one explains the label almost alone |
//! | `time_shift` | inputs as they are, and as they are later | a suspicion: one knows most of the label as it is, and less of it later |
//! | `poisoned_future` | the dataset, made again with every later value replaced | a leak: a row changes |
//!
//! A **leak** is a fact; a **suspicion** is what honest data may show too, if rarely.

use std::collections::BTreeMap;
use std::fmt;

use definitions::LeakRule;
use serde::{Deserialize, Serialize};

use crate::{GateCheck, GateReport, Sum};

/// A leak test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeakTest {
    /// Whether inputs are the label, or make it.
    LabelAmongInputs,
    /// Whether columns that were declared to be no inputs are.
    HelpersAmongInputs,
    /// Whether each entity of a group split is in one part.
    EntitiesApart,
    /// Whether rows of the judged part stand in train too.
    DuplicatesApart,
    /// Whether one input explains the label almost alone.
    SingleInput,
    /// Whether inputs know of the label what only later ones should.
    TimeShift,
    /// Whether the dataset holds what was not known at its rows' times.
    PoisonedFuture,
}

impl LeakTest {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::LabelAmongInputs => "label_among_inputs",
            Self::HelpersAmongInputs => "helpers_among_inputs",
            Self::EntitiesApart => "entities_apart",
            Self::DuplicatesApart => "duplicates_apart",
            Self::SingleInput => "single_input",
            Self::TimeShift => "time_shift",
            Self::PoisonedFuture => "poisoned_future",
        }
    }
}

/// What a leak test says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeakFinding {
    /// It found nothing.
    Nothing,
    /// It found what honest data may show too.
    Suspicion,
    /// It found a leak.
    Leak,
    /// It does not apply; the detail says why.
    NotApplicable,
}

/// A leak test, and what it found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeakCheck {
    /// The test.
    pub test: LeakTest,
    /// What it says.
    pub finding: LeakFinding,
    /// The columns that it names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// In words.
    pub detail: String,
}

impl LeakCheck {
    /// A test that found nothing.
    #[must_use]
    pub fn nothing(test: LeakTest, detail: impl Into<String>) -> Self {
        Self::of(test, LeakFinding::Nothing, Vec::new(), detail)
    }
    /// A test that does not apply.
    #[must_use]
    pub fn not_applicable(test: LeakTest, why: impl Into<String>) -> Self {
        Self::of(test, LeakFinding::NotApplicable, Vec::new(), why)
    }
    /// A test with this finding, and the columns that it names.
    #[must_use]
    pub fn of(test: LeakTest, finding: LeakFinding, columns: Vec<String>, detail: impl Into<String>) -> Self {
        Self {
            test,
            finding,
            columns,
            detail: detail.into(),
        }
    }

    /// Whether a pipeline with this rule must not register a model.
    #[must_use]
    pub fn refuses(&self, rule: Option<LeakRule>) -> bool {
        match self.finding {
            LeakFinding::Leak => rule != Some(LeakRule::Warn),
            LeakFinding::Suspicion => rule == Some(LeakRule::Refuse),
            LeakFinding::Nothing | LeakFinding::NotApplicable => false,
        }
    }
}

impl fmt::Display for LeakCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.finding {
            LeakFinding::Leak => "leak: ",
            LeakFinding::Suspicion => "suspicion of a leak: ",
            LeakFinding::Nothing | LeakFinding::NotApplicable => "",
        };
        write!(f, "{word}{} ({})", self.detail, self.test.word())
    }
}

/// Adds to the gates what leak tests refuse; where the pipeline asks for it, also that they refuse nothing.
pub fn add_leaks(report: &mut GateReport, rule: Option<LeakRule>, checks: &[LeakCheck]) {
    let limit = match rule {
        Some(LeakRule::Refuse) => "no leak and no suspicion",
        Some(LeakRule::Warn) => "any",
        None => "no leak",
    };
    let check = |passed, detail: String| GateCheck {
        gate: "leaks".to_owned(),
        value: None,
        limit: limit.to_owned(),
        passed,
        detail,
    };
    let refused: Vec<&LeakCheck> = checks.iter().filter(|check| check.refuses(rule)).collect();
    report
        .checks
        .extend(refused.iter().map(|found| check(false, found.to_string())));
    if refused.is_empty() && rule.is_some() {
        let run = checks
            .iter()
            .filter(|check| check.finding != LeakFinding::NotApplicable);
        report
            .checks
            .push(check(true, format!("{} tests refuse nothing", run.count())));
    }
    report.passed &= refused.is_empty();
}

/// Rows of an input beside the label. Missing values are NaN; labels of classes are their numbers.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a> {
    /// The input.
    pub input: &'a [f64],
    /// The label.
    pub label: &'a [f64],
}

/// Fewer rows say nothing.
pub const LEAST_ROWS: usize = 50;

const MOST_BINS: usize = 256;
const ROWS_PER_BIN: usize = 8;

/// The share of the label's variance that one input explains alone: learned as means by bin (or by category) on some rows, measured on
/// others. Of classes, the variance of their indicators, all together (Goodman and Kruskal's tau). `None`: too few rows, or a label that does
/// not vary.
#[must_use]
pub fn explained_alone(learned: Beside<'_>, measured: Beside<'_>, classes: usize, categorical: bool) -> Option<f64> {
    if learned.label.len() < LEAST_ROWS || measured.label.len() < LEAST_ROWS {
        return None;
    }
    let edges = if categorical { None } else { Some(edges(learned.input)) };
    let bin = |value: f64| -> u64 {
        match &edges {
            _ if value.is_nan() => u64::MAX,
            Some(edges) => edges.partition_point(|edge| *edge <= value) as u64,
            None => value.to_bits(),
        }
    };
    let mut unexplained = Sum::default();
    let mut whole = Sum::default();
    let indicators: Vec<Option<f64>> = match classes {
        0..=2 => vec![None],
        many => (0..many).map(|class| Some(class as f64)).collect(),
    };
    for class in indicators {
        let value = |label: f64| class.map_or(label, |class| f64::from(u8::from(label == class)));
        let mut sums: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
        for (input, label) in learned.input.iter().zip(learned.label) {
            let (count, sum) = sums.entry(bin(*input)).or_default();
            *count += 1.0;
            *sum += value(*label);
        }
        let overall = mean(learned.label.iter().map(|label| value(*label)));
        let own = mean(measured.label.iter().map(|label| value(*label)));
        for (input, label) in measured.input.iter().zip(measured.label) {
            let said = sums.get(&bin(*input)).map_or(overall, |(count, sum)| sum / count);
            unexplained.add((value(*label) - said).powi(2));
            whole.add((value(*label) - own).powi(2));
        }
    }
    (whole.value() > 0.0).then(|| 1.0 - unexplained.value() / whole.value())
}

/// Bounds between bins of about as many rows each.
fn edges(values: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let bins = (sorted.len() / ROWS_PER_BIN).clamp(1, MOST_BINS);
    let mut edges: Vec<f64> = (1..bins)
        .filter_map(|bin| sorted.get(bin * sorted.len() / bins).copied())
        .collect();
    edges.dedup();
    edges
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len().max(1) as f64;
    values.collect::<Sum>().value() / count
}

/// How a label is made of inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// The inputs, by their places.
    pub inputs: Vec<usize>,
    /// In words, such as `a - b`.
    pub formula: String,
}

/// Of so many rows with values, this share must fit.
const FITTING_SHARE: f64 = 0.99;

/// More inputs are not paired with each other.
const MOST_PAIRED: usize = 200;

/// How the label is made of one input or two: itself, scaled, their sum, difference, product or ratio. `names` and `inputs` go together; a few
/// hundred rows are enough. Empty where the label hardly varies.
#[must_use]
pub fn recipes(names: &[&str], inputs: &[Vec<f64>], label: &[f64]) -> Vec<Recipe> {
    let mut distinct: Vec<u64> = label.iter().map(|value| value.to_bits()).collect();
    distinct.sort_unstable();
    distinct.dedup();
    // Of a label of few values, a formula that fits may be chance.
    if distinct.len() < 10 || label.len() < LEAST_ROWS {
        return Vec::new();
    }
    let name = |at: usize| names.get(at).copied().unwrap_or_default();
    let mut recipes = Vec::new();
    for (at, input) in inputs.iter().enumerate() {
        if fits(label, |row| input.get(row).copied()) {
            recipes.push(Recipe {
                inputs: vec![at],
                formula: format!("`{}` itself", name(at)),
            });
        } else if is_scaled(input, label) {
            recipes.push(Recipe {
                inputs: vec![at],
                formula: format!("`{}`, scaled", name(at)),
            });
        }
    }
    let found: Vec<usize> = recipes.iter().flat_map(|recipe| recipe.inputs.clone()).collect();
    let left: Vec<(usize, &Vec<f64>)> = inputs
        .iter()
        .enumerate()
        .filter(|(at, _)| !found.contains(at))
        .take(MOST_PAIRED)
        .collect();
    for (at, one) in &left {
        for (with, other) in left.iter().filter(|(with, _)| with != at) {
            let pair = |row: usize| Some((one.get(row).copied()?, other.get(row).copied()?));
            let makes = |how: fn(f64, f64) -> f64| fits(label, |row| pair(row).map(|(a, b)| how(a, b)));
            let sign = match at < with {
                true if makes(|a, b| a + b) => Some('+'),
                true if makes(|a, b| a * b) => Some('x'),
                _ if makes(|a, b| a - b) => Some('-'),
                _ if makes(|a, b| a / b) => Some('/'),
                _ => None,
            };
            recipes.extend(sign.map(|sign| Recipe {
                inputs: vec![*at, *with],
                formula: format!("`{}` {sign} `{}`", name(*at), name(*with)),
            }));
        }
    }
    recipes
}

/// Whether values are the label's, wherever they are values.
fn fits(label: &[f64], value: impl Fn(usize) -> Option<f64>) -> bool {
    let (mut rows, mut fitting) = (0_usize, 0_usize);
    for (row, label) in label.iter().enumerate() {
        let Some(value) = value(row).filter(|value| value.is_finite()) else {
            continue;
        };
        rows += 1;
        let near = 1e-9 * label.abs().max(value.abs()).max(1e-300);
        fitting += usize::from((value - label).abs() <= near);
        // Most inputs are told from the label at a glance.
        if rows == 8 && fitting < 4 {
            return false;
        }
    }
    rows >= LEAST_ROWS && fitting as f64 >= FITTING_SHARE * rows as f64
}

/// Whether the label is a straight line of the input.
fn is_scaled(input: &[f64], label: &[f64]) -> bool {
    let pairs: Vec<(f64, f64)> = input
        .iter()
        .zip(label)
        .filter(|(input, _)| input.is_finite())
        .map(|(input, label)| (*input, *label))
        .collect();
    if pairs.len() < LEAST_ROWS {
        return false;
    }
    let (of_input, of_label) = (
        mean(pairs.iter().map(|(input, _)| *input)),
        mean(pairs.iter().map(|(_, label)| *label)),
    );
    let sum = |of: fn(f64, f64) -> f64| {
        let terms = pairs
            .iter()
            .map(|(input, label)| of(input - of_input, label - of_label));
        terms.collect::<Sum>().value()
    };
    let (xx, yy, xy) = (sum(|x, _| x * x), sum(|_, y| y * y), sum(|x, y| x * y));
    xx > 0.0 && yy > 0.0 && xy * xy / (xx * yy) > 1.0 - 1e-10
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

    use super::*;

    /// Numbers that look drawn, the same every time.
    fn drawn(seed: u64, rows: usize) -> Vec<f64> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        (0..rows).map(|_| next()).collect()
    }

    fn beside<'a>(input: &'a [f64], label: &'a [f64]) -> Beside<'a> {
        Beside { input, label }
    }

    #[test]
    fn input_that_is_a_curve_of_the_label_explains_it_alone() {
        let (one, other) = (drawn(1, 4_000), drawn(2, 4_000));
        let curve = |values: &[f64]| values.iter().map(|value| (5.0 * value).exp()).collect::<Vec<f64>>();
        let share = explained_alone(beside(&one, &curve(&one)), beside(&other, &curve(&other)), 0, false).unwrap();
        assert!(share > 0.99, "{share}");
        let apart = explained_alone(beside(&one, &curve(&other)), beside(&other, &curve(&one)), 0, false).unwrap();
        assert!(apart < 0.1, "{apart}");
    }

    #[test]
    fn category_that_is_the_class_explains_it_alone_and_one_seen_once_does_not() {
        let classes: Vec<f64> = (0..900).map(|row| f64::from(row % 3)).collect();
        let same = beside(&classes, &classes);
        assert_eq!(explained_alone(same, same, 3, true), Some(1.0));
        let (ids, others): (Vec<f64>, Vec<f64>) = (0..900).map(|row| (f64::from(row), f64::from(row + 900))).unzip();
        let share = explained_alone(beside(&ids, &classes), beside(&others, &classes), 3, true).unwrap();
        assert!(share < 0.01, "{share}");
    }

    #[test]
    fn few_rows_and_labels_that_do_not_vary_say_nothing() {
        let few = drawn(1, 10);
        assert_eq!(explained_alone(beside(&few, &few), beside(&few, &few), 0, false), None);
        let (many, same) = (drawn(1, 100), vec![1.0; 100]);
        assert_eq!(
            explained_alone(beside(&many, &same), beside(&many, &same), 0, false),
            None
        );
    }

    #[test]
    fn recipes_of_the_label_are_found_and_named() {
        let (a, mut b, c) = (drawn(1, 300), drawn(2, 300), drawn(3, 300));
        b[7] = f64::NAN;
        let check = |label: Vec<f64>, wanted: &[&str]| {
            let found = recipes(&["a", "b", "c"], &[a.clone(), b.clone(), c.clone()], &label);
            let found: Vec<&str> = found.iter().map(|recipe| recipe.formula.as_str()).collect();
            assert_eq!(found, wanted);
        };
        let both = |how: fn(f64, f64) -> f64| a.iter().zip(&b).map(|(a, b)| how(*a, *b)).collect::<Vec<f64>>();
        let whole = |label: Vec<f64>| {
            label
                .into_iter()
                .map(|value| if value.is_nan() { 0.5 } else { value })
                .collect()
        };
        check(c.clone(), &["`c` itself"]);
        check(a.iter().map(|a| 3.0 - 2.0 * a).collect(), &["`a`, scaled"]);
        check(whole(both(|a, b| a + b)), &["`a` + `b`"]);
        check(whole(both(|a, b| b - a)), &["`b` - `a`"]);
        check(whole(both(|a, b| a * b)), &["`a` x `b`"]);
        check(whole(both(|a, b| a / b)), &["`a` / `b`"]);
        check(drawn(9, 300), &[]);
        check(
            a.iter().zip(drawn(8, 300)).map(|(a, noise)| a + 0.01 * noise).collect(),
            &[],
        );
    }

    #[test]
    fn rule_says_what_refuses() {
        let found = |finding| LeakCheck::of(LeakTest::SingleInput, finding, vec!["a".to_owned()], "a, alone");
        let (leak, suspicion) = (found(LeakFinding::Leak), found(LeakFinding::Suspicion));
        let refuses =
            |check: &LeakCheck| [None, Some(LeakRule::Warn), Some(LeakRule::Refuse)].map(|rule| check.refuses(rule));
        assert_eq!(refuses(&leak), [true, false, true]);
        assert_eq!(refuses(&suspicion), [false, false, true]);
        let mut report = GateReport {
            part: None,
            checks: Vec::new(),
            passed: true,
        };
        add_leaks(&mut report, None, std::slice::from_ref(&suspicion));
        assert!(report.passed && report.checks.is_empty());
        add_leaks(&mut report, Some(LeakRule::Refuse), &[suspicion]);
        assert!(!report.passed);
        assert_eq!(
            report.lines(),
            ["gate leaks: suspicion of a leak: a, alone (single_input)"]
        );
    }
}
