//! The section of a card that is about folds: the same pipeline on stretches of time before, whether its scores last.

use super::evidence::{CardEvidence, CardFold};
use super::markdown::{Markdown, count, number};
use super::render::row;
use crate::Score;

/// Everybody's scores fold by fold, and their means; nothing where there are no folds.
pub(super) fn scores(text: &mut Markdown, evidence: &CardEvidence) {
    if evidence.folds.is_empty() {
        return;
    }
    text.paragraph("The pipeline learned anew on each fold; the model is that of the last.");
    let metrics = &evidence.evaluation.metrics;
    let names: Vec<String> = metrics.iter().map(ToString::to_string).collect();
    let has_baselines = evidence.folds.iter().any(|fold| !fold.baselines.is_empty());
    let mut head = vec!["fold", "part", "rows"];
    head.extend(has_baselines.then_some("compared"));
    head.extend(names.iter().map(String::as_str));
    let of = |fold: &CardFold, subject: &str, scores: &[Score]| {
        let mut cells = vec![fold.fold.to_string(), fold.part.clone(), count(fold.rows)];
        cells.extend(has_baselines.then(|| subject.to_owned()));
        row(cells, metrics, scores)
    };
    let rows = evidence.folds.iter().flat_map(|fold| {
        let baselines = fold.baselines.iter().map(|(name, scores)| of(fold, name, scores));
        std::iter::once(of(fold, "this model", &fold.scores))
            .chain(baselines)
            .collect::<Vec<_>>()
    });
    text.table(&head, rows);
    means(text, evidence, &names);
}

/// Mean and standard deviation over the folds.
fn means(text: &mut Markdown, evidence: &CardEvidence, names: &[String]) {
    let mut subjects: Vec<(&str, Option<&str>)> = Vec::new();
    for mean in &evidence.fold_means {
        let subject = (mean.part.as_str(), mean.baseline.as_deref());
        if !subjects.contains(&subject) {
            subjects.push(subject);
        }
    }
    if subjects.is_empty() {
        return;
    }
    text.paragraph("Mean and standard deviation over the folds:");
    let mut head = vec!["part", "compared"];
    head.extend(names.iter().map(String::as_str));
    let rows = subjects.into_iter().map(|(part, baseline)| {
        let cell = |name: &String| {
            let mut means = evidence.fold_means.iter();
            let own = means.find(|of| of.metric == *name && of.part == part && of.baseline.as_deref() == baseline);
            let std = own
                .and_then(|own| own.std)
                .map(|std| format!(" \u{b1} {}", number(Some(std))));
            format!("{}{}", number(own.map(|own| own.mean)), std.unwrap_or_default())
        };
        let mut cells = vec![part.to_owned(), baseline.unwrap_or("this model").to_owned()];
        cells.extend(names.iter().map(cell));
        cells
    });
    text.table(&head, rows);
}
