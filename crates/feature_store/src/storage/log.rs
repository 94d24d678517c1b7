//! The commits in a table's log, version by version.

use deltalake::DeltaTable;
use futures::{StreamExt, TryStreamExt};
use serde_json::{Map, Value};

use crate::StoreError;
use crate::error::delta_error;

/// How many log entries are read at once.
const AT_ONCE: usize = 16;

/// One commit.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    /// The version that it made.
    pub version: u64,
    /// When, in microseconds: never below that of the commit before. Commits carry the time of their first attempt, so a commit that
    /// lost races can carry an earlier time than the version below it.
    pub at: i64,
    /// What was done, in the writer's words.
    pub operation: String,
    /// What the writer left there.
    pub info: Map<String, Value>,
}

/// The commits up to and including a version, oldest first. Versions whose log entry is gone are left out.
pub(crate) async fn read_commits(table: &DeltaTable, upto: u64, name: &str) -> Result<Vec<Commit>, StoreError> {
    let log = table.log_store();
    let read = |version: u64| {
        let log = log.clone();
        async move { Ok::<_, deltalake::DeltaTableError>((version, log.read_commit_entry(version).await?)) }
    };
    let entries: Vec<(u64, Option<bytes::Bytes>)> = futures::stream::iter(0..=upto)
        .map(read)
        .buffered(AT_ONCE)
        .try_collect()
        .await
        .map_err(delta_error(name, "read"))?;
    let mut commits = Vec::with_capacity(entries.len());
    let mut latest = i64::MIN;
    for (version, entry) in entries {
        let Some(entry) = entry else { continue };
        let info = commit_info(&entry);
        let at = info
            .get("timestamp")
            .and_then(Value::as_i64)
            .map_or(latest, |millis| millis.saturating_mul(1000));
        latest = latest.max(at);
        let operation = info
            .get("operation")
            .and_then(Value::as_str)
            .unwrap_or("unknown")
            .to_owned();
        commits.push(Commit {
            version,
            at: latest,
            operation,
            info,
        });
    }
    Ok(commits)
}

/// The `commitInfo` of a log entry; empty where it has none.
fn commit_info(entry: &[u8]) -> Map<String, Value> {
    let lines = entry.split(|byte| *byte == b'\n');
    let info =
        lines.filter(|line| line.starts_with(b"{\"commitInfo\"") || line.windows(12).any(|at| at == b"\"commitInfo\""));
    for line in info {
        if let Ok(Value::Object(mut action)) = serde_json::from_slice(line)
            && let Some(Value::Object(info)) = action.remove("commitInfo")
        {
            return info;
        }
    }
    Map::new()
}

/// When a version was committed, in microseconds, from its own log entry or from the log file's age.
pub(crate) async fn commit_time(table: &DeltaTable, version: u64, name: &str) -> Result<Option<i64>, StoreError> {
    let entry = table
        .log_store()
        .read_commit_entry(version)
        .await
        .map_err(delta_error(name, "read"))?;
    let info = entry.map(|entry| commit_info(&entry)).unwrap_or_default();
    Ok(info
        .get("timestamp")
        .and_then(Value::as_i64)
        .map(|millis| millis.saturating_mul(1000)))
}
