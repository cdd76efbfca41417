//! The conversation with an instance about one event.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use offshoot_channel::{MAX_RESPONSE_BYTES, MAX_STREAM_BYTES, ResumeMeta};
use tokio::sync::mpsc;

use crate::create::{LAST_WORDS, await_exit};
use crate::instance::Instance;
use crate::message::{Message, TransportError};
use crate::secrets::ClonesOwn;
use crate::{Answer, Event, Failure, Reply, StreamPart};

/// What a clone is told of its own before its first event; its seed had another.
const LOG_STREAM: &str = "AWS_LAMBDA_LOG_STREAM_NAME";

/// What became of the conversation about one event.
pub(crate) struct Conversation {
    pub(crate) answer: Answer,
    /// Whether the instance can take another event.
    pub(crate) lives: bool,
    /// Whether the handler never saw the event.
    pub(crate) undelivered: bool,
    /// When the response's first byte was there.
    pub(crate) first_byte: Instant,
}

/// Sends the event and listens until it is answered; the caller limits the time.
pub(crate) async fn converse(
    instance: &mut Instance,
    event: &Event,
    reply: Reply,
    is_clone: bool,
) -> Conversation {
    let deadline = SystemTime::now() + instance.spec.timeout;
    let deadline_ms = deadline
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64);
    let (mut response, streaming) = ResponseSink::of(reply);
    let mut first_byte = None;
    // A failed send means a dead runtime: listening tells how it died.
    let _ = send(instance, event, deadline_ms, streaming, is_clone).await;
    instance.scribe.write_start();
    loop {
        let message = hear(instance).await;
        let first_byte = *first_byte.get_or_insert_with(Instant::now);
        let ended = |answer, lives| Conversation {
            answer,
            lives,
            undelivered: false,
            first_byte,
        };
        match message {
            Ok(Message::Response(body)) => return ended(response.whole(body).await, true),
            Ok(Message::Error { error_type, body } | Message::StreamError { error_type, body }) => {
                return ended(Answer::Failure(Failure::raised(body, error_type)), true);
            }
            Ok(Message::TooLarge(len_bytes)) => {
                return ended(Answer::Failure(Failure::too_large(len_bytes)), true);
            }
            Ok(Message::StreamBegin { content_type }) => response.begin(content_type).await,
            Ok(Message::StreamChunk(part)) => response.part(part).await,
            Ok(Message::StreamEnd) => return ended(response.end(), true),
            // A clone's hook has failed: it must not go on.
            Ok(Message::InitError { error_type, body }) if is_clone => {
                instance.sandbox.kill();
                return ended(Answer::Failure(Failure::raised(body, error_type)), false);
            }
            Ok(
                Message::Booted
                | Message::Ready
                | Message::Frozen
                | Message::Collected
                | Message::InitError { .. },
            ) => {
                instance.sandbox.kill();
                let failure = Failure::broke_protocol(&event.request_id, "it reported init twice");
                return ended(Answer::Failure(failure), false);
            }
            Err(Silence::Exited(exit)) => {
                let oom = instance.sandbox.oom_kills() > 0;
                let failure = Failure::exited(&event.request_id, exit, oom);
                return Conversation {
                    undelivered: instance.transport.is_unread(),
                    ..ended(Answer::Failure(failure), false)
                };
            }
            Err(Silence::Protocol(how)) => {
                instance.sandbox.kill();
                let failure = Failure::broke_protocol(&event.request_id, &how);
                return ended(Answer::Failure(failure), false);
            }
        }
        if response.over_limit() {
            instance.sandbox.kill();
            return ended(
                Answer::Failure(Failure::too_large(MAX_STREAM_BYTES + 1)),
                false,
            );
        }
    }
}

/// Sends the event while taking what the instance prints, so that neither side waits for the other.
async fn send(
    instance: &mut Instance,
    event: &Event,
    deadline_ms: u64,
    streaming: bool,
    is_clone: bool,
) -> Result<(), TransportError> {
    let Instance {
        transport,
        output,
        scribe,
        own,
        ..
    } = instance;
    let own = std::mem::take(own);
    let stream = is_clone.then(|| scribe.stream().to_owned());
    let resume = stream.as_deref().map(|stream| resume_of(&own, stream));
    let sent = transport.send_invoke(resume.as_ref(), event, deadline_ms, streaming);
    tokio::pin!(sent);
    let mut printed = Vec::new();
    loop {
        tokio::select! {
            biased;
            done = &mut sent => return done,
            () = output.read(&mut printed) => output.rest(scribe.printed(&mut printed)),
        }
    }
}

/// What a clone is told before its first event.
pub(crate) fn resume_of<'a>(own: &'a ClonesOwn, stream: &'a str) -> ResumeMeta<'a> {
    let stream = [(LOG_STREAM, Some(stream))];
    ResumeMeta {
        env: own.variables().chain(stream).collect(),
    }
}

/// Why nothing more will be heard.
pub(crate) enum Silence {
    Exited(offshoot_sandbox::Exit),
    Protocol(String),
}

/// The next message, while output is taken.
pub(crate) async fn hear(instance: &mut Instance) -> Result<Message, Silence> {
    let Instance {
        transport,
        output,
        sandbox,
        scribe,
        ..
    } = instance;
    let mut printed = Vec::new();
    let heard = loop {
        tokio::select! {
            biased;
            message = transport.receive() => break message,
            () = output.read(&mut printed) => output.rest(scribe.printed(&mut printed)),
            exit = sandbox.exited() => {
                match tokio::time::timeout(LAST_WORDS, transport.receive()).await {
                    Ok(Ok(last)) => return Ok(last),
                    _ => return Err(Silence::Exited(exit)),
                }
            }
        }
    };
    match heard {
        Ok(message) => Ok(message),
        Err(TransportError::Closed) => Err(Silence::Exited(await_exit(sandbox).await)),
        Err(TransportError::Protocol(how)) => Err(Silence::Protocol(how)),
    }
}

/// Where the response goes.
pub(crate) enum ResponseSink {
    /// Joined, then answered as one.
    Whole(BytesMut),
    /// Passed on. A caller that has gone is no reason to stop the function.
    Stream(mpsc::Sender<StreamPart>),
}

impl ResponseSink {
    /// The sink, and whether it takes a stream.
    pub(crate) fn of(reply: Reply) -> (Self, bool) {
        match reply {
            Reply::Whole => (Self::Whole(BytesMut::new()), false),
            Reply::Stream(parts) => (Self::Stream(parts), true),
        }
    }

    pub(crate) async fn whole(self, body: Bytes) -> Answer {
        match self {
            Self::Whole(_) => Answer::Response(body),
            Self::Stream(parts) => {
                let _ = parts.send(StreamPart::Head(None)).await;
                let _ = parts.send(StreamPart::Chunk(body)).await;
                Answer::Streamed
            }
        }
    }

    pub(crate) async fn begin(&mut self, content_type: Option<String>) {
        if let Self::Stream(parts) = self {
            let _ = parts.send(StreamPart::Head(content_type)).await;
        }
    }

    pub(crate) async fn part(&mut self, part: Bytes) {
        match self {
            Self::Whole(joined) => joined.extend_from_slice(&part),
            Self::Stream(parts) => {
                let _ = parts.send(StreamPart::Chunk(part)).await;
            }
        }
    }

    fn over_limit(&self) -> bool {
        matches!(self, Self::Whole(joined) if joined.len() as u64 > MAX_STREAM_BYTES)
    }

    pub(crate) fn end(self) -> Answer {
        match self {
            Self::Whole(joined) if joined.len() as u64 > MAX_RESPONSE_BYTES => {
                Answer::Failure(Failure::too_large(joined.len() as u64))
            }
            Self::Whole(joined) => Answer::Response(joined.freeze()),
            Self::Stream(_) => Answer::Streamed,
        }
    }
}
