//! Derived groups, from the declaration to the dataset.

use crate::sandbox::Sandbox;

const METRICS: &str = r#"name = "metrics"
version = 1
entity = ["host"]
event_time = "ts"
[[features]]
name = "cpu"
type = "float64"
"#;
const FEATURES: &str = r#"name = "features"
version = 1
entity = ["host"]
event_time = "ts"
[derive]
from = ["metrics:v1"]
[[features]]
name = "cpu_mean_10m"
of = "cpu"
window = "10m"
aggregate = "mean"
[[features]]
name = "cpu_max_next_5m"
of = "cpu"
lead = "5m"
aggregate = "max"
"#;
const SMOOTHER: &str = r#"name = "smoother"
version = 1
entity = ["host"]
event_time = "ts"
[derive]
from = ["features:v1"]
[[features]]
name = "highest_mean"
of = "cpu_mean_10m"
window = "10m"
aggregate = "max"
"#;
const VIEW: &str = r#"name = "view"
version = 1
[labels]
group = "features:v1"
columns = ["cpu_max_next_5m"]
[[features]]
group = "smoother:v1"
columns = ["highest_mean"]
[split]
strategy = "time"
validation = 0.1
test = 0.1
gap = "auto"
"#;

fn rows(minutes: std::ops::Range<u32>) -> String {
    let line = |minute: u32| {
        format!(
            "a,2026-01-01T{:02}:{:02}:00Z,{}\n",
            minute / 60,
            minute % 60,
            minute % 7
        )
    };
    format!("host,ts,cpu\n{}", minutes.map(line).collect::<String>())
}

fn repository() -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, text) in [("metrics", METRICS), ("features", FEATURES), ("smoother", SMOOTHER)] {
        sandbox.write(&format!("feature_groups/{name}.toml"), text);
    }
    sandbox.write("feature_views/view.toml", VIEW);
    sandbox.ok("apply");
    sandbox
}

#[test]
fn derived_groups_follow_their_sources_into_a_dataset() {
    let sandbox = repository();
    sandbox.write("one.csv", &rows(0..500));
    sandbox.ok("featuregroup ingest metrics --from one.csv");
    let first = sandbox.ok("featuregroup materialize smoother --json").json();
    let outcomes = |document: &serde_json::Value| -> Vec<String> {
        let steps = document["materialized"].as_array().unwrap();
        let step =
            |step: &serde_json::Value| format!("{} {} {}", step["group"], step["outcome"], step["receipt"]["rows"]);
        steps.iter().map(|one| step(one).replace('"', "")).collect()
    };
    assert_eq!(outcomes(&first), ["features:v1 full 500", "smoother:v1 full 500"]);
    let again = sandbox.ok("featuregroup materialize smoother").stdout;
    assert_eq!(again.matches("up to date").count(), 2, "{again}");
    // A row later than all others touches itself, and the labels that are over now.
    sandbox.write("two.csv", &rows(500..501));
    sandbox.ok("featuregroup ingest metrics --from two.csv");
    let second = sandbox.ok("featuregroup materialize smoother --json").json();
    assert_eq!(outcomes(&second), ["features:v1 part 6", "smoother:v1 part 6"]);
    let shown = sandbox.ok("featuregroup show features").stdout;
    assert!(shown.contains("derived from metrics:v1"), "{shown}");
    assert!(shown.contains("max of cpu in the next 5m"), "{shown}");
    let blamed = sandbox.ok("featuregroup blame features --entity a").stdout;
    assert!(
        blamed.contains("computed from metrics:v1 at Delta version 2"),
        "{blamed}"
    );
    // 5 minutes of the label, 20 of the means of means.
    sandbox.ok("dataset create view:v1");
    let dataset = sandbox.ok("dataset show view:v1").stdout;
    let sum =
        "label horizon 5m (`features:v1.cpu_max_next_5m`) + longest lookback 20m (`smoother:v1.highest_mean`) = 25m";
    assert!(dataset.contains(sum), "{dataset}");
    sandbox.ok("doctor");
}

#[test]
fn gap_counts_the_groups_between_that_a_view_does_not_name() {
    let sandbox = repository();
    let labels = FEATURES.replace("\"features\"", "\"labels\"");
    sandbox.write("feature_groups/labels.toml", &labels);
    let view = VIEW
        .replace("\"view\"", "\"aside\"")
        .replace("features:v1", "labels:v1");
    sandbox.write("feature_views/aside.toml", &view);
    sandbox.ok("apply");
    sandbox.write("one.csv", &rows(0..500));
    sandbox.ok("featuregroup ingest metrics --from one.csv");
    sandbox.ok("featuregroup materialize labels");
    sandbox.ok("featuregroup materialize smoother");
    sandbox.ok("dataset create aside:v1");
    // 20 minutes: 10 of the means, in `features`, which only `smoother` names.
    let sum =
        "label horizon 5m (`labels:v1.cpu_max_next_5m`) + longest lookback 20m (`smoother:v1.highest_mean`) = 25m";
    for shown in ["dataset show aside:v1", "featureview show aside"] {
        let shown = sandbox.ok(shown).stdout;
        assert!(shown.contains(sum), "{shown}");
    }
}

#[test]
fn derived_groups_are_not_ingested_into_and_others_not_materialized() {
    let sandbox = repository();
    sandbox.write("one.csv", &rows(0..5));
    let refused = sandbox.refused("featuregroup ingest features --from one.csv");
    assert!(
        refused.contains("hint: platform featuregroup materialize features"),
        "{refused}"
    );
    let refused = sandbox.refused("featuregroup materialize metrics");
    assert!(
        refused.contains("hint: platform featuregroup ingest metrics --from FILE"),
        "{refused}"
    );
}

#[test]
fn groups_derived_by_a_query_follow_their_sources_and_are_tried() {
    let sandbox = repository();
    let group = |name: &str, lookback: &str| {
        let head = format!("name = \"{name}\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n");
        let derive = format!("[derive]\nfrom = [\"metrics:v1\"]\nlookback = \"{lookback}\"\nsql = \"\"\"");
        let sql = "select host, ts, max(cpu) over (partition by host order by ts\n  range between interval '30 minutes' preceding and current row) as highest from metrics\"\"\"\n";
        format!(
            "{head}{derive}{sql}[[features]]\nname = \"highest\"\ntype = \"float64\"\nexpect = {{ max = 5.0, on_violation = \"warn\" }}\n"
        )
    };
    sandbox.write("feature_groups/peaks.toml", &group("peaks", "30m"));
    sandbox.write("feature_groups/hasty.toml", &group("hasty", "1m"));
    sandbox.ok("apply");
    sandbox.write("one.csv", &rows(0..500));
    sandbox.ok("featuregroup ingest metrics --from one.csv");
    let first = sandbox.ok("featuregroup materialize peaks").stdout;
    assert!(first.contains("peaks:v1: 500 rows all computed"), "{first}");
    assert!(first.contains("warning       "), "{first}");
    let again = sandbox.ok("featuregroup materialize peaks").stdout;
    assert!(again.contains("up to date"), "{again}");
    sandbox.write("two.csv", "host,ts,cpu\na,2026-01-01T01:00:30Z,9\n");
    sandbox.ok("featuregroup ingest metrics --from two.csv");
    let second = sandbox.ok("featuregroup materialize peaks").stdout;
    assert!(second.contains("peaks:v1: 31 rows computed again"), "{second}");
    let asked = "select count(*) as n, max(highest) as m from peaks where ts between '2026-01-01T01:00:30Z' and '2026-01-01T01:30:30Z'";
    let found = sandbox.ok(&format!("query --csv \"{asked}\"")).stdout;
    assert_eq!(found, "n,m\n31,9.0\n");
    let refused = sandbox.refused("featuregroup materialize hasty");
    assert!(
        refused.contains("the query of `hasty:v1` gives other values of `highest`"),
        "{refused}"
    );
    assert!(refused.contains("hint: state how far the query looks"), "{refused}");
    let shown = sandbox.ok("featuregroup list --json").json();
    assert!(shown.to_string().contains("hasty"), "{shown}");
    sandbox.ok("doctor");
}
