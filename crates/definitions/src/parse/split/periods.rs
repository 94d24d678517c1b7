//! Parts of a split that lie in several places of time: `test = [{ from = "2026-03-01", to = "2026-03-08" }, …]`.

use super::super::document::Content;
use super::super::table::{Field, Table};
use super::time;
use crate::{Cut, EventTime, Period};

const EXAMPLE: &str = "test = [{ from = \"2026-03-01\", to = \"2026-03-08\" }]";

/// The periods of a list, in time order.
pub(super) fn periods(field: &Field<'_>) -> Option<Vec<Period>> {
    let elements = field.list()?;
    if elements.is_empty() {
        field.bad("at least one period", EXAMPLE.to_owned());
        return None;
    }
    let mut periods = elements.iter().map(period).collect::<Option<Vec<Period>>>()?;
    periods.sort_by_key(|period| period.from);
    Some(periods)
}

fn period(field: &Field<'_>) -> Option<Period> {
    let table = field.table("a period of `[split]`")?;
    table.only(&["from", "to"]);
    let end = |key: &str| {
        let end = table.require(key, "a time", EXAMPLE)?;
        match end.content() {
            Content::Text(text) | Content::Time(text) => time(&end, text, "a time, such as `\"2026-01-31T00:00:00Z\"`"),
            _ => end.mistyped("a time", Some(format!("{key} = \"2026-01-31T00:00:00Z\""))),
        }
    };
    let (from, to): (EventTime, EventTime) = (end("from")?, end("to")?);
    if from >= to {
        let problem = table.problem("to", "a period of `[split]` holds no time");
        let problem = problem.wanted("`from` before `to`").found(format!("{from} and {to}"));
        let swapped = (from > to).then(|| format!("from = \"{to}\", to = \"{from}\""));
        table.notes.problem(problem.hint(swapped));
        return None;
    }
    Some(Period { from, to })
}

/// Periods go with periods, and each moment is in one part only.
pub(super) fn check(table: &Table<'_>, validation: Option<&Cut>, test: Option<&Cut>) {
    let (of_validation, of_test) = (periods_of(validation), periods_of(test));
    let mixed = match (validation, test) {
        (Some(Cut::Within(_)), Some(Cut::Fraction(_) | Cut::At(_))) => Some(("test", "validation")),
        (Some(Cut::Fraction(_) | Cut::At(_)), Some(Cut::Within(_))) => Some(("validation", "test")),
        _ => None,
    };
    if let Some((other, periods)) = mixed {
        let problem = table.problem(
            other,
            format!("`{periods}` of `[split]` is periods, and `{other}` is not"),
        );
        let problem = problem.wanted("both as periods").found("one as periods");
        let hint = EXAMPLE.replace("test", other);
        table.notes.problem(problem.hint(hint));
    }
    let mut all: Vec<&Period> = of_validation.iter().chain(of_test).collect();
    all.sort_by_key(|period| (period.from, period.to));
    for pair in all.windows(2) {
        if let [one, other] = pair
            && other.from < one.to
        {
            let problem = table.problem("test", "periods of `[split]` overlap");
            let problem = problem.wanted("each moment in one period");
            let found = format!("one to {}, the next from {}", one.to, other.from);
            table
                .notes
                .problem(problem.found(found).hint(format!("to = \"{}\"", other.from)));
        }
    }
}

fn periods_of(cut: Option<&Cut>) -> &[Period] {
    match cut {
        Some(Cut::Within(periods)) => periods,
        _ => &[],
    }
}
