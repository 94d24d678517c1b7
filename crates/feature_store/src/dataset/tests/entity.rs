//! Features for entities without labels: the same join, in the input's order.

use definitions::DataType;

use super::*;
use crate::dataset::entities::{EntityFeatures, join};
use crate::point_in_time::tests::table::table;

fn world() -> World {
    World::default()
        .with(group("labels", "", &[("y", "")]), "host ts y:int64 \n a 10 1")
        .with(
            group("metrics", "", &[("v", "")]),
            "host ts v \n a 10 1 \n a 20 2 \n b 10 5",
        )
}

fn features(world: &World, view: &FeatureView, entities: &[RecordBatch]) -> Result<EntityFeatures, StoreError> {
    let plan = Plan::new(view, &world.groups, None)?;
    let scan = |group: GroupRef, columns: Vec<String>| {
        assert_ne!(group, "labels:v1".parse().unwrap(), "labels are not read");
        let rows = world.rows(&group, &columns, 2);
        async move { Ok(rows) }.boxed()
    };
    let runs = |group: &GroupRef, schema: &SchemaRef| world.runs(group, schema, 2);
    let spill = tempfile::tempdir().unwrap();
    let sources = Sources {
        scan: &scan,
        runs: &runs,
        spill: spill.path(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(join(&plan, entities, sources, Means::default()))
}

fn check_features(view: &FeatureView, entities: &[&str], expected: &[&str]) {
    let entities: Vec<RecordBatch> = entities.iter().map(|text| table(text)).collect();
    let joined = features(&world(), view, &entities).unwrap();
    let found: Vec<String> = joined
        .batches
        .iter()
        .map(|batch| {
            cells(batch)
                .iter()
                .map(|row| row.join(" "))
                .collect::<Vec<_>>()
                .join(", ")
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn entities_get_their_features_in_their_own_order() {
    let view = simple_view("", "");
    check_features(
        &view,
        &[
            "ts host other \n 25 b x \n 12 a y",
            "host ts",
            "host ts \n a 25 \n c 1 \n - 9",
        ],
        &["5, 1", "", "2, -, -"],
    );
}

#[test]
fn no_entities_give_no_rows() {
    check_features(&simple_view("", ""), &[], &[]);
    check_features(&simple_view("", ""), &["host ts"], &[""]);
}

#[test]
fn entities_get_what_the_dataset_got() {
    let (world, view) = (world(), simple_view("", ""));
    check(&world, &view, Arguments::default(), "train a 10 1 1");
    check_features(&view, &["host ts \n a 10"], &["1"]);
}

#[test]
fn columns_that_are_needed_are_told() {
    let needed = entity_columns(&simple_view("", ""), &world().groups).unwrap();
    let needed: Vec<(&str, DataType)> = needed
        .iter()
        .map(|(name, data_type)| (name.as_str(), *data_type))
        .collect();
    assert_eq!(needed, [("host", DataType::Utf8), ("ts", DataType::Timestamp)]);
}

#[test]
fn entities_without_a_needed_column_are_refused() {
    let refused = |text: &str| {
        features(&world(), &simple_view("", ""), &[table(text)])
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refused("host \n a"),
        "the entities' column `ts`: wanted timestamp, found no such column"
    );
    assert_eq!(
        refused("host:int64 ts \n 1 1"),
        "the entities' column `host`: wanted utf8, found Int64"
    );
    assert_eq!(
        refused("host ts \n a -"),
        "the entities' column `ts`: wanted timestamp, found 1 rows without a time"
    );
}

#[test]
fn times_of_other_units_are_taken_where_they_are_whole_microseconds() {
    use arrow::datatypes::{DataType as ArrowType, TimeUnit};
    let nanos = |nanos: i64| {
        let times = arrow::array::TimestampNanosecondArray::from(vec![nanos]).with_timezone("+00:00");
        let hosts = arrow::array::StringArray::from(vec!["a"]);
        RecordBatch::try_from_iter([
            ("host", std::sync::Arc::new(hosts) as ArrayRef),
            ("ts", std::sync::Arc::new(times) as ArrayRef),
        ])
        .unwrap()
    };
    let view = simple_view("", "");
    assert_eq!(
        cells(&features(&world(), &view, &[nanos(20_000)]).unwrap().batches[0]),
        [["2"]]
    );
    let found = ArrowType::Timestamp(TimeUnit::Nanosecond, Some("+00:00".into())).to_string();
    let error = features(&world(), &view, &[nanos(20_001)]).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("the entities' column `ts`: wanted timestamp, found {found}")
    );
}
