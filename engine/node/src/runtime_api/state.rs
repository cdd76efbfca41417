//! The state machine of one runtime.
//!
//! ```text
//!  Init --next--> Waiting --offer--> Serving(id) --response|error--> Answered --next--> Waiting
//!   |\--init/error--> Failed
//!   \--restore/next--> Held                 of a seed: it is frozen there
//!  Restoring --next--> Waiting              a clone begins here, with its seed's restore/next still open
//!   \--restore/error--> Failed
//! ```
//!
//! Only the routes and [`Shared::offer`] move it, under one short lock.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc};

use super::extensions::Extensions;
use crate::credentials::Purpose;
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
    /// It has asked to be frozen, over the connection from this address, and gets no answer.
    Held(SocketAddr),
    /// A clone: it has been told to go on, or will be, and runs its hooks before it asks for an event.
    Restoring,
    /// It asked for an event and has none.
    Waiting,
    /// It has an event with this request id.
    Serving(String),
    /// Its answer is being read.
    Answering(String),
    /// It has answered the request with this id.
    Answered(String),
    /// It reported that it could not be initialised, or restored.
    Failed,
}

/// What an instance is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It handles events: who asks to be frozen is told at once to go on.
    Ordinary,
    /// It becomes a seed: who asks to be frozen is.
    Seed,
    /// It is a clone of a seed.
    Clone,
}

impl Role {
    /// Of an instance that is not a clone.
    pub(crate) fn of(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Seed => Self::Seed,
            Purpose::Events | Purpose::Runtime => Self::Ordinary,
        }
    }
}

/// What the answer to `restore/next` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Restore {
    /// Go on.
    Now,
    /// None: the process that asked does not live on.
    Never,
}

/// What the routes and the node share.
#[derive(Debug)]
pub(super) struct Shared {
    role: Role,
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
    pub(super) fn new(spec: &InstanceSpec, messages: mpsc::Sender<Message>, role: Role) -> Self {
        let phase = match role {
            Role::Ordinary | Role::Seed => Phase::Init,
            Role::Clone => Phase::Restoring,
        };
        Self {
            role,
            inner: Mutex::new(Inner { phase, offer: None }),
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
                Phase::Restoring | Phase::Answered(_) | Phase::Waiting => false,
                Phase::Held(_) | Phase::Serving(_) | Phase::Answering(_) | Phase::Failed => {
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

    /// The runtime asks to be frozen, over the connection from `peer`: with it, init of a seed is done.
    pub(super) fn begin_restore(&self, peer: SocketAddr) -> Result<Restore, Refusal> {
        {
            let mut inner = self.lock();
            if inner.phase != Phase::Init {
                return Err(Refusal::WrongPhase);
            }
            if self.role != Role::Seed {
                return Ok(Restore::Now);
            }
            inner.phase = Phase::Held(peer);
        }
        // There is room, as for the first `next`.
        let _ = self.messages.try_send(Message::Ready);
        Ok(Restore::Never)
    }

    /// The other end of the connection over which the runtime has asked to be frozen, if it has.
    pub(super) fn held(&self) -> Option<SocketAddr> {
        match self.lock().phase {
            Phase::Held(peer) => Some(peer),
            _ => None,
        }
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

    /// The runtime reports that it cannot be initialised, or a clone that it cannot go on: some say `init/error` then too.
    pub(super) fn fail_init(&self) -> Result<(), Refusal> {
        let mut inner = self.lock();
        if !matches!(inner.phase, Phase::Init | Phase::Restoring) {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::spec::samples;

    const PEER: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 4000);

    fn made(role: Role) -> (Shared, mpsc::Receiver<Message>) {
        let (sender, messages) = mpsc::channel(4);
        (Shared::new(&samples::spec(), sender, role), messages)
    }

    #[test]
    fn seed_is_ready_when_it_asks_to_be_frozen_and_held_from_then_on() {
        let (shared, mut messages) = made(Role::Seed);
        assert_eq!(shared.held(), None);
        assert_eq!(shared.begin_restore(PEER), Ok(Restore::Never));
        assert!(matches!(messages.try_recv(), Ok(Message::Ready)));
        assert_eq!(shared.held(), Some(PEER));
        assert_eq!(shared.begin_next(), Err(Refusal::WrongPhase));
        assert_eq!(shared.begin_restore(PEER), Err(Refusal::WrongPhase));
    }

    #[test]
    fn ordinary_instance_is_told_to_go_on_and_ready_with_its_first_next() {
        let (shared, mut messages) = made(Role::Ordinary);
        assert_eq!(shared.begin_restore(PEER), Ok(Restore::Now));
        assert!(messages.try_recv().is_err());
        assert_eq!(shared.held(), None);
        shared.begin_next().unwrap();
        assert!(matches!(messages.try_recv(), Ok(Message::Ready)));
    }

    #[test]
    fn seed_that_asks_for_an_event_first_is_not_held() {
        let (shared, mut messages) = made(Role::Seed);
        shared.begin_next().unwrap();
        assert!(matches!(messages.try_recv(), Ok(Message::Ready)));
        assert_eq!(shared.held(), None);
    }

    #[tokio::test]
    async fn clone_asks_for_its_event_without_having_been_initialised_again() {
        let (shared, mut messages) = made(Role::Clone);
        assert_eq!(shared.begin_restore(PEER), Err(Refusal::WrongPhase));
        shared.begin_next().unwrap();
        assert!(messages.try_recv().is_err(), "it said that it is ready");
        let event = samples::event();
        let id = event.request_id.to_string();
        shared.offer(Invocation {
            event,
            deadline_ms: 1,
        });
        assert_eq!(*shared.next().await.event.request_id, *id);
        shared.begin_answer(&id).unwrap();
    }

    #[test]
    fn clone_may_report_a_failed_restore_until_it_asks_for_an_event() {
        let (shared, _messages) = made(Role::Clone);
        shared.fail_init().unwrap();
        assert_eq!(shared.begin_next(), Err(Refusal::WrongPhase));
        let (shared, _messages) = made(Role::Clone);
        shared.begin_next().unwrap();
        assert_eq!(shared.fail_init(), Err(Refusal::WrongPhase));
    }
}
