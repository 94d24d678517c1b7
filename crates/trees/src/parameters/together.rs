//! Parameters that LightGBM accepts one by one, but not together, or not in the way that they read.

use super::{Objective, ParameterError, Parameters};

impl Parameters {
    fn is(&self, name: &str, value: &str) -> bool {
        self.settings.get(name).is_some_and(|found| found == value)
    }

    fn number(&self, name: &str, default: f64) -> f64 {
        self.settings
            .get(name)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    }

    /// Whether the training rows are sampled by their gradients.
    fn samples_by_gradient(&self) -> bool {
        self.is("data_sample_strategy", "goss") || self.is("boosting", "goss")
    }

    /// Whether LightGBM cuts the rows into one block a thread and draws or adds up in each, so that only one thread gives the
    /// same trees everywhere.
    pub(crate) fn works_by_blocks(&self) -> bool {
        self.samples_by_gradient() || self.is("use_quantized_grad", "true") || self.is("linear_tree", "true")
    }

    /// Whether later trees change earlier ones, so that a model cannot be cut back to its best iteration.
    pub(super) fn changes_earlier_trees(&self) -> bool {
        self.is("boosting", "dart")
    }

    /// Refuses what does not go together.
    pub(super) fn check_together(&self) -> Result<(), ParameterError> {
        let draws = self.number("bagging_freq", 0.0) > 0.0 && self.number("bagging_fraction", 1.0) < 1.0;
        let forest = self.is("boosting", "rf");
        let draws_features = self.number("feature_fraction", 1.0) < 1.0;
        let gradient = self.samples_by_gradient();
        let shares = self.number("top_rate", 0.2) + self.number("other_rate", 0.1);
        let rules: [(bool, &'static str, &'static str); 7] = [
            (
                self.changes_earlier_trees() && self.early_stopping > 0,
                "`early_stopping` and `boosting = \"dart\"`",
                "dart changes earlier trees, so there is no best iteration to go back to",
            ),
            (
                forest && !gradient && !draws && !draws_features,
                "`boosting = \"rf\"`",
                "a forest draws rows or features for each tree: add `bagging_freq = 1` and `bagging_fraction = 0.632`",
            ),
            (
                gradient && draws,
                "`data_sample_strategy = \"goss\"` and `bagging_fraction`",
                "both choose the rows of a tree: keep one",
            ),
            (
                gradient && shares > 1.0,
                "`top_rate` and `other_rate`",
                "they are shares of the same rows: their sum is at most 1",
            ),
            (
                self.is("is_unbalance", "true") && self.settings.contains_key("scale_pos_weight"),
                "`is_unbalance` and `scale_pos_weight`",
                "both weigh the classes: keep one",
            ),
            (
                self.is("linear_tree", "true") && self.is("zero_as_missing", "true"),
                "`linear_tree` and `zero_as_missing`",
                "a linear leaf needs zero to be a number",
            ),
            (
                self.is("linear_tree", "true") && self.objective == Some(Objective::RegressionL1),
                "`linear_tree` and `objective = \"regression_l1\"`",
                "a linear leaf is fitted by squared error",
            ),
        ];
        match rules.into_iter().find(|(broken, _, _)| *broken) {
            Some((_, what, reason)) => Err(ParameterError::Together { what, reason }),
            None => Ok(()),
        }
    }
}
