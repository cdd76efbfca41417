//! A write waiting for its transaction.

use futures_util::future::BoxFuture;
use sqlx::SqliteConnection;
use tokio::sync::oneshot;

use crate::error::StoreError;

/// What one call came to inside the transaction.
pub(crate) enum Outcome<T, E> {
    Done(T),
    /// Refused by a rule, before anything was written.
    Refused(E),
}

/// The work of a call inside the transaction.
pub(crate) type Work<T, E> = Box<
    dyn for<'c> FnOnce(
            &'c mut SqliteConnection,
        ) -> BoxFuture<'c, Result<Outcome<T, E>, sqlx::Error>>
        + Send,
>;

/// A call of any result type, as the writer sees it.
pub(crate) trait Call: Send {
    /// Does the work inside the transaction. An error rolls the whole batch back.
    fn run<'c>(
        &'c mut self,
        conn: &'c mut SqliteConnection,
    ) -> BoxFuture<'c, Result<(), sqlx::Error>>;

    /// Answers the caller, after the commit or instead of it.
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);

    /// Whether events may have begun to wait.
    fn wakes_queue(&self) -> bool;
}

pub(crate) struct TypedCall<T, E> {
    work: Option<Work<T, E>>,
    outcome: Option<Outcome<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
    wakes_queue: bool,
}

impl<T, E> TypedCall<T, E> {
    pub(crate) fn new(
        work: Work<T, E>,
        wakes_queue: bool,
    ) -> (Self, oneshot::Receiver<Result<T, E>>) {
        let (reply, answer) = oneshot::channel();
        (
            TypedCall {
                work: Some(work),
                outcome: None,
                reply,
                wakes_queue,
            },
            answer,
        )
    }
}

impl<T: Send, E: From<StoreError> + Send> Call for TypedCall<T, E> {
    fn run<'c>(
        &'c mut self,
        conn: &'c mut SqliteConnection,
    ) -> BoxFuture<'c, Result<(), sqlx::Error>> {
        Box::pin(async move {
            if let Some(work) = self.work.take() {
                self.outcome = Some(work(conn).await?);
            }
            Ok(())
        })
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        let answer = match (committed, self.outcome) {
            (Ok(()), Some(Outcome::Done(value))) => Ok(value),
            (_, Some(Outcome::Refused(refusal))) => Err(refusal),
            (Err(error), _) => Err(error.into()),
            // A committed batch ran all its calls.
            (Ok(()), None) => Err(StoreError::Closed.into()),
        };
        // A caller that went away is not an error: its write is done all the same.
        let _ = self.reply.send(answer);
    }

    fn wakes_queue(&self) -> bool {
        self.wakes_queue
    }
}
