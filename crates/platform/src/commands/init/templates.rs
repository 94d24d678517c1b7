//! The texts that `platform init` writes.

use super::infer::Inferred;

macro_rules! example {
    ($($file:literal),* $(,)?) => {
        &[$(($file, include_str!(concat!("../../../../../", $file)))),*]
    };
}

/// The running example: the very files of this project's own repository.
pub const EXAMPLE: &[(&str, &str)] = example![
    "platform.toml",
    "feature_groups/server_metrics.toml",
    "feature_groups/hosts.toml",
    "feature_groups/server_features.toml",
    "feature_groups/cpu_labels.toml",
    "feature_views/cpu_fv.toml",
    "pipelines/cpu_forecast.toml",
];

/// Definitions that fit a user's file.
pub fn for_file(inferred: &Inferred) -> Vec<(String, String)> {
    vec![
        ("platform.toml".to_owned(), SETTINGS.to_owned()),
        (".gitignore".to_owned(), ".platform/\n".to_owned()),
        ("feature_groups/metrics.toml".to_owned(), metrics(inferred)),
        ("feature_groups/labels.toml".to_owned(), labels(inferred)),
        ("feature_views/forecast_fv.toml".to_owned(), view(inferred)),
        ("pipelines/forecast.toml".to_owned(), pipeline(inferred)),
    ]
}

const SETTINGS: &str = "[storage]\nroot = \".platform\"\n\n[registry]\nurl = \"sqlite:.platform/registry.db\"\n";

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn entity_list(inferred: &Inferred) -> String {
    let columns = inferred.entity.iter().map(|column| {
        let name = quoted(column.name.as_str());
        match column.data_type {
            definitions::DataType::Utf8 => name,
            other => format!("{{ name = {name}, type = \"{}\" }}", other.word()),
        }
    });
    columns.collect::<Vec<_>>().join(", ")
}

fn metrics(inferred: &Inferred) -> String {
    let mut text = format!(
        "name = \"metrics\"\nversion = 1\ndescription = {}\nentity = [{}]\nevent_time = {}\n",
        quoted(&format!("as found in {}", inferred.file)),
        entity_list(inferred),
        quoted(inferred.time.as_str()),
    );
    if let Some(zone) = &inferred.time_zone {
        text.push_str(&format!("time_zone = {}\n", quoted(zone)));
    }
    // A file of one's own may hold anything: what breaks the definition is set aside, and of two rows with one key and time the
    // later one in the file counts.
    text.push_str("mode = \"append\"\non_violation = \"quarantine\"\n");
    if inferred.truncate {
        text.push_str("truncate = true   # times are finer than a microsecond\n");
    }
    if !inferred.null_values.is_empty() {
        let values: Vec<String> = inferred.null_values.iter().map(|value| quoted(value)).collect();
        text.push_str(&format!("null_values = [{}]\n", values.join(", ")));
    }
    let renamed: Vec<String> = inferred
        .file_columns
        .iter()
        .filter(|(name, file)| name.as_str() != file.as_str())
        .map(|(name, file)| format!("{name} = {}", quoted(file)))
        .collect();
    if !renamed.is_empty() {
        text.push_str(&format!("columns = {{ {} }}\n", renamed.join(", ")));
    }
    for feature in &inferred.features {
        text.push_str(&format!(
            "\n[[features]]\nname = {}\ntype = \"{}\"\n",
            quoted(feature.name.as_str()),
            feature.data_type.word()
        ));
    }
    text
}

/// The label: what the target does within the horizon, computed from the rows themselves.
fn labels(inferred: &Inferred) -> String {
    let (target, horizon, time) = (&inferred.target, inferred.horizon, inferred.time.as_str());
    format!(
        "name = \"labels\"\nversion = 1\ndescription = {}\nentity = [{}]\nevent_time = {}\n\n\
         # Computed: `platform featuregroup materialize labels`. A row's label is there once its time is over.\n\
         [derive]\nfrom = [\"metrics:v1\"]\n\n\
         [[features]]\nname = {}\nof = {}\nlead = \"{horizon}\"   # over ({time}, {time} + {horizon}]: the split's gap comes from it\n\
         aggregate = \"max\"        # or mean, last, count, \"quantile(0.9)\", …\n",
        quoted(&format!("the largest {target} within {horizon}")),
        entity_list(inferred),
        quoted(time),
        quoted(&inferred.label()),
        quoted(target.as_str()),
    )
}

fn view(inferred: &Inferred) -> String {
    let columns: Vec<String> = inferred
        .features
        .iter()
        .map(|feature| quoted(feature.name.as_str()))
        .collect();
    format!(
        "name = \"forecast_fv\"\nversion = 1\ndescription = {}\n\n[labels]\ngroup = \"labels:v1\"\ncolumns = [{}]\n\n\
         [[features]]\ngroup = \"metrics:v1\"\ncolumns = [{}]\n\n\
         [split]\nstrategy = \"time\"\nvalidation = 0.15\ntest = 0.15\ngap = \"auto\"\n",
        quoted(&format!("the largest {} within {}", inferred.target, inferred.horizon)),
        quoted(&inferred.label()),
        columns.join(", "),
    )
}

fn pipeline(inferred: &Inferred) -> String {
    format!(
        "name = \"forecast\"\nview = \"forecast_fv:v1\"\nmodel = \"forecaster\"\nseed = 42\n\n\
         [train]\nlearner = \"lightgbm\"\n\n[train.lightgbm]\nnum_leaves = 31\nlearning_rate = 0.05\nrounds = 500\nearly_stopping = 50\n\n\
         [evaluate]\nmetrics = [\"mae\", \"rmse\", \"r2\"]\nbaselines = [\"last_value\", \"mean\"]\n\n\
         [gate]\nbeats = [\"mean\"]\n\n[card]\nintended_use = {}\n",
        quoted(&format!(
            "forecasts the largest {} within {}",
            inferred.target, inferred.horizon
        )),
    )
}
