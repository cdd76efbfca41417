//! One event of several that are in an instance.

use std::time::{Duration, Instant};

use bytes::Bytes;
use offshoot_channel::MAX_STREAM_BYTES;
use tokio::sync::mpsc;

use crate::instance::Birth;
use crate::message::Message;
use crate::{Event, Failure, PendingLog, Rung, Stages};

/// An event that wants to be handled.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) event: Event,
    /// Whether its caller reads a stream.
    pub(super) streaming: bool,
    told: mpsc::UnboundedSender<Told>,
}

/// What is heard of its answer.
#[derive(Debug)]
pub(super) enum Told {
    /// A stream begins; its content type.
    Begin(Option<String>),
    /// Some bytes of it.
    Part(Bytes),
    /// It is over.
    Done(Box<Done>),
}

/// All that is known at the end.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) ending: Ending,
    pub(super) stages: Stages,
    pub(super) rung: Rung,
    pub(super) duration: Duration,
    pub(super) log_tail: Option<Vec<u8>>,
    pub(super) log: PendingLog,
    /// Whether the instance takes another event.
    pub(super) is_open: bool,
    /// Whether the handler never saw the event.
    pub(super) undelivered: bool,
}

/// How an answer ends.
#[derive(Debug)]
pub(super) enum Ending {
    /// It is one piece.
    Whole(Bytes),
    /// Its stream is complete.
    Stream,
    Failure(Failure),
}

/// An event in the instance.
#[derive(Debug)]
pub(super) struct Seated {
    pub(super) guest: Guest,
    /// How the instance was made, if this is its first event.
    pub(super) birth: Option<Birth>,
    pub(super) begun: Instant,
    pub(super) deadline: Instant,
    pub(super) first_byte: Option<Instant>,
    streamed_bytes: u64,
}

impl Guest {
    /// A guest, and where its answer is heard.
    pub(super) fn new(event: Event, streaming: bool) -> (Self, mpsc::UnboundedReceiver<Told>) {
        let (told, heard) = mpsc::unbounded_channel();
        let guest = Self {
            event,
            streaming,
            told,
        };
        (guest, heard)
    }

    /// Says that it is over. A caller that has gone does not hear it.
    pub(super) fn tell(self, done: Done) {
        let _ = self.told.send(Told::Done(Box::new(done)));
    }

    /// Sends the event back: its instance takes no more.
    pub(super) fn turn_away(self) {
        let request_id = &*self.event.request_id;
        let failure = Failure::exited(request_id, offshoot_sandbox::Exit::Lost, false);
        self.tell(Done {
            ending: Ending::Failure(failure),
            stages: Stages::default(),
            rung: Rung::Hot,
            duration: Duration::ZERO,
            log_tail: None,
            log: PendingLog::default(),
            is_open: false,
            undelivered: true,
        });
    }
}

impl Seated {
    pub(super) fn new(guest: Guest, birth: Option<Birth>, timeout: Duration) -> Self {
        let begun = Instant::now();
        Self {
            guest,
            birth,
            begun,
            deadline: begun + timeout,
            first_byte: None,
            streamed_bytes: 0,
        }
    }

    /// Hears what the runtime says about the event: how the answer ends, if it does.
    pub(super) fn hear(&mut self, message: Message) -> Result<Option<Ending>, &'static str> {
        self.first_byte.get_or_insert_with(Instant::now);
        Ok(Some(match message {
            Message::Response(body) => Ending::Whole(body),
            Message::Error { error_type, body } | Message::StreamError { error_type, body } => {
                Ending::Failure(Failure::raised(body, error_type))
            }
            Message::TooLarge(len_bytes) => Ending::Failure(Failure::too_large(len_bytes)),
            Message::StreamEnd => Ending::Stream,
            Message::StreamBegin { content_type } => {
                let _ = self.guest.told.send(Told::Begin(content_type));
                return Ok(None);
            }
            Message::StreamChunk(part) => {
                self.streamed_bytes += part.len() as u64;
                if self.streamed_bytes > MAX_STREAM_BYTES {
                    return Ok(Some(Ending::Failure(Failure::too_large(
                        self.streamed_bytes,
                    ))));
                }
                let _ = self.guest.told.send(Told::Part(part));
                return Ok(None);
            }
            Message::Booted
            | Message::Ready
            | Message::Frozen
            | Message::Collected
            | Message::InitError { .. } => {
                return Err("it reported init twice");
            }
        }))
    }

    /// Whether its stream has become longer than any may be: its handler goes on with it.
    pub(super) fn overflows(&self) -> bool {
        self.streamed_bytes > MAX_STREAM_BYTES
    }
}
