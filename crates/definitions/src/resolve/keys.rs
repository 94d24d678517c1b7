//! What a join compares: for each column of the group's key, a column of the spine with the same type.

use super::{KeyPair, Resolver, some_of};
use crate::{ColumnName, DataType, EntityColumn, FeatureGroup, FeatureSelection};

impl Resolver<'_> {
    /// The pairs in the order of the group's key.
    pub(super) fn keys(
        &mut self,
        selection: &FeatureSelection,
        group: &FeatureGroup,
        spine: &FeatureGroup,
        path: &str,
    ) -> Vec<KeyPair> {
        let is_swapped = self.check_on(selection, group, spine, path);
        let pair = |key: &EntityColumn| {
            let mut mapped = selection
                .on
                .iter()
                .filter(|(_, target)| **target == key.name)
                .map(|(source, _)| source);
            let first = mapped.next();
            (
                key.clone(),
                first.unwrap_or(&key.name).clone(),
                first.is_some(),
                mapped.next().cloned(),
            )
        };
        let mut keys = Vec::new();
        for (key, source, is_mapped, second) in group.entity.iter().map(pair) {
            if let Some(second) = second {
                let what = format!(
                    "two spine columns for the key `{}` of `{}`",
                    key.name,
                    group.reference()
                );
                let problem = self.problem(&format!("{path}.on.{second}"), what).wanted("one");
                let hint = format!("on = {{ {source} = \"{}\" }}", key.name);
                self.problems
                    .push(problem.found(format!("`{source}` and `{second}`")).hint(hint));
            }
            match spine.column_type(source.as_str()) {
                Some(data_type) if data_type == key.data_type => {
                    keys.push(KeyPair {
                        spine: source,
                        key: key.name,
                        data_type,
                    });
                }
                Some(data_type) => self.mistyped(group, &key, spine, (&source, data_type), path),
                // A wrong `on` has been told already.
                None if is_mapped || is_swapped => {}
                None => self.missing(group, &key, spine, path),
            }
        }
        keys
    }

    /// `on` must map columns of the spine to columns of the key. Returns whether it was wrong.
    fn check_on(
        &mut self,
        selection: &FeatureSelection,
        group: &FeatureGroup,
        spine: &FeatureGroup,
        path: &str,
    ) -> bool {
        let is_key = |column: &ColumnName| group.entity.iter().any(|key| key.name == *column);
        let in_spine = |column: &ColumnName| spine.column_type(column.as_str()).is_some();
        let before = self.problems.len();
        for (source, target) in &selection.on {
            let path = format!("{path}.on.{source}");
            let swapped = (is_key(source) && in_spine(target)).then(|| format!("on = {{ {target} = \"{source}\" }}"));
            if !in_spine(source) {
                let problem = self.problem(
                    &path,
                    format!(
                        "`{source}` in `on` is not a column of the spine `{}`",
                        spine.reference()
                    ),
                );
                let names: Vec<&str> = spine.declared_columns().into_iter().map(ColumnName::as_str).collect();
                let near = crate::nearest(source.as_str(), names.iter().copied())
                    .map(|near| format!("did you mean `{near}`?"));
                let problem = problem.wanted(some_of(&names)).found(format!("`{source}`"));
                self.problems.push(problem.hint(swapped.or(near)));
            } else if !is_key(target) {
                let problem = self.problem(
                    &path,
                    format!("`{target}` in `on` is not in the key of `{}`", group.reference()),
                );
                let names: Vec<&str> = group.entity.iter().map(|key| key.name.as_str()).collect();
                let map = |key: &&str| {
                    let is_same = *key == source.as_str();
                    if is_same {
                        "remove `on`".to_owned()
                    } else {
                        format!("on = {{ {source} = \"{key}\" }}")
                    }
                };
                let first = names.first().map(map);
                let problem = problem.wanted(some_of(&names)).found(format!("`{target}`"));
                self.problems.push(problem.hint(swapped.or(first)));
            }
        }
        self.problems.len() > before
    }

    fn mistyped(
        &mut self,
        group: &FeatureGroup,
        key: &EntityColumn,
        spine: &FeatureGroup,
        (source, found): (&ColumnName, DataType),
        path: &str,
    ) {
        let what = format!(
            "the key `{}` of `{}` has another type than `{source}` of the spine",
            key.name,
            group.reference()
        );
        let problem = self
            .problem(&format!("{path}.group"), what)
            .wanted(format!("`{}`", key.data_type.word()));
        let problem = problem.found(format!("`{}` in `{}`", found.word(), spine.reference()));
        let hint = format!(
            "declare both alike: `entity = [{{ name = \"{}\", type = \"{}\" }}]`",
            key.name,
            found.word()
        );
        self.problems.push(problem.hint(hint));
    }

    fn missing(&mut self, group: &FeatureGroup, key: &EntityColumn, spine: &FeatureGroup, path: &str) {
        let what = format!(
            "the spine has no column `{}`, the key of `{}`",
            key.name,
            group.reference()
        );
        let names: Vec<&str> = spine.declared_columns().into_iter().map(ColumnName::as_str).collect();
        let taken = |name: &&str| group.entity.iter().any(|other| other.name.as_str() == *name);
        let fitting: Vec<&str> = names
            .iter()
            .copied()
            .filter(|name| spine.column_type(name) == Some(key.data_type) && !taken(name))
            .collect();
        let related = |name: &&str| name.contains(key.name.as_str()) || key.name.as_str().contains(*name);
        let best = crate::nearest(key.name.as_str(), fitting.iter().copied())
            .or_else(|| fitting.iter().copied().find(related))
            .or_else(|| fitting.first().copied());
        let hint = best.map(|name| format!("on = {{ {name} = \"{}\" }}", key.name));
        let problem = self
            .problem(&format!("{path}.group"), what)
            .wanted(format!("a column of `{}`, mapped with `on`", spine.reference()));
        self.problems
            .push(problem.found(some_of(&names).replace("one of ", "")).hint(hint));
    }
}
