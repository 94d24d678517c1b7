//! The file: opening it, bringing its schema up to date, transactions.
//!
//! `PRAGMA user_version` holds the number of the newest migration that was applied, in the same transaction as the migration, so that a
//! process that finds the schema current has read one page and written nothing. Several processes may make the file at once: the switch to
//! the write-ahead log and the migrations both wait for each other, and every process looks again once it holds the write lock.

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::migrate::Migrator;
use sqlx::sqlite::{Sqlite, SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, SqliteConnection, Transaction};

use crate::RegistryError;
use crate::error::{is_busy, sql};
use crate::row::Columns;

/// How long a process waits for another one's write before it gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// "plat" in ASCII: marks the file as a registry (`PRAGMA application_id`).
const APPLICATION_ID: i64 = 0x706c_6174;

static MIGRATIONS: Migrator = sqlx::migrate!("../../registry/migrations");

/// A transaction; dropped without a commit, it is rolled back.
pub(crate) type Tx = Transaction<'static, Sqlite>;

/// What the platform remembers.
#[derive(Debug, Clone)]
pub struct Registry {
    pool: SqlitePool,
}

impl Registry {
    /// Opens the registry for reading and writing; makes it where there is none, and brings an older schema up to date. Several processes
    /// may do this at once. The folder must exist.
    ///
    /// # Errors
    /// `Open`, `NotARegistry`, `Newer`, `NoWriteAheadLog`.
    pub async fn open(file: &Path) -> Result<Self, RegistryError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match Self::try_open(file).await {
                Err(RegistryError::Busy { .. }) if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// Opens a registry that is there already.
    ///
    /// # Errors
    /// `Missing` where there is none; otherwise as `open`.
    pub async fn open_existing(file: &Path) -> Result<Self, RegistryError> {
        if !file.is_file() {
            return Err(RegistryError::Missing { path: file.to_owned() });
        }
        Self::open(file).await
    }

    /// Closes the connections, so that SQLite can tidy its log away. A process that exits without it loses nothing.
    pub async fn close(self) {
        self.pool.close().await;
    }

    async fn try_open(file: &Path) -> Result<Self, RegistryError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .foreign_keys(true)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(PATIENCE)
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(PATIENCE * 4)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_with(options)
            .await
            .map_err(|error| unopened(file, error))?;
        let registry = Self { pool };
        registry.bring_up_to_date(file).await?;
        Ok(registry)
    }

    async fn bring_up_to_date(&self, file: &Path) -> Result<(), RegistryError> {
        let mut connection = self.pool.acquire().await.map_err(|error| unopened(file, error))?;
        if schema_is_current(file, &mut connection).await? {
            return Ok(());
        }
        let mode: String = sqlx::query_scalar("pragma journal_mode = wal")
            .fetch_one(&mut *connection)
            .await
            .map_err(|error| unopened(file, error))?;
        if mode != "wal" {
            return Err(RegistryError::NoWriteAheadLog {
                path: file.to_owned(),
                found: mode,
            });
        }
        drop(connection);
        let mut tx = self.write().await?;
        // Somebody else may have been faster.
        if !schema_is_current(file, &mut tx).await? {
            migrate(&mut tx).await?;
        }
        commit(tx).await
    }

    /// Starts a transaction that writes: it waits here, and only here, for other writers.
    pub(crate) async fn write(&self) -> Result<Tx, RegistryError> {
        self.pool
            .begin_with("begin immediate")
            .await
            .map_err(sql("start writing"))
    }

    /// Starts a transaction that reads: everything read in it is of one moment. It waits for nobody.
    pub(crate) async fn read(&self) -> Result<Tx, RegistryError> {
        self.pool.begin().await.map_err(sql("start reading"))
    }
}

/// Makes what the transaction wrote visible and durable.
pub(crate) async fn commit(tx: Tx) -> Result<(), RegistryError> {
    tx.commit().await.map_err(sql("commit"))
}

fn newest_schema() -> i64 {
    MIGRATIONS
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or_default()
}

async fn schema_is_current(file: &Path, connection: &mut SqliteConnection) -> Result<bool, RegistryError> {
    let row = sqlx::query(
        "select a.application_id as application, v.user_version as schema, (select count(*) from sqlite_schema) as objects
         from pragma_application_id as a, pragma_user_version as v",
    )
    .fetch_one(connection)
    .await
    .map_err(|error| unopened(file, error))?;
    let row = Columns(&row);
    let (application, schema): (i64, i64) = (row.get("application")?, row.get("schema")?);
    let is_empty = row.get::<i64>("objects")? == 0;
    if application != APPLICATION_ID && !(is_empty && application == 0 && schema == 0) {
        return Err(RegistryError::NotARegistry { path: file.to_owned() });
    }
    let known = newest_schema();
    if schema > known {
        return Err(RegistryError::Newer {
            path: file.to_owned(),
            found: schema,
            known,
        });
    }
    Ok(schema == known)
}

async fn migrate(connection: &mut SqliteConnection) -> Result<(), RegistryError> {
    let failed = sql("bring its schema up to date");
    let found: i64 = sqlx::query_scalar("select user_version from pragma_user_version")
        .fetch_one(&mut *connection)
        .await
        .map_err(&failed)?;
    for migration in MIGRATIONS.iter().filter(|migration| migration.version > found) {
        sqlx::raw_sql(migration.sql.clone())
            .execute(&mut *connection)
            .await
            .map_err(&failed)?;
    }
    let marks = format!(
        "pragma application_id = {APPLICATION_ID}; pragma user_version = {}",
        newest_schema()
    );
    sqlx::raw_sql(AssertSqlSafe(marks))
        .execute(&mut *connection)
        .await
        .map_err(&failed)?;
    Ok(())
}

fn unopened(file: &Path, error: sqlx::Error) -> RegistryError {
    if is_busy(&error) {
        return RegistryError::Busy {
            seconds: PATIENCE.as_secs(),
        };
    }
    RegistryError::Open {
        path: file.to_owned(),
        source: Box::new(error),
    }
}
