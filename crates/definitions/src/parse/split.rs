//! `[split]` of a feature view.

use super::document::Content;
use super::spelling::one_of;
use super::table::{Field, Table};
use crate::{Cut, EventTime, Gap, Split, nearest};

const STRATEGIES: [&str; 4] = ["time", "random", "group", "walk_forward"];

/// How the view divides its rows; `None` where it is wrong or not supported yet.
pub(super) fn split(field: &Field<'_>) -> Option<Split> {
    let table = field.table("`[split]`")?;
    let strategy = table.require("strategy", &one_of(&STRATEGIES), "strategy = \"time\"")?;
    let words: Vec<(&str, &str)> = STRATEGIES.iter().map(|word| (*word, *word)).collect();
    match strategy.choice(&words)? {
        "time" => by_time(&table),
        "walk_forward" => {
            let hint = "strategy = \"time\"".to_owned();
            let problem = strategy.problem("`strategy = \"walk_forward\"` is not supported yet");
            table.notes.not_yet(problem.hint(hint));
            None
        }
        strategy => by_draw(&table, strategy),
    }
}

/// Notes keys that are unknown, or belong to another strategy.
fn only(table: &Table<'_>, strategy: &str, known: &[&str], elsewhere: &[(&str, &str)]) {
    for (key, _) in table.fields().filter(|(key, _)| !known.contains(key)) {
        let other = elsewhere
            .iter()
            .find(|(word, _)| *word == key)
            .map(|(_, strategies)| *strategies);
        let near = || nearest(key, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        let hint = other.map(|other| format!("remove it: `{key}` is for {other}, not for `strategy = \"{strategy}\"`"));
        table.unknown(key, &one_of(known), hint.or_else(near));
    }
}

fn by_time(table: &Table<'_>) -> Option<Split> {
    let known = ["strategy", "validation", "test", "gap", "allow_overlap"];
    only(
        table,
        "time",
        &known,
        &[("seed", "`strategy = \"random\"` and `\"group\"`")],
    );
    let validation = table.get("validation").and_then(|field| cut(&field));
    let test = table.get("test").and_then(|field| cut(&field));
    let gap = table.get("gap").map_or(Some(Gap::Auto), |field| gap(&field));
    check_parts(table, validation, test);
    Some(Split::Time {
        validation,
        test,
        gap: gap?,
        allow_overlap: table.flag("allow_overlap"),
    })
}

fn by_draw(table: &Table<'_>, strategy: &str) -> Option<Split> {
    let time = "`strategy = \"time\"`";
    let known = ["strategy", "validation", "test", "seed"];
    only(table, strategy, &known, &[("gap", time), ("allow_overlap", time)]);
    let part = |key: &str| {
        let field = table.get(key)?;
        match field.content() {
            Content::Text(text) if text.parse::<EventTime>().is_ok() => {
                field.mistyped("a share of the rows", Some("strategy = \"time\"".to_owned()))
            }
            _ => fraction(&field),
        }
    };
    let (validation, test) = (part("validation"), part("test"));
    check_parts(table, validation.map(Cut::Fraction), test.map(Cut::Fraction));
    let seed = table.get("seed").map_or(Some(42), |field| field.whole::<u64>(0))?;
    let (validation, test) = (validation.unwrap_or_default(), test.unwrap_or_default());
    Some(if strategy == "random" {
        Split::Random { validation, test, seed }
    } else {
        Split::Group { validation, test, seed }
    })
}

/// A share, or the time at which the part starts.
fn cut(field: &Field<'_>) -> Option<Cut> {
    let wanted =
        "a share below 1, such as `0.15`, or the time at which the part starts, such as `\"2026-01-31T00:00:00Z\"`";
    let time = |text: &str| {
        let with_zone = |end: &str| format!("{}{end}", text.replace(' ', "T"));
        let meant = || {
            ["Z", ":00Z"]
                .into_iter()
                .map(with_zone)
                .find(|text| text.parse::<EventTime>().is_ok())
        };
        let example = || "2026-01-31T00:00:00Z".to_owned();
        let hint = || format!("{} = \"{}\"", field.key, meant().unwrap_or_else(example));
        text.parse::<EventTime>()
            .map(Cut::At)
            .map_err(|_| field.bad(wanted, hint()))
            .ok()
    };
    match field.content() {
        Content::Text(text) => time(text),
        Content::Time(text) => time(text),
        _ => fraction(field).map(Cut::Fraction),
    }
}

/// A share above 0; 0 is the same as no part.
fn fraction(field: &Field<'_>) -> Option<f64> {
    let share = field.number()?;
    if !(0.0..1.0).contains(&share) {
        let percent = (1.0..100.0).contains(&share).then(|| share / 100.0);
        field.bad(
            "a share of the rows from 0 to below 1",
            format!("did you mean `{}`?", percent.unwrap_or(0.15)),
        );
    }
    (share > 0.0).then_some(share)
}

fn gap(field: &Field<'_>) -> Option<Gap> {
    match field.content() {
        Content::Text(text) if text == "auto" => Some(Gap::Auto),
        Content::Text(text) => {
            let span = text.parse().map(Gap::Of);
            span.map_err(|_| field.bad("`auto` or a duration, such as `2h`", "gap = \"auto\"".to_owned()))
                .ok()
        }
        _ => field.text().map(|_| Gap::Auto),
    }
}

fn check_parts(table: &Table<'_>, validation: Option<Cut>, test: Option<Cut>) {
    match (validation, test) {
        (None, None) if table.get("validation").is_none() && table.get("test").is_none() => {
            let problem = table.problem("test", "a split without parts in `[split]`");
            let problem = problem.wanted("`validation`, `test` or both").found("neither");
            table
                .notes
                .problem(problem.hint("validation = 0.15, test = 0.15".to_owned()));
        }
        (Some(Cut::Fraction(validation)), Some(Cut::Fraction(test)))
            if validation < 1.0 && test < 1.0 && validation + test >= 1.0 =>
        {
            let problem = table.problem("test", "no rows are left for train in `[split]`");
            let problem = problem.wanted("`validation` and `test` below 1 together");
            let found = format!("{validation:?} + {test:?} = {:?}", validation + test);
            table
                .notes
                .problem(problem.found(found).hint("validation = 0.15, test = 0.15".to_owned()));
        }
        (Some(Cut::At(validation)), Some(Cut::At(test))) if validation >= test => {
            let problem = table.problem("validation", "validation starts after test in `[split]`");
            let problem = problem
                .wanted("`validation` before `test`")
                .found(format!("{validation} and {test}"));
            let swapped = (validation > test).then(|| format!("validation = \"{test}\", test = \"{validation}\""));
            table.notes.problem(problem.hint(swapped));
        }
        _ => {}
    }
}
