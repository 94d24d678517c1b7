//! A disk that is full: a clear error, and nothing left behind. The disk is a small file system in memory, mounted for one command.

use std::process::{Command, Stdio};

use crate::main_job::sixty_hosts;
use crate::sandbox::{Said, Sandbox, said};

/// Runs `platform LINE` with a file system of that size at a folder of the repository; `None` where this machine allows no such thing.
fn on_small_disk(sandbox: &Sandbox, folder: &str, size: &str, line: &str) -> Option<Said> {
    std::fs::create_dir_all(sandbox.path(folder)).unwrap();
    let script = |then: &str| format!("mount -t tmpfs -o size={size} tmpfs {folder} && {then}");
    let unshared = |script: String| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--map-root-user", "sh", "-c", &script]);
        command.current_dir(sandbox.root()).stdin(Stdio::null()).output()
    };
    if !unshared(script("true")).is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no file system can be mounted here");
        return None;
    }
    let left = format!("code=$?; ls -A {folder} >&2; exit $code");
    let command = format!("{} {line}; {left}", env!("CARGO_BIN_EXE_platform"));
    Some(said(unshared(script(&command)).unwrap()))
}

#[test]
fn disk_that_is_full_is_said_and_leaves_nothing() {
    let sandbox = sixty_hosts();
    let before = sandbox.ok("featuregroup list").stdout;
    for (folder, line) in [
        (".platform/spill", "dataset create cpu_fv:v1 --memory 64MiB"),
        (".platform/staging", "dataset create cpu_fv:v1"),
        (
            ".platform/spill",
            "featuregroup ingest server_metrics --force --from - --format parquet < data/metrics.parquet",
        ),
    ] {
        let Some(said) = on_small_disk(&sandbox, folder, "256k", line) else {
            return;
        };
        assert_eq!(said.code, 2, "{line}: {}", said.screen());
        assert!(
            said.stderr.contains("No space left on device") && said.stderr.contains("hint: "),
            "{line}: {}",
            said.screen()
        );
        let last = said.stderr.lines().last().unwrap();
        assert!(last.starts_with("hint: "), "left behind: {}", said.screen());
    }
    assert_eq!(
        sandbox.ok("dataset list --json").json()["datasets"],
        serde_json::json!([])
    );
    assert_eq!(sandbox.ok("featuregroup list").stdout, before);
    sandbox.ok("doctor");
    sandbox.ok("featuregroup ingest server_metrics --force --from data/metrics.parquet");
    sandbox.ok("dataset create cpu_fv:v1");
}
