#![expect(clippy::unwrap_used, reason = "tests may")]

use std::process::Command;

use super::*;

fn write(folder: &Path) {
    let mut telemetry = Telemetry::create(folder, "run", 1_700_000_000.5).unwrap();
    let report = Report {
        epoch: 1,
        of: 2,
        step: 3,
        train_loss: 0.25,
        validation_loss: Some(0.5),
        rate: 1e-3,
        gradient_norm: 2.0,
    };
    let step = Moment::Step {
        step: 3,
        windows: 16,
        of: 6,
        rate: 1e-3,
        loss: Some(0.75),
        gradient_norm: None,
    };
    telemetry.record(&step, 1_700_000_001.0).unwrap();
    telemetry.record(&Moment::Epoch(&report), 1_700_000_002.0).unwrap();
    telemetry
        .histogram("weights", &[1.0, 2.0, 2.5, f32::NAN, 4.0], 3, 1_700_000_003.0)
        .unwrap();
    let curve = Curve {
        across: &[1.0, 2.0, 3.0],
        up: &[3.0, f64::NAN, 1.0],
    };
    telemetry.curve("finder", &curve, 3, 1_700_000_004.0).unwrap();
}

#[test]
fn lines_say_what_the_events_say() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let lines = std::fs::read_to_string(folder.path().join("run.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said: Vec<_> = lines
        .iter()
        .map(|line| (line["name"].as_str().unwrap(), line["value"].as_f64().unwrap()))
        .collect();
    let wanted = [
        ("step/loss", 0.75),
        ("step/learning_rate", 1e-3),
        ("epoch/train_loss", 0.25),
        ("epoch/validation_loss", 0.5),
    ];
    assert_eq!(said, wanted);
}

const READER: &str = r#"
import sys, io
try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
except ImportError:
    print("absent"); sys.exit(0)
events = EventAccumulator(sys.argv[1], size_guidance=dict(images=0, histograms=0, scalars=0)); events.Reload()
for tag in sorted(events.Tags()["scalars"]):
    for event in events.Scalars(tag): print(tag, event.step, f"{event.wall_time:.1f}", f"{event.value:.4f}")
for event in events.Histograms("weights"):
    value = event.histogram_value
    print("weights", value.min, value.max, value.num, value.sum, sum(value.bucket))
for event in events.Images("finder"):
    print("finder", event.width, event.height, event.encoded_image_string[1:4].decode())
"#;

#[test]
fn tensorboard_reads_the_events() {
    let Ok(python) = std::env::var("PLATFORM_ORACLES_PYTHON") else {
        eprintln!("skipped: PLATFORM_ORACLES_PYTHON names no interpreter");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let output = Command::new(python)
        .args(["-c", READER])
        .arg(folder.path())
        .output()
        .unwrap();
    let read = String::from_utf8(output.stdout).unwrap();
    if read.trim() == "absent" {
        eprintln!("skipped: that interpreter has no TensorBoard");
        return;
    }
    let wanted = "epoch/train_loss 3 1700000002.0 0.2500\nepoch/validation_loss 3 1700000002.0 0.5000\n\
                  step/learning_rate 3 1700000001.0 0.0010\nstep/loss 3 1700000001.0 0.7500\n\
                  weights 1.0 4.0 4.0 9.5 4.0\nfinder 480 320 PNG\n";
    assert_eq!(read, wanted, "{}", String::from_utf8_lossy(&output.stderr));
}
