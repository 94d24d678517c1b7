//! Real processes: this test binary starts itself again, and kills what it started.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use registry::Registry;

use crate::fixture::{at, dataset, definitions, model_files, name, new_model, new_run};
use crate::threads::block_on;

const FOLDER: &str = "REGISTRY_TEST_FOLDER";
const ROUNDS: &str = "REGISTRY_TEST_ROUNDS";

/// What a process of its own does: makes or opens the registry, applies, and registers model versions, publishing a folder for each.
#[test]
#[ignore = "started by the other tests, as a process of its own"]
fn child() {
    let (Ok(folder), Ok(rounds)) = (std::env::var(FOLDER), std::env::var(ROUNDS)) else {
        return;
    };
    let folder = PathBuf::from(folder);
    block_on(async {
        let registry = Registry::open(&folder.join("registry.db")).await.unwrap();
        registry.apply_definitions(&definitions(), at(1)).await.unwrap();
        dataset(&registry, "pins").await;
        for _ in 0..rounds.parse().unwrap() {
            let run = registry.start_run(&new_run()).await.unwrap();
            let publish = |version| {
                let path = format!("models/cpu/{version}");
                fs::create_dir_all(folder.join(&path))?;
                Ok(model_files(path))
            };
            registry
                .register_model(&new_model("cpu", run, 3.0), publish)
                .await
                .unwrap();
        }
    });
}

fn start(folder: &Path, rounds: u32) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "processes::child"])
        .env(FOLDER, folder)
        .env(ROUNDS, rounds.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// Nothing half-done is visible: the database is whole, version numbers are dense, and what is recorded is there.
fn check(folder: &Path) -> usize {
    block_on(async {
        let registry = Registry::open(&folder.join("registry.db")).await.unwrap();
        assert!(registry.check().await.unwrap().is_whole());
        for stored in registry.stored_folders().await.unwrap() {
            let is_there = folder.join(&stored.path).is_dir();
            assert!(is_there || stored.path.starts_with("datasets"), "{}", stored.path);
        }
        let Ok(versions) = registry.model_versions(&name("cpu")).await else {
            return 0;
        };
        let newest = versions.first().map_or(0, |newest| newest.reference.version.number());
        assert_eq!(usize::try_from(newest).unwrap(), versions.len());
        versions.len()
    })
}

#[test]
fn processes_that_make_the_registry_together_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut children: Vec<_> = (0..4).map(|_| start(folder.path(), 10)).collect();
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(check(folder.path()), 40);
}

#[test]
fn killed_processes_leave_nothing_half_done() {
    let folder = tempfile::tempdir().unwrap();
    let (mut seen, mut round) = (0, 0_u64);
    // Some are killed before they have written anything: it goes on until others were killed in the middle of their work.
    while round < 12 || (seen < 20 && round < 100) {
        let mut children = [start(folder.path(), 100_000), start(folder.path(), 100_000)];
        for (child, step) in children.iter_mut().zip([7, 13]) {
            std::thread::sleep(Duration::from_millis(5 + (round * step) % 60 + round));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let now = check(folder.path());
        assert!(now >= seen, "what was committed is gone");
        (seen, round) = (now, round + 1);
    }
    assert!(seen >= 20, "killed too early to prove anything");
    let mut child = start(folder.path(), 1);
    assert!(child.wait().unwrap().success());
    assert_eq!(check(folder.path()), seen + 1);
}
