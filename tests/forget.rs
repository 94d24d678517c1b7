//! Forgetting an entity: what goes, what stays, and who says so.

use crate::main_job::trained;
use crate::sandbox::Sandbox;
use crate::screens::{check, screens};

fn rows_of(sandbox: &Sandbox, host: &str) -> i64 {
    let question =
        format!("query \"select count(*) as n from \\\"server_metrics:v1$all\\\" where host = '{host}'\" --json");
    sandbox.ok(&question).json()["rows"][0]["n"].as_i64().unwrap()
}

fn a_host(sandbox: &Sandbox) -> String {
    let answer = sandbox
        .ok("query 'select min(host) as host from server_metrics' --json")
        .json();
    answer["rows"][0]["host"].as_str().unwrap().to_owned()
}

#[test]
fn forgotten_entity_stays_where_it_is_pinned_until_everywhere_is_said() {
    let sandbox = trained();
    let host = a_host(&sandbox);
    assert!(rows_of(&sandbox, &host) > 0);
    let first = sandbox
        .ok(&format!("featuregroup forget server_metrics --entity {host} --json"))
        .json();
    assert_eq!(rows_of(&sandbox, &host), 0);
    assert!(first["receipt"]["rows"].as_i64().unwrap() > 0, "{first}");
    assert_eq!(first["still_held_by"][0]["dataset"], "cpu_fv:v1/1");
    assert_eq!(first["still_held_by"][0]["models"][0], "cpu_forecaster:v1");
    sandbox.ok("dataset verify cpu_fv:v1/1");
    sandbox.ok("doctor --full");
    sandbox.ok("reproduce cpu_forecaster:v1");
    let everywhere =
        format!("featuregroup forget server_metrics --entity {host} --everywhere --reason 'asked for by letter'");
    let second = sandbox.ok(&format!("{everywhere} --json")).json();
    assert_eq!(second["no_longer_reproducible"][0]["dataset"], "cpu_fv:v1/1");
    assert!(second["dataset_rows"].as_i64().unwrap() > 0, "{second}");
    let again = sandbox.ok(&format!("{everywhere} --json")).json();
    assert_eq!(
        (again["receipt"]["rows"].as_i64(), again["dataset_rows"].as_i64()),
        (Some(0), Some(0))
    );
    let said = sandbox.ok("registry show cpu_forecaster:v1").stdout;
    assert!(
        said.contains("NO LONGER REPRODUCIBLE since") && said.contains("asked for by letter"),
        "{said}"
    );
    let card = sandbox.ok("registry card cpu_forecaster:v1").stdout;
    assert!(card.starts_with("> **No longer reproducible** since"), "{card}");
    assert!(
        sandbox
            .ok("dataset show cpu_fv:v1/1")
            .stdout
            .contains("NO LONGER REPRODUCIBLE")
    );
    let lines = [
        "reproduce cpu_forecaster:v1",
        "dataset verify cpu_fv:v1/1",
        "dataset export cpu_fv:v1/1 --to out --format csv",
        "featuregroup forget server_metrics --entity nobody",
        "featuregroup forget server_metrics --entity nobody --reason why",
    ];
    check("forget", &screens(&sandbox, &lines));
    // Nothing else is the worse for it.
    sandbox.ok("doctor");
    sandbox.ok("gc --grace 0s");
    sandbox.ok("dataset create cpu_fv:v1");
    sandbox.ok("dataset verify cpu_fv:v1/2");
    sandbox.ok("doctor --full");
}

const METRICS: &str = "name = \"metrics\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n\
                       [[features]]\nname = \"rack\"\ntype = \"utf8\"\n[[features]]\nname = \"cpu\"\ntype = \"float64\"\n";

fn derived(name: &str, features: &str) -> String {
    let head = format!("name = \"{name}\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n");
    format!("{head}[derive]\nfrom = [\"metrics:v1\"]\n{features}")
}

/// Groups of metrics, means of a host's own, and means of the racks' hosts; and a dataset of all of them.
fn with_derived_groups() -> Sandbox {
    let sandbox = Sandbox::new();
    let own = "[[features]]\nname = \"mean\"\nof = \"cpu\"\nwindow = \"10m\"\naggregate = \"mean\"\n\
               [[features]]\nname = \"next\"\nof = \"cpu\"\nlead = \"1m\"\naggregate = \"max\"\n";
    let of_racks = "[[features]]\nname = \"by_rack\"\nof = \"rack\"\ntarget_encoding = \"cpu\"\n";
    sandbox.write("feature_groups/metrics.toml", METRICS);
    sandbox.write("feature_groups/own.toml", &derived("own", own));
    sandbox.write("feature_groups/racks.toml", &derived("racks", of_racks));
    let view = "name = \"view\"\nversion = 1\n[labels]\ngroup = \"own:v1\"\ncolumns = [\"next\"]\n\
                [[features]]\ngroup = \"own:v1\"\ncolumns = [\"mean\"]\n[[features]]\ngroup = \"racks:v1\"\ncolumns = [\"by_rack\"]\n";
    sandbox.write("feature_views/view.toml", view);
    sandbox.ok("apply");
    let row = |at: u32| format!("h{},2026-01-01T00:{:02}:00Z,r{},{}\n", at % 5, at / 5, at % 2, at % 7);
    let rows: String = (0..200).map(row).collect();
    sandbox.write("rows.csv", &format!("host,ts,rack,cpu\n{rows}"));
    sandbox.ok("featuregroup ingest metrics --from rows.csv");
    for group in ["own", "racks"] {
        sandbox.ok(&format!("featuregroup materialize {group}"));
    }
    sandbox.ok("dataset create view:v1");
    sandbox
}

fn counted(sandbox: &Sandbox, table: &str) -> i64 {
    let answer = sandbox
        .ok(&format!("query \"select count(*) as n from {table}\" --json"))
        .json();
    answer["rows"][0]["n"].as_i64().unwrap()
}

#[test]
fn what_is_derived_from_a_forgotten_entity_goes_with_it() {
    let sandbox = with_derived_groups();
    let refused = sandbox.refused("featuregroup forget own --entity h1");
    assert!(
        refused.contains("hint: platform featuregroup forget metrics:v1 --entity"),
        "{refused}"
    );
    let before = sandbox.ok("query --csv 'select * from racks order by host, ts'").stdout;
    let first = sandbox.ok("featuregroup forget metrics --entity h1");
    for said in [
        "metrics:v1: 40 rows of `h1` forgotten",
        "own:v1, derived from it: 40 rows forgotten",
        "racks:v1, derived from it: computed anew, 160 rows",
        "view:v1/1",
        "and values made of them",
    ] {
        assert!(first.stdout.contains(said), "{}", first.stdout);
    }
    for group in ["metrics", "own", "racks"] {
        assert_eq!(
            counted(&sandbox, &format!("\\\"{group}:v1$all\\\" where host = 'h1'")),
            0,
            "{group}"
        );
    }
    // Its labels are in nobody's mean any more, and nothing comes back.
    let after = sandbox.ok("query --csv 'select * from racks order by host, ts'").stdout;
    let others = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|row| !row.starts_with("h1,"))
            .map(str::to_owned)
            .collect()
    };
    assert_ne!(others(&before), others(&after));
    for group in ["own", "racks"] {
        let again = sandbox.ok(&format!("featuregroup materialize {group}")).stdout;
        assert!(again.contains("up to date"), "{again}");
        let rows = sandbox
            .ok(&format!("query --csv 'select * from {group} order by host, ts'"))
            .stdout;
        sandbox.ok(&format!("featuregroup materialize {group} --full"));
        assert_eq!(
            rows,
            sandbox
                .ok(&format!("query --csv 'select * from {group} order by host, ts'"))
                .stdout
        );
    }
    // What is pinned is as it was, until everywhere is said.
    sandbox.ok("dataset verify view:v1/1");
    let nobody = sandbox.ok("featuregroup forget metrics --entity nobody --json").json();
    assert_eq!(nobody["derived"][1]["rows"], serde_json::Value::Null, "{nobody}");
    let second = sandbox
        .ok("featuregroup forget metrics --entity h1 --everywhere --json")
        .json();
    assert_eq!(second["no_longer_reproducible"][0]["dataset"], "view:v1/1", "{second}");
    assert!(second["dataset_rows"].as_i64().unwrap() > 0, "{second}");
    sandbox.ok("doctor --full");
    sandbox.ok("dataset create view:v1");
    sandbox.ok("dataset verify view:v1/2");
}

/// All files below a folder.
fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .collect()
}

#[test]
fn no_file_of_a_group_names_a_forgotten_entity() {
    let sandbox = Sandbox::new();
    let metrics = METRICS.replace(
        "type = \"float64\"",
        "type = \"float64\"\nexpect = { max = 100.0, on_violation = \"quarantine\" }",
    );
    sandbox.write("feature_groups/metrics.toml", &metrics);
    sandbox.write(
        "feature_groups/own.toml",
        &derived("own", "[[features]]\nname = \"rack\"\nof = \"rack\"\n"),
    );
    sandbox.ok("apply");
    sandbox.write("one.csv", "host,ts,rack,cpu\nzuleika,2026-01-01T00:00:00Z,tower-of-zuleika,1\nzuleika,2026-01-02T00:00:00Z,x,700\nb,2026-01-01T00:00:00Z,r,2\n");
    sandbox.ok("featuregroup ingest metrics --from one.csv");
    sandbox.ok("featuregroup materialize own");
    let naming = |sandbox: &Sandbox| -> Vec<_> {
        let all = files(&sandbox.path(".platform"));
        let tables = all
            .into_iter()
            .filter(|path| !path.to_string_lossy().contains("registry.db"));
        tables
            .filter(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).contains("zuleika"))
            .collect()
    };
    assert!(!naming(&sandbox).is_empty());
    sandbox.ok("featuregroup forget metrics --entity zuleika");
    assert_eq!(naming(&sandbox), Vec::<std::path::PathBuf>::new());
}
