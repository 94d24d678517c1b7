//! The user's repository: the folder with `platform.toml`, its definitions, its storage and its registry.

use std::path::{Path, PathBuf};

use definitions::Catalog;
use feature_store::Store;
use feature_store::dataset::Means;
use registry::Registry;
use serde::Deserialize;

use crate::failure::{Failure, Outcome, at_path};
use crate::memory::Memory;

/// The file that marks a repository.
pub const SETTINGS_FILE: &str = "platform.toml";
/// The folders that definitions are read from.
pub const DEFINITION_FOLDERS: [&str; 3] = ["feature_groups", "feature_views", "pipelines"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default)]
    storage: StorageSettings,
    #[serde(default)]
    registry: RegistrySettings,
    #[serde(default)]
    engine: EngineSettings,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct EngineSettings {
    memory: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StorageSettings {
    root: String,
}

impl Default for StorageSettings {
    fn default() -> Self {
        Self {
            root: ".platform".to_owned(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegistrySettings {
    url: String,
}

impl Default for RegistrySettings {
    fn default() -> Self {
        Self {
            url: "sqlite:.platform/registry.db".to_owned(),
        }
    }
}

/// A user's repository on disk.
#[derive(Debug, Clone)]
pub struct Repository {
    /// The folder that holds `platform.toml`.
    pub root: PathBuf,
    /// Where tables, datasets and models lie.
    pub storage: PathBuf,
    /// The registry's file.
    pub registry_file: PathBuf,
    /// What joins may take, unless a command says otherwise.
    pub means: Means,
}

impl Repository {
    /// The nearest repository, from `start` upwards.
    pub fn find(start: &Path) -> Outcome<Self> {
        let start = start.canonicalize().map_err(at_path(start))?;
        let root = start.ancestors().find(|folder| folder.join(SETTINGS_FILE).is_file());
        let root = root.ok_or_else(|| {
            Failure::input(format!("no `{SETTINGS_FILE}` in `{}` or above it", start.display()))
                .hint("platform init my_platform && cd my_platform")
        })?;
        Self::read(root)
    }

    fn read(root: &Path) -> Outcome<Self> {
        let file = root.join(SETTINGS_FILE);
        let text = std::fs::read_to_string(&file).map_err(at_path(&file))?;
        let settings: Settings = toml::from_str(&text).map_err(|error| {
            let line = error
                .span()
                .map_or(1, |span| 1 + text.get(..span.start).unwrap_or("").matches('\n').count());
            Failure::input(format!("{SETTINGS_FILE}:{line}: {}", error.message()))
                .hint("[storage] root = \".platform\", [registry] url = \"sqlite:.platform/registry.db\", [engine] memory = \"1GB\"")
        })?;
        if settings.storage.root.contains("://") {
            return Err(Failure::input(format!(
                "{SETTINGS_FILE}: storage root `{}` is not a folder: wanted a path, found an object-store URL, which is not supported yet",
                settings.storage.root
            ))
            .hint("[storage] root = \".platform\""));
        }
        let Some(registry) = settings.registry.url.strip_prefix("sqlite:") else {
            return Err(Failure::input(format!(
                "{SETTINGS_FILE}: registry url `{}`: wanted `sqlite:` and a path",
                settings.registry.url
            ))
            .hint("[registry] url = \"sqlite:.platform/registry.db\""));
        };
        let registry = registry.strip_prefix("//").unwrap_or(registry);
        let mut means = Means::default();
        if let Some(memory) = settings.engine.memory {
            let memory = memory.parse::<Memory>().map_err(|problem| {
                Failure::input(format!("{SETTINGS_FILE}: engine memory `{memory}`: {problem}"))
                    .hint("[engine] memory = \"2GB\"")
            })?;
            means.memory = memory.0;
        }
        Ok(Self {
            means,
            root: root.to_owned(),
            storage: root.join(settings.storage.root),
            registry_file: root.join(registry),
        })
    }

    /// The tables, datasets and models.
    pub fn store(&self) -> Outcome<Store> {
        Ok(Store::new(&self.storage.to_string_lossy())?)
    }

    /// A path as people and deployments see it: relative to the repository where it lies inside, else as it is.
    pub fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }

    /// The registry, made or brought up to date where needed.
    pub async fn registry(&self) -> Outcome<Registry> {
        if let Some(folder) = self.registry_file.parent() {
            std::fs::create_dir_all(folder).map_err(at_path(folder))?;
        }
        Ok(Registry::open(&self.registry_file).await?)
    }

    /// The registry as it is; for commands that only read.
    pub async fn registry_to_read(&self) -> Outcome<Registry> {
        Ok(Registry::open_existing(&self.registry_file).await?)
    }

    /// The definitions in the repository's files, checked one by one and against each other.
    pub fn catalog(&self) -> Outcome<Catalog> {
        let mut files = Vec::new();
        for folder in DEFINITION_FOLDERS {
            for path in toml_files(&self.root.join(folder))? {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let text = std::fs::read_to_string(&path).map_err(at_path(&path))?;
                files.push((format!("{folder}/{name}"), text));
            }
        }
        Ok(Catalog::parse(&files)?)
    }

    /// A fresh folder for something half-made, inside the storage, so that it can be moved into place in one step.
    pub fn staging(&self) -> Outcome<Staging> {
        let folder = self.storage.join("staging");
        std::fs::create_dir_all(&folder).map_err(at_path(&folder))?;
        let name = format!("{}-{}", std::process::id(), uuid::Uuid::new_v4().simple());
        let path = folder.join(name);
        std::fs::create_dir(&path).map_err(at_path(&path))?;
        Ok(Staging { path })
    }
}

fn toml_files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(at_path(folder))?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(at_path(folder))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// A folder that goes away with its value, unless it has been moved into place by then.
#[derive(Debug)]
pub struct Staging {
    path: PathBuf,
}

impl Staging {
    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed now is listed and removed by `platform gc`.
        drop(std::fs::remove_dir_all(&self.path));
    }
}

/// Moves a finished folder to its final place. What lies there already was left by a process that died before it
/// could record it: the caller holds the registry's write lock, so nobody else is about to.
pub fn publish(staging: &Path, place: &Path) -> std::io::Result<()> {
    if let Some(parent) = place.parent() {
        std::fs::create_dir_all(parent)?;
    }
    if place.exists() {
        std::fs::remove_dir_all(place)?;
    }
    std::fs::rename(staging, place)?;
    match place.parent() {
        Some(parent) => std::fs::File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// Removes the half-made folders of this very process, before it exits without unwinding.
pub fn remove_own_staging(start: &Path) {
    let Ok(repository) = Repository::find(start) else {
        return;
    };
    let Ok(entries) = std::fs::read_dir(repository.storage.join("staging")) else {
        return;
    };
    let own = format!("{}-", std::process::id());
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(&own) {
            // What cannot be removed now is listed and removed by `platform gc`.
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}
