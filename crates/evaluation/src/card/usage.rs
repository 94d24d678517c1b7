//! How to load, use and rebuild the model: commands and code that can be pasted.

use super::CardEvidence;
use super::markdown::Markdown;

/// Reads rows, prepares them as training did, and predicts; runs with lightgbm, pandas and pyarrow.
const PYTHON: &str = r#"import json
import lightgbm
import pandas

rows = pandas.read_parquet("rows.parquet")
preparation = json.load(open("preprocessing.json"))["columns"]

def numbers(name, encoding):
    values = rows[name]
    if encoding["kind"] in ("texts", "codes"):  # categories are places in a list; others are unknown
        return values.map({value: place for place, value in enumerate(encoding["values"])})
    if encoding["kind"] == "days":
        return (pandas.to_datetime(values) - pandas.Timestamp("1970-01-01")) / pandas.Timedelta(days=1)
    if encoding["kind"] == "seconds":
        return (pandas.to_datetime(values, utc=True) - pandas.Timestamp("1970-01-01", tz="UTC")) / pandas.Timedelta(seconds=1)
    return values

inputs = pandas.DataFrame({c["name"]: numbers(c["name"], c["encoding"]).astype("float64") for c in preparation})
predictions = lightgbm.Booster(model_file="model.txt").predict(inputs)"#;

/// What LightGBM leaves to do after the code above.
const ONE_AGAINST_ALL: &str = "One against all asks a question for each class, so LightGBM's numbers of a row need not add up to one. The \
                               platform divides them by their sum, and so must you: \
                               `predictions / predictions.sum(axis=1, keepdims=True)` (all alike where the sum is 0).";

pub(super) fn how_to_use(text: &mut Markdown, evidence: &CardEvidence) {
    let model = &evidence.model;
    text.heading(2, "How to load");
    match &evidence.forecast {
        Some(forecast) => ask_ahead(text, model, &forecast.known_future),
        None => ask_rows(text, model),
    }
    if evidence.training.learner == "lightgbm" {
        text.paragraph("In Python, with nothing but LightGBM, from the model's files:");
        text.code("sh", &format!("platform registry pull {model} --to model && cd model"));
        text.code("python", PYTHON);
        if let Some(classes) = &evidence.data.classes {
            text.paragraph(&class_words(classes));
            if evidence.training.objective == "multiclassova" {
                text.paragraph(ONE_AGAINST_ALL);
            }
        }
    }
    let rows = evidence
        .files
        .iter()
        .map(|file| vec![format!("`{}`", file.name), format!("`{}`", file.sha256)]);
    text.table(&["file", "SHA-256"], rows);
    text.heading(2, "How to reproduce");
    text.paragraph(
        "This rebuilds the dataset from the pinned versions of its groups, compares its fingerprint, trains again and compares the \
         model byte by byte:",
    );
    text.code("sh", &format!("platform reproduce {model}"));
}

fn class_words(classes: &[String]) -> String {
    match classes {
        [_, second] => format!("A prediction is the probability of `{second}`."),
        _ => {
            let names: Vec<String> = classes.iter().map(|class| format!("`{class}`")).collect();
            format!(
                "A prediction is a probability for each of {}, in this order.",
                names.join(", ")
            )
        }
    }
}

fn ask_rows(text: &mut Markdown, model: &str) {
    text.paragraph(
        "With the platform: on rows that hold the inputs, or on entities and times, whose inputs it looks up itself.",
    );
    text.code(
        "sh",
        &format!("platform predict {model} --from rows.parquet --to predictions.parquet\nplatform predict {model} --entities entities.csv --to predictions.csv"),
    );
}

fn ask_ahead(text: &mut Markdown, model: &str, known_future: &[String]) {
    text.paragraph("With the platform: entities and a time; it reads what happened before through the view.");
    text.code(
        "sh",
        &format!("platform predict {model} --entities entities.csv --at 2026-01-31T12:00:00Z --to forecasts.csv"),
    );
    if !known_future.is_empty() {
        let names: Vec<String> = known_future.iter().map(|name| format!("`{name}`")).collect();
        text.paragraph(&format!(
            "Known in advance, for every step ahead: {}. What neither the calendar nor the feature groups say comes from `--known FILE`.",
            names.join(", ")
        ));
    }
}
