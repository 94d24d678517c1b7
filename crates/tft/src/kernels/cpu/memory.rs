//! Tensors as the numbers that they are in memory.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Tensor, TensorData, TensorPrimitive};

/// A tensor's numbers, by rows; `None`: they are not 32-bit floats.
pub(super) fn contiguous<const D: usize>(tensor: &Tensor<Flex, D>) -> Option<FlexTensor> {
    let tensor = tensor.clone().into_primitive().tensor().to_contiguous();
    (tensor.dtype() == burn::tensor::DType::F32 && tensor.as_slice::<f32>().is_some()).then_some(tensor)
}

/// The numbers of what `contiguous` gave.
pub(super) fn numbers(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice::<f32>().unwrap_or_default()
}

/// A tensor of these numbers, by rows; they are not copied.
pub(super) fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<Flex, D> {
    let primitive = FlexTensor::from_data(TensorData::new(values, shape));
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}
