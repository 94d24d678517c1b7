//! `platform reproduce`: a registered model made once more from its pins, and compared, line by line.

use std::io::Write;
use std::path::Path;

use clap::Args;
use definitions::{Fingerprint, ModelRef, Pipeline, WallTime};
use feature_store::dataset::Manifest;
use registry::{ModelVersionRecord, Reproduction};
use serde::Serialize;
use serde_json::json;

use crate::failure::{Failure, Outcome, at_path};
use crate::repository::Repository;
use crate::screen::{self, Table};
use crate::training::{Artefacts, Lesson};
use crate::{Context, applied, datasets, software};

/// Rebuild a model's dataset from its pins, retrain, and compare everything.
#[derive(Args)]
pub struct Reproduce {
    /// `cpu_forecaster:v3`, `cpu_forecaster@champion` or `cpu_forecaster`.
    model: ModelRef,
    /// Write the model's files back where the registered ones are missing or damaged, if the bytes that were made again are exactly the
    /// registered ones.
    #[arg(long)]
    restore: bool,
}

/// A file that was put back.
#[derive(Debug, Serialize)]
struct Restored {
    file: String,
    /// What was there: another SHA-256, or why nothing could be read.
    was: String,
}

/// What was compared, and what was put back meanwhile.
#[derive(Default)]
struct Comparison {
    lines: Vec<Line>,
    restored: Vec<Restored>,
}

/// One thing that was compared.
#[derive(Debug, Serialize)]
struct Line {
    what: String,
    registered: String,
    found: String,
    same: bool,
}

impl Line {
    fn new(what: impl Into<String>, registered: impl ToString, found: impl ToString) -> Self {
        let (registered, found) = (registered.to_string(), found.to_string());
        Self {
            what: what.into(),
            same: registered == found,
            registered,
            found,
        }
    }
}

impl Reproduce {
    /// Exits with 1 on any difference.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let record = registry.resolve(&self.model).await?;
        let pipeline: Pipeline = applied::definition_of(&registry.pipeline_of_run(record.run).await?)?;
        let dataset = registry.dataset(&record.dataset).await?;
        datasets::check_reproducible(&dataset)?;
        let again = self
            .compare(&repository, &record, &dataset, &pipeline, context.threads)
            .await?;
        let lines = &again.lines;
        let passed = lines.iter().all(|line| line.same);
        let report = serde_json::to_value(lines)?;
        let at = WallTime::now();
        registry
            .record_reproduction(&record.reference, &Reproduction { passed, report, at })
            .await?;
        print(context, &record, &again, passed)?;
        if passed {
            return Ok(());
        }
        let differing: Vec<_> = lines
            .iter()
            .filter(|line| !line.same)
            .map(|line| format!("`{}`", line.what))
            .collect();
        Err(Failure::input(format!(
            "{} was not reproduced: {} differ",
            record.reference,
            differing.join(", ")
        ))
        .hint("platform doctor"))
    }

    async fn compare(
        &self,
        repository: &Repository,
        record: &ModelVersionRecord,
        dataset: &registry::Dataset,
        pipeline: &Pipeline,
        threads: usize,
    ) -> Outcome<Comparison> {
        let manifest = datasets::recorded_manifest(repository, dataset)?;
        let staging = repository.staging()?;
        let mut rebuilt = datasets::rebuild(repository, &manifest, staging.path()).await?.manifest;
        let mut lines = compare_rows(&manifest, &rebuilt);
        if manifest.has_lost_its_gap() {
            // What its baselines did not see then, they must not see now.
            rebuilt.gap_rows = None;
        }
        lines.push(Line::new("dataset", record.dataset_fingerprint, rebuilt.fingerprint));
        let lesson = Lesson {
            folder: staging.path(),
            manifest: &rebuilt,
            pipeline,
            rivals: &[],
            threads,
            learner: record.learner.parse()?,
            checkpoint: None,
            resume: None,
            telemetry: None,
        };
        let trained = super::train::fit(&lesson)?;
        let files = Artefacts::of(&trained)?;
        let mut again = Comparison {
            lines,
            ..Comparison::default()
        };
        for artefact in record.artefacts.iter().filter(|artefact| artefact.name != "card.md") {
            let path = repository.storage.join(&record.path).join(&artefact.name);
            self.compare_file(&mut again, artefact, files.get(&artefact.name), &path, staging.path())?;
        }
        if let Some(part) = trained.evaluation.gated_part() {
            for score in &part.model {
                let name = score.metric.to_string();
                let registered = record.metrics.as_ref().and_then(|metrics| metrics.get(&name)).cloned();
                let registered = registered.unwrap_or(serde_json::Value::Null);
                again.lines.push(Line::new(name, registered, json!(score.value)));
            }
        }
        Ok(again)
    }

    /// The bytes made again and those on disk, both against what was registered; puts the file back where that is asked for.
    fn compare_file(
        &self,
        again: &mut Comparison,
        artefact: &registry::Artefact,
        made: Option<&[u8]>,
        path: &Path,
        staging: &Path,
    ) -> Outcome {
        let (name, registered) = (&artefact.name, artefact.sha256);
        let print = made.map_or_else(|| "none".to_owned(), |made| Fingerprint::of(made).to_string());
        again.lines.push(Line::new(name, registered, print));
        let mut found = on_disk(path);
        if let Some(bytes) = made.filter(|made| self.restore && Fingerprint::of(made) == registered)
            && found != registered.to_string()
        {
            put_back(staging, path, bytes)?;
            let (file, was) = (name.clone(), std::mem::replace(&mut found, on_disk(path)));
            again.restored.push(Restored { file, was });
        }
        again
            .lines
            .push(Line::new(format!("{name} on disk"), registered, found));
        Ok(())
    }
}

/// The SHA-256 of a file, or why it cannot be read.
fn on_disk(path: &Path) -> String {
    let print = std::fs::read(path).map(|bytes| Fingerprint::of(&bytes).to_string());
    print.unwrap_or_else(|error| error.to_string())
}

/// Writes a file in one step: whoever reads sees what was there before or all of it.
fn put_back(staging: &Path, path: &Path, bytes: &[u8]) -> Outcome {
    let half = staging.join("restored");
    let mut file = std::fs::File::create(&half).map_err(at_path(&half))?;
    file.write_all(bytes).map_err(at_path(&half))?;
    file.sync_all().map_err(at_path(&half))?;
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).map_err(at_path(folder))?;
    std::fs::rename(&half, path).map_err(at_path(path))?;
    let folder_file = std::fs::File::open(folder).map_err(at_path(folder))?;
    folder_file.sync_all().map_err(at_path(folder))
}

/// The rows and the content of each part, and of the gap where it was kept.
fn compare_rows(registered: &Manifest, rebuilt: &Manifest) -> Vec<Line> {
    let of_parts = registered.parts.iter().map(|part| {
        let found = rebuilt.part(part.part).map(|part| (part.rows, part.fingerprint));
        (part.part.name(), (part.rows, part.fingerprint), found)
    });
    let of_gap = registered.gap_rows.iter().map(|gap| {
        let found = rebuilt.gap_rows.as_ref().map(|gap| (gap.rows, gap.fingerprint));
        ("gap", (gap.rows, gap.fingerprint), found)
    });
    let both = of_parts.chain(of_gap).flat_map(|(name, (rows, content), found)| {
        let of_found = found.map_or_else(|| "none".to_owned(), |(_, content)| content.to_string());
        [
            Line::new(format!("rows of {name}"), rows, found.map_or(0, |(rows, _)| rows)),
            Line::new(format!("content of {name}"), content, of_found),
        ]
    });
    both.collect()
}

fn print(context: &Context, record: &ModelVersionRecord, again: &Comparison, passed: bool) -> Outcome {
    let (then, now) = (&record.software, serde_json::to_value(software::versions())?);
    if context.json {
        return screen::json(&json!({
            "model": record.reference, "passed": passed, "lines": again.lines, "restored": again.restored,
            "software": { "registered": then, "now": now },
        }));
    }
    let mut table = Table::new(&["compared", "registered", "made again", "same"]);
    for line in &again.lines {
        let short = |text: &str| {
            if text.len() == 64 {
                text.chars().take(12).collect()
            } else {
                text.to_owned()
            }
        };
        let same = if line.same { "yes" } else { "NO" };
        table.row([
            line.what.clone(),
            short(&line.registered),
            short(&line.found),
            same.to_owned(),
        ]);
    }
    table.print()?;
    for Restored { file, was } in &again.restored {
        let was = if was.len() == 64 { "damaged" } else { was.as_str() };
        screen::line(format!("restored {file}, before: {was}"))?;
    }
    if *then != now {
        screen::line(format!("software then: {then}"))?;
        screen::line(format!("software now:  {now}"))?;
    }
    if passed {
        screen::line(format!(
            "{} is reproduced: every byte and number is the same",
            record.reference
        ))
    } else {
        Ok(())
    }
}
