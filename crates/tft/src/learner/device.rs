//! Where a network trains: on the processor, or on an NVIDIA graphics card when it was built with `cuda`.
//!
//! Whatever it was trained on, a network forecasts on the processor and its files are the same: a model is used on machines without a
//! card. The card's weights depend on the order of its sums, so the same seed gives the same bits only on the processor.

use burn::backend::{Autodiff, Flex};
use burn::module::AutodiffModule;
use serde::{Deserialize, Serialize};

use crate::TftError;
use crate::model::TemporalFusionTransformer;
use crate::train::{self, Checkpoint, Control, Finder, Fitted, FoundRate, Material, Moment};

/// What computes while a network trains.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA graphics card, the first of the machine.
    Cuda,
}

/// A trained network, on the processor.
pub(super) struct FittedHere {
    pub network: TemporalFusionTransformer<Flex>,
    pub checkpoint: Checkpoint,
}

impl Device {
    /// Says what is missing to train here.
    ///
    /// # Errors
    /// `Missing`: built without `cuda`, or there is no card, driver, compiler or headers of CUDA.
    pub fn check(self) -> Result<(), TftError> {
        match self {
            Self::Cpu => Ok(()),
            Self::Cuda => card::check(),
        }
    }

    /// `train::fit` here.
    pub(super) fn fit(
        self,
        material: &Material<'_>,
        from: Option<Checkpoint>,
        control: &mut dyn FnMut(Moment<'_>) -> Control,
    ) -> Result<FittedHere, TftError> {
        match self {
            Self::Cpu => {
                let Fitted {
                    network, checkpoint, ..
                } = train::fit::<Autodiff<Flex>>(material, from, &Default::default(), control)?;
                Ok(FittedHere {
                    network: network.valid(),
                    checkpoint,
                })
            }
            Self::Cuda => card::fit(material, from, control),
        }
    }

    /// `train::find_rate` here.
    pub(super) fn find_rate(self, material: &Material<'_>, finder: Finder) -> Result<FoundRate, TftError> {
        match self {
            Self::Cpu => train::find_rate::<Autodiff<Flex>>(material, finder, &Default::default()),
            Self::Cuda => card::find_rate(material, finder),
        }
    }
}

#[cfg(feature = "cuda")]
mod card {
    use std::panic::{catch_unwind, set_hook, take_hook};

    use burn::backend::Cuda;
    use burn::tensor::{ElementConversion, Tensor};

    use super::*;
    use crate::artefacts::{load_weights, weights_to_bytes};

    /// Computes something on the card. What is missing (driver, compiler, headers) makes Burn panic, in a thread of its own too:
    /// whatever these say is left out for one error.
    pub fn check() -> Result<(), TftError> {
        let hook = take_hook();
        set_hook(Box::new(|_| {}));
        let two = catch_unwind(|| -> f32 {
            let ones = Tensor::<Cuda, 1>::ones([2], &Default::default());
            ones.exp().log().sum().into_scalar().elem()
        });
        set_hook(hook);
        match two {
            Ok(two) if (two - 2.0).abs() < 1e-3 => Ok(()),
            Ok(other) => Err(TftError::Missing {
                what: "a graphics card that computes",
                found: format!("1 + 1 = {other}"),
            }),
            Err(_) => Err(TftError::Missing {
                what: "an NVIDIA card with its driver (`libcuda.so.1`), `libnvrtc.so` and the headers of CUDA (in `$CUDA_PATH/include`)",
                found: "no card that computes".to_owned(),
            }),
        }
    }

    pub fn fit(
        material: &Material<'_>,
        from: Option<Checkpoint>,
        control: &mut dyn FnMut(Moment<'_>) -> Control,
    ) -> Result<FittedHere, TftError> {
        let Fitted {
            network, checkpoint, ..
        } = train::fit::<Autodiff<Cuda>>(material, from, &Default::default(), control)?;
        let empty = TemporalFusionTransformer::new(material.architecture, 0, &Default::default())?;
        Ok(FittedHere {
            network: load_weights(empty, &weights_to_bytes(&network)?)?,
            checkpoint,
        })
    }

    pub fn find_rate(material: &Material<'_>, finder: Finder) -> Result<FoundRate, TftError> {
        train::find_rate::<Autodiff<Cuda>>(material, finder, &Default::default())
    }
}

#[cfg(not(feature = "cuda"))]
mod card {
    use super::*;

    fn missing() -> TftError {
        TftError::Missing {
            what: "a `platform` that was built with `--features cuda`",
            found: "one built without".to_owned(),
        }
    }

    pub fn check() -> Result<(), TftError> {
        Err(missing())
    }

    pub fn fit(
        _: &Material<'_>,
        _: Option<Checkpoint>,
        _: &mut dyn FnMut(Moment<'_>) -> Control,
    ) -> Result<FittedHere, TftError> {
        Err(missing())
    }
    pub fn find_rate(_: &Material<'_>, _: Finder) -> Result<FoundRate, TftError> {
        Err(missing())
    }
}
