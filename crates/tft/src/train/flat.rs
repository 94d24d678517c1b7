//! All parameters in one buffer, in the module's order, so that the optimiser is a few operations and a norm is one sum.

use std::marker::PhantomData;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};

/// Every parameter: [parameters], without a graph. `None` only for a module without parameters.
#[must_use]
pub fn parameters<B: AutodiffBackend, M: Module<B>>(module: &M) -> Option<Tensor<B::InnerBackend, 1>> {
    let mut parts = Parts { found: Vec::new() };
    module.visit(&mut parts);
    joined(parts.found)
}

/// The gradient of every parameter, 0 where there is none: [parameters].
#[must_use]
pub fn gradients<B: AutodiffBackend, M: Module<B>>(
    module: &M,
    gradients: &B::Gradients,
) -> Option<Tensor<B::InnerBackend, 1>> {
    let mut parts = GradientParts::<B> {
        gradients,
        found: Vec::new(),
    };
    module.visit(&mut parts);
    joined(parts.found)
}

/// The module with every parameter taken from a buffer, each the start of a new graph.
#[must_use]
pub fn replace<B: AutodiffBackend, M: Module<B>>(module: M, parameters: &Tensor<B::InnerBackend, 1>) -> M {
    module.map(&mut Replacing::<B> {
        parameters,
        start: 0,
        backend: PhantomData,
    })
}

fn joined<B: Backend>(mut parts: Vec<Tensor<B, 1>>) -> Option<Tensor<B, 1>> {
    match parts.len() {
        0 | 1 => parts.pop(),
        _ => Some(Tensor::cat(parts, 0)),
    }
}

struct Parts<B: Backend> {
    found: Vec<Tensor<B, 1>>,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Parts<B::InnerBackend> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let values = param.val().inner();
        let length = values.shape().num_elements();
        self.found.push(values.reshape([length]));
    }
}

struct GradientParts<'a, B: AutodiffBackend> {
    gradients: &'a B::Gradients,
    found: Vec<Tensor<B::InnerBackend, 1>>,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for GradientParts<'_, B> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let values = param.val();
        let length = values.shape().num_elements();
        let gradient = values.grad(self.gradients);
        self.found.push(match gradient {
            Some(gradient) => gradient.reshape([length]),
            None => Tensor::zeros([length], &values.device()),
        });
    }
}

struct Replacing<'a, B: AutodiffBackend> {
    parameters: &'a Tensor<B::InnerBackend, 1>,
    start: usize,
    backend: PhantomData<B>,
}

impl<B: AutodiffBackend> ModuleMapper<B> for Replacing<'_, B> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let shape = param.val().dims();
        let length = shape.iter().product();
        let values = self.parameters.clone().narrow(0, self.start, length).reshape(shape);
        self.start += length;
        Param::initialized(param.id, Tensor::from_inner(values).require_grad())
    }
}
