#![expect(clippy::unwrap_used, reason = "tests may")]

mod agreement;
mod counts;
mod example;
mod golden;
mod gradients;
mod naive;
mod processor;
mod properties;
