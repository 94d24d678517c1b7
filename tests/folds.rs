//! A split that walks forward, through the binary: made, shown, checked, trained on fold by fold, made again.

use crate::sandbox::Sandbox;

/// Four hosts, three days, every half hour; the label looks an hour ahead.
fn ready(split: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let head = |name: &str| format!("name = \"{name}\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n");
    let feature = |name: &str, more: &str| format!("[[features]]\nname = \"{name}\"\ntype = \"float64\"\n{more}");
    sandbox.write(
        "feature_groups/labels.toml",
        &(head("labels") + &feature("y", "horizon = \"1h\"\n") + "[[features]]\nname = \"kind\"\ntype = \"utf8\"\n"),
    );
    sandbox.write("feature_groups/metrics.toml", &(head("metrics") + &feature("x", "")));
    sandbox.write(
        "feature_views/fv.toml",
        &format!(
            "name = \"fv\"\nversion = 1\n[labels]\ngroup = \"labels:v1\"\ncolumns = [\"y\"]\nhelpers = [\"kind\"]\n\
             [[features]]\ngroup = \"metrics:v1\"\ncolumns = [\"x\"]\n[split]\n{split}\n"
        ),
    );
    sandbox.write(
        "pipelines/p.toml",
        "name = \"p\"\nview = \"fv:v1\"\nmodel = \"m\"\nseed = 1\n[train]\nlearner = \"lightgbm\"\n[train.lightgbm]\n\
         rounds = 10\nmin_data_in_leaf = 5\n[evaluate]\nmetrics = [\"mae\"]\nbaselines = [\"last_value\"]\n",
    );
    let (mut labels, mut metrics) = ("host,ts,y,kind\n".to_owned(), "host,ts,x\n".to_owned());
    for step in 0..144_u64 {
        let time = format!(
            "2026-01-0{}T{:02}:{:02}:00Z",
            1 + step / 48,
            step / 2 % 24,
            step % 2 * 30
        );
        for host in 0..4_u64 {
            let x = (step * 7919 + host * 104_729) % 101;
            let kind = if step % 10 == 0 { "rare" } else { "usual" };
            metrics.push_str(&format!("h{host},{time},{x}\n"));
            labels.push_str(&format!("h{host},{time},{},{kind}\n", x * x + step));
        }
    }
    sandbox.write("labels.csv", &labels).write("metrics.csv", &metrics);
    sandbox.ok("apply");
    sandbox.ok("featuregroup ingest labels --from labels.csv");
    sandbox.ok("featuregroup ingest metrics --from metrics.csv");
    sandbox
}

const WALK: &str = "strategy = \"walk_forward\"\nfolds = 3\nvalidation = \"6h\"\ntest = \"6h\"\nembargo = \"30m\"";

#[test]
fn every_fold_is_trained_on_and_the_last_one_is_registered() {
    let sandbox = ready(WALK);
    let screen = sandbox.ok("train --view fv:v1").stdout;
    for line in ["mean mae on test of 3 folds", "the model is that of the last fold"] {
        assert!(screen.contains(line), "{screen}");
    }
    let run = sandbox.ok("run show 1 --json").json();
    let folds = run["report"]["folds"]["folds"].as_array().unwrap();
    let fold = |fold: &serde_json::Value| {
        (
            fold["fold"].as_u64().unwrap(),
            fold["part"].as_str().unwrap().to_owned(),
        )
    };
    let wanted = (1..=3).flat_map(|number| [(number, "validation".to_owned()), (number, "test".to_owned())]);
    assert_eq!(folds.iter().map(fold).collect::<Vec<_>>(), wanted.collect::<Vec<_>>());
    let rows: Vec<u64> = folds.iter().map(|fold| fold["train_rows"].as_u64().unwrap()).collect();
    assert!(
        rows.windows(2).all(|pair| pair[0] <= pair[1]),
        "train expands: {rows:?}"
    );
    let metrics: serde_json::Value = serde_json::from_str(&sandbox.read(".platform/models/m/v1/metrics.json")).unwrap();
    let test = metrics["parts"]
        .as_array()
        .unwrap()
        .iter()
        .find(|part| part["part"] == "test")
        .unwrap();
    assert_eq!(
        folds[5]["scores"], test["model"],
        "the last fold is the dataset's own parts"
    );
    assert!(
        sandbox
            .ok("registry card m")
            .stdout
            .contains("learned anew on each fold")
    );
    let again = sandbox.ok("reproduce m:v1").stdout;
    assert!(again.contains("folds.json"), "{again}");
}

#[test]
fn folds_are_shown_and_checked() {
    let sandbox = ready(WALK);
    sandbox.ok("dataset create fv:v1");
    let screen = sandbox.ok("dataset show fv:v1").stdout;
    for number in 1..=3 {
        assert!(screen.contains(&format!("fold {number}: train ")), "{screen}");
    }
    assert!(
        sandbox
            .ok("featureview show fv")
            .stdout
            .contains("3 folds that walk forward, expanding")
    );
    sandbox.ok("dataset verify fv:v1");
    let manifest = sandbox.read(".platform/datasets/fv/v1/1/manifest.json");
    let other = manifest
        .replace("\"number\": 2,", "\"number\": 2, ")
        .replacen("\"rows\": 48", "\"rows\": 47", 1);
    assert_ne!(manifest, other);
    sandbox.write(".platform/datasets/fv/v1/1/manifest.json", &other);
    assert!(sandbox.run("dataset verify fv:v1").code == 1);
}

#[test]
fn sliding_folds_train_on_as_much_each_time() {
    let sandbox = ready("strategy = \"walk_forward\"\nfolds = 3\ntrain = \"1d\"\ntest = 0.1");
    sandbox.ok("train --view fv:v1");
    let run = sandbox.ok("run show 1 --json").json();
    let folds = run["report"]["folds"]["folds"].as_array().unwrap();
    let rows: Vec<u64> = folds.iter().map(|fold| fold["train_rows"].as_u64().unwrap()).collect();
    assert!(
        rows.len() == 3 && rows.iter().all(|count| *count == rows[0]),
        "{rows:?}"
    );
}

#[test]
fn periods_and_strata_go_all_the_way() {
    let periods = "strategy = \"time\"\ntest = [{ from = \"2026-01-01T12:00:00Z\", to = \"2026-01-01T18:00:00Z\" }, { from = \"2026-01-03\", to = \"2026-01-03T06:00:00Z\" }]\nembargo = \"1h\"";
    let sandbox = ready(periods);
    sandbox.ok("train --view fv:v1");
    let manifest = sandbox.ok("dataset show fv:v1 --json").json();
    let borders = manifest["certificate"]["borders"].as_array().unwrap();
    assert_eq!(borders.len(), 4, "train on both sides of each period");
    assert_eq!(manifest["rows"]["test"], 2 * 12 * 4);
    sandbox.ok("dataset verify fv:v1");
    let sandbox = ready("strategy = \"random\"\nvalidation = 0.1\ntest = 0.2\nstratify = \"kind\"");
    sandbox.ok("dataset create fv:v1");
    let screen = sandbox.ok("dataset show fv:v1").stdout;
    assert!(screen.contains("every value of kind has its shares"), "{screen}");
    sandbox.ok("dataset verify fv:v1");
}
