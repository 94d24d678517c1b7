//! What is said of a dataset once its rows are written: the manifest.

use std::collections::BTreeMap;

use definitions::{FeatureGroup, GroupRef, Role, fingerprint};

use super::build::Built;
use super::manifest::{Column, FORMAT, Manifest, Recorded, RecordedDefinitions, SpineReport, contents, is_gap_learned};
use super::panel::PanelReport;
use super::pins::{json, pins_key};
use super::plan::Plan;
use super::{DatasetReceipt, DatasetRequest, write};
use crate::fingerprint::combine;
use crate::{GroupPin, StoreError};

/// Writes the manifest of a dataset whose parts are written.
pub(super) fn receipt(
    request: &DatasetRequest<'_>,
    plan: &Plan,
    pins: &BTreeMap<GroupRef, GroupPin>,
    built: Built,
) -> Result<DatasetReceipt, StoreError> {
    let pins: Vec<GroupPin> = pins.values().cloned().collect();
    let work = built.work.clone();
    let panel = plan.resolved.panel.as_ref().map(PanelReport::new);
    let is_gap_learned = is_gap_learned(&built.divided.certificate, panel.as_ref());
    let manifest = Manifest {
        format: FORMAT,
        view: request.view.reference(),
        fingerprint: combine(contents(&built.parts, built.gap.as_ref(), is_gap_learned)),
        pins_key: pins_key(request.store, request.view, request.groups, &pins, &request.arguments)?,
        arguments: request.arguments,
        rows: built.divided.counts(),
        spine: SpineReport {
            group: plan.spine.group.clone(),
            rows: built.spine_rows,
            superseded: built.superseded,
        },
        columns: columns(plan),
        panel,
        warnings: warnings(plan, &built),
        joins: built.joins,
        split: request.view.split.clone(),
        seed: built.divided.certificate.seed(),
        gap: plan.gap.clone(),
        certificate: built.divided.certificate,
        parts: built.parts,
        gap_rows: built.gap,
        pins,
        definitions: recorded(request)?,
        spilled_bytes: built.work.spilled_bytes,
        software: request.software.clone(),
        created_at: request.now,
    };
    let manifest_sha256 = write::write_manifest(request.staging, &manifest)?;
    Ok(DatasetReceipt {
        manifest,
        manifest_sha256,
        work,
    })
}

fn recorded(request: &DatasetRequest<'_>) -> Result<RecordedDefinitions, StoreError> {
    fn record<T: serde::Serialize + Clone>(definition: &T) -> Result<Recorded<T>, StoreError> {
        Ok(Recorded {
            fingerprint: fingerprint(definition).map_err(json)?,
            definition: definition.clone(),
        })
    }
    let wanted = needed(request);
    let groups = wanted
        .iter()
        .map(|(reference, group)| Ok::<_, StoreError>(((*reference).clone(), record(*group)?)));
    Ok(RecordedDefinitions {
        view: record(request.view)?,
        groups: groups.collect::<Result<_, _>>()?,
    })
}

/// The groups that the view reads, and all that they are derived from: the gap follows from those too.
fn needed<'a>(request: &DatasetRequest<'a>) -> BTreeMap<&'a GroupRef, &'a FeatureGroup> {
    let mut needed = BTreeMap::new();
    let mut left: Vec<GroupRef> = request.view.groups().into_iter().cloned().collect();
    while let Some(reference) = left.pop() {
        if let Some((reference, group)) = request.groups.get_key_value(&reference)
            && needed.insert(reference, group).is_none()
        {
            left.extend(group.derive.iter().flat_map(|derive| derive.from.iter().cloned()));
        }
    }
    needed
}

fn columns(plan: &Plan) -> Vec<Column> {
    let column = |column: &definitions::ResolvedColumn| Column {
        name: column.name.to_string(),
        data_type: column.data_type,
        role: column.role,
        categorical: column.is_categorical,
        group: column.group.clone(),
        source: column.column.to_string(),
    };
    plan.resolved.columns.iter().map(column).collect()
}

fn warnings(plan: &Plan, built: &Built) -> Vec<String> {
    let mut warnings = Vec::new();
    if built.spine_rows == 0 {
        warnings.push(format!(
            "no rows: `{}` has none in the range that was asked for",
            plan.spine.group
        ));
        return warnings;
    }
    for join in built.joins.iter().filter(|join| join.outcomes.matched == 0) {
        let prefix = join
            .prefix
            .as_ref()
            .map(|prefix| format!(" (prefix `{prefix}`)"))
            .unwrap_or_default();
        warnings.push(format!(
            "no row of `{}`{prefix} was matched: all its columns are NULL",
            join.group
        ));
    }
    for label in plan.resolved.with_role(Role::Label) {
        let statistics = built.parts.iter().flat_map(|part| &part.statistics);
        let nulls: u64 = statistics
            .filter(|of| of.column == label.name.as_str())
            .map(|of| of.nulls)
            .sum();
        if nulls > 0 {
            warnings.push(format!(
                "the label `{}` is NULL in {nulls} rows, which are kept",
                label.name
            ));
        }
    }
    if built.divided.certificate.overlaps() {
        warnings.push("labels of one part look as far as the features of the next: the view allows overlap".to_owned());
    }
    warnings
}
