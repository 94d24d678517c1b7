//! How good forecasts are that no single network makes: the mean loss, in scaled units, as training measures it.

use std::ops::ControlFlow;

use burn::backend::Flex;
use learning::{LearningError, TrainingNote};

use super::course::{Ended, Lesson};
use crate::TftError;
use crate::data::{Loading, load};
use crate::loss::Loss;
use crate::model::TemporalFusionTransformer;
use crate::predict::{self, Asking};

/// The mean loss, in scaled units, of several forecasts of the same windows.
pub(super) fn losses<const N: usize>(
    forecasts: &[Vec<f32>; N],
    loss: &Loss,
    asking: &Asking<'_>,
) -> Result<[f64; N], TftError> {
    let order: Vec<u32> = (0..asking.windows.len() as u32).collect();
    let loading = Loading {
        gathering: asking.gathering,
        windows: asking.windows,
        order: &order,
        batch: asking.batch,
        batches: 0..order.len().div_ceil(asking.batch),
        draw: 0,
        threads: asking.threads,
    };
    let outputs = asking.outputs.len().max(1);
    let (mut sums, mut known_of_all, mut done) = ([0.0; N], 0.0, 0);
    load(&loading, |_, batch| {
        let (targets, known) = batch.targets();
        let of_window = (targets.len() / batch.len().max(1)).max(1);
        let of_step = (batch.scalers().len() / batch.len().max(1)).max(1);
        known_of_all += known.iter().copied().map(f64::from).sum::<f64>();
        let truths = targets.chunks(of_window).zip(known.chunks(of_window));
        for ((targets, known), scalers) in truths.zip(batch.scalers().chunks(of_step)) {
            let scaled = |(at, value): (usize, &f32)| {
                let scaler = scalers.get(at / outputs % of_step);
                scaler.map_or(*value, |scaler| scaler.apply(*value))
            };
            let each = of_window * outputs;
            for (sum, values) in sums.iter_mut().zip(forecasts) {
                let values = values.iter().skip(done).take(each).enumerate();
                let scaled: Vec<f32> = values.map(scaled).collect();
                *sum += loss.of_window((&scaled, of_step * outputs), targets, known, None);
            }
            done += each;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(sums.map(|sum| sum / f64::max(known_of_all, 1.0)))
}

/// What the card says of an ensemble: the validation loss of each member, and of the mean of their forecasts.
pub(super) fn note_of_members(
    lesson: &Lesson<'_>,
    members: &[Ended],
    threads: usize,
) -> Result<TrainingNote, LearningError> {
    let asking = Asking {
        gathering: &lesson.gathering,
        windows: lesson.validation,
        outputs: &lesson.architecture.outputs,
        batch: predict::TOGETHER,
        threads: usize::from(threads > 1),
    };
    let forecast = |network: &TemporalFusionTransformer<Flex>| predict::forecast(network, &asking, &Default::default());
    let all = members.iter().map(|member| forecast(&member.network));
    let mean = predict::mean_of(&all.collect::<Result<Vec<_>, TftError>>()?).unwrap_or_default();
    let [of_mean] = losses(&[mean.values], &lesson.settings.loss, &asking)?;
    let row = |name: String, loss: Option<f64>| vec![name, loss.map_or("–".to_owned(), |loss| format!("{loss:.6}"))];
    let has_validation = !lesson.validation.is_empty();
    let rows = (1..)
        .zip(members)
        .map(|(number, member)| row(format!("member {number}"), member.loss));
    Ok(TrainingNote {
        title: "Ensemble".to_owned(),
        text: "Forecasts are the mean of those of networks that differ in their seed.".to_owned(),
        columns: ["network", "validation loss"].map(str::to_owned).to_vec(),
        rows: rows
            .chain([row("mean of all".to_owned(), has_validation.then_some(of_mean))])
            .collect(),
    })
}
