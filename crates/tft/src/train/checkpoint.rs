//! What is kept to go on from: everything that the next step reads, in one file of safetensors with the rest as its metadata.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::early_stopping::EarlyStopping;
use super::fit::{Report, any_number};
use super::schedule::Plateau;
use crate::TftError;

/// Where a run is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// What the run is of: another architecture, other settings, data or seed are another run.
    pub identity: String,
    /// Epochs done.
    pub epoch: u64,
    /// Steps done of the epoch after them.
    pub position: u64,
    /// Steps done of the run, also the optimiser's.
    pub step: u64,
    /// Of the epoch: the sum of the loss, and over how many targets.
    pub loss_sum: f64,
    /// See `loss_sum`.
    pub loss_known: f64,
    /// What early stopping has seen.
    pub early_stopping: EarlyStopping,
    /// What the schedule has seen.
    pub plateau: Plateau,
    /// The validation loss and the epoch of each checkpoint that is kept, the best first.
    pub kept: Vec<(f64, u64)>,
    /// The last gradient's norm, before clipping.
    #[serde(deserialize_with = "any_number")]
    pub gradient_norm: f64,
    /// What every epoch came to.
    pub history: Vec<Report>,
}

/// A run between two steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Where it is.
    pub progress: Progress,
    /// All parameters.
    pub parameters: Vec<f32>,
    /// The optimiser's first moment.
    pub first_moment: Vec<f32>,
    /// Its second moment.
    pub second_moment: Vec<f32>,
    /// The average of parameters over steps; empty where there is none (yet).
    pub average: Vec<f32>,
    /// The parameters of the best epoch; empty before the first.
    pub best: Vec<f32>,
}

const PROGRESS: &str = "progress";

impl Checkpoint {
    /// The bytes of the file.
    ///
    /// # Errors
    /// `Checkpoint` when it cannot be written down.
    pub fn to_bytes(&self) -> Result<Vec<u8>, TftError> {
        let unusable = |reason: String| TftError::Checkpoint { reason };
        let parts = [
            ("average", &self.average),
            ("best", &self.best),
            ("first_moment", &self.first_moment),
            ("parameters", &self.parameters),
            ("second_moment", &self.second_moment),
        ]
        .map(|(name, values)| {
            (
                name,
                values.len(),
                values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>(),
            )
        });
        let mut views = Vec::new();
        for (name, length, bytes) in &parts {
            let view =
                TensorView::new(Dtype::F32, vec![*length], bytes).map_err(|error| unusable(error.to_string()))?;
            views.push((*name, view));
        }
        let progress = serde_json::to_string(&self.progress).map_err(|error| unusable(error.to_string()))?;
        let metadata = HashMap::from([(PROGRESS.to_owned(), progress)]);
        safetensors::serialize(views, Some(metadata)).map_err(|error| unusable(error.to_string()))
    }

    /// From the bytes of the file.
    ///
    /// # Errors
    /// `Checkpoint` for bytes that are not one's, or were cut off.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TftError> {
        let unusable = |reason: String| TftError::Checkpoint { reason };
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| unusable(error.to_string()))?;
        let progress = metadata.metadata().as_ref().and_then(|metadata| metadata.get(PROGRESS));
        let progress = progress.ok_or_else(|| unusable("it does not say how far it is".to_owned()))?;
        let progress = serde_json::from_str(progress).map_err(|error| unusable(error.to_string()))?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| unusable(error.to_string()))?;
        let floats = |name: &str| -> Result<Vec<f32>, TftError> {
            let tensor = tensors.tensor(name).map_err(|error| unusable(error.to_string()))?;
            let (numbers, rest) = tensor.data().as_chunks::<4>();
            if tensor.dtype() != Dtype::F32 || !rest.is_empty() {
                return Err(unusable(format!("`{name}` is not of 32-bit floats")));
            }
            Ok(numbers.iter().map(|number| f32::from_le_bytes(*number)).collect())
        };
        Ok(Self {
            progress,
            parameters: floats("parameters")?,
            first_moment: floats("first_moment")?,
            second_moment: floats("second_moment")?,
            average: floats("average")?,
            best: floats("best")?,
        })
    }

    /// Writes the file: whole, or not at all.
    ///
    /// # Errors
    /// `File`, or what `to_bytes` says.
    pub fn write(&self, path: &Path) -> Result<(), TftError> {
        write_atomically(path, &self.to_bytes()?)
    }

    /// Reads the file.
    ///
    /// # Errors
    /// `File`, or what `from_bytes` says.
    pub fn read(path: &Path) -> Result<Self, TftError> {
        let bytes = fs::read(path).map_err(|source| TftError::File {
            doing: "read",
            path: path.to_owned(),
            source,
        })?;
        Self::from_bytes(&bytes)
    }
}

/// Writes beside the file, then puts it into its place: whoever reads sees the old file or the new one, also after a crash.
///
/// # Errors
/// `File`.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), TftError> {
    let beside = path.with_extension("partial");
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&beside, path)?;
        match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) if cfg!(unix) => File::open(parent)?.sync_all(),
            _ => Ok(()),
        }
    };
    write().map_err(|source| TftError::File {
        doing: "write",
        path: path.to_owned(),
        source,
    })
}
