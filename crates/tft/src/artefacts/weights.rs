//! Weights as a file of safetensors: each under its path in the network, such as `past.joint.gate.weight`, in 32-bit floats. The same
//! weights are the same bytes.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::TftError;

/// The bytes of the file.
///
/// # Errors
/// `Checkpoint` when the weights cannot be written down, `Device` when the device does not give them back.
pub fn weights_to_bytes<B: Backend, M: Module<B>>(network: &M) -> Result<Vec<u8>, TftError> {
    let mut writer = Writer::default();
    network.visit(&mut writer);
    if let Some(error) = writer.error {
        return Err(error);
    }
    let mut views = Vec::new();
    for (name, shape, bytes) in &writer.found {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(|error| unusable(&error.to_string()))?;
        views.push((name.as_str(), view));
    }
    safetensors::serialize(views, None).map_err(|error| unusable(&error.to_string()))
}

/// A network with the weights of a file.
///
/// # Errors
/// `Checkpoint` for bytes that are not those of a file of weights, and for one that has other weights than the network: it names the
/// first that is missing, of another shape, or too many.
pub fn load_weights<B: Backend, M: Module<B>>(network: M, bytes: &[u8]) -> Result<M, TftError> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| unusable(&error.to_string()))?;
    let mut weights = HashMap::new();
    for (name, view) in tensors.iter() {
        let (numbers, rest) = view.data().as_chunks::<4>();
        if view.dtype() != Dtype::F32 || !rest.is_empty() {
            return Err(unusable(&format!("`{name}` is not of 32-bit floats")));
        }
        let values: Vec<f32> = numbers.iter().map(|number| f32::from_le_bytes(*number)).collect();
        weights.insert(name.to_owned(), (view.shape().to_vec(), values));
    }
    let mut reader = Reader {
        weights,
        path: Vec::new(),
        error: None,
    };
    let network = network.map(&mut reader);
    let mut left: Vec<&String> = reader.weights.keys().collect();
    left.sort();
    match (reader.error, left.first()) {
        (Some(error), _) => Err(error),
        (None, Some(name)) => Err(unusable(&format!("the network has no `{name}`"))),
        (None, None) => Ok(network),
    }
}

fn unusable(reason: &str) -> TftError {
    let reason = reason.to_owned();
    TftError::Checkpoint { reason }
}

#[derive(Default)]
struct Writer {
    path: Vec<String>,
    found: Vec<(String, Vec<usize>, Vec<u8>)>,
    error: Option<TftError>,
}

impl<B: Backend> ModuleVisitor<B> for Writer {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let values = param.val();
        let shape = values.dims().to_vec();
        match values.into_data().convert::<f32>().to_vec::<f32>() {
            Ok(numbers) => {
                let bytes = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
                self.found.push((self.path.join("."), shape, bytes));
            }
            Err(error) => {
                self.error = Some(TftError::Device {
                    what: "weights",
                    said: format!("{error:?}"),
                });
            }
        }
    }
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }
    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }
}

struct Reader {
    weights: HashMap<String, (Vec<usize>, Vec<f32>)>,
    path: Vec<String>,
    error: Option<TftError>,
}

impl<B: Backend> ModuleMapper<B> for Reader {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let (name, wanted, device) = (self.path.join("."), param.val().dims(), param.val().device());
        match self.weights.remove(&name) {
            Some((shape, values)) if shape == wanted => {
                let values = Tensor::from_data(TensorData::new(values, shape), &device);
                Param::initialized(param.id, values.set_require_grad(B::ad_enabled(&device)))
            }
            Some((shape, _)) => {
                self.error = Some(unusable(&format!("`{name}`: wanted {wanted:?}, found {shape:?}")));
                param
            }
            None => {
                self.error = Some(unusable(&format!("`{name}` is missing")));
                param
            }
        }
    }
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }
    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may")]
    use burn::backend::Flex;

    use super::*;
    use crate::model::{Architecture, Outputs, TemporalFusionTransformer, VariableSet};

    fn network(width: usize, seed: u64) -> TemporalFusionTransformer<Flex> {
        let set = |names: &[&str]| VariableSet {
            continuous: names.iter().map(|name| (*name).to_owned()).collect(),
            ..VariableSet::default()
        };
        let architecture = Architecture {
            fixed: set(&["size"]),
            known: set(&["hour"]),
            observed: set(&["value"]),
            targets: 1,
            context: 4,
            horizon: 2,
            width,
            heads: 1,
            dropout: 0.0,
            outputs: Outputs::Point,
        };
        TemporalFusionTransformer::new(&architecture, seed, &Default::default()).unwrap()
    }

    #[test]
    fn weights_survive_their_file_to_the_bit() {
        let bytes = weights_to_bytes(&network(8, 1)).unwrap();
        let loaded = load_weights(network(8, 2), &bytes).unwrap();
        assert_eq!(weights_to_bytes(&loaded).unwrap(), bytes);
        assert_ne!(weights_to_bytes(&network(8, 2)).unwrap(), bytes);
    }

    #[test]
    fn weights_of_another_network_are_refused() {
        let bytes = weights_to_bytes(&network(4, 1)).unwrap();
        assert!(matches!(
            load_weights(network(8, 1), &bytes),
            Err(TftError::Checkpoint { .. })
        ));
        assert!(matches!(
            load_weights(network(4, 1), &bytes[..99]),
            Err(TftError::Checkpoint { .. })
        ));
    }
}
