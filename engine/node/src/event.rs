//! Events, and what comes of them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::{Failure, PendingLog, Rung, Stages};

/// One event for one instance.
#[derive(Debug, Clone)]
pub struct Event {
    /// The request's id; the same on each retry of an asynchronous event.
    pub request_id: Arc<str>,
    /// The event: JSON, checked by the gateway.
    pub payload: Bytes,
    /// The ARN by which the caller named the function.
    pub invoked_arn: Arc<str>,
    /// X-Ray trace header.
    pub trace_id: Option<String>,
    /// The caller's client context, JSON text.
    pub client_context: Option<String>,
    /// The caller's Cognito identity, JSON text.
    pub cognito_identity: Option<String>,
    /// The caller's tenant id.
    pub tenant_id: Option<String>,
    /// Whether the caller wants the last 4 KiB of log.
    pub wants_tail: bool,
    /// How long the request waited for an instance, for the stage clock.
    pub queued: Duration,
}

/// How the caller takes the response.
#[derive(Debug, Clone)]
pub enum Reply {
    /// In one piece.
    Whole,
    /// As a stream; the receiver's end being dropped does not end the invocation.
    Stream(mpsc::Sender<StreamPart>),
}

/// A part of a streamed response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamPart {
    /// The response begins; its content type, if the function gave one.
    Head(Option<String>),
    /// Some bytes.
    Chunk(Bytes),
}

/// What a function answered.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The whole response.
    Response(Bytes),
    /// The response went out part by part.
    Streamed,
    /// The function failed; the body says how.
    Failure(Failure),
}

/// Everything that is known when an event has been handled.
#[derive(Debug)]
pub struct Outcome {
    /// What the function answered.
    pub answer: Answer,
    /// The stage clock.
    pub stages: Stages,
    /// Where the instance came from.
    pub rung: Rung,
    /// From the event's delivery to its answer.
    pub duration: Duration,
    /// The last 4 KiB of log, when asked for.
    pub log_tail: Option<Vec<u8>>,
    /// The request's last log lines; written when this is dropped.
    pub log: PendingLog,
}

impl<I> Activated<I> {
    /// The same with the instance as somebody else has it.
    pub(crate) fn map<J>(self, held: impl FnOnce(I) -> J) -> Activated<J> {
        Activated {
            outcome: self.outcome,
            instance: self.instance.map(held),
            undelivered: self.undelivered,
        }
    }
}

/// An outcome and, if it lives on, the instance.
#[derive(Debug)]
pub struct Activated<I> {
    /// What came of the event.
    pub outcome: Outcome,
    /// The instance, unless this event ended it.
    pub instance: Option<I>,
    /// Whether the instance was found to have ended before its handler saw the event: another may have it.
    pub undelivered: bool,
}
