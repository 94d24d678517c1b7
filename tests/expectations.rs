//! What a group expects, from its definition to `featuregroup validate`.

use crate::sandbox::Sandbox;
use crate::screens::{check, screens};

const METERS: &str = r#"name = "meters"
version = 1
entity = ["meter"]
event_time = "ts"

[[expect]]
sql = "kwh >= previous_kwh"
on_violation = "quarantine"

[[expect]]
max_gap = "1h"
on_violation = "warn"

[[expect]]
min_rows = 2

[[features]]
name = "serial"
type = "utf8"
expect = [{ regex = "^m-[0-9]+$", max_null_fraction = 0.1 }, { unique = true, on_violation = "warn" }]

[[features]]
name = "kwh"
type = "float64"
expect = [{ min = 0 }, { monotonic = "increasing" }, { max_mean_drift = 3, on_violation = "warn" }]

[[features]]
name = "previous_kwh"
type = "float64"
"#;

const HEADER: &str = "meter,ts,serial,kwh,previous_kwh";

fn day(rows: &str) -> String {
    let rows = rows.replace("T0", "2026-01-01T0");
    format!("{HEADER}\n{rows}\n")
}

#[test]
fn expectations_refuse_set_aside_and_warn() {
    let sandbox = Sandbox::new();
    sandbox.write("feature_groups/meters.toml", METERS);
    sandbox.write(
        "first.csv",
        &day("a,T00:00:00Z,m-1,10,9\na,T01:00:00Z,m-2,11,10\na,T03:00:00Z,m-1,12,11\nb,T00:00:00Z,m-4,5,6"),
    );
    sandbox.write("back.csv", &day("a,T04:00:00Z,m-5,13,12\na,T05:00:00Z,m-6,12,12"));
    sandbox.write("few.csv", &day("a,T04:00:00Z,m-5,13,12"));
    sandbox.write("other.csv", &day("a,T04:00:00Z,m-5,13,12\na,T05:00:00Z,x-6,14,13"));
    sandbox.write("drifted.csv", &day("a,T04:00:00Z,m-5,90,12\na,T05:00:00Z,m-6,91,90"));
    sandbox.write("corrected.csv", &day("a,T04:00:00Z,m-5,13,12\na,T05:00:00Z,m-6,1,1"));
    let lines = [
        "apply",
        "featuregroup validate meters",
        "featuregroup ingest meters --from first.csv",
        "featuregroup validate meters",
        "featuregroup ingest meters --from back.csv",
        "featuregroup ingest meters --from few.csv",
        "featuregroup ingest meters --from other.csv --dry-run",
        "featuregroup ingest meters --from drifted.csv",
        "featuregroup validate meters",
        "featuregroup validate meters --json",
        "query 'select line, reason, detail from quarantine.meters'",
    ];
    check("expectations", &screens(&sandbox, &lines));
    sandbox.refused("featuregroup ingest meters --from corrected.csv");
}

#[test]
fn conditions_that_are_none_are_refused_before_anything_is_applied() {
    let sandbox = Sandbox::new();
    for (name, condition) in [
        ("typo", "kwh >= previous_kw"),
        ("clock", "ts < now()"),
        ("number", "kwh + 1"),
    ] {
        let text = METERS.replace("kwh >= previous_kwh", condition).replace("meters", name);
        sandbox.write(&format!("feature_groups/{name}.toml"), &text);
    }
    check("expectations_wrong", &screens(&sandbox, &["plan"]));
}
