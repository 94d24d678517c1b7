//! Where a model should not be trusted, as far as the evidence shows it.

use super::CardEvidence;
use super::markdown::{count, number, percent};
use crate::{Direction, LeakFinding, MIN_GATED_ROWS, Metric, PartEvaluation, SliceEvaluation, name_of, score_of};

/// A slice is called weak when its error is this many times the whole's.
const WEAK_RATIO: f64 = 1.5;

/// Slices that are named; of more, the number is.
const NAMED: usize = 8;

pub(super) fn found_limitations(evidence: &CardEvidence) -> Vec<String> {
    let mut found = of_split(evidence);
    found.extend(of_labels(evidence));
    found.extend(of_classes(evidence));
    found.extend(of_joins(evidence));
    found.extend(of_leaks(evidence));
    if let Some(part) = evidence.evaluation.gated_part() {
        let first = evidence.evaluation.metrics.first().copied();
        found.extend(first.and_then(|metric| weak_slices(part, metric)));
        found.extend(small_slices(part));
        found.extend(first.into_iter().flat_map(|metric| unbeaten(part, metric)));
    }
    if evidence.gates.checks.is_empty() {
        found.push("No gate was set: nothing had to hold before this model was registered.".to_owned());
    }
    found
}

fn of_split(evidence: &CardEvidence) -> Vec<String> {
    let (split, evaluation) = (&evidence.data.split, &evidence.evaluation);
    let mut found = Vec::new();
    match evaluation.gated_part().map(|part| part.part.as_str()) {
        Some("test") => {}
        Some("validation") => found.push(
            "There is no test part: the model was measured on the part that also decided when to stop, which flatters it."
                .to_owned(),
        ),
        _ => found.push(
            "There is neither a test nor a validation part: the model was measured on what it learned from, which says little."
                .to_owned(),
        ),
    }
    if split.overlap_allowed {
        let needed = split.gap_sum.as_deref().unwrap_or("label horizon + longest lookback");
        found.push(format!(
            "The view allows parts to overlap (`allow_overlap = true`): the gap may be shorter than {needed}, so labels of one \
             part may look into the next, and the scores may be better than what is to be expected."
        ));
    }
    if split.strategy == "random" && evidence.data.parts.iter().any(|part| part.times.is_some()) {
        found.push(
            "Rows were divided at random although they have times: neighbours in time stand in different parts, and the scores \
             may be better than what is to be expected of the future."
                .to_owned(),
        );
    }
    found
}

fn of_leaks(evidence: &CardEvidence) -> Vec<String> {
    let found = evidence
        .leaks
        .iter()
        .filter(|check| matches!(check.finding, LeakFinding::Leak | LeakFinding::Suspicion));
    found
        .map(|check| format!("A leak test says: {check}. Scores may be better than what is to be expected."))
        .collect()
}

fn of_labels(evidence: &CardEvidence) -> Option<String> {
    let rows: u64 = evidence.data.parts.iter().map(|part| part.rows).sum();
    let without: u64 = evidence.data.parts.iter().map(|part| part.without_label).sum();
    (without > 0).then(|| {
        let share = percent(without, rows);
        format!(
            "{} rows ({share}) have no label: nothing was learned from them, and nothing was measured on them.",
            count(without)
        )
    })
}

fn of_classes(evidence: &CardEvidence) -> Vec<String> {
    let odd = evidence.data.parts.iter().filter(|part| part.of_unknown_class > 0);
    let sentence = odd.map(|part| {
        let (rows, share) = (count(part.of_unknown_class), percent(part.of_unknown_class, part.rows));
        format!(
            "{rows} rows of {} ({share}) are of a class that the training part does not have: the model cannot name it, and they \
             are in no metric.",
            part.part
        )
    });
    sentence.collect()
}

fn of_joins(evidence: &CardEvidence) -> Vec<String> {
    let joined = evidence
        .data
        .groups
        .iter()
        .filter_map(|group| group.join.map(|join| (group, join)));
    let missing = joined.filter(|(_, join)| join.rows() > join.matched);
    let sentence = missing.map(|(group, join)| {
        let reasons = [
            ("unknown entity", join.unknown_entity),
            ("before the entity's first row", join.before_first),
            ("expired", join.expired),
            ("not yet known", join.not_yet_known),
        ];
        let reasons = reasons.iter().filter(|(_, rows)| *rows > 0);
        let reasons: Vec<String> = reasons
            .map(|(why, rows)| format!("{why} {}", percent(*rows, join.rows())))
            .collect();
        let share = percent(join.rows() - join.matched, join.rows());
        format!(
            "{share} of the rows found no value in `{}` ({}): the model saw NULL there.",
            group.group,
            reasons.join(", ")
        )
    });
    sentence.collect()
}

fn names(slices: &[&SliceEvaluation], word: impl Fn(&SliceEvaluation) -> String) -> String {
    let named: Vec<String> = slices.iter().take(NAMED).map(|slice| word(slice)).collect();
    let more = slices.len().saturating_sub(NAMED);
    let rest = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{}{rest}", named.join(", "))
}

fn weak_slices(part: &PartEvaluation, metric: Metric) -> Option<String> {
    let whole = score_of(&part.model, metric)?.value.filter(|value| *value > 0.0)?;
    let value = |slice: &SliceEvaluation| score_of(&slice.model, metric).and_then(|score| score.value);
    let is_weak = |slice: &&SliceEvaluation| {
        value(slice).is_some_and(|value| match metric.direction() {
            Direction::Lower => value > whole * WEAK_RATIO,
            Direction::Higher => value < whole / WEAK_RATIO,
        })
    };
    let weak: Vec<&SliceEvaluation> = part.slices.iter().filter(|slice| slice.gated).filter(is_weak).collect();
    (!weak.is_empty()).then(|| {
        let named = names(&weak, |slice| format!("{} ({})", slice.key, number(value(slice))));
        format!(
            "By {metric} it is much worse than on the whole ({}) on: {named}.",
            number(Some(whole))
        )
    })
}

fn small_slices(part: &PartEvaluation) -> Option<String> {
    let small: Vec<&SliceEvaluation> = part.slices.iter().filter(|slice| !slice.gated).collect();
    (!small.is_empty()).then(|| {
        let named = names(&small, |slice| format!("{} ({})", slice.key, count(slice.rows)));
        format!("Slices of fewer than {MIN_GATED_ROWS} rows were measured but not gated: {named}.")
    })
}

fn unbeaten(part: &PartEvaluation, metric: Metric) -> Vec<String> {
    let value = |scores| score_of(scores, metric).and_then(|score: &crate::Score| score.value);
    let both = part
        .rivals
        .iter()
        .filter_map(|rival| Some((rival, value(&rival.model)?, value(&rival.scores)?)));
    let unbeaten = both.filter(|(_, ours, theirs)| !metric.direction().is_better(*ours, *theirs));
    let sentence = unbeaten.map(|(rival, ours, theirs)| {
        let (ours, theirs) = (number(Some(ours)), number(Some(theirs)));
        format!(
            "By {metric} it does not beat {}: {ours} against {theirs}.",
            name_of(&rival.rival)
        )
    });
    sentence.collect()
}
