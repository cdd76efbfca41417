//! InvokeWithResponseStream: the response as it comes, in frames of AWS's event stream.

use std::sync::Arc;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::Request;
use hyper::body::Incoming;
use offshoot_lambda::error::{ApiError, ErrorKind};
use offshoot_lambda::eventstream::{CONTENT_TYPE, invoke_complete, payload_chunk};
use offshoot_lambda::generated::InvokeWithResponseStreamCompleteEvent;
use offshoot_lambda::limits::SYNC_REQUEST_MAX_BYTES;
use offshoot_lambda::operation::Route;
use offshoot_node::{Answer as FunctionAnswer, Outcome, Reply, StreamPart};
use offshoot_porter::InvokeError;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::body::{Answer, set, streamed};
use crate::invoke::{Wishes, checked, event};
use crate::{Gateway, identify, intake, rescue};

/// Parts of a response that may wait for a slow client before the function is slowed down.
pub(crate) const BACKLOG: usize = 16;

/// A response that is on its way.
pub(crate) struct Running {
    pub(crate) parts: mpsc::Receiver<StreamPart>,
    pub(crate) outcome: JoinHandle<Result<Outcome, InvokeError>>,
}

pub(crate) async fn answer(
    gateway: &Arc<Gateway>,
    route: &Route,
    request: Request<Incoming>,
    request_id: &Arc<str>,
) -> Result<Answer, ApiError> {
    let arrived = Instant::now();
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default();
    let named = identify::named(route, query, &gateway.parts.home)?;
    let wishes = Wishes::read(&parts)?;
    let payload = intake::read(body, SYNC_REQUEST_MAX_BYTES)
        .await
        .map_err(|error| error.into_api(ErrorKind::RequestTooLarge, "InvokeWithResponseStream"))?;
    gateway.parts.keys.verify(&parts, &payload).await?;
    let payload = checked(payload)?;
    let found = gateway
        .parts
        .dispatch
        .find(&named.function, named.qualifier.as_deref())
        .map_err(|error| rescue::catalog(&error))?;
    let event = event(request_id, &found, wishes, payload, arrived);
    let version = found.version().to_owned();
    let mut running = start(gateway, found, event);
    // A throttle has a status of its own, so nothing is answered before the first part.
    let first = running.parts.recv().await;
    let (sender, frames) = mpsc::channel(BACKLOG);
    match first {
        Some(first) => drop(tokio::spawn(pump(running, first, sender))),
        None => {
            let outcome = joined(running.outcome).await?;
            let _ = sender.send(completion(Ok(outcome))).await;
        }
    }
    let mut answer = streamed(frames);
    set(&mut answer, "content-type", CONTENT_TYPE);
    set(&mut answer, "x-amz-executed-version", &version);
    Ok(answer)
}

/// Starts an invocation whose response is streamed.
pub(crate) fn start(
    gateway: &Arc<Gateway>,
    found: offshoot_dispatch::Found,
    event: offshoot_node::Event,
) -> Running {
    let (sender, parts) = mpsc::channel(BACKLOG);
    let dispatch = Arc::clone(&gateway.parts.dispatch);
    let outcome =
        tokio::spawn(async move { dispatch.invoke(&found, event, Reply::Stream(sender)).await });
    Running { parts, outcome }
}

/// The outcome of an invocation's task.
pub(crate) async fn joined(
    outcome: JoinHandle<Result<Outcome, InvokeError>>,
) -> Result<Outcome, ApiError> {
    let outcome = outcome.await.unwrap_or(Err(InvokeError::ShuttingDown));
    outcome.map_err(|error| rescue::invoke(&error))
}

async fn pump(running: Running, first: StreamPart, frames: mpsc::Sender<Bytes>) {
    let Running { mut parts, outcome } = running;
    let mut next = Some(first);
    while let Some(part) = next {
        if let StreamPart::Chunk(chunk) = part
            && let Ok(frame) = payload_chunk(&chunk)
        {
            // A client that has gone does not stop the function.
            let _ = frames.send(frame).await;
        }
        next = parts.recv().await;
    }
    let _ = frames.send(completion(joined(outcome).await)).await;
}

/// The frame that ends the stream.
fn completion(outcome: Result<Outcome, ApiError>) -> Bytes {
    let mut complete = InvokeWithResponseStreamCompleteEvent::default();
    match outcome {
        Ok(outcome) => {
            complete.log_result = outcome.log_tail.map(|tail| STANDARD.encode(tail));
            if let FunctionAnswer::Failure(failure) = outcome.answer {
                complete.error_code = Some(failure.error_type);
                complete.error_details = Some(String::from_utf8_lossy(&failure.body).into_owned());
            }
        }
        Err(error) => {
            complete.error_code = Some(error.kind.name().to_owned());
            complete.error_details = Some(error.message);
        }
    }
    // Only texts of more than 16 MiB cannot be written; error objects are limited to 6.
    invoke_complete(&complete).unwrap_or_default()
}
