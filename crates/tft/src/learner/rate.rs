//! `learning_rate = "find"`: rates are tried before anything is trained, and the one is used at which the loss falls fastest.

use learning::{ForecastData, LearningError, TrainingNote};

use super::course::Lesson;
use super::device::Device;
use super::recorder::Recorder;
use crate::train::{Finder, Settings};

/// The settings with the rate that was found, and what the card says of it.
pub(super) fn find(
    lesson: &Lesson<'_>,
    (data, device): (&ForecastData<'_>, Device),
    recorder: &mut Recorder,
) -> Result<(Settings, TrainingNote), LearningError> {
    let finder = Finder::default();
    let found = device.find_rate(&lesson.material(data, None), finder)?;
    recorder.found_rate(&found)?;
    let usual = Settings::default().learning_rate;
    let said = match found.suggestion {
        Some(rate) => format!("The loss fell fastest at {rate:.2e}, which was used."),
        None => format!("The loss never fell: the usual {usual:e} was used."),
    };
    let (last, tried) = (found.rates.last().copied().unwrap_or(finder.first), found.rates.len());
    let note = TrainingNote {
        title: "Learning rate".to_owned(),
        text: format!(
            "Rates from {:e} to {last:.2e} were tried, in {tried} steps whose weights were thrown away. {said}",
            finder.first
        ),
        ..TrainingNote::default()
    };
    let settings = Settings {
        learning_rate: found.suggestion.unwrap_or(usual),
        ..lesson.settings.clone()
    };
    Ok((settings, note))
}
