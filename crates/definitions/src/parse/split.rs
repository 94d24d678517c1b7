//! `[split]` of a feature view: `periods` reads parts that lie in several places, `folds` what is divided several times.

mod folds;
mod periods;

use super::document::Content;
use super::spelling::one_of;
use super::table::{Field, Table};
use crate::{Cut, Duration, EventTime, Gap, Split, nearest};

const STRATEGIES: [&str; 4] = ["time", "random", "group", "walk_forward"];

/// How the view divides its rows; `None` where it is wrong.
pub(super) fn split(field: &Field<'_>) -> Option<Split> {
    let table = field.table("`[split]`")?;
    let strategy = table.require("strategy", &one_of(&STRATEGIES), "strategy = \"time\"")?;
    let words: Vec<(&str, &str)> = STRATEGIES.iter().map(|word| (*word, *word)).collect();
    match strategy.choice(&words)? {
        "time" => by_time(&table),
        "walk_forward" => folds::walk_forward(&table),
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

const OF_TIME: &str = "`strategy = \"time\"` and `\"walk_forward\"`";
const OF_WALKS: &str = "`strategy = \"walk_forward\"`";
const OF_RANDOM: &str = "`strategy = \"random\"`";
const OF_DRAWS: &str = "`strategy = \"random\"` and `\"group\"`";

fn by_time(table: &Table<'_>) -> Option<Split> {
    let known = ["strategy", "validation", "test", "gap", "embargo", "allow_overlap"];
    let elsewhere = [
        ("seed", OF_DRAWS),
        ("stratify", OF_RANDOM),
        ("folds", OF_WALKS),
        ("train", OF_WALKS),
    ];
    only(table, "time", &known, &elsewhere);
    let validation = table.get("validation").and_then(|field| cut(&field));
    let test = table.get("test").and_then(|field| cut(&field));
    let gap = table.get("gap").map_or(Some(Gap::Auto), |field| gap(&field));
    check_parts(table, validation.as_ref(), test.as_ref());
    periods::check(table, validation.as_ref(), test.as_ref());
    Some(Split::Time {
        validation,
        test,
        gap: gap?,
        embargo: embargo(table)?,
        allow_overlap: table.flag("allow_overlap"),
    })
}

fn embargo(table: &Table<'_>) -> Option<Duration> {
    table
        .get("embargo")
        .map_or(Some(Duration::ZERO), |field| field.parsed())
}

fn by_draw(table: &Table<'_>, strategy: &str) -> Option<Split> {
    let elsewhere = [
        ("gap", OF_TIME),
        ("embargo", OF_TIME),
        ("allow_overlap", OF_TIME),
        ("folds", OF_WALKS),
        ("train", OF_WALKS),
    ];
    if strategy == "random" {
        only(
            table,
            strategy,
            &["strategy", "validation", "test", "seed", "stratify"],
            &elsewhere,
        );
    } else {
        let elsewhere = [elsewhere.as_slice(), &[("stratify", OF_RANDOM)]].concat();
        only(table, strategy, &["strategy", "validation", "test", "seed"], &elsewhere);
    }
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
    check_parts(
        table,
        validation.map(Cut::Fraction).as_ref(),
        test.map(Cut::Fraction).as_ref(),
    );
    let seed = table.get("seed").map_or(Some(42), |field| field.whole::<u64>(0))?;
    let (validation, test) = (validation.unwrap_or_default(), test.unwrap_or_default());
    Some(if strategy == "random" {
        Split::Random {
            validation,
            test,
            seed,
            stratify: table.parsed("stratify"),
        }
    } else {
        Split::Group { validation, test, seed }
    })
}

/// A share, the time at which the part starts, or the periods in which it lies.
fn cut(field: &Field<'_>) -> Option<Cut> {
    let wanted = "a share below 1, such as `0.15`, the time at which the part starts, such as `\"2026-01-31T00:00:00Z\"`, or a list of periods";
    match field.content() {
        Content::Text(text) | Content::Time(text) => time(field, text, wanted).map(Cut::At),
        Content::List(_) => periods::periods(field).map(Cut::Within),
        _ => fraction(field).map(Cut::Fraction),
    }
}

/// A time that a value's text says.
fn time(field: &Field<'_>, text: &str, wanted: &str) -> Option<EventTime> {
    let with_zone = |end: &str| format!("{}{end}", text.replace(' ', "T"));
    let meant = || {
        ["Z", ":00Z"]
            .into_iter()
            .map(with_zone)
            .find(|text| text.parse::<EventTime>().is_ok())
    };
    let example = || "2026-01-31T00:00:00Z".to_owned();
    let hint = || format!("{} = \"{}\"", field.key, meant().unwrap_or_else(example));
    text.parse().map_err(|_| field.bad(wanted, hint())).ok()
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

fn check_parts(table: &Table<'_>, validation: Option<&Cut>, test: Option<&Cut>) {
    match (validation, test) {
        (None, None) if table.get("validation").is_none() && table.get("test").is_none() => {
            let problem = table.problem("test", "a split without parts in `[split]`");
            let problem = problem.wanted("`validation`, `test` or both").found("neither");
            table
                .notes
                .problem(problem.hint("validation = 0.15, test = 0.15".to_owned()));
        }
        (Some(Cut::Fraction(validation)), Some(Cut::Fraction(test)))
            if *validation < 1.0 && *test < 1.0 && validation + test >= 1.0 =>
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
