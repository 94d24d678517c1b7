//! `platform gc`: left-overs of commands that died, and table files that neither the newest version nor a dataset needs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Args;
use definitions::{Duration, FeatureGroup, GroupRef, WallTime};
use feature_store::dataset::load_manifest;
use feature_store::ingest::Earnest;
use feature_store::{GroupPin, RemovedFile, VacuumRequest, vacuum};
use registry::Registry;
use serde::Serialize;
use serde_json::json;

use crate::failure::{Failure, Outcome, at_path};
use crate::ingestions::WritingRight;
use crate::repository::Repository;
use crate::screen::{self, Table};
use crate::{Context, applied, holder};

/// Younger things may be part of work that goes on.
const GRACE: &str = "24h";

/// List and remove what commands that died have left, and table files nobody needs.
#[derive(Args)]
pub struct Gc {
    /// List only.
    #[arg(long)]
    dry_run: bool,
    /// Keep what is younger than this: other commands may be at work.
    #[arg(long, value_name = "DURATION", default_value = GRACE)]
    grace: Duration,
}

/// Something that nobody needs.
#[derive(Debug, Serialize)]
pub struct LeftOver {
    /// What sort of thing it is.
    pub kind: &'static str,
    /// Where it lies.
    pub what: String,
    /// Its size.
    pub bytes: u64,
}

/// What `platform gc` would remove now, without waiting for anybody: nothing is removed, so nobody's work is in danger.
pub async fn left_overs(repository: &Repository, registry: &Registry) -> Outcome<Vec<LeftOver>> {
    let gc = Gc {
        dry_run: true,
        grace: GRACE.parse()?,
    };
    let mut found = gc.folders(repository, registry).await?;
    found.extend(gc.runs(registry).await?);
    for (reference, group) in applied::groups(registry).await? {
        let files = gc.vacuum_group(repository, registry, &group).await?;
        found.extend(files.into_iter().map(|file| table_file(&reference, file)));
    }
    Ok(found)
}

fn table_file(group: &GroupRef, file: RemovedFile) -> LeftOver {
    LeftOver {
        kind: "table file",
        what: format!("{group}: {}", file.path),
        bytes: file.bytes,
    }
}

impl Gc {
    /// Names everything it removes.
    pub async fn run(self, context: &Context) -> Outcome {
        let repository = Repository::find(&context.start)?;
        let registry = repository.registry().await?;
        let mut found = self.folders(&repository, &registry).await?;
        found.extend(self.runs(&registry).await?);
        found.extend(self.table_files(&repository, &registry).await?);
        let verb = if self.dry_run { "would be removed" } else { "removed" };
        if context.json {
            return screen::json(&json!({ "dry_run": self.dry_run, "left_overs": found }));
        }
        let mut table = Table::new(&["left over", "what", "size"]);
        let bytes: u64 = found.iter().map(|left| left.bytes).sum();
        let count = found.len();
        for left in found {
            table.row([left.kind.to_owned(), left.what, screen::bytes(left.bytes)]);
        }
        if table.is_empty() {
            return screen::line("nothing to remove");
        }
        table.print()?;
        screen::line(format!(
            "{}, {}: {verb}",
            screen::things(count, "left-over"),
            screen::bytes(bytes)
        ))
    }

    /// Folders that no record refers to: half-made ones of processes that are gone or have been silent for the grace period, and
    /// finished ones whose process died before it could record them.
    async fn folders(&self, repository: &Repository, registry: &Registry) -> Outcome<Vec<LeftOver>> {
        let mut found = Vec::new();
        for path in entries(&repository.storage.join("staging"))? {
            if owner_is_gone(&path) || self.is_old(&path) {
                found.push(self.remove("half-made folder", repository, &path)?);
            }
        }
        for path in entries(&repository.storage.join("spill"))? {
            if owner_is_gone(&path) || (self.is_old(&path) && is_silent(&path)) {
                found.push(self.remove("spill", repository, &path)?);
            }
        }
        for path in entries(&repository.storage.join("checkpoints"))? {
            if self.is_old(&path) {
                found.push(self.remove("checkpoint", repository, &path)?);
            }
        }
        let known = registry.known_paths().await?;
        for (kind, depth) in [("datasets", 3), ("models", 2)] {
            for path in descendants(&repository.storage.join(kind), depth)? {
                let relative = path
                    .strip_prefix(&repository.storage)
                    .unwrap_or(&path)
                    .to_string_lossy()
                    .into_owned();
                if !known.contains(&relative) && self.is_old(&path) {
                    found.push(self.remove("unrecorded folder", repository, &path)?);
                }
            }
        }
        Ok(found)
    }

    /// Runs whose process is gone are ended.
    async fn runs(&self, registry: &Registry) -> Outcome<Vec<LeftOver>> {
        let mut found = Vec::new();
        for run in registry.running_runs().await? {
            if holder::is_gone(&run.holder) {
                if !self.dry_run {
                    registry
                        .fail_run(run.id, "interrupted: its process is gone", WallTime::now())
                        .await?;
                }
                found.push(LeftOver {
                    kind: "interrupted run",
                    what: format!("run {}", run.id.0),
                    bytes: 0,
                });
            }
        }
        Ok(found)
    }

    /// Table files that neither the newest version nor any dataset's pins name. No other process writes a table meanwhile: what it
    /// has written and not yet committed would look like nobody's.
    async fn table_files(&self, repository: &Repository, registry: &Registry) -> Outcome<Vec<LeftOver>> {
        let store = repository.store()?;
        let mut found = Vec::new();
        for (reference, group) in applied::groups(registry).await? {
            feature_store::create_table(&store, &group).await?;
            let right = WritingRight::acquire(registry, &reference).await?;
            let removed = self.vacuum_group(repository, registry, &group).await;
            right.release().await?;
            found.extend(removed?.into_iter().map(|file| table_file(&reference, file)));
        }
        Ok(found)
    }

    async fn vacuum_group(
        &self,
        repository: &Repository,
        registry: &Registry,
        group: &FeatureGroup,
    ) -> Outcome<Vec<RemovedFile>> {
        let pins = pins(repository, registry)
            .await?
            .remove(&group.reference())
            .unwrap_or_default();
        let request = VacuumRequest {
            pins: &pins,
            grace: self.grace,
            now: WallTime::now(),
            earnest: if self.dry_run { Earnest::DryRun } else { Earnest::Commit },
        };
        Ok(vacuum(&repository.store()?, group, &request).await?)
    }

    fn is_old(&self, path: &Path) -> bool {
        let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified());
        let age = modified.map(|modified| SystemTime::now().duration_since(modified).unwrap_or_default());
        age.is_ok_and(|age| age.as_micros() >= u128::try_from(self.grace.micros()).unwrap_or_default())
    }

    fn remove(&self, kind: &'static str, repository: &Repository, path: &Path) -> Outcome<LeftOver> {
        let left = LeftOver {
            kind,
            what: repository.shown(path),
            bytes: size(path),
        };
        if !self.dry_run {
            let removed = if path.is_dir() {
                std::fs::remove_dir_all(path)
            } else {
                std::fs::remove_file(path)
            };
            match removed {
                // Its owner was quicker.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                removed => removed.map_err(at_path(path))?,
            }
        }
        Ok(left)
    }
}

/// What every dataset pins, by group: from the manifests, which name each file.
pub async fn pins(repository: &Repository, registry: &Registry) -> Outcome<BTreeMap<GroupRef, Vec<GroupPin>>> {
    let mut pins: BTreeMap<GroupRef, Vec<GroupPin>> = BTreeMap::new();
    let datasets = registry.datasets(None).await?;
    // What can no longer be made again needs no files to be made of.
    for dataset in datasets.into_iter().filter(|dataset| dataset.unreproducible.is_none()) {
        let manifest = load_manifest(&repository.storage.join(&dataset.path)).map_err(|error| {
            let failure = Failure::from(error);
            let message = format!(
                "the pins of `{}` cannot be read, so nothing may be removed: {}",
                dataset.reference, failure.message
            );
            Failure { message, ..failure }.hint("platform doctor")
        })?;
        for pin in manifest.pins {
            pins.entry(pin.group.clone()).or_default().push(pin);
        }
    }
    Ok(pins)
}

/// The name of a folder under `staging` or `spill` starts with the number of the process that made it.
fn owner_is_gone(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let pid = name.split('-').next().and_then(|pid| pid.parse::<u32>().ok());
    pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
}

/// Whether nothing in a folder has been written for an hour.
fn is_silent(path: &Path) -> bool {
    let own = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    let inner = entries(path).unwrap_or_default();
    let times = inner
        .iter()
        .filter_map(|path| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok());
    let newest = times.chain(own.ok()).max();
    newest.is_none_or(|newest| newest.elapsed().is_ok_and(|age| age.as_secs() > 3_600))
}

fn entries(folder: &Path) -> Outcome<Vec<PathBuf>> {
    match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => {
            let mut paths: Vec<PathBuf> = entries
                .map_err(at_path(folder))?
                .flatten()
                .map(|entry| entry.path())
                .collect();
            paths.sort();
            Ok(paths)
        }
    }
}

/// Everything that lies so many folders down.
fn descendants(folder: &Path, depth: usize) -> Outcome<Vec<PathBuf>> {
    let mut level = vec![folder.to_owned()];
    for _ in 0..depth {
        let mut next = Vec::new();
        for path in level.iter().filter(|path| path.is_dir() || *path == folder) {
            next.extend(entries(path)?);
        }
        level = next;
    }
    Ok(level)
}

fn size(path: &Path) -> u64 {
    if path.is_dir() {
        return entries(path).unwrap_or_default().iter().map(|path| size(path)).sum();
    }
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}
