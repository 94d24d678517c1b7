//! What may be said, and what is refused with which words.
#![expect(clippy::unwrap_used, reason = "tests may")]
use super::*;

fn read(name: &str, value: Parameter) -> Result<Parameters, ParameterError> {
    Parameters::from_declared(&BTreeMap::from([(name.to_owned(), value)]))
}

#[test]
fn aliases_become_lightgbms_first_name() {
    let parameters = read("eta", Parameter::Float(0.1)).unwrap();
    assert_eq!(
        parameters.settings,
        BTreeMap::from([("learning_rate", "0.1".to_owned())])
    );
    assert_eq!(
        read("loss", Parameter::Text("mae".into())).unwrap().objective,
        Some(Objective::RegressionL1)
    );
}

#[test]
fn mistakes_are_refused_with_what_was_wanted() {
    let cases: [(&str, Parameter, &str, &str); 15] = [
        (
            "num_leafs",
            Parameter::Integer(3),
            "lightgbm has no parameter `num_leafs`",
            "did you mean `num_leaf`?",
        ),
        (
            "num_leaves",
            Parameter::Integer(1),
            "`num_leaves`: wanted a whole number, above 1, at most 131072, found 1",
            "",
        ),
        (
            "num_leaves",
            Parameter::Float(31.5),
            "`num_leaves`: wanted a whole number, above 1, at most 131072, found 31.5",
            "",
        ),
        (
            "learning_rate",
            Parameter::Text("fast".into()),
            "`learning_rate`: wanted a number, above 0, found \"fast\"",
            "",
        ),
        (
            "extra_trees",
            Parameter::Integer(1),
            "`extra_trees`: wanted true or false, found 1",
            "",
        ),
        (
            "nthread",
            Parameter::Integer(1),
            "`nthread` cannot be set here: threads are chosen on the command line, and never change the model: `--threads 4`",
            "remove `nthread`",
        ),
        (
            "seed",
            Parameter::Integer(1),
            "`seed` cannot be set here: every seed comes from the pipeline: `seed = 42` at its top",
            "remove `seed`",
        ),
        (
            "rounds",
            Parameter::Integer(0),
            "`rounds`: wanted a whole number from 1 to 1000000, found 0",
            "",
        ),
        (
            "min_delta",
            Parameter::Float(-1.0),
            "`min_delta`: wanted a number, at least 0, found -1",
            "",
        ),
        (
            "boosting",
            Parameter::Text("dart seed=1".into()),
            "`boosting`: wanted text, found \"dart seed=1\"",
            "",
        ),
        (
            "boosting",
            Parameter::Text("trees".into()),
            "`boosting`: wanted one of `gbdt`, `gbrt`, `dart`, `rf`, `random_forest`, `goss`, found \"trees\"",
            "",
        ),
        (
            "data_sample_strategy",
            Parameter::Text("all".into()),
            "`data_sample_strategy`: wanted one of `bagging`, `goss`, found \"all\"",
            "",
        ),
        (
            "bagging_freq",
            Parameter::Integer(3_000_000_000),
            "`bagging_freq`: wanted a whole number, found 3000000000",
            "",
        ),
        (
            "monotone_constraints",
            Parameter::List(Vec::new()),
            "`monotone_constraints`: wanted a list of whole numbers, found []",
            "",
        ),
        (
            "is_sparse",
            Parameter::Bool(true),
            "`is_sparse` cannot be set here: training is always deterministic",
            "remove `is_sparse`",
        ),
    ];
    for (name, value, message, hint) in cases {
        let error = read(name, value).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert_eq!(error.hint().unwrap_or_default(), hint);
    }
}

#[test]
fn one_parameter_under_two_names_is_refused() {
    let two = [("eta", 0.1), ("learning_rate", 0.2)].map(|(name, value)| (name.to_owned(), Parameter::Float(value)));
    let error = Parameters::from_declared(&BTreeMap::from(two)).unwrap_err();
    assert_eq!(error.to_string(), "`eta` and `learning_rate` are the same parameter");
}

#[test]
fn quantile_outside_zero_and_one_is_refused() {
    let two = [
        ("alpha", Parameter::Float(1.0)),
        ("objective", Parameter::Text("quantile".into())),
    ];
    let error = Parameters::from_declared(&two.map(|(name, value)| (name.to_owned(), value)).into()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`alpha`: wanted a quantile above 0 and below 1, found 1"
    );
}

fn text(text: &str) -> Parameter {
    Parameter::Text(text.to_owned())
}

#[test]
fn metric_that_lightgbm_would_ignore_is_refused() {
    let metrics = |value| read("metric", value).map(|parameters| parameters.settings["metric"].clone());
    let list = Parameter::List(vec![text("mae"), text("rmse"), text("l1")]);
    assert_eq!(metrics(list).unwrap(), "l1,rmse");
    assert_eq!(
        metrics(text("auc, binary_logloss".replace(' ', "").as_str())).unwrap(),
        "auc,binary_logloss"
    );
    for unknown in ["accuracy", "ndcg", "none", "l1,accuracy"] {
        let error = metrics(text(unknown)).unwrap_err().to_string();
        assert!(
            error.starts_with("`metric`: wanted metrics among `l1`, `l2`"),
            "{error}"
        );
    }
}

#[test]
fn objective_named_for_its_metric_is_measured_by_it() {
    assert_eq!(read("objective", text("rmse")).unwrap().settings["metric"], "rmse");
    assert!(!read("objective", text("mse")).unwrap().settings.contains_key("metric"));
    let two = [("metric", text("l1")), ("objective", text("rmse"))].map(|(name, value)| (name.to_owned(), value));
    assert_eq!(Parameters::from_declared(&two.into()).unwrap().settings["metric"], "l1");
}

#[test]
fn groups_of_columns_are_written_as_lightgbm_reads_them() {
    let group = |places: &[i64]| Parameter::List(places.iter().map(|place| Parameter::Integer(*place)).collect());
    let parameters = read(
        "interaction_constraints",
        Parameter::List(vec![group(&[0, 1]), group(&[2])]),
    )
    .unwrap();
    assert_eq!(parameters.settings["interaction_constraints"], "[0,1],[2]");
    assert!(read("interaction_constraints", Parameter::List(vec![group(&[-1])])).is_err());
}

#[test]
fn parameters_that_do_not_go_together_are_refused() {
    let stopping = ("early_stopping", Parameter::Integer(5));
    let check = |declared: &[(&str, Parameter)], message: &str, key: &str| {
        let declared = declared
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        let error = Parameters::from_declared(&declared).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
        assert_eq!(error.key(), key);
    };
    let half = ("subsample", Parameter::Float(0.5));
    let often = ("bagging_freq", Parameter::Integer(1));
    check(
        &[("boosting", text("dart")), stopping],
        "there is no best iteration",
        "early_stopping",
    );
    check(
        &[("boosting", text("random_forest"))],
        "add `bagging_freq = 1`",
        "boosting",
    );
    check(
        &[("boosting", text("goss")), often, half],
        "keep one",
        "data_sample_strategy",
    );
    let weighed = ("scale_pos_weight", Parameter::Float(2.0));
    check(
        &[("is_unbalance", Parameter::Bool(true)), weighed],
        "keep one",
        "is_unbalance",
    );
    assert_eq!(read("boosting", text("dart")).unwrap().early_stopping, 0);
}
