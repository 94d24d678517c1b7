//! Views for forecasting, through the binary: declared, made into datasets, trained on, registered, asked, made again.

use crate::sandbox::Sandbox;

const METRICS: &str = "name = \"metrics\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n\
                       [[features]]\nname = \"cpu\"\ntype = \"float64\"\n[[features]]\nname = \"memory\"\ntype = \"float64\"\n\
                       [[features]]\nname = \"state\"\ntype = \"utf8\"\n";
const CLOCK: &str = "name = \"clock\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n[derive]\nfrom = [\"metrics:v1\"]\n\
                     [[features]]\nname = \"hour_sin\"\ncalendar = \"hour_sin\"\n[[features]]\nname = \"hour_cos\"\ncalendar = \"hour_cos\"\n\
                     [[features]]\nname = \"cpu_mean\"\nof = \"cpu\"\nwindow = \"3h\"\naggregate = \"mean\"\n";
const HOSTS: &str = "name = \"hosts\"\nversion = 1\nentity = [\"host\"]\nstatic = true\n[[features]]\nname = \"kind\"\ntype = \"utf8\"\n";
const PLANS: &str = "name = \"plans\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n[[features]]\nname = \"planned\"\n\
                     type = \"float64\"\n";
pub const VIEW: &str = "name = \"fv\"\nversion = 1\n[forecast]\ngroup = \"metrics:v1\"\ntargets = [\"cpu\", \"memory\"]\ncontext = 12\n\
                    horizon = 4\nfrequency = \"1h\"\nstatic = [\"kind\"]\nknown_future = [\"hour_sin\", \"hour_cos\"]\n\
                    [[features]]\ngroup = \"metrics:v1\"\ncolumns = [\"state\"]\n\
                    [[features]]\ngroup = \"clock:v1\"\ncolumns = [\"hour_sin\", \"hour_cos\", \"cpu_mean\"]\nmax_age = \"1h\"\n\
                    [[features]]\ngroup = \"hosts:v1\"\ncolumns = [\"kind\"]\n\
                    [split]\nstrategy = \"time\"\nvalidation = 0.2\ntest = 0.2\n";
pub const PIPELINE: &str = "name = \"p\"\nview = \"fv:v1\"\nmodel = \"m\"\nseed = 1\n[train]\nlearner = \"dlinear\"\n[evaluate]\n\
                        baselines = [\"last_value\", \"seasonal_naive(1d)\", \"mean\"]\n[gate]\nmae = { max = 30.0 }\n\
                        beats = [\"mean\", \"champion\"]\n";

pub fn time(hour: u64) -> String {
    format!("2026-01-{:02}T{:02}:00:00Z", 1 + hour / 24, hour % 24)
}

/// Three hosts, ten days, every hour: a day's wave with some noise; one hour of one host is missing.
pub fn ready(view: &str, pipeline: &str) -> Sandbox {
    ready_with(view, pipeline, 240)
}

/// As `ready`; from an hour on, the values are others.
fn ready_with(view: &str, pipeline: &str, others_from: u64) -> Sandbox {
    let sandbox = Sandbox::new();
    let (mut metrics, mut hosts) = ("host,ts,cpu,memory,state\n".to_owned(), "host,kind\n".to_owned());
    for host in 0..3_u64 {
        hosts.push_str(&format!("h{host},{}\n", if host == 0 { "large" } else { "small" }));
        for hour in (0..240_u64).filter(|hour| (host, *hour) != (1, 100)) {
            let wave = (hour as f64 / 24.0 * std::f64::consts::TAU).sin();
            let noise = ((hour * 7919 + host * 104_729) % 101) as f64 / 50.0;
            let noise = if hour < others_from {
                noise
            } else {
                noise * noise - 40.0
            };
            let (cpu, memory) = (
                50.0 + 20.0 * wave + 5.0 * host as f64 + noise,
                30.0 - 10.0 * wave + noise,
            );
            let state = if hour % 7 == 0 { "busy" } else { "idle" };
            metrics.push_str(&format!("h{host},{},{cpu},{memory},{state}\n", time(hour)));
        }
    }
    sandbox
        .write("feature_groups/metrics.toml", METRICS)
        .write("feature_groups/clock.toml", CLOCK)
        .write("feature_groups/hosts.toml", HOSTS)
        .write("feature_groups/plans.toml", PLANS)
        .write("feature_views/fv.toml", view)
        .write("pipelines/p.toml", pipeline)
        .write("metrics.csv", &metrics)
        .write("hosts.csv", &hosts)
        .write("entities.csv", "host\nh0\nh2\n");
    sandbox.ok("apply");
    sandbox.ok("featuregroup ingest metrics --from metrics.csv");
    sandbox.ok("featuregroup ingest hosts --from hosts.csv");
    sandbox.ok("featuregroup materialize clock");
    sandbox
}

#[test]
fn a_dataset_of_a_panel_says_what_is_known_when_and_keeps_its_parts_apart() {
    let sandbox = ready(VIEW, PIPELINE);
    sandbox.ok("dataset create fv:v1");
    let manifest = sandbox.ok("dataset show fv:v1 --json").json();
    let panel = &manifest["panel"];
    assert_eq!(panel["targets"], serde_json::json!(["cpu", "memory"]));
    assert_eq!(panel["observed"], serde_json::json!(["state", "cpu_mean"]));
    assert_eq!(panel["static"], serde_json::json!(["kind"]));
    assert_eq!(
        (panel["context"].as_u64(), panel["horizon"].as_u64()),
        (Some(12), Some(4))
    );
    // 4 steps ahead, 12 steps back, 3 hours more.
    assert_eq!(manifest["gap"]["horizon"], "4h");
    assert_eq!(manifest["gap"]["lookback"], "15h");
    assert_eq!(manifest["certificate"]["gap"], "19h");
    let columns = manifest["gap_rows"]["columns"].as_array().unwrap().len();
    assert_eq!(
        columns,
        manifest["columns"].as_array().unwrap().len(),
        "windows look back at rows in gaps"
    );
    sandbox.ok("dataset verify fv:v1");
    let again = sandbox.ok("--threads 1 dataset create fv:v1 --force --json").json();
    assert_eq!(again["fingerprint"], manifest["fingerprint"]);
}

#[test]
fn a_model_of_a_panel_is_trained_registered_asked_and_made_again() {
    let sandbox = ready(VIEW, PIPELINE);
    let screen = sandbox.ok("train --view fv:v1").stdout;
    for line in [
        "trained dlinear on ",
        "quantile loss",
        "P10 risk",
        "P90 risk",
        "in 80 %",
        "seasonal_naive(1d)",
        "registered m:v1",
    ] {
        assert!(screen.contains(line), "no `{line}` in:\n{screen}");
    }
    let run = sandbox.ok("run show 1 --json").json();
    let test = &run["report"]["forecast"]["test"];
    assert_eq!(
        test["subjects"].as_array().unwrap().len(),
        4,
        "the model and three baselines"
    );
    assert_eq!(test["subjects"][0]["targets"][1]["steps"].as_array().unwrap().len(), 4);
    let side_by_side = |target: &str, step: &str| {
        let rows = screen
            .lines()
            .map(|line| line.split_whitespace().take(4).collect::<Vec<_>>());
        let own = rows.filter(|cells| cells.starts_with(&[target, step]));
        own.map(|cells| cells.get(2).map(|subject| (*subject).to_owned()))
            .collect::<Vec<_>>()
    };
    let everybody = ["model", "last_value", "seasonal_naive(1d)", "mean"].map(|subject| Some(subject.to_owned()));
    for step in ["1", "3", "4"] {
        let of_parts = [everybody.clone(), everybody.clone()].concat();
        assert_eq!(
            side_by_side("memory", step),
            of_parts,
            "validation, then test:\n{screen}"
        );
    }
    let card = sandbox.ok("registry card m").stdout;
    for line in [
        "| target | step | compared | MAE | RMSE | MASE | sMAPE | quantile loss | P10 risk | P50 risk | P90 risk | in 80 % |",
        "| cpu | all | seasonal_naive(1d) |",
        "| memory | 4 | this model |",
        "MASE by step ahead:",
        "| target | step | this model | last_value | seasonal_naive(1d) | mean |",
        "| cpu | 2 |",
    ] {
        assert!(card.contains(line), "no `{line}` in:\n{card}");
    }
    let said = sandbox.ok(&format!(
        "predict m --entities entities.csv --at {} --to f.csv",
        time(239)
    ));
    assert!(
        said.stdout.contains("2 forecasts of m:v1, 4 steps of 1h"),
        "{}",
        said.stdout
    );
    let forecasts = sandbox.read("f.csv");
    let lines: Vec<&str> = forecasts.lines().collect();
    assert_eq!(
        lines[0],
        "host,ts,cpu_q0.1,cpu_q0.5,cpu_q0.9,memory_q0.1,memory_q0.5,memory_q0.9"
    );
    assert_eq!(lines.len(), 1 + 2 * 4, "{forecasts}");
    assert!(lines[1].starts_with("h0,2026-01-11T00:00:00"), "{forecasts}");
    for line in &lines[1..] {
        let numbers: Vec<f64> = line.split(',').skip(2).map(|cell| cell.parse().unwrap()).collect();
        assert!(numbers[0] <= numbers[1] && numbers[1] <= numbers[2], "{line}");
        assert!((20.0..100.0).contains(&numbers[1]), "{line}");
    }
    let again = sandbox.ok("--threads 1 reproduce m:v1").stdout;
    assert!(again.contains("m:v1 is reproduced"), "{again}");
    sandbox.ok("registry alias set m@champion v1");
    let second = sandbox.run("train --view fv:v1");
    assert!(second.stderr.contains("beats champion"), "{}", second.screen());
}

#[test]
fn trees_forecast_from_lagged_features_and_are_made_again() {
    let pipeline = PIPELINE
        .replace(
            "\"dlinear\"",
            "\"lightgbm\"\n[train.lightgbm]\nrounds = 40\nmin_data_in_leaf = 5",
        )
        .replace("\"mean\"]\n[gate]", "\"mean\", \"dlinear\"]\n[gate]");
    let sandbox = ready(VIEW, &pipeline);
    let screen = sandbox.ok("train --view fv:v1").stdout;
    for line in ["trained lightgbm on ", "windows: ", "registered m:v1"] {
        assert!(screen.contains(line), "no `{line}` in:\n{screen}");
    }
    sandbox.ok(&format!(
        "predict m --entities entities.csv --at {} --to f.csv",
        time(239)
    ));
    let forecasts = sandbox.read("f.csv");
    let lines: Vec<&str> = forecasts.lines().collect();
    assert_eq!(
        (lines[0], lines.len()),
        ("host,ts,cpu,memory", 1 + 2 * 4),
        "{forecasts}"
    );
    for (hour, line) in (240..244).zip(&lines[1..5]) {
        let cpu: f64 = line.split(',').nth(2).unwrap().parse().unwrap();
        let wave = 50.0 + 20.0 * (f64::from(hour) / 24.0 * std::f64::consts::TAU).sin();
        assert!((cpu - wave).abs() < 5.0, "{line} for {wave}");
    }
    for again in ["reproduce m:v1", "--threads 1 reproduce m:v1"] {
        let again = sandbox.ok(again).stdout;
        assert!(again.contains("m:v1 is reproduced"), "{again}");
    }
    let odd = pipeline.replace("rounds = 40", "rounds = 40\nobjective = \"poisson\"");
    sandbox.write("pipelines/p.toml", &odd);
    sandbox.ok("apply");
    let said = sandbox.refused("train --view fv:v1");
    assert!(said.contains("objective `poisson` cannot forecast"), "{said}");
}

#[test]
fn a_pipeline_that_names_no_baselines_is_compared_with_four() {
    let silent = "baselines = [\"last_value\", \"seasonal_naive(1d)\", \"mean\"]";
    let pipeline = PIPELINE
        .replace(silent, "")
        .replace("beats = [\"mean\", \"champion\"]", "beats = [\"lightgbm\"]");
    let sandbox = ready(VIEW, &pipeline);
    let trained = sandbox.run("train --view fv:v1");
    assert!(trained.stdout.contains("gate beats lightgbm"), "{}", trained.screen());
    let run = sandbox.ok("run show 1 --json").json();
    let subjects = run["report"]["forecast"]["test"]["subjects"].as_array().unwrap();
    let names: Vec<&str> = subjects.iter().map(|of| of["subject"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["model", "last_value", "seasonal_naive(1d)", "lightgbm"],
        "linear maps are the learner"
    );
    for of in subjects {
        assert_eq!(
            of["all"]["rows"], subjects[0]["all"]["rows"],
            "on the same windows: {of}"
        );
    }
}

const WALK: &str = "[split]\nstrategy = \"walk_forward\"\nfolds = 3\nvalidation = \"36h\"\ntest = \"1d\"\n";

/// The view, walking forward.
fn walking() -> String {
    let split = VIEW.find("[split]").unwrap();
    format!("{}{WALK}", &VIEW[..split])
}

#[test]
fn a_walk_forward_trains_model_and_baselines_on_every_fold() {
    let pipeline = PIPELINE.replace("beats = [\"mean\", \"champion\"]", "beats = [\"mean\"]");
    let pipeline = pipeline.replace("\"mean\"]\n[gate]", "\"mean\", \"lightgbm\"]\n[gate]");
    let sandbox = ready(&walking(), &pipeline);
    let screen = sandbox.ok("train --view fv:v1").stdout;
    for line in [
        "fold by fold",
        "mean and standard deviation over the folds",
        "the model is that of the last fold",
        "\u{b1}",
    ] {
        assert!(screen.contains(line), "no `{line}` in:\n{screen}");
    }
    let run = sandbox.ok("run show 1 --json").json();
    let report = &run["report"]["folds"];
    let folds = report["folds"].as_array().unwrap();
    let names: Vec<String> = folds
        .iter()
        .map(|fold| format!("{} {}", fold["fold"], fold["part"].as_str().unwrap()))
        .collect();
    let wanted = (1..=3).flat_map(|fold| [format!("{fold} validation"), format!("{fold} test")]);
    assert_eq!(names, wanted.collect::<Vec<_>>());
    for fold in folds {
        let baselines: Vec<&str> = fold["baselines"]
            .as_array()
            .unwrap()
            .iter()
            .map(|of| of["baseline"].as_str().unwrap())
            .collect();
        assert_eq!(baselines, ["last_value", "seasonal_naive(1d)", "mean", "lightgbm"]);
        assert!(fold["scores"][0]["value"].as_f64().is_some(), "{fold}");
    }
    let windows: Vec<u64> = folds.iter().map(|fold| fold["train_rows"].as_u64().unwrap()).collect();
    assert!(
        windows[0] < windows[2] && windows[2] < windows[4],
        "train expands: {windows:?}"
    );
    let metrics: serde_json::Value = serde_json::from_str(&sandbox.read(".platform/models/m/v1/metrics.json")).unwrap();
    let parts = metrics["parts"].as_array().unwrap();
    let test = parts.iter().find(|part| part["part"] == "test").unwrap();
    assert_eq!(
        folds[5]["scores"], test["model"],
        "the last fold is the dataset's own parts"
    );
    let means = report["means"].as_array().unwrap();
    let of_baseline = |mean: &&serde_json::Value| mean["baseline"] == "lightgbm" && mean["part"] == "test";
    assert!(
        means.iter().any(|mean| of_baseline(&mean) && mean["folds"] == 3),
        "{means:?}"
    );
    let card = sandbox.ok("registry card m").stdout;
    for line in [
        "learned anew on each fold",
        "| 1 | test |",
        "Mean and standard deviation over the folds",
    ] {
        assert!(card.contains(line), "no `{line}` in:\n{card}");
    }
    let again = sandbox.ok("--threads 1 reproduce m:v1").stdout;
    assert!(
        again.contains("folds.json") && again.contains("m:v1 is reproduced"),
        "{again}"
    );
}

#[test]
fn what_comes_after_a_folds_test_changes_nothing_of_it() {
    let folds = |others_from: u64| {
        let sandbox = ready_with(&walking(), PIPELINE, others_from);
        // The gates look at the last fold, whose test is another.
        sandbox.run("train --view fv:v1");
        let run = sandbox.ok("run show 1 --json").json();
        run["report"]["folds"]["folds"].as_array().unwrap().clone()
    };
    // The test of the last fold begins with hour 216.
    let (own, changed) = (folds(240), folds(216));
    assert_eq!(
        own[..5],
        changed[..5],
        "the first two folds, and the validation of the last"
    );
    assert_ne!(own[5], changed[5], "the test of the last");
}

#[test]
fn what_is_known_in_advance_is_looked_up_or_asked_for() {
    let view = VIEW
        .replace("known_future = [", "known_future = [\"planned\", ")
        .replace(
            "[split]",
            "[[features]]\ngroup = \"plans:v1\"\ncolumns = [\"planned\"]\nmax_age = \"30m\"\n[split]",
        );
    let sandbox = ready(&view, PIPELINE);
    let plan = |hours: std::ops::Range<u64>, host: u64| -> String {
        hours
            .map(|hour| format!("h{host},{},{}\n", time(hour), hour % 5))
            .collect()
    };
    let head = "host,ts,planned\n";
    sandbox.write(
        "plans.csv",
        &format!("{head}{}{}{}", plan(0..244, 0), plan(0..240, 1), plan(0..241, 2)),
    );
    sandbox.ok("featuregroup ingest plans --from plans.csv");
    sandbox.ok("train --view fv:v1");
    let ask = format!("predict m --entities entities.csv --at {} --to f.csv", time(239));
    let said = sandbox.refused(&ask);
    assert!(
        said.contains("3 values must be known in advance, and are not: `planned` of h2 at 2026-01-11T01:00:00Z"),
        "{said}"
    );
    assert!(said.contains("hint: --known FILE"), "{said}");
    sandbox.write("known.csv", &format!("{head}{}", plan(241..244, 2)));
    sandbox.ok(&format!("{ask} --known known.csv"));
    let said = sandbox.refused("predict m --entities entities.csv");
    assert!(said.contains("wanted entities, and a time to forecast from"), "{said}");
    let said = sandbox.refused("predict m --entities entities.csv --at 2025-01-01T00:00:00Z --known known.csv");
    assert!(said.contains("`h0` has no row to look back at"), "{said}");
}

#[test]
fn views_and_pipelines_that_cannot_forecast_are_refused() {
    let cases = [
        (
            VIEW.replace(
                "\"hour_cos\"]\n[[features]]\ngroup = \"metrics",
                "\"cpu_mean\"]\n[[features]]\ngroup = \"metrics",
            ),
            PIPELINE.to_owned(),
            "`cpu_mean` is not known in advance",
        ),
        (
            VIEW.replace("static = [\"kind\"]", "static = [\"kin\"]"),
            PIPELINE.to_owned(),
            "did you mean `kind`?",
        ),
        (
            VIEW.replace("\"cpu\", \"memory\"]", "\"state\"]"),
            PIPELINE.to_owned(),
            "`metrics:v1.state` cannot be forecast",
        ),
        (
            VIEW.to_owned(),
            PIPELINE.replace("\"mean\"]", "\"lightgbn\"]"),
            "did you mean `lightgbm`?",
        ),
        (
            VIEW.replace(
                "validation = 0.2\ntest = 0.2",
                "validation = 0.2\ntest = 0.2\ngap = \"1h\"",
            ),
            PIPELINE.to_owned(),
            "horizon 4 x 1h",
        ),
    ];
    for (view, pipeline, wanted) in cases {
        let sandbox = Sandbox::new();
        sandbox
            .write("feature_groups/metrics.toml", METRICS)
            .write("feature_groups/clock.toml", CLOCK)
            .write("feature_groups/hosts.toml", HOSTS)
            .write("feature_views/fv.toml", &view)
            .write("pipelines/p.toml", &pipeline);
        let said = sandbox.refused("apply");
        assert!(said.contains(wanted), "no `{wanted}` in:\n{said}");
    }
}
