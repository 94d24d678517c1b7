//! Applied definitions: what counts, word for word, for ever.

use std::fmt;
use std::str::FromStr;

use definitions::{Fingerprint, Name, ReferenceError, Version, Versioned, WallTime};
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, SqliteConnection};

use crate::error::sql;
use crate::open::commit;
use crate::row::Columns;
use crate::suggestion::near;
use crate::{Registry, RegistryError};

const COLUMNS: &str = "kind, name, version, fingerprint, text, canonical, file, applied_at";

/// What is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefinitionKind {
    /// A feature group.
    FeatureGroup,
    /// A feature view.
    FeatureView,
    /// A pipeline; it has no version.
    Pipeline,
}

/// A definition as it stands in a file, checked, to be applied.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDefinition {
    /// What it declares.
    pub kind: DefinitionKind,
    /// Its name.
    pub name: Name,
    /// Its version; `None` for pipelines, and only for them.
    pub version: Option<Version>,
    /// The fingerprint of its meaning: equal fingerprints are the same definition, whatever the comments.
    pub fingerprint: Fingerprint,
    /// Its text.
    pub text: String,
    /// Its meaning, with all defaults filled in.
    pub canonical: serde_json::Value,
    /// The file it came from, relative to the repository.
    pub file: String,
}

/// What applying a definition did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplyOutcome {
    /// It is new.
    Added,
    /// A pipeline of that name was there with another meaning; this one counts from now on.
    Changed,
    /// It was there.
    Unchanged,
}

/// A definition that was applied just now, or had been.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppliedDefinition {
    /// What it declares.
    pub kind: DefinitionKind,
    /// Its name.
    pub name: Name,
    /// Its version; `None` for pipelines.
    pub version: Option<Version>,
    /// What happened.
    pub outcome: ApplyOutcome,
}

/// A definition that has been applied.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DefinitionRecord {
    /// What it declares.
    pub kind: DefinitionKind,
    /// Its name.
    pub name: Name,
    /// Its version; `None` for pipelines.
    pub version: Option<Version>,
    /// The fingerprint of its meaning.
    pub fingerprint: Fingerprint,
    /// Its text as applied.
    pub text: String,
    /// Its meaning, with all defaults filled in.
    pub canonical: serde_json::Value,
    /// The file it came from, relative to the repository.
    pub file: String,
    /// When it was applied.
    pub applied_at: WallTime,
}

impl Registry {
    /// Applies definitions: all of them or, at the first that contradicts what was applied before, none.
    ///
    /// # Errors
    /// `ImmutableDefinition` when a group or view of that name and version was applied with another meaning.
    pub async fn apply_definitions(
        &self,
        new: &[NewDefinition],
        at: WallTime,
    ) -> Result<Vec<AppliedDefinition>, RegistryError> {
        let mut tx = self.write().await?;
        let mut applied = Vec::with_capacity(new.len());
        for definition in new {
            let outcome = apply(&mut tx, definition, at).await?;
            let NewDefinition {
                kind, name, version, ..
            } = definition;
            applied.push(AppliedDefinition {
                kind: *kind,
                name: name.clone(),
                version: *version,
                outcome,
            });
        }
        commit(tx).await?;
        Ok(applied)
    }

    /// One applied definition. Without a version: the newest version of a group or view; of a pipeline, the text that counts.
    ///
    /// # Errors
    /// `UnknownDefinition`, with names that are near.
    pub async fn definition(
        &self,
        kind: DefinitionKind,
        name: &Name,
        version: Option<Version>,
    ) -> Result<DefinitionRecord, RegistryError> {
        let mut tx = self.read().await?;
        match find(&mut tx, kind, name, version).await? {
            Some(record) => Ok(record),
            None => Err(unknown(&mut tx, kind, name, version).await?),
        }
    }

    /// Every applied group and view, and of every pipeline the text that counts, by kind, name and version.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn definitions(&self, kind: Option<DefinitionKind>) -> Result<Vec<DefinitionRecord>, RegistryError> {
        let query = format!(
            "select {COLUMNS} from definitions as d where (?1 is null or kind = ?1) and (version is not null
             or id = (select max(id) from definitions as p where p.kind = d.kind and p.name = d.name)) order by kind, name, version"
        );
        let mut tx = self.read().await?;
        let rows = sqlx::query(AssertSqlSafe(query))
            .bind(kind.map(DefinitionKind::word))
            .fetch_all(&mut *tx)
            .await;
        rows.map_err(sql("list the definitions"))?
            .iter()
            .map(|row| record(&Columns(row)))
            .collect()
    }

    /// The texts that a pipeline has had, the newest first.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn pipeline_texts(&self, name: &Name) -> Result<Vec<DefinitionRecord>, RegistryError> {
        let query = format!("select {COLUMNS} from definitions where kind = 'pipeline' and name = ? order by id desc");
        let mut tx = self.read().await?;
        let rows = sqlx::query(AssertSqlSafe(query))
            .bind(name.as_str())
            .fetch_all(&mut *tx)
            .await;
        rows.map_err(sql("list the texts of a pipeline"))?
            .iter()
            .map(|row| record(&Columns(row)))
            .collect()
    }
}

impl DefinitionKind {
    /// Its word in the registry: `feature_group`, `feature_view`, `pipeline`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::FeatureGroup => "feature_group",
            Self::FeatureView => "feature_view",
            Self::Pipeline => "pipeline",
        }
    }
}

impl fmt::Display for DefinitionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FeatureGroup => "feature group",
            Self::FeatureView => "feature view",
            Self::Pipeline => "pipeline",
        })
    }
}

impl FromStr for DefinitionKind {
    type Err = ReferenceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let kinds = [Self::FeatureGroup, Self::FeatureView, Self::Pipeline];
        kinds
            .into_iter()
            .find(|kind| kind.word() == text)
            .ok_or_else(|| ReferenceError {
                found: text.to_owned(),
                wanted: "a kind of definition: `feature_group`, `feature_view` or `pipeline`",
            })
    }
}

async fn apply(
    connection: &mut SqliteConnection,
    new: &NewDefinition,
    at: WallTime,
) -> Result<ApplyOutcome, RegistryError> {
    let old = find(connection, new.kind, &new.name, new.version).await?;
    if old.as_ref().is_some_and(|old| old.fingerprint == new.fingerprint) {
        return Ok(ApplyOutcome::Unchanged);
    }
    if let (Some(old), Some(version)) = (&old, new.version) {
        return Err(RegistryError::ImmutableDefinition {
            kind: new.kind,
            reference: Versioned {
                name: new.name.clone(),
                version,
            },
            file: new.file.clone(),
            old_text: old.text.clone(),
            new_text: new.text.clone(),
        });
    }
    let query = format!("insert into definitions ({COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?)");
    sqlx::query(AssertSqlSafe(query))
        .bind(new.kind.word())
        .bind(new.name.as_str())
        .bind(new.version.map(Version::number))
        .bind(new.fingerprint.to_string())
        .bind(&new.text)
        .bind(new.canonical.to_string())
        .bind(&new.file)
        .bind(at.0)
        .execute(connection)
        .await
        .map_err(sql("apply a definition"))?;
    Ok(if old.is_some() {
        ApplyOutcome::Changed
    } else {
        ApplyOutcome::Added
    })
}

async fn find(
    connection: &mut SqliteConnection,
    kind: DefinitionKind,
    name: &Name,
    version: Option<Version>,
) -> Result<Option<DefinitionRecord>, RegistryError> {
    let which = match version {
        Some(_) => "version = ? order by version",
        None => "? is null order by version desc, id desc limit 1",
    };
    let query = format!("select {COLUMNS} from definitions where kind = ? and name = ? and {which}");
    let row = sqlx::query(AssertSqlSafe(query))
        .bind(kind.word())
        .bind(name.as_str())
        .bind(version.map(Version::number))
        .fetch_optional(connection)
        .await
        .map_err(sql("look up a definition"))?;
    row.map(|row| record(&Columns(&row))).transpose()
}

/// The row of a definition that others refer to.
pub(crate) async fn definition_id(
    connection: &mut SqliteConnection,
    kind: DefinitionKind,
    reference: &Versioned,
) -> Result<i64, RegistryError> {
    let id = sqlx::query_scalar("select id from definitions where kind = ? and name = ? and version = ?")
        .bind(kind.word())
        .bind(reference.name.as_str())
        .bind(reference.version.number())
        .fetch_optional(&mut *connection)
        .await
        .map_err(sql("look up a definition"))?;
    match id {
        Some(id) => Ok(id),
        None => Err(unknown(connection, kind, &reference.name, Some(reference.version)).await?),
    }
}

/// The row of one text of a pipeline.
pub(crate) async fn pipeline_id(
    connection: &mut SqliteConnection,
    name: &Name,
    fingerprint: &Fingerprint,
) -> Result<i64, RegistryError> {
    let query =
        "select id from definitions where kind = 'pipeline' and name = ? and fingerprint = ? order by id desc limit 1";
    let id = sqlx::query_scalar(query)
        .bind(name.as_str())
        .bind(fingerprint.to_string())
        .fetch_optional(&mut *connection)
        .await
        .map_err(sql("look up a pipeline"))?;
    match id {
        Some(id) => Ok(id),
        None => Err(unknown(connection, DefinitionKind::Pipeline, name, None).await?),
    }
}

/// The definition in that row.
pub(crate) async fn definition_at(
    connection: &mut SqliteConnection,
    id: i64,
) -> Result<DefinitionRecord, RegistryError> {
    let query = format!("select {COLUMNS} from definitions where id = ?");
    let row = sqlx::query(AssertSqlSafe(query)).bind(id).fetch_one(connection).await;
    record(&Columns(&row.map_err(sql("look up a definition"))?))
}

/// The error for a definition that is not there, with the other versions of that name, or else names that are near.
async fn unknown(
    connection: &mut SqliteConnection,
    kind: DefinitionKind,
    name: &Name,
    version: Option<Version>,
) -> Result<RegistryError, RegistryError> {
    let rows = sqlx::query("select distinct name, version from definitions where kind = ? order by name, version")
        .bind(kind.word())
        .fetch_all(connection)
        .await
        .map_err(sql("list the definitions"))?;
    let (mut versions, mut names) = (Vec::new(), Vec::new());
    for row in &rows {
        let (found, number): (Name, _) = (Columns(row).parsed("name")?, Columns(row).version_if_any("version")?);
        if found == *name {
            versions.extend(number.map(|version| Versioned { name: found, version }.to_string()));
        } else {
            names.push(String::from(found));
        }
    }
    let reference = version.map_or_else(
        || name.to_string(),
        |version| {
            Versioned {
                name: name.clone(),
                version,
            }
            .to_string()
        },
    );
    let near = if versions.is_empty() {
        near(name.as_str(), &names)
    } else {
        versions
    };
    Ok(RegistryError::UnknownDefinition { kind, reference, near })
}

fn record(row: &Columns<'_>) -> Result<DefinitionRecord, RegistryError> {
    Ok(DefinitionRecord {
        kind: row.parsed("kind")?,
        name: row.parsed("name")?,
        version: row.version_if_any("version")?,
        fingerprint: row.parsed("fingerprint")?,
        text: row.get("text")?,
        canonical: row.json("canonical")?,
        file: row.get("file")?,
        applied_at: row.time("applied_at")?,
    })
}
