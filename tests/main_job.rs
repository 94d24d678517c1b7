//! The main job, end to end: files, groups, dataset, training, gates, registration, look-up, prediction, reproduction.

use crate::sandbox::Sandbox;

/// The running example on a small fleet, trained and registered.
pub fn trained() -> Sandbox {
    let sandbox = ingested();
    sandbox.ok("train --view cpu_fv:v1");
    sandbox
}

/// The running example on a small fleet, everything ingested.
pub fn ingested() -> Sandbox {
    let sandbox = Sandbox::empty();
    sandbox.ok("init .");
    quicken(&sandbox);
    sandbox.ok("simulate fleet --out data --hosts 8 --days 10 --seed 7");
    sandbox.ok("apply");
    sandbox.ok("featuregroup ingest server_metrics --from data/metrics.csv");
    sandbox.ok("featuregroup ingest server_metrics --from data/late_metrics.csv");
    sandbox.ok("featuregroup ingest hosts --from data/hosts.csv");
    sandbox.ok("featuregroup materialize server_features");
    sandbox.ok("featuregroup materialize cpu_labels");
    sandbox
}

/// Fewer rounds and gates that a small fleet passes: these tests are about the way, not about the model.
fn quicken(sandbox: &Sandbox) {
    let pipeline = sandbox.read("pipelines/cpu_forecast.toml");
    let without_gate: Vec<&str> = pipeline.split("\n[gate]").collect();
    let (head, rest) = (without_gate[0], without_gate[1]);
    let card = &rest[rest.find("\n[card]").unwrap()..];
    let rounds = head.lines().map(|line| {
        if line.starts_with("rounds") {
            "rounds = 20"
        } else {
            line
        }
    });
    let head: Vec<&str> = rounds.collect();
    let gate = "[gate]\nmae = { max = 100.0 }\nbeats = [\"champion\"]\n";
    sandbox.write(
        "pipelines/cpu_forecast.toml",
        &format!("{}\n{gate}{card}", head.join("\n")),
    );
}

#[test]
fn metrics_files_become_a_registered_model_that_can_be_looked_up() {
    let sandbox = trained();
    let model = sandbox.ok("registry show cpu_forecaster --json").json();
    assert_eq!(model["model"], "cpu_forecaster:v1");
    assert_eq!(model["dataset"]["reference"], "cpu_fv:v1/1");
    for artefact in model["artefacts"].as_array().unwrap() {
        let path = sandbox.path(artefact["path"].as_str().unwrap());
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(
            definitions::Fingerprint::of(&bytes).to_string(),
            artefact["sha256"].as_str().unwrap(),
            "{path:?}"
        );
    }
    let names: Vec<_> = model["artefacts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| a["name"].as_str().unwrap())
        .collect();
    for name in [
        "card.md",
        "metrics.json",
        "model.txt",
        "preprocessing.json",
        "signature.json",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
}

#[test]
fn same_dataset_seed_and_parameters_give_the_same_model_bytes() {
    let sandbox = trained();
    sandbox.ok("train --view cpu_fv:v1 --threads 1");
    let (first, second) = (model_bytes(&sandbox, "v1"), model_bytes(&sandbox, "v2"));
    assert!(first == second);
}

fn model_bytes(sandbox: &Sandbox, version: &str) -> Vec<u8> {
    std::fs::read(sandbox.path(&format!(".platform/models/cpu_forecaster/{version}/model.txt"))).unwrap()
}

#[test]
fn dataset_created_again_with_nothing_changed_is_the_same_version() {
    let sandbox = ingested();
    let first = sandbox.ok("dataset create cpu_fv:v1 --json").json();
    let again = sandbox.ok("dataset create cpu_fv:v1 --json").json();
    assert_eq!(first["outcome"], "created");
    assert_eq!(again["outcome"], "unchanged");
    assert_eq!(first["dataset"], again["dataset"]);
    let forced = sandbox.ok("dataset create cpu_fv:v1 --force --json").json();
    assert_eq!(forced["dataset"], "cpu_fv:v1/2");
    assert_eq!(forced["fingerprint"], first["fingerprint"]);
}

#[test]
fn failed_gate_records_the_run_and_registers_nothing() {
    let sandbox = ingested();
    let pipeline = sandbox
        .read("pipelines/cpu_forecast.toml")
        .replace("max = 100.0", "max = 0.0001");
    sandbox.write("pipelines/cpu_forecast.toml", &pipeline);
    sandbox.ok("apply");
    let said = sandbox.run("train --view cpu_fv:v1");
    assert_eq!(said.code, 1, "{}", said.screen());
    assert!(said.screen().contains("gate mae"), "{}", said.screen());
    assert_eq!(
        sandbox.ok("registry list --json").json()["models"],
        serde_json::json!([])
    );
    let runs = sandbox.ok("run list --json").json();
    assert_eq!(runs["runs"][0]["status"], "refused");
}

/// The running example with sixty hosts for thirty days, as Parquet files in `data`, everything ingested and materialized.
pub fn sixty_hosts() -> Sandbox {
    let sandbox = Sandbox::empty();
    sandbox.ok("init .");
    sandbox.ok("simulate fleet --out data --hosts 60 --days 30 --format parquet");
    sandbox.ok("apply");
    sandbox.ok("featuregroup ingest server_metrics --from data/metrics.parquet");
    sandbox.ok("featuregroup ingest hosts --from data/hosts.parquet");
    sandbox.ok("featuregroup materialize server_features");
    sandbox.ok("featuregroup materialize cpu_labels");
    sandbox
}

/// Gives a group's table a column more, as another program would: with a commit of new metadata.
fn add_column(sandbox: &Sandbox, group: &str, name: &str) {
    let log = sandbox.path(&format!(".platform/feature_groups/{group}/v1/_delta_log"));
    let commits = || (0..).map(|version| log.join(format!("{version:020}.json")));
    let first = std::fs::read_to_string(commits().next().unwrap()).unwrap();
    let metadata = first
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let mut metadata = metadata
        .into_iter()
        .find(|action| action.get("metaData").is_some())
        .unwrap();
    let schema = &mut metadata["metaData"]["schemaString"];
    let mut fields: serde_json::Value = serde_json::from_str(schema.as_str().unwrap()).unwrap();
    let field = serde_json::json!({"name": name, "type": "double", "nullable": true, "metadata": {}});
    fields["fields"].as_array_mut().unwrap().push(field);
    *schema = fields.to_string().into();
    let next = commits().find(|path| !path.exists()).unwrap();
    std::fs::write(next, format!("{metadata}\n")).unwrap();
}

#[test]
fn model_is_reproduced_after_everything_around_it_has_changed() {
    let sandbox = trained();
    // Another seed: the same hosts and times with other values, which correct the old rows, and a day more.
    sandbox.ok("simulate fleet --out more --hosts 8 --days 11 --seed 8");
    add_column(&sandbox, "server_metrics", "added_later");
    sandbox.ok("featuregroup ingest server_metrics --from more/metrics.csv");
    sandbox.ok("featuregroup materialize server_features");
    sandbox.ok("featuregroup materialize cpu_labels");
    sandbox.ok("featuregroup compact server_metrics");
    sandbox.ok("featuregroup compact cpu_labels");
    sandbox.ok("gc --grace 0s");
    for threads in [1, 3] {
        let said = sandbox.ok(&format!("reproduce cpu_forecaster:v1 --threads {threads}"));
        assert!(said.stdout.contains("model.txt"), "{}", said.screen());
    }
    let changed = sandbox.ok("dataset create cpu_fv:v1 --json").json();
    assert_eq!(changed["outcome"], "created");
}

#[test]
fn damaged_model_is_noticed_by_reproduce_and_by_doctor() {
    let sandbox = trained();
    sandbox.ok("doctor");
    let path = sandbox.path(".platform/models/cpu_forecaster/v1/model.txt");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("leaf_value=", "leaf_value=1", 1)).unwrap();
    let doctor = sandbox.run("doctor");
    assert_eq!(doctor.code, 1, "{}", doctor.screen());
    assert!(doctor.screen().contains("model.txt"), "{}", doctor.screen());
    // The platform's own file is not what it wrote: that is no fault of who asks.
    for command in [
        "predict cpu_forecaster:v1 --entities data/labels.csv --to out.csv",
        "registry pull cpu_forecaster --to pulled",
    ] {
        let failed = sandbox.run(command);
        assert_eq!(failed.code, 2, "{}", failed.screen());
        assert!(
            failed.stderr.contains("model.txt` is not what was recorded"),
            "{}",
            failed.screen()
        );
        assert!(failed.stderr.contains("hint: platform doctor"), "{}", failed.screen());
    }
    assert!(!sandbox.path("out.csv").exists() && !sandbox.path("pulled").exists());
    std::fs::remove_file(&path).unwrap();
    assert_eq!(sandbox.run("registry pull cpu_forecaster --to pulled").code, 2);
}

#[test]
fn prediction_from_entities_equals_prediction_from_joined_rows() {
    let sandbox = trained();
    sandbox.ok("dataset export cpu_fv:v1/1 --to joined --format parquet");
    sandbox.ok("predict cpu_forecaster:v1 --from joined/test.parquet --to a.csv");
    sandbox.ok("predict cpu_forecaster:v1 --entities joined/test.parquet --to b.csv");
    assert!(sandbox.read("a.csv").lines().count() > 10);
    assert_eq!(sandbox.read("a.csv"), sandbox.read("b.csv"));
}

#[test]
fn alias_moves_only_from_where_it_is_expected_to_be() {
    let sandbox = trained();
    sandbox.ok("train --view cpu_fv:v1");
    sandbox.ok("registry alias set cpu_forecaster@champion v1");
    let refused = sandbox.refused("registry alias set cpu_forecaster@champion v1 --expect v2");
    assert!(refused.contains("v1"), "{refused}");
    sandbox.ok("registry alias set cpu_forecaster@champion v2 --expect v1");
    let model = sandbox.ok("registry show cpu_forecaster@champion --json").json();
    assert_eq!(model["model"], "cpu_forecaster:v2");
    let history = sandbox.ok("registry history cpu_forecaster@champion --json").json();
    assert_eq!(history["history"].as_array().unwrap().len(), 2);
    sandbox.ok("registry alias remove cpu_forecaster@champion --expect v2");
    sandbox.refused("registry show cpu_forecaster@champion");
}

#[test]
fn lost_and_damaged_model_files_are_restored_only_where_that_is_asked_for() {
    let sandbox = trained();
    let path = |name: &str| sandbox.path(&format!(".platform/models/cpu_forecaster/v1/{name}"));
    let (model, signature) = (
        std::fs::read(path("model.txt")).unwrap(),
        std::fs::read(path("signature.json")).unwrap(),
    );
    std::fs::write(path("model.txt"), "half").unwrap();
    std::fs::remove_file(path("signature.json")).unwrap();
    let doctor = sandbox.run("doctor");
    assert!(
        doctor
            .stdout
            .contains("hint: platform reproduce cpu_forecaster:v1 --restore"),
        "{}",
        doctor.screen()
    );
    assert_eq!(sandbox.run("reproduce cpu_forecaster:v1").code, 1);
    assert_eq!(sandbox.read(".platform/models/cpu_forecaster/v1/model.txt"), "half");
    let said = sandbox.ok("reproduce cpu_forecaster:v1 --restore");
    assert!(
        said.stdout.contains("restored model.txt, before: damaged"),
        "{}",
        said.screen()
    );
    assert!(
        said.stdout.contains("restored signature.json, before: No such file"),
        "{}",
        said.screen()
    );
    assert!(std::fs::read(path("model.txt")).unwrap() == model);
    assert!(std::fs::read(path("signature.json")).unwrap() == signature);
    sandbox.ok("doctor");
    let again = sandbox.ok("reproduce cpu_forecaster:v1 --restore --json").json();
    assert_eq!(again["restored"], serde_json::json!([]));
}

#[test]
fn version_that_gc_has_cleaned_up_still_answers() {
    let sandbox = ingested();
    let question = "query \"select count(*) as n, sum(cast(cpu_percent as decimal(18, 6))) as s from at('server_metrics:v1', 1)\" --json";
    let before = sandbox.ok(question).stdout;
    sandbox.ok("featuregroup compact server_metrics");
    let gone = sandbox.ok("gc --grace 0s --json").json();
    assert_eq!(gone["left_overs"].as_array().unwrap().len(), 2, "{gone}");
    assert_eq!(sandbox.ok(question).stdout, before);
    sandbox.ok("doctor");
}

#[test]
fn doctor_names_what_gc_would_remove_and_decodes_data_files_when_asked() {
    let sandbox = ingested();
    sandbox.ok("dataset create cpu_fv:v1");
    sandbox.write(".platform/staging/0-00000000/part.parquet", "half");
    let said = sandbox.ok("doctor --deep");
    assert!(
        said.stdout
            .contains("note: half-made folder `.platform/staging/0-00000000`, 4 bytes\n  hint: platform gc"),
        "{}",
        said.screen()
    );
    sandbox.ok("gc");
    assert_eq!(sandbox.ok("doctor --json").json()["notes"], serde_json::json!([]));
    // The same size, other bytes: only who decodes the file can tell.
    let folder = sandbox.path(".platform/feature_groups/server_metrics/v1");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let file = files
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "parquet"));
    let file = file.unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let half = bytes.len() / 2;
    bytes[4..half].fill(0xA5);
    std::fs::write(&file, bytes).unwrap();
    sandbox.ok("doctor");
    let said = sandbox.run("doctor --deep");
    assert_eq!(said.code, 1, "{}", said.screen());
    assert!(said.stdout.contains("cannot be read: "), "{}", said.screen());
}

#[test]
fn prediction_for_entities_says_what_became_of_them_in_each_join() {
    let sandbox = trained();
    sandbox.write(
        "wanted.csv",
        "host,ts\nhost-0001,2026-01-06T12:00:00Z\nunheard-of,2026-01-06T12:00:00Z\n",
    );
    let said = sandbox
        .ok("predict cpu_forecaster:v1 --entities wanted.csv --json")
        .json();
    let joins = said["joins"].as_array().unwrap();
    assert!(!joins.is_empty());
    for join in joins {
        assert_eq!(join["matched"], 1, "{join}");
        assert_eq!(join["unknown_entity"], 1, "{join}");
    }
    let screen = sandbox.ok("predict cpu_forecaster:v1 --entities wanted.csv").stdout;
    assert!(
        screen.contains("2 predictions of cpu_forecaster:v1\njoined"),
        "{screen}"
    );
    assert!(screen.contains("unknown entity"), "{screen}");
}

#[test]
fn history_of_an_alias_says_who_moved_it() {
    let sandbox = trained();
    let by = |user: Option<&str>, name: Option<&str>| {
        let mut command = sandbox.command("registry alias set cpu_forecaster@champion v1");
        for (variable, value) in [("USER", user), ("LOGNAME", name)] {
            match value {
                Some(value) => command.env(variable, value),
                None => command.env_remove(variable),
            };
        }
        assert!(command.output().unwrap().status.success());
        sandbox.ok("registry alias remove cpu_forecaster@champion");
        let history = sandbox.ok("registry history cpu_forecaster@champion --json").json();
        history["history"][1]["by"].as_str().unwrap().to_owned()
    };
    assert_eq!(by(Some("anna"), Some("bert")), "anna");
    assert_eq!(by(Some(""), Some("bert")), "bert");
    assert!(!by(None, None).is_empty());
}

#[test]
fn file_of_ones_own_becomes_a_model_with_a_label_that_is_computed() {
    let sandbox = Sandbox::empty();
    let line = |minute: u32| {
        let time = format!(
            "2026-01-{:02} {:02}:{:02}:00",
            1 + minute / 1440,
            minute / 60 % 24,
            minute % 60
        );
        format!("web,{time},{},a\ndb,{time},{},b\n", minute / 5 % 17, minute / 5 % 11)
    };
    let rows: String = (0..2000).map(|five| line(five * 5)).collect();
    sandbox.write("mine.csv", &format!("Host,When,CPU usage [%],kind\n{rows}"));
    sandbox.ok("init own --from mine.csv --entity Host --time When --target 'CPU usage [%]' --time-zone UTC");
    let own = |line: &str| sandbox.ok(&format!("{line} --repository own"));
    let labels = sandbox.read("own/feature_groups/labels.toml");
    assert!(labels.contains("of = \"cpu_usage\"\nlead = \"1h\""), "{labels}");
    own("apply");
    own("featuregroup ingest metrics --from mine.csv");
    own("featuregroup materialize labels");
    // The last hour of both hosts has no label yet.
    let open = "select count(*) as n from labels where cpu_usage_max_next_1h is null";
    assert_eq!(own(&format!("query --csv '{open}'")).stdout, "n\n24\n");
    own("train --view forecast_fv:v1");
    own("dataset verify forecast_fv:v1/1");
    let gap = "label horizon 1h (`labels:v1.cpu_usage_max_next_1h`) + longest lookback 0s = 1h";
    let shown = own("dataset show forecast_fv:v1/1").stdout;
    assert!(shown.contains(gap), "{shown}");
}
