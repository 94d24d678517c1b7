//! Trained trees: predictions, importance, and the model file.

use learning::{Contributions, Importance, IterationReport, LearningError, Matrix, Model, ModelFile};

use crate::lightgbm::{Booster, PredictKind, set_threads, turn};
use crate::{Objective, TreesError};

/// The name of the model file, in LightGBM's own text format.
const FILE: &str = "model.txt";

/// Trees that predict.
#[derive(Debug)]
pub struct TreeModel {
    booster: Booster,
    text: String,
    features: Vec<String>,
    objective: Option<Objective>,
    history: Vec<IterationReport>,
    best_iteration: usize,
}

impl TreeModel {
    /// What a booster has learned, read back from its text and so free of its datasets.
    pub(crate) fn trained(
        text: String,
        features: Vec<String>,
        history: Vec<IterationReport>,
        best_iteration: usize,
    ) -> Result<Self, TreesError> {
        Ok(Self {
            booster: Booster::from_text(&text)?,
            objective: objective(&text),
            text,
            features,
            history,
            best_iteration,
        })
    }

    /// Reads a model file.
    ///
    /// # Errors
    /// A text that is not a model of LightGBM.
    pub fn from_text(text: String, threads: usize) -> Result<Self, TreesError> {
        let _turn = turn();
        set_threads(threads)?;
        let booster = Booster::from_text(&text)?;
        let names = text.lines().find_map(|line| line.strip_prefix("feature_names="));
        let features = names
            .map(|names| names.split(' ').map(str::to_owned).collect())
            .unwrap_or_default();
        let best_iteration = booster.iterations()?;
        Ok(Self {
            booster,
            objective: objective(&text),
            text,
            features,
            history: Vec::new(),
            best_iteration,
        })
    }

    /// Raw scores: predictions before the objective's transformation; one vector of rows for each output.
    ///
    /// # Errors
    /// A matrix with another number of columns than the model takes.
    pub fn raw_scores(&self, matrix: &Matrix) -> Result<Vec<Vec<f64>>, TreesError> {
        self.by_output(matrix, PredictKind::Raw)
    }

    fn by_output(&self, matrix: &Matrix, kind: PredictKind) -> Result<Vec<Vec<f64>>, TreesError> {
        self.check_features(matrix)?;
        let _turn = turn();
        let outputs = self.booster.outputs()?.max(1);
        let values = self.booster.predict(matrix, kind)?;
        if outputs == 1 {
            return Ok(vec![values]);
        }
        let output = |at: usize| values.iter().skip(at).step_by(outputs).copied().collect();
        Ok((0..outputs).map(output).collect())
    }

    /// LightGBM knows columns by their place alone: columns in another order would be taken for each other.
    fn check_features(&self, matrix: &Matrix) -> Result<(), TreesError> {
        let (wanted, found) = (self.features.len(), matrix.schema().fields().len());
        if wanted != found {
            return Err(TreesError::Features { wanted, found });
        }
        let pairs = (1..).zip(self.features.iter().zip(matrix.feature_names()));
        for (place, (wanted, found)) in pairs {
            if *wanted != found {
                return Err(TreesError::Feature {
                    place,
                    wanted: wanted.clone(),
                    found,
                });
            }
        }
        Ok(())
    }
}

/// The objective that stands in a model file, where it is one of ours.
fn objective(text: &str) -> Option<Objective> {
    let line = text.lines().find_map(|line| line.strip_prefix("objective="))?;
    Objective::from_word(line.split(' ').next()?)
}

/// Makes each row's outputs add up to one: `p / sum(p)`, and all alike where the sum is 0.
///
/// One against all asks a question of its own for each class, so LightGBM's answers need not be the probabilities of alternatives.
/// Their order stays, so the most probable class is the same.
fn add_up_to_one(outputs: &mut [Vec<f64>]) {
    let (classes, rows) = (outputs.len(), outputs.first().map_or(0, Vec::len));
    for row in 0..rows {
        let sum: f64 = outputs.iter().filter_map(|output| output.get(row)).sum();
        for value in outputs.iter_mut().filter_map(|output| output.get_mut(row)) {
            *value = if sum == 0.0 { 1.0 / classes as f64 } else { *value / sum };
        }
    }
}

impl Model for TreeModel {
    fn predict(&self, matrix: &Matrix) -> Result<Vec<Vec<f64>>, LearningError> {
        let mut outputs = self.by_output(matrix, PredictKind::Normal)?;
        if self.objective == Some(Objective::MulticlassOva) {
            add_up_to_one(&mut outputs);
        }
        Ok(outputs)
    }

    fn contributions(&self, matrix: &Matrix) -> Result<Contributions, LearningError> {
        self.check_features(matrix)?;
        let _turn = turn();
        let outputs = self.booster.outputs()?.max(1);
        let by_row = self.booster.predict(matrix, PredictKind::Contributions)?;
        let width = self.features.len() + 1;
        let output = |at: usize| by_row.chunks_exact(width).skip(at).step_by(outputs).flatten().copied();
        let values = (0..outputs).flat_map(output).collect();
        Ok(Contributions {
            features: self.features.clone(),
            values,
            rows: matrix.rows(),
            outputs,
        })
    }

    fn importance(&self) -> Result<Vec<Importance>, LearningError> {
        let (gains, splits) = (self.booster.importance(true)?, self.booster.importance(false)?);
        let both = self.features.iter().zip(gains.into_iter().zip(splits));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count, as a float"
        )]
        let importance = |(feature, (gain, splits)): (&String, (f64, f64))| Importance {
            feature: feature.clone(),
            gain,
            splits: splits as u64,
        };
        Ok(both.map(importance).collect())
    }

    fn files(&self) -> Result<Vec<ModelFile>, LearningError> {
        Ok(vec![ModelFile {
            name: FILE.to_owned(),
            bytes: self.text.clone().into_bytes(),
        }])
    }

    fn best_iteration(&self) -> usize {
        self.best_iteration
    }

    fn history(&self) -> &[IterationReport] {
        &self.history
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_one_against_all_become_shares_of_one() {
        let mut outputs = vec![
            vec![0.9, 0.0, 0.2, 1e-320],
            vec![0.6, 0.0, 0.2, 0.0],
            vec![0.0, 0.0, 0.6, 0.0],
        ];
        add_up_to_one(&mut outputs);
        let by_hand = [
            [0.9 / 1.5, 1.0 / 3.0, 0.2, 1.0],
            [0.6 / 1.5, 1.0 / 3.0, 0.2, 0.0],
            [0.0, 1.0 / 3.0, 0.6 / 1.0, 0.0],
        ];
        for (output, by_hand) in outputs.iter().zip(by_hand) {
            assert_eq!(output, &by_hand);
        }
    }

    #[test]
    fn objective_is_read_from_the_model_file() {
        let text = "tree\nversion=v4\nobjective=multiclassova num_class:3 sigmoid:1\nfeature_names=a b\n";
        assert_eq!(objective(text), Some(Objective::MulticlassOva));
        assert_eq!(objective("tree\nversion=v4\n"), None);
    }
}
