//! How much each variable counts: the variable selection of the network (Lim and others, 2021, section 4.2), the mean over windows of
//! validation, or of train where there is none.

use burn::backend::Flex;

use super::course::Lesson;
use crate::TftError;
use crate::data::Window;
use crate::model::TemporalFusionTransformer;
use crate::predict::{self, Asking};
use crate::train::Counts;

/// Windows over which variables are weighed, at most, evenly spread.
const MOST_WINDOWS: usize = 4_096;

/// How much each variable counts in a network.
pub(super) fn weigh(
    lesson: &Lesson<'_>,
    network: &TemporalFusionTransformer<Flex>,
    threads: usize,
) -> Result<Counts, TftError> {
    let windows = if lesson.validation.is_empty() {
        lesson.train
    } else {
        lesson.validation
    };
    let step = windows.len().div_ceil(MOST_WINDOWS).max(1);
    let windows: Vec<Window> = windows.iter().step_by(step).copied().collect();
    let asking = Asking {
        gathering: &lesson.gathering,
        windows: &windows,
        outputs: &lesson.architecture.outputs,
        batch: predict::TOGETHER,
        threads: usize::from(threads > 1),
    };
    let found = predict::forecast(network, &asking, &Default::default())?;
    Ok(Counts::of(lesson.architecture, &found.importance))
}
