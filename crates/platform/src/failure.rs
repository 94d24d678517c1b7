//! What a command says when it cannot do what it was asked: a message, whose fault it is, and a hint that can be typed.

use std::error::Error;
use std::fmt;

use definitions::Fault;

/// Why a command stopped.
#[derive(Debug)]
pub struct Failure {
    /// Whose fault it is; decides the exit code.
    pub fault: Fault,
    /// What went wrong, in full.
    pub message: String,
    /// What to type or do next.
    pub hint: Option<String>,
}

/// What every command returns.
pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// The user's input, a definition or a gate said no.
    pub fn input(message: impl Into<String>) -> Self {
        Self {
            fault: Fault::Input,
            message: message.into(),
            hint: None,
        }
    }
    /// The platform failed.
    pub fn platform(message: impl Into<String>) -> Self {
        Self {
            fault: Fault::Platform,
            message: message.into(),
            hint: None,
        }
    }
    /// The same failure with a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
    /// 1 or 2.
    pub fn exit_code(&self) -> u8 {
        match self.fault {
            Fault::Input => 1,
            Fault::Platform => 2,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

/// An error and its causes in one line; a cause that the error already quotes is not said twice.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    text
}

macro_rules! from_errors_with_fault {
    ($($error:ty),* $(,)?) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self { fault: error.fault(), message: chain(&error), hint: error.hint() }
            }
        }
    )*};
}

from_errors_with_fault!(
    registry::RegistryError,
    feature_store::StoreError,
    learning::LearningError,
    trees::TreesError,
    evaluation::EvaluationError,
    serving::ServingError,
);

impl From<definitions::Problems> for Failure {
    fn from(problems: definitions::Problems) -> Self {
        Self {
            fault: Fault::Input,
            message: problems.to_string(),
            hint: None,
        }
    }
}

impl From<definitions::ReferenceError> for Failure {
    fn from(error: definitions::ReferenceError) -> Self {
        Self::input(error.to_string())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::platform(format!("a JSON document could not be read or written: {error}"))
    }
}

/// Puts the file into an I/O error's message.
pub fn at_path(path: &std::path::Path) -> impl Fn(std::io::Error) -> Failure + '_ {
    move |error| {
        let failure = match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied => Failure::input,
            _ => Failure::platform,
        };
        failure(format!("`{}`: {error}", path.display()))
    }
}
