#![expect(clippy::unwrap_used, reason = "tests may")]
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType as Arrow, Float64Type, Int32Type, Schema};
use definitions::{DataType, Fault};
use learning::{
    ColumnPreparation, Contributions, Encoding, Importance, Input, IterationReport, LearningError, Matrix, Model,
    ModelFile, Preprocessing, Signature,
};

use crate::{ModelFiles, Predictor, ServingError, class_outputs, number_outputs};

/// Gives, for each output, its factor times cpu plus the code of the kind; NaN where the kind is not known.
struct Linear(Vec<f64>);

impl Model for Linear {
    fn predict(&self, matrix: &Matrix) -> Result<Vec<Vec<f64>>, LearningError> {
        let of = |factor: &f64| {
            let batches = matrix.batches().iter().flat_map(|batch| {
                let (cpu, kind) = (
                    batch.column(0).as_primitive::<Float64Type>(),
                    batch.column(1).as_primitive::<Int32Type>(),
                );
                let value = |(cpu, kind): (Option<f64>, Option<i32>)| {
                    kind.map_or(f64::NAN, |kind| factor * cpu.unwrap_or(0.0) + f64::from(kind))
                };
                cpu.iter().zip(kind.iter()).map(value).collect::<Vec<_>>()
            });
            batches.collect()
        };
        Ok(self.0.iter().map(of).collect())
    }
    fn contributions(&self, _: &Matrix) -> Result<Contributions, LearningError> {
        Ok(Contributions {
            features: Vec::new(),
            values: Vec::new(),
            rows: 0,
            outputs: 1,
        })
    }
    fn importance(&self) -> Result<Vec<Importance>, LearningError> {
        Ok(Vec::new())
    }
    fn files(&self) -> Result<Vec<ModelFile>, LearningError> {
        Ok(Vec::new())
    }
    fn best_iteration(&self) -> usize {
        1
    }
    fn history(&self) -> &[IterationReport] {
        &[]
    }
}

fn input(name: &str, data_type: DataType) -> Input {
    Input {
        name: name.to_owned(),
        data_type,
        categorical: data_type == DataType::Utf8,
    }
}

fn signature(classes: Option<&[&str]>) -> Signature {
    let classes: Option<Vec<String>> = classes.map(|names| names.iter().map(ToString::to_string).collect());
    Signature {
        inputs: vec![input("cpu", DataType::Float64), input("kind", DataType::Utf8)],
        outputs: classes
            .as_ref()
            .map_or_else(|| number_outputs("y", None), |classes| class_outputs("y", classes)),
        target: "y".to_owned(),
        objective: "regression".to_owned(),
        classes,
        keys: vec![input("host", DataType::Utf8)],
        event_time: Some("ts".to_owned()),
        forecast: None,
    }
}

fn preprocessing() -> Preprocessing {
    let values = vec!["big".to_owned(), "small".to_owned()];
    let column = |name: &str, encoding| ColumnPreparation {
        name: name.to_owned(),
        encoding,
    };
    Preprocessing {
        columns: vec![
            column("cpu", Encoding::Number),
            column("kind", Encoding::Texts { values }),
        ],
    }
}

fn predictor(classes: Option<&[&str]>, factors: &[f64]) -> Predictor {
    Predictor::new(signature(classes), preprocessing(), Box::new(Linear(factors.to_vec()))).unwrap()
}

fn rows() -> RecordBatch {
    let columns: [(&str, ArrayRef); 5] = [
        (
            "kind",
            Arc::new(StringArray::from(vec![Some("small"), Some("big"), Some("unseen")])),
        ),
        ("extra", Arc::new(Int64Array::from(vec![1, 2, 3]))),
        (
            "ts",
            Arc::new(TimestampMicrosecondArray::from(vec![0, 1, 2]).with_timezone("UTC")),
        ),
        ("cpu", Arc::new(Float64Array::from(vec![Some(0.25), Some(0.5), None]))),
        ("host", Arc::new(StringArray::from(vec!["a", "b", "c"]))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn names(schema: &Schema) -> Vec<String> {
    schema.fields().iter().map(|field| field.name().clone()).collect()
}

/// Times as microseconds: to print a zone's times takes a feature of arrow that this crate does not need.
fn text(batches: &[RecordBatch]) -> String {
    let printable = |batch: &RecordBatch| {
        let schema = batch.schema();
        let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
            let is_time = matches!(column.data_type(), Arrow::Timestamp(_, _));
            (
                field.name().clone(),
                if is_time {
                    cast(column, &Arrow::Int64).unwrap()
                } else {
                    column.clone()
                },
                true,
            )
        });
        RecordBatch::try_from_iter_with_nullable(columns.collect::<Vec<_>>()).unwrap()
    };
    arrow::util::pretty::pretty_format_batches(&batches.iter().map(printable).collect::<Vec<_>>())
        .unwrap()
        .to_string()
}

#[test]
fn numbers_come_with_keys_and_times_in_the_rows_order() {
    let given = predictor(None, &[2.0]).predict(&[rows()]).unwrap();
    let wanted = "\
+------+----+------------+
| host | ts | prediction |
+------+----+------------+
| a    | 0  | 1.5        |
| b    | 1  | 1.0        |
| c    | 2  | NaN        |
+------+----+------------+";
    assert_eq!(text(&given), wanted);
}

#[test]
fn two_classes_get_both_probabilities_and_a_half_is_the_first() {
    let given = predictor(Some(&["cold", "hot"]), &[1.0])
        .predict(&[rows().slice(1, 1)])
        .unwrap();
    let wanted = "\
+------+----+------------+------------------+-----------------+
| host | ts | prediction | probability_cold | probability_hot |
+------+----+------------+------------------+-----------------+
| b    | 1  | cold       | 0.5              | 0.5             |
+------+----+------------+------------------+-----------------+";
    assert_eq!(text(&given), wanted);
}

#[test]
fn several_classes_get_a_probability_each_and_the_most_probable_is_named() {
    let given = predictor(Some(&["a", "b", "c"]), &[0.2, 0.6, 0.2])
        .predict(&[rows().slice(1, 2)])
        .unwrap();
    let prediction = given[0]
        .column_by_name("prediction")
        .unwrap()
        .as_string::<i32>()
        .clone();
    assert_eq!(prediction.iter().collect::<Vec<_>>(), [Some("b"), None]);
    let probability = given[0]
        .column_by_name("probability_b")
        .unwrap()
        .as_primitive::<Float64Type>()
        .value(0);
    assert_eq!(probability, 0.3);
}

#[test]
fn quantile_is_named_by_its_share() {
    let mut signature = signature(None);
    signature.outputs = number_outputs("y", Some(0.9));
    let predictor = Predictor::new(signature, preprocessing(), Box::new(Linear(vec![1.0]))).unwrap();
    assert_eq!(
        names(&predictor.predict(&[rows()]).unwrap()[0].schema()),
        ["host", "ts", "prediction_q0.9"]
    );
}

#[test]
fn rows_without_keys_are_predicted_without_them() {
    let only_inputs = rows().project(&[0, 3]).unwrap();
    let given = predictor(None, &[2.0]).predict(&[only_inputs]).unwrap();
    assert_eq!(names(&given[0].schema()), ["prediction"]);
    assert_eq!(given[0].num_rows(), 3);
}

#[test]
fn batches_keep_their_sizes_and_empty_ones_stay_empty() {
    let batches = [rows().slice(0, 2), rows().slice(0, 0), rows().slice(2, 1)];
    for predictor in [
        predictor(None, &[1.0]),
        predictor(Some(&["a", "b", "c"]), &[1.0, 1.0, 1.0]),
    ] {
        let given = predictor.predict(&batches).unwrap();
        assert_eq!(given.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [2, 0, 1]);
        let whole = predictor.predict(&[rows()]).unwrap();
        assert_eq!(text(&given), text(&whole));
    }
    assert!(predictor(None, &[1.0]).predict(&[]).unwrap().is_empty());
}

#[test]
fn inputs_that_do_not_fit_are_refused_by_name() {
    let columns: [(&str, ArrayRef); 1] = [("cpu", Arc::new(StringArray::from(vec!["3"])))];
    let error = predictor(None, &[1.0])
        .predict(&[RecordBatch::try_from_iter(columns).unwrap()])
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the input does not fit the model: `cpu`: wanted float64, found utf8; `kind` is missing: wanted utf8"
    );
    assert_eq!(error.fault(), Fault::Input);
    assert!(error.hint().is_some());
}

#[test]
fn key_named_like_an_output_is_refused() {
    let mut signature = signature(None);
    signature.keys = vec![input("prediction", DataType::Float64)];
    let predictor = Predictor::new(signature, preprocessing(), Box::new(Linear(vec![1.0]))).unwrap();
    let columns = rows().columns().to_vec();
    let renamed: Vec<(&str, ArrayRef)> = ["kind", "extra", "ts", "cpu", "prediction"]
        .into_iter()
        .zip(columns)
        .collect();
    let error = predictor
        .predict(&[RecordBatch::try_from_iter(renamed).unwrap()])
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the key column `prediction` has the name of one of the model's outputs"
    );
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let mut other = preprocessing();
    other.columns.reverse();
    let error = Predictor::new(signature(None), other, Box::new(Linear(vec![1.0]))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the files of the model do not belong together: inputs: wanted `cpu`, `kind`, found `kind`, `cpu`"
    );
    let mut classes = signature(Some(&["a", "b"]));
    classes.outputs.pop();
    assert!(matches!(
        Predictor::new(classes, preprocessing(), Box::new(Linear(vec![1.0]))),
        Err(ServingError::Mismatch { of: "outputs", .. })
    ));
    let error = predictor(None, &[1.0, 2.0]).predict(&[rows()]).unwrap_err();
    assert!(
        matches!(error, ServingError::Mismatch { of: "predictions", .. }),
        "{error}"
    );
}

#[test]
fn files_as_written_load_and_broken_ones_are_named() {
    let signature_json = serde_json::to_vec(&signature(Some(&["cold", "hot"]))).unwrap();
    let preprocessing_json = serde_json::to_vec(&preprocessing()).unwrap();
    let load = |signature: &[u8], preprocessing: &[u8]| {
        Predictor::load(
            ModelFiles {
                signature,
                preprocessing,
            },
            |_| Ok(Box::new(Linear(vec![1.0])) as Box<dyn Model>),
        )
    };
    let predictor = load(&signature_json, &preprocessing_json).unwrap();
    assert_eq!(names(&predictor.input_schema()), ["host", "ts", "cpu", "kind"]);
    let error = load(&signature_json, b"{").unwrap_err();
    assert_eq!(error.to_string(), "`preprocessing.json` of the model cannot be read");
    assert_eq!(error.hint().unwrap(), "platform doctor");
}
