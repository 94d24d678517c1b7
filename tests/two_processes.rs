//! Several processes at once: nothing lost, nothing doubled, and never "database is locked".

use std::process::{Child, Stdio};

use crate::main_job::{ingested, trained};
use crate::sandbox::{Said, Sandbox, said};

fn start(sandbox: &Sandbox, line: &str) -> Child {
    sandbox
        .command(line)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn together(sandbox: &Sandbox, lines: &[String]) -> Vec<Said> {
    let children: Vec<Child> = lines.iter().map(|line| start(sandbox, line)).collect();
    children
        .into_iter()
        .map(|child| said(child.wait_with_output().unwrap()))
        .collect()
}

const READINGS: &str = r#"name = "readings"
version = 1
entity = ["host"]
event_time = "ts"
[[features]]
name = "value"
type = "int64"
"#;

fn count(sandbox: &Sandbox, question: &str) -> i64 {
    let answer = sandbox.ok(&format!("query \"{question}\" --json")).json();
    answer["rows"][0]["n"].as_i64().unwrap()
}

#[test]
fn files_ingested_at_once_are_all_there_exactly_once() {
    let sandbox = Sandbox::new();
    sandbox.write("feature_groups/readings.toml", READINGS);
    sandbox.ok("apply");
    let lines: Vec<String> = (0..6)
        .map(|file| {
            let rows: String = (0..50)
                .map(|row| format!("h{file},2026-01-01T00:{row:02}:00Z,{row}\n"))
                .collect();
            sandbox.write(&format!("{file}.csv"), &format!("host,ts,value\n{rows}"));
            format!("featuregroup ingest readings --from {file}.csv")
        })
        .collect();
    for said in together(&sandbox, &lines) {
        assert_eq!(said.code, 0, "{}", said.screen());
        assert!(!said.screen().contains("locked"), "{}", said.screen());
    }
    assert_eq!(count(&sandbox, "select count(*) as n from readings"), 300);
    let history = sandbox.ok("featuregroup history readings --json").json();
    assert_eq!(history["ingestions"].as_array().unwrap().len(), 6);
}

#[test]
fn same_file_ingested_at_once_is_there_once() {
    let sandbox = Sandbox::new();
    sandbox.write("feature_groups/readings.toml", READINGS);
    sandbox.write("a.csv", "host,ts,value\nh,2026-01-01T00:00:00Z,1\n");
    sandbox.ok("apply");
    let lines = vec!["featuregroup ingest readings --from a.csv".to_owned(); 4];
    for said in together(&sandbox, &lines) {
        assert_eq!(said.code, 0, "{}", said.screen());
    }
    let history = sandbox.ok("featuregroup history readings --json").json();
    assert_eq!(history["ingestions"].as_array().unwrap().len(), 1);
    assert_eq!(count(&sandbox, r#"select count(*) as n from \"readings:v1$all\""#), 1);
}

#[test]
fn datasets_created_at_once_are_one_dataset() {
    let sandbox = ingested();
    let lines = vec!["dataset create cpu_fv:v1".to_owned(); 3];
    for said in together(&sandbox, &lines) {
        assert_eq!(said.code, 0, "{}", said.screen());
    }
    let list = sandbox.ok("dataset list --json").json();
    assert_eq!(list["datasets"].as_array().unwrap().len(), 1);
    sandbox.ok("dataset verify cpu_fv:v1/1");
}

#[test]
fn models_trained_at_once_get_versions_of_their_own() {
    let sandbox = ingested();
    let lines = vec!["train --view cpu_fv:v1 --threads 1".to_owned(); 3];
    for said in together(&sandbox, &lines) {
        assert_eq!(said.code, 0, "{}", said.screen());
    }
    let versions = sandbox.ok("registry list cpu_forecaster --json").json();
    assert_eq!(versions["versions"].as_array().unwrap().len(), 3);
    sandbox.ok("doctor");
}

#[test]
fn alias_moved_at_once_from_the_same_place_moves_once() {
    let sandbox = trained();
    sandbox.ok("train --view cpu_fv:v1");
    sandbox.ok("train --view cpu_fv:v1");
    sandbox.ok("registry alias set cpu_forecaster@champion v1");
    let lines: Vec<String> = [2, 3]
        .map(|to| format!("registry alias set cpu_forecaster@champion v{to} --expect v1"))
        .to_vec();
    let codes: Vec<i32> = together(&sandbox, &lines).iter().map(|said| said.code).collect();
    assert_eq!(codes.iter().filter(|&&code| code == 0).count(), 1, "{codes:?}");
    let history = sandbox.ok("registry history cpu_forecaster@champion --json").json();
    assert_eq!(history["history"].as_array().unwrap().len(), 2);
}

#[test]
fn eight_processes_that_ingest_create_and_move_lose_nothing() {
    let sandbox = trained();
    sandbox.ok("train --view cpu_fv:v1");
    sandbox.ok("registry alias set cpu_forecaster@champion v1");
    sandbox.write("feature_groups/readings.toml", READINGS);
    sandbox.ok("apply");
    let mut lines = Vec::new();
    for file in 0..3 {
        sandbox.write(
            &format!("{file}.csv"),
            &format!("host,ts,value\nh{file},2026-01-01T00:00:00Z,{file}\n"),
        );
        lines.push(format!("featuregroup ingest readings --from {file}.csv"));
    }
    lines.extend(vec!["dataset create cpu_fv:v1 --force".to_owned(); 2]);
    lines.extend(vec![
        "registry alias set cpu_forecaster@champion v2 --expect v1"
            .to_owned();
        3
    ]);
    let all = together(&sandbox, &lines);
    for said in &all {
        assert!(!said.screen().contains("locked"), "{}", said.screen());
    }
    let (work, moves) = all.split_at(5);
    for said in work {
        assert_eq!(said.code, 0, "{}", said.screen());
    }
    let codes: Vec<i32> = moves.iter().map(|said| said.code).collect();
    assert_eq!(codes.iter().filter(|&&code| code == 0).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|&&code| code == 1).count(), 2, "{codes:?}");
    assert_eq!(count(&sandbox, "select count(*) as n from readings"), 3);
    assert_eq!(
        count(
            &sandbox,
            r#"select count(distinct __ingest_id) as n from \"readings:v1$all\""#
        ),
        3
    );
    let list = sandbox.ok("dataset list --json").json();
    assert_eq!(list["datasets"].as_array().unwrap().len(), 3);
    let history = sandbox.ok("registry history cpu_forecaster@champion --json").json();
    assert_eq!(history["history"].as_array().unwrap().len(), 2);
    sandbox.ok("doctor --full");
}
