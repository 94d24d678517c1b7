//! The contract's lines that are about whole datasets.

use definitions::{EventTime, KnownAt, Role};

use super::*;

const METRICS: &str = "host ts v \n a 10 1 \n a 20 2 \n b 10 5";

fn world(labels: &str) -> World {
    World::default()
        .with(group("labels", "", &[("y", "")]), labels)
        .with(group("metrics", "", &[("v", "")]), METRICS)
}

#[test]
fn dataset_has_one_row_per_spine_row_in_the_spines_order() {
    let world = world("host ts y:int64 \n b 12 4 \n a 25 2 \n a 5 1 \n c 1 9");
    let expected = "
        train a 5  1 -
        train a 25 2 2
        train b 12 4 5
        train c 1  9 -";
    let manifest = check(&world, &simple_view("", ""), Arguments::default(), expected);
    let outcomes = manifest.joins[0].outcomes;
    assert_eq!(
        (outcomes.matched, outcomes.before_first, outcomes.unknown_entity),
        (2, 1, 1)
    );
    let columns: Vec<(&str, Role)> = manifest
        .columns
        .iter()
        .map(|column| (column.name.as_str(), column.role))
        .collect();
    assert_eq!(
        columns,
        [
            ("host", Role::Key),
            ("ts", Role::EventTime),
            ("y", Role::Label),
            ("v", Role::Feature)
        ]
    );
    assert_eq!(all_parts(&manifest), [(Part::Train, 4)]);
}

#[test]
fn superseded_label_of_an_upsert_group_is_no_row() {
    let labels =
        "host ts __known_at __ingest_id y:int64 \n a 10 1 1 7 \n a 10 5 2 8 \n a 10 9 3 9 \n a 20 1 1 4 \n b 10 1 1 5";
    let manifest = check(
        &world(labels),
        &simple_view("", ""),
        Arguments::default(),
        "train a 10 9 1 \n train a 20 4 2 \n train b 10 5 5",
    );
    assert_eq!((manifest.spine.rows, manifest.spine.superseded), (3, 2));
}

#[test]
fn superseded_label_counts_again_as_known_before_its_correction() {
    let labels = "host ts __known_at __ingest_id y:int64 \n a 10 1 1 7 \n a 10 5 2 8 \n a 20 6 3 4";
    let arguments = Arguments {
        as_known_at: Some(KnownAt(4)),
        ..Arguments::default()
    };
    check(&world(labels), &simple_view("", ""), arguments, "train a 10 7 1");
}

#[test]
fn features_are_as_known_then_too() {
    let world = World::default()
        .with(group("labels", "", &[("y", "")]), "host ts y:int64 \n a 30 1")
        .with(
            group("metrics", "", &[("v", "")]),
            "host ts __known_at __ingest_id v \n a 10 1 1 1 \n a 20 99 2 2",
        );
    check(&world, &simple_view("", ""), Arguments::default(), "train a 30 1 2");
    let arguments = Arguments {
        as_known_at: Some(KnownAt(98)),
        ..Arguments::default()
    };
    check(&world, &simple_view("", ""), arguments, "train a 30 1 1");
}

#[test]
fn every_row_of_an_append_group_is_a_row() {
    let world = World::default()
        .with(
            group("labels", "mode = \"append\"", &[("y", "")]),
            "host ts y:int64 \n a 10 7 \n a 10 8 \n a 10 7",
        )
        .with(group("metrics", "", &[("v", "")]), METRICS);
    let manifest = check(
        &world,
        &simple_view("", ""),
        Arguments::default(),
        "train a 10 7 1 \n train a 10 8 1 \n train a 10 7 1",
    );
    assert_eq!(manifest.spine.superseded, 0);
}

#[test]
fn range_of_event_times_includes_its_start_and_not_its_end() {
    let world = world("host ts y:int64 \n a 9 1 \n a 10 2 \n a 19 3 \n a 20 4");
    let arguments = Arguments {
        from: Some(EventTime(10)),
        to: Some(EventTime(20)),
        as_known_at: None,
    };
    check(
        &world,
        &simple_view("", ""),
        arguments,
        "train a 10 2 1 \n train a 19 3 1",
    );
}

#[test]
fn empty_spine_gives_an_empty_dataset_with_the_right_schema_and_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let split = "[split]\nstrategy = \"time\"\nvalidation = 0.2\ntest = 0.2";
    let world = world("host ts y:int64");
    let receipt = world
        .create(
            &simple_view("", split),
            Arguments::default(),
            How::default(),
            folder.path(),
        )
        .unwrap();
    assert_eq!(
        receipt.manifest.warnings,
        ["no rows: `labels:v1` has none in the range that was asked for"]
    );
    assert_eq!(
        all_parts(&receipt.manifest),
        [(Part::Train, 0), (Part::Validation, 0), (Part::Test, 0)]
    );
    let reader = open_part(folder.path(), Part::Test, None).unwrap();
    assert_eq!(reader.count(), 0);
    let file = std::fs::File::open(folder.path().join("test/part-00000.parquet")).unwrap();
    let file = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let names: Vec<&String> = file.schema().fields().iter().map(|field| field.name()).collect();
    assert_eq!(names, ["host", "ts", "y", "v"]);
}

#[test]
fn group_without_any_row_gives_nulls_and_a_warning() {
    let world = World::default()
        .with(group("labels", "", &[("y", "")]), "host ts y:int64 \n a 10 7")
        .with(group("metrics", "", &[("v", "")]), "host ts v");
    let manifest = check(&world, &simple_view("", ""), Arguments::default(), "train a 10 7 -");
    assert_eq!(
        manifest.warnings,
        ["no row of `metrics:v1` was matched: all its columns are NULL"]
    );
}

#[test]
fn null_labels_are_kept_and_counted() {
    let manifest = check(
        &world("host ts y:int64 \n a 10 - \n a 20 4"),
        &simple_view("", ""),
        Arguments::default(),
        "train a 10 - 1 \n train a 20 4 2",
    );
    assert_eq!(manifest.warnings, ["the label `y` is NULL in 1 rows, which are kept"]);
    assert_eq!(manifest.parts[0].statistics[2].nulls, 1);
}

#[test]
fn maximum_age_boundary_and_fill_are_the_views() {
    let world = World::default()
        .with(
            group("labels", "", &[("y", "")]),
            "host ts y:int64 \n a 20 1 \n a 25 2 \n a 26 3",
        )
        .with(
            group("metrics", "", &[("v", ""), ("w", "")]),
            "host ts v w \n a 10 1 1 \n a 20 - -",
        );
    let selection = "[[features]]\ngroup = \"metrics:v1\"\ncolumns = [\"v\", \"w\"]\nmax_age = \"15us\"\nfill = { w = \"last_known\" }";
    let labels = "[labels]\ngroup = \"labels:v1\"\ncolumns = [\"y\"]";
    let expected = "train a 20 1 - 1 \n train a 25 2 - 1 \n train a 26 3 - -";
    check(
        &world,
        &view(&format!("{labels}\n{selection}")),
        Arguments::default(),
        expected,
    );
    let expected = "train a 20 1 1 1 \n train a 25 2 - 1 \n train a 26 3 - -";
    check(
        &world,
        &view(&format!("boundary = \"exclusive\"\n{labels}\n{selection}")),
        Arguments::default(),
        expected,
    );
}

#[test]
fn same_group_is_joined_twice_under_two_prefixes_by_mapped_keys() {
    let flights = group(
        "flights",
        "entity = [\"flight\"]",
        &[
            ("delay", ""),
            ("origin", "type = \"utf8\""),
            ("dest", "type = \"utf8\""),
        ],
    );
    let weather = group("weather", "entity = [\"airport\"]", &[("temp", "")]);
    let world = World::default()
        .with(
            flights,
            "flight ts delay:int64 origin dest \n f1 20 3 JFK LAX \n f2 20 4 LAX - \n f3 5 6 JFK JFK",
        )
        .with(weather, "airport ts temp:int64 \n JFK 10 1 \n LAX 15 2");
    let selection = |side: &str| {
        format!(
            "[[features]]\ngroup = \"weather:v1\"\ncolumns = [\"temp\"]\nprefix = \"{side}_\"\non = {{ {side} = \"airport\" }}\n"
        )
    };
    let text = format!(
        "[labels]\ngroup = \"flights:v1\"\ncolumns = [\"delay\"]\n{}{}",
        selection("origin"),
        selection("dest")
    );
    let expected = "train f1 20 3 1 2 \n train f2 20 4 2 - \n train f3 5 6 - -";
    let manifest = check(&world, &view(&text), Arguments::default(), expected);
    let names: Vec<&str> = manifest.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["flight", "ts", "delay", "origin_temp", "dest_temp"]);
    assert_eq!(manifest.joins[1].outcomes.unknown_entity, 1);
    assert_eq!(manifest.joins[1].prefix.as_deref(), Some("dest_"));
}

#[test]
fn columns_that_clash_are_refused_with_a_prefix() {
    let world = World::default()
        .with(group("labels", "", &[("v", "")]), "host ts v")
        .with(group("metrics", "", &[("v", "")]), "host ts v");
    let text =
        "[labels]\ngroup = \"labels:v1\"\ncolumns = [\"v\"]\n[[features]]\ngroup = \"metrics:v1\"\ncolumns = [\"v\"]";
    let error = refused(&world, &view(text));
    assert!(
        error.to_string().contains("`labels:v1.v` and `metrics:v1.v`"),
        "{error}"
    );
    assert!(
        error.hint().unwrap_or_else(|| error.to_string()).contains("prefix"),
        "{error}"
    );
}

#[test]
fn key_of_another_type_is_refused_before_anything_is_read() {
    let world = World::default()
        .with(
            group("labels", "entity = [{ name = \"id\", type = \"int32\" }]", &[("y", "")]),
            "id:int32 ts y:int64",
        )
        .with(
            group(
                "metrics",
                "entity = [{ name = \"id\", type = \"int64\" }]",
                &[("v", "")],
            ),
            "id:int64 ts v",
        );
    let error = refused(&world, &simple_view("", ""));
    assert!(
        error.to_string().contains("int32") && error.to_string().contains("int64"),
        "{error}"
    );
}

#[test]
fn static_group_is_joined_on_the_key_alone() {
    let world = World::default()
        .with(group("labels", "", &[("y", "")]), "host ts y:int64 \n a 1 1 \n b 2 2")
        .with(group("metrics", "static = true", &[("v", "")]), "host v \n a 7");
    check(
        &world,
        &simple_view("", ""),
        Arguments::default(),
        "train a 1 1 7 \n train b 2 2 -",
    );
}

#[test]
fn view_without_labels_has_its_first_group_as_spine() {
    let world = World::default().with(group("metrics", "", &[("v", "")]), METRICS);
    let text = "[[features]]\ngroup = \"metrics:v1\"\ncolumns = [\"v\"]";
    check(
        &world,
        &view(text),
        Arguments::default(),
        "train a 10 1 \n train a 20 2 \n train b 10 5",
    );
}

#[test]
fn time_split_goes_into_parts_with_the_derived_gap() {
    let rows: String = (0..10).map(|at| format!("a {} {at}\n", at * 10)).collect();
    let world = World::default()
        .with(
            group("labels", "", &[("y", "horizon = \"10us\"")]),
            &format!("host ts y:int64\n{rows}"),
        )
        .with(group("metrics", "", &[("v", "lookback = \"5us\"")]), METRICS);
    let split = "[split]\nstrategy = \"time\"\ntest = 0.3\ngap = \"auto\"";
    let expected = "
        train a 0  0 -
        train a 10 1 1
        train a 20 2 2
        train a 30 3 2
        train a 40 4 2
        train a 50 5 2
        test  a 70 7 2
        test  a 80 8 2
        test  a 90 9 2";
    let manifest = check(&world, &simple_view("", split), Arguments::default(), expected);
    assert_eq!((manifest.rows.train, manifest.rows.test, manifest.rows.gap), (6, 3, 1));
    assert_eq!(
        manifest.gap.to_string(),
        "label horizon 10us (`labels:v1.y`) + longest lookback 5us (`metrics:v1.v`) = 15us"
    );
    let crate::split::Certificate::Time { borders, .. } = &manifest.certificate else {
        panic!("a certificate of time")
    };
    assert_eq!(
        (borders[0].last_label_end, borders[0].first_feature_time),
        (EventTime(60), EventTime(65))
    );
}

#[test]
fn split_that_leaves_a_part_empty_is_refused() {
    let world = world("host ts y:int64 \n a 10 1 \n a 10 2");
    let error = refused(&world, &simple_view("", "[split]\nstrategy = \"time\"\ntest = 0.5"));
    assert_eq!(
        error.to_string(),
        "the split leaves no rows for `train`: 1 rows in all, 0 of them in gaps"
    );
    assert!(error.hint().is_some());
}

#[test]
fn every_type_keeps_its_values() {
    let types = [
        ("p", "bool"),
        ("i", "int32"),
        ("l", "int64"),
        ("f", "float32"),
        ("d", "float64"),
        ("s", "utf8"),
        ("n", "date"),
        ("t", "timestamp"),
    ];
    let declared: Vec<(&str, String)> = types
        .iter()
        .map(|(name, word)| (*name, format!("type = \"{word}\"")))
        .collect();
    let declared: Vec<(&str, &str)> = declared.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let world = World::default()
        .with(group("labels", "", &[("y", "")]), "host ts y:int64 \n a 10 1 \n b 10 2")
        .with(
            group("metrics", "", &declared),
            "host ts p:bool i:int32 l:int64 f:float64 d:float64 s n:date t:time \n a 1 true -3 4 0.5 2.25 x 19000 77",
        );
    let text = "[labels]\ngroup = \"labels:v1\"\ncolumns = [\"y\"]\n[[features]]\ngroup = \"metrics:v1\"\ncolumns = [\"p\",\"i\",\"l\",\"f\",\"d\",\"s\",\"n\",\"t\"]";
    let expected = "train a 10 1 true -3 4 0.5 2.25 x 19000 77 \n train b 10 2 - - - - - - - -";
    let manifest = check(&world, &view(text), Arguments::default(), expected);
    let of = |name: &str| {
        manifest.parts[0]
            .statistics
            .iter()
            .find(|of| of.column == name)
            .unwrap()
            .clone()
    };
    assert_eq!(
        (of("n").min, of("t").max),
        (Some("2022-01-08".into()), Some("1970-01-01T00:00:00.000077Z".into()))
    );
    assert_eq!(
        (of("i").min, of("p").mean, of("s").distinct),
        (
            Some((-3).into()),
            Some(1.0),
            Some(Distinct {
                values: 1,
                exact: true,
                standard_error: None
            })
        )
    );
}
