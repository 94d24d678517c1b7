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
