//! The main job on real data, where it is present, and what the platform catches in it: Nezha's pods, Bitbrains' machines, NAB, New York's
//! flights, Feast's drivers. The definitions lie in `tests/real_data/<name>/`; the data is nobody's to commit.

use std::path::Path;

use crate::sandbox::{Sandbox, real_data};

/// A repository with the definitions of a data set, applied.
fn repository(name: &str) -> Sandbox {
    let sandbox = with_definitions(name);
    sandbox.ok("apply");
    sandbox
}

fn with_definitions(name: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let definitions = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/real_data")
        .join(name);
    for folder in ["feature_groups", "feature_views", "pipelines"] {
        for file in std::fs::read_dir(definitions.join(folder)).unwrap() {
            let file = file.unwrap();
            let text = std::fs::read_to_string(file.path()).unwrap();
            sandbox.write(&format!("{folder}/{}", file.file_name().to_string_lossy()), &text);
        }
    }
    sandbox
}

/// Replaces a text of a definition, which must be there.
fn change(sandbox: &Sandbox, file: &str, from: &str, to: &str) {
    let text = sandbox.read(file);
    assert!(text.contains(from), "{file} has no `{from}`");
    sandbox.write(file, &text.replace(from, to));
}

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

/// Rows written, rows left out because they came twice, rows set aside.
fn counts(receipt: &serde_json::Value) -> [u64; 3] {
    ["rows", "duplicates", "quarantined"].map(|count| receipt[count].as_u64().unwrap())
}

/// What an ingestion found that was not as expected.
fn found(receipt: &serde_json::Value) -> Vec<String> {
    let all = receipt["expectations"].as_array().unwrap().iter();
    let violated = all.filter(|expectation| expectation["holds"] == false);
    violated
        .map(|expectation| expectation["found"].as_str().unwrap().to_owned())
        .collect()
}

fn materialize(sandbox: &Sandbox, groups: &[&str]) {
    for group in groups {
        sandbox.ok(&format!("featuregroup materialize {group}"));
    }
}

/// The dataset's manifest, once it has been verified.
fn verified(sandbox: &Sandbox, dataset: &str) -> serde_json::Value {
    sandbox.ok(&format!("dataset verify {dataset}"));
    sandbox.ok(&format!("dataset show {dataset} --json")).json()
}

/// What became of each row in the joins: `group: matched, unknown entity, before first, expired, not yet known`.
fn joins(manifest: &serde_json::Value) -> Vec<String> {
    let all = manifest["joins"].as_array().unwrap().iter();
    let outcomes = ["matched", "unknown_entity", "before_first", "expired", "not_yet_known"];
    all.map(|join| {
        let counts = outcomes.map(|outcome| join[outcome].to_string()).join(", ");
        format!("{}: {counts}", join["group"].as_str().unwrap())
    })
    .collect()
}

/// Where the gap of a dataset comes from.
fn gap(sandbox: &Sandbox, dataset: &str) -> String {
    let shown = sandbox.ok(&format!("dataset show {dataset}")).stdout;
    let line = shown.lines().find_map(|line| line.strip_prefix("gap needed: "));
    line.unwrap_or_else(|| panic!("no gap: {shown}")).to_owned()
}

#[test]
fn nezha_pods_come_and_go_services_stay_and_nothing_is_carried_across_the_night() {
    let Some(folder) = real_data("nezha") else { return };
    let sandbox = repository("nezha");
    let pods = ingest(&sandbox, "pods", &folder.join("pod_metrics_*.parquet"));
    assert_eq!(counts(&pods), [81_840, 0, 0], "{pods}");
    // A clock that runs in the year 2028, and half a day in which nobody measured.
    let [clock, night] = found(&pods).try_into().unwrap();
    assert!(clock.starts_with("1209 of 81840 rows break sql"), "{clock}");
    assert!(night.contains("found 7, the longest 12h7s907ms575us"), "{night}");
    let faults = ingest(&sandbox, "faults", &folder.join("fault_injections.csv"));
    let [clock] = found(&faults).try_into().unwrap();
    assert!(clock.starts_with("23 of 77 rows break sql"), "{clock}");
    ingest(&sandbox, "front", &folder.join("front_service.parquet"));
    materialize(&sandbox, &["pod_features", "service_features", "labels"]);
    // Windows are of time: where rows come back after the night, their hour is empty.
    let after_the_night = "select count(*) as n from pod_features where minutes_seen_1h = 1";
    assert_eq!(number(&sandbox, after_the_night), 96.0);
    // A pod of today has no yesterday, its service has.
    for (group, with_yesterday) in [("pod_features", 5_047.0), ("service_features", 35_408.0)] {
        let question = format!("select count(cpu_lag_1d) as n from {group}");
        assert_eq!(number(&sandbox, &question), with_yesterday, "{group}");
    }
    sandbox.ok("train --view pod_cpu:v1");
    let manifest = verified(&sandbox, "pod_cpu:v1/1");
    let expected = [
        "pods:v1: 81744, 0, 89, 7, 0",
        "pod_features:v1: 81744, 0, 89, 7, 0",
        "service_features:v1: 81744, 0, 48, 48, 0",
        "front:v1: 81840, 0, 0, 0, 0",
        "faults:v1: 696, 55521, 2624, 22999, 0",
    ];
    assert_eq!(joins(&manifest), expected);
    let sum = "label horizon 10m (`labels:v1.cpu_max_next_10m`) + longest lookback 1d6m (`service_features:v1.cpu_lag_1d`) = 1d16m";
    assert_eq!(gap(&sandbox, "pod_cpu:v1/1"), sum);
    sandbox.ok("reproduce pod_cpu:v1");
}

#[test]
fn bitbrains_zombies_are_set_aside_and_values_expire_where_a_month_ends() {
    let Some(folder) = real_data("bitbrains_rnd") else {
        return;
    };
    let sandbox = repository("bitbrains");
    let july = ingest(&sandbox, "vms", &folder.join("vm_metrics_2013-07.parquet"));
    assert_eq!(counts(&july), [297_057, 6_340, 33_861], "{july}");
    let [zombies, memory, hole] = found(&july).try_into().unwrap();
    assert!(
        zombies.starts_with("33833 of 337258 rows break sql = \"cpu_cores > 0\""),
        "{zombies}"
    );
    assert!(memory.starts_with("26 of 337258 rows"), "{memory}");
    assert!(hole.contains("found 28, the longest 1d7h30m13s"), "{hole}");
    let august = ingest(&sandbox, "vms", &folder.join("vm_metrics_2013-08.parquet"));
    assert_eq!(counts(&august), [336_442, 0, 25_560], "{august}");
    let other_values = "select count(*) as n from quarantine.vms where reason = 'same key and time, other values'";
    assert_eq!(number(&sandbox, other_values), 2.0);
    // No ingestion sees the hole between two months; what is stored does.
    let validated = sandbox.ok("featuregroup validate vms").stdout;
    assert!(validated.contains("found 68"), "{validated}");
    materialize(&sandbox, &["vm_features", "labels"]);
    let shares = "select count(*) as n from vm_features where mem_share is null or mem_share > 1";
    assert_eq!(number(&sandbox, shares), 0.0);
    sandbox.ok("dataset create vm_cpu:v1 --from 2013-07-20 --to 2013-08-10");
    let manifest = verified(&sandbox, "vm_cpu:v1/1");
    let expected = ["vms:v1: 213910, 0, 4, 110, 0", "vm_features:v1: 213910, 0, 4, 110, 0"];
    assert_eq!(joins(&manifest), expected);
    let sum = "label horizon 1h (`labels:v1.cpu_max_next_1h`) + longest lookback 1d15m (`vm_features:v1.cpu_lag_1d`) = 1d1h15m";
    assert_eq!(gap(&sandbox, "vm_cpu:v1/1"), sum);
    sandbox.ok("train --view vm_cpu:v1 --dataset 1");
}

#[test]
fn bitbrains_zombies_are_refused_with_all_they_came_with_where_nothing_is_set_aside() {
    let Some(folder) = real_data("bitbrains_rnd") else {
        return;
    };
    let sandbox = with_definitions("bitbrains");
    change(
        &sandbox,
        "feature_groups/vms.toml",
        "on_violation = \"quarantine\"\n",
        "",
    );
    sandbox.ok("apply");
    let file = folder.join("vm_metrics_2013-07.parquet");
    let refused = sandbox.refused(&format!("featuregroup ingest vms --from '{}'", file.display()));
    assert!(
        refused.contains("33861 of 337258 rows break the definition of `vms:v1`"),
        "{refused}"
    );
    assert!(refused.contains("same key and time, other values 2"), "{refused}");
    assert_eq!(number(&sandbox, "select count(*) as n from vms"), 0.0);
}

/// NAB's files have no entity column; what they are about stands in the name of the file.
fn with_machine(file: &Path, machine: &str) -> String {
    let text = std::fs::read_to_string(file).unwrap();
    let mut lines = text.lines();
    let mut out = format!("machine,{}\n", lines.next().unwrap());
    lines.for_each(|line| out.push_str(&format!("{machine},{line}\n")));
    out
}

#[test]
fn nab_machines_are_joined_as_of_their_own_minutes_and_become_a_model() {
    let Some(folder) = real_data("nab/realAWSCloudwatch") else {
        return;
    };
    let sandbox = repository("nab");
    for machine in ["24ae8d", "53ea38", "5f5533", "77c1ca", "825cc2", "c6585a", "fe7f93"] {
        let file = folder.join(format!("ec2_cpu_utilization_{machine}.csv"));
        sandbox.write(&format!("cpu_{machine}.csv"), &with_machine(&file, machine));
    }
    let cpu = ingest(&sandbox, "cpu", Path::new("cpu_*.csv"));
    assert_eq!(counts(&cpu), [28_224, 0, 0], "{cpu}");
    let [gap_found] = found(&cpu).try_into().unwrap();
    assert!(
        gap_found.contains("`825cc2` has no row from 2014-04-10T03:09:00Z"),
        "{gap_found}"
    );
    assert!(gap_found.contains("found 2, the longest 10m"), "{gap_found}");
    // The same machine, as far as one can tell.
    let network = with_machine(&folder.join("ec2_network_in_257a54.csv"), "825cc2");
    sandbox.write("network.csv", &network);
    ingest(&sandbox, "network", Path::new("network.csv"));
    materialize(&sandbox, &["cpu_features", "labels"]);
    // Two samples are missing: the windows that should hold one have a value less, and none reaches back further.
    let short = "select count(*) as n from cpu_features where rows_seen_1h = 11";
    assert_eq!(number(&sandbox, short), 29.0);
    let with_network = "select count(bytes_in) as n from cpu_features";
    assert_eq!(number(&sandbox, with_network), 4_032.0);
    sandbox.ok("train --view machine_cpu:v1");
    let manifest = verified(&sandbox, "machine_cpu:v1/1");
    let expected = ["cpu_features:v1: 28224, 0, 0, 0, 0", "network:v1: 4032, 24192, 0, 0, 0"];
    assert_eq!(joins(&manifest), expected);
    sandbox.ok("reproduce machine_cpu:v1");
}

#[test]
fn nab_times_without_a_zone_are_refused_until_one_is_stated() {
    let Some(folder) = real_data("nab/realAWSCloudwatch") else {
        return;
    };
    let sandbox = with_definitions("nab");
    let group = "feature_groups/network.toml";
    change(&sandbox, group, "time_zone = \"UTC\"\n", "");
    let network = with_machine(&folder.join("ec2_network_in_257a54.csv"), "825cc2");
    sandbox.write("network.csv", &network);
    sandbox.ok("apply");
    let refused = sandbox.refused("featuregroup ingest network --from network.csv");
    assert!(refused.contains("time_zone"), "{refused}");
    change(&sandbox, group, "version = 1", "version = 2\ntime_zone = \"UTC\"");
    sandbox.ok("apply");
    let receipt = ingest(&sandbox, "network", Path::new("network.csv"));
    assert_eq!(counts(&receipt), [4_032, 0, 0], "{receipt}");
}

#[test]
fn nab_hours_that_a_clock_skipped_or_wrote_twice_are_refused_or_set_aside() {
    let Some(folder) = real_data("nab/realKnownCause") else {
        return;
    };
    let sandbox = repository("nab");
    let latency = folder.join("ec2_request_latency_system_failure.csv");
    sandbox.write("latency.csv", &with_machine(&latency, "front"));
    let refused = sandbox.refused("featuregroup ingest latency --from latency.csv");
    assert!(
        refused.contains("12 of 4032 rows break the definition of `latency:v1`"),
        "{refused}"
    );
    let line =
        "latency.csv:558: `machine` = `front`, `timestamp` = `2014-03-09T07:00:00Z`: other values than latency.csv:559";
    assert!(refused.contains(line), "{refused}");
    assert_eq!(number(&sandbox, "select count(*) as n from latency"), 0.0);
    let temperature = folder.join("machine_temperature_system_failure.csv");
    sandbox.write("temperature.csv", &with_machine(&temperature, "press"));
    let receipt = ingest(&sandbox, "temperature", Path::new("temperature.csv"));
    assert_eq!(counts(&receipt), [22_671, 0, 24], "{receipt}");
    let lines = "select count(*) as n from quarantine.temperature where line between 10139 and 10162";
    assert_eq!(number(&sandbox, lines), 24.0);
}

/// The weather by the clocks of New York, as its file has them too.
const LOCAL: &str = "select origin, concat(year, '-', lpad(cast(month as varchar), 2, '0'), '-', lpad(cast(day as varchar), 2, '0'), ' ', \
                     lpad(cast(hour as varchar), 2, '0'), ':00:00') as local, temp from weather order by origin, time_hour";

#[test]
fn flights_are_joined_to_weather_planes_and_airports_by_different_keys() {
    let Some(folder) = real_data("nycflights13") else {
        return;
    };
    let sandbox = repository("nycflights13");
    let flights = ingest(&sandbox, "flights", &folder.join("flights_sample_100k.parquet"));
    assert_eq!(counts(&flights), [100_000, 0, 0], "{flights}");
    let weather = ingest(&sandbox, "weather", &folder.join("weather.csv"));
    assert_eq!(counts(&weather), [26_114, 0, 1], "{weather}");
    let [storm, gusts, gaps] = found(&weather).try_into().unwrap();
    assert!(storm.starts_with("1 of 26115 rows"), "{storm}");
    assert!(
        gusts.starts_with("`wind_gust` is NULL in 20777 of 26114 rows"),
        "{gusts}"
    );
    assert!(gaps.ends_with("found 46, the longest 6h"), "{gaps}");
    for group in ["planes", "airports"] {
        ingest(&sandbox, group, &folder.join(format!("{group}.csv")));
    }
    materialize(&sandbox, &["weather_features", "delays", "flight_features"]);
    // Nothing of the first day has landed for good before the second.
    let unknown =
        "select count(*) as n from flight_features where delay_to_dest is null and time_hour >= '2013-01-02T10:00:00Z'";
    assert_eq!(number(&sandbox, unknown), 0.0);
    let known = "select count(delay_to_dest) as n from flight_features where time_hour < '2013-01-02T10:00:00Z'";
    assert_eq!(number(&sandbox, known), 0.0);
    sandbox.ok("train --view arrivals:v1");
    let manifest = verified(&sandbox, "arrivals:v1/1");
    // A NULL is the key of nothing: the planes of 15,695 flights are not known, and 792 of these flights name none.
    assert_eq!(
        number(&sandbox, "select count(*) - count(tailnum) as n from flights"),
        792.0
    );
    let expected = [
        "weather:v1: 99713, 0, 0, 287, 0",
        "weather_features:v1: 99772, 0, 0, 228, 0",
        "delays:v1: 100000, 0, 0, 0, 0",
        "flight_features:v1: 100000, 0, 0, 0, 0",
        "planes:v1: 84305, 15695, 0, 0, 0",
        "airports:v1: 97736, 2264, 0, 0, 0",
        "airports:v1: 100000, 0, 0, 0, 0",
    ];
    assert_eq!(joins(&manifest), expected);
    let sum = "label horizon 1d (`flights:v1.arr_delay`) + longest lookback 1d4h (`delays:v1.flights_1d_ago`) = 2d4h";
    assert_eq!(gap(&sandbox, "arrivals:v1/1"), sum);
    sandbox.ok(&format!("query --to local.csv \"{LOCAL}\""));
    let refused = sandbox.refused("featuregroup ingest local_weather --from local.csv");
    assert!(refused.contains("6 of 26114 rows break the definition"), "{refused}");
    assert!(
        refused.contains("`local` is `2013-11-03 01:00:00`: this time was twice in America/New_York"),
        "{refused}"
    );
}

#[test]
fn flights_that_have_not_landed_yet_are_no_feature() {
    let sandbox = with_definitions("nycflights13");
    change(&sandbox, "feature_groups/delays.toml", "lag = \"1d\"", "lag = \"3h\"");
    let refused = sandbox.refused("plan");
    assert!(
        refused.contains("`delays:v1.delay_1d_ago` looks ahead, so it cannot be a model input"),
        "{refused}"
    );
    assert!(refused.contains("found horizon 21h"), "{refused}");
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
