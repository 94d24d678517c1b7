//! What we write, read by programs that we did not: pyarrow, Polars, delta-rs and DuckDB in Python, LightGBM, scikit-learn.
//!
//! `PLATFORM_ORACLES_PYTHON` names the interpreter of a throw-away environment that has them; without it these tests skip.

use std::path::Path;
use std::process::Command;

use crate::main_job::trained;
use crate::sandbox::Sandbox;

/// Runs a script of `tests/oracles`; `false` where there is no interpreter for it.
pub fn ask(sandbox: &Sandbox, script: &str, arguments: &[&str]) -> bool {
    let Some(python) = std::env::var_os("PLATFORM_ORACLES_PYTHON") else {
        eprintln!("skipped: `PLATFORM_ORACLES_PYTHON` names no interpreter (make test sets it)");
        return false;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/oracles")
        .join(script);
    let output = Command::new(python)
        .arg(script)
        .args(arguments)
        .current_dir(sandbox.root())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let (said, complained) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{said}\n{complained}");
    assert!(!said.trim().is_empty(), "the oracle says what it has checked");
    true
}

#[test]
fn oracles_read_the_dataset_and_find_its_fingerprint() {
    let sandbox = trained();
    let dataset = sandbox.ok("dataset show cpu_fv:v1/1 --json").json();
    let parts = dataset["parts"].as_array().unwrap();
    let rows: u64 = parts.iter().map(|part| part["rows"].as_u64().unwrap()).sum();
    ask(
        &sandbox,
        "read_dataset.py",
        &[".platform/datasets/cpu_fv/v1/1", "--rows", &rows.to_string()],
    );
}

#[test]
fn oracles_measure_the_same_drift() {
    let sandbox = trained();
    let compared = sandbox.run("dataset compare cpu_fv:v1/1/train cpu_fv:v1/1/test --json");
    sandbox.write("drift.json", &compared.json().to_string());
    ask(
        &sandbox,
        "compare_parts.py",
        &[".platform/datasets/cpu_fv/v1/1", "train", "test", "drift.json"],
    );
}

#[test]
fn oracles_read_the_delta_table_before_and_after_compaction() {
    let sandbox = crate::main_job::ingested();
    let table = ".platform/feature_groups/server_metrics/v1";
    let count = sandbox
        .ok(r#"query "select count(*) as n from \"server_metrics:v1$all\"" --json"#)
        .json();
    let rows = count["rows"][0]["n"].to_string();
    let arguments = [table, "--entity", "host", "--event-time", "ts", "--rows", &rows];
    if ask(&sandbox, "read_delta.py", &arguments) {
        sandbox.ok("featuregroup compact server_metrics");
        ask(&sandbox, "read_delta.py", &arguments);
        ask(
            &sandbox,
            "read_delta.py",
            &[&arguments[..], &["--version", "2"]].concat(),
        );
    }
}

#[test]
fn oracles_load_the_model_and_predict_and_measure_the_same() {
    let sandbox = trained();
    sandbox.ok("dataset export cpu_fv:v1/1 --to joined --format parquet");
    sandbox.ok("predict cpu_forecaster:v1 --from joined/test.parquet --to predictions.parquet");
    let model = ".platform/models/cpu_forecaster/v1";
    let arguments = [model, "joined/test.parquet", "predictions.parquet"];
    ask(&sandbox, "predict_model.py", &arguments);
    ask(&sandbox, "recompute_metrics.py", &arguments);
}

#[test]
fn oracles_agree_on_probabilities_of_classes() {
    for (objective, classes) in [("binary", 2), ("multiclass", 3), ("multiclassova", 3)] {
        let sandbox = crate::classes::trained(objective, classes);
        sandbox.ok("dataset export fv:v1/1 --to joined --format parquet");
        sandbox.ok("predict m --from joined/test.parquet --to predictions.parquet");
        let arguments = [".platform/models/m/v1", "joined/test.parquet", "predictions.parquet"];
        ask(&sandbox, "predict_model.py", &arguments);
        ask(&sandbox, "recompute_metrics.py", &arguments);
    }
}
