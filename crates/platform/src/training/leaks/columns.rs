//! What inputs are: not the label, not what was declared to be no input, and none that knows the answer alone.

use std::collections::BTreeSet;

use definitions::Role;
use evaluation::{Beside, LeakCheck, LeakFinding, LeakTest, Recipe, explained_alone, recipes};
use feature_store::dataset::Column;

use super::{SAMPLED_ROWS, Sample, Suspects, among};
use crate::failure::Outcome;

/// Rows that the label is made again from.
const RECIPE_ROWS: usize = 500;

/// An input that alone explains so much of the label is suspicious.
const SUSPICIOUS_SHARE: f64 = 0.98;

/// Whether the label, or what makes it, is among the inputs.
pub(super) fn label_among_inputs(suspects: &Suspects<'_>) -> Outcome<LeakCheck> {
    const TEST: LeakTest = LeakTest::LabelAmongInputs;
    let Some(part) = suspects.judged.or(suspects.train) else {
        return Ok(LeakCheck::not_applicable(TEST, "there are no rows"));
    };
    let label = &suspects.asked.label.name;
    let inputs = &suspects.asked.inputs;
    let name = |at: &usize| inputs.get(*at).map(|input| input.name.clone()).unwrap_or_default();
    let found: Vec<Recipe> = match suspects.fitted.target.classes() {
        Some(classes) => renamed_classes(suspects, classes.len())?,
        None => {
            let sample = Sample::of(part, RECIPE_ROWS)?;
            // Codes of categories are numbers by accident.
            let numeric = |(at, values): (usize, &Vec<f64>)| match inputs.get(at) {
                Some(input) if !input.categorical => values.clone(),
                _ => Vec::new(),
            };
            let values: Vec<Vec<f64>> = sample.inputs.iter().enumerate().map(numeric).collect();
            let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
            recipes(&names, &values, &sample.labels)
        }
    };
    if found.is_empty() {
        return Ok(LeakCheck::nothing(TEST, "no input is the label, and no two make it"));
    }
    let columns: BTreeSet<String> = found.iter().flat_map(|recipe| recipe.inputs.iter().map(name)).collect();
    let formulas: Vec<String> = found.into_iter().map(|recipe| recipe.formula).collect();
    let detail = format!("the label `{label}` is among the inputs: it is {}", among(&formulas));
    let columns = columns.into_iter().collect();
    Ok(LeakCheck::of(TEST, LeakFinding::Leak, columns, detail))
}

/// Inputs of as few values as there are classes, each of which is one class.
fn renamed_classes(suspects: &Suspects<'_>, classes: usize) -> Outcome<Vec<Recipe>> {
    let mut found = Vec::new();
    let whole = shares(suspects, true)?
        .into_iter()
        .filter(|(_, _, share)| *share > 1.0 - 1e-9);
    for (at, input, _) in whole {
        let sample = suspects.train.map(|part| Sample::of(part, RECIPE_ROWS)).transpose()?;
        let values = sample.iter().filter_map(|sample| sample.inputs.get(at)).flatten();
        let distinct: BTreeSet<u64> = values.map(|value| value.to_bits()).collect();
        if distinct.len() <= classes {
            found.push(Recipe {
                inputs: vec![at],
                formula: format!("`{}`, under other names", input.name),
            });
        }
    }
    Ok(found)
}

/// Whether columns that are never to be inputs are.
pub(super) fn helpers_among_inputs(suspects: &Suspects<'_>) -> LeakCheck {
    const TEST: LeakTest = LeakTest::HelpersAmongInputs;
    let manifest = suspects.lesson.manifest;
    let is_helper = |column: &&Column| matches!(column.role, Role::Helper | Role::LabelHelper);
    let same = |input: &&Column| {
        let mut helpers = manifest.columns.iter().filter(is_helper);
        helpers.any(|helper| (&helper.group, &helper.source) == (&input.group, &input.source))
    };
    let columns: Vec<String> = suspects
        .asked
        .inputs
        .iter()
        .filter(same)
        .map(|input| input.name.clone())
        .collect();
    if columns.is_empty() {
        return LeakCheck::nothing(TEST, "no helper is an input");
    }
    let named: Vec<String> = columns.iter().map(|name| format!("`{name}`")).collect();
    let detail = format!("{} are declared to be helpers, and are inputs", among(&named));
    LeakCheck::of(TEST, LeakFinding::Leak, columns, detail)
}

/// Whether one input explains the label almost alone.
pub(super) fn single_input(suspects: &Suspects<'_>) -> Outcome<LeakCheck> {
    const TEST: LeakTest = LeakTest::SingleInput;
    if suspects.judged.is_none() {
        return Ok(LeakCheck::not_applicable(TEST, "there is no part besides train"));
    }
    let mut shares = shares(suspects, false)?;
    shares.sort_by(|(_, _, one), (_, _, other)| other.total_cmp(one));
    let Some((_, most, share)) = shares.first() else {
        let why = "too few rows with a label, or a label that does not vary";
        return Ok(LeakCheck::not_applicable(TEST, why));
    };
    let found: Vec<&(usize, &Column, f64)> = shares
        .iter()
        .filter(|(_, _, share)| *share >= SUSPICIOUS_SHARE)
        .collect();
    if found.is_empty() {
        let detail = format!(
            "`{}` says most alone: {:.1} % of the label",
            most.name,
            100.0 * share.max(0.0)
        );
        return Ok(LeakCheck::nothing(TEST, detail));
    }
    let named: Vec<String> = found
        .iter()
        .map(|(_, input, share)| format!("`{}` explains {:.2} %", input.name, 100.0 * share))
        .collect();
    let label = &suspects.asked.label.name;
    let detail = format!("of the label `{label}`, {} alone", among(&named));
    let columns = found.iter().map(|(_, input, _)| input.name.clone()).collect();
    Ok(LeakCheck::of(TEST, LeakFinding::Suspicion, columns, detail))
}

/// What each input explains of the label alone, learned on train, measured on the judged part (on train where that may be).
fn shares<'a>(suspects: &'a Suspects<'_>, on_train: bool) -> Outcome<Vec<(usize, &'a Column, f64)>> {
    let Some(train) = suspects.train else {
        return Ok(Vec::new());
    };
    let Some(judged) = suspects.judged.or(suspects.train.filter(|_| on_train)) else {
        return Ok(Vec::new());
    };
    let (learned, measured) = (Sample::of(train, SAMPLED_ROWS)?, Sample::of(judged, SAMPLED_ROWS)?);
    let classes = suspects.fitted.target.classes().map_or(0, <[String]>::len);
    let inputs = suspects.asked.inputs.iter().enumerate();
    let share = |(at, input): (usize, &'a Column)| {
        let one = Beside {
            input: learned.inputs.get(at)?,
            label: &learned.labels,
        };
        let other = Beside {
            input: measured.inputs.get(at)?,
            label: &measured.labels,
        };
        Some((at, input, explained_alone(one, other, classes, input.categorical)?))
    };
    Ok(inputs.filter_map(share).collect())
}
