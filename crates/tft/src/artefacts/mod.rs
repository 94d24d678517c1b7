//! What is kept of a trained network, and comes back from it.

mod weights;

pub use weights::{load_weights, weights_to_bytes};
