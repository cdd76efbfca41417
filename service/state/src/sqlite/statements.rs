//! Statements of the queue that several of its calls use.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments};
use sqlx::{Row, SqliteConnection};

use super::call::{Outcome, Work};
use super::event_row::ClaimedRow;
use super::insert::json;
use crate::queue::{ClaimId, QueueError};

/// Runs `query` and gives the number of rows that it changed.
pub(crate) fn affected<'c>(
    query: Query<'static, Sqlite, SqliteArguments>,
    conn: &'c mut SqliteConnection,
) -> BoxFuture<'c, Result<Outcome<u64, QueueError>, sqlx::Error>> {
    async move { Ok(Outcome::Done(query.execute(conn).await?.rows_affected())) }.boxed()
}

/// Gives claims back to the queue, no attempt counted.
pub(crate) fn release_work(claims: &[ClaimId]) -> Work<u64, QueueError> {
    let claims: Vec<(i64, i64)> = claims.iter().map(|id| (id.event, id.delivery)).collect();
    Box::new(move |conn| {
        let sql = "UPDATE event SET state = 0 WHERE state = 1 AND (id, delivery) IN
                   (SELECT value ->> 0, value ->> 1 FROM json_each(?))";
        affected(sqlx::query(sql).bind(json(&claims)), conn)
    })
}

/// Claims the oldest visible events.
pub(crate) async fn claim_rows(
    conn: &mut SqliteConnection,
    limit: u32,
    now_ms: i64,
) -> Result<Vec<ClaimedRow>, sqlx::Error> {
    let sql = "UPDATE event SET state = 1, delivery = delivery + 1 WHERE id IN
               (SELECT id FROM event WHERE state = 0 AND visible_at_ms <= ?
                ORDER BY visible_at_ms, id LIMIT ?)
               RETURNING *";
    let rows = sqlx::query(sql)
        .bind(now_ms)
        .bind(limit)
        .fetch_all(conn)
        .await?;
    let mut rows: Vec<ClaimedRow> = rows
        .iter()
        .map(ClaimedRow::read)
        .collect::<Result<_, _>>()?;
    // RETURNING promises no order.
    rows.sort_by_key(|row| (row.claim.event.visible_at_ms, row.claim.id.event));
    Ok(rows)
}

/// Deletes dead letters; for each the key of its blob, if it has one.
pub(crate) async fn purge(
    conn: &mut SqliteConnection,
    function: Option<String>,
    before_ms: i64,
) -> Result<Vec<Option<String>>, sqlx::Error> {
    let sql = "DELETE FROM event WHERE state = 2 AND buried_at_ms < ?1
               AND (?2 IS NULL OR function = ?2) RETURNING payload_blob";
    let rows = sqlx::query(sql)
        .bind(before_ms)
        .bind(function)
        .fetch_all(conn)
        .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}
