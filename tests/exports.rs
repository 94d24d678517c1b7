//! Exported datasets, read back by the programs that people use.

use crate::oracles::ask;
use crate::sandbox::Sandbox;

const GROUP: &str = r#"
name = "readings"
version = 1
entity = ["host"]
event_time = "ts"
features = [
  { name = "is_on", type = "bool" },
  { name = "small", type = "int32" },
  { name = "large", type = "int64" },
  { name = "single", type = "float32" },
  { name = "double", type = "float64" },
  { name = "note", type = "utf8" },
  { name = "day", type = "date" },
  { name = "seen_at", type = "timestamp" },
  { name = "full", type = "int64" },
]
"#;

const VIEW: &str = r#"
name = "fv"
version = 1
[labels]
group = "readings:v1"
columns = ["full"]
helpers = ["is_on", "small", "large", "single", "double", "note", "day", "seen_at"]
[[features]]
group = "readings:v1"
columns = ["double"]
prefix = "f_"
[split]
strategy = "time"
test = 0.4
"#;

const ROWS: &str = r#"host,ts,is_on,small,large,single,double,note,day,seen_at,full
höst-1,2026-01-01T00:00:00Z,true,-7,9007199254740993,0.1,0.1,plain,2026-01-31,2026-01-31T12:00:00.000001Z,1
höst-1,2026-01-01T01:00:00Z,,,,,,,,,2
höst-2,2026-01-01T02:00:00Z,false,2147483647,-9223372036854775807,-3.5,1e300,"commas, ""quotes"" and ünïcode 🙂",1969-12-31,1969-12-31T23:59:59Z,3
höst-2,2026-01-01T03:00:00Z,true,0,0,0,0,longer than the texts of the other part by far,1970-01-01,1970-01-01T00:00:00Z,4
b,2026-01-01T04:00:00Z,,5,6,1.5,-2.5,x,,2100-01-01T00:00:00Z,5
"#;

/// A small dataset with every type, NULLs in one part and in both.
fn every_type() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("feature_groups/readings.toml", GROUP);
    sandbox.write("feature_views/fv.toml", VIEW);
    sandbox.write("rows.csv", ROWS);
    sandbox.ok("apply");
    sandbox.ok("featuregroup ingest readings --from rows.csv");
    sandbox.ok("dataset create fv:v1");
    sandbox
}

fn export_everything(sandbox: &Sandbox, reference: &str) {
    for format in ["parquet", "csv", "jsonl", "arrow", "tfrecord", "npy"] {
        sandbox.ok(&format!("dataset export {reference} --to out --format {format}"));
    }
}

#[test]
fn every_type_is_read_back_from_every_format() {
    let sandbox = every_type();
    export_everything(&sandbox, "fv:v1/1");
    ask(&sandbox, "read_exports.py", &["out"]);
}

#[test]
fn running_example_is_read_back_from_every_format() {
    let sandbox = crate::main_job::ingested();
    sandbox.ok("dataset create cpu_fv:v1");
    export_everything(&sandbox, "cpu_fv:v1/1");
    ask(&sandbox, "read_exports.py", &["out"]);
}

#[test]
fn rounding_of_floats_is_said() {
    let sandbox = every_type();
    let said = sandbox.ok("dataset export fv:v1/1 --to out --format tfrecord");
    assert!(said.stderr.contains("32 bits"), "{said:?}");
}

#[test]
fn column_or_condition_that_cannot_be_is_refused_with_what_to_type() {
    let sandbox = every_type();
    let refused = |asked: &str| sandbox.refused(&format!("dataset export fv:v1/1 --to out {asked}"));
    let said = refused("--columns doubel");
    assert!(said.contains("`fv:v1/1` has no column `doubel`"), "{said}");
    assert!(said.contains("hint: did you mean `double`?"), "{said}");
    for condition in ["nope=1", "double>", "double+1", "double>random()"] {
        let said = refused(&format!("--where {condition}"));
        assert!(said.contains(&format!("the condition `{condition}`")), "{said}");
        assert!(
            said.contains("hint: the columns: platform dataset show fv:v1/1"),
            "{said}"
        );
    }
    assert!(!sandbox.path("out").exists());
}
