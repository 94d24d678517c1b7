#![expect(clippy::unwrap_used, reason = "tests may")]

mod gathering;
mod loading;
mod panels;
mod scaling;
