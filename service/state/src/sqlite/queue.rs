//! [`Queue`] over SQLite and blobs.
//!
//! A large payload is put into the blob store before its row is committed and removed after its row is
//! gone, so a crash between leaves a blob without a row, never a row without a blob; the next open
//! sweeps such blobs.

use bytes::Bytes;
use futures_util::FutureExt;
use sqlx::Row;
use sqlx::sqlite::SqlitePool;
use tokio::sync::watch;
use tracing::warn;
use uuid::Uuid;

use super::call::{Outcome, Work};
use super::event_row::{ClaimedRow, EventRow, blobs_of, check_sizes, clipped, read_dead};
use super::insert::json;
use super::statements::{affected, claim_rows, purge, release_work};
use super::writer::Writer;
use crate::blobs::{BlobError, Blobs};
use crate::error::StoreError;
use crate::queue::{
    Claim, ClaimId, DeadId, DeadPage, Event, MAX_PAYLOAD_BYTES, Queue, QueueDepth, QueueError,
    QueueFuture,
};

/// Payloads above this size go to the blob store.
const MAX_INLINE_BYTES: usize = 64 << 10;
/// Claims of one call at most: bounds the memory for their payloads.
const MAX_CLAIMS: u32 = 256;
/// Letters on one page at most.
const MAX_PAGE: u32 = 1000;
/// Where payloads are in the blob store.
pub(crate) const BLOB_PREFIX: &str = "queue";

/// The queue of a state directory. Cheap to clone.
#[derive(Clone)]
pub struct SqliteQueue {
    pub(crate) writer: Writer,
    pub(crate) readers: SqlitePool,
    pub(crate) blobs: Blobs,
}

impl SqliteQueue {
    async fn store_rows(&self, events: Vec<Event>) -> Result<Vec<EventRow>, QueueError> {
        events.iter().try_for_each(check_sizes)?;
        let mut rows = Vec::with_capacity(events.len());
        for event in events {
            if event.payload.len() <= MAX_INLINE_BYTES {
                rows.push(EventRow::inline(event));
                continue;
            }
            let key = format!("{BLOB_PREFIX}/{}", Uuid::new_v4().simple());
            let (row, payload) = EventRow::with_blob(event, key.clone());
            rows.push(row);
            if let Err(error) = self.blobs.put(&key, payload).await {
                self.drop_blobs(blobs_of(&rows)).await;
                return Err(StoreError::from(error).into());
            }
        }
        Ok(rows)
    }

    /// Removes blobs without rows. A failure costs space until the next start, nothing more.
    async fn drop_blobs(&self, keys: Vec<String>) {
        for key in keys {
            if let Err(error) = self.blobs.delete(&key).await {
                warn!(error = %error, "payload of a finished event was left behind");
            }
        }
    }

    /// Reads and checks the payload of a claimed event.
    async fn payload(&self, row: &ClaimedRow) -> Result<Bytes, QueueError> {
        let bytes = match &row.blob {
            None => row.claim.event.payload.clone(),
            Some(key) => match self.blobs.get(key, MAX_PAYLOAD_BYTES as u64).await {
                Ok(bytes) => bytes,
                Err(BlobError::NotFound { .. } | BlobError::TooLarge { .. }) => {
                    return Err(QueueError::DamagedPayload {
                        event: row.claim.id.event,
                    });
                }
                Err(error) => return Err(StoreError::from(error).into()),
            },
        };
        if i64::from(crc32fast::hash(&bytes)) == row.payload_crc32 {
            Ok(bytes)
        } else {
            Err(QueueError::DamagedPayload {
                event: row.claim.id.event,
            })
        }
    }

    async fn checked(&self, rows: Unread, now_ms: i64) -> Result<Vec<Claim>, QueueError> {
        let mut claims = Vec::with_capacity(rows.rows.len());
        for row in &rows.rows {
            match self.payload(row).await {
                Ok(payload) => {
                    let mut claim = row.claim.clone();
                    claim.event.payload = payload;
                    claims.push(claim);
                }
                Err(error @ QueueError::DamagedPayload { .. }) => {
                    self.bury(row.claim.id, now_ms, &error.to_string(), None)
                        .await?;
                }
                // Dropping `rows` releases all of them.
                Err(error) => return Err(error),
            }
        }
        rows.keep();
        Ok(claims)
    }

    /// Runs one statement over one claim, which must not be stale.
    async fn change(
        &self,
        claim: ClaimId,
        wakes_queue: bool,
        work: Work<u64, QueueError>,
    ) -> Result<(), QueueError> {
        match self.writer.call(wakes_queue, work).await? {
            0 => Err(QueueError::StaleClaim {
                event: claim.event,
                delivery: claim.delivery,
            }),
            _ => Ok(()),
        }
    }
}

impl Queue for SqliteQueue {
    fn enqueue(&self, events: Vec<Event>) -> QueueFuture<'_, ()> {
        Box::pin(async move {
            let rows = self.store_rows(events).await?;
            let blobs = blobs_of(&rows);
            let answer = self.writer.enqueue(rows).await;
            // Refused means not written; after any other failure the next start decides.
            if let Err(QueueError::Duplicate { .. }) = &answer {
                self.drop_blobs(blobs).await;
            }
            answer
        })
    }

    fn claim(&self, limit: u32, now_ms: i64) -> QueueFuture<'_, Vec<Claim>> {
        let limit = limit.min(MAX_CLAIMS);
        let writer = self.writer.clone();
        let work: Work<Unread, QueueError> = Box::new(move |conn| {
            claim_rows(conn, limit, now_ms)
                .map(|rows| {
                    Ok(Outcome::Done(Unread {
                        rows: rows?,
                        writer: Some(writer),
                    }))
                })
                .boxed()
        });
        Box::pin(async move {
            let rows = self.writer.call(false, work).await?;
            self.checked(rows, now_ms).await
        })
    }

    fn ack<'a>(&'a self, claims: &'a [ClaimId]) -> QueueFuture<'a, u64> {
        Box::pin(async move {
            let removed = self.writer.ack(claims.to_vec()).await?;
            self.drop_blobs(removed.blobs).await;
            Ok(removed.events)
        })
    }

    fn retry<'a>(
        &'a self,
        claim: ClaimId,
        visible_at_ms: i64,
        error: &'a str,
    ) -> QueueFuture<'a, ()> {
        let error = clipped(error);
        let work: Work<u64, QueueError> = Box::new(move |conn| {
            let sql = "UPDATE event SET state = 0, attempt = attempt + 1, visible_at_ms = ?,
                       last_error = ? WHERE id = ? AND delivery = ? AND state = 1";
            let query = sqlx::query(sql).bind(visible_at_ms).bind(error);
            affected(query.bind(claim.event).bind(claim.delivery), conn)
        });
        Box::pin(self.change(claim, true, work))
    }

    fn defer(&self, claim: ClaimId, visible_at_ms: i64) -> QueueFuture<'_, ()> {
        let work: Work<u64, QueueError> = Box::new(move |conn| {
            let sql = "UPDATE event SET state = 0, visible_at_ms = ?
                       WHERE id = ? AND delivery = ? AND state = 1";
            let query = sqlx::query(sql).bind(visible_at_ms);
            affected(query.bind(claim.event).bind(claim.delivery), conn)
        });
        Box::pin(self.change(claim, true, work))
    }

    fn release<'a>(&'a self, claims: &'a [ClaimId]) -> QueueFuture<'a, u64> {
        Box::pin(self.writer.call(true, release_work(claims)))
    }

    fn bury<'a>(
        &'a self,
        claim: ClaimId,
        now_ms: i64,
        why: &'a str,
        failure: Option<&'a str>,
    ) -> QueueFuture<'a, ()> {
        let why = clipped(why);
        let failure = failure.map(clipped);
        let work: Work<u64, QueueError> = Box::new(move |conn| {
            let sql =
                "UPDATE event SET state = 2, buried_at_ms = ?, why = ?, attempt = attempt + ?,
                       last_error = coalesce(?, last_error)
                       WHERE id = ? AND delivery = ? AND state = 1";
            let ran = i64::from(failure.is_some());
            let query = sqlx::query(sql)
                .bind(now_ms)
                .bind(why)
                .bind(ran)
                .bind(failure);
            affected(query.bind(claim.event).bind(claim.delivery), conn)
        });
        Box::pin(self.change(claim, false, work))
    }

    fn dead_letters<'a>(
        &'a self,
        function: Option<&'a str>,
        limit: u32,
        page: Option<DeadId>,
    ) -> QueueFuture<'a, DeadPage> {
        let limit = limit.clamp(1, MAX_PAGE);
        Box::pin(async move {
            let after = page.map_or(0, |id| id.0);
            let sql = match function {
                Some(_) => {
                    "SELECT * FROM event WHERE state = 2 AND id > ?1 AND function = ?3
                     ORDER BY id LIMIT ?2"
                }
                None => "SELECT * FROM event WHERE state = 2 AND id > ?1 ORDER BY id LIMIT ?2",
            };
            let mut query = sqlx::query(sql).bind(after).bind(limit);
            if let Some(function) = function {
                query = query.bind(function);
            }
            let rows = query
                .fetch_all(&self.readers)
                .await
                .map_err(StoreError::from)?;
            let letters: Result<Vec<_>, _> = rows.iter().map(read_dead).collect();
            let letters = letters.map_err(StoreError::from)?;
            let full = letters.len() == limit as usize;
            let next = letters.last().filter(|_| full).map(|letter| letter.id);
            Ok(DeadPage { letters, next })
        })
    }

    fn dead_payload(&self, id: DeadId) -> QueueFuture<'_, Option<Bytes>> {
        Box::pin(async move {
            let sql = "SELECT * FROM event WHERE id = ? AND state = 2";
            let row = sqlx::query(sql)
                .bind(id.0)
                .fetch_optional(&self.readers)
                .await;
            match row.map_err(StoreError::from)? {
                Some(row) => {
                    let row = ClaimedRow::read(&row).map_err(StoreError::from)?;
                    self.payload(&row).await.map(Some)
                }
                None => Ok(None),
            }
        })
    }

    fn redrive<'a>(&'a self, ids: &'a [DeadId], now_ms: i64) -> QueueFuture<'a, u64> {
        let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
        let work: Work<u64, QueueError> = Box::new(move |conn| {
            let sql = "UPDATE event SET state = 0, attempt = 0, accepted_at_ms = ?1,
                       visible_at_ms = ?1, last_error = NULL, buried_at_ms = NULL, why = NULL
                       WHERE id IN (SELECT value FROM json_each(?2)) AND state = 2";
            affected(sqlx::query(sql).bind(now_ms).bind(json(&ids)), conn)
        });
        Box::pin(self.writer.call(true, work))
    }

    fn purge_dead<'a>(&'a self, function: Option<&'a str>, before_ms: i64) -> QueueFuture<'a, u64> {
        let function = function.map(str::to_owned);
        let work: Work<Vec<Option<String>>, QueueError> = Box::new(move |conn| {
            purge(conn, function, before_ms)
                .map(|blobs| Ok(Outcome::Done(blobs?)))
                .boxed()
        });
        Box::pin(async move {
            let purged = self.writer.call(false, work).await?;
            let events = purged.len() as u64;
            self.drop_blobs(purged.into_iter().flatten().collect())
                .await;
            Ok(events)
        })
    }

    fn reclaim_all(&self) -> QueueFuture<'_, u64> {
        let work: Work<u64, QueueError> = Box::new(|conn| {
            affected(
                sqlx::query("UPDATE event SET state = 0 WHERE state = 1"),
                conn,
            )
        });
        Box::pin(self.writer.call(true, work))
    }

    fn next_visible_at_ms(&self) -> QueueFuture<'_, Option<i64>> {
        Box::pin(async move {
            let sql = "SELECT min(visible_at_ms) FROM event WHERE state = 0";
            let row = sqlx::query(sql)
                .fetch_one(&self.readers)
                .await
                .map_err(StoreError::from)?;
            Ok(row.try_get(0).map_err(StoreError::from)?)
        })
    }

    fn depth(&self) -> QueueFuture<'_, QueueDepth> {
        Box::pin(async move {
            let sql = "SELECT (SELECT count(*) FROM event WHERE state = 0),
                              (SELECT count(*) FROM event WHERE state = 1),
                              (SELECT count(*) FROM event WHERE state = 2)";
            let row = sqlx::query(sql)
                .fetch_one(&self.readers)
                .await
                .map_err(StoreError::from)?;
            let count = |column: usize| {
                row.try_get::<i64, _>(column)
                    .map(i64::unsigned_abs)
                    .map_err(StoreError::from)
            };
            Ok(QueueDepth {
                waiting: count(0)?,
                claimed: count(1)?,
                dead: count(2)?,
            })
        })
    }

    fn arrivals(&self) -> watch::Receiver<u64> {
        self.writer.arrivals()
    }
}

/// Claimed rows on their way to the caller. If the caller goes away before it has them (its future was
/// dropped, a blob could not be read), dropping this gives them back to the queue.
struct Unread {
    rows: Vec<ClaimedRow>,
    writer: Option<Writer>,
}

impl Unread {
    fn keep(mut self) {
        self.writer = None;
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let Some(writer) = self.writer.take() else {
            return;
        };
        let claims: Vec<ClaimId> = self.rows.iter().map(|row| row.claim.id).collect();
        let runtime = tokio::runtime::Handle::try_current();
        let (false, Ok(runtime)) = (claims.is_empty(), runtime) else {
            return;
        };
        runtime.spawn(async move {
            if let Err(error) = writer.call(true, release_work(&claims)).await {
                warn!(error = %error, "claims of a cancelled call wait for the next start");
            }
        });
    }
}
