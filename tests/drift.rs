//! Drift and reports, through the binary: what has moved is named with exit code 1, and the page about a dataset stands alone.

use crate::main_job::ingested;
use crate::sandbox::Sandbox;

fn with_dataset() -> Sandbox {
    let sandbox = ingested();
    sandbox.ok("dataset create cpu_fv:v1");
    sandbox
}

/// 600 rows a month later: the CPU runs hot, the rest as ever.
fn hot_rows() -> String {
    let mut csv = String::from("host,ts,cpu_percent,memory_percent,disk_percent,load_average\n");
    for at in 0..600 {
        let (hour, minute) = (at % 24, at / 24 % 60);
        csv.push_str(&format!(
            "host-001,2026-03-{:02}T{hour:02}:{minute:02}:00Z,{},50.0,50.0,1.0\n",
            1 + at % 28,
            95 + at % 5
        ));
    }
    csv
}

#[test]
fn group_that_ran_hot_has_drifted_from_its_dataset() {
    let sandbox = with_dataset();
    sandbox.write("hot.csv", &hot_rows());
    sandbox.ok("featuregroup ingest server_metrics --from hot.csv");
    let line = "featuregroup drift server_metrics --against cpu_fv:v1/1";
    let refusal = sandbox.refused(line);
    assert!(refusal.contains("`cpu_percent`"), "{refusal}");
    let found = sandbox.run(&format!("{line} --ingestion 3 --json"));
    assert_eq!(found.code, 1);
    let document = found.json();
    let cpu = document["columns"]
        .as_array()
        .unwrap()
        .iter()
        .find(|of| of["column"] == "cpu_percent")
        .unwrap();
    assert_eq!(cpu["candidate"]["rows"], 600);
    assert!(cpu["psi"].as_f64().unwrap() > 1.0 && cpu["ks"]["statistic"].as_f64().unwrap() > 0.5);
    assert_eq!(cpu["exceeded"][0], "psi");
    sandbox.ok(&format!("{line} --psi 1000 --ks 1 --js 1 --cramers-v 1"));
    let hint = sandbox.refused("featuregroup drift server_metrics --against cpu_fv:v1/1 --from 2030-01-01");
    assert!(hint.contains("there are no rows"), "{hint}");
}

#[test]
fn dataset_has_not_drifted_from_itself() {
    let sandbox = with_dataset();
    let said = sandbox.ok("dataset compare cpu_fv:v1/1 cpu_fv:v1/1");
    assert!(said.stdout.contains("no column has drifted"), "{}", said.stdout);
    let document = sandbox
        .run("dataset compare cpu_fv:v1/1/train cpu_fv:v1/test --json")
        .json();
    assert_eq!(document["baseline"], "cpu_fv:v1/1/train");
    assert_eq!(document["candidate"], "cpu_fv:v1/1/test");
}

#[test]
fn ingestion_keeps_what_its_rows_held() {
    let sandbox = ingested();
    sandbox.write("hot.csv", &hot_rows());
    sandbox.ok("featuregroup ingest server_metrics --from hot.csv");
    let kept = sandbox
        .ok("featuregroup stats server_metrics --ingestion 3 --json")
        .json();
    assert_eq!(kept["rows"], 600);
    let column = |name: &str| {
        kept["columns"]
            .as_array()
            .unwrap()
            .iter()
            .find(|of| of["column"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(column("cpu_percent")["quantiles"]["p50"], 97.0);
    assert_eq!(column("cpu_percent")["distinct"]["values"], 5);
    assert_eq!(column("disk_percent")["remark"], "constant");
    assert_eq!(column("host")["top"][0]["rows"], 600);
    // The same file again is no ingestion, and leaves nothing behind.
    sandbox.ok("featuregroup ingest server_metrics --from hot.csv");
    let folder = sandbox.path(".platform/feature_groups/server_metrics/v1/_statistics");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 3);
    sandbox.ok("gc");
    sandbox.ok("featuregroup stats server_metrics --ingestion 3");
    let refusal = sandbox.refused("featuregroup stats server_metrics --ingestion 9");
    assert!(refusal.contains("no ingestion 9"), "{refusal}");
}

#[test]
fn report_is_one_page_that_stands_alone() {
    let sandbox = with_dataset();
    sandbox.ok("dataset report cpu_fv:v1/1 --out page.html");
    let page = sandbox.read("page.html");
    for outside in ["http:", "https:", "<script", "<link", "<img", "@import", "url("] {
        assert!(!page.contains(outside), "the page refers to {outside}");
    }
    for wanted in [
        "<h2>Leakage certificate</h2>",
        "<h2>Distributions</h2>",
        "<h2>Correlations</h2>",
        "curve test",
        "prefers-color-scheme: dark",
        "@media print",
        "the first feature of test is from",
    ] {
        assert!(page.contains(wanted), "the page lacks {wanted}");
    }
    check_nesting(&page);
    sandbox.ok("dataset report cpu_fv:v1/1 --out again.html");
    assert_eq!(page, sandbox.read("again.html"), "the same dataset, the same page");
}

/// Every element that is opened is closed, in order.
fn check_nesting(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    for tag in page
        .split('<')
        .skip(1)
        .filter_map(|rest| rest.split_once('>').map(|(tag, _)| tag))
    {
        let name = tag.split([' ', '\n', '/']).find(|part| !part.is_empty()).unwrap();
        if tag.starts_with('!') || tag.ends_with('/') || ["meta", "br"].contains(&name) {
            continue;
        }
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "what closes is what was opened last");
        } else {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
}
