//! The model card: what a model is for, what it was made from, how good it is and where not to trust it, as Markdown.
//!
//! Everything on it is evidence that was recorded on the way, never a claim. The same evidence gives the same text.

mod evidence;
mod folds;
mod forecast;
mod limitations;
mod markdown;
mod render;
mod usage;

pub use evidence::*;
pub use forecast::{CardForecast, CardNote, CardVariable};
pub use render::render_card;
