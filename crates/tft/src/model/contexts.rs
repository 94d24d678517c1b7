//! What is known of a window before its first step: four vectors from the static variables (paper, section 4.3).

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::dropout::Pass;
use super::parameters::Parameters;
use super::residual::GatedResidual;
use crate::kernels::Kernels;

/// Four networks, one for each use.
#[derive(Module, Debug)]
pub struct StaticContexts<B: Backend> {
    /// c_s
    pub selection: GatedResidual<B>,
    /// c_e
    pub enrichment: GatedResidual<B>,
    /// c_h
    pub hidden: GatedResidual<B>,
    /// c_c
    pub cell: GatedResidual<B>,
}

/// The vectors, each [batch, width].
#[derive(Debug, Clone)]
pub struct Contexts<B: Backend> {
    /// What weighs the variables.
    pub selection: Tensor<B, 2>,
    /// What enriches every step.
    pub enrichment: Tensor<B, 2>,
    /// The first hidden state of the recurrence.
    pub hidden: Tensor<B, 2>,
    /// Its first cell state.
    pub cell: Tensor<B, 2>,
}

impl<B: Backend> StaticContexts<B> {
    /// For this width.
    #[must_use]
    pub fn new(parameters: &Parameters<B>, width: usize) -> Self {
        let network = |name: &str| GatedResidual::new(&parameters.of(name), width);
        Self {
            selection: network("selection"),
            enrichment: network("enrichment"),
            hidden: network("hidden"),
            cell: network("cell"),
        }
    }
}

impl<B: Kernels> StaticContexts<B> {
    /// [batch, 1, width] → four of [batch, width]
    pub fn forward(&self, input: Tensor<B, 3>, dropout: f64, pass: Pass) -> Contexts<B> {
        let [batch, _, width] = input.dims();
        let run = |network: &GatedResidual<B>, part: u64| {
            let output = network.forward(input.clone(), None, dropout, pass.part(part));
            output.reshape([batch, width])
        };
        Contexts {
            selection: run(&self.selection, 0),
            enrichment: run(&self.enrichment, 1),
            hidden: run(&self.hidden, 2),
            cell: run(&self.cell, 3),
        }
    }
}
