//! `platform doctor`: is everything there, and is it what was recorded?

use std::fs::File;
use std::path::Path;

use clap::Args;
use definitions::Fingerprint;
use feature_store::dataset::{load_manifest, verify};
use feature_store::{PinAt, pin_group};
use registry::{Registry, StoredFolder, StoredKind};
use serde::Serialize;
use serde_json::json;

use crate::failure::{Failure, Outcome, chain};
use crate::repository::Repository;
use crate::{Context, applied, ingestions, screen};

/// Check the registry, every dataset, every model and every table; say what is wrong.
#[derive(Args)]
pub struct Doctor {
    /// Also read every dataset's content, not only its manifest.
    #[arg(long)]
    full: bool,
}

/// What is wrong with something.
#[derive(Debug, Serialize)]
struct Finding {
    what: String,
    wrong: String,
    hint: Option<String>,
}

#[derive(Default)]
struct Examination {
    checked: usize,
    findings: Vec<Finding>,
}

impl Examination {
    fn wrong(&mut self, what: impl Into<String>, wrong: impl Into<String>, hint: Option<String>) {
        self.findings.push(Finding {
            what: what.into(),
            wrong: wrong.into(),
            hint,
        });
    }
}

impl Doctor {
    /// Exits with 1 when anything is wrong.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let mut examination = Examination::default();
        check_registry(&registry, &mut examination).await?;
        for folder in registry.stored_folders().await? {
            self.check_folder(&repository, &folder, &mut examination);
        }
        check_tables(&repository, &registry, &mut examination).await?;
        check_pins(&repository, &registry, &mut examination).await?;
        report(context, &examination)
    }

    fn check_folder(&self, repository: &Repository, folder: &StoredFolder, examination: &mut Examination) {
        let place = repository.storage.join(&folder.path);
        for file in &folder.files {
            examination.checked += 1;
            let path = place.join(&file.name);
            let what = format!("{} `{}`", folder.reference, repository.shown(&path));
            match File::open(&path).and_then(Fingerprint::of_reader) {
                Ok((found, _)) if found == file.sha256 => {}
                Ok((found, _)) => {
                    let wrong = format!("is not what was recorded: wanted sha256 {}, found {found}", file.sha256);
                    examination.wrong(what, wrong, remedy(folder));
                }
                Err(error) => examination.wrong(what, format!("cannot be read: {error}"), remedy(folder)),
            }
        }
        if folder.kind == StoredKind::Dataset {
            self.check_dataset(&place, folder, examination);
        }
    }

    fn check_dataset(&self, place: &Path, folder: &StoredFolder, examination: &mut Examination) {
        if self.full {
            match verify(place) {
                Ok(verification) => {
                    for difference in verification.differences {
                        examination.wrong(&folder.reference, difference.to_string(), remedy(folder));
                    }
                }
                Err(error) => examination.wrong(&folder.reference, chain(&error), remedy(folder)),
            }
            return;
        }
        let Ok(manifest) = load_manifest(place) else { return };
        for file in manifest.files() {
            examination.checked += 1;
            let length = std::fs::metadata(place.join(&file.path)).map(|metadata| metadata.len());
            if length.as_ref().ok() != Some(&file.bytes) {
                let found = length.map_or_else(|error| error.to_string(), |bytes| format!("{bytes} bytes"));
                let wrong = format!("`{}`: wanted {} bytes, found {found}", file.path, file.bytes);
                examination.wrong(&folder.reference, wrong, remedy(folder));
            }
        }
    }
}

fn remedy(folder: &StoredFolder) -> Option<String> {
    match folder.kind {
        StoredKind::Model => Some(format!("platform reproduce {}", folder.reference)),
        StoredKind::Dataset => {
            let view = folder.reference.split('/').next().unwrap_or_default();
            Some(format!("platform dataset create {view} --force"))
        }
        StoredKind::Run => None,
    }
}

async fn check_registry(registry: &Registry, examination: &mut Examination) -> Outcome {
    let report = registry.check().await?;
    examination.checked += 1;
    for wrong in report.integrity {
        examination.wrong("registry", wrong, None);
    }
    for broken in report.foreign_keys {
        let row = broken.row.map_or_else(String::new, |row| format!(" row {row}"));
        examination.wrong(
            "registry",
            format!("table `{}`{row} refers to nothing in `{}`", broken.table, broken.parent),
            None,
        );
    }
    Ok(())
}

/// Every table can be pinned, keeps what is pinned, and its ingestions stand in the registry.
async fn check_tables(repository: &Repository, registry: &Registry, examination: &mut Examination) -> Outcome {
    let store = repository.store()?;
    for (reference, group) in applied::groups(registry).await? {
        examination.checked += 1;
        feature_store::create_table(&store, &group).await?;
        match pin_group(&store, &group, PinAt::Newest).await {
            Ok(pin) => check_files(
                repository,
                &reference.to_string(),
                &store.group_folder(&reference),
                &pin,
                examination,
            ),
            Err(error) => examination.wrong(reference.to_string(), chain(&error), error.hint()),
        }
        if let Err(failure) = ingestions::reconcile(&store, registry, &group).await {
            examination.wrong(reference.to_string(), failure.message, failure.hint);
        }
    }
    Ok(())
}

/// What datasets pin is there.
async fn check_pins(repository: &Repository, registry: &Registry, examination: &mut Examination) -> Outcome {
    let store = repository.store()?;
    for dataset in registry.datasets(None).await? {
        let Ok(manifest) = load_manifest(&repository.storage.join(&dataset.path)) else {
            continue;
        };
        for pin in &manifest.pins {
            let what = format!(
                "{} pins {} at Delta version {}",
                dataset.reference, pin.group, pin.delta_version
            );
            check_files(repository, &what, &store.group_folder(&pin.group), pin, examination);
        }
    }
    Ok(())
}

fn check_files(
    repository: &Repository,
    what: &str,
    folder: &Path,
    pin: &feature_store::GroupPin,
    examination: &mut Examination,
) {
    for file in &pin.files {
        examination.checked += 1;
        let path = folder.join(&file.path);
        let length = std::fs::metadata(&path).map(|metadata| metadata.len());
        if length.as_ref().ok() != Some(&file.bytes) {
            let found = length.map_or_else(|error| error.to_string(), |bytes| format!("{bytes} bytes"));
            let wrong = format!(
                "`{}`: wanted {} bytes, found {found}",
                repository.shown(&path),
                file.bytes
            );
            examination.wrong(what, wrong, None);
        }
    }
}

fn report(context: &Context, examination: &Examination) -> Outcome {
    let count = examination.findings.len();
    if context.json {
        screen::json(&json!({ "checked": examination.checked, "findings": examination.findings }))?;
    } else {
        for finding in &examination.findings {
            screen::line(format!("{}: {}", finding.what, finding.wrong))?;
            if let Some(hint) = &finding.hint {
                screen::line(format!("  hint: {hint}"))?;
            }
        }
    }
    match count {
        0 if context.json => Ok(()),
        0 => screen::line(format!(
            "{} checks: nothing is wrong",
            screen::count(examination.checked as u64)
        )),
        1 => Err(Failure::input("1 thing is wrong")),
        many => Err(Failure::input(format!("{many} things are wrong"))),
    }
}
