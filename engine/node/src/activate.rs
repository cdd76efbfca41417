//! Handing an instance one event.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use offshoot_channel::{MAX_RESPONSE_BYTES, MAX_STREAM_BYTES};
use tokio::sync::mpsc;

use crate::create::{LAST_WORDS, await_exit};
use crate::instance::{Birth, Instance};
use crate::logs::{Peak, Report};
use crate::message::{Message, TransportError};
use crate::{
    Activated, Answer, Event, Failure, FailureKind, Node, Outcome, PendingLog, Reply, Rung, Stages,
    StreamPart,
};

/// Most output that is read after the answer: what the handler printed before it.
const LAST_OUTPUT_BYTES: usize = 64 << 10;

/// What became of the conversation about one event.
struct Conversation {
    answer: Answer,
    /// Whether the instance can take another event.
    lives: bool,
    /// Whether the handler never saw the event.
    undelivered: bool,
    /// When the response's first byte was there.
    first_byte: Instant,
}

pub(crate) async fn activate(
    node: &Node,
    mut instance: Instance,
    event: Event,
    reply: Reply,
) -> Activated<Instance> {
    let birth = instance.birth.take();
    instance.scribe.start(&event, birth.is_some());
    let begun = Instant::now();
    if let Some(wake) = instance.wake.take() {
        // If it has ended, the conversation tells.
        let _ = rustix::io::write(&wake, &1_u64.to_ne_bytes());
    }
    let timeout = instance.spec.timeout;
    let mut alarm = instance.alarm.set(timeout);
    let heard = tokio::select! {
        biased;
        conversation = converse(&mut instance, &event, reply) => Some(conversation),
        () = alarm.as_mut() => None,
    };
    instance.alarm.keep(alarm);
    let conversation = heard.unwrap_or_else(|| {
        instance.sandbox.kill();
        let failure = Failure::timed_out(&event.request_id, timeout.as_secs_f64());
        Conversation {
            answer: Answer::Failure(failure),
            lives: false,
            undelivered: false,
            first_byte: Instant::now(),
        }
    });
    // Not of an instance that was made for this event from nothing: the next one would die as well.
    let was_cold = birth.is_some_and(|birth| birth.rung == Rung::Cold);
    let undelivered = conversation.undelivered && !was_cold;
    let duration = begun.elapsed();
    node.wakefulness().note();
    let stages = stages(&event, birth, begun, conversation.first_byte);
    let (log_tail, log) = if undelivered {
        // For the log this request has not begun: another instance will begin it.
        (None, PendingLog::default())
    } else {
        write_report(&mut instance, &event, birth, duration, &conversation)
    };
    let outcome = Outcome {
        answer: conversation.answer,
        stages,
        rung: birth.map_or(Rung::Hot, |birth| birth.rung),
        duration,
        log_tail,
        log,
    };
    if conversation.lives {
        instance.transport.settle();
        Activated {
            outcome,
            instance: Some(instance),
            undelivered,
        }
    } else {
        node.end(instance);
        Activated {
            outcome,
            instance: None,
            undelivered,
        }
    }
}

fn stages(event: &Event, birth: Option<Birth>, begun: Instant, first_byte: Instant) -> Stages {
    let birth = birth.unwrap_or_default();
    let us = |duration: Duration| duration.as_micros() as u64;
    Stages {
        queue_us: us(event.queued),
        restore_us: us(birth.restore),
        sandbox_us: us(birth.sandbox),
        fork_us: us(birth.fork),
        runtime_init_us: us(birth.runtime_init),
        user_init_us: us(birth.user_init),
        handler_us: us(first_byte - begun),
        response_us: us(first_byte.elapsed()),
    }
}

fn write_report(
    instance: &mut Instance,
    event: &Event,
    birth: Option<Birth>,
    duration: Duration,
    conversation: &Conversation,
) -> (Option<Vec<u8>>, PendingLog) {
    let mut printed = Vec::new();
    instance.output.drain(&mut printed, LAST_OUTPUT_BYTES);
    if !printed.is_empty() {
        instance.scribe.printed(&mut printed);
    }
    let status = match &conversation.answer {
        Answer::Failure(failure) => report_status(failure),
        Answer::Response(_) | Answer::Streamed => None,
    };
    let report = Report {
        duration,
        start: birth.map(|birth| birth.start()),
        memory_mb: instance.spec.memory_mb,
        peak_memory: if conversation.lives {
            Peak::OfLiving(instance.sandbox.peak_memory())
        } else {
            Peak::Bytes(instance.sandbox.peak_memory_bytes().unwrap_or(0))
        },
        status,
    };
    instance.scribe.end(event, report)
}

/// Lambda's REPORT names time-outs and dead runtimes, not errors that a handler raised.
pub(crate) fn report_status(failure: &Failure) -> Option<(&'static str, String)> {
    match failure.kind {
        FailureKind::TimedOut => Some(("timeout", String::new())),
        FailureKind::Exited | FailureKind::OutOfMemory => {
            Some(("error", failure.error_type.clone()))
        }
        FailureKind::Raised | FailureKind::TooLarge => None,
    }
}

/// Sends the event and listens until it is answered; the caller limits the time.
async fn converse(instance: &mut Instance, event: &Event, reply: Reply) -> Conversation {
    let deadline = SystemTime::now() + instance.spec.timeout;
    let deadline_ms = deadline
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64);
    let (mut response, streaming) = match reply {
        Reply::Whole => (ResponseSink::Whole(BytesMut::new()), false),
        Reply::Stream(parts) => (ResponseSink::Stream(parts), true),
    };
    let mut first_byte = None;
    // A failed send means a dead runtime: listening tells how it died.
    let _ = send(instance, event, deadline_ms, streaming).await;
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
            Ok(Message::Booted | Message::Ready | Message::InitError { .. }) => {
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
) -> Result<(), TransportError> {
    let Instance {
        transport,
        output,
        scribe,
        ..
    } = instance;
    let sent = transport.send_invoke(event, deadline_ms, streaming);
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

/// Why nothing more will be heard.
enum Silence {
    Exited(offshoot_sandbox::Exit),
    Protocol(String),
}

/// The next message, while output is taken.
async fn hear(instance: &mut Instance) -> Result<Message, Silence> {
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
enum ResponseSink {
    /// Joined, then answered as one.
    Whole(BytesMut),
    /// Passed on. A caller that has gone is no reason to stop the function.
    Stream(mpsc::Sender<StreamPart>),
}

impl ResponseSink {
    async fn whole(self, body: Bytes) -> Answer {
        match self {
            Self::Whole(_) => Answer::Response(body),
            Self::Stream(parts) => {
                let _ = parts.send(StreamPart::Head(None)).await;
                let _ = parts.send(StreamPart::Chunk(body)).await;
                Answer::Streamed
            }
        }
    }

    async fn begin(&mut self, content_type: Option<String>) {
        if let Self::Stream(parts) = self {
            let _ = parts.send(StreamPart::Head(content_type)).await;
        }
    }

    async fn part(&mut self, part: Bytes) {
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

    fn end(self) -> Answer {
        match self {
            Self::Whole(joined) if joined.len() as u64 > MAX_RESPONSE_BYTES => {
                Answer::Failure(Failure::too_large(joined.len() as u64))
            }
            Self::Whole(joined) => Answer::Response(joined.freeze()),
            Self::Stream(_) => Answer::Streamed,
        }
    }
}
