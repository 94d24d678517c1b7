//! What makes a group derived: `[derive]`, and features computed from columns of other groups.

use super::document::Content;
use super::table::{Field, Table};
use crate::{Derivation, Derive, Duration, FeatureGroup, GroupRef, nearest};

const PLAIN_AGGREGATES: [&str; 10] = [
    "mean", "sum", "min", "max", "std", "count", "median", "first", "last", "nunique",
];
const AGGREGATES: &str = "`mean`, `sum`, `min`, `max`, `std`, `count`, `median`, `quantile(0.9)`, `first`, `last`, `ewm(\"30m\")` or `nunique`";
const CALENDAR: [&str; 10] = [
    "hour",
    "weekday",
    "month",
    "is_weekend",
    "hour_sin",
    "hour_cos",
    "weekday_sin",
    "weekday_cos",
    "month_sin",
    "month_cos",
];

/// `[derive]`
pub(super) fn derive(field: &Field<'_>) -> Option<Derive> {
    let table = field.table("`[derive]`")?;
    table.only(&["from", "sql", "lookback"]);
    let from = table.require("from", "the groups that it reads", "from = [\"server_metrics:v1\"]");
    let groups = from.as_ref().and_then(|field| field.distinct::<GroupRef>());
    if let (Some(field), Some([])) = (&from, groups.as_deref()) {
        field.bad(
            "at least one feature group",
            "from = [\"server_metrics:v1\"]".to_owned(),
        );
    }
    let derive = Derive {
        from: groups?,
        sql: table.text("sql"),
        lookback: table.parsed("lookback"),
    };
    match (&derive.sql, derive.lookback, table.get("lookback")) {
        (Some(_), _, None) => {
            table.require("lookback", "how far back the query looks", "lookback = \"24h\"");
        }
        (None, _, Some(field)) => field.bad(
            "`sql` beside it: features tell their own",
            "remove `lookback`".to_owned(),
        ),
        _ => {}
    }
    Some(derive)
}

/// How a feature is computed; `None` when it is not.
pub(super) fn derivation(table: &Table<'_>) -> Option<Derivation> {
    let spans = ["window", "lag", "lead"];
    let mut said = ["of", "window", "lag", "lead", "aggregate", "calendar"]
        .into_iter()
        .filter(|key| table.get(key).is_some());
    said.next()?;
    let derivation = Derivation {
        of: table.parsed("of"),
        window: table.get("window").and_then(|field| positive(&field)),
        lag: table.get("lag").and_then(|field| positive(&field)),
        lead: table.get("lead").and_then(|field| positive(&field)),
        aggregate: table.get("aggregate").and_then(|field| aggregate(&field)),
        calendar: table.get("calendar").and_then(|field| calendar(&field)),
    };
    let kinds: Vec<&str> = spans
        .into_iter()
        .chain(["calendar"])
        .filter(|key| table.get(key).is_some())
        .collect();
    match kinds.as_slice() {
        ["calendar"] => refuse(table, &["of", "aggregate"], "`calendar`"),
        ["lag"] => {
            refuse(table, &["aggregate"], "`lag`");
            table.require("of", "the column it is computed from", "of = \"cpu_percent\"");
        }
        ["window" | "lead"] => {
            table.require("of", "the column it is computed from", "of = \"cpu_percent\"");
            table.require("aggregate", AGGREGATES, "aggregate = \"mean\"");
        }
        _ => {
            let problem = table.problem("of", format!("unclear derivation of {}", table.place));
            let found = if kinds.is_empty() {
                "none".to_owned()
            } else {
                kinds.join(", ")
            };
            let problem = problem
                .wanted("exactly one of `window`, `lag`, `lead`, `calendar`")
                .found(found);
            table.notes.problem(problem.hint("one feature for each".to_owned()));
        }
    }
    Some(derivation)
}

fn refuse(table: &Table<'_>, keys: &[&str], beside: &str) {
    for field in keys.iter().filter_map(|key| table.get(key)) {
        field.bad(format!("nothing beside {beside}"), "remove it".to_owned());
    }
}

fn positive(field: &Field<'_>) -> Option<Duration> {
    let span: Duration = field.parsed()?;
    if span == Duration::ZERO {
        field.bad("a duration above zero", "did you mean `1h`?".to_owned());
    }
    Some(span)
}

fn aggregate(field: &Field<'_>) -> Option<String> {
    let text = field.text()?;
    let inside = |name: &str| {
        text.strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('(')?.strip_suffix(')'))
    };
    let quantile = inside("quantile").and_then(|share| share.trim().parse::<f64>().ok());
    let half_life = inside("ewm").and_then(|span| span.trim().trim_matches('"').parse::<Duration>().ok());
    let known = PLAIN_AGGREGATES.contains(&text.as_str())
        || quantile.is_some_and(|share| share > 0.0 && share < 1.0)
        || half_life.is_some_and(|span| span > Duration::ZERO);
    if !known {
        let near = nearest(&text, PLAIN_AGGREGATES).map(|near| format!("did you mean `{near}`?"));
        field.bad(AGGREGATES, near);
    }
    Some(text)
}

fn calendar(field: &Field<'_>) -> Option<String> {
    let words: Vec<(&str, &str)> = CALENDAR.iter().map(|word| (*word, *word)).collect();
    field.choice(&words).map(ToOwned::to_owned)
}

/// A derived group is read and checked; computing it is refused.
pub(super) fn note_not_yet(table: &Table<'_>, group: &FeatureGroup) {
    if !group.is_derived() {
        return;
    }
    let computed = group.features.iter().position(|feature| feature.derivation.is_some());
    let features = table.get("features").and_then(|field| field.list()).unwrap_or_default();
    let feature = || features.into_iter().nth(computed?);
    let place = table
        .get("derive")
        .filter(|field| matches!(field.content(), Content::Table(_)))
        .or_else(feature);
    let what = format!(
        "`{}` is a derived feature group, which is not supported yet",
        group.reference()
    );
    let hint = "compute the columns outside, ingest them, and state `horizon` or `lookback` on each feature instead";
    if let Some(field) = place {
        table.notes.not_yet(field.problem(what).hint(hint.to_owned()));
    }
}
