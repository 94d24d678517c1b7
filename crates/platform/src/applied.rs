//! The definitions that count: those that have been applied, read back from the registry.

use std::collections::BTreeMap;

use definitions::{FeatureGroup, FeatureView, Fingerprint, GroupRef, Name, Pipeline, Version, Versioned, ViewRef};
use registry::{DefinitionKind, DefinitionRecord, Registry};
use serde::de::DeserializeOwned;

use crate::failure::{Failure, Outcome};

/// A definition as applied, with the fingerprint of its meaning.
#[derive(Debug, Clone)]
pub struct Fingerprinted<T> {
    /// The definition.
    pub definition: T,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
}

/// Reads a record's meaning back into its type.
pub fn definition_of<T: DeserializeOwned>(record: &DefinitionRecord) -> Outcome<T> {
    serde_json::from_value(record.canonical.clone()).map_err(|error| {
        Failure::platform(format!(
            "the registry holds a definition of `{}` that cannot be read: {error}",
            record.name
        ))
    })
}

/// `server_metrics:v1`, or `server_metrics` for its newest version.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The name.
    pub name: Name,
    /// The version; `None`: the newest.
    pub version: Option<Version>,
}

impl std::str::FromStr for Wanted {
    type Err = definitions::ReferenceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains(':') {
            let Versioned { name, version } = text.parse()?;
            return Ok(Self {
                name,
                version: Some(version),
            });
        }
        Ok(Self {
            name: text.parse()?,
            version: None,
        })
    }
}

/// An applied feature group.
pub async fn group(registry: &Registry, wanted: &Wanted) -> Outcome<Fingerprinted<FeatureGroup>> {
    let record = registry
        .definition(DefinitionKind::FeatureGroup, &wanted.name, wanted.version)
        .await?;
    Ok(Fingerprinted {
        definition: definition_of(&record)?,
        fingerprint: record.fingerprint,
    })
}

/// An applied feature view.
pub async fn view(registry: &Registry, wanted: &Wanted) -> Outcome<Fingerprinted<FeatureView>> {
    let record = registry
        .definition(DefinitionKind::FeatureView, &wanted.name, wanted.version)
        .await?;
    Ok(Fingerprinted {
        definition: definition_of(&record)?,
        fingerprint: record.fingerprint,
    })
}

/// Every applied feature group.
pub async fn groups(registry: &Registry) -> Outcome<BTreeMap<GroupRef, FeatureGroup>> {
    let mut groups = BTreeMap::new();
    for record in registry.definitions(Some(DefinitionKind::FeatureGroup)).await? {
        let group: FeatureGroup = definition_of(&record)?;
        groups.insert(group.reference(), group);
    }
    Ok(groups)
}

/// The groups that a view reads, and all that they are derived from: how far columns look follows from those too.
pub async fn groups_of(registry: &Registry, view: &FeatureView) -> Outcome<BTreeMap<GroupRef, FeatureGroup>> {
    let mut groups = BTreeMap::new();
    let mut left: Vec<GroupRef> = view.groups().into_iter().cloned().collect();
    while let Some(reference) = left.pop() {
        if groups.contains_key(&reference) {
            continue;
        }
        let wanted = Wanted {
            name: reference.name.clone(),
            version: Some(reference.version),
        };
        let group = group(registry, &wanted).await?.definition;
        left.extend(group.derive.iter().flat_map(|derive| derive.from.iter().cloned()));
        groups.insert(reference, group);
    }
    Ok(groups)
}

/// The pipeline of that name, or the only one whose view is `view`.
pub async fn pipeline(registry: &Registry, name: Option<&Name>, view: &ViewRef) -> Outcome<Fingerprinted<Pipeline>> {
    if let Some(name) = name {
        let record = registry.definition(DefinitionKind::Pipeline, name, None).await?;
        return Ok(Fingerprinted {
            definition: definition_of(&record)?,
            fingerprint: record.fingerprint,
        });
    }
    let mut fitting: Vec<Fingerprinted<Pipeline>> = Vec::new();
    for record in registry.definitions(Some(DefinitionKind::Pipeline)).await? {
        let definition: Pipeline = definition_of(&record)?;
        if definition.view == *view {
            fitting.push(Fingerprinted {
                definition,
                fingerprint: record.fingerprint,
            });
        }
    }
    let names: Vec<String> = fitting
        .iter()
        .map(|pipeline| pipeline.definition.name.to_string())
        .collect();
    match (fitting.pop(), fitting.len()) {
        (Some(pipeline), 0) => Ok(pipeline),
        (None, _) => Err(
            Failure::input(format!("no applied pipeline trains on view `{view}`")).hint(format!(
                "write `pipelines/….toml` with `view = \"{view}\"`, then: platform apply"
            )),
        ),
        _ => Err(Failure::input(format!(
            "several pipelines train on view `{view}`: {}",
            names.join(", ")
        ))
        .hint(format!(
            "platform train --view {view} --pipeline {}",
            names.first().cloned().unwrap_or_default()
        ))),
    }
}
