//! Several events in one instance.
//!
//! ```text
//! shares ──orders──> driver ──frames with numbers──> runtime
//!    ^                 │ the only one who has the instance
//!    └──what is heard──┘
//! ```
//!
//! 1. [`Crowd::begin`] gives the instance to a task of its own (`driver`), and the caller a hold on that task. Each share of the
//!    instance is such a hold.
//! 2. [`activate`] sends an event as an order, and hears of its answer part by part, so that a slow caller holds up nobody else.
//! 3. The instance takes no more events when one of them has timed out, its process has ended or broken the protocol, or it is to be
//!    learnt of: it *drains*, which means that those in it go on, and ends when the last one has left.
//! 4. It ends, too, by [`Crowd::end`], or when no share is left.
//!
//! Cost: a task for each such instance, two messages between tasks for each event. `docs/design/invocation.md`.

mod driver;
mod guest;
mod leaving;

use std::sync::Arc;

use offshoot_sandbox::{Exit, PeakMemory};
use tokio::sync::{mpsc, oneshot};

use crate::conversation::ResponseSink;
use crate::instance::Instance;
use crate::{
    Activated, Answer, Event, Failure, Node, Outcome, PendingLog, Reply, Rung, Share, Stages,
};
use driver::Driver;
use guest::{Done, Ending, Guest, Told};

/// A hold on an instance that several events may be in.
#[derive(Debug)]
pub struct Crowd {
    orders: mpsc::UnboundedSender<Order>,
    peak_memory: PeakMemory,
}

/// What the instance's task is told.
#[derive(Debug)]
enum Order {
    /// An event for it.
    Event(Box<Guest>),
    /// End the instance, and say so.
    End(oneshot::Sender<()>),
}

impl Crowd {
    /// Gives an instance to a task of its own.
    pub(crate) fn begin(node: &Node, instance: Instance) -> Arc<Self> {
        let (orders, ordered) = mpsc::unbounded_channel();
        let peak_memory = instance.sandbox.peak_memory();
        let driver = Driver::new(node.clone(), instance, ordered);
        tokio::spawn(driver.run());
        Arc::new(Self {
            orders,
            peak_memory,
        })
    }

    /// Whether the instance takes events.
    pub(crate) fn is_open(&self) -> bool {
        !self.orders.is_closed()
    }

    /// The most memory that the instance used at once, in bytes.
    pub(crate) fn peak_bytes(&self) -> Option<u64> {
        self.peak_memory.bytes()
    }

    /// Ends the instance once nobody is in it, and waits for that.
    pub(crate) async fn end(&self) {
        let (told, ended) = oneshot::channel();
        if self.orders.send(Order::End(told)).is_ok() {
            let _ = ended.await;
        }
    }
}

/// Has the instance handle an event, beside others.
pub(crate) async fn activate(crowd: Arc<Crowd>, event: Event, reply: Reply) -> Activated<Share> {
    let (mut sink, streaming) = ResponseSink::of(reply);
    let request_id = Arc::clone(&event.request_id);
    let (guest, mut heard) = Guest::new(event, streaming);
    if crowd.orders.send(Order::Event(Box::new(guest))).is_err() {
        return lost(&request_id, true);
    }
    while let Some(told) = heard.recv().await {
        match told {
            Told::Begin(content_type) => sink.begin(content_type).await,
            Told::Part(part) => sink.part(part).await,
            Told::Done(done) => return conclude(crowd, *done, sink).await,
        }
    }
    lost(&request_id, false)
}

async fn conclude(crowd: Arc<Crowd>, done: Done, sink: ResponseSink) -> Activated<Share> {
    let answer = match done.ending {
        Ending::Whole(body) => sink.whole(body).await,
        Ending::Stream => sink.end(),
        Ending::Failure(failure) => Answer::Failure(failure),
    };
    let outcome = Outcome {
        answer,
        stages: done.stages,
        rung: done.rung,
        duration: done.duration,
        log_tail: done.log_tail,
        log: done.log,
    };
    Activated {
        outcome,
        instance: done.is_open.then_some(Share::OfMany(crowd)),
        undelivered: done.undelivered,
    }
}

/// The instance has ended before it took the event, or its task without a word.
fn lost(request_id: &str, undelivered: bool) -> Activated<Share> {
    let failure = Failure::exited(request_id, Exit::Lost, false);
    let outcome = Outcome {
        answer: Answer::Failure(failure),
        stages: Stages::default(),
        rung: Rung::Hot,
        duration: std::time::Duration::ZERO,
        log_tail: None,
        log: PendingLog::default(),
    };
    Activated {
        outcome,
        instance: None,
        undelivered,
    }
}
