//! The operator among DataFusion's own: what it asks of its inputs, what it does with little memory, and its way to another machine.

use arrow::util::pretty::pretty_format_batches;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::{Extension, LogicalPlan};
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion_proto::bytes::{
    physical_plan_from_bytes_with_extension_codec, physical_plan_to_bytes_with_extension_codec,
};

use super::*;
use crate::point_in_time::{
    GroupJoin, PointInTimeCodec, PointInTimeJoin, PointInTimeJoinExec, PointInTimePlanner, RunExec, SpineExec,
};

const SPINE: &str = "host ts \n b 25 \n a 15 \n a 5 \n c 9";
const GROUP: &str = "host ts v \n a 10 1 \n a 20 2 \n b 10 3 \n b 20 4";
const EXPECTED: &str = "\
+------+-----------------------------+---+
| host | ts                          | v |
+------+-----------------------------+---+
| b    | 1970-01-01T00:00:00.000025Z | 4 |
| a    | 1970-01-01T00:00:00.000015Z | 1 |
| a    | 1970-01-01T00:00:00.000005Z |   |
| c    | 1970-01-01T00:00:00.000009Z |   |
+------+-----------------------------+---+";

fn group_join(runs: usize) -> GroupJoin {
    GroupJoin {
        columns: Case::default().columns(),
        rule: JoinRule::default(),
        on: vec!["host".to_owned()],
        names: vec!["v".to_owned()],
        runs,
    }
}

fn in_memory(rows: RecordBatch) -> Arc<dyn ExecutionPlan> {
    MemorySourceConfig::try_new_exec(&[vec![rows.clone()]], rows.schema(), None).unwrap()
}

fn join(inputs: Vec<Arc<dyn ExecutionPlan>>) -> Arc<dyn ExecutionPlan> {
    let runs = inputs.len() - 1;
    Arc::new(PointInTimeJoinExec::try_new("ts".to_owned(), vec![group_join(runs)], inputs).unwrap())
}

async fn check_rows(plan: Arc<dyn ExecutionPlan>, context: TaskContext) {
    let rows = collect(plan, Arc::new(context)).await.unwrap();
    assert_eq!(pretty_format_batches(&rows).unwrap().to_string(), EXPECTED);
}

fn shuffled(rows: &RecordBatch) -> RecordBatch {
    let order = arrow::array::UInt32Array::from(vec![3, 0, 2, 1]);
    arrow::compute::take_record_batch(rows, &order).unwrap()
}

#[tokio::test]
async fn rows_in_no_order_are_sorted_by_datafusion_and_the_spine_keeps_its_order() {
    let state = SessionStateBuilder::new().with_default_features().build();
    let context = SessionContext::new_with_state(state);
    let table = |name: &str, rows: RecordBatch| {
        context.register_batch(name, rows).unwrap();
        name.to_owned()
    };
    let (spine, metrics) = (
        table("spine", self::table::table(SPINE)),
        table("metrics", shuffled(&group_table(GROUP))),
    );
    let mut inputs: Vec<LogicalPlan> = Vec::new();
    for name in [spine, metrics] {
        inputs.push(context.table(name).await.unwrap().into_unoptimized_plan());
    }
    let node = PointInTimeJoin::try_new("ts".to_owned(), vec![group_join(1)], inputs).unwrap();
    let logical = LogicalPlan::Extension(Extension { node: Arc::new(node) });
    let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(PointInTimePlanner)]);
    let plan = planner.create_physical_plan(&logical, &context.state()).await.unwrap();
    let text = DisplayableExecutionPlan::new(plan.as_ref()).indent(false).to_string();
    let lines: Vec<&str> = text
        .lines()
        .map(|line| line.trim_start().split(':').next().unwrap())
        .collect();
    assert_eq!(
        lines,
        ["PointInTimeJoinExec", "DataSourceExec", "SortExec", "DataSourceExec"],
        "{text}"
    );
    check_rows(plan, TaskContext::from(&context.state())).await;
}

#[tokio::test]
async fn plan_that_went_to_another_machine_and_back_gives_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.parquet");
    let rows = group_table(GROUP);
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    let input = crate::scan::parquet_run(&path, &rows.schema()).unwrap();
    let plan = join(vec![
        Arc::new(SpineExec::new(self::table::table(SPINE))),
        Arc::new(RunExec::new(path, input)),
    ]);
    let bytes = physical_plan_to_bytes_with_extension_codec(Arc::clone(&plan), &PointInTimeCodec).unwrap();
    let context = TaskContext::default();
    let back = physical_plan_from_bytes_with_extension_codec(&bytes, &context, &PointInTimeCodec).unwrap();
    let shown = |plan: &Arc<dyn ExecutionPlan>| DisplayableExecutionPlan::new(plan.as_ref()).indent(true).to_string();
    assert_eq!(shown(&back), shown(&plan));
    check_rows(plan, TaskContext::default()).await;
    check_rows(back, TaskContext::default()).await;
}

#[tokio::test]
async fn run_that_does_not_fit_into_memory_goes_to_disk_and_is_gone_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let spill = datafusion::execution::disk_manager::DiskManagerBuilder::default().with_mode(
        datafusion::execution::disk_manager::DiskManagerMode::Directories(vec![folder.path().to_owned()]),
    );
    let (spine, group) = (self::table::table(SPINE), group_table(GROUP));
    // A run is held twice while it is made: this is enough for once.
    let memory = spine.get_array_memory_size() + group.get_array_memory_size();
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(memory)))
        .with_disk_manager_builder(spill)
        .build_arc()
        .unwrap();
    let context = TaskContext::default()
        .with_session_config(SessionConfig::new().with_target_partitions(2))
        .with_runtime(runtime);
    let plan = join(vec![Arc::new(SpineExec::new(spine)), in_memory(group_table(GROUP))]);
    check_rows(Arc::clone(&plan), context).await;
    assert!(plan.metrics().unwrap().spilled_bytes().unwrap() > 0);
    let left: Vec<_> = walk(folder.path());
    assert_eq!(left, Vec::<std::path::PathBuf>::new());
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(walk(&path))
        } else {
            files.push(path)
        }
    }
    files
}

#[tokio::test]
async fn spine_that_does_not_fit_into_memory_is_refused() {
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(1)))
        .build_arc()
        .unwrap();
    let plan = join(vec![
        Arc::new(SpineExec::new(self::table::table(SPINE))),
        in_memory(group_table(GROUP)),
    ]);
    let error = collect(plan, Arc::new(TaskContext::default().with_runtime(runtime)))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("PointInTimeJoinExec"), "{error}");
}

#[test]
fn inputs_that_do_not_fit_the_groups_are_refused() {
    let spine: Arc<dyn ExecutionPlan> = Arc::new(SpineExec::new(self::table::table(SPINE)));
    let joins = |runs| vec![group_join(runs)];
    assert!(PointInTimeJoinExec::try_new("ts".to_owned(), joins(1), vec![Arc::clone(&spine)]).is_err());
    assert!(PointInTimeJoinExec::try_new("ts".to_owned(), joins(0), vec![spine]).is_err());
    assert!(PointInTimeJoinExec::try_new("ts".to_owned(), Vec::new(), Vec::new()).is_err());
}

#[tokio::test]
async fn nested_dictionary_and_all_null_columns_go_through() {
    use arrow::array::{DictionaryArray, Int64Array, ListArray, NullArray, StringArray};
    use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema};
    let rows = group_table(GROUP);
    let dictionary: DictionaryArray<Int32Type> = ["x", "y", "x", "z"].into_iter().collect();
    let list = |number: i64| Some(vec![Some(number), None]);
    let lists = ListArray::from_iter_primitive::<Int64Type, _, _>([list(1), None, list(3), list(4)]);
    let more: [(&str, ArrayRef); 4] = [
        ("word", Arc::new(dictionary)),
        ("list", Arc::new(lists)),
        ("empty", Arc::new(Int64Array::new_null(4))),
        ("void", Arc::new(NullArray::new(4))),
    ];
    let mut fields: Vec<Field> = rows
        .schema()
        .fields()
        .iter()
        .map(|field| field.as_ref().clone())
        .collect();
    let mut columns = rows.columns().to_vec();
    for (name, column) in &more {
        fields.push(Field::new(*name, column.data_type().clone(), true));
        columns.push(column.clone());
    }
    let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    let mut wanted = group_join(1);
    wanted.columns.values = words("word list empty void");
    wanted.names = wanted.columns.values.clone();
    // The spine's key as a dictionary: compared by value.
    let spine = self::table::table(SPINE);
    let text: DataType = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let hosts = arrow::compute::cast(spine.column(0), &text).unwrap();
    assert!(spine.column(0).as_any().is::<StringArray>());
    let spine = RecordBatch::try_from_iter([("host", hosts), ("ts", spine.column(1).clone())]).unwrap();
    let empty = rows.slice(0, 0);
    let group =
        MemorySourceConfig::try_new_exec(&[vec![empty.clone(), rows, empty.clone()]], empty.schema(), None).unwrap();
    let inputs: Vec<Arc<dyn ExecutionPlan>> = vec![Arc::new(SpineExec::new(spine)), group];
    let plan = PointInTimeJoinExec::try_new("ts".to_owned(), vec![wanted], inputs).unwrap();
    let found = collect(Arc::new(plan), Arc::new(TaskContext::default())).await.unwrap();
    let expected = "\
+------+-----------------------------+------+-------+-------+------+
| host | ts                          | word | list  | empty | void |
+------+-----------------------------+------+-------+-------+------+
| b    | 1970-01-01T00:00:00.000025Z | z    | [4, ] |       |      |
| a    | 1970-01-01T00:00:00.000015Z | x    | [1, ] |       |      |
| a    | 1970-01-01T00:00:00.000005Z |      |       |       |      |
| c    | 1970-01-01T00:00:00.000009Z |      |       |       |      |
+------+-----------------------------+------+-------+-------+------+";
    assert_eq!(pretty_format_batches(&found).unwrap().to_string(), expected);
}
