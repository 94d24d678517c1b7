//! The Temporal Fusion Transformer through the binary: trained, interrupted, registered, explained, asked, made again.

use std::time::{Duration, Instant};

use crate::forecasts::{PIPELINE, VIEW, ready, time};
use crate::oracles::ask;
use crate::sandbox::{Sandbox, said};

const TFT: &str = "learner = \"tft\"\n[train.tft]\nhidden = 8\nheads = 2\nbatch_size = 32\nwindows_per_epoch = 192\nepochs = 3\n\
                   learning_rate = 0.01\n";

fn pipeline(more: &str) -> String {
    PIPELINE
        .replace("learner = \"dlinear\"\n", &format!("{TFT}{more}"))
        .replace("mae = { max = 30.0 }", "mae = { max = 60.0 }")
        .replace("beats = [\"mean\", \"champion\"]\n", "")
}

#[test]
fn a_transformer_is_trained_registered_explained_asked_and_made_again() {
    let sandbox = ready(VIEW, &pipeline(""));
    let screen = sandbox.ok("train --view fv:v1").stdout;
    for line in ["trained tft on ", "quantile loss", "in 80 %", "registered m:v1"] {
        assert!(screen.contains(line), "no `{line}` in:\n{screen}");
    }
    let said = sandbox.ok("model explain m:v1").stdout;
    for line in ["static", "kind", "hour_sin", "cpu_mean", "memory"] {
        assert!(said.contains(line), "no `{line}` in:\n{said}");
    }
    sandbox.ok(&format!(
        "predict m --entities entities.csv --at {} --to f.csv",
        time(239)
    ));
    let forecasts = sandbox.read("f.csv");
    assert_eq!(forecasts.lines().count(), 1 + 2 * 4, "{forecasts}");
    for line in forecasts.lines().skip(1) {
        let numbers: Vec<f64> = line.split(',').skip(2).map(|cell| cell.parse().unwrap()).collect();
        assert_eq!(numbers.len(), 6, "{line}");
        assert!(numbers[0] <= numbers[1] && numbers[1] <= numbers[2], "{line}");
        assert!((-50.0..150.0).contains(&numbers[1]), "{line}");
    }
    let again = sandbox.ok("--threads 1 reproduce m:v1").stdout;
    assert!(again.contains("m:v1 is reproduced"), "{again}");
    sandbox.ok("registry pull m:v1 --to pulled");
    ask(&sandbox, "read_weights.py", &["pulled"]);
    let card = sandbox.ok("registry card m:v1").stdout;
    for line in ["hidden", "learning_rate", "min_delta", "cpu"] {
        assert!(card.contains(line), "no `{line}` in:\n{card}");
    }
}

/// Trains in a sandbox of its own, stopped after a while and gone on with, or not; gives the weights.
fn weights(interrupted: bool) -> Vec<u8> {
    let more = "windows_per_epoch = 640\nepochs = 6\ncheckpoint_every = 1\npatience = 0\n";
    let declared = pipeline("").replace("windows_per_epoch = 192\nepochs = 3\n", more);
    let sandbox = ready(VIEW, &declared);
    sandbox.ok("dataset create fv:v1");
    if interrupted {
        interrupt(&sandbox);
        sandbox.ok("train --view fv:v1 --resume");
    } else {
        sandbox.ok("train --view fv:v1");
    }
    sandbox.ok("registry pull m:v1 --to pulled");
    std::fs::read(sandbox.path("pulled/model.safetensors")).unwrap()
}

/// Ctrl-C as soon as there is a checkpoint.
fn interrupt(sandbox: &Sandbox) {
    let mut command = sandbox.command("train --view fv:v1");
    let child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while !has_checkpoint(&sandbox.path(".platform/checkpoints")) {
        assert!(started.elapsed() < Duration::from_secs(60), "no checkpoint came");
        std::thread::sleep(Duration::from_millis(5));
    }
    let id = child.id().to_string();
    std::process::Command::new("kill").args(["-INT", &id]).status().unwrap();
    let stopped = said(child.wait_with_output().unwrap());
    assert!(
        stopped.screen().contains("the same command with --resume"),
        "{}",
        stopped.screen()
    );
}

fn has_checkpoint(folder: &std::path::Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return false;
    };
    let mut names = entries.flatten().map(|entry| entry.file_name());
    names.any(|name| name.to_string_lossy().ends_with(".safetensors"))
}

#[test]
fn a_training_that_was_interrupted_ends_with_the_same_weights() {
    assert!(weights(true) == weights(false), "the weights differ");
}

#[test]
fn what_a_transformer_cannot_be_is_refused_when_it_is_applied() {
    let sandbox = ready(VIEW, &pipeline(""));
    for (more, wanted, hint) in [
        (
            "hiden = 8\n",
            "pipelines/p.toml:14: tft has no parameter `hiden`",
            "did you mean `hidden`?",
        ),
        (
            "schedule = \"cosin\"\n",
            "`schedule`: wanted one of",
            "change `schedule`",
        ),
        (
            "[train.tft.slim]\nkep = 0.5\n",
            "no parameter `slim.kep`",
            "did you mean `slim.keep`?",
        ),
    ] {
        sandbox.write("pipelines/p.toml", &pipeline(more));
        let said = sandbox.refused("apply");
        assert!(
            said.contains(wanted) && said.contains(hint),
            "no `{wanted}` and `{hint}` in:\n{said}"
        );
    }
}

#[test]
fn a_card_that_is_not_there_is_asked_for_in_vain() {
    let sandbox = ready(VIEW, &pipeline("device = \"cuda\"\n"));
    let said = sandbox.run("train --view fv:v1");
    if said.stdout.contains("registered m:v1") {
        return eprintln!("this machine has a card");
    }
    assert!(
        said.stderr.contains("`device = \"cuda\"`: wanted "),
        "{}",
        said.screen()
    );
    assert!(said.stderr.contains("hint: remove `device`"), "{}", said.screen());
}
