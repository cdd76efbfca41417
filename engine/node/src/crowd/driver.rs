//! The task that has the instance.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use offshoot_sandbox::Exit;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Sleep;

use super::Order;
use super::guest::{Guest, Seated};
use crate::conversation::resume_of;
use crate::create::await_exit;
use crate::instance::Instance;
use crate::message::{Message, TransportError};
use crate::node::end;
use crate::seeds::Version;
use crate::transport::Outbox;
use crate::{Failure, Node};

/// Everything about an instance that several events may be in.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) node: Node,
    pub(super) instance: Instance,
    orders: mpsc::UnboundedReceiver<Order>,
    pub(super) outbox: Option<Outbox>,
    /// The events that are in it; an event's number is its place, from 1.
    pub(super) seats: Vec<Option<Seated>>,
    /// Fires when the first of them is late.
    pub(super) alarm: Pin<Box<Sleep>>,
    /// It takes no more events.
    pub(super) drains: bool,
    /// Its process has ended, or was killed.
    pub(super) ended: bool,
    /// The seed that is to learn of it when the last event has left.
    pub(super) lesson: Option<Arc<Version>>,
    /// Who waits for its end.
    retiring: Vec<oneshot::Sender<()>>,
}

/// What has happened.
enum Turn {
    Late,
    Order(Option<Order>),
    Message(Result<(u16, Message), TransportError>),
    Other,
    Exited(Exit),
}

impl Driver {
    pub(super) fn new(
        node: Node,
        mut instance: Instance,
        orders: mpsc::UnboundedReceiver<Order>,
    ) -> Self {
        let outbox = instance.transport.channel();
        // Without descriptors for it the events go to other instances.
        let outbox = outbox.and_then(|channel| channel.outbox().ok());
        let places = instance.spec.concurrency.max(1);
        Self {
            node,
            orders,
            drains: outbox.is_none(),
            outbox,
            seats: (0..places).map(|_| None).collect(),
            alarm: Box::pin(tokio::time::sleep(Duration::ZERO)),
            ended: false,
            lesson: None,
            retiring: Vec::new(),
            instance,
        }
    }

    pub(super) async fn run(mut self) {
        while !(self.drains && self.is_empty()) {
            match self.turn().await {
                Turn::Late => self.part_with_late(),
                Turn::Order(Some(Order::Event(guest))) => self.seat(*guest),
                Turn::Order(Some(Order::End(told))) => {
                    self.retiring.push(told);
                    self.drain();
                }
                Turn::Order(None) => self.drain(),
                Turn::Message(Ok((number, message))) => self.hear(number, message),
                Turn::Message(Err(TransportError::Protocol(how))) => self.break_off(&how),
                Turn::Message(Err(TransportError::Closed)) => {
                    let exit = await_exit(&self.instance.sandbox).await;
                    self.part_with_all(exit);
                }
                Turn::Exited(exit) => {
                    self.hear_last_words().await;
                    self.part_with_all(exit);
                }
                Turn::Other => {}
            }
        }
        self.finish().await;
    }

    /// Waits for something to happen.
    async fn turn(&mut self) -> Turn {
        let (is_busy, takes) = (!self.is_empty(), !self.drains);
        let Instance {
            transport,
            output,
            sandbox,
            scribe,
            ..
        } = &mut self.instance;
        let (Some(outbox), Some(channel)) = (&mut self.outbox, transport.channel()) else {
            return Turn::Order(None);
        };
        let mut printed = Vec::new();
        tokio::select! {
            biased;
            () = self.alarm.as_mut(), if is_busy => Turn::Late,
            order = self.orders.recv(), if takes => Turn::Order(order),
            message = channel.receive_numbered(), if is_busy => Turn::Message(message),
            () = outbox.flush(), if !outbox.is_empty() => Turn::Other,
            () = output.read(&mut printed), if is_busy => {
                output.rest(scribe.printed(&mut printed));
                Turn::Other
            }
            exit = sandbox.exited() => Turn::Exited(exit),
        }
    }

    /// An event comes in.
    fn seat(&mut self, guest: Guest) {
        let place = self.seats.iter().position(Option::is_none);
        let (Some(place), Some(outbox)) = (place, &mut self.outbox) else {
            guest.turn_away();
            return;
        };
        let number = place as u16 + 1;
        let instance = &mut self.instance;
        let birth = instance.birth.take();
        let timeout = instance.spec.timeout;
        instance.scribe.start_one(&guest.event);
        if let Some(wake) = instance.wake.take() {
            // If it has ended, the conversation tells.
            let _ = rustix::io::write(&wake, &1_u64.to_ne_bytes());
        }
        // A clone that has had no event yet.
        let is_clone = birth.is_some_and(|birth| !birth.rung.is_initialised());
        let own = std::mem::take(&mut instance.own);
        let resume = is_clone.then(|| resume_of(&own, instance.scribe.stream()));
        let deadline_ms = (SystemTime::now() + timeout)
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis() as u64);
        let (event, streaming) = (&guest.event, guest.streaming);
        let sent = outbox.send(resume.as_ref(), event, number, deadline_ms, streaming);
        let is_first = self.is_empty();
        let seated = Seated::new(guest, birth, timeout);
        if is_first {
            self.alarm.as_mut().reset(seated.deadline.into());
        }
        self.seats[place] = Some(seated);
        if let Err(error) = sent {
            let failure = |id: &str| Failure::broke_protocol(id, &error.to_string());
            self.part_with(place, failure);
        }
    }

    pub(super) fn hear(&mut self, number: u16, message: Message) {
        let place = usize::from(number).checked_sub(1);
        let Some(place) = place.filter(|place| self.seated(*place).is_some()) else {
            match message {
                Message::InitError { error_type, body } if self.resumes() => {
                    self.give_up_clone(error_type, body);
                }
                // Of an event that was late.
                _ if self.drains && place.is_some() => {}
                _ => self.break_off("it answered an event that it has not"),
            }
            return;
        };
        let Some(seated) = &mut self.seats[place] else {
            return;
        };
        match seated.hear(message) {
            Ok(None) => {}
            Ok(Some(ending)) => {
                if seated.overflows() {
                    self.drain();
                }
                self.leave(place, ending, false);
            }
            Err(how) => self.break_off(how),
        }
    }

    /// Whether it is a clone whose first event is in it.
    fn resumes(&self) -> bool {
        let mut births = self.seats.iter().flatten().filter_map(|one| one.birth);
        births.any(|birth| !birth.rung.is_initialised())
    }

    pub(super) fn kill(&mut self) {
        self.instance.sandbox.kill();
        self.ended = true;
        self.drain();
    }

    /// Takes no more events.
    pub(super) fn drain(&mut self) {
        self.drains = true;
        self.orders.close();
        while let Ok(order) = self.orders.try_recv() {
            match order {
                Order::Event(guest) => guest.turn_away(),
                Order::End(told) => self.retiring.push(told),
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.seats.iter().all(Option::is_none)
    }

    pub(super) fn seated(&self, place: usize) -> Option<&Seated> {
        self.seats.get(place)?.as_ref()
    }

    /// Ends the instance, or has its seed learn of it.
    async fn finish(mut self) {
        self.drain();
        match self.lesson {
            Some(version) if !self.ended => self.node.learn(self.instance, version),
            _ if self.retiring.is_empty() => self.node.end(self.instance),
            _ => end(self.instance).await,
        }
        for told in self.retiring {
            let _ = told.send(());
        }
    }
}
