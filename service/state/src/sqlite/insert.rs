//! The merged statements of a batch: many events in, many events out.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::event_row::{COLUMNS, EventRow, bind};
use super::writer::{Ack, Enqueue};
use crate::queue::QueueError;

/// Rows per insert statement at most; smaller powers of two take the rest, so that the connection
/// caches a handful of prepared statements and not one per number of rows.
const MAX_ROWS_LOG2: usize = 6;

/// Inserts the events of all calls. A call with a duplicate request id is refused as a whole.
pub(crate) async fn insert_events(
    conn: &mut SqliteConnection,
    calls: &mut [Enqueue],
) -> Result<(), sqlx::Error> {
    let rows: Vec<&EventRow> = calls.iter().flat_map(|call| &call.rows).collect();
    if rows.is_empty() {
        return Ok(());
    }
    if !any_duplicate(conn, &rows).await? {
        return insert_rows(conn, &rows).await;
    }
    for call in calls {
        let rows: Vec<&EventRow> = call.rows.iter().collect();
        match first_duplicate(conn, &rows).await? {
            Some(request_id) => call.refused = Some(QueueError::Duplicate { request_id }),
            None => insert_rows(conn, &rows).await?,
        }
    }
    Ok(())
}

/// Deletes the events of all valid claims, and hands each call the blobs of its own.
pub(crate) async fn delete_acked(
    conn: &mut SqliteConnection,
    calls: &mut [Ack],
) -> Result<(), sqlx::Error> {
    if calls.is_empty() {
        return Ok(());
    }
    let mut claims = Vec::new();
    let mut call_of = HashMap::new();
    for (call, claim) in calls
        .iter()
        .enumerate()
        .flat_map(|(n, c)| c.claims.iter().map(move |x| (n, x)))
    {
        claims.push((claim.event, claim.delivery));
        call_of.entry(claim.event).or_insert(call);
    }
    let sql = "DELETE FROM event WHERE state = 1 AND (id, delivery) IN
               (SELECT value ->> 0, value ->> 1 FROM json_each(?))
               RETURNING id, payload_blob";
    let gone = sqlx::query(sql).bind(json(&claims)).fetch_all(conn).await?;
    for row in &gone {
        let (id, blob): (i64, Option<String>) = (row.try_get(0)?, row.try_get(1)?);
        if let Some(&call) = call_of.get(&id) {
            calls[call].removed.events += 1;
            calls[call].removed.blobs.extend(blob);
        }
    }
    Ok(())
}

/// A JSON array as SQLite's `json_each` takes it.
pub(crate) fn json<T: serde::Serialize>(values: &[T]) -> String {
    // Numbers and strings always serialize.
    serde_json::to_string(values).unwrap_or_else(|_| "[]".into())
}

async fn any_duplicate(
    conn: &mut SqliteConnection,
    rows: &[&EventRow],
) -> Result<bool, sqlx::Error> {
    Ok(first_duplicate(conn, rows).await?.is_some())
}

async fn first_duplicate(
    conn: &mut SqliteConnection,
    rows: &[&EventRow],
) -> Result<Option<String>, sqlx::Error> {
    let mut seen = HashSet::new();
    let ids: Vec<&str> = rows
        .iter()
        .map(|row| row.event.request_id.as_str())
        .collect();
    if let Some(twice) = ids.iter().find(|id| !seen.insert(**id)) {
        return Ok(Some((*twice).to_owned()));
    }
    let sql = "SELECT request_id FROM event
               WHERE request_id IN (SELECT value FROM json_each(?)) LIMIT 1";
    let found = sqlx::query(sql)
        .bind(json(&ids))
        .fetch_optional(conn)
        .await?;
    found.map(|row| row.try_get(0)).transpose()
}

async fn insert_rows(conn: &mut SqliteConnection, rows: &[&EventRow]) -> Result<(), sqlx::Error> {
    let mut rest = rows;
    while !rest.is_empty() {
        let log2 = (rest.len().ilog2() as usize).min(MAX_ROWS_LOG2);
        let (now, later) = rest.split_at(1 << log2);
        let mut query = sqlx::query(AssertSqlSafe(insert_sql(log2)));
        for row in now {
            query = bind(query, row);
        }
        query.execute(&mut *conn).await?;
        rest = later;
    }
    Ok(())
}

/// The insert statement for `1 << log2` rows.
fn insert_sql(log2: usize) -> Arc<str> {
    static SQL: OnceLock<Vec<Arc<str>>> = OnceLock::new();
    let all = SQL.get_or_init(|| {
        (0..=MAX_ROWS_LOG2)
            .map(|log2| make_insert(1 << log2))
            .collect()
    });
    Arc::clone(&all[log2])
}

fn make_insert(rows: usize) -> Arc<str> {
    let marks = vec!["?"; COLUMNS.split(',').count()].join(", ");
    let values = vec![format!("({marks})"); rows].join(", ");
    format!("INSERT INTO event ({COLUMNS}) VALUES {values}").into()
}
