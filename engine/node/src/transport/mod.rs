//! The two ways to talk to a runtime, behind one face.
//!
//! Our own bootstraps speak the channel; official runtime clients speak the Runtime API. [`Transport`] sends an
//! event over either and yields the same [`Message`]s, so that `create` and `activate` know only one.

mod channel;
mod frames;
mod of_clone;
mod outbox;

use std::net::SocketAddr;

pub(crate) use channel::ChannelEnd;
pub(crate) use of_clone::{CloneEnd, of_clone};
use offshoot_channel::ResumeMeta;
pub(crate) use outbox::Outbox;

use crate::Event;
use crate::message::{Message, TransportError};
use crate::runtime_api::ApiEnd;

/// A connection to one runtime.
#[derive(Debug)]
pub(crate) enum Transport {
    /// Our channel.
    Channel(ChannelEnd),
    /// The Lambda Runtime API.
    Api(ApiEnd),
    /// Our channel for the runtime, and the Runtime API for extensions beside it.
    Both(ChannelEnd, ApiEnd),
}

impl Transport {
    /// Hands the runtime an event, and before it what a clone needs that has had none yet (`resume`; over the Runtime API,
    /// that is the answer to `restore/next`, which carries nothing). `deadline_ms` is in milliseconds since the epoch.
    pub(crate) async fn send_invoke(
        &mut self,
        resume: Option<&ResumeMeta<'_>>,
        event: &Event,
        deadline_ms: u64,
        streaming: bool,
    ) -> Result<(), TransportError> {
        match self {
            Self::Channel(end) => end.send_invoke(resume, event, deadline_ms, streaming).await,
            Self::Api(end) => {
                end.go_on();
                end.send_invoke(event, deadline_ms);
                Ok(())
            }
            Self::Both(end, extensions) => {
                extensions.announce(event, deadline_ms);
                end.send_invoke(resume, event, deadline_ms, streaming).await
            }
        }
    }

    /// Tells the runtime that it will be frozen: `Message::Frozen` or `Message::InitError` answers. False if it speaks
    /// the Runtime API, where freezing is the runtime's own wish (`restore/next`).
    pub(crate) async fn send_freeze(&mut self) -> Result<bool, TransportError> {
        match self {
            Self::Channel(end) | Self::Both(end, _) => end.send_freeze().await.map(|()| true),
            Self::Api(_) => Ok(false),
        }
    }

    /// Has the runtime collect its garbage: `Message::Collected` answers. False if it speaks the Runtime API, which has no
    /// word for that.
    pub(crate) async fn send_collect(&mut self) -> Result<bool, TransportError> {
        match self {
            Self::Channel(end) | Self::Both(end, _) => end.send_collect().await.map(|()| true),
            Self::Api(_) => Ok(false),
        }
    }

    /// The runtime's end of the connection over which it has asked to be frozen, if it has.
    pub(crate) fn held(&self) -> Option<SocketAddr> {
        match self {
            Self::Channel(_) | Self::Both(..) => None,
            Self::Api(end) => end.held(),
        }
    }

    /// Tells a clone of a runtime's seed its function: `Message::Ready` or `Message::InitError` answers. Only runtimes that
    /// speak the channel have seeds.
    pub(crate) async fn send_resume(
        &mut self,
        resume: &ResumeMeta<'_>,
    ) -> Result<(), TransportError> {
        match self {
            Self::Channel(end) | Self::Both(end, _) => end.send_resume(resume).await,
            Self::Api(_) => Err(TransportError::Closed),
        }
    }

    /// The runtime's next message. Cancel-safe: nothing is lost when the future is dropped.
    pub(crate) async fn receive(&mut self) -> Result<Message, TransportError> {
        match self {
            Self::Channel(end) | Self::Both(end, _) => end.receive().await,
            Self::Api(end) => end.receive().await,
        }
    }

    /// The runtime's channel, if it speaks that: extensions beside it are left alone.
    pub(crate) fn channel(&mut self) -> Option<&mut ChannelEnd> {
        match self {
            Self::Channel(end) | Self::Both(end, _) => Some(end),
            Self::Api(_) => None,
        }
    }

    /// Whether a runtime that has ended never saw the event that was sent last.
    pub(crate) fn is_unread(&self) -> bool {
        match self {
            Self::Channel(end) | Self::Both(end, _) => end.is_unread(),
            Self::Api(end) => end.withdraw(),
        }
    }

    /// Called when an event is done: gives back memory that a large one needed.
    pub(crate) fn settle(&mut self) {
        if let Self::Channel(end) | Self::Both(end, _) = self {
            end.settle();
        }
    }

    /// Waits until so many extensions have done their part of init.
    pub(crate) async fn extensions_initialised(&self, wanted: usize) {
        match self {
            Self::Channel(_) => {}
            Self::Api(end) | Self::Both(_, end) => end.extensions_initialised(wanted).await,
        }
    }

    /// Tells extensions that the sandbox ends at `deadline_ms`; true if there is one to wait for.
    pub(crate) fn shut_down_extensions(&self, deadline_ms: u64) -> bool {
        match self {
            Self::Channel(_) => false,
            Self::Api(end) | Self::Both(_, end) => end.shut_down_extensions(deadline_ms),
        }
    }
}
