//! The main job on real data, where it is present: Nezha pods, Bitbrains machines, New York flights, NAB, Feast's drivers.

use std::path::Path;

use crate::sandbox::{Sandbox, real_data};

fn number(sandbox: &Sandbox, question: &str) -> f64 {
    let answer = sandbox.ok(&format!("query \"{question}\" --json")).json();
    answer["rows"][0]["n"]
        .as_f64()
        .unwrap_or_else(|| panic!("{question}: {answer}"))
}

fn ingest(sandbox: &Sandbox, group: &str, file: &Path) -> serde_json::Value {
    sandbox
        .ok(&format!(
            "featuregroup ingest {group} --from '{}' --json",
            file.display()
        ))
        .json()
}

/// A view, a pipeline whose gate every model passes, and the labels group they read.
fn learn(sandbox: &Sandbox, view: &str, label: &str, features: &str) {
    sandbox.write(
        "feature_views/view.toml",
        &format!(
            "name = \"view\"\nversion = 1\n[labels]\ngroup = \"labels:v1\"\ncolumns = [\"{label}\"]\n{features}\n{view}"
        ),
    );
    sandbox.write("pipelines/pipeline.toml",
        "name = \"pipeline\"\nview = \"view:v1\"\nmodel = \"model\"\n[train]\nlearner = \"lightgbm\"\n[train.lightgbm]\nrounds = 20\n\
         [evaluate]\nmetrics = [\"mae\", \"rmse\"]\nbaselines = [\"mean\"]\n[gate]\nbeats = [\"mean\"]\n");
    sandbox.ok("apply");
}

const BITBRAINS: &str = r#"name = "vms"
version = 1
entity = [{ name = "vm_id", type = "int32" }]
event_time = "timestamp"
mode = "append"
[[features]]
name = "cpu_cores"
type = "int32"
[[features]]
name = "cpu_percent"
type = "float64"
[[features]]
name = "mem_usage_kb"
type = "float64"
[[features]]
name = "disk_write_kbps"
type = "float64"
[[features]]
name = "net_rx_kbps"
type = "float64"
"#;

#[test]
fn bitbrains_machines_with_duplicates_zombies_and_holes_become_a_model() {
    let Some(folder) = real_data("bitbrains_rnd") else {
        return;
    };
    let sandbox = Sandbox::new();
    sandbox.write("feature_groups/vms.toml", BITBRAINS);
    sandbox.write("feature_groups/labels.toml",
        "name = \"labels\"\nversion = 1\nentity = [{ name = \"vm_id\", type = \"int32\" }]\nevent_time = \"timestamp\"\n\
         [[features]]\nname = \"cpu_next_hour\"\ntype = \"float64\"\nhorizon = \"1h\"\n");
    sandbox.ok("apply");
    let receipt = ingest(&sandbox, "vms", &folder.join("vm_metrics_2013-07.parquet"));
    let (rows, duplicates) = (
        receipt["rows"].as_u64().unwrap(),
        receipt["duplicates"].as_u64().unwrap(),
    );
    assert_eq!(rows + duplicates, 337_258, "{receipt}");
    let labels = sandbox.ok(
        "query \"select vm_id, timestamp, max(cpu_percent) over (partition by vm_id order by timestamp range between interval '1 microsecond' \
         following and interval '1 hour' following) as cpu_next_hour from (select vm_id, timestamp, max(cpu_percent) as cpu_percent from vms \
         group by vm_id, timestamp) where vm_id % 4 = 0\" --csv",
    );
    sandbox.write("labels.csv", &labels.stdout);
    sandbox.ok("featuregroup ingest labels --from labels.csv");
    learn(
        &sandbox,
        "[split]\nstrategy = \"time\"\nvalidation = 0.15\ntest = 0.15\ngap = \"auto\"",
        "cpu_next_hour",
        "[[features]]\ngroup = \"vms:v1\"\ncolumns = [\"cpu_percent\", \"mem_usage_kb\", \"cpu_cores\", \"disk_write_kbps\", \"net_rx_kbps\"]\nmax_age = \"15m\"",
    );
    sandbox.ok("train --view view:v1");
    sandbox.ok("reproduce model:v1");
}

#[test]
fn bitbrains_keys_with_different_values_are_refused_in_an_upsert_group() {
    let Some(folder) = real_data("bitbrains_rnd") else {
        return;
    };
    let sandbox = Sandbox::new();
    sandbox.write("feature_groups/vms.toml", &BITBRAINS.replace("mode = \"append\"\n", ""));
    sandbox.ok("apply");
    let files = folder.join("*.parquet");
    let refused = sandbox.refused(&format!("featuregroup ingest vms --from '{}'", files.display()));
    assert!(refused.contains("vm_id"), "{refused}");
    assert_eq!(number(&sandbox, "select count(*) as n from vms"), 0.0);
}

#[test]
fn nezha_pods_become_a_model_with_the_label_derived_outside() {
    let Some(folder) = real_data("nezha") else { return };
    let sandbox = Sandbox::new();
    sandbox.write("feature_groups/pods.toml",
        "name = \"pods\"\nversion = 1\nentity = [\"pod\"]\nevent_time = \"timestamp\"\ntruncate = true\n\
         [[features]]\nname = \"service\"\ntype = \"utf8\"\n[[features]]\nname = \"cpu_percent\"\ntype = \"float64\"\n\
         [[features]]\nname = \"mem_percent\"\ntype = \"float64\"\n[[features]]\nname = \"server_latency_p95_s\"\ntype = \"float64\"\n\
         [[features]]\nname = \"workload_ops\"\ntype = \"float64\"\n[[features]]\nname = \"node_cpu_percent\"\ntype = \"float64\"\n");
    sandbox.write(
        "feature_groups/labels.toml",
        "name = \"labels\"\nversion = 1\nentity = [\"pod\"]\nevent_time = \"timestamp\"\n\
         [[features]]\nname = \"cpu_next\"\ntype = \"float64\"\nhorizon = \"10m\"\n",
    );
    sandbox.ok("apply");
    ingest(&sandbox, "pods", &folder.join("pod_metrics_onlineboutique.parquet"));
    assert_eq!(number(&sandbox, "select count(*) as n from pods"), 15_440.0);
    let labels = sandbox.ok(
        "query \"select pod, timestamp, max(cpu_percent) over (partition by pod order by timestamp range between interval '1 microsecond' \
         following and interval '10 minutes' following) as cpu_next from pods\" --csv",
    );
    sandbox.write("labels.csv", &labels.stdout);
    sandbox.ok("featuregroup ingest labels --from labels.csv");
    learn(
        &sandbox,
        "[split]\nstrategy = \"time\"\nvalidation = 0.15\ntest = 0.15\ngap = \"auto\"",
        "cpu_next",
        "[[features]]\ngroup = \"pods:v1\"\ncolumns = [\"service\", \"cpu_percent\", \"mem_percent\", \"server_latency_p95_s\", \"workload_ops\"]\nmax_age = \"5m\"",
    );
    sandbox.ok("train --view view:v1");
    sandbox.ok("reproduce model:v1");
}

const FLIGHTS: &str = r#"name = "labels"
version = 1
entity = ["carrier", { name = "flight", type = "int32" }, "origin", "dest"]
event_time = "time_hour"
mode = "append"
[[features]]
name = "tailnum"
type = "utf8"
[[features]]
name = "arr_delay"
type = "float64"
horizon = "1d"
[[features]]
name = "distance"
type = "float64"
"#;

#[test]
fn flights_are_joined_to_weather_planes_and_airports_by_different_keys() {
    let Some(folder) = real_data("nycflights13") else {
        return;
    };
    let sandbox = Sandbox::new();
    sandbox.write("feature_groups/labels.toml", FLIGHTS);
    sandbox.write(
        "feature_groups/weather.toml",
        "name = \"weather\"\nversion = 1\nentity = [\"origin\"]\nevent_time = \"time_hour\"\nnull_values = [\"NA\"]\n\
         [[features]]\nname = \"temp\"\ntype = \"float64\"\n[[features]]\nname = \"wind_speed\"\ntype = \"float64\"\n\
         [[features]]\nname = \"visib\"\ntype = \"float64\"\n",
    );
    sandbox.write(
        "feature_groups/planes.toml",
        "name = \"planes\"\nversion = 1\nentity = [\"tailnum\"]\nstatic = true\nnull_values = [\"NA\"]\n\
         [[features]]\nname = \"year\"\ntype = \"int32\"\n[[features]]\nname = \"seats\"\ntype = \"int32\"\n",
    );
    sandbox.write(
        "feature_groups/airports.toml",
        "name = \"airports\"\nversion = 1\nentity = [\"faa\"]\nstatic = true\nnull_values = [\"NA\"]\n\
         [[features]]\nname = \"lat\"\ntype = \"float64\"\n[[features]]\nname = \"lon\"\ntype = \"float64\"\n",
    );
    sandbox.ok("apply");
    ingest(&sandbox, "labels", &folder.join("flights_sample_100k.parquet"));
    for group in ["weather", "planes", "airports"] {
        ingest(&sandbox, group, &folder.join(format!("{group}.csv")));
    }
    learn(
        &sandbox,
        "[split]\nstrategy = \"time\"\nvalidation = 0.15\ntest = 0.15\ngap = \"auto\"",
        "arr_delay",
        "[[features]]\ngroup = \"weather:v1\"\ncolumns = [\"temp\", \"wind_speed\", \"visib\"]\nmax_age = \"6h\"\n\
         [[features]]\ngroup = \"planes:v1\"\ncolumns = [\"year\", \"seats\"]\n\
         [[features]]\ngroup = \"airports:v1\"\ncolumns = [\"lat\", \"lon\"]\nprefix = \"dest_\"\non = { dest = \"faa\" }\n\
         [[features]]\ngroup = \"airports:v1\"\ncolumns = [\"lat\"]\nprefix = \"origin_\"\non = { origin = \"faa\" }",
    );
    let created = sandbox.ok("dataset create view:v1 --json").json();
    assert_eq!(created["rows"], 100_000, "{created}");
    let joins = sandbox.ok("dataset show view:v1/1 --json").json()["joins"].clone();
    for join in joins.as_array().unwrap() {
        let names = ["matched", "unknown_entity", "before_first", "expired", "not_yet_known"];
        let sum: u64 = names.iter().map(|name| join[*name].as_u64().unwrap()).sum();
        assert_eq!(sum, 100_000, "{join}");
    }
    let planes = &joins[1];
    assert!(
        (planes["matched"].as_f64().unwrap() / 100_000.0 - 0.843).abs() < 0.005,
        "{planes}"
    );
    let weather = &joins[0];
    assert!(weather["matched"].as_f64().unwrap() > 99_000.0, "{weather}");
}

const NAB: &str = r#"name = "readings"
version = 1
entity = ["metric"]
event_time = "timestamp"
[[features]]
name = "value"
type = "float64"
"#;

/// NAB's files have no entity column; the name of the file is the entity.
fn with_entity(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap();
    let mut lines = text.lines();
    let mut out = format!("metric,{}\n", lines.next().unwrap());
    lines.for_each(|line| out.push_str(&format!("m,{line}\n")));
    out
}

#[test]
fn nab_times_without_a_zone_are_refused_until_one_is_stated() {
    let Some(folder) = real_data("nab/realAWSCloudwatch") else {
        return;
    };
    let sandbox = Sandbox::new();
    sandbox.write("feature_groups/readings.toml", NAB);
    sandbox.write("a.csv", &with_entity(&folder.join("ec2_cpu_utilization_825cc2.csv")));
    sandbox.ok("apply");
    let refused = sandbox.refused("featuregroup ingest readings --from a.csv");
    assert!(refused.contains("time_zone"), "{refused}");
    sandbox.write(
        "feature_groups/readings.toml",
        &NAB.replace("version = 1", "version = 2\ntime_zone = \"UTC\""),
    );
    sandbox.ok("apply");
    sandbox.ok("featuregroup ingest readings --from a.csv");
    assert_eq!(number(&sandbox, "select count(*) as n from readings"), 4032.0);
}

#[test]
fn nab_hour_that_the_clocks_collapsed_is_refused_with_lines_and_key() {
    let Some(folder) = real_data("nab/realKnownCause") else {
        return;
    };
    let sandbox = Sandbox::new();
    sandbox.write(
        "feature_groups/readings.toml",
        &NAB.replace("version = 1", "version = 1\ntime_zone = \"America/New_York\""),
    );
    sandbox.write(
        "a.csv",
        &with_entity(&folder.join("ec2_request_latency_system_failure.csv")),
    );
    sandbox.ok("apply");
    let refused = sandbox.refused("featuregroup ingest readings --from a.csv");
    assert!(refused.contains("2014-03-09"), "{refused}");
    assert!(refused.contains("a.csv:"), "{refused}");
    assert_eq!(number(&sandbox, "select count(*) as n from readings"), 0.0);
}

#[test]
fn feast_drivers_are_known_only_from_when_they_were_created() {
    let Some(file) = real_data("feast/driver_stats.parquet") else {
        return;
    };
    let sandbox = Sandbox::new();
    sandbox.write("feature_groups/drivers.toml",
        "name = \"drivers\"\nversion = 1\nentity = [{ name = \"driver_id\", type = \"int64\" }]\nevent_time = \"event_timestamp\"\n\
         known_at = \"created\"\ntime_zone = \"UTC\"\ntruncate = true\n\
         [[features]]\nname = \"conv_rate\"\ntype = \"float32\"\n[[features]]\nname = \"acc_rate\"\ntype = \"float32\"\n\
         [[features]]\nname = \"avg_daily_trips\"\ntype = \"int32\"\n");
    sandbox.ok("apply");
    let receipt = ingest(&sandbox, "drivers", &file);
    assert_eq!(receipt["duplicates"], 2, "{receipt}");
    assert_eq!(number(&sandbox, "select count(*) as n from drivers"), 1_806.0);
    let again = ingest(&sandbox, "drivers", &file);
    assert_eq!(again["outcome"], "already_there", "{again}");
}
