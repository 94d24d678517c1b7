//! What is wrong with a parameter.

/// A parameter that is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ParameterError {
    /// There is no such parameter.
    #[error("tft has no parameter `{name}`")]
    Unknown {
        /// As written.
        name: String,
        /// The nearest one that there is.
        nearest: Option<String>,
    },
    /// A value of another type, or out of range.
    #[error("`{name}`: wanted {wanted}, found {found}")]
    Value {
        /// As written.
        name: String,
        /// What it may be.
        wanted: String,
        /// What it is.
        found: String,
    },
    /// Two parameters that exclude each other.
    #[error("`{one}` and `{other}` cannot be used together")]
    Together {
        /// One of them.
        one: &'static str,
        /// The other.
        other: &'static str,
    },
    /// A parameter that another one gives no place.
    #[error("`{name}` is for {only}")]
    Idle {
        /// As written.
        name: &'static str,
        /// What it is for.
        only: &'static str,
    },
}

impl ParameterError {
    /// The parameter.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Unknown { name, .. } | Self::Value { name, .. } => name,
            Self::Together { one: name, .. } | Self::Idle { name, .. } => name,
        }
    }
    /// What to type.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Unknown {
                nearest: Some(nearest), ..
            } => format!("did you mean `{nearest}`?"),
            Self::Unknown { name, .. } => format!("remove `{name}` from `[train.tft]`, then: platform apply"),
            Self::Value { name, .. } => format!("change `{name}` in `[train.tft]`, then: platform apply"),
            Self::Together { one, .. } => format!("remove `{one}` from `[train.tft]`, then: platform apply"),
            Self::Idle { name, .. } => format!("remove `{name}` from `[train.tft]`, then: platform apply"),
        }
    }
}
