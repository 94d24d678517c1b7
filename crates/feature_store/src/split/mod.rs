//! Which rows train, which validate, which test, and the proof that they are apart.
//!
//! Reading order: this file (what a split is given and what it gives), `time`, `drawn` (random and group), `certificate`.

mod certificate;
mod drawn;
mod time;

pub use certificate::{Certificate, TimeBorder};
