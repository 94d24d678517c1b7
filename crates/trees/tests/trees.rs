//! What the wrapper promises, on small tables.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on stops"
)]

mod forecasts;
mod promises;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch};
use definitions::Parameter;
use learning::{Control, Labelled, Learner, Matrix, Model, TrainingData};
use trees::{LightGbm, Parameters, TreeModel};

struct Draw(u64);

impl Draw {
    fn share(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A table with every type of column, NULLs, and a category that matters.
fn table(rows: usize, seed: u64) -> (RecordBatch, Vec<f64>) {
    let mut draw = Draw(seed);
    let a: Vec<Option<f32>> = (0..rows)
        .map(|_| (draw.share() > 0.1).then(|| draw.share() as f32))
        .collect();
    let b: Vec<Option<i64>> = (0..rows).map(|_| Some((draw.share() * 100.0) as i64)).collect();
    let c: Vec<Option<i32>> = (0..rows)
        .map(|_| (draw.share() > 0.1).then(|| (draw.share() * 8.0) as i32))
        .collect();
    let d: Vec<Option<bool>> = (0..rows).map(|_| Some(draw.share() > 0.5)).collect();
    let e: Vec<Option<f64>> = (0..rows).map(|_| Some(draw.share())).collect();
    let label = |at: usize| {
        let category = c[at].map_or(0.0, |code| f64::from((code * 5) % 8));
        f64::from(a[at].unwrap_or(0.5)) * 10.0
            + b[at].unwrap_or(0) as f64 / 10.0
            + category
            + f64::from(u8::from(d[at] == Some(true)))
    };
    let labels = (0..rows).map(label).collect();
    let columns: [(&str, ArrayRef); 5] = [
        ("a", Arc::new(Float32Array::from(a))),
        ("b", Arc::new(Int64Array::from(b))),
        ("c", Arc::new(Int32Array::from(c))),
        ("d", Arc::new(BooleanArray::from(d))),
        ("e", Arc::new(Float64Array::from(e))),
    ];
    (RecordBatch::try_from_iter(columns).unwrap(), labels)
}

fn matrix(batches: Vec<RecordBatch>) -> Matrix {
    let schema = batches[0].schema();
    Matrix::new(schema, batches, vec![false, false, true, false, false]).unwrap()
}

fn data(rows: usize) -> TrainingData {
    let ((train, labels), (test, truth)) = (table(rows, 1), table(rows / 2, 2));
    TrainingData {
        train: Labelled {
            matrix: matrix(vec![train]),
            labels,
        },
        evaluations: vec![(
            "validation".into(),
            Labelled {
                matrix: matrix(vec![test]),
                labels: truth,
            },
        )],
        seed: 42,
        threads: 2,
    }
}

fn parameters(declared: &[(&str, Parameter)]) -> Parameters {
    let mut all = BTreeMap::from([
        ("rounds".to_owned(), Parameter::Integer(20)),
        ("num_leaves".to_owned(), Parameter::Integer(7)),
    ]);
    all.extend(declared.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    Parameters::from_declared(&all).unwrap()
}

fn word(text: &str) -> Parameter {
    Parameter::Text(text.to_owned())
}

fn fit(declared: &[(&str, Parameter)], classes: usize, data: &TrainingData) -> Box<dyn Model> {
    LightGbm::new(parameters(declared), classes)
        .unwrap()
        .fit(data, &mut |_| Control::Continue)
        .unwrap()
}

fn bytes(model: &dyn Model) -> Vec<u8> {
    model.files().unwrap().remove(0).bytes
}

fn mean_error(predictions: &[f64], labels: &[f64]) -> f64 {
    predictions
        .iter()
        .zip(labels)
        .map(|(one, other)| (one - other).abs())
        .sum::<f64>()
        / labels.len() as f64
}

#[test]
fn same_data_seed_and_parameters_give_the_same_bytes_for_any_number_of_threads() {
    let bagging = [
        ("bagging_fraction", Parameter::Float(0.6)),
        ("bagging_freq", Parameter::Integer(1)),
        ("feature_fraction", Parameter::Float(0.6)),
    ];
    for declared in [
        &[][..],
        &bagging,
        &[("extra_trees", Parameter::Bool(true))],
        &[("boosting", word("dart"))],
        &[("data_sample_strategy", word("goss"))],
        &[
            ("boosting", word("rf")),
            ("bagging_fraction", Parameter::Float(0.5)),
            ("bagging_freq", Parameter::Integer(1)),
        ],
        &[("use_quantized_grad", Parameter::Bool(true))],
    ] {
        let mut models = [1, 1, 2, 4].map(|threads| {
            let data = TrainingData {
                threads,
                ..data(20_000)
            };
            bytes(fit(declared, 0, &data).as_ref())
        });
        models.sort();
        assert!(models[0] == models[3], "{declared:?}");
    }
}

#[test]
fn rows_in_slices_and_chunks_are_the_rows_of_one_table() {
    let whole = data(500);
    let batch = whole.train.matrix.batches()[0].clone();
    let chunks = vec![
        batch.slice(0, 3),
        batch.slice(3, 0),
        batch.slice(3, 130),
        batch.slice(133, 367),
    ];
    let sliced = TrainingData {
        train: Labelled {
            matrix: matrix(chunks.clone()),
            ..whole.train.clone()
        },
        ..whole.clone()
    };
    let (one, other) = (fit(&[], 0, &whole), fit(&[], 0, &sliced));
    assert!(bytes(one.as_ref()) == bytes(other.as_ref()));
    assert_eq!(
        one.predict(&matrix(chunks)).unwrap(),
        one.predict(&whole.train.matrix).unwrap()
    );
}

#[test]
fn model_learns_and_its_file_predicts_the_same() {
    let data = data(2_000);
    let model = fit(&[("rounds", Parameter::Integer(100))], 0, &data);
    let (_, validation) = &data.evaluations[0];
    let predicted = model.predict(&validation.matrix).unwrap().remove(0);
    let mean = vec![data.train.labels.iter().sum::<f64>() / data.train.labels.len() as f64; validation.labels.len()];
    assert!(mean_error(&predicted, &validation.labels) < 0.3 * mean_error(&mean, &validation.labels));
    let loaded = TreeModel::from_text(String::from_utf8(bytes(model.as_ref())).unwrap(), 1).unwrap();
    assert_eq!(loaded.predict(&validation.matrix).unwrap().remove(0), predicted);
    assert_eq!(loaded.importance().unwrap(), model.importance().unwrap());
}

#[test]
fn contributions_of_a_row_add_up_to_its_raw_score() {
    let mut classes = data(600);
    let to_class = |labels: &mut Vec<f64>| {
        labels
            .iter_mut()
            .for_each(|label| *label = (*label / 8.0).floor().clamp(0.0, 2.0))
    };
    to_class(&mut classes.train.labels);
    to_class(&mut classes.evaluations[0].1.labels);
    for (data, kinds, outputs) in [(data(600), 0, 1), (classes, 3, 3)] {
        let model = fit(&[], kinds, &data);
        let loaded = TreeModel::from_text(String::from_utf8(bytes(model.as_ref())).unwrap(), 2).unwrap();
        let contributions = model.contributions(&data.train.matrix).unwrap();
        assert_eq!((contributions.outputs, contributions.rows), (outputs, 600));
        let sums: Vec<f64> = contributions
            .values
            .chunks_exact(6)
            .map(|row| row.iter().sum())
            .collect();
        let raw: Vec<f64> = loaded.raw_scores(&data.train.matrix).unwrap().concat();
        assert_eq!(sums.len(), raw.len());
        for (sum, raw) in sums.iter().zip(&raw) {
            assert!((sum - raw).abs() < 1e-9 * raw.abs().max(1.0), "{sum} {raw}");
        }
    }
}

/// Labels that are one of three classes.
fn classes(rows: usize) -> TrainingData {
    let mut data = data(rows);
    let to_class = |labels: &mut Vec<f64>| {
        labels
            .iter_mut()
            .for_each(|label| *label = (*label / 8.0).floor().clamp(0.0, 2.0))
    };
    to_class(&mut data.train.labels);
    to_class(&mut data.evaluations[0].1.labels);
    data
}

#[test]
fn classes_get_probabilities_that_add_up_to_one() {
    let data = classes(600);
    for objective in ["multiclass", "multiclassova"] {
        let model = fit(&[("objective", word(objective))], 3, &data);
        let outputs = model.predict(&data.train.matrix).unwrap();
        assert_eq!(outputs.len(), 3);
        for row in 0..600 {
            assert!((outputs.iter().map(|output| output[row]).sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }
}

#[test]
fn one_against_all_divides_each_sigmoid_by_their_sum_and_leaves_raw_scores_alone() {
    let data = classes(300);
    let model = fit(&[("objective", word("multiclassova"))], 3, &data);
    let outputs = model.predict(&data.train.matrix).unwrap();
    let loaded = TreeModel::from_text(String::from_utf8(bytes(model.as_ref())).unwrap(), 1).unwrap();
    assert_eq!(loaded.predict(&data.train.matrix).unwrap(), outputs);
    let raw = loaded.raw_scores(&data.train.matrix).unwrap();
    let mut furthest_from_one = 0.0_f64;
    for row in 0..300 {
        let sigmoids: Vec<f64> = raw.iter().map(|scores| 1.0 / (1.0 + (-scores[row]).exp())).collect();
        let sum: f64 = sigmoids.iter().sum();
        furthest_from_one = furthest_from_one.max((sum - 1.0).abs());
        for (output, sigmoid) in outputs.iter().zip(sigmoids) {
            assert!((output[row] - sigmoid / sum).abs() < 1e-12);
        }
    }
    assert!(
        furthest_from_one > 0.01,
        "the sigmoids do not add up to one by themselves"
    );
}

#[test]
fn quantiles_lie_in_order_and_near_their_share() {
    let data = data(2_000);
    let shares = [0.1, 0.5, 0.9].map(|alpha| {
        let declared = [
            ("objective", word("quantile")),
            ("alpha", Parameter::Float(alpha)),
            ("rounds", Parameter::Integer(60)),
        ];
        let predicted = fit(&declared, 0, &data).predict(&data.train.matrix).unwrap().remove(0);
        let below = predicted
            .iter()
            .zip(&data.train.labels)
            .filter(|(predicted, label)| label <= predicted)
            .count();
        below as f64 / 2_000.0
    });
    assert!(shares[0] < shares[1] && shares[1] < shares[2], "{shares:?}");
    assert!((shares[1] - 0.5).abs() < 0.1, "{shares:?}");
}

#[test]
fn every_objective_for_numbers_trains() {
    let mut data = data(400);
    for labelled in [&mut data.train.labels, &mut data.evaluations[0].1.labels] {
        labelled
            .iter_mut()
            .for_each(|label| *label = label.abs() / 100.0 + 0.01);
    }
    let words = [
        "regression",
        "l1",
        "huber",
        "fair",
        "poisson",
        "quantile",
        "mape",
        "gamma",
        "tweedie",
        "cross_entropy",
    ];
    for objective in words {
        let model = fit(&[("objective", word(objective))], 0, &data);
        assert!(
            model.predict(&data.train.matrix).unwrap()[0]
                .iter()
                .all(|value| value.is_finite()),
            "{objective}"
        );
    }
}

#[test]
fn early_stopping_keeps_the_best_round() {
    let mut data = data(300);
    data.evaluations[0].1.labels.reverse();
    let declared = [
        ("rounds", Parameter::Integer(200)),
        ("early_stopping", Parameter::Integer(5)),
    ];
    let model = fit(&declared, 0, &data);
    let values: Vec<f64> = model.history().iter().map(|report| report.measured[0].value).collect();
    let best = values
        .iter()
        .enumerate()
        .min_by(|one, other| one.1.total_cmp(other.1))
        .unwrap()
        .0
        + 1;
    assert_eq!(model.best_iteration(), best);
    assert_eq!(values.len(), best + 5);
    let text = String::from_utf8(bytes(model.as_ref())).unwrap();
    assert_eq!(text.matches("\nTree=").count(), best);
}

#[test]
fn caller_may_stop_at_any_round() {
    let learner = LightGbm::new(parameters(&[("early_stopping", Parameter::Integer(0))]), 0).unwrap();
    let control = &mut |report: &learning::IterationReport| {
        if report.iteration == 3 {
            Control::Stop
        } else {
            Control::Continue
        }
    };
    assert_eq!(learner.fit(&data(300), control).unwrap().best_iteration(), 3);
}

#[test]
fn training_that_goes_on_keeps_the_trees_before_and_gets_better() {
    let data = data(1_000);
    let first = fit(&[], 0, &data);
    let text = String::from_utf8(bytes(first.as_ref())).unwrap();
    let learner = LightGbm::new(parameters(&[]), 0).unwrap().continuing(text);
    let second = learner.fit(&data, &mut |_| Control::Continue).unwrap();
    let error = |model: &dyn Model| mean_error(&model.predict(&data.train.matrix).unwrap()[0], &data.train.labels);
    assert!(error(second.as_ref()) < 0.8 * error(first.as_ref()));
    let text = String::from_utf8(bytes(second.as_ref())).unwrap();
    assert_eq!(text.matches("\nTree=").count(), 40);
}

#[test]
fn dataset_parameters_and_categories_are_honoured() {
    let data = data(1_000);
    let model = fit(&[("max_bin", Parameter::Integer(3))], 0, &data);
    let text = String::from_utf8(bytes(model.as_ref())).unwrap();
    assert!(text.contains("[max_bin: 3]") && text.contains("[categorical_feature: 2]"));
    let thresholds = |text: &str| {
        let lines = text.lines().filter_map(|line| line.strip_prefix("threshold="));
        lines
            .flat_map(|line| line.split(' '))
            .map(str::to_owned)
            .collect::<std::collections::BTreeSet<_>>()
            .len()
    };
    let fine = String::from_utf8(bytes(fit(&[], 0, &data).as_ref())).unwrap();
    assert!(thresholds(&text) < thresholds(&fine) / 2);
    assert!(
        fine.lines()
            .any(|line| line.starts_with("num_cat=") && line != "num_cat=0")
    );
}

#[test]
fn model_moves_between_threads_and_outlives_its_data() {
    let data = data(300);
    let model = fit(&[], 0, &data);
    let rows = data.train.matrix.clone();
    drop(data);
    let predicted = model.predict(&rows).unwrap();
    let again = std::thread::spawn(move || model.predict(&rows).unwrap())
        .join()
        .unwrap();
    assert_eq!(predicted, again);
}

#[test]
fn what_cannot_be_learned_is_refused() {
    let mut bad = data(50);
    bad.train.labels[3] = -1.0;
    let poisson = LightGbm::new(parameters(&[("objective", word("poisson"))]), 0).unwrap();
    let error = poisson.fit(&bad, &mut |_| Control::Continue).err().unwrap();
    assert!(
        std::error::Error::source(&error)
            .unwrap()
            .to_string()
            .contains("labels of at least 0")
    );
    let binary = LightGbm::new(parameters(&[("objective", word("binary"))]), 3).unwrap_err();
    assert!(binary.to_string().contains("two classes, found 3 classes"));
    assert!(TreeModel::from_text("tree\nnot a model".to_owned(), 1).is_err());
    let model = fit(&[], 0, &data(50));
    let narrow = data(50).train.matrix.batches()[0].project(&[0, 1]).unwrap();
    let narrow = Matrix::new(narrow.schema(), vec![narrow], vec![false, false]).unwrap();
    let error = model.predict(&narrow).unwrap_err();
    assert!(
        std::error::Error::source(&error)
            .unwrap()
            .to_string()
            .contains("takes 5 features, found 2")
    );
}
