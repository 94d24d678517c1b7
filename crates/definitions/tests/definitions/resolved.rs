//! What a view means once its groups are known.

use std::collections::BTreeMap;

use definitions::*;

use super::{change, files};

fn groups(texts: &[&str]) -> BTreeMap<GroupRef, FeatureGroup> {
    let group = |text: &&str| {
        parse_feature_group("g.toml", text)
            .unwrap_or_else(|problems| panic!("{problems}"))
            .definition
    };
    texts
        .iter()
        .map(group)
        .map(|group| (group.reference(), group))
        .collect()
}

fn view(text: &str) -> FeatureView {
    parse_feature_view("v.toml", text)
        .unwrap_or_else(|problems| panic!("{problems}"))
        .definition
}

fn table(resolved: &ResolvedView) -> String {
    let row = |column: &ResolvedColumn| {
        let categorical = if column.is_categorical { " categorical" } else { "" };
        let fill = if column.fill.is_some() { " filled" } else { "" };
        let (name, kind, source) = (&column.name, column.data_type.word(), &column.group);
        format!(
            "{name} {kind} {:?} {source}.{}{categorical}{fill}\n",
            column.role, column.column
        )
    };
    resolved.columns.iter().map(row).collect()
}

const FLIGHTS: &str = r#"
name = "flights"
version = 1
entity = ["carrier", { name = "flight", type = "int32" }]
event_time = "scheduled"
[[features]]
name = "delay"
type = "float64"
horizon = "6h"
[[features]]
name = "origin"
type = "utf8"
[[features]]
name = "dest"
type = "utf8"
[[features]]
name = "month"
type = "int32"
categorical = true
"#;
const WEATHER: &str = r#"
name = "weather"
version = 3
entity = ["airport"]
event_time = "observed"
[[features]]
name = "temp"
type = "float32"
lookback = "1h"
[[features]]
name = "wind"
type = "float64"
"#;
const CARRIERS: &str = "name = \"carriers\"\nversion = 1\nentity = [{ name = \"number\", type = \"int32\" }, \"code\"]\nstatic = true\n\
                        [[features]]\nname = \"alliance\"\ntype = \"utf8\"\n";
const DELAYS: &str = r#"
name = "delays"
version = 1
[labels]
group = "flights:v1"
columns = ["delay"]
helpers = ["month"]
[[features]]
group = "weather:v3"
columns = ["*"]
helpers = ["observed"]
max_age = "3h"
prefix = "origin_"
on = { origin = "airport" }
fill = { temp = "last_known" }
[[features]]
group = "weather:v3"
columns = ["wind"]
prefix = "dest_"
on = { dest = "airport" }
[[features]]
group = "carriers:v1"
columns = ["alliance"]
on = { carrier = "code", flight = "number" }
[[features]]
group = "flights:v1"
columns = ["*"]
helpers = ["origin"]
prefix = "self_"
"#;

#[test]
fn columns_come_in_the_order_of_spine_labels_and_selections() {
    let resolved =
        resolve_view(&view(DELAYS), &groups(&[FLIGHTS, WEATHER, CARRIERS])).unwrap_or_else(|p| panic!("{p}"));
    assert_eq!(
        table(&resolved),
        "carrier utf8 Key flights:v1.carrier categorical\n\
         flight int32 Key flights:v1.flight\n\
         scheduled timestamp EventTime flights:v1.scheduled\n\
         delay float64 Label flights:v1.delay\n\
         month int32 LabelHelper flights:v1.month categorical\n\
         origin_temp float32 Feature weather:v3.temp filled\n\
         origin_wind float64 Feature weather:v3.wind\n\
         origin_observed timestamp Helper weather:v3.observed\n\
         dest_wind float64 Feature weather:v3.wind\n\
         alliance utf8 Feature carriers:v1.alliance categorical\n\
         self_dest utf8 Feature flights:v1.dest categorical\n\
         self_origin utf8 Helper flights:v1.origin categorical\n"
    );
    assert_eq!(
        resolved
            .of_selection(1)
            .map(|column| column.name.as_str())
            .collect::<Vec<_>>(),
        ["dest_wind"]
    );
    assert_eq!(resolved.inputs().len(), 5);
    assert_eq!(
        resolved.event_time().map(|column| column.name.as_str()),
        Some("scheduled")
    );
}

#[test]
fn keys_come_in_the_order_of_the_groups_key() {
    let resolved = resolve_view(&view(DELAYS), &groups(&[FLIGHTS, WEATHER, CARRIERS])).unwrap();
    let keys = |selection: &ResolvedSelection| {
        let pairs: Vec<_> = selection
            .keys
            .iter()
            .map(|pair| format!("{}={}", pair.spine, pair.key))
            .collect();
        format!("{} static={}", pairs.join(" "), selection.is_static)
    };
    assert_eq!(
        resolved.selections.iter().map(keys).collect::<Vec<_>>(),
        [
            "origin=airport static=false",
            "dest=airport static=false",
            "flight=number carrier=code static=true",
            "carrier=carrier flight=flight static=false"
        ]
    );
}

#[test]
fn gap_is_the_largest_horizon_and_the_longest_lookback() {
    let sum = derive_gap(&view(DELAYS), &groups(&[FLIGHTS, WEATHER, CARRIERS])).unwrap();
    assert_eq!(sum.total(), "7h".parse().unwrap());
    assert_eq!(
        sum.to_string(),
        "label horizon 6h (`flights:v1.delay`) + longest lookback 1h (`weather:v3.temp`) = 7h"
    );
}

#[test]
fn lookbacks_add_up_along_derived_groups() {
    let middle = "name = \"middle\"\nversion = 1\nentity = [\"airport\"]\nevent_time = \"observed\"\n[derive]\nfrom = [\"weather:v3\"]\n\
                  [[features]]\nname = \"warm\"\nof = \"temp\"\nwindow = \"2h\"\naggregate = \"mean\"\n\
                  [[features]]\nname = \"later\"\nof = \"wind\"\nlead = \"30m\"\naggregate = \"max\"\n";
    let top = "name = \"top\"\nversion = 1\nentity = [\"airport\"]\nevent_time = \"observed\"\n[derive]\nfrom = [\"middle:v1\"]\n\
               lookback = \"4h\"\nsql = \"select *\"\n[[features]]\nname = \"any\"\ntype = \"float64\"\n";
    let text = "name = \"v\"\nversion = 1\n[labels]\ngroup = \"middle:v1\"\ncolumns = [\"later\"]\n\
                [[features]]\ngroup = \"top:v1\"\ncolumns = [\"any\"]\n";
    let sum = |text: &str| {
        derive_gap(&view(text), &groups(&[WEATHER, middle, top]))
            .unwrap_or_else(|p| panic!("{p}"))
            .to_string()
    };
    // The query may look ahead as far as any column that it reads, so it may not be a model input.
    let refused = resolve_view(&view(text), &groups(&[WEATHER, middle, top]))
        .unwrap_err()
        .to_string();
    assert!(refused.contains("`top:v1.any` looks ahead"), "{refused}");
    assert_eq!(
        sum(&text.replace("top:v1", "middle:v1").replace("any", "warm")),
        "label horizon 30m (`middle:v1.later`) + longest lookback 3h (`middle:v1.warm`) = 3h30m"
    );
}

#[test]
fn groups_derived_from_each_other_have_a_gap() {
    let derived = |name: &str, from: &str| {
        format!(
            "name = \"{name}\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n[derive]\nfrom = [\"{from}:v1\"]\n\
             lookback = \"1h\"\nsql = \"select 1\"\n[[features]]\nname = \"x\"\ntype = \"float64\"\n"
        )
    };
    let (a, b) = (derived("a", "b"), derived("b", "a"));
    let text = "name = \"v\"\nversion = 1\n[[features]]\ngroup = \"a:v1\"\ncolumns = [\"x\"]\n";
    assert_eq!(
        derive_gap(&view(text), &groups(&[&a, &b])).unwrap().total(),
        "2h".parse().unwrap()
    );
}

#[test]
fn unsupervised_view_stands_on_its_first_group() {
    let text = "name = \"v\"\nversion = 1\n[[features]]\ngroup = \"weather:v3\"\ncolumns = [\"*\"]\n";
    let resolved = resolve_view(&view(text), &groups(&[WEATHER])).unwrap();
    assert_eq!(resolved.spine.to_string(), "weather:v3");
    assert_eq!(
        table(&resolved),
        "airport utf8 Key weather:v3.airport categorical\nobserved timestamp EventTime weather:v3.observed\n\
         temp float32 Feature weather:v3.temp\nwind float64 Feature weather:v3.wind\n"
    );
}

#[test]
fn problem_of_a_view_without_file_names_the_view() {
    let problems = resolve_view(&view(DELAYS), &groups(&[FLIGHTS, WEATHER])).unwrap_err();
    assert_eq!(problems.0.len(), 1);
    assert!(
        problems
            .to_string()
            .starts_with("delays:v1: unknown feature group `carriers:v1`"),
        "{problems}"
    );
    assert_eq!((problems.fault(), problems.hint()), (Fault::Input, None));
}

#[test]
fn every_group_that_is_missing_is_told_in_one_go() {
    let mut files = files();
    change(
        &mut files,
        "feature_views/cpu_fv.toml",
        "server_metrics:v1",
        "nothing:v1",
    );
    change(&mut files, "feature_views/cpu_fv.toml", "hosts:v1", "nobody:v1");
    assert_eq!(super::checked(&files).unwrap_err().0.len(), 2);
}

#[test]
fn a_panel_says_what_is_known_when_and_how_far_apart_parts_are() {
    let text = "name = \"fv\"\nversion = 1\n[forecast]\ngroup = \"weather:v3\"\ntargets = [\"wind\"]\ncontext = 24\nhorizon = 6\n\
                frequency = \"1h\"\nknown_future = [\"temp\"]\nstatic = [\"alliance\"]\n\
                [[features]]\ngroup = \"weather:v3\"\ncolumns = [\"*\"]\nprefix = \"own_\"\n\
                [[features]]\ngroup = \"carriers:v1\"\ncolumns = [\"alliance\"]\non = { airport = \"code\", wind = \"number\" }\n";
    // A static group is joined on what the panel has; here on nothing that fits.
    let refused = resolve_view(&view(text), &groups(&[WEATHER, CARRIERS]))
        .unwrap_err()
        .to_string();
    assert!(refused.contains("number"), "{refused}");
    let text = text
        .split("[[features]]\ngroup = \"carriers")
        .next()
        .unwrap()
        .replace("static = [\"alliance\"]\n", "");
    let resolved = resolve_view(&view(&text), &groups(&[WEATHER])).unwrap();
    assert_eq!(
        table(&resolved),
        "airport utf8 Key weather:v3.airport categorical\nobserved timestamp EventTime weather:v3.observed\n\
         wind float64 Label weather:v3.wind\ntemp float32 Feature weather:v3.temp\nown_temp float32 Feature weather:v3.temp\n"
    );
    let panel = resolved.panel.as_ref().unwrap();
    let names = |columns: &[ColumnName]| columns.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        (names(&panel.known_future), names(&panel.observed)),
        (vec!["temp".to_owned()], vec!["own_temp".to_owned()])
    );
    assert_eq!(
        resolved.gap().to_string(),
        "label horizon 6h (`horizon 6 x 1h`) + longest lookback 1d1h (`context 24 x 1h + weather:v3.temp`) = 1d7h"
    );
}
