//! Handing an instance one event.

use std::time::{Duration, Instant};

use crate::conversation::{Conversation, converse};
use crate::instance::{Birth, Instance};
use crate::logs::{Peak, Report};
use crate::{
    Activated, Answer, Event, Failure, FailureKind, Node, Outcome, PendingLog, Reply, Rung, Stages,
};

/// Most output that is read after the answer: what the handler printed before it.
pub(crate) const LAST_OUTPUT_BYTES: usize = 64 << 10;

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
    // A clone that has had no event yet.
    let is_clone = birth.is_some_and(|birth| !birth.rung.is_initialised());
    let timeout = instance.spec.timeout;
    let mut alarm = instance.alarm.set(timeout);
    let heard = tokio::select! {
        biased;
        conversation = converse(&mut instance, &event, reply, is_clone) => Some(conversation),
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
    // Not of an instance that was initialised for this event: the next one would die as well.
    let was_initialised = birth.is_some_and(|birth| birth.rung.is_initialised());
    let undelivered = conversation.undelivered && !was_initialised;
    let duration = begun.elapsed();
    node.wakefulness().note();
    let stages = stages(&event, birth, begun, conversation.first_byte);
    let (log_tail, log) = if undelivered {
        note_lost(&instance);
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
    if let (true, Some(version)) = (conversation.lives, instance.watched.take()) {
        node.learn(instance, version);
        return Activated {
            outcome,
            instance: None,
            undelivered,
        };
    }
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

/// An instance has ended before it saw its event.
pub(crate) fn note_lost(instance: &Instance) {
    let said = instance.origin.as_ref();
    let said = said.and_then(|(seed, token)| seed.failure_of(*token));
    let said = said.map(tracing::field::display);
    let (function, instance) = (&*instance.spec.function, instance.id());
    tracing::warn!(
        function,
        instance,
        said,
        "an instance ended before it saw its event; another one gets it"
    );
}

pub(crate) fn stages(
    event: &Event,
    birth: Option<Birth>,
    begun: Instant,
    first_byte: Instant,
) -> Stages {
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
