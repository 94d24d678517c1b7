//! What a run found out: every metric, whole and per slice, and every check of every gate.

use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use crate::error::sql;
use crate::row::{Columns, stored};
use crate::{RegistryError, RunId};

/// One number about one subject on one part of the dataset, or on one slice of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// `train`, `validation` or `test`.
    pub part: String,
    /// `model`, or what it is compared with: a baseline (`last_value`) or a rival (`champion`).
    pub subject: String,
    /// The column that slices; `None`: the whole part.
    pub slice_column: Option<String>,
    /// The slice's value; `None` in a slice: the rows where the column is NULL.
    pub slice_value: Option<String>,
    /// The metric.
    pub metric: String,
    /// Its value; `None` where it is not defined. NaN is recorded as `None`.
    pub value: Option<f64>,
    /// Rows that it was computed from.
    pub rows: u64,
}

/// One check of one gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateCheck {
    /// The gate: `mae`, `slice_mae`, `beats last_value`.
    pub gate: String,
    /// What was measured; `None` where it is not defined.
    pub value: Option<f64>,
    /// What it had to be, in words: `<= 4`.
    pub limit: String,
    /// Whether it was.
    pub passed: bool,
    /// What was checked, in words.
    pub detail: String,
}

/// What a run found out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Evidence {
    /// Every metric, whole and per slice, of the model and what it is compared with.
    pub evaluations: Vec<Evaluation>,
    /// Every check of every gate.
    pub gate_checks: Vec<GateCheck>,
    /// The metrics in short, for listings.
    pub metrics: serde_json::Value,
    /// Everything else worth keeping: history, importance, timings.
    pub report: serde_json::Value,
}

/// Records the evidence of a run.
pub(crate) async fn insert_evidence(
    connection: &mut SqliteConnection,
    run: RunId,
    evidence: &Evidence,
) -> Result<(), RegistryError> {
    insert_evaluations(connection, run, &evidence.evaluations).await?;
    insert_gate_checks(connection, run, &evidence.gate_checks).await
}

async fn insert_evaluations(
    connection: &mut SqliteConnection,
    run: RunId,
    evaluations: &[Evaluation],
) -> Result<(), RegistryError> {
    for evaluation in evaluations {
        sqlx::query(
            "insert into evaluations (run, part, subject, slice_column, slice_value, metric, value, rows) values (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(run.0)
        .bind(&evaluation.part)
        .bind(&evaluation.subject)
        .bind(&evaluation.slice_column)
        .bind(&evaluation.slice_value)
        .bind(&evaluation.metric)
        .bind(evaluation.value.filter(|value| !value.is_nan()))
        .bind(stored(evaluation.rows))
        .execute(&mut *connection)
        .await
        .map_err(sql("record an evaluation"))?;
    }
    Ok(())
}

async fn insert_gate_checks(
    connection: &mut SqliteConnection,
    run: RunId,
    checks: &[GateCheck],
) -> Result<(), RegistryError> {
    for (position, check) in (0_i64..).zip(checks) {
        sqlx::query("insert into gate_checks (run, position, gate, value, \"limit\", passed, detail) values (?, ?, ?, ?, ?, ?, ?)")
            .bind(run.0)
            .bind(position)
            .bind(&check.gate)
            .bind(check.value.filter(|value| !value.is_nan()))
            .bind(&check.limit)
            .bind(check.passed)
            .bind(&check.detail)
            .execute(&mut *connection)
            .await
            .map_err(sql("record a gate check"))?;
    }
    Ok(())
}

pub(crate) async fn evaluations(
    connection: &mut SqliteConnection,
    run: RunId,
) -> Result<Vec<Evaluation>, RegistryError> {
    let rows = sqlx::query("select * from evaluations where run = ? order by id")
        .bind(run.0)
        .fetch_all(connection)
        .await;
    let rows = rows.map_err(sql("list the evaluations of a run"))?;
    let evaluation = |row| {
        let row = Columns(row);
        Ok(Evaluation {
            part: row.get("part")?,
            subject: row.get("subject")?,
            slice_column: row.get("slice_column")?,
            slice_value: row.get("slice_value")?,
            metric: row.get("metric")?,
            value: row.get("value")?,
            rows: row.count("rows")?,
        })
    };
    rows.iter().map(evaluation).collect()
}

pub(crate) async fn gate_checks(
    connection: &mut SqliteConnection,
    run: RunId,
) -> Result<Vec<GateCheck>, RegistryError> {
    let rows = sqlx::query("select * from gate_checks where run = ? order by position")
        .bind(run.0)
        .fetch_all(connection)
        .await;
    let rows = rows.map_err(sql("list the gate checks of a run"))?;
    let check = |row| {
        let row = Columns(row);
        Ok(GateCheck {
            gate: row.get("gate")?,
            value: row.get("value")?,
            limit: row.get("limit")?,
            passed: row.get("passed")?,
            detail: row.get("detail")?,
        })
    };
    rows.iter().map(check).collect()
}
