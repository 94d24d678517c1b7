//! Aliases: names that move between versions of a model, by compare-and-swap, with their history.

use definitions::{ModelRef, Name, Version, Versioned, WallTime};
use serde::Serialize;
use sqlx::SqliteConnection;

use crate::error::sql;
use crate::lookup::{model_id, unknown_alias, version_id};
use crate::open::commit;
use crate::row::Columns;
use crate::{Registry, RegistryError};

/// Where the caller believes an alias to point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// To this version.
    Version(Version),
    /// Nowhere: it does not exist.
    Absent,
}

/// A change of an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasChange {
    /// The model.
    pub model: Name,
    /// The alias.
    pub alias: Name,
    /// Refused unless the alias is there; `None`: wherever it is.
    pub expect: Option<Expected>,
    /// Who asks.
    pub by: String,
    /// Why, for people.
    pub reason: Option<String>,
    /// When.
    pub at: WallTime,
}

/// What a change did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct AliasMove {
    /// Where the alias pointed; `None`: it did not exist.
    pub from: Option<Version>,
    /// Where it points; `None`: it is gone.
    pub to: Option<Version>,
}

/// One change in the history of a model's aliases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AliasHistoryEntry {
    /// The alias.
    pub alias: Name,
    /// Where it pointed; `None`: it did not exist.
    pub from: Option<Version>,
    /// Where it pointed from then on; `None`: it was removed.
    pub to: Option<Version>,
    /// Who asked.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub at: WallTime,
}

impl Registry {
    /// Points an alias to a version of its model. Pointing it to where it points already changes nothing and leaves no history.
    ///
    /// # Errors
    /// `AliasConflict` when it is not where the caller expected; `UnknownModel`, `UnknownModelVersion`.
    pub async fn set_alias(&self, change: &AliasChange, to: Version) -> Result<AliasMove, RegistryError> {
        let mut tx = self.write().await?;
        let model = model_id(&mut tx, &change.model).await?;
        let from = current(&mut tx, model, &change.alias).await?;
        expect(change, from)?;
        let reference = ModelRef::Version(Versioned {
            name: change.model.clone(),
            version: to,
        });
        let id = version_id(&mut tx, &reference).await?;
        let moved = AliasMove { from, to: Some(to) };
        if from == Some(to) {
            return Ok(moved);
        }
        sqlx::query(
            "insert into aliases (model, alias, model_version) values (?, ?, ?)
             on conflict (model, alias) do update set model_version = excluded.model_version",
        )
        .bind(model)
        .bind(change.alias.as_str())
        .bind(id)
        .execute(&mut *tx)
        .await
        .map_err(sql("move an alias"))?;
        remember(&mut tx, model, change, moved).await?;
        commit(tx).await?;
        Ok(moved)
    }

    /// Removes an alias.
    ///
    /// # Errors
    /// `AliasConflict` when it is not where the caller expected; `UnknownModel`, `UnknownAlias`.
    pub async fn remove_alias(&self, change: &AliasChange) -> Result<AliasMove, RegistryError> {
        let mut tx = self.write().await?;
        let model = model_id(&mut tx, &change.model).await?;
        let from = current(&mut tx, model, &change.alias).await?;
        expect(change, from)?;
        if from.is_none() {
            return Err(unknown_alias(&mut tx, (model, &change.model), &change.alias).await?);
        }
        sqlx::query("delete from aliases where model = ? and alias = ?")
            .bind(model)
            .bind(change.alias.as_str())
            .execute(&mut *tx)
            .await
            .map_err(sql("remove an alias"))?;
        let moved = AliasMove { from, to: None };
        remember(&mut tx, model, change, moved).await?;
        commit(tx).await?;
        Ok(moved)
    }

    /// The changes of a model's aliases, or of one of them, the newest first.
    ///
    /// # Errors
    /// `UnknownModel`.
    pub async fn alias_history(
        &self,
        model: &Name,
        alias: Option<&Name>,
    ) -> Result<Vec<AliasHistoryEntry>, RegistryError> {
        let mut tx = self.read().await?;
        let model = model_id(&mut tx, model).await?;
        let rows = sqlx::query(
            "select h.alias, f.version as from_version, t.version as to_version, h.changed_by, h.reason, h.changed_at
             from alias_history as h left join model_versions as f on f.id = h.from_version
             left join model_versions as t on t.id = h.to_version
             where h.model = ?1 and (?2 is null or h.alias = ?2) order by h.id desc",
        )
        .bind(model)
        .bind(alias.map(Name::as_str))
        .fetch_all(&mut *tx)
        .await
        .map_err(sql("read the history of aliases"))?;
        rows.iter().map(|row| entry(&Columns(row))).collect()
    }
}

/// Where an alias points.
async fn current(
    connection: &mut SqliteConnection,
    model: i64,
    alias: &Name,
) -> Result<Option<Version>, RegistryError> {
    let row = sqlx::query(
        "select mv.version from aliases as a join model_versions as mv on mv.id = a.model_version where a.model = ? and a.alias = ?",
    )
    .bind(model)
    .bind(alias.as_str())
    .fetch_optional(connection)
    .await
    .map_err(sql("look up an alias"))?;
    row.map(|row| Columns(&row).version("version")).transpose()
}

fn expect(change: &AliasChange, found: Option<Version>) -> Result<(), RegistryError> {
    let expected = match change.expect {
        None => return Ok(()),
        Some(Expected::Absent) => None,
        Some(Expected::Version(version)) => Some(version),
    };
    if expected == found {
        return Ok(());
    }
    let (model, alias) = (change.model.clone(), change.alias.clone());
    Err(RegistryError::AliasConflict {
        model,
        alias,
        expected,
        found,
    })
}

async fn remember(
    connection: &mut SqliteConnection,
    model: i64,
    change: &AliasChange,
    moved: AliasMove,
) -> Result<(), RegistryError> {
    sqlx::query(
        "insert into alias_history (model, alias, from_version, to_version, changed_by, reason, changed_at) values
             (?1, ?2, (select id from model_versions where model = ?1 and version = ?3),
              (select id from model_versions where model = ?1 and version = ?4), ?5, ?6, ?7)",
    )
    .bind(model)
    .bind(change.alias.as_str())
    .bind(moved.from.map(Version::number))
    .bind(moved.to.map(Version::number))
    .bind(&change.by)
    .bind(&change.reason)
    .bind(change.at.0)
    .execute(connection)
    .await
    .map_err(sql("remember a change of an alias"))?;
    Ok(())
}

fn entry(row: &Columns<'_>) -> Result<AliasHistoryEntry, RegistryError> {
    Ok(AliasHistoryEntry {
        alias: row.parsed("alias")?,
        from: row.version_if_any("from_version")?,
        to: row.version_if_any("to_version")?,
        by: row.get("changed_by")?,
        reason: row.get("reason")?,
        at: row.time("changed_at")?,
    })
}
