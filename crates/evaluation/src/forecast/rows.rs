//! What was measured of forecasts as the rows of one table: **everybody side by side, over everything, by target, and by step ahead.**

use super::{ForecastEvaluation, ForecastScores, TargetScores};

/// A row: the scores of one subject over some of the rows that were measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ForecastRow<'a> {
    /// `model`, or the rival as the pipeline writes it.
    pub subject: &'a str,
    /// The target; `None`: all.
    pub target: Option<&'a str>,
    /// The step ahead, from 1; `None`: all.
    pub step: Option<usize>,
    /// What was measured.
    pub scores: &'a ForecastScores,
}

impl ForecastEvaluation {
    /// Everybody over everything where there are several targets; then of each target over all steps, and at some steps ahead, from 1.
    #[must_use]
    pub fn rows(&self, steps: &[usize]) -> Vec<ForecastRow<'_>> {
        let mut rows = Vec::new();
        let targets = self.subjects.first().map_or(0, |model| model.targets.len());
        if targets != 1 {
            rows.extend(self.subjects.iter().map(|of| ForecastRow {
                subject: &of.subject,
                target: None,
                step: None,
                scores: &of.all,
            }));
        }
        for at in 0..targets {
            rows.extend(self.of_target(at, None));
            for step in steps {
                rows.extend(self.of_target(at, Some(*step)));
            }
        }
        rows
    }

    /// Everybody at one target, over all steps or at one.
    fn of_target(&self, target: usize, step: Option<usize>) -> impl Iterator<Item = ForecastRow<'_>> {
        self.subjects.iter().filter_map(move |of| {
            let own: &TargetScores = of.targets.get(target)?;
            let scores = match step {
                None => &own.all,
                Some(step) => own.steps.get(step.checked_sub(1)?)?,
            };
            Some(ForecastRow {
                subject: &of.subject,
                target: Some(&own.target),
                step,
                scores,
            })
        })
    }

    /// The first, the middle and the last step ahead, each once; none where there is only one.
    #[must_use]
    pub fn telling_steps(&self) -> Vec<usize> {
        let horizon = usize::try_from(self.horizon).unwrap_or(usize::MAX);
        let mut steps = vec![1, horizon / 2 + 1, horizon];
        steps.dedup();
        steps.retain(|_| horizon > 1);
        steps
    }

    /// The headings of the quantiles' risks, then of how often each interval held the truth.
    #[must_use]
    pub fn headings(&self) -> Vec<String> {
        let percent = |share: f64| (share * 1e3).round() / 10.0;
        let risks = self
            .quantiles
            .iter()
            .map(|quantile| format!("P{} risk", percent(*quantile)));
        let model = self.subjects.first().map(|model| model.all.coverage.as_slice());
        let covered = model.unwrap_or_default().iter();
        risks
            .chain(covered.map(|of| format!("in {} %", percent(of.interval))))
            .collect()
    }
}

impl ForecastScores {
    /// MAE, RMSE, MASE, sMAPE and the weighted quantile loss.
    #[must_use]
    pub fn errors(&self) -> [Option<f64>; 5] {
        [self.mae, self.rmse, self.mase, self.smape, self.weighted_quantile_loss]
    }

    /// The risk of a quantile, by its place; `None`: not defined.
    #[must_use]
    pub fn risk(&self, at: usize) -> Option<f64> {
        self.quantile_risks.get(at).map(|of| of.risk)
    }

    /// How often an interval held the truth, by its place; `None`: the forecast is one number.
    #[must_use]
    pub fn covered(&self, at: usize) -> Option<f64> {
        self.coverage.get(at).map(|of| of.share)
    }
}
