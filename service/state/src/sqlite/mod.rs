//! The SQLite database of one state directory.

mod call;
mod event_row;
mod insert;
mod queue;
mod registry;
mod schema;
mod statements;
mod writer;

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Row, SqliteConnection};

pub(crate) use queue::BLOB_PREFIX;
pub use queue::SqliteQueue;
pub use registry::SqliteRegistry;

use crate::error::StoreError;
use schema::Found;
pub(crate) use writer::Writer;

/// Above this size the check at start would hold up the daemon for seconds, so it is left out.
const QUICK_CHECK_MAX_BYTES: u64 = 64 << 20;
const READERS: u32 = 4;

/// What opening found, when the database cannot be used.
pub(crate) enum Unusable {
    Store(StoreError),
    Newer { found: i64, known: i64 },
    Foreign { application_id: i64 },
    Damaged { finding: String },
}

impl From<sqlx::Error> for Unusable {
    fn from(error: sqlx::Error) -> Self {
        Unusable::Store(error.into())
    }
}

/// A checked and upgraded database: the write connection and the readers.
pub(crate) struct Database {
    pub(crate) conn: SqliteConnection,
    pub(crate) readers: SqlitePool,
}

impl Database {
    /// Opens or creates the database file at `path`.
    pub(crate) async fn open(path: &Path) -> Result<Self, Unusable> {
        let size_bytes = std::fs::metadata(path).map_or(0, |meta| meta.len());
        let mut conn = options(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .connect()
            .await?;
        if size_bytes <= QUICK_CHECK_MAX_BYTES {
            quick_check(&mut conn).await?;
        }
        match schema::upgrade(&mut conn).await? {
            Found::Ready => {}
            Found::Newer { found, known } => return Err(Unusable::Newer { found, known }),
            Found::Foreign { application_id } => return Err(Unusable::Foreign { application_id }),
        }
        registry::prune_deletions(&mut conn).await?;
        // No timers and no pings: an idle pool must not wake the machine.
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .min_connections(0)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_lazy_with(options(path).read_only(true));
        Ok(Database { conn, readers })
    }

    /// Keys of all blobs that the queue still needs.
    pub(crate) async fn referenced_blobs(&mut self) -> Result<HashSet<String>, sqlx::Error> {
        let sql = "SELECT payload_blob FROM event WHERE payload_blob IS NOT NULL";
        let rows = sqlx::query(sql).fetch_all(&mut self.conn).await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .disable_statement_logging()
}

async fn quick_check(conn: &mut SqliteConnection) -> Result<(), Unusable> {
    let row = sqlx::query("PRAGMA quick_check(1)").fetch_one(conn).await?;
    let finding: String = row.try_get(0)?;
    if finding == "ok" {
        Ok(())
    } else {
        Err(Unusable::Damaged { finding })
    }
}
