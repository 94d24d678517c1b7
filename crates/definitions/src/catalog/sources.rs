//! Where derived groups come from: the sources must be there, and never lead back.

use std::collections::{BTreeMap, BTreeSet};

use super::{Catalog, derived};
use crate::resolve::unknown_reference;
use crate::{FeatureGroup, GroupRef, Problem};

impl Catalog {
    /// `from` of derived groups must lead somewhere, and never back.
    pub(super) fn check_sources(&self, groups: &BTreeMap<GroupRef, FeatureGroup>, problems: &mut Vec<Problem>) {
        for group in &self.groups {
            let sources = group.definition.derive.iter().flat_map(|derive| &derive.from);
            for (at, source) in sources.enumerate().filter(|(_, source)| !groups.contains_key(source)) {
                let problem = group.problem(
                    &format!("derive.from[{at}]"),
                    format!("unknown feature group `{source}`"),
                );
                problems.push(unknown_reference(problem, source, groups.keys(), "feature_groups"));
            }
            let reference = group.definition.reference();
            let cycle = cycle_through(&reference, groups);
            if cycle.is_empty() {
                derived::check(group, groups, problems);
            }
            // The cycle is told once: at its first member.
            if cycle.iter().min() == Some(&reference) {
                let way: Vec<String> = cycle.iter().chain([&reference]).map(ToString::to_string).collect();
                let problem = group.problem("derive.from", format!("`{reference}` is derived from itself"));
                let problem = problem
                    .wanted("groups that do not lead back")
                    .found(format!("`{}`", way.join(" -> ")));
                let last = cycle
                    .last()
                    .map(|last| format!("take `{reference}` out of `from` of `{last}`"));
                problems.push(problem.hint(last));
            }
        }
    }
}

/// The way from a group through its sources back to itself, itself first; empty where there is none.
fn cycle_through(start: &GroupRef, groups: &BTreeMap<GroupRef, FeatureGroup>) -> Vec<GroupRef> {
    let sources = |reference: &GroupRef| {
        let derive = groups.get(reference).and_then(|group| group.derive.as_ref());
        derive.map(|derive| derive.from.clone()).unwrap_or_default()
    };
    let mut visited = BTreeSet::new();
    let mut ways = vec![vec![start.clone()]];
    while let Some(way) = ways.pop() {
        let Some(last) = way.last() else { continue };
        for source in sources(last) {
            if source == *start {
                return way;
            }
            if visited.insert(source.clone()) {
                ways.push(way.iter().cloned().chain([source]).collect());
            }
        }
    }
    Vec::new()
}
