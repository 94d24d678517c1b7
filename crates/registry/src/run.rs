//! Runs: every attempt to train, with its evidence, whether or not a model came of it.

use std::fmt;
use std::str::FromStr;

use definitions::{DatasetRef, Fingerprint, Name, ReferenceError, Versioned, ViewRef, WallTime};
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use crate::applied::{definition_at, pipeline_id};
use crate::dataset::dataset_id;
use crate::error::sql;
use crate::evidence::{evaluations, gate_checks, insert_evidence};
use crate::open::commit;
use crate::row::Columns;
use crate::{DefinitionRecord, Evaluation, Evidence, GateCheck, Registry, RegistryError};

/// Runs with the names of what they refer to, and what a query adds.
macro_rules! select_runs {
    ($tail:literal) => {
        concat!(
            "select r.*, p.name as pipeline, p.fingerprint as pipeline_fingerprint, v.name as view_name, v.version as view_version,
                 d.number, m.name as model_name, mv.version as model_version
             from runs as r join definitions as p on p.id = r.pipeline_definition join datasets as d on d.id = r.dataset
             join definitions as v on v.id = r.view_definition
             left join model_versions as mv on mv.run = r.id left join models as m on m.id = mv.model ",
            $tail
        )
    };
}

/// The number of a run, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(
    /// The number.
    pub i64,
);

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Not ended yet, or its process died.
    Running,
    /// A model version came of it.
    Registered,
    /// A gate said no.
    Refused,
    /// It broke.
    Failed,
}

/// A run that starts.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// The pipeline.
    pub pipeline: Name,
    /// Which of its texts.
    pub pipeline_fingerprint: Fingerprint,
    /// What it trains on.
    pub dataset: DatasetRef,
    /// The learner.
    pub learner: String,
    /// The seed of everything drawn at random.
    pub seed: u64,
    /// The learner's parameters, defaults included.
    pub parameters: serde_json::Value,
    /// The programs that train, with their versions.
    pub software: serde_json::Value,
    /// The process that trains: whoever finds the run `running` can tell whether it still is.
    pub holder: String,
    /// When it started.
    pub started_at: WallTime,
}

/// A recorded run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// Where it stands.
    pub status: RunStatus,
    /// The pipeline.
    pub pipeline: Name,
    /// Which of its texts.
    pub pipeline_fingerprint: Fingerprint,
    /// The view.
    pub view: ViewRef,
    /// What it trained on.
    #[serde(serialize_with = "crate::row::as_text")]
    pub dataset: DatasetRef,
    /// The learner.
    pub learner: String,
    /// The seed.
    pub seed: u64,
    /// The learner's parameters.
    pub parameters: serde_json::Value,
    /// The programs that trained, with their versions.
    pub software: serde_json::Value,
    /// The process that trained.
    pub holder: String,
    /// When it started.
    pub started_at: WallTime,
    /// When it ended.
    pub finished_at: Option<WallTime>,
    /// The metrics in short.
    pub metrics: Option<serde_json::Value>,
    /// Its folder, relative to the storage root, where it left one.
    pub path: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// The model version that came of it.
    pub model: Option<Versioned>,
}

/// A run with its evidence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunDetails {
    /// The run.
    #[serde(flatten)]
    pub run: Run,
    /// Every metric.
    pub evaluations: Vec<Evaluation>,
    /// Every check of every gate, in order.
    pub gate_checks: Vec<GateCheck>,
    /// Everything else worth keeping.
    pub report: Option<serde_json::Value>,
}

impl Registry {
    /// Records that a run started.
    ///
    /// # Errors
    /// `UnknownDataset`, or `UnknownDefinition` for a pipeline text that has not been applied.
    pub async fn start_run(&self, new: &NewRun) -> Result<RunId, RegistryError> {
        let mut tx = self.write().await?;
        let (dataset, view) = dataset_id(&mut tx, &new.dataset).await?;
        let pipeline = pipeline_id(&mut tx, &new.pipeline, &new.pipeline_fingerprint).await?;
        let inserted = sqlx::query(
            "insert into runs (pipeline_definition, view_definition, dataset, learner, seed, parameters, software, holder, started_at)
             values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(pipeline)
        .bind(view)
        .bind(dataset)
        .bind(&new.learner)
        .bind(new.seed.cast_signed())
        .bind(new.parameters.to_string())
        .bind(new.software.to_string())
        .bind(&new.holder)
        .bind(new.started_at.0)
        .execute(&mut *tx)
        .await
        .map_err(sql("record a run"))?;
        commit(tx).await?;
        Ok(RunId(inserted.last_insert_rowid()))
    }

    /// Records that a gate said no: the evidence stays, there is no model. `path`: the run's folder, where it left one.
    ///
    /// # Errors
    /// `UnknownRun`; `RunEnded`.
    pub async fn refuse_run(
        &self,
        run: RunId,
        evidence: &Evidence,
        path: Option<&str>,
        at: WallTime,
    ) -> Result<(), RegistryError> {
        let mut tx = self.write().await?;
        end(
            &mut tx,
            run,
            &Ending {
                status: RunStatus::Refused,
                at,
                evidence: Some(evidence),
                path,
                error: None,
            },
        )
        .await?;
        commit(tx).await
    }

    /// Records that a run broke.
    ///
    /// # Errors
    /// `UnknownRun`; `RunEnded`.
    pub async fn fail_run(&self, run: RunId, error: &str, at: WallTime) -> Result<(), RegistryError> {
        let mut tx = self.write().await?;
        end(
            &mut tx,
            run,
            &Ending {
                status: RunStatus::Failed,
                at,
                evidence: None,
                path: None,
                error: Some(error),
            },
        )
        .await?;
        commit(tx).await
    }

    /// One run with its evidence.
    ///
    /// # Errors
    /// `UnknownRun`.
    pub async fn run(&self, run: RunId) -> Result<RunDetails, RegistryError> {
        let mut tx = self.read().await?;
        let row = sqlx::query(select_runs!("where r.id = ?"))
            .bind(run.0)
            .fetch_optional(&mut *tx)
            .await;
        let Some(row) = row.map_err(sql("look up a run"))? else {
            return Err(unknown(&mut tx, run).await?);
        };
        let row = Columns(&row);
        Ok(RunDetails {
            run: run_of(&row)?,
            evaluations: evaluations(&mut tx, run).await?,
            gate_checks: gate_checks(&mut tx, run).await?,
            report: row.json_if_any("report")?,
        })
    }

    /// All runs, or those of one pipeline, the newest first.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn runs(&self, pipeline: Option<&Name>) -> Result<Vec<Run>, RegistryError> {
        let mut tx = self.read().await?;
        let query = select_runs!("where ?1 is null or p.name = ?1 order by r.id desc");
        let rows = sqlx::query(query)
            .bind(pipeline.map(Name::as_str))
            .fetch_all(&mut *tx)
            .await;
        rows.map_err(sql("list the runs"))?
            .iter()
            .map(|row| run_of(&Columns(row)))
            .collect()
    }

    /// The runs that have not ended: under way, or left by a process that died (their holder tells).
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn running_runs(&self) -> Result<Vec<Run>, RegistryError> {
        let mut tx = self.read().await?;
        let query = select_runs!("where r.status = 'running' order by r.id");
        let rows = sqlx::query(query)
            .fetch_all(&mut *tx)
            .await
            .map_err(sql("list the runs"))?;
        rows.iter().map(|row| run_of(&Columns(row))).collect()
    }

    /// The pipeline as it was when the run started.
    ///
    /// # Errors
    /// `UnknownRun`.
    pub async fn pipeline_of_run(&self, run: RunId) -> Result<DefinitionRecord, RegistryError> {
        let mut tx = self.read().await?;
        let id = sqlx::query_scalar("select pipeline_definition from runs where id = ?")
            .bind(run.0)
            .fetch_optional(&mut *tx)
            .await;
        match id.map_err(sql("look up a run"))? {
            Some(id) => definition_at(&mut tx, id).await,
            None => Err(unknown(&mut tx, run).await?),
        }
    }
}

/// How a run ends.
pub(crate) struct Ending<'a> {
    pub(crate) status: RunStatus,
    pub(crate) at: WallTime,
    pub(crate) evidence: Option<&'a Evidence>,
    pub(crate) path: Option<&'a str>,
    pub(crate) error: Option<&'a str>,
}

/// Ends a run that is running, with its evidence.
pub(crate) async fn end(
    connection: &mut SqliteConnection,
    run: RunId,
    ending: &Ending<'_>,
) -> Result<(), RegistryError> {
    must_be_running(connection, run).await?;
    if let Some(evidence) = ending.evidence {
        insert_evidence(connection, run, evidence).await?;
    }
    let document = |value: &serde_json::Value| (!value.is_null()).then(|| value.to_string());
    sqlx::query(
        "update runs set status = ?, finished_at = ?, metrics = ?, report = ?, path = ?, error = ? where id = ?",
    )
    .bind(ending.status.word())
    .bind(ending.at.0)
    .bind(ending.evidence.and_then(|evidence| document(&evidence.metrics)))
    .bind(ending.evidence.and_then(|evidence| document(&evidence.report)))
    .bind(ending.path)
    .bind(ending.error)
    .bind(run.0)
    .execute(connection)
    .await
    .map_err(sql("end a run"))?;
    Ok(())
}

/// Refuses a run that has ended; gives the row of its dataset.
pub(crate) async fn must_be_running(connection: &mut SqliteConnection, run: RunId) -> Result<i64, RegistryError> {
    let row = sqlx::query("select status, dataset from runs where id = ?")
        .bind(run.0)
        .fetch_optional(&mut *connection)
        .await;
    let Some(row) = row.map_err(sql("look up a run"))? else {
        return Err(unknown(connection, run).await?);
    };
    match Columns(&row).parsed("status")? {
        RunStatus::Running => Columns(&row).get("dataset"),
        status => Err(RegistryError::RunEnded { run, status }),
    }
}

async fn unknown(connection: &mut SqliteConnection, run: RunId) -> Result<RegistryError, RegistryError> {
    let newest: Option<i64> = sqlx::query_scalar("select max(id) from runs")
        .fetch_one(connection)
        .await
        .map_err(sql("look up the newest run"))?;
    Ok(RegistryError::UnknownRun {
        run,
        newest: newest.map(RunId),
    })
}

fn run_of(row: &Columns<'_>) -> Result<Run, RegistryError> {
    let model = row.get::<Option<i64>>("model_version")?;
    Ok(Run {
        id: RunId(row.get("id")?),
        status: row.parsed("status")?,
        pipeline: row.parsed("pipeline")?,
        pipeline_fingerprint: row.parsed("pipeline_fingerprint")?,
        view: row.versioned("view")?,
        dataset: row.dataset()?,
        learner: row.get("learner")?,
        seed: row.seed("seed")?,
        parameters: row.json("parameters")?,
        software: row.json("software")?,
        holder: row.get("holder")?,
        started_at: row.time("started_at")?,
        finished_at: row.get::<Option<i64>>("finished_at")?.map(WallTime),
        metrics: row.json_if_any("metrics")?,
        path: row.get("path")?,
        error: row.get("error")?,
        model: model.map(|_| row.versioned("model")).transpose()?,
    })
}

impl RunStatus {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Registered => "registered",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for RunStatus {
    type Err = ReferenceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Running, Self::Registered, Self::Refused, Self::Failed];
        all.into_iter()
            .find(|status| status.word() == text)
            .ok_or_else(|| ReferenceError {
                found: text.to_owned(),
                wanted: "the status of a run: `running`, `registered`, `refused` or `failed`",
            })
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RunId {
    type Err = ReferenceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.parse().ok().filter(|number| *number > 0);
        number.map(Self).ok_or_else(|| ReferenceError {
            found: text.to_owned(),
            wanted: "the number of a run, such as `17`",
        })
    }
}
