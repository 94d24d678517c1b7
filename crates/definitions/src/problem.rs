//! What is wrong in the files: every problem with its place, and all of them at once.

use std::fmt;

use crate::Fault;

/// One mistake in a definition: where it is, what is wrong, what was wanted and found, and what to type instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, relative to the repository; the definition's reference where it did not come from a file.
    pub file: String,
    /// The line, from 1; `None` where the problem is that something is missing from the file.
    pub line: Option<usize>,
    /// The dotted path of the key, such as `features[2].type`.
    pub key: Option<String>,
    /// What is wrong.
    pub what: String,
    /// What should have been there.
    pub wanted: Option<String>,
    /// What is there.
    pub found: Option<String>,
    /// What to type.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem of the whole file, to which place, wanted, found and hint are added.
    #[must_use]
    pub fn new(file: impl Into<String>, what: impl Into<String>) -> Self {
        let (file, what) = (file.into(), what.into());
        Self {
            file,
            line: None,
            key: None,
            what,
            wanted: None,
            found: None,
            hint: None,
        }
    }
    /// The same problem at a line and a key.
    #[must_use]
    pub fn at(mut self, line: Option<usize>, key: impl Into<String>) -> Self {
        self.line = line;
        self.key = Some(key.into());
        self
    }
    /// The same problem with what was wanted.
    #[must_use]
    pub fn wanted(mut self, wanted: impl Into<String>) -> Self {
        self.wanted = Some(wanted.into());
        self
    }
    /// The same problem with what was found.
    #[must_use]
    pub fn found(mut self, found: impl Into<String>) -> Self {
        self.found = Some(found.into());
        self
    }
    /// The same problem with what to type; `None` leaves it as it is.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.hint = hint.into().or(self.hint);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.what)?;
        match (&self.wanted, &self.found) {
            (Some(wanted), Some(found)) => write!(f, ": wanted {wanted}; found {found}")?,
            (Some(wanted), None) => write!(f, ": wanted {wanted}")?,
            (None, Some(found)) => write!(f, ": found {found}")?,
            (None, None) => {}
        }
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Every problem of every file, by file and line. Each is printed with its own hint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Fine when there are none; otherwise all of them, sorted.
    ///
    /// # Errors
    /// There is a problem.
    pub fn none_of(mut problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() {
            return Ok(());
        }
        problems.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        Err(Self(problems))
    }
    /// The user's file is wrong.
    #[must_use]
    pub fn fault(&self) -> Fault {
        Fault::Input
    }
    /// Nothing to add: every problem prints its own hint.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        None
    }
}
