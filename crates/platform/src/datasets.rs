//! Making training datasets, and recording them: what `dataset create`, `train` and `reproduce` share.

use std::path::Path;

use definitions::{FeatureView, Fingerprint, WallTime};
use feature_store::dataset::{
    Arguments, DatasetProgress, DatasetReceipt, DatasetRequest, MANIFEST, Manifest, Means, Work, create_dataset,
    load_manifest, pin_view, pins_key,
};
use feature_store::{GroupPin, Store};
use registry::{CreatedDataset, IfUnchanged, NewDataset, PinnedGroup, PublishedDataset, Registry, Unreproducible};

use crate::applied;
use crate::failure::{Failure, Outcome};
use crate::ingestions;
use crate::kept::Kept;
use crate::progress::Progress;
use crate::repository::{Repository, publish};
use crate::software;

/// Makes a dataset of the groups as they are now, or finds the one there is when nothing has changed.
pub async fn create(
    repository: &Repository,
    registry: &Registry,
    view: &FeatureView,
    arguments: Arguments,
    if_unchanged: IfUnchanged,
    means: Means,
) -> Outcome<(CreatedDataset, Option<Work>)> {
    let reference = view.reference();
    let groups = applied::groups_of(registry, view).await?;
    let store = repository.store()?;
    for group in view.groups().into_iter().filter_map(|reference| groups.get(reference)) {
        ingestions::reconcile(&store, registry, group).await?;
    }
    let pins = pin_view(&store, view, &groups).await?;
    let key = pins_key(&store, view, &groups, &pins, &arguments)?;
    if if_unchanged == IfUnchanged::Reuse
        && let Some(dataset) = registry.dataset_with_pins(&reference, &key).await?
    {
        return Ok((CreatedDataset::Unchanged(dataset), None));
    }
    let staging = repository.staging()?;
    let receipt = build(&store, view, &groups, &pins, arguments, means, staging.path()).await?;
    let manifest = &receipt.manifest;
    let new = NewDataset {
        view: reference.clone(),
        fingerprint: manifest.fingerprint,
        pins_key: manifest.pins_key,
        rows: manifest.rows_in_parts(),
        part_rows: serde_json::to_value(manifest.rows)?,
        seed: manifest.seed,
        software: serde_json::to_value(&manifest.software)?,
        created_at: manifest.created_at,
        groups: manifest.pins.iter().map(pinned_group).collect::<Outcome<_>>()?,
        as_known_at: arguments.as_known_at,
        if_unchanged,
    };
    let created = registry.create_dataset(&new, |number| {
        let path = format!("datasets/{}/{}/{number}", reference.name, reference.version);
        publish(staging.path(), &repository.storage.join(&path))?;
        Ok(PublishedDataset {
            path,
            manifest_sha256: receipt.manifest_sha256,
        })
    });
    Ok((created.await?, Some(receipt.work)))
}

/// The manifest of a recorded dataset, if it is the one that was recorded.
pub fn recorded_manifest(repository: &Repository, dataset: &registry::Dataset) -> Outcome<Manifest> {
    let folder = repository.storage.join(&dataset.path);
    kept(repository, dataset, MANIFEST, dataset.manifest_sha256).check()?;
    Ok(load_manifest(&folder)?)
}

/// That a dataset can still be made again, and holds what was recorded.
pub fn check_reproducible(dataset: &registry::Dataset) -> Outcome {
    let Some(Unreproducible { reason, since }) = &dataset.unreproducible else {
        return Ok(());
    };
    let (reference, view) = (&dataset.reference, &dataset.reference.view);
    let message = format!("`{reference}` is no longer reproducible, since {since}: {reason}");
    Err(Failure::input(message).hint(format!("platform dataset create {view}")))
}

/// Checks that every data file of a recorded dataset is the one that was recorded, those of the gap included.
pub fn check_files(repository: &Repository, dataset: &registry::Dataset, manifest: &Manifest) -> Outcome {
    check_reproducible(dataset)?;
    let mut files = manifest.files();
    files.try_for_each(|file| kept(repository, dataset, &file.path, file.sha256).check())
}

fn kept(repository: &Repository, dataset: &registry::Dataset, name: &str, sha256: Fingerprint) -> Kept {
    let path = repository.storage.join(&dataset.path).join(name);
    Kept {
        shown: repository.shown(&path),
        path,
        sha256,
        hint: format!("platform dataset verify {}", dataset.reference),
    }
}

/// Builds the dataset of a manifest once more, from its own pins and definitions, into a folder.
pub async fn rebuild(repository: &Repository, manifest: &Manifest, staging: &Path) -> Outcome<DatasetReceipt> {
    let definitions = &manifest.definitions;
    let recorded = definitions.groups.iter();
    let groups = recorded
        .map(|(reference, group)| (reference.clone(), group.definition.clone()))
        .collect();
    let (view, arguments) = (&definitions.view.definition, manifest.arguments);
    build(
        &repository.store()?,
        view,
        &groups,
        &manifest.pins,
        arguments,
        repository.means,
        staging,
    )
    .await
}

/// Joins the rows of a dataset with what is known of the features now, into a folder. The spine stays as it was.
pub async fn rejoin(
    repository: &Repository,
    registry: &Registry,
    manifest: &Manifest,
    staging: &Path,
) -> Outcome<DatasetReceipt> {
    let view = &manifest.definitions.view.definition;
    let groups = manifest.groups();
    let store = repository.store()?;
    for group in groups.values() {
        ingestions::reconcile(&store, registry, group).await?;
    }
    let mut pins = pin_view(&store, view, &groups).await?;
    for pin in &mut pins {
        let then = manifest.pins.iter().find(|then| then.group == pin.group);
        if let Some(then) = then.filter(|then| then.group == manifest.spine.group) {
            pin.clone_from(then);
        }
    }
    let arguments = Arguments {
        as_known_at: None,
        ..manifest.arguments
    };
    build(&store, view, &groups, &pins, arguments, repository.means, staging).await
}

/// The rows of a view in a range of time, from the groups as they are now, in a folder.
pub async fn range(
    repository: &Repository,
    view: &FeatureView,
    groups: &std::collections::BTreeMap<definitions::GroupRef, definitions::FeatureGroup>,
    arguments: Arguments,
    staging: &Path,
) -> Outcome<DatasetReceipt> {
    let store = repository.store()?;
    let pins = pin_view(&store, view, groups).await?;
    build(&store, view, groups, &pins, arguments, repository.means, staging).await
}

async fn build(
    store: &Store,
    view: &FeatureView,
    groups: &std::collections::BTreeMap<definitions::GroupRef, definitions::FeatureGroup>,
    pins: &[GroupPin],
    arguments: Arguments,
    means: Means,
    staging: &Path,
) -> Outcome<DatasetReceipt> {
    let progress = Progress::start("dataset", 0);
    let watch = |step: DatasetProgress<'_>| progress.at(step.done, step.total, step.step);
    let request = DatasetRequest {
        store,
        view,
        groups,
        pins,
        arguments,
        staging,
        software: software::versions(),
        now: WallTime::now(),
        means,
        watch: &watch,
    };
    Ok(create_dataset(&request).await?)
}

fn pinned_group(pin: &GroupPin) -> Outcome<PinnedGroup> {
    let version = u64::try_from(pin.delta_version);
    let delta_version = version.map_err(|_| Failure::platform(format!("`{}` has a negative version", pin.group)))?;
    Ok(PinnedGroup {
        group: pin.group.clone(),
        delta_version,
        committed_at: pin.committed_at,
    })
}
