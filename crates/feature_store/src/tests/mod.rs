//! Tables on disk, through the public functions: files go in as text, tables come out as text.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may"
)]

mod commits;
mod endless;
mod expectations;
mod expectations_twin;
mod foreign;
mod forget;
mod formats;
mod history;
mod late;
mod maintenance;
mod property;
mod quarantine;
mod times;
mod violations;

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use definitions::{ColumnName, FeatureGroup, WallTime, parse_feature_group};

use crate::ingest::{Earnest, FileFormat, IngestReceipt, IngestRequest, Repeat, ingest};
use crate::{GroupPin, PinAt, Store, StoreError, collect_group, create_table, pin_group};

/// A storage root with one group.
pub(super) struct Bench {
    pub folder: tempfile::TempDir,
    pub store: Store,
    pub group: FeatureGroup,
    pub now: WallTime,
}

/// Metrics of hosts, with more lines of definition.
pub(super) fn metrics(more: &str) -> FeatureGroup {
    definition(&format!(
        "name = \"m\"\nversion = 1\nentity = [\"host\"]\nevent_time = \"ts\"\n{more}\n[[features]]\nname = \"cpu\"\ntype = \"float64\"\n"
    ))
}

pub(super) fn definition(text: &str) -> FeatureGroup {
    parse_feature_group("feature_groups/m.toml", text)
        .unwrap_or_else(|problems| panic!("{problems}"))
        .definition
}

impl Bench {
    pub async fn new(group: FeatureGroup) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(&folder.path().join("store").display().to_string()).unwrap();
        create_table(&store, &group).await.unwrap();
        Self {
            folder,
            store,
            group,
            now: "2026-03-01T00:00:00Z".parse().unwrap(),
        }
    }

    /// Writes a file beside the store.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    pub fn request(&self, sources: &[String]) -> IngestRequest {
        IngestRequest {
            store: self.store.clone(),
            group: self.group.clone(),
            sources: sources.to_vec(),
            format: None,
            repeat: Repeat::Skip,
            earnest: Earnest::Commit,
            now: self.now,
            memory: 64 << 20,
            software: "test".to_owned(),
            progress: Arc::new(|_| {}),
        }
    }

    pub async fn ingest(&self, name: &str, content: impl AsRef<[u8]>) -> Result<IngestReceipt, StoreError> {
        let file = self.file(name, content);
        ingest(self.request(&[file])).await
    }

    pub async fn ingest_as(&self, format: FileFormat, name: &str, content: &[u8]) -> Result<IngestReceipt, StoreError> {
        let file = self.file(name, content);
        ingest(IngestRequest {
            format: Some(format),
            ..self.request(&[file])
        })
        .await
    }

    pub async fn pin(&self) -> GroupPin {
        pin_group(&self.store, &self.group, PinAt::Newest).await.unwrap()
    }

    pub fn columns(&self) -> Vec<ColumnName> {
        self.group.stored_columns().into_iter().map(|(name, _)| name).collect()
    }

    /// The declared columns of every row, a line each.
    pub async fn rows(&self) -> String {
        self.rows_of(&self.pin().await).await
    }

    pub async fn rows_of(&self, pin: &GroupPin) -> String {
        let batches = collect_group(&self.store, &self.group, pin, &self.columns(), None)
            .await
            .unwrap();
        let declared: Vec<usize> = (0..self.columns().len()).collect();
        lines(
            &batches
                .iter()
                .map(|batch| batch.project(&declared).unwrap())
                .collect::<Vec<_>>(),
        )
    }

    /// Declared and hidden columns.
    pub async fn all_columns(&self) -> String {
        lines(
            &collect_group(&self.store, &self.group, &self.pin().await, &self.columns(), None)
                .await
                .unwrap(),
        )
    }

    pub fn table_folder(&self) -> PathBuf {
        self.store.group_folder(&self.group.reference())
    }

    /// The Parquet files in the table's folder, whoever names them.
    pub fn parquet_files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.table_folder())
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = entries
            .filter(|path| path.extension().is_some_and(|end| end == "parquet"))
            .collect();
        files.sort();
        files
    }
}

/// Rows as text, values separated by a blank, without the `T` and the seconds of round times.
pub(super) fn lines(batches: &[RecordBatch]) -> String {
    let options = FormatOptions::default()
        .with_null("-")
        .with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.fZ"));
    let mut text = String::new();
    for batch in batches {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            let values: Vec<String> = columns.iter().map(|column| column.value(row).to_string()).collect();
            text.push_str(&values.join(" "));
            text.push('\n');
        }
    }
    text
}

/// A table as text, without the indentation of the source.
#[track_caller]
pub(super) fn check(found: &str, wanted: &str) {
    let plain = |text: &str| -> Vec<String> {
        text.lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let (found, wanted) = (plain(found).join("\n"), plain(wanted).join("\n"));
    assert!(found == wanted, "found:\n{found}\nwanted:\n{wanted}");
}

/// What an error says, without the folder of the test.
pub(super) fn said(bench: &Bench, error: &StoreError) -> String {
    error
        .to_string()
        .replace(&format!("{}/", bench.folder.path().display()), "")
}
