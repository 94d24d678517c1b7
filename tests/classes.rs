//! Classification through the binary: what is shown, and that probabilities are probabilities.

use serde_json::Value;

use crate::sandbox::Sandbox;

/// A repository that learns one of `classes` from two numbers, trained with an objective.
pub fn trained(objective: &str, classes: usize) -> Sandbox {
    let sandbox = ready(objective, classes);
    sandbox.ok("train --view fv:v1");
    sandbox
}

/// The same, everything but trained.
fn ready(objective: &str, classes: usize) -> Sandbox {
    let sandbox = Sandbox::new();
    let group = "name = \"rows\"\nversion = 1\nentity = [\"id\"]\nevent_time = \"ts\"\n";
    let features: String = [("a", "float64"), ("b", "float64"), ("class", "utf8")]
        .iter()
        .map(|(name, of)| format!("[[features]]\nname = \"{name}\"\ntype = \"{of}\"\n"))
        .collect();
    sandbox.write("feature_groups/rows.toml", &format!("{group}{features}"));
    sandbox.write(
        "feature_views/fv.toml",
        "name = \"fv\"\nversion = 1\n[labels]\ngroup = \"rows:v1\"\ncolumns = [\"class\"]\n[[features]]\ngroup = \"rows:v1\"\n\
         columns = [\"a\", \"b\"]\n[split]\nstrategy = \"random\"\nvalidation = 0.2\ntest = 0.3\nseed = 1\n",
    );
    sandbox.write(
        "pipelines/p.toml",
        &format!(
            "name = \"p\"\nview = \"fv:v1\"\nmodel = \"m\"\nseed = 1\n[train]\nlearner = \"lightgbm\"\n[train.lightgbm]\n\
             objective = \"{objective}\"\nrounds = 8\nmin_data_in_leaf = 5\n[evaluate]\nmetrics = [\"log_loss\", \"accuracy\", \"f1\"]\n"
        ),
    );
    let mut table = String::from("id,ts,a,b,class\n");
    let mut state = 3_u64;
    for row in 0..1_200 {
        let mut draw = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let (a, b, noise) = (draw(100), draw(100), draw(40));
        let class = (a + b / 2 + noise) * classes as u64 / 190;
        table.push_str(&format!("r{row},2026-01-01T00:00:00Z,{a},{b},c{class:02}\n"));
    }
    sandbox.write("rows.csv", &table);
    sandbox.ok("apply");
    sandbox.ok("featuregroup ingest rows --from rows.csv");
    sandbox
}

/// The matrix as a screen has it: the lines after its title.
fn shown(screen: &str) -> Vec<&str> {
    let lines = screen.lines().skip_while(|line| !line.starts_with("confusion on test"));
    lines.skip(1).take(4).collect()
}

#[test]
fn confusion_is_on_the_screen_of_train_and_of_the_run_and_on_the_card() {
    let sandbox = ready("multiclass", 3);
    let screen = sandbox.ok("train --view fv:v1").stdout;
    let metrics: Value = serde_json::from_str(&sandbox.read(".platform/models/m/v1/metrics.json")).unwrap();
    let parts = metrics["parts"].as_array().unwrap();
    let test = parts.iter().find(|part| part["part"] == "test").unwrap();
    let counts = test["confusion"]["counts"].as_array().unwrap();
    let wanted = counts.iter().zip(["c00", "c01", "c02"]).map(|(row, class)| {
        let row = row.as_array().unwrap().iter().map(ToString::to_string);
        std::iter::once(class.to_owned())
            .chain(row)
            .collect::<Vec<_>>()
            .join(" ")
    });
    let head = "true \\ predicted c00 c01 c02".to_owned();
    let wanted: Vec<String> = std::iter::once(head).chain(wanted).collect();
    for screen in [&screen, &sandbox.ok("run show 1").stdout] {
        let words = |line: &&str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let found: Vec<String> = shown(screen).iter().map(words).collect();
        assert_eq!(found, wanted, "{screen}");
    }
    let card = sandbox.ok("registry card m").stdout;
    assert!(card.contains("true \\ predicted | c00 | c01 | c02"), "{card}");
    let run = sandbox.ok("run show 1 --json").json();
    assert_eq!(run["report"]["confusion"]["test"], test["confusion"]);
}

#[test]
fn too_many_classes_to_show_are_counted_and_said_where_they_are() {
    let screen = ready("multiclass", 12).ok("train --view fv:v1").stdout;
    assert!(
        screen.contains("12 classes") && screen.contains("platform run show 1 --json"),
        "{screen}"
    );
    assert!(!screen.contains("true \\ predicted"), "{screen}");
}

#[test]
fn probabilities_of_one_against_all_add_up_to_one_and_make_the_log_loss() {
    let sandbox = trained("multiclassova", 3);
    sandbox.ok("dataset export fv:v1/1 --to joined --format csv");
    sandbox.ok("predict m --from joined/test.csv --to predictions.csv");
    let predictions = sandbox.read("predictions.csv");
    let mut lines = predictions.lines();
    let head: Vec<&str> = lines.next().unwrap().split(',').collect();
    let place = |name: &str| head.iter().position(|column| *column == name).unwrap();
    let places = ["c00", "c01", "c02"].map(|class| place(&format!("probability_{class}")));
    let classes = sandbox.read("joined/test.csv");
    let classes: Vec<&str> = classes
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(2).unwrap())
        .collect();
    let mut losses = Vec::new();
    for (line, class) in lines.zip(&classes) {
        let cells: Vec<&str> = line.split(',').collect();
        let probabilities = places.map(|at| cells[at].parse::<f64>().unwrap());
        assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{line}");
        let number: usize = class[1..].parse().unwrap();
        losses.push(-probabilities[number].ln());
    }
    let by_hand = losses.iter().sum::<f64>() / losses.len() as f64;
    let model = sandbox.ok("registry show m --json").json();
    let stated = model["metrics"]["log_loss"].as_f64().unwrap();
    assert!((stated - by_hand).abs() < 1e-9, "{stated}, by hand {by_hand}");
    assert!(sandbox.ok("registry card m").stdout.contains("One against all"));
}

#[test]
fn rows_of_a_class_that_training_never_saw_are_told_at_training_and_on_the_card() {
    let sandbox = ready("multiclass", 3);
    // A class of one row: the draw puts each of these rows into one part, and into train none of those that are told.
    let odd: String = (0..12)
        .map(|row| format!("odd{row},2026-01-02T00:00:00Z,1,1,odd{row:02}\n"))
        .collect();
    sandbox.write("odd.csv", &format!("id,ts,a,b,class\n{odd}"));
    sandbox.ok("featuregroup ingest rows --from odd.csv");
    let said = sandbox.ok("train --view fv:v1");
    let manifest = sandbox.ok("dataset show fv:v1/1 --json").json();
    assert_eq!(manifest["rows"]["gap"], 0);
    assert!(
        said.stderr
            .contains("are of a class that the training part does not have"),
        "{}",
        said.screen()
    );
    let card = sandbox.ok("registry card m").stdout;
    assert!(
        card.contains("are of a class that the training part does not have"),
        "{card}"
    );
    assert!(!card.contains("have no label"), "{card}");
}

#[test]
fn early_stopping_without_a_validation_part_is_told() {
    let sandbox = ready("binary", 2);
    let view = sandbox.read("feature_views/fv.toml");
    let view = view
        .replace("validation = 0.2\n", "")
        .replace("version = 1", "version = 2");
    sandbox.write("feature_views/fv.toml", &view);
    let pipeline = sandbox.read("pipelines/p.toml").replace("fv:v1", "fv:v2");
    sandbox.write("pipelines/p.toml", &pipeline);
    sandbox.ok("apply");
    let said = sandbox.ok("train --view fv:v2");
    assert!(
        said.stderr.contains("`early_stopping` has nothing to go by"),
        "{}",
        said.screen()
    );
}
