//! The network: Lim, Arik, Loeff, Pfister, *Temporal Fusion Transformers for Interpretable Multi-horizon Time Series Forecasting*
//! (arXiv 1912.09363v3), with every variable embedded into the same width, so that work on variables is one matrix product.
//!
//! ```text
//!     columns ─ embedding ─ selection ─┬─ recurrence ─ gate ─ enrichment ─ attention ─ gate ─ residual ─ gate ─ quantiles
//!     static  ─ embedding ─ selection ─┴─ contexts (selection, enrichment, initial state)
//! ```
//!
//! Reading order, which is the data's: `architecture` (what is configured), `columns` (what goes in), `embedding`, `residual` (the block
//! that everything is made of), `selection`, `contexts`, `recurrence`, `gating`, `attention`, `network` (all of it), `quantiles` (what
//! comes out). `parameters` draws what is learned; `dropout` decides what is dropped.
//!
//! Shapes: `batch` windows; `context` steps looked back and `horizon` looked ahead, together `steps`; `rows` = batch × steps; `width` =
//! the hidden size, everywhere.

mod architecture;
mod attention;
mod category;
mod columns;
mod contexts;
mod dropout;
mod embedding;
mod gating;
mod linear;
mod network;
mod parameters;
mod quantiles;
mod recurrence;
mod residual;
mod selection;
#[cfg(test)]
mod tests;

pub use architecture::{Architecture, Outputs, VariableSet};
pub use attention::{Attended, InterpretableAttention};
pub use category::{Categories, UNKNOWN};
pub use columns::{Columns, WindowTensors};
pub use contexts::{Contexts, StaticContexts};
pub use dropout::{Draws, Dropping, Pass};
pub use embedding::{Embedded, Embedding};
pub use gating::{GateAddNorm, LayerNorm, gated_linear_unit};
pub use linear::{GroupedLinear, Linear};
pub use network::{Explained, TemporalFusionTransformer};
pub use parameters::{Parameters, count, parameter_names};
pub use quantiles::{Crossings, sort_quantiles};
pub use recurrence::Recurrence;
pub use residual::{GatedResidual, GroupedResidual};
pub use selection::{Selected, VariableSelection};
