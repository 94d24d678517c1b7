//! What makes a group derived: `[derive]`, and features computed from columns of other groups.

use super::document::Content;
use super::table::{Field, Table};
use crate::{
    Aggregate, CalendarPart, ColumnName, Derivation, Derive, Duration, FeatureGroup, Filling, GroupRef, Minus, Past,
    nearest,
};

/// The keys that name a function; without one of them, `of` is the value itself.
const FUNCTION_KEYS: [&str; 12] = [
    "window",
    "lag",
    "lead",
    "difference",
    "ratio",
    "interaction",
    "zscore",
    "calendar",
    "bucket",
    "hash",
    "fill",
    "target_encoding",
];
/// All keys that say how a feature is computed.
pub(super) const KEYS: [&str; 16] = [
    "of",
    "window",
    "lag",
    "lead",
    "aggregate",
    "max_age",
    "difference",
    "ratio",
    "interaction",
    "zscore",
    "calendar",
    "bucket",
    "hash",
    "fill",
    "target_encoding",
    "smoothing",
];
const FUNCTIONS: &str = "at most one of `window`, `lag`, `lead`, `difference`, `ratio`, `interaction`, `zscore`, `calendar`, `bucket`, `hash`, \
                         `fill`, `target_encoding`";
/// How many rows the overall mean weighs in a target encoding, unless it is said.
const SMOOTHING: f64 = 20.0;
const MOST_BUCKETS: u32 = 1 << 31;

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

/// How a feature is computed; `None` when it is not, or not clearly.
pub(super) fn derivation(table: &Table<'_>) -> Option<Derivation> {
    let is_said = |key: &&str| table.get(key).is_some();
    if !KEYS.iter().any(is_said) {
        return None;
    }
    let functions: Vec<&str> = FUNCTION_KEYS.into_iter().filter(|key| is_said(key)).collect();
    let function = match functions.as_slice() {
        [] => "of",
        [only] => only,
        several => {
            let problem = table.problem("of", format!("unclear derivation of {}", table.place));
            let problem = problem.wanted(FUNCTIONS).found(several.join(", "));
            table.notes.problem(problem.hint("one feature for each".to_owned()));
            return None;
        }
    };
    refuse_beside(table, function);
    if function == "calendar" {
        let part = table.get("calendar")?.choice(&CalendarPart::WORDS)?;
        return Some(Derivation::Calendar { part });
    }
    let of = table
        .require("of", "the column it is computed from", "of = \"cpu_percent\"")
        .and_then(|field| field.parsed());
    let computed = computed(table, function);
    let (of, computed) = (of?, computed?);
    Some(computed(of))
}

/// The function that a key names, which waits for the column it is computed from.
fn computed(table: &Table<'_>, function: &str) -> Option<Box<dyn FnOnce(ColumnName) -> Derivation>> {
    Some(match function {
        "window" => {
            let window = positive(&table.get("window")?);
            let aggregate = table
                .require("aggregate", Aggregate::WANTED, "aggregate = \"mean\"")
                .and_then(|field| aggregate(&field));
            let (window, aggregate) = (window?, aggregate?);
            Box::new(move |of| Derivation::Window { of, window, aggregate })
        }
        "lag" => {
            let lag = positive(&table.get("lag")?);
            let max_age = table.get("max_age").map_or(lag, |field| positive(&field));
            let (lag, max_age) = (lag?, max_age?);
            Box::new(move |of| Derivation::Lag { of, lag, max_age })
        }
        "lead" => {
            let lead = positive(&table.get("lead")?);
            let said = table.get("aggregate");
            let aggregate = said.map_or(Some(Aggregate::Last), |field| aggregate(&field));
            let (lead, aggregate) = (lead?, aggregate?);
            Box::new(move |of| Derivation::Lead { of, lead, aggregate })
        }
        "difference" => {
            let minus = minus(&table.get("difference")?)?;
            Box::new(move |of| Derivation::Difference { of, minus })
        }
        "ratio" => {
            let by = table.parsed("ratio")?;
            Box::new(move |of| Derivation::Ratio { of, by })
        }
        "interaction" => {
            let with = table.parsed("interaction")?;
            Box::new(move |of| Derivation::Interaction { of, with })
        }
        "zscore" => {
            let past = past(&table.get("zscore")?)?;
            Box::new(move |of| Derivation::Zscore { of, past })
        }
        "bucket" => {
            let edges = edges(&table.get("bucket")?)?;
            Box::new(move |of| Derivation::Bucket { of, edges })
        }
        "hash" => {
            let bits = bits(&table.get("hash")?)?;
            Box::new(move |of| Derivation::Hash { of, bits })
        }
        "fill" => {
            let fill = filling(table, &table.get("fill")?)?;
            Box::new(move |of| Derivation::Fill { of, fill })
        }
        "target_encoding" => {
            let label = table.parsed("target_encoding");
            let smoothing = table
                .get("smoothing")
                .map_or(Some(SMOOTHING), |field| smoothing(&field));
            let (label, smoothing) = (label?, smoothing?);
            Box::new(move |of| Derivation::TargetEncoding { of, label, smoothing })
        }
        _ => Box::new(|of| Derivation::Value { of }),
    })
}

/// Keys that say nothing beside a function.
fn refuse_beside(table: &Table<'_>, function: &str) {
    let fits = |key: &str| match key {
        "of" => function != "calendar",
        "aggregate" => matches!(function, "window" | "lead"),
        "max_age" => matches!(function, "lag" | "fill"),
        _ => function == "target_encoding",
    };
    for key in ["of", "aggregate", "max_age", "smoothing"] {
        if let Some(field) = table.get(key).filter(|_| !fits(key)) {
            let hint = match (key, function) {
                ("aggregate", "of") => "window = \"1h\"".to_owned(),
                _ => format!("remove `{key}`"),
            };
            let wanted = match function {
                "of" => format!("nothing beside `of` alone: `{key}` belongs to a function"),
                _ => format!("nothing beside `{function}`"),
            };
            field.bad(wanted, hint);
        }
    }
}

fn positive(field: &Field<'_>) -> Option<Duration> {
    let span: Duration = field.parsed()?;
    if span == Duration::ZERO {
        field.bad("a duration above zero", "did you mean `1h`?".to_owned());
        return None;
    }
    Some(span)
}

fn aggregate(field: &Field<'_>) -> Option<Aggregate> {
    let text = field.text()?;
    let parsed = text.parse();
    if parsed.is_err() {
        let words = Aggregate::PLAIN
            .iter()
            .map(|(word, _)| *word)
            .chain(["quantile(0.9)", "ewm(\"30m\")"]);
        let near = nearest(&text, words).map(|near| format!("did you mean `{near}`?"));
        field.bad(
            Aggregate::WANTED,
            near.unwrap_or_else(|| "aggregate = \"mean\"".to_owned()),
        );
    }
    parsed.ok()
}

/// Whether a text means a duration rather than a word: no word starts with a digit.
fn is_duration(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_digit())
}

fn minus(field: &Field<'_>) -> Option<Minus> {
    match field.content() {
        Content::Text(text) if is_duration(text) => positive(field).map(Minus::Lag),
        Content::Text(_) => field.parsed().map(Minus::Column),
        _ => field.mistyped("a column or a duration", Some("difference = \"1h\"".to_owned())),
    }
}

fn past(field: &Field<'_>) -> Option<Past> {
    match field.content() {
        Content::Text(text) if text == "expanding" => Some(Past::Expanding),
        Content::Text(text) if is_duration(text) => positive(field).map(Past::Window),
        Content::Text(_) => {
            field.bad("`expanding` or a duration", "zscore = \"expanding\"".to_owned());
            None
        }
        _ => field.mistyped("`expanding` or a duration", Some("zscore = \"expanding\"".to_owned())),
    }
}

fn filling(table: &Table<'_>, field: &Field<'_>) -> Option<Filling> {
    let max_age = table.get("max_age");
    match (field.content(), max_age) {
        (Content::Text(text), _) if text == "last_known" => {
            let max_age = table.require("max_age", "how old the last value may be", "max_age = \"1h\"")?;
            positive(&max_age).map(Filling::LastKnown)
        }
        (_, Some(max_age)) => {
            max_age.bad("`fill = \"last_known\"` beside it", "remove `max_age`".to_owned());
            None
        }
        (Content::Integer(_) | Content::Float(_), _) => field.number().map(Filling::Number),
        (Content::Text(text), _) => Some(Filling::Text(text.clone())),
        _ => field.mistyped(
            "`last_known`, a number or a text",
            Some("fill = \"last_known\"".to_owned()),
        ),
    }
}

fn edges(field: &Field<'_>) -> Option<Vec<f64>> {
    let elements = field.list()?;
    let edges: Vec<f64> = elements.iter().map(Field::number).collect::<Option<_>>()?;
    let ascends = edges.windows(2).all(|pair| matches!(pair, [low, high] if low < high));
    if edges.is_empty() || !ascends {
        let mut sorted = edges.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.dedup();
        let hint = if sorted.is_empty() {
            vec![10.0, 50.0, 90.0]
        } else {
            sorted
        };
        field.bad("at least one edge, ascending", format!("bucket = {hint:?}"));
        return None;
    }
    Some(edges)
}

fn bits(field: &Field<'_>) -> Option<u8> {
    let number: u32 = field.whole(2)?;
    if !number.is_power_of_two() || number > MOST_BUCKETS {
        let near = number.checked_next_power_of_two().unwrap_or(MOST_BUCKETS);
        field.bad("a power of two from 2 to 2147483648", format!("hash = {near}"));
        return None;
    }
    u8::try_from(number.trailing_zeros()).ok()
}

fn smoothing(field: &Field<'_>) -> Option<f64> {
    let number = field.number()?;
    if number < 0.0 {
        field.bad("a number from 0", format!("smoothing = {SMOOTHING:?}"));
        return None;
    }
    Some(number)
}

/// What must hold between `[derive]` and the rest of the group.
pub(super) fn check_group(table: &Table<'_>, group: &FeatureGroup) {
    let Some(derive) = &group.derive else {
        return check_plain(table, group);
    };
    for (key, why) in [
        ("columns", "a derived feature group reads no files"),
        ("null_values", "a derived feature group reads no files"),
        ("truncate", "a derived feature group reads no files"),
        ("ambiguous", "a derived feature group reads no files"),
        (
            "static",
            "a derived feature group has the event times of its first source",
        ),
    ] {
        if let Some(field) = table.get(key) {
            field.bad(format!("nothing: {why}"), format!("remove `{key}`"));
        }
    }
    if let Some(field) = table.get("mode").filter(|_| group.mode == crate::IngestMode::Append) {
        field.bad(
            "`upsert`: a row that is computed again takes the place of the one before",
            "remove `mode`".to_owned(),
        );
    }
    let fields = table.get("features").and_then(|field| field.list()).unwrap_or_default();
    for (field, feature) in fields.iter().zip(&group.features) {
        let Some(table) = field.table(&format!("`[[features]]` `{}`", feature.name)) else {
            continue;
        };
        if table.get("expect").is_some() {
            table.require("type", "the type, for `expect` is about it", "type = \"float64\"");
        }
        if derive.sql.is_some() {
            check_queried(&table, feature.derivation.is_some());
        } else if KEYS.iter().all(|key| table.get(key).is_none()) {
            table.require("of", "how the feature is computed", "of = \"cpu_percent\"");
        }
    }
}

/// A column of a query has a type, and is not computed in another way too.
fn check_queried(table: &Table<'_>, is_computed: bool) {
    table.require("type", "the type of the query's column", "type = \"float64\"");
    if let Some(field) = KEYS.iter().find_map(|key| table.get(key)).filter(|_| is_computed) {
        field.bad("nothing beside `sql`", format!("remove `{}`", field.key));
    }
}

/// A group that is not derived has no derived features.
fn check_plain(table: &Table<'_>, group: &FeatureGroup) {
    if table.get("derive").is_some() {
        return;
    }
    let fields = table.get("features").and_then(|field| field.list()).unwrap_or_default();
    let computed = fields
        .iter()
        .zip(&group.features)
        .find(|(_, feature)| feature.derivation.is_some());
    if let Some((field, feature)) = computed {
        let problem = field.problem(format!(
            "`{}` is computed, but `{}` is not derived",
            feature.name,
            group.reference()
        ));
        let problem = problem
            .wanted("`[derive]` with the groups that it reads")
            .found("no such table");
        table
            .notes
            .problem(problem.hint("[derive] from = [\"server_metrics:v1\"]".to_owned()));
    }
}
