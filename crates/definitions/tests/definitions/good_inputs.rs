//! What must be accepted, and what it means.

use std::collections::BTreeMap;

use definitions::*;

use super::{change, checked, files};

fn group(text: &str) -> Parsed<FeatureGroup> {
    parse_feature_group("feature_groups/g.toml", text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn view(text: &str) -> Parsed<FeatureView> {
    parse_feature_view("feature_views/v.toml", text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn pipeline(text: &str) -> Parsed<Pipeline> {
    parse_pipeline("pipelines/p.toml", text).unwrap_or_else(|problems| panic!("{problems}"))
}

const FULL_GROUP: &str = r#"
name = "flights"
version = 12
description = "departures"
owner = "ops"
tags = ["air", "raw"]
entity = ["carrier", { name = "flight", type = "int32" }]
event_time = "scheduled"
known_at = "landed"
time_zone = "America/New_York"
ambiguous = "latest"
truncate = true
mode = "append"
on_violation = "quarantine"
columns = { scheduled = "time hour", carrier = "Carrier" }
null_values = ["NA", "-"]

[[features]]
name = "dep_delay"
type = "float64"
unit = "min"
description = "minutes late"
lookback = "2h"
on_violation = "refuse"
expect = { min = -60, max = 2000, max_null_fraction = 0.1 }

[[features]]
name = "origin"
type = "utf8"
expect = { one_of = ["EWR", "JFK", "LGA"], on_violation = "quarantine" }

[[features]]
name = "month"
type = "int32"
categorical = true

[[features]]
name = "late_next_1h"
type = "bool"
horizon = "1h30m"
"#;

#[test]
fn every_key_of_a_group_is_read() {
    let parsed = group(FULL_GROUP);
    let group = &parsed.definition;
    assert_eq!(group.reference().to_string(), "flights:v12");
    assert_eq!(group.entity[0].data_type, DataType::Utf8);
    assert_eq!(group.entity[1].data_type, DataType::Int32);
    assert_eq!(group.known_at.as_ref().map(ColumnName::as_str), Some("landed"));
    assert_eq!((group.ambiguous, group.truncate), (Some(Ambiguous::Latest), true));
    assert_eq!(
        (group.mode, group.on_violation),
        (IngestMode::Append, OnViolation::Quarantine)
    );
    assert_eq!(
        group.columns.values().cloned().collect::<Vec<_>>(),
        ["Carrier", "time hour"]
    );
    assert_eq!(group.null_values, ["NA", "-"]);
    let delay = group.feature("dep_delay").unwrap();
    assert_eq!(delay.expect[0].min, Some(-60.0));
    assert_eq!(
        (delay.on_violation, delay.lookback),
        (Some(OnViolation::Refuse), "2h".parse().ok())
    );
    assert_eq!(
        group.feature("origin").unwrap().on_violation,
        Some(OnViolation::Quarantine)
    );
    assert!(group.feature("month").unwrap().is_categorical());
    assert_eq!(group.feature("late_next_1h").unwrap().horizon, "90m".parse().ok());
    assert!(!group.is_derived());
    assert!(parsed.not_yet.is_empty());
    let columns: Vec<_> = group
        .stored_columns()
        .iter()
        .map(|(name, kind)| format!("{name} {}", kind.word()))
        .collect();
    assert_eq!(
        columns.join(", "),
        "carrier utf8, flight int32, scheduled timestamp, landed timestamp, dep_delay float64, origin utf8, month int32, \
         late_next_1h bool"
    );
}

#[test]
fn lines_are_known_by_dotted_path() {
    let parsed = group(FULL_GROUP);
    let line = |key: &str| parsed.lines.get(key).copied();
    assert_eq!((line("name"), line("entity[1].type")), (Some(2), Some(7)));
    assert_eq!((line("features[1]"), line("features[1].type")), (Some(27), Some(29)));
    assert_eq!(line("features[0].expect.min"), Some(25));
    assert_eq!(parsed.problem("features[1].expect.max", "x").line, Some(30));
    assert_eq!(parsed.problem("nowhere", "x").line, None);
    let pipeline = pipeline(
        "name = \"p\"\nview = \"v:v1\"\nmodel = \"m\"\n[train]\nlearner = \"auto\"\n[train.lightgbm]\nrounds = 3\n",
    );
    assert_eq!(pipeline.lines.get("train.lightgbm.rounds"), Some(&7));
    assert_eq!(pipeline.lines.get("train.lightgbm"), Some(&6));
}

#[test]
fn plain_group_has_plain_defaults() {
    let group = group(
        "name = \"g\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\nfeatures = [{ name = \"x\", type = \"float32\" }]\n",
    );
    let group = group.definition;
    assert_eq!(
        (group.mode, group.on_violation),
        (IngestMode::Upsert, OnViolation::Refuse)
    );
    assert!(!group.truncate && !group.is_static && group.time_zone.is_none());
}

/// A group derived from `REPOSITORY`'s `server_metrics`, with these keys of a feature `x`.
fn derived(feature: &str) -> String {
    format!(
        "name = \"derived\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n[derive]\nfrom = [\"server_metrics:v1\"]\n\
         [[features]]\nname = \"x\"\n{feature}\n"
    )
}

/// What is made of a derived feature: what it is, its type, how far it looks back and ahead, whether it is a category.
fn told(feature: &str) -> String {
    let mut files = crate::files();
    files.insert("feature_groups/derived.toml".to_owned(), derived(feature));
    let catalog = crate::checked(&files).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(catalog.not_yet(), []);
    let parsed = catalog
        .groups
        .iter()
        .find(|group| group.definition.is_derived())
        .unwrap();
    let x = parsed.definition.feature("x").unwrap();
    let how = x.derivation.as_ref().unwrap();
    // What is stored comes back as it was.
    let stored = serde_json::to_value(&parsed.definition).unwrap();
    assert_eq!(
        serde_json::from_value::<definitions::FeatureGroup>(stored).unwrap(),
        parsed.definition
    );
    let back = match how.reach_back() {
        definitions::Reach::Of(span) => span.to_string(),
        definitions::Reach::Unbounded => "all".to_owned(),
    };
    let category = if x.is_categorical() { ", a category" } else { "" };
    format!(
        "{how}: {}, {back} back, {} ahead{category}",
        x.data_type.unwrap().word(),
        how.reach_ahead()
    )
}

#[test]
fn derived_features_tell_their_type_and_how_far_they_look() {
    let table = [
        ("of = \"cpu_percent\"", "cpu_percent: float64, 0s back, 0s ahead"),
        ("of = \"host\"", "host: utf8, 0s back, 0s ahead, a category"),
        (
            "of = \"cpu_percent\"\nwindow = \"1h\"\naggregate = \"mean\"",
            "mean of cpu_percent over 1h: float64, 1h back, 0s ahead",
        ),
        (
            "of = \"kernel\"\nwindow = \"1h\"\naggregate = \"nunique\"",
            "nunique of kernel over 1h: int64, 1h back, 0s ahead",
        ),
        (
            "of = \"kernel\"\nwindow = \"1h\"\naggregate = \"last\"",
            "last of kernel over 1h: utf8, 1h back, 0s ahead, a category",
        ),
        (
            "of = \"cpu_percent\"\nwindow = \"6h\"\naggregate = \"quantile(0.9)\"",
            "quantile(0.9) of cpu_percent over 6h: float64, 6h back, 0s ahead",
        ),
        (
            "of = \"cpu_percent\"\nwindow = \"6h\"\naggregate = 'ewm(\"30m\")'",
            "ewm(\"30m\") of cpu_percent over 6h: float64, 6h back, 0s ahead",
        ),
        (
            "of = \"cpu_percent\"\nlag = \"1d\"",
            "cpu_percent 1d ago: float64, 2d back, 0s ahead",
        ),
        (
            "of = \"cpu_percent\"\nlag = \"1d\"\nmax_age = \"5m\"",
            "cpu_percent 1d ago: float64, 1d5m back, 0s ahead",
        ),
        (
            "of = \"cpu_percent\"\nlead = \"1h\"",
            "last of cpu_percent in the next 1h: float64, 0s back, 1h ahead",
        ),
        (
            "of = \"cpu_percent\"\nlead = \"1h\"\naggregate = \"max\"",
            "max of cpu_percent in the next 1h: float64, 0s back, 1h ahead",
        ),
        (
            "of = \"cpu_percent\"\ndifference = \"1h\"",
            "cpu_percent - cpu_percent 1h ago: float64, 2h back, 0s ahead",
        ),
        (
            "of = \"cpu_percent\"\ndifference = \"cpu_percent\"",
            "cpu_percent - cpu_percent: float64, 0s back, 0s ahead",
        ),
        (
            "of = \"cpu_percent\"\nratio = \"cpu_percent\"",
            "cpu_percent / cpu_percent: float64, 0s back, 0s ahead",
        ),
        (
            "of = \"cpu_percent\"\ninteraction = \"cpu_percent\"",
            "cpu_percent * cpu_percent: float64, 0s back, 0s ahead",
        ),
        (
            "of = \"cpu_percent\"\nzscore = \"7d\"",
            "z-score of cpu_percent over 1w: float64, 7d back, 0s ahead",
        ),
        (
            "of = \"cpu_percent\"\nzscore = \"expanding\"",
            "z-score of cpu_percent over all its past: float64, all back, 0s ahead",
        ),
        (
            "calendar = \"hour_sin\"",
            "hour_sin of the event time: float64, 0s back, 0s ahead",
        ),
        (
            "calendar = \"is_weekend\"",
            "is_weekend of the event time: bool, 0s back, 0s ahead, a category",
        ),
        (
            "of = \"cpu_percent\"\nbucket = [10, 50.0]",
            "cpu_percent in 3 buckets: int64, 0s back, 0s ahead",
        ),
        (
            "of = \"kernel\"\nhash = 1024",
            "kernel hashed into 1024 buckets: int64, 0s back, 0s ahead, a category",
        ),
        (
            "of = \"cpu_percent\"\nfill = \"last_known\"\nmax_age = \"1h\"",
            "cpu_percent, or its last value in 1h: float64, 1h back, 0s ahead",
        ),
        (
            "of = \"cpu_percent\"\nfill = 0",
            "cpu_percent, or 0: float64, 0s back, 0s ahead",
        ),
        (
            "of = \"kernel\"\nfill = \"none\"",
            "kernel, or \"none\": utf8, 0s back, 0s ahead, a category",
        ),
    ];
    for (feature, wanted) in table {
        assert_eq!(told(feature), wanted.replace("1w:", "7d:"), "{feature}");
    }
}

#[test]
fn query_needs_its_lookback_and_types() {
    let sql = "name = \"s\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n[derive]\nfrom = [\"server_metrics:v1\"]\nlookback = \"24h\"\n\
               sql = \"\"\"select host,\nts from server_metrics\"\"\"\n[[features]]\nname = \"cpu_mean_1h\"\ntype = \"float64\"\n";
    assert!(group(sql).definition.derive.unwrap().sql.unwrap().starts_with("select"));
}

#[test]
fn page_of_functions_is_what_the_code_says() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/features.md");
    let page = definitions::features_page();
    if std::env::var_os("WRITE_FEATURES_PAGE").is_some() {
        std::fs::write(file, &page).unwrap();
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    assert_eq!(written, page, "write it anew with WRITE_FEATURES_PAGE=1");
}

const FULL_VIEW: &str = r#"
name = "delays"
version = 2
description = "will it be late?"
owner = "ops"
tags = ["air"]
boundary = "exclusive"
availability = "ingested"

[labels]
group = "flights:v12"
columns = ["late_next_1h"]
helpers = ["month"]

[[features]]
group = "weather:v1"
columns = ["*"]
max_age = "3h"
prefix = "origin_"
on = { origin = "airport" }
fill = { temp = "last_known" }

[[features]]
group = "weather:v1"
columns = ["temp"]
helpers = ["wind"]
prefix = "destination_"
on = { destination = "airport" }
"#;

#[test]
fn every_key_of_a_view_is_read() {
    let view = view(FULL_VIEW).definition;
    assert_eq!(
        (view.boundary, view.availability),
        (Boundary::Exclusive, Availability::Ingested)
    );
    let first = &view.features[0];
    assert!(first.all_columns && first.columns.is_empty());
    assert_eq!(first.prefix.as_deref(), Some("origin_"));
    assert_eq!(
        first
            .on
            .iter()
            .map(|(spine, key)| format!("{spine}={key}"))
            .collect::<Vec<_>>(),
        ["origin=airport"]
    );
    assert_eq!(first.fill.values().next(), Some(&Fill::LastKnown));
    assert_eq!(
        view.features[1].output_name(&"temp".parse().unwrap()),
        "destination_temp"
    );
    assert_eq!(view.groups().len(), 2);
    assert!(view.split.is_none());
}

#[test]
fn splits_are_read_in_every_form() {
    let check = |text: &str, wanted: Split| {
        let base = "name = \"v\"\nversion = 1\n[[features]]\ngroup = \"g:v1\"\ncolumns = [\"*\"]\n[split]\n";
        assert_eq!(view(&format!("{base}{text}")).definition.split, Some(wanted), "{text}");
    };
    let time = |validation, test, gap, allow_overlap| Split::Time {
        validation,
        test,
        gap,
        embargo: definitions::Duration::ZERO,
        allow_overlap,
    };
    let at = |text: &str| Some(Cut::At(text.parse().unwrap()));
    check(
        "strategy = \"time\"\ntest = 0.2",
        time(None, Some(Cut::Fraction(0.2)), Gap::Auto, false),
    );
    check(
        "strategy = \"time\"\nvalidation = \"2026-01-01\"\ntest = 2026-02-01T00:00:00Z\ngap = \"2h\"\nallow_overlap = true",
        time(at("2026-01-01"), at("2026-02-01"), Gap::Of("2h".parse().unwrap()), true),
    );
    check(
        "strategy = \"time\"\nvalidation = 0.1\ntest = \"2026-02-01T12:00:00+02:00\"",
        time(Some(Cut::Fraction(0.1)), at("2026-02-01T10:00:00Z"), Gap::Auto, false),
    );
    check(
        "strategy = \"random\"\ntest = 0.2",
        Split::Random {
            validation: 0.0,
            test: 0.2,
            seed: 42,
            stratify: None,
        },
    );
    check(
        "strategy = \"group\"\nvalidation = 0.2\nseed = 7",
        Split::Group {
            validation: 0.2,
            test: 0.0,
            seed: 7,
        },
    );
}

#[test]
fn folds_periods_embargo_and_strata_are_read() {
    let read = |text: &str| {
        let base = "name = \"v\"\nversion = 1\n[[features]]\ngroup = \"g:v1\"\ncolumns = [\"*\"]\n[split]\n";
        view(&format!("{base}{text}")).definition.split.expect("a split")
    };
    let span = |text: &str| text.parse::<definitions::Duration>().unwrap();
    assert_eq!(
        read(
            "strategy = \"walk_forward\"\nfolds = 5\ntrain = \"90d\"\nvalidation = 0.05\ntest = \"7d\"\nembargo = \"1d\""
        ),
        Split::WalkForward {
            folds: 5,
            train: Some(Length::Span(span("90d"))),
            validation: Some(Length::Fraction(0.05)),
            test: Length::Span(span("7d")),
            gap: Gap::Auto,
            embargo: span("1d"),
            allow_overlap: false,
        }
    );
    let period = |from: &str, to: &str| Period {
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
    };
    let text = "strategy = \"time\"\ntest = [{ from = \"2026-03-01\", to = \"2026-03-08\" }, { from = 2026-01-01T00:00:00Z, to = \"2026-01-02\" }]";
    let Split::Time { test, .. } = read(text) else {
        panic!("a split by time")
    };
    let periods = vec![period("2026-01-01", "2026-01-02"), period("2026-03-01", "2026-03-08")];
    assert_eq!(test, Some(Cut::Within(periods)), "in time order");
    let Split::Random { stratify, .. } = read("strategy = \"random\"\ntest = 0.2\nstratify = \"kind\"") else {
        panic!("a random split")
    };
    assert_eq!(stratify, Some("kind".parse().unwrap()));
}

#[test]
fn pipeline_keeps_parameters_as_written() {
    let text = r#"
name = "p"
view = "v:v1"
model = "m"
[train]
learner = "lightgbm"
target = "y"
[train.lightgbm]
objective = "quantile"
alpha = 0.9
rounds = 2000
boost_from_average = false
monotone_constraints = [1, 0, -1]
[evaluate]
metrics = ["pinball(0.9)", "confusion"]
slices = ["region"]
baselines = ["mean", "seasonal_naive(1w)"]
[gate]
"pinball(0.9)" = { max = 4 }
slice_mae = { max = 5.0, max_ratio = 1.5, min_ratio = 0.5 }
r2 = { min = 0.2 }
beats = ["last_value", "mean", "champion"]
"#;
    let pipeline = pipeline(text).definition;
    assert_eq!(pipeline.seed, 42);
    assert_eq!(pipeline.train.lightgbm["boost_from_average"], Parameter::Bool(false));
    assert_eq!(pipeline.train.lightgbm["rounds"], Parameter::Integer(2000));
    assert_eq!(pipeline.train.lightgbm["alpha"], Parameter::Float(0.9));
    assert_eq!(pipeline.gate.metrics.keys().collect::<Vec<_>>(), ["pinball(0.9)", "r2"]);
    assert_eq!(pipeline.gate.slices["mae"].min_ratio, Some(0.5));
    assert_eq!(pipeline.gate.beats[2], Rival::Alias("champion".parse().unwrap()));
    let baselines: Vec<_> = pipeline.baselines().iter().map(ToString::to_string).collect();
    assert_eq!(baselines, ["mean", "seasonal_naive(7d)", "last_value"]);
}

#[test]
fn parameters_of_a_table_within_have_its_name_before() {
    let text = "name = \"p\"\nview = \"v:v1\"\nmodel = \"m\"\n[train]\nlearner = \"tft\"\n[train.tft]\nhidden = 8\n\
                groups = { by = \"kind\" }\n[train.tft.slim]\nkeep = 0.8\n";
    let parsed = pipeline(text);
    let names: Vec<&str> = parsed.definition.train.tft.keys().map(String::as_str).collect();
    assert_eq!(names, ["groups.by", "hidden", "slim.keep"]);
    assert_eq!(parsed.definition.train.tft["slim.keep"], Parameter::Float(0.8));
    assert_eq!(parsed.lines.get("train.tft.slim.keep"), Some(&10));
}

#[test]
fn repository_is_right_as_it_stands() {
    let catalog = checked(&files()).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(
        (catalog.groups.len(), catalog.views.len(), catalog.pipelines.len()),
        (3, 1, 1)
    );
    assert!(catalog.not_yet().is_empty());
}

#[test]
fn applied_definitions_may_be_referred_to() {
    let mut files = files();
    let hosts = files.remove("feature_groups/hosts.toml").unwrap();
    assert!(checked(&files).is_err());
    let applied = group(&hosts).definition;
    let texts: Vec<(String, String)> = files.into_iter().collect();
    let catalog = Catalog::parse(&texts).unwrap();
    let applied = BTreeMap::from([(applied.reference(), applied)]);
    catalog
        .check(&applied, &BTreeMap::new())
        .unwrap_or_else(|problems| panic!("{problems}"));
}

#[test]
fn short_gap_is_accepted_where_overlap_is_allowed() {
    let mut files = files();
    change(
        &mut files,
        "feature_views/cpu_fv.toml",
        "gap = \"auto\"",
        "gap = \"5m\"\nallow_overlap = true",
    );
    assert!(checked(&files).is_ok());
}

#[test]
fn label_group_with_known_at_may_give_features() {
    let mut files = files();
    change(
        &mut files,
        "feature_groups/cpu_labels.toml",
        "event_time = \"ts\"",
        "event_time = \"ts\"\nknown_at = \"measured_at\"",
    );
    let more =
        "[[features]]\ngroup = \"cpu_labels:v1\"\ncolumns = [\"cpu_max_next_1h\"]\nprefix = \"last_\"\n\n[split]";
    change(&mut files, "feature_views/cpu_fv.toml", "[split]", more);
    checked(&files).unwrap_or_else(|problems| panic!("{problems}"));
}

#[test]
fn platforms_own_definitions_are_right() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = BTreeMap::new();
    for folder in ["feature_groups", "feature_views", "pipelines"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            files.insert(format!("{folder}/{name}"), std::fs::read_to_string(&path).unwrap());
        }
    }
    let catalog = checked(&files).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(catalog.not_yet().is_empty() && !catalog.pipelines.is_empty());
}

#[test]
fn every_expectation_is_read_with_its_level() {
    let text = r#"name = "m"
version = 1
entity = ["host"]
event_time = "ts"
on_violation = "quarantine"

[[expect]]
sql = "v < 10 or w is null"

[[expect]]
max_gap = "15m"
freshness = "2h"
min_rows = 1
max_rows = 1000
on_violation = "warn"

[[features]]
name = "v"
type = "float64"
expect = [{ min = 0, max_mean_drift = 3 }, { max = 100.5, max_std_drift = 2, on_violation = "warn" }]

[[features]]
name = "w"
type = "utf8"
on_violation = "refuse"
expect = { regex = "^a", one_of = ["a", "ab"], unique = true }

[[features]]
name = "n"
type = "int32"
expect = { one_of = [1, 2], monotonic = "strictly_decreasing", max_null_fraction = 0.5 }
"#;
    let group = parse_feature_group("m.toml", text).unwrap().definition;
    let found: Vec<String> = group
        .expectations()
        .iter()
        .map(|expectation| format!("{expectation} {}", expectation.level.word()))
        .collect();
    let wanted = r#"
`v`: min = 0 quarantine
`v`: max_mean_drift = 3 refuse
`v`: max = 100.5 warn
`v`: max_std_drift = 2 warn
`w`: one_of = ["a", "ab"] refuse
`w`: regex = "^a" refuse
`w`: unique = true refuse
`n`: one_of = ["1", "2"] quarantine
`n`: max_null_fraction = 0.5 refuse
`n`: monotonic = "strictly_decreasing" refuse
sql = "v < 10 or w is null" quarantine
max_gap = "15m" warn
freshness = "2h" warn
min_rows = 1 warn
max_rows = 1000 warn"#;
    assert_eq!(found.join("\n"), wanted.trim());
    let back: definitions::FeatureGroup = serde_json::from_str(&definitions::canonical(&group).unwrap()).unwrap();
    assert_eq!(back, group);
}
