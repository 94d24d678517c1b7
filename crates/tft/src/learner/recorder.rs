//! Writes down what a training tells: events that TensorBoard shows, and the same as lines of JSON, in a folder for each training.
//!
//! Seconds are counted from the beginning of the training. What cannot be written stops the training: whoever asked for it wants it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::TftError;
use crate::model::Architecture;
use crate::telemetry::{Curve, Telemetry};
use crate::train::{Counts, FoundRate, Moment};

/// Files under way; or none, where nobody asked for them.
#[derive(Debug)]
pub(super) struct Recorder {
    files: Option<Telemetry>,
    started: Instant,
    /// When the last step ended.
    last: Duration,
    error: Option<TftError>,
}

impl Recorder {
    /// In a folder of this name in the folder of the run; without a name, in that itself.
    pub fn open(folder: Option<&Path>, name: &str, started: Instant) -> Result<Self, TftError> {
        let folder = folder.map(|folder| {
            if name.is_empty() {
                PathBuf::from(folder)
            } else {
                folder.join(name)
            }
        });
        let last = started.elapsed();
        Ok(Self {
            files: folder
                .map(|folder| Telemetry::create(&folder, "training", 0.0))
                .transpose()?,
            started,
            last,
            error: None,
        })
    }

    /// Whether anything is written.
    pub fn is_on(&self) -> bool {
        self.files.is_some()
    }

    /// What a moment says; `false`: it could not be written, see `ended`.
    pub fn record(&mut self, moment: &Moment<'_>) -> bool {
        let Some(files) = &mut self.files else { return true };
        let now = self.started.elapsed();
        let seconds = now.as_secs_f64();
        let written = files.record(moment, seconds).and_then(|()| match moment {
            Moment::Step { step, windows, .. } => {
                let took = now.saturating_sub(self.last).as_secs_f64().max(1e-9);
                files.scalar("step/windows_per_second", *windows as f64 / took, *step, seconds)
            }
            Moment::Epoch(report) => match peak_memory() {
                Some(bytes) => files.scalar("epoch/peak_memory_bytes", bytes, report.step, seconds),
                None => Ok(()),
            },
        });
        self.last = now;
        self.error = written.err();
        self.error.is_none()
    }

    /// What was wrong with writing.
    pub fn error(&mut self) -> Result<(), TftError> {
        self.error.take().map_or(Ok(()), Err)
    }

    /// How much each variable counts in the end.
    pub fn importances(&mut self, architecture: &Architecture, counts: &Counts, step: u64) -> Result<(), TftError> {
        let seconds = self.started.elapsed().as_secs_f64();
        let Some(files) = &mut self.files else { return Ok(()) };
        let kinds = [
            ("static", &architecture.fixed, &counts.fixed),
            ("known", &architecture.known, &counts.known),
            ("observed", &architecture.observed, &counts.observed),
        ];
        for (kind, set, counts) in kinds {
            for (name, count) in set.names().iter().zip(counts) {
                files.scalar(&format!("importance/{kind}/{name}"), *count, step, seconds)?;
            }
        }
        Ok(())
    }

    /// The rates that were tried, and the curve of their losses.
    pub fn found_rate(&mut self, found: &FoundRate) -> Result<(), TftError> {
        let seconds = self.started.elapsed().as_secs_f64();
        let Some(files) = &mut self.files else { return Ok(()) };
        for ((step, rate), loss) in (1..).zip(&found.rates).zip(&found.losses) {
            files.scalar("finder/learning_rate", *rate, step, seconds)?;
            files.scalar("finder/loss", *loss, step, seconds)?;
        }
        let across: Vec<f64> = found.rates.iter().map(|rate| libm::log10(*rate)).collect();
        let curve = Curve {
            across: &across,
            up: &found.losses,
        };
        files.curve(
            "finder/loss_by_logarithm_of_rate",
            &curve,
            found.rates.len() as u64,
            seconds,
        )
    }
}

/// The most memory that the process has had, in bytes; `None`: the system does not say.
fn peak_memory() -> Option<f64> {
    peak_of(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// Of Linux's `VmHWM:   1234 kB`.
fn peak_of(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_is_read_where_the_system_says_it() {
        assert_eq!(peak_of("VmPeak:\t 9 kB\nVmHWM:\t  12 kB\n"), Some(12_288.0));
        assert_eq!(peak_of("VmPeak:\t 9 kB\n"), None);
    }
}
