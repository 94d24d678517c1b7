//! What can go wrong with a Temporal Fusion Transformer.

use std::path::PathBuf;

use definitions::Fault;

/// Why a network cannot be built, trained, kept or used.
#[derive(Debug, thiserror::Error)]
pub enum TftError {
    /// A network that cannot be built.
    #[error("`{field}`: wanted {wanted}, found {found}")]
    Architecture {
        /// The field.
        field: &'static str,
        /// What it should be.
        wanted: &'static str,
        /// What it is.
        found: String,
    },
    /// A setting of the training that cannot be.
    #[error("`{name}`: wanted {wanted}, found {found}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What it should be.
        wanted: &'static str,
        /// What it is.
        found: String,
    },
    /// Windows without the variables that the network was built for.
    #[error("the windows' {kind} variables are not those that the network was built for")]
    Columns {
        /// Which variables.
        kind: &'static str,
    },
    /// A panel whose columns do not fit together.
    #[error("`{column}`: wanted {wanted} rows, found {found}")]
    Panel {
        /// The column.
        column: String,
        /// Rows of the panel.
        wanted: usize,
        /// Rows of the column.
        found: usize,
    },
    /// No series is long enough.
    #[error("no series has {wanted} steps: the longest has {found}")]
    NoWindows {
        /// Steps that a window needs at least.
        wanted: usize,
        /// Steps of the longest series.
        found: usize,
    },
    /// A loss or a gradient that is not a number.
    #[error("the {what} of step {step} is not finite")]
    NotFinite {
        /// Which number.
        what: &'static str,
        /// The step, from 1.
        step: u64,
    },
    /// Numbers that a device did not give back.
    #[error("the device did not return the {what}")]
    Device {
        /// What was asked for.
        what: &'static str,
        /// What it said.
        said: String,
    },
    /// What training on a graphics card needs, and is not there.
    #[error("`device = \"cuda\"`: wanted {what}, found {found}")]
    Missing {
        /// What it needs.
        what: &'static str,
        /// What there is.
        found: String,
    },
    /// A file that cannot be read or written.
    #[error("cannot {doing} {}", path.display())]
    File {
        /// What was done with it.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A checkpoint that is not one, or not of this run.
    #[error("the checkpoint cannot be used: {reason}")]
    Checkpoint {
        /// Why not.
        reason: String,
    },
    /// A loader's thread that stopped.
    #[error("a thread that gathers batches stopped")]
    Loader,
}

impl TftError {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Architecture { .. }
            | Self::Setting { .. }
            | Self::NoWindows { .. }
            | Self::Missing { .. }
            | Self::NotFinite { .. }
            | Self::Checkpoint { .. } => Fault::Input,
            Self::Columns { .. } | Self::Panel { .. } | Self::Device { .. } | Self::File { .. } | Self::Loader => {
                Fault::Platform
            }
        }
    }
    /// What to type.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Architecture { .. } | Self::Setting { .. } => {
                Some("change `[train.tft]` of the pipeline, then: platform apply".to_owned())
            }
            Self::NoWindows { .. } => Some("choose a smaller `horizon` in `[forecast]` of the view".to_owned()),
            Self::NotFinite { .. } => {
                Some("choose a smaller `learning_rate` or `gradient_clip` in `[train.tft]`".to_owned())
            }
            Self::Missing { .. } => Some("remove `device` from `[train.tft]`, then: platform apply".to_owned()),
            _ => None,
        }
    }
}
