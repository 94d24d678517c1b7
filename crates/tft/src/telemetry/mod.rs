//! What a run tells while it goes on: a file of events that TensorBoard shows, and the same as lines of JSON.
//!
//! Wall time is given from outside. Every number is written through at once, so that a run can be watched, and a file whose run was killed
//! is whole up to there.
//!
//! Reading order: `records` (the frame of a record), `events` (what a record says), `plot` (curves as pictures).

mod events;
mod plot;
mod records;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use self::events::{Value, event, version};
pub use self::plot::Curve;
use self::records::framed;
use crate::TftError;
use crate::train::{Moment, Report};

/// Two open files.
#[derive(Debug)]
pub struct Telemetry {
    events: File,
    lines: File,
    path: PathBuf,
}

/// A line of JSON.
#[derive(Debug, Serialize)]
struct Line<'a> {
    seconds: f64,
    step: u64,
    name: &'a str,
    value: f64,
}

impl Telemetry {
    /// Into a folder, which is made: `events.out.tfevents.<whole seconds>.<name>` and `<name>.jsonl`, added to where they exist.
    ///
    /// # Errors
    /// `File`.
    pub fn create(folder: &Path, name: &str, seconds: f64) -> Result<Self, TftError> {
        let open = |file: String| -> Result<File, TftError> {
            let path = folder.join(file);
            let made = std::fs::create_dir_all(folder);
            let opened = made.and_then(|()| OpenOptions::new().create(true).append(true).open(&path));
            opened.map_err(|source| TftError::File {
                doing: "write",
                path,
                source,
            })
        };
        let mut telemetry = Self {
            events: open(format!("events.out.tfevents.{:010}.{name}", seconds as u64))?,
            lines: open(format!("{name}.jsonl"))?,
            path: folder.to_owned(),
        };
        telemetry.write(&version(seconds))?;
        Ok(telemetry)
    }

    /// A number of a step.
    ///
    /// # Errors
    /// `File`.
    pub fn scalar(&mut self, name: &str, value: f64, step: u64, seconds: f64) -> Result<(), TftError> {
        self.write(&event(name, &Value::Scalar(value as f32), step, seconds))?;
        let line = Line {
            seconds,
            step,
            name,
            value,
        };
        let written = serde_json::to_writer(&self.lines, &line).map_err(std::io::Error::from);
        written
            .and_then(|()| self.lines.write_all(b"\n"))
            .map_err(|source| self.failed(source))
    }

    /// The spread of numbers at a step.
    ///
    /// # Errors
    /// `File`.
    pub fn histogram(&mut self, name: &str, values: &[f32], step: u64, seconds: f64) -> Result<(), TftError> {
        self.write(&event(name, &Value::Histogram(values), step, seconds))
    }

    /// A curve as a picture.
    ///
    /// # Errors
    /// `File`.
    pub fn curve(&mut self, name: &str, curve: &Curve<'_>, step: u64, seconds: f64) -> Result<(), TftError> {
        let size = [plot::HEIGHT as u32, plot::WIDTH as u32];
        self.write(&event(name, &Value::Image(&curve.png(), size), step, seconds))
    }

    /// What a moment of training has to say: of a step loss, rate and gradient norm, of an epoch losses.
    ///
    /// # Errors
    /// `File`.
    pub fn record(&mut self, moment: &Moment<'_>, seconds: f64) -> Result<(), TftError> {
        match *moment {
            Moment::Step {
                step,
                rate,
                loss,
                gradient_norm,
                ..
            } => {
                let known = [
                    ("step/loss", loss),
                    ("step/gradient_norm", gradient_norm),
                    ("step/learning_rate", Some(rate)),
                ];
                known
                    .iter()
                    .filter_map(|(name, value)| Some((name, (*value)?)))
                    .try_for_each(|(name, value)| self.scalar(name, value, step, seconds))
            }
            Moment::Epoch(Report {
                step,
                train_loss,
                validation_loss,
                ..
            }) => {
                self.scalar("epoch/train_loss", *train_loss, *step, seconds)?;
                validation_loss.map_or(Ok(()), |loss| {
                    self.scalar("epoch/validation_loss", loss, *step, seconds)
                })
            }
        }
    }

    fn write(&mut self, event: &[u8]) -> Result<(), TftError> {
        self.events
            .write_all(&framed(event))
            .map_err(|source| self.failed(source))
    }
    fn failed(&self, source: std::io::Error) -> TftError {
        TftError::File {
            doing: "write",
            path: self.path.clone(),
            source,
        }
    }
}

#[cfg(test)]
mod tests;
