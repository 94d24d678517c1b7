//! Whole screens: what every command shows on one small repository, with paths, times, hashes and measurements filtered.

use crate::sandbox::Sandbox;

/// What differs from run to run or from machine to machine. The data end in January 2026; every later time is a clock's, and as
/// wide as its fraction, so the spaces around it and behind its heading go.
const CHANGING: [(&str, &str); 11] = [
    (
        r" *20(26-(0[2-9]|1\d)|2[7-9]-\d\d|[3-9]\d-\d\d)-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z| UTC)?",
        " [time]",
    ),
    (r"\[time\] {2,}", "[time] "),
    (r"\b(at|created|started|registered) {3,}", "$1 "),
    (
        r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
        "[uuid]",
    ),
    (r"\b[0-9a-f]{64}\b", "[sha256]"),
    (r"\b[0-9a-f]{12}\b", "[hash]"),
    (r" *\b\d+(\.\d+)? (bytes|kB|MB|GB)\b", " [size]"),
    (r#"("bytes[a-z_]*"): [1-9]\d*"#, "$1: [size]"),
    (r"fit \d+(\.\d+)? s", "fit [span]"),
    (r"[\w.-]+/\d+/\d+", "[process]"),
    (r"(?m)^training: .*\n", ""),
];

/// Measurements hang on the last bits of floating point numbers, which another processor may round otherwise. Columns are as
/// wide as their widest number, so their spaces go too.
const MEASURED: [(&str, &str); 7] = [
    // Gain, splits and mean |SHAP| of a feature.
    (
        r"(?m)^([a-z_]+) +\d+(\.\d+)? +\d+ +(\d+\.\d+|\d+)$",
        "$1  [n]  [n]  [n]",
    ),
    (r"\b\d+\.\d+\.\d+\b", "[version]"),
    (r"-?\b\d+\.\d+(e-?\d+)?", "[n]"),
    (r"% \| \d+ \|", "% | [n] |"),
    (r"the best is \d+", "the best is [n]"),
    (r"\d+ kept", "[n] kept"),
    (r"(\S) {2,}", "$1  "),
];

/// Runs the commands one after another and gives every screen, as a person would have seen them.
pub fn screens(sandbox: &Sandbox, lines: &[&str]) -> String {
    lines.iter().map(|line| shown(sandbox, line)).collect()
}

fn shown(sandbox: &Sandbox, line: &str) -> String {
    let screen = sandbox.run(line).screen();
    let folder = sandbox.root().canonicalize().unwrap();
    let screen = screen.replace(folder.to_str().unwrap(), "[folder]");
    format!(
        "$ platform {line}\n{}\n",
        screen.replace(sandbox.root().to_str().unwrap(), "[folder]")
    )
}

pub fn check(name: &str, screens: &str) {
    insta::with_settings!({ filters => CHANGING, omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, screens);
    });
}

fn check_measured(name: &str, screens: &str) {
    let filters: Vec<_> = CHANGING.into_iter().chain(MEASURED).collect();
    insta::with_settings!({ filters => filters, omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, screens);
    });
}

/// The running example with ten trees and a gate that a small fleet passes.
fn shrink(sandbox: &Sandbox) {
    let pipeline = sandbox.read("pipelines/cpu_forecast.toml");
    let (head, rest) = pipeline.split_once("[gate]").unwrap();
    let (_, card) = rest.split_once("[card]").unwrap();
    let (before, after) = head.split_once("rounds = ").unwrap();
    let (_, after) = after.split_once('\n').unwrap();
    sandbox.write(
        "pipelines/cpu_forecast.toml",
        &format!("{before}rounds = 10\n{after}[gate]\nmae = {{ max = 100.0 }}\nbeats = [\"champion\"]\n\n[card]{card}"),
    );
}

#[test]
fn every_command_shows_what_it_did() {
    let sandbox = Sandbox::empty();
    check("init", &screens(&sandbox, &["init .", "init .", "init other --json"]));
    shrink(&sandbox);
    let simulate = [
        "simulate fleet --out data --hosts 4 --days 9 --seed 7",
        "simulate fleet --out data --hosts 4 --days 9 --seed 7 --json",
    ];
    check("simulate", &screens(&sandbox, &simulate));
    check(
        "plan_and_apply",
        &screens(&sandbox, &["plan", "plan --json", "apply", "apply", "apply --json"]),
    );
    let ingest = [
        "featuregroup ingest server_metrics --from data/metrics.csv --dry-run",
        "featuregroup ingest server_metrics --from data/metrics.csv",
        "featuregroup ingest server_metrics --from data/metrics.csv",
        "featuregroup ingest server_metrics --from data/late_metrics.csv --json",
        "featuregroup ingest hosts --from data/hosts.csv",
        "featuregroup materialize server_features",
        "featuregroup materialize server_features",
        "featuregroup materialize cpu_labels:v1 --json",
    ];
    check("featuregroup_ingest", &screens(&sandbox, &ingest));
    let groups = [
        "featuregroup list",
        "featuregroup list --json",
        "featuregroup show server_metrics",
        "featuregroup show hosts:v1 --json",
        "featuregroup show server_features",
        "featuregroup stats server_metrics",
        "featuregroup stats hosts",
        "featuregroup stats server_metrics --ingestion 2",
        "featuregroup stats server_metrics --ingestion 3",
        "featuregroup history server_metrics",
        "featuregroup late server_metrics --limit 2",
        "featuregroup late server_metrics --limit 1 --json",
        "featuregroup compact server_metrics",
        "featuregroup compact server_metrics --json",
    ];
    check("featuregroup", &screens(&sandbox, &groups));
    let views = [
        "featureview list",
        "featureview show cpu_fv",
        "featureview create cpu_fv",
        "featureview list --json",
    ];
    check("featureview", &screens(&sandbox, &views));
    let questions = [
        "query 'select host, count(*) as rows from server_metrics group by host order by host'",
        "query --csv 'select host, instance_type, cores from hosts order by host'",
        "query --json 'select host, cores from hosts order by host limit 2'",
        "query 'select host, memory_percent, ts from \"server_metrics:v1\" where memory_percent is null order by ts, host limit 2'",
        "query \"select count(*) as then from at('server_metrics:v1', 1)\"",
        "query 'select host from hosts where cores > 1000'",
        "query --to hosts.jsonl 'select host, region from hosts order by host'",
    ];
    check("query", &screens(&sandbox, &questions));
    datasets(&sandbox);
    models(&sandbox);
    care(&sandbox);
}

fn datasets(sandbox: &Sandbox) {
    let lines = [
        "dataset create cpu_fv:v1",
        "dataset create cpu_fv:v1",
        "dataset create cpu_fv:v1 --from 2026-01-05T12:00:00Z --to 2026-01-13",
        "dataset list",
        "dataset show cpu_fv:v1/1",
        "dataset verify cpu_fv:v1/1",
        "dataset verify cpu_fv:v1/2 --json",
        "dataset export cpu_fv:v1/1 --to joined --format csv",
    ];
    check("dataset", &screens(sandbox, &lines));
    let lines = [
        "dataset diff cpu_fv:v1/1 cpu_fv:v1/1",
        "dataset diff cpu_fv:v1/1 cpu_fv:v1/2",
    ];
    check_measured("dataset_diff", &screens(sandbox, &lines));
    let lines = [
        "dataset show cpu_fv:v1/1 --statistics",
        "dataset compare cpu_fv:v1/1/train cpu_fv:v1/1/train",
        "dataset compare cpu_fv:v1/1/train cpu_fv:v1/1/test",
        "dataset compare cpu_fv:v1/1 cpu_fv:v1/2/tset",
        "featuregroup drift server_metrics --against cpu_fv:v1/1 --from 2026-01-05",
        "featuregroup drift hosts --against cpu_fv:v1/1",
        "featuregroup drift server_metrics --against cpu_fv:v1/1 --from 2027-01-01",
        "dataset report cpu_fv:v1/1 --out report.html",
    ];
    check_measured("drift", &screens(sandbox, &lines));
}

fn models(sandbox: &Sandbox) {
    check_measured("train", &screens(sandbox, &["train --view cpu_fv:v1 --dataset 1"]));
    let lines = [
        "train --view cpu_fv:v1 --dataset 2",
        "run list",
        "run show 1",
        "run compare 1 2",
    ];
    check_measured("run", &screens(sandbox, &lines));
    let lines = [
        "registry alias set cpu_forecaster@champion v1 --expect none --reason 'the first'",
        "registry alias set cpu_forecaster@champion v2 --expect v1",
        "registry alias set cpu_forecaster@candidate v2",
        "registry alias remove cpu_forecaster@candidate --expect v2",
        "registry history cpu_forecaster",
        "registry list",
        "registry list cpu_forecaster",
        "registry show cpu_forecaster@champion",
        "registry search forecasts peak",
        "registry search --alias champion --metric 'mae<1000'",
        "registry search --metric 'mae<1'",
        "registry lineage cpu_forecaster:v1",
        "registry lineage --group server_metrics:v1",
        "registry pull cpu_forecaster:v1 --to pulled",
        "registry show cpu_forecaster:v1 --json",
    ];
    check_measured("registry", &screens(sandbox, &lines));
    check_measured("registry_card", &screens(sandbox, &["registry card cpu_forecaster:v1"]));
    sandbox.write(
        "wanted.csv",
        "host,ts\nhost-0001,2026-01-06T12:00:00Z\nunheard-of,2026-01-06T12:00:00Z\n",
    );
    let mut text = screens(
        sandbox,
        &[
            "predict cpu_forecaster:v1 --from joined/test.csv --to predicted.csv",
            "predict cpu_forecaster@champion --entities wanted.csv --to wanted_predicted.csv --json",
            "predict cpu_forecaster@champion --entities wanted.csv --to wanted_predicted.csv",
        ],
    );
    text.push_str(&sandbox.read("wanted_predicted.csv"));
    check_measured("predict", &text);
    check_measured("reproduce", &screens(sandbox, &["reproduce cpu_forecaster:v1"]));
}

fn care(sandbox: &Sandbox) {
    sandbox.write(
        ".platform/staging/00000000-0000-4000-8000-000000000000/part.parquet",
        "half",
    );
    let lines = [
        "doctor --full --deep",
        "gc --dry-run",
        "gc --grace 0s --dry-run",
        "gc --grace 0s",
        "gc --grace 0s --json",
        "doctor --json",
    ];
    check("gc_and_doctor", &screens(sandbox, &lines));
}

#[test]
fn help_says_what_every_command_does() {
    let sandbox = Sandbox::empty();
    let commands = [
        "",
        "init",
        "plan",
        "apply",
        "featuregroup",
        "featuregroup ingest",
        "featuregroup materialize",
        "featuregroup late",
        "featureview",
        "featureview create",
        "dataset",
        "dataset create",
        "dataset export",
        "query",
        "train",
        "run",
        "registry",
        "registry alias set",
        "registry search",
        "predict",
        "reproduce",
        "gc",
        "doctor",
        "simulate fleet",
    ];
    let lines: Vec<String> = commands
        .iter()
        .map(|command| format!("{command} --help").trim_start().to_owned())
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).chain(["--version"]).collect();
    check("help", &screens(&sandbox, &lines));
}
