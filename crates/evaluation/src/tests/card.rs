use definitions::{Baseline, Gates, Limits, Rival};

use crate::{
    CardData, CardEvidence, CardFeature, CardFile, CardFold, CardFoldMean, CardForecast, CardGroup, CardJoin, CardNote,
    CardPart, CardSplit, CardTraining, Evaluation, LeakCheck, LeakFinding, LeakTest, Metric, PartEvaluation,
    RivalEvaluation, Score, SliceEvaluation, SliceKey, Task, check_gates, render_card,
};

fn scores(mae: f64, r2: Option<f64>) -> Vec<Score> {
    let note = r2.is_none().then(|| "every label is the same".to_owned());
    vec![
        Score {
            metric: Metric::Mae,
            value: Some(mae),
            note: None,
        },
        Score {
            metric: Metric::R2,
            value: r2,
            note,
        },
    ]
}

fn slice(column: &str, value: Option<&str>, rows: u64, mae: f64) -> SliceEvaluation {
    let key = SliceKey {
        column: column.to_owned(),
        value: value.map(str::to_owned),
    };
    SliceEvaluation {
        key,
        rows,
        gated: rows >= 30,
        model: scores(mae, Some(0.7)),
    }
}

fn rival(rival: Rival, version: Option<&str>, rows: u64, theirs: f64, ours: f64) -> RivalEvaluation {
    let (scores, model) = (scores(theirs, Some(0.5)), scores(ours, Some(0.8)));
    RivalEvaluation {
        rival,
        model_version: version.map(str::to_owned),
        present: true,
        rows,
        scores,
        model,
    }
}

fn evaluation() -> Evaluation {
    let part = |name: &str, mae, slices, rivals| PartEvaluation {
        part: name.to_owned(),
        rows: 76_012,
        model: scores(mae, Some(0.83)),
        confusion: None,
        slices,
        rivals,
        forecast: None,
    };
    let slices = vec![
        slice("region", Some("eu-central"), 40_000, 4.2),
        slice("region", Some("us|east"), 36_000, 7.4),
        slice("region", None, 12, 3.0),
    ];
    let rivals = vec![
        rival(Rival::Baseline(Baseline::LastValue), None, 75_000, 6.6, 4.0),
        rival(
            Rival::Alias("champion".parse().unwrap()),
            Some("cpu_forecaster:v2"),
            76_012,
            4.01,
            4.05,
        ),
    ];
    let parts = vec![
        part("train", 3.2, Vec::new(), Vec::new()),
        part("validation", 4.1, Vec::new(), Vec::new()),
        part("test", 4.05, slices, rivals),
    ];
    Evaluation {
        task: Task::Regression,
        metrics: vec![Metric::Mae, Metric::R2],
        parts,
    }
}

fn times(first: &str, last: &str) -> Option<(String, String)> {
    Some((
        format!("2026-01-{first}T00:00:00Z"),
        format!("2026-01-{last}T00:00:00Z"),
    ))
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn data() -> CardData {
    let group = |name: &str, columns: &[&str], join| CardGroup {
        group: name.to_owned(),
        columns: texts(columns),
        delta_version: 3,
        committed_at: "2026-02-01T08:00:00Z".to_owned(),
        times: times("05", "31"),
        join,
    };
    let join = CardJoin {
        matched: 500_000,
        expired: 7_500,
        before_first: 1_000,
        decided_by_tie_rule: 4,
        ..CardJoin::default()
    };
    let part = |part: &str, rows, times| CardPart {
        part: part.to_owned(),
        rows,
        without_label: 300,
        of_unknown_class: 0,
        times,
    };
    CardData {
        view: "cpu_fv:v1".to_owned(),
        description: Some("will this host run hot within the hour?".to_owned()),
        dataset: "cpu_fv:v1/1".to_owned(),
        fingerprint: "ab".repeat(32),
        target: "cpu_max_next_1h".to_owned(),
        classes: None,
        inputs: texts(&["cpu_percent", "instance_type"]),
        groups: vec![
            group("cpu_labels:v1", &["cpu_max_next_1h"], None),
            group("server_metrics:v1", &["cpu_percent"], Some(join)),
        ],
        parts: vec![
            part("train", 356_000, times("05", "25")),
            part("validation", 76_000, times("25", "28")),
            part("test", 76_312, times("28", "31")),
        ],
        split: CardSplit {
            strategy: "time".to_owned(),
            gap: Some("1h".to_owned()),
            gap_sum: Some("label horizon 1h (cpu_max_next_1h) + longest lookback 0s".to_owned()),
            rows_in_gap: 1440,
            certificate: texts(&["the last label of train ends 5m before the first row of validation"]),
            overlap_allowed: false,
        },
        warnings: texts(&["4 spine rows stand twice"]),
    }
}

fn evidence() -> CardEvidence {
    let limits = Limits {
        max: Some(5.0),
        ..Limits::default()
    };
    let gates = Gates {
        metrics: [("mae".to_owned(), limits)].into(),
        ..Gates::default()
    };
    let feature = |name: &str, gain, splits, shap| CardFeature {
        feature: name.to_owned(),
        gain,
        splits,
        mean_absolute_shap: shap,
    };
    CardEvidence {
        model: "cpu_forecaster:v3".to_owned(),
        created: "2026-02-01T09:00:00Z".to_owned(),
        owner: Some("sre".to_owned()),
        description: Some("forecasts each host's CPU peak within the hour".to_owned()),
        intended_use: Some("capacity alerts for the SRE team".to_owned()),
        limitations: Some("Knows nothing of planned work.".to_owned()),
        data: data(),
        training: CardTraining {
            pipeline: "cpu_forecast".to_owned(),
            pipeline_fingerprint: "cd".repeat(32),
            learner: "lightgbm".to_owned(),
            objective: "regression".to_owned(),
            parameters: pairs(&[("learning_rate", "0.05"), ("num_leaves", "63")]),
            seed: 42,
            iterations: 177,
            best_iteration: 147,
            software: pairs(&[("LightGBM", "4.6.0"), ("platform", "0.1.0")]),
        },
        gates: check_gates(&gates, &evaluation()),
        evaluation: evaluation(),
        folds: Vec::new(),
        fold_means: Vec::new(),
        leaks: Vec::new(),
        importance: vec![
            feature("cpu_percent", 8.1e8, 4000, Some(9.87)),
            feature("instance_type", 4.0e7, 512, None),
        ],
        forecast: None,
        files: vec![CardFile {
            name: "model.txt".to_owned(),
            sha256: "ef".repeat(32),
        }],
    }
}

#[test]
fn card_says_everything_that_is_known() {
    insta::assert_snapshot!(render_card(&evidence()));
}

#[test]
fn folds_and_leak_tests_stand_on_the_card() {
    let mut evidence = evidence();
    let part = evidence.evaluation.parts[0].clone();
    evidence.folds = vec![CardFold {
        fold: 2,
        part: "test".to_owned(),
        rows: 40,
        scores: part.model.clone(),
        baselines: Vec::new(),
    }];
    evidence.leaks = vec![LeakCheck::of(
        LeakTest::SingleInput,
        LeakFinding::Suspicion,
        vec!["cpu_percent".to_owned()],
        "of the label, `cpu_percent` explains 99.00 % alone",
    )];
    let card = render_card(&evidence);
    for line in [
        "| 2 | test | 40 |",
        "| single_input | suspicion | of the label, `cpu_percent` explains 99.00 % alone |",
        "A leak test says: suspicion of a leak: of the label, `cpu_percent` explains 99.00 % alone (single_input).",
    ] {
        assert!(card.contains(line), "{card}");
    }
    let metric = evidence.evaluation.metrics[0].to_string();
    let mean = |baseline: Option<&str>, mean: f64| CardFoldMean {
        part: "test".to_owned(),
        baseline: baseline.map(str::to_owned),
        metric: metric.clone(),
        mean,
        std: Some(0.5),
    };
    evidence.folds[0].baselines = vec![("last_value".to_owned(), part.model)];
    evidence.fold_means = vec![mean(None, 1.5), mean(Some("last_value"), 2.5)];
    let card = render_card(&evidence);
    for line in [
        "| 2 | test | 40 | this model |",
        "| 2 | test | 40 | last_value |",
        "| test | this model | 1.500 ± 0.5000 |",
        "| test | last_value | 2.500 ± 0.5000 |",
    ] {
        assert!(card.contains(line), "{line} in {card}");
    }
}

#[test]
fn same_evidence_gives_the_same_card() {
    let read: CardEvidence = serde_json::from_str(&serde_json::to_string(&evidence()).unwrap()).unwrap();
    assert_eq!(render_card(&read), render_card(&evidence()));
}

#[test]
fn weaknesses_are_found_in_the_evidence() {
    let mut evidence = evidence();
    evidence.data.split.overlap_allowed = true;
    evidence.data.split.strategy = "random".to_owned();
    evidence.evaluation.parts.truncate(2);
    evidence.gates = check_gates(&Gates::default(), &evidence.evaluation);
    let card = render_card(&evidence);
    for wanted in [
        "`allow_overlap = true`",
        "divided at random although",
        "There is no test part",
        "No gate was set",
    ] {
        assert!(card.contains(wanted), "{wanted} is missing in\n{card}");
    }
    evidence.evaluation.parts.truncate(1);
    assert!(render_card(&evidence).contains("measured on what it learned from"));
}

#[test]
fn rows_of_a_class_that_training_never_saw_are_told() {
    let mut evidence = evidence();
    evidence.data.parts[2].of_unknown_class = 763;
    let card = render_card(&evidence);
    assert!(
        card.contains("763 rows of test (1.0 %) are of a class that the training part does not have"),
        "{card}"
    );
}

#[test]
fn what_is_to_be_said_of_a_training_has_a_section() {
    let mut evidence = evidence();
    evidence.forecast = Some(CardForecast {
        context: 8,
        horizon: 4,
        frequency: "1h".to_owned(),
        known_future: Vec::new(),
        variables: Vec::new(),
        attention: Vec::new(),
        notes: vec![CardNote {
            title: "Slimming".to_owned(),
            text: "Two of three variables were kept.".to_owned(),
            columns: texts(&["variable", "kept"]),
            rows: vec![texts(&["`a|b`", "no"])],
        }],
    });
    let card = render_card(&evidence);
    let wanted =
        "## Slimming\n\nTwo of three variables were kept.\n\n| variable | kept |\n|---|---|\n| `a\\|b` | no |\n";
    assert!(card.contains(wanted), "{card}");
}

#[test]
fn many_slices_are_cut_to_the_worst() {
    let mut evidence = evidence();
    evidence.evaluation.parts[2].slices = (0..40)
        .map(|host| slice("host", Some(&format!("host-{host:02}")), 30 + host, host as f64))
        .collect();
    let card = render_card(&evidence);
    assert!(
        card.contains("| host-39 | 69 | 39.00 |") && !card.contains("| host-05 |"),
        "{card}"
    );
    assert!(card.contains("The worst 12 of 40 slices are shown."));
}

#[test]
fn classes_are_named_where_their_probabilities_are_used() {
    let mut evidence = evidence();
    evidence.data.classes = Some(texts(&["cold", "hot"]));
    assert!(render_card(&evidence).contains("A prediction is the probability of `hot`."));
    evidence.data.classes = Some(texts(&["a", "b", "c"]));
    assert!(render_card(&evidence).contains("a probability for each of `a`, `b`, `c`, in this order"));
}
