//! The state machine of one runtime.
//!
//! ```text
//!  Init --next--> Waiting --offer--> Serving(id) --response|error--> Answered --next--> Waiting
//!   \--init/error--> Failed
//! ```
//!
//! Only the routes and [`Shared::offer`] move it, under one short lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc};

use super::extensions::Extensions;
use crate::message::Message;
use crate::{Event, InstanceSpec};

/// An event on its way to the runtime.
#[derive(Debug, Clone)]
pub(super) struct Invocation {
    pub(super) event: Event,
    pub(super) deadline_ms: u64,
}

/// Where the runtime stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// User code is being initialised.
    Init,
    /// It asked for an event and has none.
    Waiting,
    /// It has an event with this request id.
    Serving(String),
    /// Its answer is being read.
    Answering(String),
    /// It has answered the request with this id.
    Answered(String),
    /// It reported that it could not be initialised.
    Failed,
}

/// What the routes and the node share.
#[derive(Debug)]
pub(super) struct Shared {
    inner: Mutex<Inner>,
    offered: Notify,
    messages: mpsc::Sender<Message>,
    pub(super) extensions: Extensions,
}

#[derive(Debug)]
struct Inner {
    phase: Phase,
    offer: Option<Invocation>,
}

/// Why a call does not fit the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The id is not that of the current request.
    WrongRequest,
    /// The call may not come now.
    WrongPhase,
}

impl Shared {
    pub(super) fn new(spec: &InstanceSpec, messages: mpsc::Sender<Message>) -> Self {
        Self {
            inner: Mutex::new(Inner {
                phase: Phase::Init,
                offer: None,
            }),
            offered: Notify::new(),
            messages,
            extensions: Extensions::new(spec),
        }
    }

    /// Gives the runtime an event, which its open or following `next` gets.
    pub(super) fn offer(&self, invocation: Invocation) {
        self.lock().offer = Some(invocation);
        self.offered.notify_one();
    }

    /// Takes back an event that the runtime has not fetched; true if there was one.
    pub(super) fn withdraw(&self) -> bool {
        self.lock().offer.take().is_some()
    }

    /// The runtime asks for an event.
    pub(super) fn begin_next(&self) -> Result<(), Refusal> {
        let first = {
            let mut inner = self.lock();
            let first = match inner.phase {
                Phase::Init => true,
                Phase::Answered(_) | Phase::Waiting => false,
                Phase::Serving(_) | Phase::Answering(_) | Phase::Failed => {
                    return Err(Refusal::WrongPhase);
                }
            };
            inner.phase = Phase::Waiting;
            first
        };
        if first {
            // There is room: it is the first message of a runtime that posted no init error.
            let _ = self.messages.try_send(Message::Ready);
        }
        Ok(())
    }

    /// Waits for the event.
    pub(super) async fn next(&self) -> Invocation {
        loop {
            let offered = self.offered.notified();
            if let Some(invocation) = self.take_offer() {
                return invocation;
            }
            offered.await;
        }
    }

    fn take_offer(&self) -> Option<Invocation> {
        let mut inner = self.lock();
        let invocation = inner.offer.take()?;
        inner.phase = Phase::Serving(invocation.event.request_id.to_string());
        Some(invocation)
    }

    /// The runtime begins to answer request `id`.
    pub(super) fn begin_answer(&self, id: &str) -> Result<(), Refusal> {
        let mut inner = self.lock();
        match &inner.phase {
            Phase::Serving(current) if current == id => {
                inner.phase = Phase::Answering(id.to_owned());
                Ok(())
            }
            Phase::Answering(current) | Phase::Answered(current) if current == id => {
                Err(Refusal::WrongPhase)
            }
            _ => Err(Refusal::WrongRequest),
        }
    }

    /// The runtime has answered request `id`.
    pub(super) fn end_answer(&self, id: &str) {
        self.lock().phase = Phase::Answered(id.to_owned());
    }

    /// The runtime reports that it cannot be initialised.
    pub(super) fn fail_init(&self) -> Result<(), Refusal> {
        let mut inner = self.lock();
        if inner.phase != Phase::Init {
            return Err(Refusal::WrongPhase);
        }
        inner.phase = Phase::Failed;
        Ok(())
    }

    /// Passes a message to the node; slows the runtime down when the node is behind.
    pub(super) async fn tell(&self, message: Message) {
        // The node's end is gone only when the instance is being ended.
        let _ = self.messages.send(message).await;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
