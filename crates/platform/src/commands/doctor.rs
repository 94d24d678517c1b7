//! `platform doctor`: is everything there, and is it what was recorded?

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use clap::Args;
use definitions::{FeatureGroup, Fingerprint};
use feature_store::dataset::{load_manifest, verify};
use feature_store::{GroupPin, PinAt, PinnedFile, Store, StoreError, pin_group, scan_group};
use futures::TryStreamExt;
use registry::{Registry, StoredFolder, StoredKind};
use serde::Serialize;
use serde_json::json;

use super::gc::{LeftOver, left_overs};
use crate::failure::{Failure, Outcome, chain};
use crate::repository::Repository;
use crate::{Context, applied, ingestions, screen};

/// Check the registry, every dataset, every model and every table; say what is wrong.
///
/// Without options: the registry's own consistency; every registered file of a model and every manifest by its SHA-256; every data file
/// of a dataset, and of the newest and the pinned versions of every table, by its size. What `platform gc` would remove is named too, as
/// a note: it is no damage.
#[derive(Args)]
pub struct Doctor {
    /// Also read every dataset's content, and compare every hash and fingerprint with its manifest.
    #[arg(long)]
    full: bool,
    /// Also decode every data file of the newest and the pinned versions of every table: every page can be read, and the rows are in
    /// order and as many as were recorded.
    #[arg(long)]
    deep: bool,
}

/// What is wrong with something.
#[derive(Debug, Serialize)]
struct Finding {
    what: String,
    wrong: String,
    hint: Option<String>,
}

/// What is known of a folder's files besides those whose hashes the registry has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Contents {
    /// A dataset's manifest names them.
    OfADataset,
    /// Nothing.
    Unchecked,
}

#[derive(Default)]
struct Examination {
    checked: usize,
    findings: Vec<Finding>,
    notes: Vec<LeftOver>,
    /// Data files that were decoded: each once, however many versions have it.
    decoded: BTreeSet<PathBuf>,
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
        let datasets = registry.datasets(None).await?;
        let changed = datasets.iter().filter(|dataset| dataset.unreproducible.is_some());
        let changed: BTreeSet<String> = changed.map(|dataset| dataset.reference.to_string()).collect();
        for folder in registry.stored_folders().await? {
            // Something was taken out of it on purpose, and it says so.
            let contents = if folder.kind == StoredKind::Dataset && !changed.contains(&folder.reference) {
                Contents::OfADataset
            } else {
                Contents::Unchecked
            };
            self.check_folder(&repository, &folder, contents, &mut examination);
        }
        self.check_tables(&repository, &registry, &mut examination).await?;
        self.check_pins(&repository, &registry, &mut examination).await?;
        if examination.findings.is_empty() {
            // What is needed by whom can be told only where everything can be read.
            examination.notes = left_overs(&repository, &registry).await?;
        }
        report(context, &examination)
    }

    fn check_folder(
        &self,
        repository: &Repository,
        folder: &StoredFolder,
        contents: Contents,
        examination: &mut Examination,
    ) {
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
        if contents == Contents::OfADataset {
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
        StoredKind::Model => Some(format!("platform reproduce {} --restore", folder.reference)),
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

impl Doctor {
    /// Every table can be pinned, keeps what is pinned, and its ingestions stand in the registry.
    async fn check_tables(
        &self,
        repository: &Repository,
        registry: &Registry,
        examination: &mut Examination,
    ) -> Outcome {
        let store = repository.store()?;
        for (reference, group) in applied::groups(registry).await? {
            examination.checked += 1;
            feature_store::create_table(&store, &group).await?;
            match pin_group(&store, &group, PinAt::Newest).await {
                Ok(pin) => {
                    let what = reference.to_string();
                    self.check_files(repository, &what, &group, &pin, examination).await?;
                }
                Err(error) => examination.wrong(reference.to_string(), chain(&error), error.hint()),
            }
            if let Err(failure) = ingestions::reconcile(&store, registry, &group).await {
                examination.wrong(reference.to_string(), failure.message, failure.hint);
            }
        }
        Ok(())
    }

    /// What datasets pin is there.
    async fn check_pins(&self, repository: &Repository, registry: &Registry, examination: &mut Examination) -> Outcome {
        let datasets = registry.datasets(None).await?;
        for dataset in datasets.into_iter().filter(|dataset| dataset.unreproducible.is_none()) {
            let Ok(manifest) = load_manifest(&repository.storage.join(&dataset.path)) else {
                continue;
            };
            for pin in &manifest.pins {
                let what = format!(
                    "{} pins {} at Delta version {}",
                    dataset.reference, pin.group, pin.delta_version
                );
                if let Some(group) = manifest.definitions.groups.get(&pin.group) {
                    self.check_files(repository, &what, &group.definition, pin, examination)
                        .await?;
                }
            }
        }
        Ok(())
    }

    async fn check_files(
        &self,
        repository: &Repository,
        what: &str,
        group: &FeatureGroup,
        pin: &GroupPin,
        examination: &mut Examination,
    ) -> Outcome {
        let store = repository.store()?;
        for file in &pin.files {
            examination.checked += 1;
            let path = store.group_folder(&pin.group).join(&file.path);
            let length = std::fs::metadata(&path).map(|metadata| metadata.len());
            if length.as_ref().ok() != Some(&file.bytes) {
                let found = length.map_or_else(|error| error.to_string(), |bytes| format!("{bytes} bytes"));
                let shown = repository.shown(&path);
                let wrong = format!("`{shown}`: wanted {} bytes, found {found}", file.bytes);
                examination.wrong(what, wrong, None);
            } else if self.deep && examination.decoded.insert(path.clone()) {
                examination.checked += 1;
                if let Err(error) = decode(&store, group, pin, file).await {
                    let wrong = format!("`{}` cannot be read: {}", repository.shown(&path), chain(&error));
                    examination.wrong(what, wrong, None);
                }
            }
        }
        Ok(())
    }
}

/// Reads a data file to its end: every page, the order of its rows, and their number.
async fn decode(store: &Store, group: &FeatureGroup, pin: &GroupPin, file: &PinnedFile) -> Result<(), StoreError> {
    let alone = GroupPin {
        files: vec![file.clone()],
        ..pin.clone()
    };
    let columns: Vec<_> = group.stored_columns().into_iter().map(|(name, _)| name).collect();
    let scan = scan_group(store, group, &alone, &columns, None).await?;
    scan.batches.try_for_each(|_| std::future::ready(Ok(()))).await
}

fn report(context: &Context, examination: &Examination) -> Outcome {
    let count = examination.findings.len();
    if context.json {
        screen::json(&json!({
            "checked": examination.checked, "findings": examination.findings, "notes": examination.notes,
        }))?;
    } else {
        for finding in &examination.findings {
            screen::line(format!("{}: {}", finding.what, finding.wrong))?;
            if let Some(hint) = &finding.hint {
                screen::line(format!("  hint: {hint}"))?;
            }
        }
        for note in &examination.notes {
            screen::line(format!(
                "note: {} `{}`, {}",
                note.kind,
                note.what,
                screen::bytes(note.bytes)
            ))?;
        }
        if !examination.notes.is_empty() {
            screen::line("  hint: platform gc")?;
        }
    }
    match count {
        0 if context.json => Ok(()),
        0 => screen::line(format!(
            "{}: nothing is wrong",
            screen::things(examination.checked, "check")
        )),
        1 => Err(Failure::input("1 thing is wrong")),
        many => Err(Failure::input(format!("{many} things are wrong"))),
    }
}
