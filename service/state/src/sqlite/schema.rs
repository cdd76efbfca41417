//! Tables and their upgrades; `docs/format/state.md` describes them.
//!
//! `PRAGMA user_version` counts the steps that were applied. A step is never edited once released:
//! a change is a new step. A database with more steps than this binary knows is refused.

use sqlx::{Connection, Row, SqliteConnection};

/// `PRAGMA application_id` of our databases: "OffS" in ASCII.
const APPLICATION_ID: i64 = 0x4f66_6653;

const STEPS: &[&str] = &[
    // 1: registry and queue.
    "CREATE TABLE meta (
         only INTEGER PRIMARY KEY CHECK (only = 1),
         rev INTEGER NOT NULL,
         pruned_rev INTEGER NOT NULL
     );
     INSERT INTO meta (only, rev, pruned_rev) VALUES (1, 0, 0);
     CREATE TABLE document (
         key TEXT NOT NULL PRIMARY KEY,
         rev INTEGER NOT NULL,
         body TEXT
     );
     CREATE UNIQUE INDEX document_rev ON document (rev);
     CREATE TABLE event (
         id INTEGER PRIMARY KEY AUTOINCREMENT,
         request_id TEXT NOT NULL UNIQUE,
         function TEXT NOT NULL,
         qualifier TEXT,
         version TEXT NOT NULL,
         invoked_arn TEXT NOT NULL,
         payload BLOB,
         payload_blob TEXT,
         payload_bytes INTEGER NOT NULL,
         payload_crc32 INTEGER NOT NULL,
         client_context TEXT,
         trace_id TEXT,
         accepted_at_ms INTEGER NOT NULL,
         max_attempts INTEGER NOT NULL,
         max_age_ms INTEGER NOT NULL,
         visible_at_ms INTEGER NOT NULL,
         state INTEGER NOT NULL DEFAULT 0,
         delivery INTEGER NOT NULL DEFAULT 0,
         attempt INTEGER NOT NULL DEFAULT 0,
         last_error TEXT,
         buried_at_ms INTEGER,
         why TEXT,
         CHECK ((payload IS NULL) <> (payload_blob IS NULL))
     );
     CREATE INDEX event_waiting ON event (visible_at_ms, id) WHERE state = 0;
     CREATE INDEX event_claimed ON event (id) WHERE state = 1;
     CREATE INDEX event_dead ON event (function, id) WHERE state = 2;",
];

/// What a database file turned out to be.
pub(crate) enum Found {
    /// Ours and up to date now.
    Ready,
    /// Written by a newer daemon.
    Newer { found: i64, known: i64 },
    /// An SQLite database of some other program.
    Foreign { application_id: i64 },
}

/// Brings the database of `conn` to the newest schema.
pub(crate) async fn upgrade(conn: &mut SqliteConnection) -> Result<Found, sqlx::Error> {
    let application_id = pragma(conn, "PRAGMA application_id").await?;
    let applied = pragma(conn, "PRAGMA user_version").await?;
    let known = STEPS.len() as i64;
    match (application_id, applied) {
        (APPLICATION_ID, 0..) | (0, 0) => {}
        _ => return Ok(Found::Foreign { application_id }),
    }
    if applied > known {
        return Ok(Found::Newer {
            found: applied,
            known,
        });
    }
    for (number, step) in (1..).zip(STEPS).skip(applied as usize) {
        let mut tx = conn.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::raw_sql(*step).execute(&mut *tx).await?;
        let marks =
            format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number};");
        sqlx::raw_sql(sqlx::AssertSqlSafe(marks))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
    }
    Ok(Found::Ready)
}

async fn pragma(conn: &mut SqliteConnection, sql: &'static str) -> Result<i64, sqlx::Error> {
    sqlx::query(sql).fetch_one(conn).await?.try_get(0)
}
