//! A fleet, and its files: metrics, late metrics, hosts and labels.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Builder, Int32Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::SimulationError;
use crate::host::{Arrival, Host, Reading, TICK, TICKS_A_DAY};
use crate::inventory::{Change, changes};
use crate::label::largest_ahead;
use crate::random::Random;

/// Monday 2026-01-05T00:00:00Z in UTC microseconds: when fleets start, unless something else is said.
pub const START: i64 = 1_767_571_200_000_000;

/// Rows of a batch, about.
const BATCH_ROWS: usize = 8192;

/// How far ahead labels look.
const WINDOW: i64 = 12 * TICK;

/// Batches of one file, made while they are asked for.
pub type Batches = Box<dyn Iterator<Item = RecordBatch> + Send>;

/// Which fleet: everything else follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fleet {
    /// Hosts, from 1 to 100,000.
    pub hosts: u32,
    /// Days, from 1 to 36,500.
    pub days: u32,
    /// The seed of everything drawn at random.
    pub seed: u64,
    /// The first tick, in UTC microseconds.
    pub start: i64,
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            hosts: 60,
            days: 30,
            seed: 7,
            start: START,
        }
    }
}

impl Fleet {
    /// A fleet that can be simulated.
    ///
    /// # Errors
    /// No hosts or days, or too many.
    pub fn checked(self) -> Result<Self, SimulationError> {
        let fits = (1..=100_000).contains(&self.hosts) && (1..=36_500).contains(&self.days);
        if fits {
            Ok(self)
        } else {
            Err(SimulationError::Size { fleet: self })
        }
    }

    /// Rows of [`Fleet::metrics`], about: for progress.
    #[must_use]
    pub fn expected_rows(&self) -> u64 {
        // Silent ticks and late rows are missing: 2 in 100.
        u64::from(self.hosts) * u64::from(self.days) * TICKS_A_DAY.unsigned_abs() * 98 / 100
    }

    fn end(&self) -> i64 {
        self.start + i64::from(self.days) * TICKS_A_DAY * TICK
    }

    fn inventory(&self, number: u32) -> Vec<Change> {
        changes(
            &mut Random::new(self.seed, 2 * u64::from(number)),
            number,
            self.start,
            self.days,
        )
    }

    fn host(&self, number: u32) -> Host {
        let random = Random::new(self.seed, 2 * u64::from(number) + 1);
        Host::new(random, number, self.inventory(number), self.start, self.end())
    }

    /// `host, ts, cpu_percent, memory_percent, disk_percent, load_average`: a row every five minutes and host, by time and then
    /// host. Silent ticks are missing, and so are rows that arrive late. Memory: one host's state a host.
    #[must_use]
    pub fn metrics(&self) -> Batches {
        let schema = metrics_schema();
        let mut hosts: Vec<(String, Host)> = (0..self.hosts)
            .map(|number| (host_name(number), self.host(number)))
            .collect();
        let mut is_over = false;
        Box::new(std::iter::from_fn(move || {
            let mut columns = MetricColumns::default();
            while !is_over && columns.rows < BATCH_ROWS {
                for (name, host) in &mut hosts {
                    match host.next_tick() {
                        Some(Some(reading)) if reading.arrival != Arrival::Late => {
                            columns.push(name, &reading, reading.cpu)
                        }
                        Some(_) => {}
                        None => is_over = true,
                    }
                }
            }
            columns.finish(&schema)
        }))
    }

    /// Rows of the same columns that arrive later: those that [`Fleet::metrics`] misses, and corrections of rows that it has. By
    /// host and then time, so out of time order over all.
    #[must_use]
    pub fn late_metrics(&self) -> Batches {
        let schema = metrics_schema();
        let fleet = *self;
        let mut late = (0..fleet.hosts).flat_map(move |number| {
            let name = host_name(number);
            fleet
                .host(number)
                .filter_map(move |reading| late_cpu(&reading).map(|cpu| (name.clone(), reading, cpu)))
        });
        Box::new(std::iter::from_fn(move || {
            let mut columns = MetricColumns::default();
            late.by_ref()
                .take(BATCH_ROWS)
                .for_each(|(name, reading, cpu)| columns.push(&name, &reading, cpu));
            columns.finish(&schema)
        }))
    }

    /// `host, changed_at, instance_type, region, cores, memory_gb`: what hosts are, a row whenever that changes, by host and time.
    #[must_use]
    pub fn hosts(&self) -> Batches {
        let schema = hosts_schema();
        let fleet = *self;
        let mut rows = (0..fleet.hosts).flat_map(move |number| {
            fleet
                .inventory(number)
                .into_iter()
                .map(move |change| (host_name(number), change))
        });
        Box::new(std::iter::from_fn(move || {
            hosts_batch(&schema, rows.by_ref().take(BATCH_ROWS))
        }))
    }

    /// `host, ts, cpu_max_next_1h`: for each row of [`Fleet::metrics`], by host and then time, the largest `cpu_percent` of its
    /// host in `(ts, ts + 1h]`, as those rows give it; NULL where there is none, or the hour is not over. Memory: one host's rows.
    #[must_use]
    pub fn labels(&self) -> Batches {
        let schema = labels_schema();
        let fleet = *self;
        Box::new((0..fleet.hosts).filter_map(move |number| {
            let on_time = fleet.host(number).filter(|reading| reading.arrival != Arrival::Late);
            let rows: Vec<(i64, f64)> = on_time.map(|reading| (reading.time, reading.cpu)).collect();
            let labels = largest_ahead(&rows, WINDOW, fleet.end() - TICK);
            labels_batch(&schema, &host_name(number), &rows, &labels)
        }))
    }
}

fn host_name(number: u32) -> String {
    format!("host-{:04}", number + 1)
}

fn late_cpu(reading: &Reading) -> Option<f64> {
    match reading.arrival {
        Arrival::OnTime => None,
        Arrival::Late => Some(reading.cpu),
        Arrival::Corrected(cpu) => Some(cpu),
    }
}

fn field(name: &str, data_type: DataType, nullable: bool) -> Field {
    Field::new(name, data_type, nullable)
}

fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn metrics_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        field("host", DataType::Utf8, false),
        field("ts", timestamp(), false),
        field("cpu_percent", DataType::Float64, false),
        field("memory_percent", DataType::Float64, true),
        field("disk_percent", DataType::Float64, false),
        field("load_average", DataType::Float64, true),
    ]))
}

fn hosts_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        field("host", DataType::Utf8, false),
        field("changed_at", timestamp(), false),
        field("instance_type", DataType::Utf8, false),
        field("region", DataType::Utf8, false),
        field("cores", DataType::Int32, false),
        field("memory_gb", DataType::Int32, false),
    ]))
}

fn labels_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        field("host", DataType::Utf8, false),
        field("ts", timestamp(), false),
        field("cpu_max_next_1h", DataType::Float64, true),
    ]))
}

/// A batch of these columns; none where there are no rows.
fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>) -> Option<RecordBatch> {
    // The columns are built for this schema, so the only thing to sort out is the end of the rows.
    RecordBatch::try_new(schema.clone(), columns)
        .ok()
        .filter(|batch| batch.num_rows() > 0)
}

#[derive(Default)]
struct MetricColumns {
    rows: usize,
    host: StringBuilder,
    ts: TimestampMicrosecondBuilder,
    cpu: Float64Builder,
    memory: Float64Builder,
    disk: Float64Builder,
    load: Float64Builder,
}

impl MetricColumns {
    fn push(&mut self, host: &str, reading: &Reading, cpu: f64) {
        self.rows += 1;
        self.host.append_value(host);
        self.ts.append_value(reading.time);
        self.cpu.append_value(cpu);
        self.memory.append_option(reading.memory);
        self.disk.append_value(reading.disk);
        self.load.append_option(reading.load);
    }

    fn finish(mut self, schema: &SchemaRef) -> Option<RecordBatch> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.host.finish()),
            Arc::new(self.ts.finish().with_timezone("UTC")),
            Arc::new(self.cpu.finish()),
            Arc::new(self.memory.finish()),
            Arc::new(self.disk.finish()),
            Arc::new(self.load.finish()),
        ];
        batch(schema, columns)
    }
}

fn hosts_batch(schema: &SchemaRef, rows: impl Iterator<Item = (String, Change)>) -> Option<RecordBatch> {
    let (mut host, mut kind, mut region) = (StringBuilder::new(), StringBuilder::new(), StringBuilder::new());
    let (mut cores, mut memory) = (Int32Builder::new(), Int32Builder::new());
    let mut changed_at = TimestampMicrosecondBuilder::new();
    for (name, change) in rows {
        host.append_value(name);
        changed_at.append_value(change.at);
        kind.append_value(change.instance_type.name);
        region.append_value(change.region);
        cores.append_value(change.instance_type.cores);
        memory.append_value(change.instance_type.memory_gb);
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(host.finish()),
        Arc::new(changed_at.finish().with_timezone("UTC")),
        Arc::new(kind.finish()),
        Arc::new(region.finish()),
        Arc::new(cores.finish()),
        Arc::new(memory.finish()),
    ];
    batch(schema, columns)
}

fn labels_batch(schema: &SchemaRef, name: &str, rows: &[(i64, f64)], labels: &[Option<f64>]) -> Option<RecordBatch> {
    let (mut host, mut ts, mut label) = (
        StringBuilder::new(),
        TimestampMicrosecondBuilder::new(),
        Float64Builder::new(),
    );
    for ((time, _), value) in rows.iter().zip(labels) {
        host.append_value(name);
        ts.append_value(*time);
        label.append_option(*value);
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(host.finish()),
        Arc::new(ts.finish().with_timezone("UTC")),
        Arc::new(label.finish()),
    ];
    batch(schema, columns)
}
