//! How events leave an instance: with an answer, late, or because it has ended.

use std::time::{Duration, Instant};

use bytes::Bytes;
use offshoot_sandbox::Exit;

use super::driver::Driver;
use super::guest::{Done, Ending, Seated};
use crate::activate::{LAST_OUTPUT_BYTES, note_lost, report_status, stages};
use crate::create::LAST_WORDS;
use crate::logs::{Peak, Report};
use crate::{Failure, PendingLog, Rung};

impl Driver {
    /// A hook of a clone has failed: it must not go on. Its first event hears of it, and others have not been seen.
    pub(super) fn give_up_clone(&mut self, error_type: Option<String>, body: Bytes) {
        self.kill();
        for place in 0..self.seats.len() {
            let Some(seated) = self.seated(place) else {
                continue;
            };
            let undelivered = seated.birth.is_none();
            let failure = Failure::raised(body.clone(), error_type.clone());
            self.leave(place, Ending::Failure(failure), undelivered);
        }
    }

    /// Those whose time is over leave; the others go on, and nobody comes in.
    pub(super) fn part_with_late(&mut self) {
        let (now, timeout) = (Instant::now(), self.instance.spec.timeout);
        for place in 0..self.seats.len() {
            if self.seated(place).is_some_and(|one| one.deadline <= now) {
                self.drain();
                self.part_with(place, |id| Failure::timed_out(id, timeout.as_secs_f64()));
            }
        }
        let seated = self.seats.iter().flatten();
        if let Some(next) = seated.map(|one| one.deadline).min() {
            self.alarm.as_mut().reset(next.into());
        }
    }

    /// The runtime has broken the protocol.
    pub(super) fn break_off(&mut self, how: &str) {
        self.kill();
        for place in 0..self.seats.len() {
            self.part_with(place, |id| Failure::broke_protocol(id, how));
        }
    }

    /// The process has ended.
    pub(super) fn part_with_all(&mut self, exit: Exit) {
        self.ended = true;
        self.drain();
        let oom = self.instance.sandbox.oom_kills() > 0;
        let is_alone = self.seats.iter().flatten().count() == 1;
        // Of several, nobody knows whose event was left in the socket.
        let unread = is_alone && self.instance.transport.is_unread();
        for place in 0..self.seats.len() {
            let Some(seated) = self.seated(place) else {
                continue;
            };
            let number = place as u16 + 1;
            let held = self.outbox.as_ref().is_some_and(|box_| box_.holds(number));
            // Not of an instance that was initialised for this event: the next one would die as well.
            let was_initialised = seated
                .birth
                .is_some_and(|birth| birth.rung.is_initialised());
            let failure = Failure::exited(&seated.guest.event.request_id, exit, oom);
            let undelivered = (held || unread) && !was_initialised;
            self.leave(place, Ending::Failure(failure), undelivered);
        }
    }

    /// What the process said before it ended.
    pub(super) async fn hear_last_words(&mut self) {
        while !self.is_empty() {
            let Some(channel) = self.instance.transport.channel() else {
                return;
            };
            match tokio::time::timeout(LAST_WORDS, channel.receive_numbered()).await {
                Ok(Ok((number, message))) => self.hear(number, message),
                _ => return,
            }
        }
    }

    pub(super) fn part_with(&mut self, place: usize, failure: impl FnOnce(&str) -> Failure) {
        if let Some(seated) = self.seated(place) {
            let failure = failure(&seated.guest.event.request_id);
            self.leave(place, Ending::Failure(failure), false);
        }
    }

    /// An event has its answer.
    pub(super) fn leave(&mut self, place: usize, ending: Ending, undelivered: bool) {
        let Some(seated) = self.seats[place].take() else {
            return;
        };
        let (begun, birth) = (seated.begun, seated.birth);
        let (duration, event) = (begun.elapsed(), &seated.guest.event);
        let (log_tail, log) = if undelivered {
            note_lost(&self.instance);
            self.instance.scribe.forget_one(event);
            (None, PendingLog::default())
        } else {
            self.report(&seated, duration, &ending)
        };
        self.node.wakefulness().note();
        if !self.drains
            && let Some(version) = self.instance.watched.take()
        {
            self.lesson = Some(version);
            self.drain();
        }
        if self.is_empty() {
            self.instance.transport.settle();
        }
        let first_byte = seated.first_byte.unwrap_or_else(Instant::now);
        let done = Done {
            ending,
            stages: stages(event, birth, begun, first_byte),
            rung: birth.map_or(Rung::Hot, |birth| birth.rung),
            duration,
            log_tail,
            log,
            is_open: !self.drains,
            undelivered,
        };
        seated.guest.tell(done);
    }

    fn report(
        &mut self,
        seated: &Seated,
        duration: Duration,
        ending: &Ending,
    ) -> (Option<Vec<u8>>, PendingLog) {
        let instance = &mut self.instance;
        let mut printed = Vec::new();
        instance.output.drain(&mut printed, LAST_OUTPUT_BYTES);
        if !printed.is_empty() {
            instance.scribe.printed(&mut printed);
        }
        let status = match ending {
            Ending::Failure(failure) => report_status(failure),
            Ending::Whole(_) | Ending::Stream => None,
        };
        let report = Report {
            duration,
            start: seated.birth.map(|birth| birth.start()),
            memory_mb: instance.spec.memory_mb,
            peak_memory: if self.drains {
                Peak::Bytes(instance.sandbox.peak_memory_bytes().unwrap_or(0))
            } else {
                Peak::OfLiving(instance.sandbox.peak_memory())
            },
            status,
        };
        instance.scribe.end_one(&seated.guest.event, report)
    }
}
