//! Baselines in an evaluation are those that could have been deployed: they see every label whose horizon is over, also where the row
//! fell into the gap between two parts.

use serde_json::Value;

use crate::sandbox::Sandbox;

/// Minutes from one row of a host to the next, in a day.
const STEP: i64 = 10;
const HORIZON: i64 = 60;
const LOOKBACK: i64 = 30;
const VALIDATION: i64 = 12 * 60;
const TEST: i64 = 18 * 60;

/// A label at a minute of the day; `None` where it is NULL.
#[derive(Clone, Copy)]
struct Row {
    host: usize,
    minute: i64,
    label: Option<f64>,
}

/// Some rows are missing, some labels are NULL, and every label is different.
fn rows() -> Vec<Row> {
    let mut state = 5_u64;
    let mut draw = move |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut rows = Vec::new();
    for host in 0..4 {
        for minute in (0..24 * 60).step_by(STEP as usize) {
            let label = (draw(8) > 0).then(|| draw(1_000) as f64 / 10.0 + 20.0 * host as f64);
            if draw(10) > 0 {
                rows.push(Row { host, minute, label });
            }
        }
    }
    rows
}

fn clock(minute: i64) -> String {
    format!("2026-01-01T{:02}:{:02}:00Z", minute / 60, minute % 60)
}

fn trained(rows: &[Row]) -> Sandbox {
    let sandbox = Sandbox::new();
    let head = "version = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n[[features]]\ntype = \"float64\"\n";
    sandbox.write(
        "feature_groups/labels.toml",
        &format!("name = \"labels\"\n{head}name = \"y\"\nhorizon = \"{HORIZON}m\"\n"),
    );
    sandbox.write(
        "feature_groups/metrics.toml",
        &format!("name = \"metrics\"\n{head}name = \"v\"\nlookback = \"{LOOKBACK}m\"\n"),
    );
    let (validation, test) = (clock(VALIDATION), clock(TEST));
    sandbox.write(
        "feature_views/fv.toml",
        &format!(
            "name = \"fv\"\nversion = 1\n[labels]\ngroup = \"labels:v1\"\ncolumns = [\"y\"]\n[[features]]\ngroup = \"metrics:v1\"\n\
             columns = [\"v\"]\n[split]\nstrategy = \"time\"\nvalidation = \"{validation}\"\ntest = \"{test}\"\ngap = \"auto\"\n"
        ),
    );
    sandbox.write(
        "pipelines/p.toml",
        "name = \"p\"\nview = \"fv:v1\"\nmodel = \"m\"\nseed = 1\n[train]\nlearner = \"lightgbm\"\n[train.lightgbm]\nrounds = 3\n\
         [evaluate]\nmetrics = [\"mae\"]\nbaselines = [\"last_value\", \"seasonal_naive(40m)\", \"mean\"]\n\
         [gate]\nleaks = \"warn\"\n",
    );
    let line = |row: &Row| {
        let label = row.label.map(|label| label.to_string()).unwrap_or_default();
        format!("h{},{},{label}\n", row.host, clock(row.minute))
    };
    let table: String = rows.iter().map(line).collect();
    sandbox.write("labels.csv", &format!("host,ts,y\n{table}"));
    sandbox.write("metrics.csv", &format!("host,ts,v\n{table}"));
    sandbox.ok("apply");
    sandbox.ok("featuregroup ingest labels --from labels.csv");
    sandbox.ok("featuregroup ingest metrics --from metrics.csv");
    sandbox.ok("train --view fv:v1");
    sandbox
}

fn part(minute: i64) -> &'static str {
    let gap = HORIZON + LOOKBACK;
    let in_gap = |cut: i64| (cut - gap..cut).contains(&minute);
    match minute {
        _ if in_gap(VALIDATION) || in_gap(TEST) => "gap",
        _ if minute < VALIDATION => "train",
        _ if minute < TEST => "validation",
        _ => "test",
    }
}

/// The mean absolute error of a baseline over a part: the rule, read aloud over the whole table of labels. `season`: `None` for the
/// last value.
fn error_by_hand(rows: &[Row], of: &str, season: Option<i64>) -> f64 {
    let of_part = |name: &str| -> Vec<(Row, f64)> {
        let rows = rows.iter().filter(|row| part(row.minute) == name);
        rows.filter_map(|row| Some((*row, row.label?))).collect()
    };
    let train = of_part("train");
    let mean = train.iter().map(|(_, label)| label).sum::<f64>() / train.len() as f64;
    let forecast = |of: &Row| {
        let own = rows.iter().filter(|row| row.host == of.host && row.label.is_some());
        let newest = match season {
            None => own
                .filter(|row| row.minute + HORIZON <= of.minute)
                .max_by_key(|row| row.minute),
            Some(season) => {
                let seasons = (1..).find(|k| of.minute - k * season + HORIZON <= of.minute).unwrap();
                let (last, oldest) = (of.minute - seasons * season, of.minute - (seasons + 1) * season);
                own.filter(|row| row.minute <= last && row.minute > oldest)
                    .max_by_key(|row| row.minute)
            }
        };
        newest.and_then(|row| row.label).unwrap_or(mean)
    };
    let rows = of_part(of);
    rows.iter()
        .map(|(row, label)| (label - forecast(row)).abs())
        .sum::<f64>()
        / rows.len() as f64
}

fn stated(metrics: &Value, part: &str, baseline: &str) -> f64 {
    let parts = metrics["parts"].as_array().unwrap();
    let part = parts.iter().find(|found| found["part"] == part).unwrap();
    let rivals = part["rivals"].as_array().unwrap();
    let rival = rivals.iter().find(|rival| rival["rival"]["baseline"] == baseline);
    let rival = rival.unwrap_or_else(|| panic!("no {baseline} in {part}"));
    rival["scores"][0]["value"].as_f64().unwrap()
}

#[test]
fn baselines_of_parts_and_gap_are_those_of_the_whole_table_of_labels() {
    let rows = rows();
    let sandbox = trained(&rows);
    let metrics: Value = serde_json::from_str(&sandbox.read(".platform/models/m/v1/metrics.json")).unwrap();
    let without_gap: Vec<Row> = rows.iter().copied().filter(|row| part(row.minute) != "gap").collect();
    for (name, season) in [("last_value", None), ("seasonal_naive(40m)", Some(40))] {
        for part in ["validation", "test"] {
            let (found, wanted) = (stated(&metrics, part, name), error_by_hand(&rows, part, season));
            assert!(
                (found - wanted).abs() < 1e-9,
                "{name} on {part}: {found}, by hand {wanted}"
            );
            let blind = error_by_hand(&without_gap, part, season);
            assert!(
                (blind - wanted).abs() > 1e-3,
                "{name} on {part}: the gap makes no difference"
            );
        }
    }
}

#[test]
fn gap_is_shown_checked_and_made_again_but_not_exported() {
    let sandbox = trained(&rows());
    let manifest = sandbox.ok("dataset show fv:v1/1 --json").json();
    assert_eq!(manifest["gap_rows"]["rows"], manifest["rows"]["gap"]);
    assert_eq!(manifest["gap_rows"]["columns"], serde_json::json!(["host", "ts", "y"]));
    let short: String = manifest["gap_rows"]["fingerprint"]
        .as_str()
        .unwrap()
        .chars()
        .take(12)
        .collect();
    let shown = sandbox.ok("dataset show fv:v1/1").stdout;
    let line = shown.lines().find(|line| line.starts_with("(gap)")).unwrap().to_owned();
    assert!(line.ends_with(&short), "{line}");
    let reproduced = sandbox.ok("reproduce m:v1").stdout;
    assert!(reproduced.contains("content of gap"), "{reproduced}");
    sandbox.ok("dataset export fv:v1/1 --to out --format csv");
    assert!(!sandbox.path("out/gap.csv").exists());

    let file = sandbox.path(".platform/datasets/fv/v1/1/gap/part-00000.parquet");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[6] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let verified = sandbox.run("dataset verify fv:v1/1");
    assert_eq!(verified.code, 1, "{}", verified.screen());
    assert!(
        verified.stdout.contains("gap/part-00000.parquet"),
        "{}",
        verified.screen()
    );
    let refused = sandbox.run("train --view fv:v1 --dataset 1");
    assert_eq!(refused.code, 2, "{}", refused.screen());
    assert!(
        refused.stderr.contains("gap/part-00000.parquet"),
        "{}",
        refused.screen()
    );
}
