//! What definitions mean, and what a wrong one is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may")]

mod bad_inputs;
mod good_inputs;
mod resolved;
mod stable;

use std::collections::BTreeMap;

use definitions::{Catalog, Problems};

/// A small repository in which everything is right.
pub const REPOSITORY: [(&str, &str); 5] = [
    (
        "feature_groups/cpu_labels.toml",
        r#"name = "cpu_labels"
version = 1
entity = ["host"]
event_time = "ts"

[[features]]
name = "cpu_max_next_1h"
type = "float64"
horizon = "1h"

[[features]]
name = "is_hot"
type = "bool"
horizon = "30m"
"#,
    ),
    (
        "feature_groups/hosts.toml",
        r#"name = "hosts"
version = 1
entity = ["host"]
static = true

[[features]]
name = "instance_type"
type = "utf8"

[[features]]
name = "region"
type = "utf8"
"#,
    ),
    (
        "feature_groups/server_metrics.toml",
        r#"name = "server_metrics"
version = 1
entity = ["host"]
event_time = "ts"

[[features]]
name = "cpu_percent"
type = "float64"
expect = { min = 0.0, max = 100.0, max_null_fraction = 0.01 }

[[features]]
name = "kernel"
type = "utf8"
"#,
    ),
    (
        "feature_views/cpu_fv.toml",
        r#"name = "cpu_fv"
version = 1

[labels]
group = "cpu_labels:v1"
columns = ["cpu_max_next_1h"]

[[features]]
group = "server_metrics:v1"
columns = ["cpu_percent"]
max_age = "15m"

[[features]]
group = "hosts:v1"
columns = ["instance_type"]
helpers = ["region"]

[split]
strategy = "time"
validation = 0.15
test = 0.15
gap = "auto"
"#,
    ),
    (
        "pipelines/cpu_forecast.toml",
        r#"name = "cpu_forecast"
view = "cpu_fv:v1"
model = "cpu_forecaster"

[train]
learner = "lightgbm"

[train.lightgbm]
num_leaves = 63

[evaluate]
metrics = ["mae", "rmse"]
slices = ["region"]
baselines = ["last_value"]

[gate]
mae = { max = 4.0 }
slice_mae = { max_ratio = 1.5 }
beats = ["last_value", "champion"]

[card]
owner = "sre"
"#,
    ),
];

/// The repository's files by path, to be changed.
pub fn files() -> BTreeMap<String, String> {
    REPOSITORY
        .iter()
        .map(|(file, text)| ((*file).to_owned(), (*text).to_owned()))
        .collect()
}

/// Replaces the only place of `old` in a file.
pub fn change(files: &mut BTreeMap<String, String>, file: &str, old: &str, new: &str) {
    let text = files.get_mut(file).unwrap_or_else(|| panic!("no file `{file}`"));
    assert!(text.contains(old), "`{old}` is not in `{file}`");
    *text = text.replacen(old, new, 1);
}

/// Reads the files and checks them against each other.
pub fn checked(files: &BTreeMap<String, String>) -> Result<Catalog, Problems> {
    let files: Vec<(String, String)> = files.clone().into_iter().collect();
    let mut catalog = Catalog::parse(&files)?;
    catalog.complete(&BTreeMap::new())?;
    catalog.check(&BTreeMap::new(), &BTreeMap::new())?;
    Ok(catalog)
}
