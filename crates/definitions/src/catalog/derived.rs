//! What derived groups make of their sources: the types of their features, and what must hold between both.
//!
//! A derived group has the rows of its first source, so it has its key. Columns of the other sources stand in these rows as they
//! were at that time, so they have that key too. Where the first source says when its rows became known, a derived row is known when all rows are
//! that it was made of, so the derived group has such a column too; rows of the others are seen once they are known. A query has rows of its own.

use std::collections::BTreeMap;

use super::Catalog;
use crate::resolve::some_of;
use crate::{ColumnName, DataType, Derivation, FeatureGroup, GroupRef, Misfit, Parsed, Problem, Problems, fingerprint};
use crate::{nearest, output_type};

/// Fills in the types of derived features, as far as they can be told.
pub(super) fn complete(catalog: &mut Catalog, applied: &BTreeMap<GroupRef, FeatureGroup>) -> Result<(), Problems> {
    let mut groups = catalog.all_groups(applied);
    // Each round types the groups whose sources are typed, so as many rounds as groups in a row are enough.
    loop {
        let mut has_changed = false;
        for parsed in &mut catalog.groups {
            let types = types_of(&parsed.definition, &groups);
            for (feature, data_type) in parsed.definition.features.iter_mut().zip(types) {
                if feature.data_type.is_none() && data_type.is_some() {
                    feature.data_type = data_type;
                    has_changed = true;
                }
            }
            if has_changed {
                groups.insert(parsed.definition.reference(), parsed.definition.clone());
            }
        }
        if !has_changed {
            break;
        }
    }
    for parsed in catalog.groups.iter_mut().filter(|group| group.definition.is_derived()) {
        let unread = |error| Problems(vec![Problem::new(&parsed.file, format!("no canonical form: {error}"))]);
        parsed.fingerprint = fingerprint(&parsed.definition).map_err(unread)?;
    }
    Ok(())
}

/// The type of each feature, where it can be told.
fn types_of(group: &FeatureGroup, groups: &BTreeMap<GroupRef, FeatureGroup>) -> Vec<Option<DataType>> {
    let Some(sources) = sources_of(group, groups) else {
        return Vec::new();
    };
    let typed = |how: &Derivation| output_type(how, |column| input_type(&sources, column)).ok().flatten();
    group
        .features
        .iter()
        .map(|feature| feature.data_type.or(feature.derivation.as_ref().and_then(typed)))
        .collect()
}

/// The groups that a group is derived from; `None` where it is not derived, or one of them is not there.
fn sources_of<'a>(group: &FeatureGroup, groups: &'a BTreeMap<GroupRef, FeatureGroup>) -> Option<Vec<&'a FeatureGroup>> {
    let derive = group.derive.as_ref()?;
    derive.from.iter().map(|from| groups.get(from)).collect()
}

/// The type of a column that a function may read: a feature of any source, or a column of the first one's key.
fn input_type(sources: &[&FeatureGroup], column: &ColumnName) -> Option<DataType> {
    let feature = sources.iter().find_map(|source| source.feature(column.as_str()));
    let key = || {
        let first = sources.first()?;
        first.entity.iter().find(|entity| entity.name == *column)
    };
    match feature {
        Some(feature) => feature.data_type,
        None => key().map(|entity| entity.data_type),
    }
}

/// Checks a derived group against its sources, which lead nowhere back.
pub(super) fn check(
    group: &Parsed<FeatureGroup>,
    groups: &BTreeMap<GroupRef, FeatureGroup>,
    problems: &mut Vec<Problem>,
) {
    let Some(sources) = sources_of(&group.definition, groups) else {
        return;
    };
    let is_query = group
        .definition
        .derive
        .as_ref()
        .is_some_and(|derive| derive.sql.is_some());
    if !is_query {
        check_first(group, &sources, problems);
        check_others(group, &sources, problems);
        for at in 0..group.definition.features.len() {
            check_feature(group, at, &sources, problems);
        }
    }
    check_known_at(group, &sources, problems);
}

/// The first source gives the rows: its key, and its event times.
fn check_first(group: &Parsed<FeatureGroup>, sources: &[&FeatureGroup], problems: &mut Vec<Problem>) {
    let Some(first) = sources.first() else { return };
    let reference = first.reference();
    if first.event_time.is_none() {
        let problem = group.problem("derive.from[0]", format!("`{reference}` has no event times"));
        let problem = problem
            .wanted("a first source whose rows have event times")
            .found("a static feature group");
        problems.push(problem.hint("name a group with an event time first".to_owned()));
    }
    if group.definition.entity != first.entity {
        let columns = |group: &FeatureGroup| {
            let column = |column: &crate::EntityColumn| format!("`{}` {}", column.name, column.data_type.word());
            group.entity.iter().map(column).collect::<Vec<_>>().join(", ")
        };
        let problem = group.problem(
            "entity",
            format!("the key of `{}` is not that of its rows", group.definition.reference()),
        );
        let problem = problem
            .wanted(format!("that of `{reference}`: {}", columns(first)))
            .found(columns(&group.definition));
        problems.push(problem.hint(format!("entity = [{}]", key_text(first))));
    }
}

/// How a key is written.
fn key_text(group: &FeatureGroup) -> String {
    let column = |column: &crate::EntityColumn| match column.data_type {
        DataType::Utf8 => format!("\"{}\"", column.name),
        other => format!("{{ name = \"{}\", type = \"{}\" }}", column.name, other.word()),
    };
    group.entity.iter().map(column).collect::<Vec<_>>().join(", ")
}

/// The other sources are joined by the key.
fn check_others(group: &Parsed<FeatureGroup>, sources: &[&FeatureGroup], problems: &mut Vec<Problem>) {
    let Some((first, others)) = sources.split_first() else {
        return;
    };
    for (at, other) in others.iter().enumerate() {
        if other.entity == first.entity {
            continue;
        }
        let what = format!("`{}` cannot be joined to `{}`", other.reference(), first.reference());
        let problem = group.problem(&format!("derive.from[{}]", at + 1), what);
        let problem = problem
            .wanted(format!("the key of the first source: entity = [{}]", key_text(first)))
            .found(format!("entity = [{}]", key_text(other)));
        problems.push(problem.hint(format!(
            "from = [\"{}\"] alone, and the other in the feature view",
            first.reference()
        )));
    }
}

/// Late rows must not be seen too early through a derived group.
fn check_known_at(group: &Parsed<FeatureGroup>, sources: &[&FeatureGroup], problems: &mut Vec<Problem>) {
    let is_query = group
        .definition
        .derive
        .as_ref()
        .is_some_and(|derive| derive.sql.is_some());
    // A query sees rows of all sources whenever they became known.
    let waited_for = if is_query {
        sources
    } else {
        sources.get(..1).unwrap_or_default()
    };
    let known = waited_for
        .iter()
        .find_map(|source| Some((source, source.known_at.as_ref()?)));
    let reference = group.definition.reference();
    match (known, &group.definition.known_at) {
        (Some((source, column)), None) => {
            let problem = group.problem(
                "known_at",
                format!("`{reference}` does not say when its rows became known"),
            );
            let problem = problem
                .wanted(format!(
                    "`known_at`, as `{}` has: the latest of the rows that one is made of",
                    source.reference()
                ))
                .found("no such key");
            problems.push(problem.hint(format!("known_at = \"{column}\"")));
        }
        (None, Some(column)) if !is_query => {
            let problem = group.problem(
                "known_at",
                format!("nothing says when rows of `{reference}` became known"),
            );
            let problem = problem
                .wanted("a source that declares `known_at`")
                .found(format!("`{column}`"));
            problems.push(problem.hint("remove `known_at`".to_owned()));
        }
        _ => {}
    }
}

/// What a feature reads must be there, once, and of a type that its function can read; its own type follows.
fn check_feature(group: &Parsed<FeatureGroup>, at: usize, sources: &[&FeatureGroup], problems: &mut Vec<Problem>) {
    let Some(feature) = group.definition.features.get(at) else {
        return;
    };
    let Some(how) = &feature.derivation else { return };
    let before = problems.len();
    for column in how.inputs() {
        problems.extend(input_problem(group, at, column, sources));
    }
    if problems.len() > before {
        return;
    }
    match output_type(how, |column| input_type(sources, column)) {
        Err(Misfit { column, wanted, found }) => {
            let what = format!("`{column}` is not what `{}` is computed from", feature.name);
            let problem = group.problem(&key_of(group, at, &column), what);
            let problem = problem.wanted(wanted).found(format!("type `{}`", found.word()));
            let fitting = sources.iter().flat_map(|source| &source.features);
            let other = fitting
                .filter(|other| {
                    let swapped = |name: &ColumnName| {
                        if *name == column {
                            other.data_type
                        } else {
                            input_type(sources, name)
                        }
                    };
                    other.name != column && output_type(how, swapped).is_ok_and(|given| given.is_some())
                })
                .map(|other| format!("one that fits is `{}`", other.name))
                .next();
            problems
                .push(problem.hint(other.unwrap_or_else(|| "platform featuregroup show, for the types".to_owned())));
        }
        Ok(Some(given)) if feature.data_type.is_some_and(|said| said != given) => {
            let problem = group.problem(
                &format!("features[{at}].type"),
                format!("bad type of `{}`", feature.name),
            );
            let said = feature.data_type.map_or("", DataType::word);
            let problem = problem
                .wanted(format!("`{}`, which is what `{how}` gives", given.word()))
                .found(format!("`{said}`"));
            problems.push(problem.hint("remove `type`".to_owned()));
        }
        Ok(_) => {}
    }
}

/// The key of a feature that names a column.
fn key_of(group: &Parsed<FeatureGroup>, at: usize, column: &ColumnName) -> String {
    let how = group
        .definition
        .features
        .get(at)
        .and_then(|feature| feature.derivation.as_ref());
    let is_first = how.is_some_and(|how| how.inputs().first() == Some(&column));
    let key = match how {
        _ if is_first => "of",
        Some(Derivation::Ratio { .. }) => "ratio",
        Some(Derivation::Interaction { .. }) => "interaction",
        Some(Derivation::TargetEncoding { .. }) => "target_encoding",
        _ => "difference",
    };
    format!("features[{at}].{key}")
}

fn input_problem(
    group: &Parsed<FeatureGroup>,
    at: usize,
    column: &ColumnName,
    sources: &[&FeatureGroup],
) -> Option<Problem> {
    let key = key_of(group, at, column);
    let having: Vec<String> = sources
        .iter()
        .filter(|source| source.feature(column.as_str()).is_some())
        .map(|source| format!("`{}`", source.reference()))
        .collect();
    if having.len() > 1 {
        let problem = group.problem(&key, format!("`{column}` is a column of several groups in `from`"));
        let problem = problem.wanted("a column of one of them").found(having.join(" and "));
        return Some(problem.hint("derive from one of them, in a feature group of its own".to_owned()));
    }
    let first_key = sources.first().into_iter().flat_map(|first| &first.entity);
    let keys: Vec<&str> = first_key.map(|entity| entity.name.as_str()).collect();
    if having.len() == 1 || keys.contains(&column.as_str()) {
        return None;
    }
    let features = sources.iter().flat_map(|source| &source.features);
    let names: Vec<&str> = keys
        .into_iter()
        .chain(features.map(|feature| feature.name.as_str()))
        .collect();
    let near = nearest(column.as_str(), names.iter().copied()).map(|near| format!("did you mean `{near}`?"));
    let show = || {
        sources
            .first()
            .map(|first| format!("platform featuregroup show {}", first.reference()))
    };
    let problem = group.problem(&key, format!("unknown column `{column}` of the groups in `from`"));
    let problem = problem.wanted(some_of(&names)).found(format!("`{column}`"));
    Some(problem.hint(near.or_else(show)))
}
