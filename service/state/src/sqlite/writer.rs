//! The one task that writes: it takes what is waiting into one transaction, so that concurrent callers
//! share one `fsync` (group commit).
//!
//! Enqueues and acks, the two calls of every event, are merged into one statement each; other calls run
//! one after the other. Order among calls of one batch is free: each caller waits for its own answer.

use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::error;

use super::call::{Call, TypedCall, Work};
use super::event_row::EventRow;
use super::insert::{delete_acked, insert_events};
use crate::error::{StoreError, is_io_failure};
use crate::queue::{ClaimId, QueueError};

/// Calls in one transaction at most.
const MAX_BATCH: usize = 64;
/// Calls waiting at most; further callers wait to get in.
const MAX_WAITING: usize = 1024;

/// The way to the writer task.
#[derive(Clone)]
pub(crate) struct Writer {
    calls: mpsc::Sender<Message>,
    arrivals: watch::Receiver<u64>,
}

/// Events of one enqueue call.
pub(crate) struct Enqueue {
    pub(crate) rows: Vec<EventRow>,
    pub(crate) refused: Option<QueueError>,
    reply: oneshot::Sender<Result<(), QueueError>>,
}

/// Claims of one ack call.
pub(crate) struct Ack {
    pub(crate) claims: Vec<ClaimId>,
    /// Blobs of the removed events, and their number.
    pub(crate) removed: Removed,
    reply: oneshot::Sender<Result<Removed, QueueError>>,
}

/// Events that are gone, and the blobs that went with them.
#[derive(Debug, Default)]
pub(crate) struct Removed {
    pub(crate) events: u64,
    pub(crate) blobs: Vec<String>,
}

enum Message {
    Enqueue(Enqueue),
    Ack(Ack),
    Other(Box<dyn Call>),
    Close(oneshot::Sender<()>),
}

impl Writer {
    /// Starts the task over `conn`.
    pub(crate) fn start(conn: SqliteConnection) -> Self {
        let (calls, waiting) = mpsc::channel(MAX_WAITING);
        let (arrived, arrivals) = watch::channel(0);
        tokio::spawn(run(conn, waiting, arrived));
        Writer { calls, arrivals }
    }

    pub(crate) fn arrivals(&self) -> watch::Receiver<u64> {
        self.arrivals.clone()
    }

    pub(crate) async fn enqueue(&self, rows: Vec<EventRow>) -> Result<(), QueueError> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Enqueue(Enqueue {
            rows,
            refused: None,
            reply,
        }))
        .await?;
        answer.await.unwrap_or(Err(StoreError::Closed.into()))
    }

    pub(crate) async fn ack(&self, claims: Vec<ClaimId>) -> Result<Removed, QueueError> {
        let (reply, answer) = oneshot::channel();
        let removed = Removed::default();
        self.send(Message::Ack(Ack {
            claims,
            removed,
            reply,
        }))
        .await?;
        answer.await.unwrap_or(Err(StoreError::Closed.into()))
    }

    /// Does `work` in a transaction and answers when it is durable. `wakes_queue`: events may begin to
    /// wait by it.
    pub(crate) async fn call<T, E>(&self, wakes_queue: bool, work: Work<T, E>) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (call, answer) = TypedCall::new(work, wakes_queue);
        self.send(Message::Other(Box::new(call))).await?;
        answer.await.unwrap_or(Err(StoreError::Closed.into()))
    }

    /// Ends the task after the calls that wait already, and closes its connection.
    pub(crate) async fn close(&self) {
        let (closed, done) = oneshot::channel();
        if self.send(Message::Close(closed)).await.is_ok() {
            let _ = done.await;
        }
    }

    async fn send(&self, message: Message) -> Result<(), StoreError> {
        self.calls
            .send(message)
            .await
            .map_err(|_| StoreError::Closed)
    }
}

#[derive(Default)]
struct Batch {
    enqueues: Vec<Enqueue>,
    acks: Vec<Ack>,
    others: Vec<Box<dyn Call>>,
    close: Option<oneshot::Sender<()>>,
}

async fn run(
    mut conn: SqliteConnection,
    mut waiting: mpsc::Receiver<Message>,
    arrived: watch::Sender<u64>,
) {
    let mut taken = Vec::with_capacity(MAX_BATCH);
    let mut stopped = false;
    while waiting.recv_many(&mut taken, MAX_BATCH).await > 0 {
        let mut batch = Batch::of(taken.drain(..));
        let committed = if stopped {
            Err(StoreError::Stopped)
        } else {
            commit(&mut conn, &mut batch).await.map_err(|error| {
                stopped = is_io_failure(&error);
                log_failure(&error, stopped);
                if stopped {
                    StoreError::Stopped
                } else {
                    error.into()
                }
            })
        };
        // Before the answers: who has one may look for the event already.
        if committed.is_ok() && batch.wakes_queue() {
            arrived.send_modify(|commits| *commits += 1);
        }
        let close = batch.finish(&committed);
        if let Some(closed) = close {
            waiting.close();
            if let Err(error) = conn.close().await {
                error!(error = %error, "state database did not close cleanly");
            }
            let _ = closed.send(());
            return;
        }
    }
}

/// Plain statements instead of sqlx's transactions: SQLite ends a transaction by itself when the disk is
/// full, sqlx's rollback then fails and leaves it counting an open transaction for ever.
async fn commit(conn: &mut SqliteConnection, batch: &mut Batch) -> Result<(), sqlx::Error> {
    if batch.is_empty() {
        return Ok(());
    }
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *conn).await?;
    let done = match batch.run(conn).await {
        Ok(()) => sqlx::query("COMMIT").execute(&mut *conn).await.map(drop),
        Err(error) => Err(error),
    };
    if done.is_err() {
        // Fails when SQLite has rolled back already, which is as good.
        let _ = sqlx::query("ROLLBACK").execute(conn).await;
    }
    done
}

fn log_failure(error: &sqlx::Error, stopped: bool) {
    if stopped {
        error!(error = %error, "state database write failed; refusing writes until restart");
    } else {
        error!(error = %error, "state transaction failed");
    }
}

impl Batch {
    fn of(messages: impl Iterator<Item = Message>) -> Self {
        let mut batch = Batch::default();
        for message in messages {
            match message {
                Message::Enqueue(call) => batch.enqueues.push(call),
                Message::Ack(call) => batch.acks.push(call),
                Message::Other(call) => batch.others.push(call),
                Message::Close(closed) => batch.close = Some(closed),
            }
        }
        batch
    }

    async fn run(&mut self, conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        insert_events(conn, &mut self.enqueues).await?;
        delete_acked(conn, &mut self.acks).await?;
        for call in &mut self.others {
            call.run(conn).await?;
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.enqueues.is_empty() && self.acks.is_empty() && self.others.is_empty()
    }

    fn wakes_queue(&self) -> bool {
        !self.enqueues.is_empty() || self.others.iter().any(|call| call.wakes_queue())
    }

    fn finish(self, committed: &Result<(), StoreError>) -> Option<oneshot::Sender<()>> {
        for call in self.enqueues {
            let answer = match call.refused {
                Some(refusal) => Err(refusal),
                None => committed.clone().map_err(QueueError::from),
            };
            let _ = call.reply.send(answer);
        }
        for call in self.acks {
            let answer = committed
                .clone()
                .map(|()| call.removed)
                .map_err(QueueError::from);
            let _ = call.reply.send(answer);
        }
        for call in self.others {
            call.finish(committed.clone());
        }
        self.close
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures_util::FutureExt;

    use super::*;
    use crate::sqlite::call::Outcome;
    use crate::{Registry, RegistryError, StateDir};

    /// Limits the database to its present size, as a full disk does.
    async fn limit_pages(writer: &Writer, pages: &'static str) {
        let work: Work<(), StoreError> = Box::new(move |conn| {
            async move {
                sqlx::raw_sql(pages).execute(conn).await?;
                Ok(Outcome::Done(()))
            }
            .boxed()
        });
        writer.call(false, work).await.unwrap();
    }

    #[tokio::test]
    async fn full_disk_is_a_typed_error_and_passes() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).await.unwrap();
        let registry = state.registry();
        limit_pages(&registry.writer, "PRAGMA max_page_count = 1").await;
        let body = || serde_json::value::to_raw_value(&"x".repeat(100_000)).unwrap();
        let full = registry.cas("k", body(), None).await;
        assert!(
            matches!(full, Err(RegistryError::Store(StoreError::DiskFull))),
            "{full:?}"
        );
        assert!(registry.get("k").await.unwrap().is_none());
        limit_pages(&registry.writer, "PRAGMA max_page_count = 100000").await;
        registry.cas("k", body(), None).await.unwrap();
    }

    #[tokio::test]
    async fn failed_write_stops_the_writer() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).await.unwrap();
        let registry = state.registry();
        let body = || serde_json::value::to_raw_value("x").unwrap();
        let rev = registry.cas("k", body(), None).await.unwrap();
        let work: Work<(), StoreError> = Box::new(|_| async { Err(io_failure()) }.boxed());
        let failed = registry.writer.call(false, work).await;
        assert!(matches!(failed, Err(StoreError::Stopped)), "{failed:?}");
        let later = registry.cas("k", body(), Some(rev)).await;
        assert!(
            matches!(later, Err(RegistryError::Store(StoreError::Stopped))),
            "{later:?}"
        );
        assert_eq!(
            registry.get("k").await.unwrap().unwrap().rev,
            rev,
            "reads go on"
        );
    }

    /// What SQLite reports when fsync(2) fails.
    fn io_failure() -> sqlx::Error {
        #[derive(Debug, thiserror::Error)]
        #[error("disk I/O error")]
        struct Fsync;
        impl sqlx::error::DatabaseError for Fsync {
            fn message(&self) -> &str {
                "disk I/O error"
            }
            fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
                Some("1034".into()) // SQLITE_IOERR_FSYNC
            }
            fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
                self
            }
            fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
                self
            }
            fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
                self
            }
            fn kind(&self) -> sqlx::error::ErrorKind {
                sqlx::error::ErrorKind::Other
            }
        }
        sqlx::Error::Database(Box::new(Fsync))
    }
}
