//! What may be said in `[train.tft]`.

use definitions::Parameter;

use super::{declared, float, word};
use crate::learner::{ParameterError, Parameters};
use crate::train::Schedule;

#[test]
fn what_a_pipeline_says_is_what_is_trained() {
    let said = declared(&[
        ("hidden", Parameter::Integer(16)),
        ("heads", Parameter::Integer(2)),
        ("quantiles", Parameter::List(vec![float(0.2), float(0.5), float(0.8)])),
        ("schedule", word("cosine")),
        ("warm_up", float(0.1)),
        ("patience", Parameter::Integer(0)),
        ("gradient_clip", float(0.0)),
    ]);
    let parameters = Parameters::from_declared(&said).unwrap();
    assert_eq!((parameters.hidden, parameters.heads), (16, 2));
    assert_eq!(
        (parameters.settings.patience, parameters.settings.gradient_clip),
        (None, None)
    );
    assert!(matches!(
        parameters.settings.schedule,
        Schedule::WarmUpCosine { warm_up: 0.1, .. }
    ));
    let all = parameters.all();
    assert_eq!(all["dropout"], serde_json::json!(0.1), "defaults stand there too");
    assert_eq!(all["batch_size"], serde_json::json!(64));
    assert_eq!(all["min_delta"], serde_json::json!(1e-4));
    assert_eq!(
        [&all["keep_checkpoints"], &all["members"]],
        [&serde_json::json!(0), &serde_json::json!(1)]
    );
    let huber = Parameters::from_declared(&declared(&[("loss", word("huber"))])).unwrap();
    assert_eq!(huber.all()["loss"], serde_json::json!({"huber": {"delta": 1.0}}));
    let cosine = Parameters::from_declared(&declared(&[("schedule", word("cosine"))])).unwrap();
    let shown = serde_json::json!({"warm_up_cosine": {"warm_up": 0.05, "floor": 0.0}});
    assert_eq!(cosine.all()["schedule"], shown);
    assert_eq!(
        Parameters::from_declared(&declared(&[])).unwrap(),
        Parameters::default()
    );
}

#[test]
fn what_cannot_be_is_named_with_what_could() {
    let refused = |pairs: &[(&str, Parameter)]| {
        let error = Parameters::from_declared(&declared(pairs)).unwrap_err();
        format!("{error}; {}", error.hint())
    };
    let cases = [
        (
            refused(&[("hiden", Parameter::Integer(1))]),
            "tft has no parameter `hiden`; did you mean `hidden`?",
        ),
        (
            refused(&[("loss", word("mape"))]),
            "`loss`: wanted one of \"quantile\", \"mae\", \"mse\", \"huber\", found \"mape\"",
        ),
        (
            refused(&[("hidden", Parameter::Integer(6))]),
            "`heads`: wanted a divisor of `hidden`, which is 6",
        ),
        (refused(&[("delta", float(1.0))]), "`delta` is for `loss = \"huber\"`"),
        (
            refused(&[("quantiles", Parameter::List(vec![float(0.9), float(0.1)]))]),
            "`quantiles`: wanted ascending numbers",
        ),
        (
            refused(&[("slim.kep", float(0.8))]),
            "tft has no parameter `slim.kep`; did you mean `slim.keep`?",
        ),
        (
            refused(&[("slim.keep", float(1.5))]),
            "`slim.keep`: wanted more than 0 and at most 1, found 1.5",
        ),
        (
            refused(&[("slim.epochs", Parameter::Integer(2))]),
            "`slim.epochs` is for `slim.keep`",
        ),
        (
            refused(&[("groups.by", word("cluster(1)"))]),
            "`groups.by`: wanted `cluster(N)` with N of at least 2, or a static categorical column, found \"cluster(1)\"",
        ),
        (
            refused(&[("groups.hidden", Parameter::Integer(8))]),
            "`groups.hidden` is for `groups.by`",
        ),
        (
            refused(&[("groups.by", word("kind")), ("members", Parameter::Integer(2))]),
            "`members` and `groups.by` cannot be used together; remove `members`",
        ),
        (
            refused(&[("epochs", Parameter::Integer(0))]),
            "`epochs`: wanted a whole number of at least 1, found 0",
        ),
    ];
    for (found, wanted) in cases {
        assert!(found.starts_with(wanted), "{found}\nwanted {wanted}");
    }
    assert!(matches!(
        Parameters::from_declared(&declared(&[("x", float(1.0))])),
        Err(ParameterError::Unknown { .. })
    ));
}
