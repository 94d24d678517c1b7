//! The point-in-time contract, line by line, through the binary: a table of labels, a table or two of features, and the dataset that
//! follows. In the tables `12:30` is that minute of 2026-01-01 in UTC, and `-` is no value.

mod splits;

use serde_json::Value;

use crate::sandbox::Sandbox;

const DAY: &str = "2026-01-01T";

/// Feature groups with their rows, and one view of them.
struct World {
    sandbox: Sandbox,
    ingestions: Vec<(String, String)>,
}

/// A dataset as a reader gets it: the rows of every part with the part's name in front, and the manifest.
struct Dataset {
    rows: Vec<String>,
    manifest: Value,
}

impl World {
    /// A world with labels `y` of `host` at `ts`.
    fn with_labels(rows: &str) -> Self {
        Self::with_spine("entity = [\"host\"]\nevent_time = \"ts\"", &["y:int64"], rows)
    }
    fn with_spine(head: &str, features: &[&str], rows: &str) -> Self {
        let world = Self {
            sandbox: Sandbox::new(),
            ingestions: Vec::new(),
        };
        world.group("labels", head, features, rows)
    }
    /// Adds the group `metrics` with `v` of `host` at `ts`.
    fn with_metrics(self, rows: &str) -> Self {
        self.group(
            "metrics",
            "entity = [\"host\"]\nevent_time = \"ts\"",
            &["v:int64"],
            rows,
        )
    }
    /// Adds a group; features are written `name:type`, with further keys after a space.
    fn group(self, name: &str, head: &str, features: &[&str], rows: &str) -> Self {
        let mut text = format!("name = \"{name}\"\nversion = 1\n{head}\n");
        for feature in features {
            let (feature, further) = feature.split_once(' ').unwrap_or((feature, ""));
            let (name, data_type) = feature.split_once(':').unwrap();
            text.push_str(&format!(
                "[[features]]\nname = \"{name}\"\ntype = \"{data_type}\"\n{further}\n"
            ));
        }
        self.sandbox.write(&format!("feature_groups/{name}.toml"), &text);
        self.ingest(name, rows)
    }
    /// Adds one more ingestion of the group.
    fn ingest(mut self, group: &str, rows: &str) -> Self {
        self.ingestions.push((group.to_owned(), csv(rows)));
        self
    }
    /// A view of the label `y` and these features. Text before the first `[` is about the view as a whole.
    fn view(self, text: &str) -> Self {
        let (head, tables) = text.split_at(text.find('[').unwrap_or(text.len()));
        let labels = "[labels]\ngroup = \"labels:v1\"\ncolumns = [\"y\"]";
        let text = format!("name = \"view\"\nversion = 1\n{head}\n{labels}\n{tables}");
        self.sandbox.write("feature_views/view.toml", &text);
        self
    }
    fn fill(&self) {
        self.sandbox.ok("apply");
        for (at, (group, rows)) in self.ingestions.iter().enumerate() {
            let file = format!("{group}.{at}.csv");
            self.sandbox.write(&file, rows);
            self.sandbox.ok(&format!("featuregroup ingest {group} --from {file}"));
        }
    }
    /// Applies everything, ingests everything, and makes the dataset.
    fn dataset(&self) -> Dataset {
        self.fill();
        self.create("")
    }
    /// Makes the dataset of what is there, and checks what holds for every dataset.
    fn create(&self, options: &str) -> Dataset {
        let made = self
            .sandbox
            .ok(&format!("dataset create view:v1 {options} --json"))
            .json();
        let reference = made["dataset"].as_str().unwrap();
        let folder = format!("out/{}", reference.rsplit('/').next().unwrap());
        self.sandbox
            .ok(&format!("dataset export {reference} --to {folder} --format csv"));
        let manifest = self.sandbox.ok(&format!("dataset show {reference} --json")).json();
        for join in manifest["joins"].as_array().unwrap() {
            let spine = manifest["spine"]["rows"].as_u64().unwrap();
            assert_eq!(outcomes(join).iter().sum::<u64>(), spine, "{join}");
        }
        let parts = ["train", "validation", "test"].iter();
        let files = parts.map(|part| (part, self.sandbox.path(&format!("{folder}/{part}.csv"))));
        let rows = files.filter(|(_, file)| file.exists()).flat_map(|(part, file)| {
            let text = std::fs::read_to_string(file).unwrap();
            text.lines()
                .skip(1)
                .map(|row| format!("{part} {}", plain(row)))
                .collect::<Vec<_>>()
        });
        Dataset {
            rows: rows.collect(),
            manifest,
        }
    }
}

impl Dataset {
    fn check(&self, expected: &str) -> &Self {
        let tidy = |row: &str| row.split_whitespace().collect::<Vec<_>>().join(" ");
        let expected: Vec<String> = expected.lines().map(tidy).filter(|row| !row.is_empty()).collect();
        let rows: Vec<&str> = self
            .rows
            .iter()
            .map(|row| row.strip_prefix("train ").unwrap_or(row))
            .collect();
        assert_eq!(rows, expected);
        self
    }
    /// Matched, unknown entity, before the first row, expired, not yet known; of the first group that is joined.
    fn check_outcomes(&self, expected: [u64; 5]) -> &Self {
        assert_eq!(outcomes(&self.manifest["joins"][0]), expected);
        self
    }
    fn times_of(&self, part: &str) -> Vec<&str> {
        let rows = self.rows.iter().filter_map(|row| row.strip_prefix(part));
        rows.map(|row| row.split_whitespace().nth(1).unwrap()).collect()
    }
    fn hosts_of(&self, part: &str) -> std::collections::BTreeSet<&str> {
        let rows = self.rows.iter().filter_map(|row| row.strip_prefix(part));
        rows.map(|row| row.split_whitespace().next().unwrap()).collect()
    }
}

fn outcomes(join: &Value) -> [u64; 5] {
    ["matched", "unknown_entity", "before_first", "expired", "not_yet_known"].map(|name| join[name].as_u64().unwrap())
}

fn csv(rows: &str) -> String {
    let cell = |cell: &str| match cell {
        "-" => String::new(),
        time if time.len() == 5 && time.as_bytes()[2] == b':' => format!("{DAY}{time}:00Z"),
        other => other.to_owned(),
    };
    let line = |line: &str| line.split_whitespace().map(cell).collect::<Vec<_>>().join(",");
    rows.lines()
        .map(line)
        .filter(|line| !line.is_empty())
        .map(|line| line + "\n")
        .collect()
}

fn plain(row: &str) -> String {
    let cell = |cell: &str| match cell.strip_prefix(DAY).and_then(|time| time.strip_suffix(":00Z")) {
        Some(time) => time.to_owned(),
        None if cell.is_empty() => "-".to_owned(),
        None => cell.to_owned(),
    };
    row.split(',').map(cell).collect::<Vec<_>>().join(" ")
}

/// The plain view of `metrics`.
const METRICS: &str = "[[features]]\ngroup = \"metrics:v1\"\ncolumns = [\"v\"]\n";

#[test]
fn row_at_the_spines_time_counts() {
    World::with_labels("host ts y \n a 10:00 1 \n a 10:01 2")
        .with_metrics("host ts v \n a 09:00 7 \n a 10:00 8 \n a 10:02 9")
        .view(METRICS)
        .dataset()
        .check("a 10:00 1 8 \n a 10:01 2 8")
        .check_outcomes([2, 0, 0, 0, 0]);
}

#[test]
fn row_at_the_spines_time_does_not_count_where_the_boundary_is_exclusive() {
    World::with_labels("host ts y \n a 10:00 1 \n a 10:01 2")
        .with_metrics("host ts v \n a 09:00 7 \n a 10:00 8 \n a 10:02 9")
        .view(&format!("boundary = \"exclusive\"\n{METRICS}"))
        .dataset()
        .check("a 10:00 1 7 \n a 10:01 2 8");
}

#[test]
fn row_as_old_as_max_age_counts_and_an_older_one_is_expired() {
    World::with_labels("host ts y \n a 10:15 1 \n a 10:16 2")
        .with_metrics("host ts v \n a 10:00 7")
        .view(&format!("{METRICS}max_age = \"15m\""))
        .dataset()
        .check("a 10:15 1 7 \n a 10:16 2 -")
        .check_outcomes([1, 0, 0, 1, 0]);
}

const KNOWN: &str = "entity = [\"host\"]\nevent_time = \"ts\"\nknown_at = \"known\"";

#[test]
fn late_row_is_invisible_before_it_was_known() {
    World::with_labels("host ts y \n a 10:00 1 \n a 11:59 2 \n a 12:00 3")
        .group(
            "metrics",
            KNOWN,
            &["v:int64"],
            "host ts known v \n a 09:00 09:30 7 \n a 09:30 12:00 8",
        )
        .view(METRICS)
        .dataset()
        .check("a 10:00 1 7 \n a 11:59 2 7 \n a 12:00 3 8");
}

#[test]
fn row_without_a_time_of_being_known_is_never_known() {
    World::with_labels("host ts y \n a 10:00 1 \n b 10:00 2")
        .group(
            "metrics",
            KNOWN,
            &["v:int64"],
            "host ts known v \n a 09:00 - 7 \n b 08:00 08:00 3 \n b 09:00 - 4",
        )
        .view(METRICS)
        .dataset()
        .check("a 10:00 1 - \n b 10:00 2 3")
        .check_outcomes([1, 0, 0, 0, 1]);
}

#[test]
fn time_of_ingestion_counts_where_the_view_asks_for_it() {
    World::with_labels("host ts y \n a 2020-01-01T00:00:00Z 1 \n a 2199-01-01T00:00:00Z 2")
        .with_metrics("host ts v \n a 2019-01-01T00:00:00Z 7")
        .view(&format!("availability = \"ingested\"\n{METRICS}"))
        .dataset()
        .check("a 2020-01-01T00:00:00Z 1 - \n a 2199-01-01T00:00:00Z 2 7")
        .check_outcomes([1, 0, 0, 0, 1]);
}

#[test]
fn dataset_as_known_at_a_time_has_no_row_that_came_later() {
    let world = World::with_labels("host ts y \n a 10:00 1")
        .with_metrics("host ts v \n a 09:00 7")
        .ingest("metrics", "host ts v \n a 09:00 8")
        .view(METRICS);
    world.fill();
    world.create("").check("a 10:00 1 8");
    let history = world.sandbox.ok("featuregroup history metrics --json").json();
    let ingestions = history["ingestions"].as_array().unwrap();
    let mut times: Vec<&str> = ingestions.iter().map(|one| one["known_at"].as_str().unwrap()).collect();
    times.sort_unstable();
    world
        .create(&format!("--as-known-at {}", times[0]))
        .check("a 10:00 1 7");
    world
        .create(&format!("--as-known-at {}", times[1]))
        .check("a 10:00 1 8");
    let nothing = world.create("--as-known-at 2020-01-01");
    nothing.check("");
}

#[test]
fn later_known_row_wins_among_rows_of_one_time_whenever_it_was_ingested() {
    World::with_labels("host ts y \n a 10:00 1")
        .group("metrics", KNOWN, &["v:int64"], "host ts known v \n a 09:00 09:45 7")
        .ingest("metrics", "host ts known v \n a 09:00 09:15 8")
        .view(METRICS)
        .dataset()
        .check("a 10:00 1 7");
}

#[test]
fn later_ingested_row_wins_among_rows_of_one_time_and_the_tie_is_counted() {
    let dataset = World::with_labels("host ts y \n a 10:00 1 \n a 10:30 2 \n b 10:00 3")
        .with_metrics("host ts v \n a 09:00 7 \n b 09:00 1")
        .ingest("metrics", "host ts v \n a 09:00 8")
        .view(METRICS)
        .dataset();
    dataset.check("a 10:00 1 8 \n a 10:30 2 8 \n b 10:00 3 1");
    assert_eq!(dataset.manifest["joins"][0]["tied"], 2);
}

#[test]
fn rows_of_one_ingestion_are_ordered_by_their_place_in_an_append_group() {
    World::with_labels("host ts y \n a 10:00 1")
        .group(
            "metrics",
            "entity = [\"host\"]\nevent_time = \"ts\"\nmode = \"append\"",
            &["v:int64"],
            "host ts v \n a 09:00 9 \n a 09:00 7 \n a 09:00 8",
        )
        .view(METRICS)
        .dataset()
        .check("a 10:00 1 8");
}

#[test]
fn identical_rows_of_one_ingestion_are_one_row() {
    let world = World::with_labels("host ts y \n a 10:00 1")
        .with_metrics("host ts v \n a 09:00 7 \n a 09:00 7")
        .view(METRICS);
    world.dataset().check("a 10:00 1 7");
    let history = world.sandbox.ok("featuregroup history metrics --json").json();
    assert_eq!(history["ingestions"][0]["rows"], 1, "{history}");
    assert_eq!(history["ingestions"][0]["duplicates"], 1, "{history}");
}

#[test]
fn value_that_is_null_in_the_chosen_row_stays_null() {
    World::with_labels("host ts y \n a 10:00 1")
        .with_metrics("host ts v \n a 08:00 7 \n a 09:00 -")
        .view(METRICS)
        .dataset()
        .check("a 10:00 1 -")
        .check_outcomes([1, 0, 0, 0, 0]);
}

#[test]
fn last_known_value_fills_the_columns_that_ask_for_it_and_no_other() {
    World::with_labels("host ts y \n a 10:00 1 \n b 10:00 2")
        .group(
            "metrics",
            "entity = [\"host\"]\nevent_time = \"ts\"",
            &["v:int64", "w:int64"],
            "host ts v w \n a 08:00 7 70 \n a 09:00 - - \n b 09:00 - 80",
        )
        .view("[[features]]\ngroup = \"metrics:v1\"\ncolumns = [\"v\", \"w\"]\nfill = { v = \"last_known\" }")
        .dataset()
        .check("a 10:00 1 7 - \n b 10:00 2 - 80");
}

#[test]
fn last_known_value_is_no_older_than_max_age() {
    World::with_labels("host ts y \n a 10:00 1 \n a 11:00 2")
        .with_metrics("host ts v \n a 09:00 7 \n a 09:30 - \n a 10:30 -")
        .view(&format!("{METRICS}max_age = \"1h\"\nfill = {{ v = \"last_known\" }}"))
        .dataset()
        .check("a 10:00 1 7 \n a 11:00 2 -");
}

#[test]
fn static_group_is_joined_on_the_key_alone() {
    World::with_labels("host ts y \n a 00:00 1 \n a 23:00 2 \n c 10:00 3")
        .group(
            "racks",
            "entity = [\"host\"]\nstatic = true",
            &["rack:utf8"],
            "host rack \n a r1 \n b r2",
        )
        .view("[[features]]\ngroup = \"racks:v1\"\ncolumns = [\"rack\"]")
        .dataset()
        .check("a 00:00 1 r1 \n a 23:00 2 r1 \n c 10:00 3 -")
        .check_outcomes([2, 1, 0, 0, 0]);
}

const TRIP: &str = "entity = [\"origin\", \"dest\"]\nevent_time = \"ts\"";
const WEATHER: &str = "entity = [\"airport\"]\nevent_time = \"ts\"";

#[test]
fn group_is_joined_twice_by_mapped_keys_under_two_prefixes() {
    World::with_spine(TRIP, &["y:int64"], "origin dest ts y \n JFK LAX 10:00 1 \n LAX JFK 10:00 2 \n JFK SFO 10:00 3")
        .group("weather", WEATHER, &["temp:int64"], "airport ts temp \n JFK 09:00 5 \n LAX 09:00 20")
        .view(
            "[[features]]\ngroup = \"weather:v1\"\ncolumns = [\"temp\"]\nprefix = \"origin_\"\non = { origin = \"airport\" }\n\
             [[features]]\ngroup = \"weather:v1\"\ncolumns = [\"temp\"]\nprefix = \"dest_\"\non = { dest = \"airport\" }",
        )
        .dataset()
        .check("JFK LAX 10:00 1 5 20 \n JFK SFO 10:00 3 5 - \n LAX JFK 10:00 2 20 5");
}

#[test]
fn key_that_is_null_matches_nothing() {
    World::with_spine(
        "entity = [\"host\"]\nevent_time = \"ts\"",
        &["y:int64", "rack:utf8"],
        "host ts y rack \n a 10:00 1 r1 \n b 10:00 2 -",
    )
    .group(
        "racks",
        "entity = [\"rack\"]\nstatic = true",
        &["watts:int64"],
        "rack watts \n r1 400",
    )
    .view("[[features]]\ngroup = \"racks:v1\"\ncolumns = [\"watts\"]")
    .dataset()
    .check("a 10:00 1 400 \n b 10:00 2 -")
    .check_outcomes([1, 1, 0, 0, 0]);
}

#[test]
fn composite_keys_are_compared_column_by_column() {
    World::with_spine(
        TRIP,
        &["y:int64"],
        "origin dest ts y \n ab c 10:00 1 \n a bc 10:00 2 \n a_b c 10:00 3",
    )
    .group(
        "routes",
        TRIP,
        &["v:int64"],
        "origin dest ts v \n a bc 09:00 7 \n a b_c 09:00 8",
    )
    .view("[[features]]\ngroup = \"routes:v1\"\ncolumns = [\"v\"]")
    .dataset()
    .check("a bc 10:00 2 7 \n a_b c 10:00 3 - \n ab c 10:00 1 -");
}

#[test]
fn key_of_another_type_is_refused_before_anything_is_applied() {
    let world = World::with_labels("host ts y \n a 10:00 1")
        .group(
            "metrics",
            "entity = [{ name = \"host\", type = \"int64\" }]\nevent_time = \"ts\"",
            &["v:int64"],
            "host ts v \n 1 09:00 7",
        )
        .view(METRICS);
    let refused = world.sandbox.refused("plan");
    assert!(
        refused.contains("`host`") && refused.contains("int64") && refused.contains("utf8"),
        "{refused}"
    );
}

#[test]
fn columns_of_one_name_are_refused_with_the_prefix_that_would_tell_them_apart() {
    let world = World::with_labels("host ts y \n a 10:00 1")
        .with_metrics("host ts v \n a 09:00 7")
        .view(&format!("{METRICS}{METRICS}"));
    let refused = world.sandbox.refused("plan");
    assert!(refused.contains("`v`") && refused.contains("prefix"), "{refused}");
}

#[test]
fn spine_row_before_the_first_row_or_of_an_unknown_entity_is_kept_with_nulls() {
    World::with_labels("host ts y \n a 08:59 1 \n a 09:00 2 \n z 10:00 3")
        .with_metrics("host ts v \n a 09:00 7")
        .view(METRICS)
        .dataset()
        .check("a 08:59 1 - \n a 09:00 2 7 \n z 10:00 3 -")
        .check_outcomes([1, 1, 1, 0, 0]);
}

#[test]
fn dataset_has_the_spines_order_whatever_order_rows_came_in() {
    World::with_labels("host ts y \n b 10:00 1 \n a 11:00 2 \n a 10:00 3")
        .ingest("labels", "host ts y \n a 10:30 4")
        .with_metrics("host ts v \n b 10:00 7 \n a 11:00 9 \n a 10:00 8")
        .view(METRICS)
        .dataset()
        .check("a 10:00 3 8 \n a 10:30 4 8 \n a 11:00 2 9 \n b 10:00 1 7");
}

#[test]
fn every_spine_row_of_an_append_group_gets_its_own_row() {
    World::with_spine(
        "entity = [\"host\"]\nevent_time = \"ts\"\nmode = \"append\"",
        &["y:int64"],
        "host ts y \n a 10:00 1 \n a 10:00 2 \n a 10:00 1",
    )
    .with_metrics("host ts v \n a 09:00 7")
    .view(METRICS)
    .dataset()
    .check("a 10:00 1 7 \n a 10:00 2 7")
    .check_outcomes([2, 0, 0, 0, 0]);
}

#[test]
fn corrected_label_of_an_upsert_group_replaces_the_first() {
    World::with_labels("host ts y \n a 10:00 1 \n a 11:00 2")
        .ingest("labels", "host ts y \n a 10:00 5")
        .with_metrics("host ts v \n a 09:00 7")
        .view(METRICS)
        .dataset()
        .check("a 10:00 5 7 \n a 11:00 2 7");
}

#[test]
fn times_of_any_zone_are_one_moment() {
    World::with_labels("host ts y \n a 2026-01-01T05:00:00-05:00 1 \n b 2026-01-01T15:30:00+05:30 2")
        .group(
            "metrics",
            "entity = [\"host\"]\nevent_time = \"ts\"\ntime_zone = \"America/New_York\"",
            &["v:int64"],
            "host ts v \n a 2026-01-01T05:00:00 7 \n b 2026-01-01T05:00:01 8",
        )
        .view(METRICS)
        .dataset()
        .check("a 10:00 1 7 \n b 10:00 2 -");
}

#[test]
fn ambiguous_local_time_is_the_one_that_the_group_says() {
    for (ambiguous, moment) in [("earliest", "2025-11-02T05:30:00Z"), ("latest", "2025-11-02T06:30:00Z")] {
        let zone = format!("time_zone = \"America/New_York\"\nambiguous = \"{ambiguous}\"");
        World::with_spine(
            &format!("entity = [\"host\"]\nevent_time = \"ts\"\n{zone}"),
            &["y:int64"],
            "host ts y \n a 2025-11-02T01:30:00 1",
        )
        .with_metrics("host ts v \n a 2025-11-02T05:30:00Z 5 \n a 2025-11-02T06:30:00Z 6")
        .view(METRICS)
        .dataset()
        .check(&format!("a {moment} 1 {}", &moment[12..13]));
    }
}

#[test]
fn finer_times_are_cut_where_the_group_says_so() {
    World::with_labels("host ts y \n a 2026-01-01T10:00:00.000001Z 1")
        .group(
            "metrics",
            "entity = [\"host\"]\nevent_time = \"ts\"\ntruncate = true",
            &["v:int64"],
            "host ts v \n a 2026-01-01T10:00:00.000001999Z 7",
        )
        .view(METRICS)
        .dataset()
        .check("a 2026-01-01T10:00:00.000001Z 1 7");
}

#[test]
fn empty_spine_gives_an_empty_dataset_with_the_right_columns_and_a_warning() {
    let world = World::with_labels("host ts y \n a 10:00 1")
        .with_metrics("host ts v \n a 09:00 7")
        .view(METRICS);
    world.fill();
    let dataset = world.create("--from 2030-01-01");
    dataset.check("").check_outcomes([0; 5]);
    let names: Vec<_> = dataset.manifest["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(names, ["host", "ts", "y", "v"]);
    let warnings = dataset.manifest["warnings"].to_string();
    assert!(warnings.contains("no rows") || warnings.contains("empty"), "{warnings}");
}

#[test]
fn nothing_after_a_time_reaches_a_dataset_up_to_that_time() {
    let minutes = |from: i32, to: i32, value: &dyn Fn(i32) -> i32, name: &str| {
        let row = |at: i32| {
            format!(
                "{} {:02}:{:02} {}\n",
                if at % 3 == 0 { "a" } else { "b" },
                at / 60,
                at % 60,
                value(at)
            )
        };
        format!("host ts {name}\n{}", (from..to).map(row).collect::<String>())
    };
    let (cut, end) = (600, 720);
    let world = World::with_labels(&minutes(0, end, &|at| at, "y"))
        .with_metrics(&minutes(0, end, &|at| at * 2, "v"))
        .view(&format!("{METRICS}max_age = \"30m\""));
    world.fill();
    let to = "--to 2026-01-01T10:00:00Z";
    let (before, whole) = (world.create(to), world.create(""));
    let mut poisoned = world;
    poisoned.ingestions.clear();
    let poisoned = poisoned
        .ingest("labels", &minutes(cut, end, &|_| 999_999, "y"))
        .ingest("metrics", &minutes(cut, end, &|_| 999_999, "v"));
    poisoned.fill();
    let (after, whole_after) = (poisoned.create(&format!("{to} --force")), poisoned.create(""));
    assert_eq!(before.rows, after.rows);
    assert_eq!(before.manifest["fingerprint"], after.manifest["fingerprint"]);
    assert_eq!(before.rows.len(), cut as usize);
    assert_eq!(whole.rows.len(), whole_after.rows.len());
    assert!(before.rows.iter().all(|row| !row.contains("999999")));
    let is_poisoned = |row: &&String| row.contains("999999");
    assert_eq!(
        whole_after.rows.iter().filter(is_poisoned).count(),
        (end - cut) as usize
    );
    assert!(
        whole_after
            .rows
            .iter()
            .filter(is_poisoned)
            .all(|row| row.matches("999999").count() == 2)
    );
}

#[test]
fn static_labels_are_refused_as_a_spine() {
    let world = World::with_spine("entity = [\"host\"]\nstatic = true", &["y:int64"], "host y \n a 1")
        .with_metrics("host ts v \n a 09:00 7")
        .view(METRICS);
    let refused = world.sandbox.refused("plan");
    assert!(refused.contains("static"), "{refused}");
}
