//! Labels: a number a row, or the index of a class.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use serde::{Deserialize, Serialize};

use crate::LearningError;
use crate::matrix::is_text;

/// Every whole number up to here is a float.
const LARGEST_WHOLE: f64 = 9_007_199_254_740_992.0;

/// What kind of label is learned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// A number.
    Number,
    /// One of these classes, sorted; the label is the index.
    Classes(Vec<String>),
}

/// The labels of one part.
#[derive(Debug, Clone)]
pub struct Target {
    /// Their column.
    pub column: String,
    /// Their kind.
    pub kind: TargetKind,
}

impl Target {
    /// What is to be learned from the training labels: classes where `classes` asks for them or the column is of text or truth
    /// values, else numbers.
    ///
    /// # Errors
    /// Labels that are all NULL, or all of one class.
    pub fn fit(column: &str, labels: &[ArrayRef], classes: bool) -> Result<Self, LearningError> {
        let error = |reason: &str| LearningError::Label {
            label: column.to_owned(),
            reason: reason.to_owned(),
        };
        let known: usize = labels.iter().map(|array| array.len() - array.null_count()).sum();
        if known == 0 {
            return Err(error("every label of the training part is NULL"));
        }
        let is_number = labels.iter().all(|array| array.data_type().is_numeric());
        if is_number && !classes {
            return Ok(Self {
                column: column.to_owned(),
                kind: TargetKind::Number,
            });
        }
        let mut distinct = HashSet::new();
        for array in labels {
            for class in self::classes(column, array)?.as_string::<i32>().iter().flatten() {
                if !distinct.contains(class) {
                    distinct.insert(class.to_owned());
                }
            }
        }
        let mut names: Vec<String> = distinct.into_iter().collect();
        sort_classes(&mut names, is_number);
        if names.len() < 2 {
            return Err(error("the training part has one class only"));
        }
        Ok(Self {
            column: column.to_owned(),
            kind: TargetKind::Classes(names),
        })
    }

    /// The labels as numbers; `None` for NULL, and for a class that training never saw.
    ///
    /// # Errors
    /// A column of another type than the one that was fitted.
    pub fn apply(&self, labels: &[ArrayRef]) -> Result<Vec<Option<f64>>, LearningError> {
        let names = self.classes().unwrap_or_default();
        let places: HashMap<&str, f64> = names
            .iter()
            .zip(0_u32..)
            .map(|(name, at)| (name.as_str(), f64::from(at)))
            .collect();
        let mut numbers = Vec::new();
        for array in labels {
            match &self.kind {
                TargetKind::Number => {
                    let array = cast(array, &DataType::Float64)?;
                    let array: &Float64Array = array.as_primitive();
                    numbers.extend(array.iter().map(|label| label.filter(|number| !number.is_nan())));
                }
                TargetKind::Classes(_) => {
                    let classes = self::classes(&self.column, array)?;
                    let classes = classes.as_string::<i32>();
                    numbers.extend(classes.iter().map(|class| places.get(class?).copied()));
                }
            }
        }
        Ok(numbers)
    }

    /// The classes; `None` for numbers.
    #[must_use]
    pub fn classes(&self) -> Option<&[String]> {
        match &self.kind {
            TargetKind::Number => None,
            TargetKind::Classes(names) => Some(names),
        }
    }
}

/// The names of classes: text, truth values and whole numbers as they are written; floats where they are whole.
fn classes(column: &str, array: &ArrayRef) -> Result<ArrayRef, LearningError> {
    let error = |reason: String| LearningError::Label {
        label: column.to_owned(),
        reason,
    };
    let array = match array.data_type() {
        DataType::Float32 | DataType::Float64 => {
            let floats = cast(array, &DataType::Float64)?;
            let floats: &Float64Array = floats.as_primitive();
            let known = || floats.iter().flatten().filter(|float| !float.is_nan());
            if let Some(odd) = known().find(|float| float.fract() != 0.0 || float.abs() > LARGEST_WHOLE) {
                return Err(error(format!("classes are text, bool or whole numbers, found {odd}")));
            }
            #[expect(clippy::cast_possible_truncation, reason = "a whole number, and not too large")]
            let whole = |float: f64| (!float.is_nan()).then_some(float as i64);
            let numbers: Int64Array = floats.iter().map(|float| float.and_then(whole)).collect();
            Arc::new(numbers)
        }
        other if other.is_integer() || *other == DataType::Boolean || is_text(other) => array.clone(),
        other => return Err(error(format!("classes are text, bool or whole numbers, found {other}"))),
    };
    Ok(cast(&array, &DataType::Utf8)?)
}

/// Numbers by value, texts by bytes.
fn sort_classes(names: &mut [String], numbers: bool) {
    if numbers {
        let value = |name: &String| name.parse::<f64>().unwrap_or(f64::NAN);
        names.sort_by(|one, other| value(one).total_cmp(&value(other)));
    } else {
        names.sort();
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may")]
    use arrow::array::{BooleanArray, StringArray};

    use super::*;

    #[test]
    fn text_labels_become_indices_of_sorted_classes() {
        let labels: ArrayRef = Arc::new(StringArray::from(vec![Some("hot"), None, Some("cold"), Some("hot")]));
        let target = Target::fit("state", std::slice::from_ref(&labels), false).unwrap();
        assert_eq!(target.classes().unwrap(), ["cold", "hot"]);
        assert_eq!(
            target.apply(&[labels]).unwrap(),
            [Some(1.0), None, Some(0.0), Some(1.0)]
        );
    }

    #[test]
    fn truth_labels_are_false_then_true_and_whole_numbers_sort_by_value() {
        let labels: ArrayRef = Arc::new(BooleanArray::from(vec![true, false]));
        assert_eq!(
            Target::fit("x", &[labels], false).unwrap().classes().unwrap(),
            ["false", "true"]
        );
        let labels: ArrayRef = Arc::new(Int64Array::from(vec![10, 9, 100]));
        assert_eq!(
            Target::fit("x", &[labels], true).unwrap().classes().unwrap(),
            ["9", "10", "100"]
        );
    }

    #[test]
    fn whole_floats_are_classes_and_others_are_refused() {
        let labels: ArrayRef = Arc::new(Float64Array::from(vec![
            Some(10.0),
            Some(2.0),
            Some(f64::NAN),
            None,
            Some(2.0),
        ]));
        let target = Target::fit("x", std::slice::from_ref(&labels), true).unwrap();
        assert_eq!(target.classes().unwrap(), ["2", "10"]);
        assert_eq!(
            target.apply(&[labels]).unwrap(),
            [Some(1.0), Some(0.0), None, None, Some(0.0)]
        );
        let labels: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 1.5]));
        let error = Target::fit("x", &[labels], true).unwrap_err().to_string();
        assert_eq!(
            error,
            "label `x` cannot be learned: classes are text, bool or whole numbers, found 1.5"
        );
    }

    #[test]
    fn one_class_or_no_label_is_refused() {
        let labels: ArrayRef = Arc::new(StringArray::from(vec!["a", "a"]));
        assert!(
            Target::fit("x", &[labels], false)
                .unwrap_err()
                .to_string()
                .contains("one class")
        );
        let labels: ArrayRef = Arc::new(Int64Array::from(vec![None::<i64>]));
        assert!(
            Target::fit("x", &[labels], false)
                .unwrap_err()
                .to_string()
                .contains("NULL")
        );
    }
}
