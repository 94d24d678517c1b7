//! What the wrapper promises of any table, and what it refuses.

use std::process::Command;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, Float64Array, Int32Array, RecordBatch};
use definitions::Parameter;
use learning::{Control, Labelled, Learner, LearningError, Matrix, Model, TrainingData};
use proptest::prelude::*;
use trees::{LightGbm, TreeModel};

use crate::{Draw, bytes, data, fit, matrix, parameters, word};

/// What went wrong in LightGBM's words, or the wrapper's.
fn cause(error: &LearningError) -> String {
    std::error::Error::source(error)
        .map(ToString::to_string)
        .unwrap_or_default()
}

fn refused(declared: &[(&str, Parameter)], classes: usize, data: &TrainingData) -> String {
    let learner = LightGbm::new(parameters(declared), classes).unwrap();
    cause(&learner.fit(data, &mut |_| Control::Continue).err().unwrap())
}

/// Two classes that a few trees tell apart nearly always: hessians of very different sizes, so that the order of sums shows.
fn separable(rows: usize, threads: usize) -> TrainingData {
    let mut draw = Draw(9);
    let columns: Vec<Vec<f64>> = (0..4).map(|_| (0..rows).map(|_| draw.share()).collect()).collect();
    let score = |row: usize| columns[0][row] + (columns[1][row] * 9.0).sin() + columns[2][row] * columns[3][row];
    let labels = (0..rows).map(|row| f64::from(u8::from(score(row) > 0.8))).collect();
    let named = ["a", "b", "c", "d"].into_iter().zip(columns);
    let batch = RecordBatch::try_from_iter(named.map(|(name, column)| {
        let column: ArrayRef = Arc::new(Float64Array::from(column));
        (name, column)
    }));
    let batch = batch.unwrap();
    let matrix = Matrix::new(batch.schema(), vec![batch], vec![false; 4]).unwrap();
    TrainingData {
        train: Labelled { matrix, labels },
        evaluations: Vec::new(),
        seed: 7,
        threads,
    }
}

#[test]
fn order_in_which_threads_add_up_does_not_show_in_the_model() {
    let declared = [
        ("learning_rate", Parameter::Float(1.0)),
        ("rounds", Parameter::Integer(40)),
    ];
    for rows in [20_000, 50_000] {
        let models = [1, 2, 3].map(|threads| bytes(fit(&declared, 2, &separable(rows, threads)).as_ref()));
        assert!(models.iter().all(|model| *model == models[0]), "{rows} rows");
    }
}

#[test]
fn linear_leaves_and_sparse_columns_are_the_same_for_any_number_of_threads() {
    let linear = [("linear_tree", Parameter::Bool(true))];
    let models = [1, 2, 4].map(|threads| {
        bytes(
            fit(
                &linear,
                0,
                &TrainingData {
                    threads,
                    ..data(20_000)
                },
            )
            .as_ref(),
        )
    });
    assert!(models.iter().all(|model| *model == models[0]));
    let models = [1, 2, 4].map(|threads| {
        let mut draw = Draw(3);
        let mut data = separable(20_000, threads);
        let sparse = |_| {
            let column = (0..20_000).map(|_| if draw.share() < 0.9 { 0.0 } else { draw.share() as f32 });
            Arc::new(Float32Array::from_iter_values(column)) as ArrayRef
        };
        let columns: Vec<ArrayRef> = (0..12).map(sparse).collect();
        let names: Vec<String> = (0..12).map(|at| format!("sparse_{at}")).collect();
        let batch = RecordBatch::try_from_iter(names.iter().zip(columns)).unwrap();
        data.train.matrix = Matrix::new(batch.schema(), vec![batch], vec![false; 12]).unwrap();
        bytes(fit(&[("learning_rate", Parameter::Float(1.0))], 2, &data).as_ref())
    });
    assert!(models.iter().all(|model| *model == models[0]));
}

#[test]
fn dart_keeps_every_round_because_it_changes_earlier_ones() {
    let model = fit(
        &[("boosting", word("dart")), ("rounds", Parameter::Integer(30))],
        0,
        &data(300),
    );
    assert_eq!((model.best_iteration(), model.history().len()), (30, 30));
}

#[test]
fn nothing_left_to_learn_ends_training_without_a_report_of_it() {
    let mut data = data(100);
    data.train.labels.fill(3.0);
    let model = fit(&[], 0, &data);
    assert_eq!((model.best_iteration(), model.history().len()), (1, 1));
    assert!(
        model.predict(&data.train.matrix).unwrap()[0]
            .iter()
            .all(|value| (value - 3.0).abs() < 1e-6)
    );
}

#[test]
fn empty_evaluation_set_is_passed_over() {
    let mut data = data(300);
    let empty = data.train.matrix.batches()[0].slice(0, 0);
    data.evaluations.insert(
        0,
        (
            "empty".into(),
            Labelled {
                matrix: matrix(vec![empty]),
                labels: Vec::new(),
            },
        ),
    );
    let model = fit(&[], 0, &data);
    assert!(
        model
            .history()
            .iter()
            .all(|report| report.measured.len() == 1 && report.measured[0].set == "validation")
    );
}

#[test]
fn columns_in_another_order_are_refused_by_name() {
    let data = data(200);
    let model = fit(&[], 0, &data);
    let swapped = data.train.matrix.batches()[0].project(&[1, 0, 2, 3, 4]).unwrap();
    let error = model.predict(&matrix(vec![swapped.clone()])).unwrap_err();
    assert_eq!(cause(&error), "the model takes `a` as feature 1, found `b`");
    assert_eq!(
        cause(&model.contributions(&matrix(vec![swapped])).unwrap_err()),
        cause(&error)
    );
}

#[test]
fn training_goes_on_only_from_a_model_of_its_own_kind() {
    let data = data(200);
    let text = String::from_utf8(bytes(fit(&[], 0, &data).as_ref())).unwrap();
    let going_on = |declared: &[(&str, Parameter)], data: &TrainingData| {
        let learner = LightGbm::new(parameters(declared), 0).unwrap().continuing(text.clone());
        cause(&learner.fit(data, &mut |_| Control::Continue).err().unwrap())
    };
    assert_eq!(
        going_on(&[("objective", word("l1"))], &data),
        "training cannot go on from a model with another objective: wanted regression_l1, found regression"
    );
    let forest = [
        ("boosting", word("rf")),
        ("bagging_freq", Parameter::Integer(1)),
        ("bagging_fraction", Parameter::Float(0.5)),
    ];
    assert!(going_on(&forest, &data).contains("another boosting"));
    let mut narrow = data.clone();
    let batch = narrow.train.matrix.batches()[0].project(&[0, 1]).unwrap();
    narrow.train.matrix = Matrix::new(batch.schema(), vec![batch], vec![false; 2]).unwrap();
    assert!(going_on(&[], &narrow).contains("another list of features: wanted a b, found a b c d e"));
}

#[test]
fn labels_and_tables_that_cannot_be_learned_are_refused_before_lightgbm_sees_them() {
    let mut bad = data(50);
    bad.train.labels[3] = 1e300;
    assert!(refused(&[], 0, &bad).contains("finite labels that fit 32-bit floats"));
    assert!(refused(&[("objective", word("poisson"))], 0, &bad).contains("finite labels"));
    let mut bad = data(50);
    bad.train.labels.fill(2.0);
    assert!(refused(&[], 2, &bad).contains("the indices of its classes"));
    let mut short = data(50);
    short.train.labels.pop();
    assert_eq!(refused(&[], 0, &short), "every row needs a label: 50 rows, 49 labels");
    let mut bare = data(50);
    let batch = bare.train.matrix.batches()[0].project(&[]).unwrap();
    bare.train.matrix = Matrix::new(batch.schema(), vec![batch], Vec::new()).unwrap();
    assert_eq!(refused(&[], 0, &bare), "there are no features to learn from");
    let two = LightGbm::new(parameters(&[("objective", word("multiclass"))]), 2).unwrap_err();
    assert_eq!(
        two.to_string(),
        "objective `multiclass` learns three classes or more, found 2 classes"
    );
    let none = LightGbm::new(parameters(&[("objective", word("binary"))]), 0).unwrap_err();
    assert_eq!(none.to_string(), "objective `binary` learns two classes, found numbers");
    for (classes, metric) in [(0, "auc"), (0, "multi_logloss"), (2, "auc_mu"), (3, "auc"), (3, "l2")] {
        let odd = LightGbm::new(parameters(&[("metric", word(metric))]), classes)
            .unwrap_err()
            .to_string();
        assert!(
            odd.starts_with(&format!("metric `{metric}` does not fit objective")),
            "{odd}"
        );
    }
    for (classes, metrics) in [(0, "mae,mape"), (2, "auc,binary_logloss,l2"), (3, "multi_error,auc_mu")] {
        let declared = [("metric", Parameter::List(metrics.split(',').map(word).collect()))];
        assert!(LightGbm::new(parameters(&declared), classes).is_ok(), "{metrics}");
    }
}

#[test]
#[ignore = "run by `lightgbm_never_writes_to_stdout`, in a process of its own"]
fn warns_a_lot() {
    let work = || {
        let mut data = data(100);
        data.train.labels.fill(3.0);
        let model = fit(&[("min_data_in_leaf", Parameter::Integer(0))], 0, &data);
        let text = String::from_utf8(bytes(model.as_ref())).unwrap();
        let loaded = TreeModel::from_text(text, 2).unwrap();
        let elsewhere = std::thread::spawn(move || loaded.contributions(&data.train.matrix).unwrap().rows);
        assert_eq!(elsewhere.join().unwrap(), 100);
    };
    work();
    std::thread::spawn(work).join().unwrap();
}

#[test]
fn lightgbm_never_writes_to_stdout() {
    let itself = std::env::current_exe().unwrap();
    let arguments = ["--exact", "promises::warns_a_lot", "--ignored", "--nocapture"];
    let output = Command::new(itself).args(arguments).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    assert!(!said.contains("LightGBM"), "{said}");
}

/// A small table with NULLs and a category, in chunks cut from longer arrays, and what is learned from it.
#[derive(Debug, Clone)]
struct Small {
    rows: Vec<(Option<f32>, Option<i32>, f64)>,
    cuts: Vec<usize>,
    classes: usize,
    objective: &'static str,
}

fn small() -> impl Strategy<Value = Small> {
    let row = (
        prop::option::weighted(0.8, -5.0..5.0_f32),
        prop::option::weighted(0.8, 0..6),
        0.01..1.0_f64,
    );
    let kinds = [
        (0, "regression"),
        (0, "l1"),
        (0, "quantile"),
        (0, "tweedie"),
        (2, "binary"),
        (3, "multiclass"),
    ];
    let kind = prop::sample::select(kinds.to_vec());
    let parts = (
        prop::collection::vec(row, 8..80),
        prop::collection::vec(0..80_usize, 0..5),
        kind,
    );
    parts.prop_map(|(rows, mut cuts, (classes, objective))| {
        cuts.extend([0, rows.len()]);
        cuts.iter_mut().for_each(|cut| *cut = (*cut).min(rows.len()));
        cuts.sort_unstable();
        Small {
            rows,
            cuts,
            classes,
            objective,
        }
    })
}

impl Small {
    fn columns(&self) -> RecordBatch {
        let values: Float32Array = self.rows.iter().map(|row| row.0).collect();
        let codes: Int32Array = self.rows.iter().map(|row| row.1).collect();
        let columns: [(&str, ArrayRef); 2] = [("value", Arc::new(values)), ("code", Arc::new(codes))];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn of(batches: Vec<RecordBatch>) -> Matrix {
        Matrix::new(batches[0].schema(), batches, vec![false, true]).unwrap()
    }

    fn data(&self, batches: Vec<RecordBatch>) -> TrainingData {
        let label = |(at, row): (usize, &(Option<f32>, Option<i32>, f64))| match self.classes {
            0 => row.2,
            classes => (at % classes) as f64,
        };
        let labels = self.rows.iter().enumerate().map(label).collect();
        TrainingData {
            train: Labelled {
                matrix: Self::of(batches),
                labels,
            },
            evaluations: Vec::new(),
            seed: 1,
            threads: 2,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_small_table_keeps_every_promise(small in small()) {
        let whole = small.columns();
        let chunks: Vec<RecordBatch> =
            small.cuts.windows(2).map(|cut| whole.slice(cut[0], cut[1] - cut[0])).collect();
        let declared = [
            ("objective", word(small.objective)),
            ("rounds", Parameter::Integer(5)),
            ("min_data_in_leaf", Parameter::Integer(1)),
            ("min_data_per_group", Parameter::Integer(1)),
        ];
        let model = fit(&declared, small.classes, &small.data(vec![whole.clone()]));
        let chunked = fit(&declared, small.classes, &small.data(chunks.clone()));
        prop_assert!(bytes(model.as_ref()) == bytes(chunked.as_ref()));

        let (whole, chunks) = (Small::of(vec![whole]), Small::of(chunks));
        let predicted = model.predict(&whole).unwrap();
        prop_assert_eq!(&model.predict(&chunks).unwrap(), &predicted);
        let loaded = TreeModel::from_text(String::from_utf8(bytes(model.as_ref())).unwrap(), 1).unwrap();
        prop_assert_eq!(&loaded.predict(&whole).unwrap(), &predicted);

        let outputs = if small.classes == 3 { 3 } else { 1 };
        prop_assert_eq!(predicted.len(), outputs);
        prop_assert!(predicted.iter().all(|output| output.len() == small.rows.len()));
        let contributions = loaded.contributions(&chunks).unwrap();
        let raw = loaded.raw_scores(&whole).unwrap().concat();
        prop_assert_eq!(contributions.values.len(), raw.len() * 3);
        for (row, raw) in contributions.values.chunks_exact(3).zip(raw) {
            prop_assert!((row.iter().sum::<f64>() - raw).abs() <= 1e-9 * raw.abs().max(1.0));
        }
    }
}
