//! What is learned: how it is drawn, named and counted.
//!
//! A parameter is drawn from the seed and its name alone: the same seed gives the same weights on every device, for any order of
//! construction and any number of threads.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use crate::random::{hash_text, mix, unit};

/// Draws parameters, each under its path.
#[derive(Debug, Clone)]
pub struct Parameters<B: Backend> {
    seed: u64,
    path: String,
    device: B::Device,
}

impl<B: Backend> Parameters<B> {
    /// Parameters of this seed, on this device.
    #[must_use]
    pub fn new(seed: u64, device: &B::Device) -> Self {
        Self {
            seed,
            path: String::new(),
            device: device.clone(),
        }
    }
    /// The parameters of a part.
    #[must_use]
    pub fn of(&self, part: &str) -> Self {
        Self {
            seed: self.seed,
            path: format!("{}{part}.", self.path),
            device: self.device.clone(),
        }
    }
    /// The device that they lie on.
    #[must_use]
    pub fn device(&self) -> &B::Device {
        &self.device
    }
    /// Uniform in ±1/√`inputs`, as PyTorch draws weights and biases of linear layers.
    pub fn uniform<const D: usize>(&self, name: &str, shape: [usize; D], inputs: usize) -> Param<Tensor<B, D>> {
        let bound = 1.0 / (inputs.max(1) as f64).sqrt();
        self.draw(name, shape, |bits| (2.0 * unit(bits) - 1.0) * bound)
    }
    /// Standard normal, as PyTorch draws embeddings (by the method of Box and Muller).
    pub fn normal<const D: usize>(&self, name: &str, shape: [usize; D]) -> Param<Tensor<B, D>> {
        self.draw(name, shape, |bits| {
            let radius = (-2.0 * libm::log(1.0 - unit(bits))).sqrt();
            radius * libm::cos(std::f64::consts::TAU * unit(mix(bits, 1)))
        })
    }
    /// The same number everywhere.
    pub fn constant<const D: usize>(&self, name: &str, shape: [usize; D], value: f64) -> Param<Tensor<B, D>> {
        self.draw(name, shape, |_| value)
    }

    fn draw<const D: usize>(&self, name: &str, shape: [usize; D], one: impl Fn(u64) -> f64) -> Param<Tensor<B, D>> {
        let key = mix(self.seed, hash_text(&format!("{}{name}", self.path)));
        let elements: usize = shape.iter().product();
        let values: Vec<f32> = (0..elements as u64).map(|at| one(mix(key, at)) as f32).collect();
        Param::from_data(TensorData::new(values, shape), &self.device)
    }
}

/// How many numbers are learned.
#[must_use]
pub fn count<B: Backend, M: Module<B>>(module: &M) -> usize {
    module.num_params()
}

/// The name of every parameter with its shape, in the module's order.
#[must_use]
pub fn parameter_names<B: Backend, M: Module<B>>(module: &M) -> Vec<(String, Vec<usize>)> {
    let mut names = Names::default();
    module.visit(&mut names);
    names.found
}

#[derive(Default)]
struct Names {
    path: Vec<String>,
    found: Vec<(String, Vec<usize>)>,
}

impl<B: Backend> ModuleVisitor<B> for Names {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        self.found.push((self.path.join("."), param.val().dims().to_vec()));
    }
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }
    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }
}
