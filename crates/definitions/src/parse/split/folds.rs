//! `strategy = "walk_forward"`: folds that follow each other in time.

use super::super::document::Content;
use super::super::table::{Field, Table};
use super::{OF_DRAWS, OF_RANDOM, embargo, fraction, gap, only};
use crate::{Duration, Gap, Length, Split};

/// The split of `[split]`; `None` where it is wrong.
pub(super) fn walk_forward(table: &Table<'_>) -> Option<Split> {
    let known = [
        "strategy",
        "folds",
        "train",
        "validation",
        "test",
        "gap",
        "embargo",
        "allow_overlap",
    ];
    only(
        table,
        "walk_forward",
        &known,
        &[("seed", OF_DRAWS), ("stratify", OF_RANDOM)],
    );
    let folds = table.require("folds", "how many folds", "folds = 5").and_then(|field| {
        let folds: u32 = field.whole(1)?;
        if folds > MOST_FOLDS {
            field.bad(format!("at most {MOST_FOLDS} folds"), format!("folds = {MOST_FOLDS}"));
        }
        (folds <= MOST_FOLDS).then_some(folds)
    });
    let optional = |key: &str| table.get(key).map_or(Some(None), |field| length(&field).map(Some));
    let (train, validation) = (optional("train"), optional("validation"));
    let test = table
        .require("test", "how long the test of each fold is", "test = \"7d\"")
        .and_then(|field| length(&field));
    let gap = table.get("gap").map_or(Some(Gap::Auto), |field| gap(&field));
    let split = Split::WalkForward {
        folds: folds?,
        train: train?,
        validation: validation?,
        test: test?,
        gap: gap?,
        embargo: embargo(table)?,
        allow_overlap: table.flag("allow_overlap"),
    };
    check_room(table, &split);
    Some(split)
}

/// More folds than anybody waits for.
const MOST_FOLDS: u32 = 100;

fn length(field: &Field<'_>) -> Option<Length> {
    match field.content() {
        Content::Text(_) => {
            let span: Duration = field.parsed()?;
            if span == Duration::ZERO {
                field.bad("a duration above 0", format!("{} = \"7d\"", field.key));
                return None;
            }
            Some(Length::Span(span))
        }
        _ => {
            let share = fraction(field);
            if share.is_none() && field.number() == Some(0.0) {
                field.bad("a share above 0", format!("{} = 0.1", field.key));
            }
            share.map(Length::Fraction)
        }
    }
}

/// Shares must leave rows for the train of the first fold.
fn check_room(table: &Table<'_>, split: &Split) {
    let Split::WalkForward {
        folds,
        validation,
        test: Length::Fraction(test),
        ..
    } = split
    else {
        return;
    };
    let of_validation = match validation {
        Some(Length::Fraction(share)) => *share,
        _ => 0.0,
    };
    let held_out = test * f64::from(*folds) + of_validation;
    if held_out >= 1.0 {
        let problem = table.problem("folds", "no rows are left for the train of the first fold in `[split]`");
        let problem = problem.wanted("`folds` times `test`, and `validation`, below 1 together");
        let found = format!(
            "{folds} x {test:?} + {of_validation:?} = {:?}",
            (held_out * 1e6).round() / 1e6
        );
        let fitting = 0.5 / f64::from(*folds);
        table
            .notes
            .problem(problem.found(found).hint(format!("test = {fitting:.2}")));
    }
}
