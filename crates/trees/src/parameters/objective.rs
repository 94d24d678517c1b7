//! What is optimised.

/// The objectives of LightGBM for tables; those for ranking are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objective {
    /// Squared error.
    Regression,
    /// Absolute error.
    RegressionL1,
    /// Huber loss.
    Huber,
    /// Fair loss.
    Fair,
    /// Counts.
    Poisson,
    /// A quantile (`alpha`).
    Quantile,
    /// Absolute percentage error.
    Mape,
    /// Positive, skewed.
    Gamma,
    /// Zero or positive, skewed.
    Tweedie,
    /// Two classes.
    Binary,
    /// Labels that are shares, 0 to 1.
    CrossEntropy,
    /// Shares, with weights as counts.
    CrossEntropyLambda,
    /// Several classes, softmax.
    Multiclass,
    /// Several classes, one against all. Predictions are each row's answers divided by their sum.
    MulticlassOva,
}

/// LightGBM's word for each, then its aliases.
const WORDS: [(Objective, &[&str]); 14] = [
    (
        Objective::Regression,
        &[
            "regression",
            "regression_l2",
            "l2",
            "mean_squared_error",
            "mse",
            "l2_root",
            "root_mean_squared_error",
            "rmse",
        ],
    ),
    (
        Objective::RegressionL1,
        &["regression_l1", "l1", "mean_absolute_error", "mae"],
    ),
    (Objective::Huber, &["huber"]),
    (Objective::Fair, &["fair"]),
    (Objective::Poisson, &["poisson"]),
    (Objective::Quantile, &["quantile"]),
    (Objective::Mape, &["mape", "mean_absolute_percentage_error"]),
    (Objective::Gamma, &["gamma"]),
    (Objective::Tweedie, &["tweedie"]),
    (Objective::Binary, &["binary"]),
    (Objective::CrossEntropy, &["cross_entropy", "xentropy"]),
    (Objective::CrossEntropyLambda, &["cross_entropy_lambda", "xentlambda"]),
    (Objective::Multiclass, &["multiclass", "softmax"]),
    (
        Objective::MulticlassOva,
        &["multiclassova", "multiclass_ova", "ova", "ovr"],
    ),
];

impl Objective {
    /// The objective of that name.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        WORDS
            .iter()
            .find(|(_, words)| words.contains(&word))
            .map(|(objective, _)| *objective)
    }
    /// LightGBM's word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        let words = WORDS
            .iter()
            .find(|(objective, _)| *objective == self)
            .and_then(|(_, words)| words.first());
        words.copied().unwrap_or("regression")
    }
    /// Every word, for messages.
    #[must_use]
    pub fn words() -> String {
        WORDS
            .iter()
            .filter_map(|(_, words)| words.first())
            .map(|word| format!("`{word}`"))
            .collect::<Vec<_>>()
            .join(", ")
    }
    /// Whether it learns classes.
    #[must_use]
    pub fn is_classification(self) -> bool {
        matches!(self, Self::Binary | Self::Multiclass | Self::MulticlassOva)
    }
    /// Whether it learns several classes.
    #[must_use]
    pub fn is_multiclass(self) -> bool {
        matches!(self, Self::Multiclass | Self::MulticlassOva)
    }
    /// What labels it can learn, in words, and whether it can learn this one.
    pub(crate) fn accepts(self, label: f64, classes: usize) -> Result<(), &'static str> {
        // LightGBM keeps labels as 32-bit floats, and would turn what does not fit into something that does.
        if !(label.is_finite() && label.abs() <= f64::from(f32::MAX)) {
            return Err("finite labels that fit 32-bit floats");
        }
        let (wanted, accepted) = match self {
            Self::Poisson | Self::Tweedie => ("labels of at least 0", label >= 0.0),
            Self::Gamma => ("labels above 0", label > 0.0),
            Self::CrossEntropy | Self::CrossEntropyLambda => ("labels from 0 to 1", (0.0..=1.0).contains(&label)),
            Self::Binary | Self::Multiclass | Self::MulticlassOva => (
                "the indices of its classes",
                label.fract() == 0.0 && (0.0..classes as f64).contains(&label),
            ),
            _ => return Ok(()),
        };
        if accepted { Ok(()) } else { Err(wanted) }
    }
}
