//! Every function in words: what it gives, in which unit, what it makes of NULL. `docs/reference/features.md` is written from this.

use std::fmt::Write as _;

/// A function of derived groups, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// How it is written in `[[features]]`.
    pub example: &'static str,
    /// What it gives.
    pub definition: &'static str,
    /// In which unit.
    pub unit: &'static str,
    /// What it makes of NULL, and when it gives NULL.
    pub nulls: &'static str,
    /// The type of what it gives.
    pub gives: &'static str,
    /// How far it looks from t.
    pub looks: &'static str,
}

const NONE_NULL: &str = "NULL values do not count; NULL when none is left";
const WINDOW: &str = "back by the window";
const OF_COLUMN: &str = "that of the column";

const fn window(
    name: &'static str,
    example: &'static str,
    definition: &'static str,
    unit: &'static str,
    nulls: &'static str,
    gives: &'static str,
) -> Function {
    Function {
        name,
        example,
        definition,
        unit,
        nulls,
        gives,
        looks: WINDOW,
    }
}

/// Aggregates first, then the other functions.
pub const FUNCTIONS: [Function; 27] = [
    window(
        "mean",
        "of = \"x\", window = \"1h\", aggregate = \"mean\"",
        "the sum of the values divided by their number; a bool counts as 0 or 1",
        OF_COLUMN,
        NONE_NULL,
        "float64",
    ),
    window(
        "sum",
        "of = \"x\", window = \"1h\", aggregate = \"sum\"",
        "the sum of the values",
        OF_COLUMN,
        NONE_NULL,
        "float64",
    ),
    window(
        "min",
        "of = \"x\", window = \"1h\", aggregate = \"min\"",
        "the smallest value",
        OF_COLUMN,
        NONE_NULL,
        OF_COLUMN,
    ),
    window(
        "max",
        "of = \"x\", window = \"1h\", aggregate = \"max\"",
        "the largest value",
        OF_COLUMN,
        NONE_NULL,
        OF_COLUMN,
    ),
    window(
        "std",
        "of = \"x\", window = \"1h\", aggregate = \"std\"",
        "the square root of `var`",
        OF_COLUMN,
        "NULL values do not count; NULL when fewer than two are left",
        "float64",
    ),
    window(
        "var",
        "of = \"x\", window = \"1h\", aggregate = \"var\"",
        "the sum of the squared distances from the mean, divided by the number of values less one",
        "the square of that of the column",
        "NULL values do not count; NULL when fewer than two are left",
        "float64",
    ),
    window(
        "count",
        "of = \"x\", window = \"1h\", aggregate = \"count\"",
        "how many values there are",
        "values",
        "NULL values do not count; 0 when none is left",
        "int64",
    ),
    window(
        "median",
        "of = \"x\", window = \"1h\", aggregate = \"median\"",
        "`quantile(0.5)`",
        OF_COLUMN,
        NONE_NULL,
        "float64",
    ),
    window(
        "quantile",
        "of = \"x\", window = \"1h\", aggregate = \"quantile(0.9)\"",
        "of the n sorted values the one at place q (n - 1) from 0, on the line between its two neighbours",
        OF_COLUMN,
        NONE_NULL,
        "float64",
    ),
    window(
        "first",
        "of = \"x\", window = \"1h\", aggregate = \"first\"",
        "the earliest value",
        OF_COLUMN,
        NONE_NULL,
        OF_COLUMN,
    ),
    window(
        "last",
        "of = \"x\", window = \"1h\", aggregate = \"last\"",
        "the latest value",
        OF_COLUMN,
        NONE_NULL,
        OF_COLUMN,
    ),
    window(
        "nunique",
        "of = \"x\", window = \"1h\", aggregate = \"nunique\"",
        "how many different values there are",
        "values",
        "NULL values do not count; 0 when none is left",
        "int64",
    ),
    window(
        "ewm",
        "of = \"x\", window = \"6h\", aggregate = 'ewm(\"30m\")'",
        "the mean in which a value that is d older than t weighs 0.5^(d / half-life), and nothing beyond 64 half-lives",
        OF_COLUMN,
        NONE_NULL,
        "float64",
    ),
    window(
        "slope",
        "of = \"x\", window = \"1h\", aggregate = \"slope\"",
        "the slope of the line of least squares through the values over their event times",
        "that of the column, per hour",
        "NULL values do not count; NULL when fewer than two different event times are left",
        "float64",
    ),
    Function {
        name: "value",
        example: "of = \"x\"",
        definition: "the value itself",
        unit: OF_COLUMN,
        nulls: "NULL stays NULL",
        gives: OF_COLUMN,
        looks: "nowhere",
    },
    Function {
        name: "lag",
        example: "of = \"x\", lag = \"1d\"",
        definition: "the last value in (t - lag - max_age, t - lag]; `max_age` is the lag unless said otherwise",
        unit: OF_COLUMN,
        nulls: NONE_NULL,
        gives: OF_COLUMN,
        looks: "back by lag and `max_age` together",
    },
    Function {
        name: "lead",
        example: "of = \"x\", lead = \"1h\", aggregate = \"max\"",
        definition: "a label: the aggregate of the values in (t, t + lead]; without `aggregate`, the last of them",
        unit: "that of the aggregate",
        nulls: "as the aggregate; NULL while t + lead is later than the newest event time of the source: the label is not over yet",
        gives: "as the aggregate",
        looks: "ahead by the lead, which is the label's horizon",
    },
    Function {
        name: "difference between columns",
        example: "of = \"x\", difference = \"y\"",
        definition: "x - y, in float64",
        unit: OF_COLUMN,
        nulls: "NULL when one of them is NULL",
        gives: "float64",
        looks: "nowhere",
    },
    Function {
        name: "difference over time",
        example: "of = \"x\", difference = \"1h\"",
        definition: "x less what `lag` gives, in float64",
        unit: OF_COLUMN,
        nulls: "NULL when one of them is NULL",
        gives: "float64",
        looks: "back by twice the duration, as `lag`",
    },
    Function {
        name: "ratio",
        example: "of = \"x\", ratio = \"y\"",
        definition: "x / y",
        unit: "that of x per that of y",
        nulls: "NULL when one of them is NULL, or y is 0",
        gives: "float64",
        looks: "nowhere",
    },
    Function {
        name: "interaction",
        example: "of = \"x\", interaction = \"y\"",
        definition: "x * y, in float64",
        unit: "that of x times that of y",
        nulls: "NULL when one of them is NULL",
        gives: "float64",
        looks: "nowhere",
    },
    Function {
        name: "zscore",
        example: "of = \"x\", zscore = \"7d\"",
        definition: "(x - `mean`) / `std` of the entity's values in (t - window, t), those at t left out; `zscore = \"expanding\"`: of all before t",
        unit: "standard deviations",
        nulls: "NULL when x is NULL, or `std` is NULL or 0",
        gives: "float64",
        looks: "back by the window; `expanding` as far as there are rows",
    },
    Function {
        name: "calendar",
        example: "calendar = \"hour_sin\"",
        definition: "a part of t in UTC: `hour` 0 to 23, `weekday` 0 (Monday) to 6, `month` 1 to 12, \
                     `is_weekend`; `_sin` and `_cos` of 2 pi times the part of the day gone by (`hour`), of weekday / 7, of (month - 1) / 12",
        unit: "hours, days, months; none for `_sin` and `_cos`",
        nulls: "never NULL",
        gives: "int64; bool for `is_weekend`; float64 for `_sin` and `_cos`",
        looks: "nowhere",
    },
    Function {
        name: "bucket",
        example: "of = \"x\", bucket = [10.0, 50.0, 90.0]",
        definition: "how many of the edges are no larger than x: 0 is below the first, an edge belongs to the bucket above it",
        unit: "none",
        nulls: "NULL stays NULL",
        gives: "int64",
        looks: "nowhere",
    },
    Function {
        name: "hash",
        example: "of = \"x\", hash = 1024",
        definition: "the low bits of the XXH64 (seed 0) of the value: one of 2^k buckets; the number of buckets is a power of two",
        unit: "none",
        nulls: "NULL stays NULL",
        gives: "int64",
        looks: "nowhere",
    },
    Function {
        name: "fill",
        example: "of = \"x\", fill = \"last_known\", max_age = \"1h\"",
        definition: "x; where it is NULL, the entity's last value in (t - max_age, t]; with `fill = 0.0` or `fill = \"unknown\"`, that \
                     number or text",
        unit: OF_COLUMN,
        nulls: "NULL when there is nothing to fill it with",
        gives: OF_COLUMN,
        looks: "back by `max_age`",
    },
    Function {
        name: "target_encoding",
        example: "of = \"x\", target_encoding = \"y\", smoothing = 5.0",
        definition: "(sum + smoothing m) / (n + smoothing): sum and n are those of the labels y of all entities' rows with the same x, and m is \
                     the mean of all labels; of rows before t whose horizon is over at t and, where the source declares `known_at`, that were known \
                     by t; `smoothing` is 20 unless said otherwise",
        unit: "that of y",
        nulls: "NULL labels do not count; NULL when x is NULL, or no label counts yet",
        gives: "float64",
        looks: "back as far as there are rows",
    },
];

/// `docs/reference/features.md`.
#[must_use]
pub fn features_page() -> String {
    let mut page = String::from(
        "# Functions of derived groups\n\n\
         What a feature of a group with `[derive]` may be. A value belongs to a row of the first source, with its entity and its event \
         time `t`. Windows are spans of time, `(t - window, t]`: a row at exactly `t - window` is outside, the row at `t` and others with \
         the same event time are inside. Rows that a correction has superseded do not count. NaN is NULL. Integers are taken as float64, a bool as 0 or 1.\n\n\
         The gap between the parts of a time split counts how far a feature looks back, and how far a label looks ahead. An expanding \
         `zscore` and a `target_encoding` look back as far as there are rows, which no gap can be: that is not counted.\n\n\
         | function | written | gives | looks |\n|---|---|---|---|\n",
    );
    for function in &FUNCTIONS {
        // Writing to a text cannot fail.
        let _written = writeln!(
            page,
            "| {} | `{}` | {} | {} |",
            function.name, function.example, function.gives, function.looks
        );
    }
    for function in &FUNCTIONS {
        let _written = write!(
            page,
            "\n## {}\n\n{}.\n\n- unit: {}\n- NULL: {}\n",
            function.name,
            upper_first(function.definition),
            function.unit,
            function.nulls
        );
    }
    page
}

/// A sentence begins with a capital, unless it begins with code or a sign.
fn upper_first(text: &str) -> String {
    let mut letters = text.chars();
    let starts_with_word = text.starts_with("the ") || text.starts_with("how ") || text.starts_with("a ");
    match letters.next() {
        Some(first) if starts_with_word => first.to_uppercase().chain(letters).collect(),
        _ => text.to_owned(),
    }
}
