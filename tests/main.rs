//! The platform from outside: every test here goes through the binary, as a user does.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on says so and stops"
)]

mod sandbox;

mod architecture;
mod bad_inputs;
mod baselines;
mod classes;
mod contract;
mod derived;
mod drift;
mod expectations;
mod exports;
mod folds;
mod forecasts;
mod forget;
mod full_disk;
mod history;
mod killed;
mod leaks;
mod main_job;
mod oracles;
mod real_data;
mod screens;
mod transformer;
mod two_processes;
