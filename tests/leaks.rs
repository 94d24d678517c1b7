//! Leaks, each planted in a small world and seen by `train`, which names it.

use serde_json::Value;

use crate::sandbox::Sandbox;

const HOSTS: usize = 12;
const STEPS: usize = 160;

/// Numbers that look drawn, the same every time.
struct Drawn(u64);

impl Drawn {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / (1_u64 << 31) as f64
    }
}

/// A row of the world: what is known, and what is asked: the largest `x` of the hour after.
struct Row {
    host: usize,
    step: usize,
    x: f64,
    y: f64,
    noise: f64,
}

fn rows() -> Vec<Row> {
    let mut drawn = Drawn(7);
    let mut rows = Vec::new();
    for host in 0..HOSTS {
        let mut x = 0.0;
        let series: Vec<f64> = (0..STEPS + 6)
            .map(|_| {
                x = 0.6 * x + drawn.next() - 0.5;
                x
            })
            .collect();
        for step in 0..STEPS {
            let y = series[step + 1..step + 7].iter().copied().fold(f64::MIN, f64::max);
            let (x, noise) = (series[step], drawn.next() - 0.5);
            rows.push(Row {
                host,
                step,
                x,
                y,
                noise,
            });
        }
    }
    rows
}

fn time(step: usize) -> String {
    format!(
        "2026-01-0{}T{:02}:{:02}:00Z",
        1 + step / 144,
        step / 6 % 24,
        step % 6 * 10
    )
}

/// How a world is declared.
struct World {
    split: &'static str,
    gate: &'static str,
    /// More of the view.
    view: &'static str,
    planted: fn(&Row) -> f64,
    host: fn(usize) -> usize,
}

const BY_TIME: &str = "strategy = \"time\"\nvalidation = 0.15\ntest = 0.2";

impl Default for World {
    fn default() -> Self {
        Self {
            split: BY_TIME,
            gate: "",
            view: "",
            planted: |row| row.noise,
            host: |host| host,
        }
    }
}

impl World {
    fn sandbox(&self) -> Sandbox {
        let sandbox = Sandbox::new();
        let group = |name: &str, features: &str| {
            let head = format!("name = \"{name}\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n");
            sandbox.write(&format!("feature_groups/{name}.toml"), &format!("{head}{features}"));
        };
        group(
            "labels",
            "[[features]]\nname = \"y\"\ntype = \"float64\"\nhorizon = \"1h\"\n",
        );
        let feature = |name: &str| format!("[[features]]\nname = \"{name}\"\ntype = \"float64\"\n");
        group("metrics", &(feature("x") + &feature("planted")));
        sandbox.write(
            "feature_views/fv.toml",
            &format!(
                "name = \"fv\"\nversion = 1\n[labels]\ngroup = \"labels:v1\"\ncolumns = [\"y\"]\n\
                 [[features]]\ngroup = \"metrics:v1\"\ncolumns = [\"x\", \"planted\"]\n{}\n[split]\n{}\n",
                self.view, self.split
            ),
        );
        sandbox.write(
            "pipelines/p.toml",
            &format!(
                "name = \"p\"\nview = \"fv:v1\"\nmodel = \"m\"\nseed = 1\n[train]\nlearner = \"lightgbm\"\n[train.lightgbm]\n\
                 rounds = 10\n[evaluate]\nmetrics = [\"mae\", \"r2\"]\n[gate]\nmae = {{ max = 100.0 }}\n{}\n",
                self.gate
            ),
        );
        let (mut labels, mut metrics) = ("host,ts,y\n".to_owned(), "host,ts,x,planted\n".to_owned());
        let rows = rows();
        for host in 0..HOSTS {
            for row in rows.iter().filter(|row| row.host == (self.host)(host)) {
                let time = time(row.step);
                labels.push_str(&format!("h{host},{time},{}\n", row.y));
                metrics.push_str(&format!("h{host},{time},{},{}\n", row.x, (self.planted)(row)));
            }
        }
        sandbox.write("labels.csv", &labels).write("metrics.csv", &metrics);
        sandbox.ok("apply");
        sandbox.ok("featuregroup ingest labels --from labels.csv");
        sandbox.ok("featuregroup ingest metrics --from metrics.csv");
        sandbox
    }
}

/// What each test found in the newest run: test, finding, columns.
fn found(sandbox: &Sandbox) -> Vec<(String, String, Vec<String>)> {
    let run = sandbox.ok("run show 1 --json").json();
    let texts = |value: &Value| -> Vec<String> {
        let list = value.as_array().into_iter().flatten();
        list.map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let checks = run["report"]["leaks"].as_array().unwrap().iter();
    checks
        .map(|check| {
            let text = |name: &str| check[name].as_str().unwrap().to_owned();
            (text("test"), text("finding"), texts(&check["columns"]))
        })
        .collect()
}

fn finding(sandbox: &Sandbox, test: &str) -> (String, Vec<String>) {
    let (_, finding, columns) = found(sandbox).into_iter().find(|(of, _, _)| of == test).unwrap();
    (finding, columns)
}

/// Trains in a world with a leak, and checks that it is refused for it, with the column named on the screen and in the run.
fn check_refused(world: &World, test: &str, columns: &[&str]) {
    let sandbox = world.sandbox();
    let said = sandbox.refused("train --view fv:v1");
    assert!(said.contains(&format!("({test})")), "{said}");
    for column in columns {
        assert!(said.contains(column), "{said}");
    }
    assert_eq!(finding(&sandbox, test).1, columns);
    assert!(sandbox.ok("run show 1").stdout.contains(test));
    assert!(sandbox.run("registry show m").code != 0, "nothing is registered");
}

#[test]
fn honest_world_passes_every_leak_test() {
    let sandbox = World {
        gate: "leaks = \"refuse\"",
        ..World::default()
    }
    .sandbox();
    let screen = sandbox.ok("train --view fv:v1").stdout;
    assert!(screen.contains("passed gate leaks"), "{screen}");
    for (test, finding, columns) in found(&sandbox) {
        let wanted = if test == "entities_apart" {
            "not_applicable"
        } else {
            "nothing"
        };
        assert_eq!(finding, wanted, "{test}: {columns:?}");
    }
    let card = sandbox.ok("registry card m").stdout;
    assert!(card.contains("## Leak tests"), "{card}");
    sandbox.ok("reproduce m:v1");
}

#[test]
fn label_among_the_inputs_refuses_the_model() {
    let world = World {
        planted: |row| row.y,
        ..World::default()
    };
    check_refused(&world, "label_among_inputs", &["planted"]);
}

#[test]
fn what_makes_the_label_refuses_the_model() {
    let world = World {
        planted: |row| row.y - row.x,
        ..World::default()
    };
    check_refused(&world, "label_among_inputs", &["planted", "x"]);
}

#[test]
fn helper_that_is_an_input_refuses_the_model() {
    let world = World {
        view: "[[features]]\ngroup = \"metrics:v1\"\ncolumns = []\nhelpers = [\"planted\"]\nprefix = \"again_\"",
        ..World::default()
    };
    check_refused(&world, "helpers_among_inputs", &["planted"]);
}

#[test]
fn input_that_knows_the_label_alone_is_told_and_refused_where_suspicions_are() {
    let world = |gate| World {
        planted: |row| (row.y + 0.01 * row.noise).exp(),
        gate,
        ..World::default()
    };
    let sandbox = world("").sandbox();
    let screen = sandbox.ok("train --view fv:v1").stdout;
    assert!(
        screen.contains("suspicion of a leak") && screen.contains("`planted` explains"),
        "{screen}"
    );
    assert_eq!(
        finding(&sandbox, "single_input"),
        ("suspicion".to_owned(), vec!["planted".to_owned()])
    );
    check_refused(&world("leaks = \"refuse\""), "single_input", &["planted"]);
}

#[test]
fn input_that_has_moved_ahead_is_told() {
    let sandbox = World {
        planted: |row| row.y + 0.15 * row.noise,
        ..World::default()
    }
    .sandbox();
    sandbox.ok("train --view fv:v1");
    assert_eq!(
        finding(&sandbox, "time_shift"),
        ("suspicion".to_owned(), vec!["planted".to_owned()])
    );
}

#[test]
fn rows_that_stand_in_two_parts_are_told() {
    let sandbox = World {
        split: "strategy = \"random\"\nvalidation = 0.15\ntest = 0.2",
        host: |host| host / 2,
        ..World::default()
    }
    .sandbox();
    sandbox.ok("train --view fv:v1");
    assert_eq!(finding(&sandbox, "duplicates_apart").0, "suspicion");
}

#[test]
fn entities_of_a_group_split_are_counted() {
    let sandbox = World {
        split: "strategy = \"group\"\nvalidation = 0.2\ntest = 0.2",
        ..World::default()
    }
    .sandbox();
    sandbox.ok("train --view fv:v1");
    assert_eq!(finding(&sandbox, "entities_apart").0, "nothing");
}

#[test]
fn rule_that_only_warns_registers_the_model() {
    let sandbox = World {
        planted: |row| row.y,
        gate: "leaks = \"warn\"",
        ..World::default()
    }
    .sandbox();
    let screen = sandbox.ok("train --view fv:v1").stdout;
    assert!(
        screen.contains("leak: the label `y` is among the inputs: it is `planted` itself"),
        "{screen}"
    );
    let card = sandbox.ok("registry card m").stdout;
    assert!(card.contains("A leak test says"), "{card}");
}
