//! Killed at any moment: the next command works and shows only whole things.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::main_job::{ingested, sixty_hosts, trained};
use crate::sandbox::Sandbox;

/// Rounds per command; eleven commands make seventy-seven.
const ROUNDS: u32 = 7;

/// Runs the command once to learn how long it takes, then kills it at moments spread over that time. The spread is a fixed
/// low-discrepancy sequence, so that a failing round can be run again.
fn kill_rounds(sandbox: &Sandbox, line: impl Fn(u32) -> String, check: impl Fn(u32)) {
    let first = line(0);
    let started = Instant::now();
    sandbox.ok(&first);
    let whole = started.elapsed();
    for round in 1..=ROUNDS {
        let share = (f64::from(round) * 0.618_033_988_75).fract();
        let line = line(round);
        let mut child = sandbox
            .command(&line)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_secs_f64(whole.as_secs_f64() * share));
        child.kill().unwrap();
        child.wait().unwrap();
        check(round);
    }
}

fn is_whole(sandbox: &Sandbox) {
    let said = sandbox.run("doctor");
    assert_eq!(said.code, 0, "{}", said.screen());
}

fn rows(sandbox: &Sandbox, table: &str) -> i64 {
    let answer = sandbox
        .ok(&format!("query \"select count(*) as n from {table}\" --json"))
        .json();
    answer["rows"][0]["n"].as_i64().unwrap()
}

/// The definition of a group of one feature.
fn group(name: &str) -> String {
    format!(
        "name = \"{name}\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n[[features]]\nname = \"value\"\ntype = \"int64\"\n"
    )
}

#[test]
fn killed_apply_is_finished_by_the_next() {
    let sandbox = Sandbox::new();
    let line = |round: u32| {
        for part in ["a", "b", "c"] {
            let name = format!("{part}{round}");
            sandbox.write(&format!("feature_groups/{name}.toml"), &group(&name));
        }
        "apply".to_owned()
    };
    kill_rounds(&sandbox, line, |_| {
        is_whole(&sandbox);
        sandbox.ok("apply");
        is_whole(&sandbox);
    });
    let list = sandbox.ok("featuregroup list --json").json();
    assert_eq!(
        list["groups"].as_array().unwrap().len(),
        3 * (ROUNDS as usize + 1),
        "{list}"
    );
}

#[test]
fn killed_clean_up_removes_nothing_that_is_needed() {
    let sandbox = Sandbox::new();
    sandbox.write("feature_groups/readings.toml", &group("readings"));
    sandbox.ok("apply");
    let line = |round: u32| {
        for half in 0..2 {
            let name = format!("{round}-{half}.csv");
            sandbox.write(
                &name,
                &format!("host,ts,value\nh{round}-{half},2026-01-01T00:00:00Z,1\n"),
            );
            sandbox.ok(&format!("featuregroup ingest readings --from {name}"));
        }
        sandbox.ok("featuregroup compact readings");
        sandbox.write(&format!(".platform/staging/0-{round}/part"), "half");
        "gc --grace 0s".to_owned()
    };
    kill_rounds(&sandbox, line, |round| {
        assert_eq!(rows(&sandbox, "readings"), 2 * (i64::from(round) + 1));
        is_whole(&sandbox);
    });
    sandbox.ok("gc --grace 0s");
    assert_eq!(sandbox.ok("gc --grace 0s").stdout, "nothing to remove\n");
    assert_eq!(rows(&sandbox, "at('readings:v1', 1)"), 1);
}

#[test]
fn killed_restoration_leaves_whole_files() {
    let sandbox = trained();
    let path = sandbox.path(".platform/models/cpu_forecaster/v1/model.txt");
    let whole = std::fs::read(&path).unwrap();
    let line = |_| {
        std::fs::write(&path, "half").unwrap();
        "reproduce cpu_forecaster:v1 --restore".to_owned()
    };
    kill_rounds(&sandbox, line, |_| {
        let found = std::fs::read(&path).unwrap();
        assert!(found == b"half" || found == whole);
    });
    sandbox.ok("reproduce cpu_forecaster:v1 --restore");
    assert!(std::fs::read(&path).unwrap() == whole);
    is_whole(&sandbox);
}

#[test]
fn killed_ingestion_shows_all_of_a_file_or_nothing_of_it() {
    let sandbox = Sandbox::new();
    sandbox.write("feature_groups/readings.toml", &group("readings"));
    sandbox.ok("apply");
    let file = |round: u32| {
        let rows: String = (0..5_000)
            .map(|row| {
                format!(
                    "h{round},2026-01-{:02}T{:02}:{:02}:00Z,{row}\n",
                    1 + row / 1440,
                    row / 60 % 24,
                    row % 60
                )
            })
            .collect();
        sandbox.write(&format!("{round}.csv"), &format!("host,ts,value\n{rows}"));
        format!("featuregroup ingest readings --from {round}.csv")
    };
    kill_rounds(&sandbox, file, |round| {
        assert_eq!(rows(&sandbox, "readings") % 5_000, 0);
        sandbox.ok(&format!("featuregroup ingest readings --from {round}.csv"));
        is_whole(&sandbox);
    });
    assert_eq!(rows(&sandbox, "readings"), 5_000 * i64::from(ROUNDS + 1));
    let history = sandbox.ok("featuregroup history readings --json").json();
    assert_eq!(history["ingestions"].as_array().unwrap().len(), ROUNDS as usize + 1);
}

#[test]
fn killed_dataset_creation_leaves_whole_datasets() {
    let sandbox = ingested();
    kill_rounds(
        &sandbox,
        |_| "dataset create cpu_fv:v1 --force".to_owned(),
        |_| {
            let list = sandbox.ok("dataset list --json").json();
            for dataset in list["datasets"].as_array().unwrap() {
                sandbox.ok(&format!("dataset verify {}", dataset["reference"].as_str().unwrap()));
            }
            is_whole(&sandbox);
        },
    );
    sandbox.ok("gc --grace 0s");
    let left: Vec<_> = std::fs::read_dir(sandbox.path(".platform/staging")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn killed_while_the_spine_is_on_disk_leaves_whole_datasets_and_nothing_on_disk() {
    let sandbox = sixty_hosts();
    let create = "dataset create cpu_fv:v1 --force --memory 64MiB";
    kill_rounds(&sandbox, |_| create.to_owned(), |_| is_whole(&sandbox));
    let made = sandbox.ok(&format!("{create} --json")).json();
    let reference = made["dataset"].as_str().unwrap();
    let folder = reference.replace(':', "/");
    let manifest = sandbox.read(&format!(".platform/datasets/{folder}/manifest.json"));
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert!(manifest["spilled_bytes"].as_u64().unwrap() > 0);
    sandbox.ok(&format!("dataset verify {reference}"));
    sandbox.ok("gc");
    let left = |folder: &str| std::fs::read_dir(sandbox.path(folder)).unwrap().count();
    assert_eq!((left(".platform/spill"), left(".platform/staging")), (0, 0));
}

#[test]
fn killed_materialization_shows_all_of_its_rows_or_none_and_the_next_one_goes_on() {
    let sandbox = Sandbox::new();
    sandbox.write("feature_groups/readings.toml", &group("readings"));
    let derived = |name: &str| {
        let head = format!(
            "name = \"{name}\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n[derive]\nfrom = [\"readings:v1\"]\n"
        );
        head + "[[features]]\nname = \"highest\"\nof = \"value\"\nwindow = \"1h\"\naggregate = \"max\"\n"
    };
    for name in ["killed", "whole"] {
        sandbox.write(&format!("feature_groups/{name}.toml"), &derived(name));
    }
    sandbox.ok("apply");
    let line = |round: u32| {
        let row = |row: u32| {
            format!(
                "h{},2026-01-{:02}T{:02}:{:02}:00Z,{}\n",
                row % 7,
                1 + row / 1440,
                row / 60 % 24,
                row % 60,
                row * round % 101
            )
        };
        let rows: String = (0..20_000).filter(|at| at % 3 <= round % 3).map(row).collect();
        sandbox.write("rows.csv", &format!("host,ts,value\n{rows}"));
        sandbox.ok("featuregroup ingest readings --force --from rows.csv");
        "featuregroup materialize killed".to_owned()
    };
    kill_rounds(&sandbox, line, |_| {
        is_whole(&sandbox);
        sandbox.ok("featuregroup materialize killed");
        let missing = "(select host, ts from readings) except (select host, ts from killed)";
        assert_eq!(rows(&sandbox, &format!("({missing})")), 0);
    });
    sandbox.ok("featuregroup materialize whole");
    let other =
        "(select * from killed except select * from whole) union all (select * from whole except select * from killed)";
    assert_eq!(rows(&sandbox, &format!("({other})")), 0);
    sandbox.ok("gc --grace 0s");
    is_whole(&sandbox);
}

#[test]
fn killed_training_leaves_whole_models() {
    let sandbox = ingested();
    kill_rounds(
        &sandbox,
        |_| "train --view cpu_fv:v1".to_owned(),
        |_| is_whole(&sandbox),
    );
    sandbox.ok("gc --grace 0s");
    sandbox.ok("train --view cpu_fv:v1");
    is_whole(&sandbox);
    let runs = sandbox.ok("run list --json").json();
    for run in runs["runs"].as_array().unwrap() {
        assert!(run["status"] == "registered" || run["status"] == "failed", "{run}");
    }
}

#[test]
fn killed_compaction_changes_no_row() {
    let sandbox = ingested();
    let before = rows(&sandbox, r#"\"server_metrics:v1$all\""#);
    kill_rounds(
        &sandbox,
        |_| "featuregroup compact server_metrics".to_owned(),
        |_| {
            assert_eq!(rows(&sandbox, r#"\"server_metrics:v1$all\""#), before);
            is_whole(&sandbox);
        },
    );
}

#[test]
fn killed_alias_move_leaves_it_at_one_of_its_two_places() {
    let sandbox = trained();
    sandbox.ok("train --view cpu_fv:v1");
    let line = |round: u32| format!("registry alias set cpu_forecaster@champion v{}", 1 + round % 2);
    kill_rounds(&sandbox, line, |_| {
        let model = sandbox.ok("registry show cpu_forecaster@champion --json").json();
        assert!(model["model"] == "cpu_forecaster:v1" || model["model"] == "cpu_forecaster:v2");
        is_whole(&sandbox);
    });
}

#[test]
fn killed_forgetting_is_finished_by_the_same_command() {
    let sandbox = trained();
    let head = "name = \"encoded\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n[derive]\nfrom = [\"server_metrics:v1\"]\n";
    let feature = "[[features]]\nname = \"by_host\"\nof = \"host\"\ntarget_encoding = \"cpu_percent\"\n";
    sandbox.write("feature_groups/encoded.toml", &format!("{head}{feature}"));
    sandbox.ok("apply");
    sandbox.ok("featuregroup materialize encoded");
    let answer = sandbox
        .ok("query 'select distinct host from server_metrics order by host' --json")
        .json();
    let hosts: Vec<String> = answer["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["host"].as_str().unwrap().to_owned())
        .collect();
    let line = |round: u32| {
        let host = &hosts[round as usize % hosts.len()];
        format!("featuregroup forget server_metrics --entity {host} --everywhere")
    };
    kill_rounds(&sandbox, line, |round| {
        is_whole(&sandbox);
        sandbox.ok(&line(round));
        let host = &hosts[round as usize % hosts.len()];
        for group in ["server_metrics", "server_features", "cpu_labels", "encoded"] {
            let table = format!("\\\"{group}:v1$all\\\" where host = '{host}'");
            assert_eq!(rows(&sandbox, &table), 0, "{group}");
        }
        is_whole(&sandbox);
    });
    sandbox.ok("gc --grace 0s");
    is_whole(&sandbox);
}
