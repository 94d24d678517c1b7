//! From text to definitions: `document` reads TOML with lines, `table` gives typed access, and one file per kind says what is
//! allowed.

mod derivation;
mod document;
mod expect;
mod feature;
mod feature_group;
mod feature_view;
mod gate;
mod pipeline;
mod spelling;
mod split;
mod table;

use std::collections::BTreeMap;

use serde::Serialize;

pub use feature_group::parse_feature_group;
pub use feature_view::parse_feature_view;
pub use pipeline::parse_pipeline;
pub(crate) use spelling::one_of;

use crate::{Fingerprint, Problem, Problems, fingerprint};
use table::{Notes, Table};

/// A definition read from a file.
#[derive(Debug, Clone)]
pub struct Parsed<T> {
    /// The definition.
    pub definition: T,
    /// The file, relative to the repository.
    pub file: String,
    /// The file's text.
    pub text: String,
    /// The fingerprint of the definition: of what it says, not of how it is laid out.
    pub fingerprint: Fingerprint,
    /// The line, from 1, of every key by its dotted path, such as `train.lightgbm.num_leaves` or `features[2].type`, where
    /// lists are counted from 0.
    pub lines: BTreeMap<String, usize>,
    /// What it asks for and the platform does not do yet. The rest of the definition is read as if it were not there.
    pub not_yet: Vec<Problem>,
}

impl<T> Parsed<T> {
    /// A problem at a key of the file; at the nearest table around it where there is no such key.
    #[must_use]
    pub fn problem(&self, key: &str, what: impl Into<String>) -> Problem {
        problem_at(&self.file, &self.lines, key, what)
    }
}

/// A problem at a key, or at the nearest one around it that has a line.
pub(crate) fn problem_at(file: &str, lines: &BTreeMap<String, usize>, key: &str, what: impl Into<String>) -> Problem {
    let mut path = key;
    loop {
        if let Some(line) = lines.get(path) {
            return Problem::new(file, what).at(Some(*line), key);
        }
        match path.rfind(['.', '[']) {
            Some(end) => path = path.get(..end).unwrap_or_default(),
            None => return Problem::new(file, what).at(None, key),
        }
    }
}

/// Reads a file with the function that knows its kind.
fn parse<T: Serialize>(
    file: &str,
    text: &str,
    place: &str,
    read: impl Fn(&Table<'_>) -> Option<T>,
) -> Result<Parsed<T>, Problems> {
    let entries = document::read(file, text).map_err(|problem| Problems(vec![*problem]))?;
    let notes = Notes::new(file);
    let definition = read(&Table::root(&notes, &entries, place));
    let (problems, not_yet) = notes.into_parts();
    Problems::none_of(problems)?;
    let unread = |what: String| Problems(vec![Problem::new(file, what)]);
    let definition = definition.ok_or_else(|| unread(format!("{place} cannot be read")))?;
    let fingerprint =
        fingerprint(&definition).map_err(|error| unread(format!("{place} has no canonical form: {error}")))?;
    let (file, text) = (file.to_owned(), text.to_owned());
    Ok(Parsed {
        definition,
        file,
        text,
        fingerprint,
        lines: document::line_map(&entries),
        not_yet,
    })
}
